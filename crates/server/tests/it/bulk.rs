//! `/Bulk`.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn operations_find_each_other_by_bulk_id() {
    let world = World::new().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            { "method": "POST", "path": "/Groups", "bulkId": "g",
              "data": { "displayName": "Board", "members": [{ "value": "bulkId:a" }] } },
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": { "userName": "ada" } },
            { "method": "POST", "path": "/Users", "bulkId": "b", "data": { "userName": "ADA" } },
            { "method": "PATCH", "path": "/Users/bulkId:a",
              "data": { "Operations": [{ "op": "add", "path": "title", "value": "Chair" }] } },
        ],
    });
    let done = world.post("/Bulk", &body).await.expect(200).json();
    let operations = done["Operations"].as_array().expect("operations");
    let statuses: Vec<_> = operations
        .iter()
        .map(|one| one["status"].as_str().expect("a string"))
        .collect();
    assert_eq!(statuses, ["201", "201", "409", "200"], "{done}");
    assert_eq!(operations[2]["response"]["scimType"], "uniqueness");
    assert!(operations[2].get("location").is_none());
    let user = world.get("/Users").await.json()["Resources"][0].clone();
    assert_eq!(
        (&user["title"], &user["groups"][0]["display"]),
        (&json!("Chair"), &json!("Board"))
    );
    assert_eq!(operations[1]["location"], user["meta"]["location"]);
}

#[tokio::test]
async fn it_stops_after_as_many_errors_as_it_was_told() {
    let world = World::new().await;
    let missing = json!({ "method": "DELETE", "path": "/Users/018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f" });
    let create = json!({ "method": "POST", "path": "/Users", "bulkId": "a", "data": { "userName": "ada" } });
    let body = json!({ "failOnErrors": 1, "Operations": [missing, create] });
    let done = world.post("/Bulk", &body).await.expect(200).json();
    assert_eq!(done["Operations"].as_array().map(Vec::len), Some(1), "{done}");
    assert_eq!(done["Operations"][0]["status"], "404");
    assert_eq!(world.get("/Users").await.json()["totalResults"], 0);
}

#[tokio::test]
async fn versions_are_compared() {
    let world = World::new().await;
    let id = world.user("ada").await;
    let path = format!("/Users/{id}");
    let body = json!({ "Operations": [
        { "method": "DELETE", "path": path, "version": "W/\"7\"" }, { "method": "DELETE", "path": path, "version": "W/\"1\"" },
    ] });
    let done = world.post("/Bulk", &body).await.expect(200).json();
    assert_eq!(
        (&done["Operations"][0]["status"], &done["Operations"][1]["status"]),
        (&json!("412"), &json!("204"))
    );
}
