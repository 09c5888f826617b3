//! What goes wrong, in one form.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::{Api, send};
use crate::world::World;

#[tokio::test]
async fn every_problem_has_a_status_and_a_code() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let long = "x".repeat(70_000);
    let unknown = "018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f";
    for (method, path, body, status, code) in [
        ("GET", "/nothing", Value::Null, 404, "no_endpoint"),
        ("DELETE", "/rooms", Value::Null, 405, "method"),
        ("GET", "/rooms/Nowhere", Value::Null, 404, "not_found"),
        ("GET", &format!("/rooms/{unknown}"), Value::Null, 404, "not_found"),
        ("GET", "/rooms?limit=0", Value::Null, 400, "malformed"),
        ("GET", "/rooms?limit=501", Value::Null, 400, "malformed"),
        ("GET", "/rooms?limit=many", Value::Null, 400, "malformed"),
        ("GET", "/rooms?cursor=here", Value::Null, 400, "malformed"),
        ("GET", "/events?wait=31", Value::Null, 400, "malformed"),
        ("GET", "/persons?limit=0", Value::Null, 400, "malformed"),
        ("GET", "/holds/none", Value::Null, 404, "not_found"),
        ("POST", "/orders", json!({ "room": "Board" }), 400, "malformed"),
        ("POST", "/orders", json!([]), 400, "malformed"),
        ("POST", "/orders", json!({ "room_name": long }), 413, "too_large"),
        (
            "POST",
            "/orders",
            json!({ "requester": "r@contoso.com", "source": "idp" }),
            422,
            "invalid",
        ),
        (
            "POST",
            "/mappings",
            json!({ "room": "Nowhere", "group": "g", "source": "idp" }),
            404,
            "not_found",
        ),
        ("POST", "/tokens", json!({ "label": "x" }), 422, "invalid"),
        (
            "POST",
            "/tokens",
            json!({ "label": " ", "role": "viewer" }),
            422,
            "invalid",
        ),
        (
            "POST",
            "/tokens",
            json!({ "label": "x", "role": "boss" }),
            400,
            "malformed",
        ),
        (
            "POST",
            "/tokens",
            json!({ "label": "x", "role": "requester" }),
            422,
            "invalid",
        ),
        ("GET", "/policy/plan", Value::Null, 409, "no_proposal"),
    ] {
        let body = (!body.is_null()).then_some(&body);
        let answer = api.call(method, path, body, &[]).await.refused(status, code);
        let detail = answer.body["detail"].as_str().expect("a detail");
        assert!(detail.len() > 15, "{method} {path}: {detail}");
    }
}

#[tokio::test]
async fn a_query_parameter_that_an_endpoint_does_not_have_is_refused() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let misspelt = api.get("/rooms?limit=5&after=abc").await.expect(400);
    let detail = misspelt.body["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("cursor, limit"), "{detail}");
    api.get("/policy?verbose=1").await.expect(400);
    api.get("/rooms?limit=5&").await.expect(200);
}

#[tokio::test]
async fn nothing_under_api_answers_in_another_form() {
    let world = World::new().await;
    for path in ["/api", "/api/", "/api/v2/rooms", "/api/v1", "/api/v1/"] {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let answer = send(&world, request).await.refused(404, "no_endpoint");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        assert_eq!(answer.body["instance"], path);
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let headers = [("content-type", "text/plain")];
    let request = Request::post("/api/v1/tokens")
        .header("authorization", format!("Bearer {}", api.token))
        .header(headers[0].0, headers[0].1)
        .body(Body::from("{}"))
        .expect("a request");
    send(&world, request).await.refused(415, "media_type");
}

#[tokio::test]
async fn the_request_id_of_the_client_is_in_the_problem_and_in_the_history() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let headers = [("x-request-id", "walk-7")];
    let answer = api.call("GET", "/rooms/Nowhere", None, &headers).await;
    assert_eq!(answer.body["request_id"], "walk-7");
    let body = json!({ "label": "dashboard", "role": "viewer", "reason": "a screen in the hall" });
    api.call("POST", "/tokens", Some(&body), &headers)
        .await
        .expect(201);
    let feed = api.events().await;
    let told = feed.last().expect("an event");
    assert_eq!(told["type"], "usher.token.created");
    assert_eq!(told["requestid"], "walk-7");
    assert_eq!(told["reason"], "a screen in the hall");
    assert_eq!(told["actor"], "token:admin");
}
