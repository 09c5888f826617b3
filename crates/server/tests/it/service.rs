//! Health, metrics, and what every answer carries.

use axum::body::Body;
use http::{Request, header};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn health_and_metrics_answer() {
    let world = World::new().await;
    for path in ["/livez", "/readyz"] {
        world
            .send(Request::get(path).body(Body::empty()).expect("a request"))
            .await
            .expect(200);
    }
    let metrics = world
        .send(Request::get("/metrics").body(Body::empty()).expect("a request"))
        .await
        .expect(200);
    let text = String::from_utf8(metrics.body).expect("text");
    for name in [
        "usher_storage_statements_total",
        "usher_http_requests_total",
        "usher_http_request_seconds_bucket",
    ] {
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
}

#[tokio::test]
async fn the_clients_request_id_comes_back_and_reaches_the_history() {
    let world = World::new().await;
    let body = Body::from(json!({ "userName": "ada" }).to_string());
    let request = world
        .request("POST", "/Users")
        .header("x-request-id", "trace/42.a-b_c")
        .body(body);
    let answer = world.send(request.expect("a request")).await.expect(201);
    assert_eq!(answer.header("x-request-id"), "trace/42.a-b_c");
    world.published().await;
    let events: Result<Vec<_>, usher_engine::EngineError> = world
        .engine
        .read(|tx| Box::pin(async move { Ok(usher_storage::query::event::after(tx, 0, 100).await?) }))
        .await;
    let events = events.expect("events");
    let created = events
        .iter()
        .find(|event| event.kind == "directory.user.created")
        .expect("the user");
    assert_eq!(created.request_id.as_deref(), Some("trace/42.a-b_c"));
    assert_eq!(
        (created.actor_kind.as_str(), created.actor.as_str()),
        ("source", "idp")
    );
}

#[tokio::test]
async fn an_unfit_request_id_is_replaced() {
    let world = World::new().await;
    for unfit in ["", "a b", "line\tbreak", &"x".repeat(129)] {
        let request = Request::get("/livez")
            .header("x-request-id", unfit)
            .body(Body::empty());
        let answer = world.send(request.expect("a request")).await;
        let id = answer.header("x-request-id");
        assert!(!id.is_empty() && id != unfit, "{unfit}");
    }
}

#[tokio::test]
async fn answers_carry_security_headers() {
    let world = World::new().await;
    for answer in [world.get("/Users").await, world.get("/nothing").await] {
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        assert!(
            answer
                .header(header::CONTENT_SECURITY_POLICY)
                .contains("default-src 'none'")
        );
    }
}

#[tokio::test]
async fn a_closed_database_is_answered_503_and_not_ready() {
    let world = World::new().await;
    world.get("/Users").await.expect(200);
    world.engine.storage().clone().close().await;
    let answer = world.post("/Users", &json!({ "userName": "ada" })).await;
    assert_eq!(answer.header(header::RETRY_AFTER), "5");
    answer.refused(503, None);
    world
        .send(Request::get("/readyz").body(Body::empty()).expect("a request"))
        .await
        .expect(503);
    world
        .send(Request::get("/livez").body(Body::empty()).expect("a request"))
        .await
        .expect(200);
}
