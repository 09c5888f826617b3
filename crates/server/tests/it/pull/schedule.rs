//! When a source is read, and what a stop in the middle leaves behind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use usher_core::ReadScope;
use usher_engine::{Actor, Cause};

use super::stub::Gate;
use super::{Readable, SOON};
use crate::api::Api;
use crate::world::eventually;

#[tokio::test]
async fn a_source_is_read_when_it_is_due_by_changes_and_daily_as_a_whole() {
    let hr = Readable::new("schedule", "pull").await;
    hr.script.group("board", &["ada", "bob"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com", "bob@contoso.com"])
        .await;
    // The confirmed mapping asked for a read of its group, and the schedule for one of everything.
    hr.expect_runs(2).await;
    assert!(hr.runs().await.iter().all(|run| run["state"] == "done"));
    let full = |run: &serde_json::Value| (run["scope"].clone(), run["full"].clone());
    let runs = hr.runs().await;
    assert!(
        runs.iter().any(|run| full(run) == (json!("all"), json!(true))),
        "{runs:#?}"
    );

    hr.script.group("board", &["ada"]);
    hr.world.clock.advance(Duration::from_secs(301));
    hr.expect_people("Board", &["ada@contoso.com"]).await;
    hr.expect_runs(3).await;
    assert_eq!(full(&hr.runs().await[0]), (json!("all"), json!(false)));
    assert!(
        hr.script
            .reads()
            .last()
            .is_some_and(|read| read.checkpoint.is_some())
    );

    hr.world.clock.advance(Duration::from_secs(24 * 3600));
    eventually("a complete read", SOON, async || {
        (full(&hr.runs().await[0]) == (json!("all"), json!(true))).then_some(())
    })
    .await;
    jobs.stop().await;
    let source = hr.source().await;
    assert!(
        source["pull"]["degraded"].is_null() && source["pull"]["failures"] == 0,
        "{source:#}"
    );
}

#[tokio::test]
async fn a_read_that_a_stop_interrupts_is_repeated_and_ends_nobody() {
    let hr = Readable::new("stop", "pull").await;
    hr.script.group("board", &["ada", "bob"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com", "bob@contoso.com"])
        .await;
    hr.expect_runs(2).await;
    jobs.stop().await;

    let gate = Arc::new(Gate::default());
    *hr.script.gate.lock().expect("no panic") = Some(Arc::clone(&gate));
    hr.script.group("board", &["bob"]);
    hr.world.clock.advance(Duration::from_secs(400));
    let jobs = hr.serve();
    gate.reached.notified().await;
    jobs.stop().await;
    assert_eq!(hr.people("Board").await.len(), 2, "nothing was complete");
    let runs = hr.runs().await;
    assert!(runs.iter().any(|run| run["state"] == "abandoned"), "{runs:#?}");
    assert!(
        runs.iter()
            .any(|run| run["state"] == "waiting" && run["cause"] == "restart"),
        "{runs:#?}"
    );

    *hr.script.gate.lock().expect("no panic") = None;
    let jobs = hr.serve();
    hr.expect_people("Board", &["bob@contoso.com"]).await;
    jobs.stop().await;
}

#[tokio::test]
async fn a_read_that_a_dead_process_left_is_taken_up() {
    let hr = Readable::new("dead", "pull").await;
    hr.script.group("board", &["ada"]);
    hr.room("Board", "board").await;
    let key = hr.key().await;
    let begun = hr
        .world
        .engine
        .next_read(key, Cause::new(Actor::Usher("a dead process".into())));
    let begun = begun.await.expect("a database").expect("a read is due");
    hr.expire().await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com"]).await;
    jobs.stop().await;
    let runs = hr.runs().await;
    let left = runs.iter().find(|run| run["id"] == begun.run.id.to_string());
    assert_eq!(left.map(|run| run["state"].clone()), Some(json!("abandoned")));
}

#[tokio::test]
async fn a_process_that_slept_through_the_end_of_its_lease_writes_nothing() {
    let hr = Readable::new("asleep", "pull").await;
    hr.script.group("board", &["ada", "bob"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com", "bob@contoso.com"])
        .await;
    hr.expect_runs(2).await;

    // It has read that Ada is gone, and sleeps before it says so.
    let gate = Arc::new(Gate::default());
    *hr.script.gate.lock().expect("no panic") = Some(Arc::clone(&gate));
    hr.script.group("board", &["bob"]);
    hr.world.clock.advance(Duration::from_secs(400));
    gate.reached.notified().await;
    *hr.script.gate.lock().expect("no panic") = None;
    let (other, lease) = hr.taken_over().await;
    // By now she is back, and the process wakes.
    hr.script.group("board", &["ada", "bob"]);
    gate.open.notify_one();
    let runs = hr.runs().await;
    // Both were asked for at the same moment, and are in any order.
    let states: BTreeSet<_> = runs[..2]
        .iter()
        .map(|run| (run["state"].as_str(), run["cause"].as_str()))
        .collect();
    let expected = [("abandoned", "schedule"), ("waiting", "restart")];
    let expected = expected.map(|(state, cause)| (Some(state), Some(cause)));
    assert_eq!(states, BTreeSet::from(expected), "{runs:#?}");

    other
        .give_lease_back(lease, Cause::new(Actor::Usher("reads".into())))
        .await
        .expect("a database");
    hr.expect_runs(4).await;
    jobs.stop().await;
    assert_eq!(hr.people("Board").await.len(), 2);
    let api = Api::admin(&hr.world).await;
    let events = api.events().await;
    let ended = events.iter().any(|event| {
        event["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("membership.ended"))
    });
    assert!(!ended, "nobody left the room for a moment");
}

#[tokio::test]
async fn a_human_asks_for_one_group_or_one_person() {
    let hr = Readable::new("sync", "pull").await;
    hr.script.group("board", &["ada", "bob"]);
    hr.script.group("staff", &["ada"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com", "bob@contoso.com"])
        .await;

    hr.expect_runs(2).await;
    hr.script.group("board", &["bob", "cyd"]);
    let run = hr.sync(&json!({ "person": "ada@contoso.com" })).await;
    assert_eq!(
        (&run["state"], &run["targets"]),
        (&json!("done"), &json!(["ada"])),
        "{run:#}"
    );
    assert_eq!(hr.people("Board").await, ["bob@contoso.com"]);
    assert!(matches!(
        hr.script.reads().last().map(|read| read.scope.clone()),
        Some(ReadScope::Person { .. })
    ));

    let run = hr.sync(&json!({ "group": "board", "reason": "they wait" })).await;
    assert_eq!(
        (&run["cause"], &run["counts"]["added"]),
        (&json!("by_hand"), &json!(1)),
        "{run:#}"
    );
    assert_eq!(run["actor"], "admin");
    assert_eq!(hr.people("Board").await, ["bob@contoso.com", "cyd@contoso.com"]);

    let run = hr.sync(&json!({ "full": true })).await;
    assert_eq!(
        (&run["scope"], &run["full"]),
        (&json!("all"), &json!(true)),
        "{run:#}"
    );
    jobs.stop().await;
    assert!(hr.script.calls.load(Ordering::Relaxed) > 3);
}
