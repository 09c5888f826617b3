//! Several nodes, and one that dies in the middle.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use usher_server::webhook::Progress;
use usher_storage::StorageError;

use super::receiver::Receiver;
use super::{Hook, add, deliver, deliverer, feed, world};
use crate::api::Api;
use crate::world::{World, eventually};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn nodes_that_deliver_at_the_same_time_deliver_once() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    for n in 0..20 {
        world.user(&format!("u{n}")).await;
    }
    let nodes: Vec<_> = (0..4).map(|_| deliverer(&world)).collect();
    let turns = nodes.iter().map(|node| node.turn(hook.id));
    let made = join_all(turns)
        .await
        .into_iter()
        .filter(|turn| matches!(turn, Ok(Progress::Made)))
        .count();
    assert!(made >= 1);
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), feed(&api, "directory.user.created", None).await);
}

#[tokio::test]
async fn what_a_node_left_in_the_middle_is_taken_over_when_its_claim_ran_out() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    world.user("ada").await;
    world.user("ben").await;
    receiver.hold();
    let node = deliverer(&world);
    let dying = tokio::spawn({
        let id = hook.id;
        async move { node.turn(id).await }
    });
    eventually("a delivery under way", LONG, async || {
        (receiver.received().len() == 1).then_some(())
    })
    .await;
    dying.abort();
    assert!(dying.await.is_err(), "the node was cut off in the middle");
    receiver.release();

    let other = deliverer(&world);
    let turn = other.turn(hook.id).await.expect("a database");
    assert_eq!(turn, Progress::Nothing, "the claim of the other node holds");
    world.clock.advance(LONG);
    deliver(&world, &hook).await;
    // The first one may have been taken, and comes again under its own id.
    let ids: Vec<_> = receiver
        .received()
        .iter()
        .map(|one| one.headers["webhook-id"].clone())
        .collect();
    assert_eq!((ids.len(), &ids[0]), (3, &ids[1]));
    assert_eq!(
        receiver.taken()[1..],
        feed(&api, "directory.user.created", None).await
    );
}

#[tokio::test]
async fn an_endpoint_is_kept_for_as_long_as_a_delivery_takes() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    world.user("ada").await;
    receiver.hold();
    let node = deliverer(&world);
    let slow = tokio::spawn({
        let id = hook.id;
        async move { node.turn(id).await }
    });
    eventually("a delivery under way", LONG, async || {
        (receiver.received().len() == 1).then_some(())
    })
    .await;
    let taken_until = claimed_until(&world, &hook).await;
    world.clock.advance(Duration::from_secs(10));
    eventually("the endpoint to be kept", LONG, async || {
        (claimed_until(&world, &hook).await > taken_until).then_some(())
    })
    .await;
    world.clock.advance(Duration::from_secs(10));
    assert!(world.engine.now().as_micros() > taken_until);
    let turn = deliverer(&world).turn(hook.id).await.expect("a database");
    assert_eq!(turn, Progress::Nothing, "the first node has it still");
    receiver.release();
    let turn = slow.await.expect("no panic").expect("a database");
    assert_eq!(turn, Progress::Made);
    assert_eq!(receiver.taken(), feed(&api, "directory.user.created", None).await);
}

/// Until when a node has taken an endpoint.
async fn claimed_until(world: &World, hook: &Hook) -> i64 {
    const UNTIL: &str = "SELECT claimed_until_us FROM webhook WHERE id = $1";
    let id = hook.id;
    let work = world
        .engine
        .storage()
        .read(move |tx| Box::pin(async move { tx.query_one(UNTIL, &[id.into()]).await?.get(0) }));
    let until: Result<Option<i64>, StorageError> = work.await;
    until.expect("a database").expect("it is taken")
}

#[tokio::test]
async fn a_node_that_was_overtaken_writes_nothing_down() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    world.user("ada").await;
    receiver.answer(|_| (500, None));
    receiver.hold();
    let node = deliverer(&world);
    let slow = tokio::spawn({
        let id = hook.id;
        async move { node.turn(id).await }
    });
    eventually("a delivery under way", LONG, async || {
        (receiver.received().len() == 1).then_some(())
    })
    .await;
    receiver.answer(|_| (200, None));
    world.clock.advance(LONG);
    let other = deliverer(&world);
    let quick = tokio::spawn({
        let id = hook.id;
        async move { other.turn(id).await }
    });
    eventually("the other node's delivery", LONG, async || {
        (receiver.received().len() == 2).then_some(())
    })
    .await;
    receiver.release();
    assert_eq!(
        quick.await.expect("no panic").expect("a database"),
        Progress::Made
    );
    slow.await.expect("no panic").expect("a database");
    let shown = api.get(&hook.path).await.expect(200).body;
    assert_eq!(
        (&shown["delivered"], &shown["waiting"], &shown["failing_since"]),
        (&json!(1), &json!(0), &json!(null))
    );
}
