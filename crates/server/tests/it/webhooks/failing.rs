//! Receivers that refuse, vanish, ask for time or are gone.

use std::time::Duration;

use serde_json::json;

use super::receiver::Receiver;
use super::{Board, DAY, add, deliver, feed, world};
use crate::api::Api;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn later_events_of_a_room_wait_for_an_earlier_one_and_other_rooms_do_not() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let (board, council) = (Board::new(&api, "Board").await, Board::new(&api, "Council").await);
    let hook = add(&api, &receiver, &json!({ "events": ["membership.started"] })).await;
    let refused = board.room.clone();
    receiver.answer(move |event| {
        (
            if event["room"] == refused.as_str() {
                500
            } else {
                200
            },
            None,
        )
    });
    for person in ["ada", "ben", "cleo"] {
        board.join(&world, person).await;
        council.join(&world, person).await;
        deliver(&world, &hook).await;
    }
    let of_council: Vec<_> = feed(&api, "membership.started", Some(&council.room))
        .await
        .split_off(1);
    let of_board: Vec<_> = feed(&api, "membership.started", Some(&board.room))
        .await
        .split_off(1);
    assert_eq!(receiver.taken(), of_council);
    let tried = receiver.received().iter().filter(|one| one.status == 500).count();
    assert_eq!(tried, 1, "only the first event of the room was tried");
    let waiting = api.get(&format!("{}/deliveries", hook.path)).await.expect(200);
    let waits: Vec<i64> = waiting
        .items()
        .iter()
        .map(|one| one["event"].as_str().expect("an id").parse().expect("a number"))
        .collect();
    assert_eq!(waits, of_board);
    assert_eq!(
        waiting.items()[0]["error"],
        "the receiver answered 500 Internal Server Error"
    );
    assert_eq!(api.get(&hook.path).await.expect(200).body["waiting"], 3);

    receiver.forget();
    receiver.answer(|_| (200, None));
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), Vec::<i64>::new(), "it is not time yet");
    world.clock.advance(MINUTE);
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), of_board);
    let waiting = api.get(&format!("{}/deliveries", hook.path)).await.expect(200);
    assert_eq!(waiting.items().len(), 0);
}

#[tokio::test]
async fn while_nobody_is_there_nothing_piles_up_and_afterwards_all_arrives_in_order() {
    let world = world().await;
    let api = Api::admin(&world).await;
    let board = Board::new(&api, "Board").await;
    let receiver = Receiver::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let nowhere = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let hook = add(
        &api,
        &receiver,
        &json!({ "events": ["membership.*"], "url": nowhere }),
    )
    .await;
    for person in ["ada", "ben", "cleo"] {
        board.join(&world, person).await;
        deliver(&world, &hook).await;
    }
    let shown = api.get(&hook.path).await.expect(200).body;
    assert_eq!(shown["waiting"], 0, "{shown}");
    assert!(
        shown["failing_since"].is_string() && shown["next_attempt"].is_string(),
        "{shown}"
    );
    let error = shown["last_error"].as_str().expect("an error");
    assert!(error.starts_with("cannot connect"), "{error}");

    let moved = json!({ "url": receiver.url() });
    api.call("PATCH", &hook.path, Some(&moved), &[]).await.expect(200);
    world.clock.advance(MINUTE);
    deliver(&world, &hook).await;
    let all = feed(&api, "membership.started", Some(&board.room)).await;
    assert_eq!(receiver.taken(), all[all.len() - 3..]);
    assert!(api.get(&hook.path).await.expect(200).body["failing_since"].is_null());
}

