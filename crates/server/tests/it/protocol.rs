//! What RFC 7644 promises of single resources.

use axum::body::Body;
use http::header;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_created_user_is_answered_whole_and_read_back_equal() {
    let world = World::new().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Ada", "password": "s3cret",
        "id": "mine", "meta": { "location": "https://evil.example" }, "urn:example:2.0:Thing": { "shoeSize": 43 },
        "name": { "givenName": "Ada" }, "title": null, "groups": [{ "value": "g" }],
    });
    let created = world.post("/Users", &body).await.expect(201);
    let user = created.json();
    let id = created.id();
    assert_ne!(id, "mine");
    assert_eq!(user["userName"], "Ada");
    assert_eq!(user["urn:example:2.0:Thing"]["shoeSize"], 43);
    assert!(user.get("password").is_none() && user.get("title").is_none() && user.get("groups").is_none());
    assert_eq!(
        user["meta"]["location"],
        format!("https://usher.example/scim/idp/v2/Users/{id}")
    );
    assert_eq!(created.header(header::LOCATION), user["meta"]["location"]);
    assert_eq!(created.header(header::ETAG), user["meta"]["version"]);
    let read = world.get(&format!("/Users/{id}")).await.expect(200);
    assert_eq!(read.json(), user);
    assert_eq!(read.header(header::CONTENT_TYPE), "application/scim+json");
}

#[tokio::test]
async fn the_same_user_name_in_another_case_is_a_conflict() {
    let world = World::new().await;
    world.user("ada").await;
    let again = world.post("/Users", &json!({ "userName": "ADA" })).await;
    assert!(again.refused(409, Some("uniqueness")).contains("userName"));
}

#[tokio::test]
async fn put_replaces_what_it_names_and_clears_what_it_leaves_out() {
    let world = World::new().await;
    let id = world.user("ada").await;
    let body =
        json!({ "id": id, "userName": "ada", "title": "Chair", "meta": {}, "name": { "middleName": "" } });
    let user = world.put(&format!("/Users/{id}"), &body).await.expect(200).json();
    assert_eq!(user["title"], "Chair");
    assert!(user.get("emails").is_none() && user.get("name").is_none());
    assert_eq!(user["meta"]["version"], "W/\"2\"");
    world
        .put("/Users/018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f", &body)
        .await
        .refused(404, None);
}

#[tokio::test]
async fn saying_the_same_again_keeps_version_and_time() {
    let world = World::new().await;
    let id = world.user("ada").await;
    let path = format!("/Users/{id}");
    let before = world.get(&path).await.json();
    world.clock.advance(std::time::Duration::from_secs(60));
    let operations = json!([{ "op": "replace", "path": "displayName", "value": "ada" }]);
    assert_eq!(world.patch(&path, &operations).await.expect(200).json(), before);
    assert_eq!(world.put(&path, &before).await.expect(200).json(), before);
}

#[tokio::test]
async fn if_match_guards_put_patch_and_delete() {
    let world = World::new().await;
    let id = world.user("ada").await;
    let path = format!("/Users/{id}");
    let send = async |method: &str, tag: &str, body: Value| {
        let request = world.request(method, &path).header(header::IF_MATCH, tag);
        world
            .send(request.body(Body::from(body.to_string())).expect("a request"))
            .await
    };
    let rename = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "A" }] });
    send("PATCH", "W/\"9\"", rename.clone()).await.refused(412, None);
    send("PUT", "\"9\"", json!({ "userName": "ada" }))
        .await
        .refused(412, None);
    send("DELETE", "W/\"9\"", json!({})).await.refused(412, None);
    let user = send("PATCH", "W/\"1\"", rename).await.expect(200);
    assert_eq!(user.header(header::ETAG), "W/\"2\"");
    send("DELETE", "*", json!({})).await.expect(204);
}

#[tokio::test]
async fn if_match_is_passed_over_where_the_source_says_so() {
    let world = World::with("[source.settings]\nhonours_if_match = false\n").await;
    let token = world.source_token("other", None).await.token;
    let request = |method: &str, path: &str| {
        http::Request::builder()
            .method(method)
            .uri(format!("/scim/other/v2{path}"))
            .header(header::AUTHORIZATION, &token)
            .header(header::IF_MATCH, "W/\"9\"")
    };
    let body = Body::from(json!({ "userName": "ada" }).to_string());
    let id = world
        .send(request("POST", "/Users").body(body).expect("a request"))
        .await
        .expect(201)
        .id();
    world
        .send(
            request("DELETE", &format!("/Users/{id}"))
                .body(Body::empty())
                .expect("a request"),
        )
        .await
        .expect(204);
}

