//! What arrives, and how it is signed.

use serde_json::json;
use standardwebhooks::Webhook;

use super::receiver::{Receiver, seq};
use super::{Board, DAY, add, deliver, feed, world};
use crate::api::Api;

#[tokio::test]
async fn a_receiver_gets_each_event_once_as_it_is_in_the_feed() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({})).await;
    let start = feed(&api, "webhook.created", None).await[0];
    world.user("ada").await;
    world.user("ben").await;
    deliver(&world, &hook).await;
    deliver(&world, &hook).await;

    let events = api
        .get(&format!("/events?limit=1000&after={}", start - 1))
        .await
        .expect(200);
    let received = receiver.received();
    let bodies: Vec<_> = received.iter().map(|one| one.event.clone()).collect();
    assert_eq!(&bodies, events.items());
    for one in &received {
        assert_eq!(
            one.headers["content-type"],
            "application/cloudevents+json; charset=utf-8"
        );
        let id = one.headers["webhook-id"].to_str().expect("text");
        let change = one.event["change"].as_str().expect("a change").replace('-', "");
        assert_eq!(id, format!("evt_{}_{change}", seq(&one.event)));
    }
    let shown = api.get(&hook.path).await.expect(200).body;
    assert_eq!(shown["delivered"], received.len());
    assert_eq!(shown["behind"], 0);
}

#[tokio::test]
async fn the_reference_implementation_signs_alike() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    world.user("ada").await;
    deliver(&world, &hook).await;

    let rotated = api
        .post(&format!("{}/rotate", hook.path), &json!({}))
        .await
        .expect(200);
    let second = rotated.body["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(rotated.body["secrets"].as_array().map(Vec::len), Some(2));
    world.user("ben").await;
    deliver(&world, &hook).await;
    world.clock.advance(DAY);
    world.user("cleo").await;
    deliver(&world, &hook).await;

    let received = receiver.received();
    let signers: [&[&str]; 3] = [&[&hook.secret], &[&second, &hook.secret], &[&second]];
    assert_eq!(received.len(), signers.len());
    for (one, secrets) in received.iter().zip(signers) {
        let id = one.headers["webhook-id"].to_str().expect("text");
        let at = one.headers["webhook-timestamp"].to_str().expect("text");
        let expected: Vec<_> = secrets
            .iter()
            .map(|secret| {
                let webhook = Webhook::new(secret).expect("a secret");
                let at = at.parse().expect("seconds");
                webhook.sign(id, at, &one.body).expect("a signature")
            })
            .collect();
        let signatures = one.headers["webhook-signature"].to_str().expect("text");
        assert_eq!(signatures, expected.join(" "));
    }
}

#[tokio::test]
async fn filters_leave_out_what_is_not_wanted() {
    let world = world().await;
    let api = Api::admin(&world).await;
    let (board, council) = (Board::new(&api, "Board").await, Board::new(&api, "Council").await);
    let receivers = [
        Receiver::new().await,
        Receiver::new().await,
        Receiver::new().await,
        Receiver::new().await,
    ];
    let words = add(
        &api,
        &receivers[0],
        &json!({ "events": ["usher.membership.started"] }),
    )
    .await;
    let rooms = json!({ "rooms": ["Council"], "events": ["membership.*"] });
    let rooms = add(&api, &receivers[1], &rooms).await;
    let sources = add(&api, &receivers[2], &json!({ "sources": ["other"] })).await;
    let portal = add(&api, &receivers[3], &json!({ "role": "app" })).await;
    board.join(&world, "ada").await;
    council.join(&world, "ben").await;
    for hook in [&words, &rooms, &sources, &portal] {
        deliver(&world, hook).await;
    }

    let all = feed(&api, "membership.started", None).await;
    let started = &all[all.len() - 2..];
    assert_eq!(receivers[0].taken(), started);
    assert_eq!(receivers[1].taken(), started[1..]);
    assert_eq!(receivers[2].taken(), Vec::<i64>::new());
    let kinds: Vec<_> = receivers[3]
        .received()
        .into_iter()
        .map(|one| one.event["type"].clone())
        .collect();
    assert!(
        kinds.iter().any(|kind| kind == "usher.membership.started"),
        "{kinds:?}"
    );
    assert!(
        kinds.iter().all(|kind| {
            let kind = kind.as_str().unwrap_or_default();
            ["usher.membership.", "usher.room.", "usher.grant."]
                .iter()
                .any(|front| kind.starts_with(front))
        }),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_feed_longer_than_a_window_arrives_whole() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.user.created"] })).await;
    for n in 0..300 {
        world.user(&format!("u{n}")).await;
    }
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), feed(&api, "directory.user.created", None).await);
}
