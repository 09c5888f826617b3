//! Requests as Microsoft Entra ID sends them, from Microsoft's public documentation ("Tutorial: Develop and plan
//! provisioning for a SCIM endpoint") and the public threads that are named.

use axum::body::Body;
use http::header;
use serde_json::{Value, json};

use crate::world::World;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn create(world: &World) -> String {
    let body: Value = serde_json::from_str(include_str!("fixtures/entra-create-user.json")).expect("JSON");
    world.post("/Users", &body).await.expect(201).id()
}

#[tokio::test]
async fn the_connection_test_finds_nobody_and_gets_a_list() {
    let world = World::new().await;
    let list = world
        .get("/Users?filter=userName+eq+%227c1fb1d5-2a0e-4b1f-9a4d-0d5b0d3a1f11%22")
        .await
        .expect(200);
    assert_eq!(
        (&list.json()["totalResults"], &list.json()["Resources"]),
        (&json!(0), &json!([]))
    );
}

#[tokio::test]
async fn a_user_is_created_and_found_again() {
    let world = World::new().await;
    let id = create(&world).await;
    for filter in [
        "userName+eq+%22test_user_00aa00aa-bb11-cc22-dd33-44ee44ee44ee%22",
        "externalId+eq+%220a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef%22",
        "emails%5Btype+eq+%22work%22%5D.value+eq+%22Test_User_11bb11bb@testuser.com%22",
    ] {
        let list = world
            .get(&format!("/Users?filter={filter}"))
            .await
            .expect(200)
            .json();
        assert_eq!(list["Resources"][0]["id"], id, "{filter}");
    }
}

#[tokio::test]
async fn legacy_updates_come_one_operation_for_each_attribute() {
    let world = World::new().await;
    let id = create(&world).await;
    let operations = json!([
        { "op": "Replace", "path": "displayName", "value": "Pvlo" },
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@test.example" },
        { "op": "Replace", "path": "name.givenName", "value": "Gtfd" },
        { "op": "Replace", "path": "externalId", "value": "Eqpj" },
        { "op": "Add", "path": "nickName", "value": "Babs" },
        { "op": "Replace", "path": format!("{ENTERPRISE}:employeeNumber"), "value": "Eqpj" },
        { "op": "Add", "path": "roles", "value": [{ "value": "{\"id\":\"r\",\"value\":\"25\"}" }] },
    ]);
    let user = world
        .patch(&format!("/Users/{id}"), &operations)
        .await
        .expect(200)
        .json();
    assert_eq!(user["displayName"], "Pvlo");
    assert_eq!(
        user["emails"][0],
        json!({ "primary": true, "type": "work", "value": "a@test.example" })
    );
    assert_eq!(user["name"]["givenName"], "Gtfd");
    assert_eq!(user[ENTERPRISE]["employeeNumber"], "Eqpj");
    assert!(
        user["schemas"]
            .as_array()
            .expect("schemas")
            .contains(&json!(ENTERPRISE))
    );
}

/// With the `aadOptscim062020` flag, attributes come flattened in one operation without a path.
#[tokio::test]
async fn flagged_updates_come_flattened() {
    let world = World::new().await;
    let id = create(&world).await;
    let mut value = json!({ "displayName": "Bjfe", "name.givenName": "Kkom", "name.familyName": "Unua" });
    value[format!("{ENTERPRISE}:employeeNumber")] = json!("Aklq");
    let operations = json!([
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@test.example" },
        { "op": "replace", "value": value },
    ]);
    let user = world
        .patch(&format!("/Users/{id}"), &operations)
        .await
        .expect(200)
        .json();
    assert_eq!(user["displayName"], "Bjfe");
    assert_eq!(
        (&user["name"]["givenName"], &user["name"]["familyName"]),
        (&json!("Kkom"), &json!("Unua"))
    );
    assert_eq!(user[ENTERPRISE]["employeeNumber"], "Aklq");
    assert!(user.get("name.givenName").is_none());
}

#[tokio::test]
async fn an_account_is_disabled_and_enabled_in_every_spelling() {
    let world = World::new().await;
    let id = create(&world).await;
    for (op, value, active) in [
        ("Replace", json!("False"), false),
        ("Replace", json!("True"), true),
        ("replace", json!(false), false),
        ("Add", json!("true"), true),
    ] {
        let operations = json!([{ "op": op, "path": "active", "value": value }]);
        let user = world
            .patch(&format!("/Users/{id}"), &operations)
            .await
            .expect(200)
            .json();
        assert_eq!(user["active"], active);
        let found = world
            .get("/Users?filter=externalId+eq+0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef")
            .await
            .json();
        assert_eq!(found["totalResults"], 1, "inactive users stay visible");
    }
}

