//! What clients other than the big two send, each from a public thread.

use axum::body::Body;
use http::header;
use serde_json::json;

use crate::world::World;

/// goauthentik/authentik#11249: OneLogin's body is a template with text booleans, one object for a list and old URNs.
#[tokio::test]
async fn onelogin_templates_are_understood() {
    let world = World::new().await;
    let body = json!({
        "schemas": ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"], "id": null,
        "userName": "ada@contoso.com", "active": "true", "emails": { "value": "ada@contoso.com", "primary": "true" },
        "name": { "familyName": "L", "givenName": "" }, "title": "",
    });
    let user = world.post("/Users", &body).await.expect(201).json();
    assert_eq!(
        (&user["active"], &user["emails"][0]["primary"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        user["schemas"],
        json!(["urn:ietf:params:scim:schemas:core:2.0:User"])
    );
    let list = world
        .get("/Users?filter=userName+eq+%22ada@contoso.com%22&")
        .await
        .expect(200)
        .json();
    assert_eq!(list["totalResults"], 1);
}

/// goauthentik/authentik#25024 and #23798: a POST without members, adds one by one, a remove with a value array.
#[tokio::test]
async fn authentik_removes_only_whom_it_names() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let group = world.group("g", &[]).await;
    let path = format!("/Groups/{group}");
    let adds = json!([
        { "op": "add", "path": "members", "value": [{ "value": ada }] },
        { "op": "add", "path": "members", "value": [{ "value": bob }] },
        { "op": "replace", "value": { "schemas": [], "id": group, "externalId": "e", "displayName": "g2" } },
    ]);
    world.patch(&path, &adds).await.expect(200);
    let remove = json!([{ "op": "remove", "path": "members", "value": [{ "value": ada }] }]);
    let shown = world.patch(&path, &remove).await.expect(200).json();
    assert_eq!(
        (&shown["displayName"], &shown["externalId"]),
        (&json!("g2"), &json!("e"))
    );
    assert_eq!(world.members(&group).await, [bob]);
    world
        .patch(
            &path,
            &json!([{ "op": "remove", "path": "members", "value": [] }]),
        )
        .await
        .refused(400, Some("invalidValue"));
}

/// jumpcloud.com/support, troubleshooting: a base URL with a slash at its end doubles it.
#[tokio::test]
async fn slashes_too_many_are_passed_over() {
    let world = World::new().await;
    world.get("//Users").await.expect(200);
    world.get("/Users/").await.expect(200);
}

/// indigo-iam/iam#1285, medplum/medplum#4143: media types.
#[tokio::test]
async fn both_media_types_and_none_are_taken() {
    let world = World::new().await;
    for (n, kind) in ["application/json", "application/scim+json; charset=utf-8", ""]
        .into_iter()
        .enumerate()
    {
        let body = json!({ "userName": format!("u{n}") }).to_string();
        let mut request = world
            .request("POST", "/Users")
            .body(Body::from(body))
            .expect("a request");
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, kind.parse().expect("a header"));
        request
            .headers_mut()
            .insert(header::ACCEPT, "application/json".parse().expect("a header"));
        let answer = world.send(request).await.expect(201);
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/scim+json");
    }
}

/// scim-for-keycloak#73, wireapp/wire-server#5419: an address that is not there yet is made.
#[tokio::test]
async fn a_filtered_path_makes_what_it_does_not_find() {
    let world = World::new().await;
    let id = world
        .post("/Users", &json!({ "userName": "ada" }))
        .await
        .expect(201)
        .id();
    let operations = json!([
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "ada@work.example" },
        { "op": "Replace", "path": "active", "value": "False" },
    ]);
    let user = world
        .patch(&format!("/Users/{id}"), &operations)
        .await
        .expect(200)
        .json();
    assert_eq!(
        user["emails"],
        json!([{ "type": "work", "value": "ada@work.example" }])
    );
    assert_eq!(user["active"], false);
    let found = world
        .get("/Users?filter=emails.value%20eq%20%22ada@work.example%22")
        .await
        .expect(200)
        .json();
    assert_eq!(found["totalResults"], 1);
}