#[tokio::test]
async fn what_one_room_never_gets_through_is_given_up_after_days_and_kept() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let (board, council) = (Board::new(&api, "Board").await, Board::new(&api, "Council").await);
    let hook = add(&api, &receiver, &json!({ "events": ["membership.started"] })).await;
    let refused = board.room.clone();
    receiver.answer(move |event| {
        (
            if event["room"] == refused.as_str() {
                422
            } else {
                200
            },
            None,
        )
    });
    board.join(&world, "ada").await;
    board.join(&world, "ben").await;
    council.join(&world, "early").await;
    deliver(&world, &hook).await;
    for day in 0..6 {
        world.clock.advance(DAY);
        council.join(&world, &format!("late{day}")).await;
        deliver(&world, &hook).await;
    }
    let dead = api
        .get(&format!("{}/deliveries?dead=true", hook.path))
        .await
        .expect(200);
    let of_board = feed(&api, "membership.started", Some(&board.room))
        .await
        .split_off(1);
    let events: Vec<i64> = dead
        .items()
        .iter()
        .map(|one| one["event"].as_str().expect("an id").parse().expect("a number"))
        .collect();
    assert_eq!(events, of_board);
    let first = &dead.items()[0];
    assert_eq!(first["state"], "dead");
    assert_eq!(first["error"], "the receiver answered 422 Unprocessable Entity");
    assert_eq!(api.get(&hook.path).await.expect(200).body["state"], "active");

    receiver.forget();
    receiver.answer(|_| (200, None));
    let again = json!({ "dead": true });
    let again = api
        .post(&format!("{}/replay", hook.path), &again)
        .await
        .expect(200);
    assert_eq!(again.body["events"], 2);
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), of_board);
    assert_eq!(api.get(&hook.path).await.expect(200).body["dead"], 0);
}

#[tokio::test]
async fn an_endpoint_that_takes_nothing_for_days_is_disabled_with_an_event_and_loses_nothing() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    receiver.answer(|_| (500, None));
    world.user("ada").await;
    deliver(&world, &hook).await;
    for _ in 0..12 {
        world.clock.advance(DAY / 2);
        deliver(&world, &hook).await;
    }
    let shown = api.get(&hook.path).await.expect(200).body;
    assert_eq!(
        (&shown["state"], &shown["state_reason"]),
        (&json!("disabled"), &json!("failing"))
    );
    assert_eq!(feed(&api, "webhook.disabled", None).await.len(), 1);

    let tried = receiver.received().len();
    world.user("ben").await;
    world.clock.advance(DAY);
    deliver(&world, &hook).await;
    assert_eq!(
        receiver.received().len(),
        tried,
        "a disabled endpoint is left alone"
    );

    receiver.answer(|_| (200, None));
    api.post(&format!("{}/resume", hook.path), &json!({}))
        .await
        .expect(200);
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), feed(&api, "directory.user.created", None).await);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_at_once() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    receiver.answer(|_| (410, None));
    world.user("ada").await;
    deliver(&world, &hook).await;
    let shown = api.get(&hook.path).await.expect(200).body;
    assert_eq!(
        (&shown["state"], &shown["state_reason"]),
        (&json!("disabled"), &json!("gone"))
    );
    assert_eq!(feed(&api, "webhook.disabled", None).await.len(), 1);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "events": ["directory.*"] })).await;
    receiver.answer(|_| (429, Some("3600")));
    world.user("ada").await;
    deliver(&world, &hook).await;
    receiver.answer(|_| (200, None));
    world.user("ben").await;
    world.clock.advance(Duration::from_secs(3590));
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), Vec::<i64>::new());
    world.clock.advance(Duration::from_secs(11));
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), feed(&api, "directory.user.created", None).await);
}

#[tokio::test]
async fn many_rooms_refused_at_once_rest_as_one() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let mut boards = Vec::new();
    for name in ["Board", "Council", "Audit"] {
        boards.push(Board::new(&api, name).await);
    }
    let hook = add(&api, &receiver, &json!({ "events": ["membership.started"] })).await;
    receiver.answer(|_| (503, None));
    for board in &boards {
        board.join(&world, "ada").await;
    }
    deliver(&world, &hook).await;
    let shown = api.get(&hook.path).await.expect(200).body;
    assert_eq!(
        (&shown["waiting"], receiver.received().len()),
        (&json!(0), 3),
        "{shown}"
    );
    receiver.answer(|_| (200, None));
    world.clock.advance(MINUTE);
    deliver(&world, &hook).await;
    let mut taken = receiver.taken();
    taken.sort_unstable();
    let all = feed(&api, "membership.started", None).await;
    assert_eq!(taken, all[all.len() - 3..]);
}