/// Captain-P-Goldfish/SCIM-SDK#541: a manager comes as plain text and is shown as an object.
#[tokio::test]
async fn a_manager_is_set_probed_and_removed() {
    let world = World::new().await;
    let (id, manager) = (create(&world).await, world.user("boss").await);
    let path = format!("/Users/{id}");
    let set = json!([{ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": manager }]);
    let user = world.patch(&path, &set).await.expect(200).json();
    assert_eq!(user[ENTERPRISE]["manager"]["value"], manager);
    let probe = world
        .get(&format!(
            "/Users?filter=id+eq+{id}+and+manager+eq+{manager}&attributes=id"
        ))
        .await;
    let probe = probe.expect(200).json();
    assert_eq!(
        (&probe["totalResults"], &probe["Resources"][0]["id"]),
        (&json!(1), &json!(id))
    );
    let unset = json!([{ "op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": "" }]);
    let user = world.patch(&path, &unset).await.expect(200).json();
    assert!(
        user.get(ENTERPRISE)
            .and_then(|extension| extension.get("manager"))
            .is_none()
    );
}

#[tokio::test]
async fn a_group_is_created_probed_filled_and_emptied() {
    let world = World::new().await;
    let (id, other) = (create(&world).await, world.user("other").await);
    let body: Value = serde_json::from_str(include_str!("fixtures/entra-create-group.json")).expect("JSON");
    let group = world.post("/Groups", &body).await.expect(201).id();
    let list = world
        .get("/Groups?excludedAttributes=members&filter=displayName+eq+%22displayName%22")
        .await;
    let shown = list.expect(200).json()["Resources"][0].clone();
    assert_eq!((&shown["id"], shown.get("members")), (&json!(group), None));
    let path = format!("/Groups/{group}");
    let add =
        |id: &str| json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": id }] }]);
    world.patch(&path, &add(&id)).await.expect(200);
    world.patch(&path, &add(&id)).await.expect(200);
    world.patch(&path, &add(&other)).await.expect(200);
    let probe = world
        .get(&format!(
            "/Groups?filter=id+eq+{group}+and+members+eq+{id}&attributes=id"
        ))
        .await;
    assert_eq!(probe.expect(200).json()["totalResults"], 1);
    let legacy = json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": id }] }]);
    world.patch(&path, &legacy).await.expect(200);
    assert_eq!(world.members(&group).await, std::slice::from_ref(&other));
    let flagged = json!([{ "op": "remove", "path": format!("members[value eq \"{other}\"]") }]);
    world.patch(&path, &flagged).await.expect(200);
    assert!(world.members(&group).await.is_empty());
    world
        .patch(
            &path,
            &json!([{ "op": "Replace", "path": "displayName", "value": "1879" }]),
        )
        .await
        .expect(200);
    world.delete(&path).await.expect(204);
}

#[tokio::test]
async fn a_thousand_members_come_in_one_patch() {
    let world = World::new().await;
    let group = world.group("g", &[]).await;
    for count in [1, 2, 100, 1000] {
        let many: Vec<Value> = (0..count)
            .map(|n| json!({ "$ref": null, "value": format!("m-{count}-{n}") }))
            .collect();
        let operations: Vec<Value> = many
            .iter()
            .map(|member| json!({ "op": "Add", "path": "members", "value": [member] }))
            .collect();
        let path = format!("/Groups/{group}?excludedAttributes=members");
        world
            .patch(&path, &json!([{ "op": "Add", "path": "members", "value": many }]))
            .await
            .expect(200);
        world.patch(&path, &json!(operations)).await.expect(200);
    }
    assert_eq!(world.members(&group).await.len(), 1103);
}

/// MicrosoftDocs/azure-docs#21660: the client's own header, and its media type.
#[tokio::test]
async fn its_headers_are_taken() {
    let world = World::new().await;
    let request = world
        .request("GET", "/Users?startIndex=1&count=5")
        .header("ADSCIMVersion", "5.0");
    let request = request.header(header::ACCEPT, "application/scim+json");
    let list = world
        .send(request.body(Body::empty()).expect("a request"))
        .await
        .expect(200)
        .json();
    assert_eq!(list["startIndex"], 1);
}
