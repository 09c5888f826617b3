//! Requests as Okta sends them, from Okta's public documentation ("SCIM 2.0 Protocol Reference") and its public
//! conformance suite ("Okta SCIM 2.0 SPEC Test").

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};

use crate::world::World;

async fn create(world: &World) -> String {
    let body: Value = serde_json::from_str(include_str!("fixtures/okta-create-user.json")).expect("JSON");
    let user = world.post("/Users", &body).await.expect(201).json();
    assert!(user.get("password").is_none() && user["active"] == true && user["locale"] == "en-US");
    user["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn the_spec_suite_passes() {
    let world = World::new().await;
    let id = create(&world).await;
    let list = world.get("/Users?count=1&startIndex=1").await.expect(200).json();
    assert!(
        ["totalResults", "itemsPerPage", "startIndex"]
            .iter()
            .all(|key| list[key].is_u64()),
        "{list}"
    );
    let first = &list["Resources"][0];
    for value in [
        &first["id"],
        &first["name"]["familyName"],
        &first["name"]["givenName"],
        &first["userName"],
    ] {
        assert!(value.is_string(), "{first}");
    }
    assert!(first["active"].is_boolean() && first["emails"][0]["value"].is_string());
    assert_eq!(
        world.get(&format!("/Users/{id}")).await.expect(200).json()["id"],
        id
    );
    let nobody = world
        .get("/Users?filter=userName%20eq%20%22nobody%22&startIndex=1&count=100")
        .await
        .expect(200)
        .json();
    assert_eq!(nobody["totalResults"], 0);
    world
        .get("/Users/010101001010101011001010101011")
        .await
        .refused(404, None);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Runscope300@atko.com",
        "name": { "familyName": "A", "givenName": "B" }, "active": true,
        "emails": [{ "primary": true, "value": "runscope@atko.com", "type": "work" }], "displayName": "A B",
    });
    let made = world.post("/Users", &body).await.expect(201).json();
    assert_eq!(
        (&made["active"], &made["userName"]),
        (&json!(true), &json!("Runscope300@atko.com"))
    );
    world.post("/Users", &body).await.refused(409, Some("uniqueness"));
    let found = world
        .get("/Users?filter=userName%20eq%20%22RUNSCOPE300@ATKO.COM%22")
        .await
        .expect(200)
        .json();
    assert_eq!(found["totalResults"], 1);
    assert!(world.get("/Groups").await.expect(200).json()["Resources"].is_array());
    let request =
        Request::get("/scim/idp/v2/Users?startIndex=1&count=1").header(header::AUTHORIZATION, "non-token");
    world
        .send(request.body(Body::empty()).expect("a request"))
        .await
        .refused(401, None);
    world.get("/Users/00919288221112222").await.refused(404, None);
}

/// Custom apps read the user, change it, and put all of it back.
#[tokio::test]
async fn a_profile_is_put_back_as_it_was_read() {
    let world = World::new().await;
    let id = create(&world).await;
    let mut user = world.get(&format!("/Users/{id}")).await.json();
    user["name"]["givenName"] = json!("Another");
    user["name"]["middleName"] = json!("");
    user["groups"] = json!([]);
    let put = world.put(&format!("/Users/{id}"), &user).await.expect(200).json();
    assert_eq!(
        put["name"],
        json!({ "givenName": "Another", "familyName": "User" })
    );
    user["active"] = json!(false);
    assert_eq!(
        world.put(&format!("/Users/{id}"), &user).await.expect(200).json()["active"],
        false
    );
}

#[tokio::test]
async fn an_account_is_deactivated_and_stays_visible() {
    let world = World::new().await;
    let id = create(&world).await;
    let path = format!("/Users/{id}");
    for active in [false, true, false] {
        let user = world
            .patch(
                &path,
                &json!([{ "op": "replace", "value": { "active": active } }]),
            )
            .await;
        assert_eq!(user.expect(200).json()["active"], active);
        assert_eq!(world.get(&path).await.expect(200).json()["active"], active);
        let found = world
            .get("/Users?filter=userName%20eq%20%22test.user@okta.local%22")
            .await
            .json();
        assert_eq!(found["totalResults"], 1);
    }
    let password = world
        .patch(
            &path,
            &json!([{ "op": "replace", "value": { "password": "n3w" } }]),
        )
        .await;
    assert!(password.expect(200).json().get("password").is_none());
}

#[tokio::test]
async fn groups_are_pushed_renamed_changed_and_unlinked() {
    let world = World::new().await;
    let (ada, bob) = (create(&world).await, world.user("bob").await);
    let schemas = [
        "urn:ietf:params:scim:schemas:core:2.0:Group",
        "urn:okta:custom:group:1.0",
    ];
    let body = json!({
        "schemas": schemas, "displayName": "Test SCIMv2", "members": [],
        "urn:okta:custom:group:1.0": { "description": "d" },
    });
    let group = world.post("/Groups", &body).await.expect(201).id();
    let path = format!("/Groups/{group}");
    let found = world
        .get("/Groups?filter=displayName%20eq%20%22Test%20SCIMv2%22&startIndex=1&count=100")
        .await;
    assert_eq!(found.expect(200).json()["Resources"][0]["id"], group);
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ada, "display": "test.user@okta.local" }] }]);
    world.patch(&path, &add).await.expect(200);
    let rename = json!([{ "op": "replace", "value": { "id": group, "displayName": "Renamed" } }]);
    assert_eq!(
        world.patch(&path, &rename).await.expect(200).json()["displayName"],
        "Renamed"
    );
    assert_eq!(world.members(&group).await, std::slice::from_ref(&ada));
    let swap = json!([
        { "op": "remove", "path": format!("members[value eq \"{ada}\"]") },
        { "op": "add", "path": "members", "value": [{ "value": bob, "display": "bob" }] },
    ]);
    world.patch(&path, &swap).await.expect(200);
    assert_eq!(world.members(&group).await, std::slice::from_ref(&bob));
    world
        .patch(
            &path,
            &json!([{ "op": "replace", "path": "members", "value": [] }]),
        )
        .await
        .expect(200);
    assert!(world.members(&group).await.is_empty());
    // jelhub/scimgateway#113: without a path and without schemas.
    let body = json!({ "Operations": [
        { "op": "replace", "value": { "members": [{ "value": bob }], "id": group, "displayName": "Renamed" } },
    ] });
    let request = world
        .request("PATCH", &path)
        .body(Body::from(body.to_string()))
        .expect("a request");
    world.send(request).await.expect(200);
    assert_eq!(world.members(&group).await, [bob]);
    let put =
        json!({ "schemas": schemas, "id": group, "displayName": "Renamed", "members": [{ "value": ada }] });
    world.put(&path, &put).await.expect(200);
    assert_eq!(world.members(&group).await, [ada]);
    world.delete(&path).await.expect(204);
}
