//! Writes that are repeated under a key.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Api};
use crate::world::World;

async fn create(api: &Api<'_>, key: &str, room: &str) -> Answer {
    let body = order(room);
    api.call("POST", "/orders", Some(&body), &[("idempotency-key", key)])
        .await
}

fn order(room: &str) -> Value {
    json!({
        "room_name": room, "administrator": "ada@contoso.com", "group": room, "expected": 5, "source": "idp",
        "customer": "Contoso AG", "requester": "rita@contoso.com",
    })
}

#[tokio::test]
async fn the_same_request_is_done_once_and_answered_alike() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let first = create(&api, "order-1", "Board").await.expect(201);
    let again = create(&api, "order-1", "Board").await.expect(201);
    assert_eq!(first.body, again.body);
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            again.header("idempotency-replayed")
        ),
        ("", "true")
    );
    assert_eq!(api.get("/orders").await.items().len(), 1);
}

#[tokio::test]
async fn a_key_names_one_request_of_one_token() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    create(&api, "order-1", "Board").await.expect(201);
    create(&api, "order-1", "Council")
        .await
        .refused(422, "idempotency_key_reused");
    let other = Api::admin(&world).await;
    create(&other, "order-1", "Council").await.expect(201);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    create(&api, "order-1", "Board").await.expect(201);
    world.clock.advance(Duration::from_secs(24 * 3600));
    create(&api, "order-1", "Council").await.expect(201);
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again_under_its_key() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let taken = api.post("/orders", &order("Board")).await.expect(201).id();
    api.post(&format!("/orders/{taken}/submit"), &json!({}))
        .await
        .expect(200);
    create(&api, "order-2", "Board")
        .await
        .refused(409, "room_name_ordered");
    api.post(
        &format!("/orders/{taken}/withdraw"),
        &json!({ "reason": "a mistake" }),
    )
    .await
    .expect(200);
    create(&api, "order-2", "Board").await.expect(201);
}

#[tokio::test]
async fn secrets_are_not_kept_for_a_repetition() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let body = json!({ "label": "x", "role": "viewer" });
    api.call("POST", "/tokens", Some(&body), &[("idempotency-key", "t")])
        .await
        .refused(400, "malformed");
}