#[tokio::test]
async fn a_current_copy_is_answered_304() {
    let world = World::new().await;
    for path in [
        format!("/Users/{}", world.user("ada").await),
        format!("/Groups/{}", world.group("g", &[]).await),
    ] {
        let request = world
            .request("GET", &path)
            .header(header::IF_NONE_MATCH, "W/\"1\"");
        let answer = world
            .send(request.body(Body::empty()).expect("a request"))
            .await
            .expect(304);
        assert!(answer.body.is_empty());
        assert_eq!(answer.header(header::ETAG), "W/\"1\"");
        let request = world
            .request("GET", &path)
            .header(header::IF_NONE_MATCH, "W/\"7\"");
        world
            .send(request.body(Body::empty()).expect("a request"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn what_is_deleted_is_gone_everywhere() {
    let world = World::new().await;
    let id = world.user("ada").await;
    let group = world.group("board", &[&id]).await;
    assert_eq!(world.members(&group).await, std::slice::from_ref(&id));
    assert!(
        world
            .delete(&format!("/Users/{id}"))
            .await
            .expect(204)
            .body
            .is_empty()
    );
    let path = format!("/Users/{id}");
    world.get(&path).await.refused(404, None);
    world
        .put(&path, &json!({ "userName": "ada" }))
        .await
        .refused(404, None);
    world
        .patch(&path, &json!([{ "op": "remove", "path": "title" }]))
        .await
        .refused(404, None);
    world.delete(&path).await.refused(404, None);
    assert!(world.members(&group).await.is_empty());
    assert_eq!(world.get("/Users").await.json()["totalResults"], 0);
    assert_ne!(world.user("ada").await, id, "an id is never used again");
}

#[tokio::test]
async fn attributes_choose_what_an_answer_shows() {
    let world = World::new().await;
    let id = world.user("ada").await;
    let user = world
        .get(&format!("/Users/{id}?attributes=userName,emails.value"))
        .await
        .json();
    let keys: Vec<_> = user.as_object().expect("a user").keys().cloned().collect();
    assert_eq!(keys, ["schemas", "id", "userName", "emails"]);
    assert_eq!(user["emails"], json!([{ "value": "ada@contoso.com" }]));
    let user = world
        .get(&format!("/Users/{id}?excludedAttributes=emails,meta"))
        .await
        .json();
    assert!(user.get("emails").is_none() && user.get("meta").is_none() && user["userName"] == "ada");
    let created = world
        .post(
            "/Users?attributes=userName",
            &json!({ "userName": "bob", "title": "x" }),
        )
        .await;
    assert!(created.expect(201).json().get("title").is_none());
}

#[tokio::test]
async fn a_user_shows_its_groups() {
    let world = World::new().await;
    let id = world.user("ada").await;
    let group = world.group("Board", &[&id]).await;
    let expected = json!([{
        "$ref": format!("https://usher.example/scim/idp/v2/Groups/{group}"), "value": group, "display": "Board",
        "type": "direct",
    }]);
    assert_eq!(
        world.get(&format!("/Users/{id}")).await.json()["groups"],
        expected
    );
    let list = world.get("/Users").await.json();
    assert_eq!(list["Resources"][0]["groups"], expected);
}

#[tokio::test]
async fn methods_that_an_endpoint_does_not_take_are_named() {
    let world = World::new().await;
    for (method, path, allowed) in [
        ("DELETE", "/Users", "GET, HEAD, POST"),
        ("POST", "/Users/1", "GET, HEAD, PUT, PATCH, DELETE"),
        ("GET", "/Bulk", "POST"),
        ("POST", "/Schemas", "GET, HEAD"),
        ("OPTIONS", "/Groups", "GET, HEAD, POST"),
    ] {
        let answer = world
            .send(
                world
                    .request(method, path)
                    .body(Body::empty())
                    .expect("a request"),
            )
            .await;
        assert_eq!(answer.header(header::ALLOW), allowed, "{method} {path}");
        answer.refused(405, None);
    }
}

#[tokio::test]
async fn me_is_not_offered() {
    World::new().await.get("/Me").await.refused(501, None);
}

#[tokio::test]
async fn the_service_describes_itself_with_and_without_a_token() {
    let world = World::new().await;
    for path in [
        "/ServiceProviderConfig",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/Schemas",
        "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group",
    ] {
        let with = world.get(path).await.expect(200).json();
        let request = http::Request::get(format!("/scim/idp/v2{path}"))
            .body(Body::empty())
            .expect("a request");
        assert_eq!(world.send(request).await.expect(200).json(), with, "{path}");
    }
    let config = world.get("/ServiceProviderConfig").await.json();
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["pagination"]["cursorTimeout"], 3600);
    assert_eq!(
        config["meta"]["location"],
        "https://usher.example/scim/idp/v2/ServiceProviderConfig"
    );
    world.get("/Schemas?filter=id%20pr").await.refused(403, None);
    world.get("/Schemas/urn:nobody").await.refused(404, None);
}
