//! Delivering again, by id and by time.

use std::time::Duration;

use serde_json::json;

use super::receiver::Receiver;
use super::{add, deliver, feed, world};
use crate::api::Api;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn events_are_delivered_again_by_id_under_the_ids_they_had() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    for name in ["ada", "ben", "cleo"] {
        world.user(name).await;
    }
    deliver(&world, &hook).await;
    let before = receiver.received();
    receiver.forget();
    let all = feed(&api, "directory.user.created", None).await;
    let again = json!({ "events": [all[2].to_string(), all[0].to_string()] });
    let done = api
        .post(&format!("{}/replay", hook.path), &again)
        .await
        .expect(200);
    assert_eq!(done.body["events"], 2);
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), [all[0], all[2]]);
    for (one, earlier) in receiver.received().iter().zip([&before[0], &before[2]]) {
        assert_eq!(one.headers["webhook-id"], earlier.headers["webhook-id"]);
        assert_eq!(one.body, earlier.body);
    }
}

#[tokio::test]
async fn a_range_of_time_is_delivered_again_as_far_as_the_filter_lets_it_pass() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    for n in 0..5 {
        world.user(&format!("u{n}")).await;
        world.clock.advance(HOUR);
    }
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    deliver(&world, &hook).await;
    assert_eq!(
        receiver.taken(),
        Vec::<i64>::new(),
        "an endpoint hears of what comes after it"
    );
    let range = json!({ "since": "2026-02-01T09:30:00Z", "before": "2026-02-01T12:30:00Z" });
    let done = api
        .post(&format!("{}/replay", hook.path), &range)
        .await
        .expect(200);
    assert_eq!(done.body["events"], 3);
    deliver(&world, &hook).await;
    let all = feed(&api, "directory.user.created", None).await;
    assert_eq!(receiver.taken(), all[1..4]);
    assert_eq!(feed(&api, "webhook.replayed", None).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_delivered_again_is_refused() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "role": "app" })).await;
    world.user("ada").await;
    let hidden = feed(&api, "directory.user.created", None).await[0].to_string();
    for body in [
        json!({}),
        json!({ "events": ["1"], "dead": true }),
        json!({ "events": ["999999"] }),
        json!({ "events": ["x"] }),
        json!({ "events": [hidden] }),
        json!({ "before": "2026-02-01T12:30:00Z", "dead": true }),
    ] {
        let answer = api.post(&format!("{}/replay", hook.path), &body).await;
        assert_eq!(answer.refused(422, "invalid").body["field"], "events", "{body}");
    }
}
