//! What the clock asks for.

use std::sync::Arc;

use usher_core::Reactivation;
use usher_engine::{Engine, EventKind, Policy};
use usher_storage::query;

use crate::orders::{fields, rules};
use crate::world::{World, policy};

const DAY: u64 = 24 * 3600;

#[tokio::test]
async fn a_bootstrap_membership_that_is_overdue_is_told_daily_and_ends_nothing() {
    let world = World::with(rules()).await;
    let (order, room) = world.ready_order(fields("Board")).await;
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 0);
    world.wait(15 * DAY);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 1);
    assert_eq!(
        world.engine.run_due(10).await.unwrap().units,
        0,
        "once a day is enough"
    );
    world.wait(DAY);
    world.engine.run_due(10).await.unwrap();
    let alerts = world.events(EventKind::OrderAlert).await;
    assert_eq!(alerts.len(), 2);
    assert!(alerts[0].data.contains("bootstrap_overdue"));
    assert_eq!(world.inside(room).await.len(), 1);
    assert!(world.status(order).await.bootstrap_overdue);
}

#[tokio::test]
async fn rows_of_a_long_inactive_account_are_distrusted_under_restore() {
    let mut rules = policy();
    let source = rules.sources.values_mut().next().unwrap();
    assert_eq!(source.reactivation, Reactivation::Restore);
    source.dormant_after_days = 90;
    let world = World::with(rules).await;
    let room = world.room("Board").await;
    let (anna, bob) = (world.user("anna").await, world.user("bob").await);
    let group = world.group("Board", &[anna, bob]).await;
    world.map(group, room).await;
    world.set_active(anna, false).await;
    world.set_active(bob, false).await;
    world.wait(89 * DAY);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 0);
    world.set_active(bob, true).await;
    world.wait(2 * DAY);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 1);
    assert_eq!(world.events(EventKind::MembersDormant).await.len(), 1);
    world.set_active(anna, true).await;
    assert!(world.member(room, anna.person).await.is_none(), "fail closed");
    assert!(world.member(room, bob.person).await.is_some());
    world.add(group, &[anna]).await;
    assert!(world.member(room, anna.person).await.is_some());
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 0);
}

#[tokio::test]
async fn a_hold_that_nobody_decided_is_applied_when_its_time_has_come() {
    let mut rules = policy();
    rules.brake.enabled = true;
    rules.brake.endings = 1;
    let world = World::with(rules).await;
    let room = world.room("Board").await;
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(world.user(&format!("user{n}")).await);
    }
    let group = world.group("Board", &people).await;
    world.map(group, room).await;
    world.remove(group, &people[..4]).await;
    assert_eq!(world.inside(room).await.len(), 6);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 0);
    world.wait(4 * 3600);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 1);
    assert_eq!(world.inside(room).await.len(), 2);
}

#[tokio::test]
async fn a_live_room_counts_arrivals_no_longer_once_nobody_waits() {
    let world = World::with(Policy { ..rules() }).await;
    let room = world.room_for("Board", Some(1)).await;
    let people = [world.user("a").await, world.user("b").await];
    let group = world.group("Board", &people).await;
    world.map(group, room).await;
    assert_eq!(world.inside(room).await.len(), 1);
    assert_eq!(
        world.engine.run_due(10).await.unwrap().units,
        0,
        "somebody waits for an approval"
    );
    world.remove(group, &people).await;
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 1);
    assert_eq!(world.room_row(room).await.arrival_limit, None);
    let jobs = world
        .read(|tx| {
            Box::pin(async move {
                let end = usher_core::Timestamp::from_micros(i64::MAX);
                Ok(query::job::due(tx, end, 10).await?)
            })
        })
        .await;
    assert!(jobs.is_empty());
}

#[tokio::test]
async fn a_job_that_fails_holds_up_nothing_else_and_is_tried_again() {
    let world = World::with(rules()).await;
    let (order, _) = world.ready_order(fields("Board")).await;
    world.wait(15 * DAY);
    world
        .hand(|unit| {
            let now = unit.now();
            Box::pin(async move {
                let state = "{\"task\":\"of another version\"}".to_owned();
                Ok(query::job::put(unit.tx(), "settle_group", "x", state, now).await?)
            })
        })
        .await
        .unwrap();
    let work = world.engine.run_due(10).await.unwrap();
    assert_eq!((work.units, work.failed, work.more), (1, 1, false));
    assert!(world.status(order).await.bootstrap_overdue);
    assert_eq!(world.engine.run_due(10).await.unwrap().failed, 0, "it rests");
    world.wait(60);
    assert_eq!(world.engine.run_due(10).await.unwrap().failed, 1);
}

#[tokio::test]
async fn several_processes_do_what_is_due_once() {
    let world = World::with(rules()).await;
    for name in ["Board", "Audit", "Staff"] {
        let mut order = fields(name);
        order.room_name = name.into();
        world.ready_order(order).await;
    }
    world.wait(15 * DAY);
    let nodes: Vec<Engine> = (0..3)
        .map(|_| {
            let clock = Arc::clone(&world.clock) as Arc<dyn usher_core::Clock>;
            Engine::new(world.engine.storage().clone(), clock)
        })
        .collect();
    let done = futures_util::future::join_all(nodes.iter().map(|node| node.run_due(10))).await;
    let units: u32 = done.iter().map(|work| work.as_ref().unwrap().units).sum();
    assert_eq!(units, 3, "{done:?}");
    assert_eq!(world.events(EventKind::OrderAlert).await.len(), 3);
}

#[tokio::test]
async fn looking_for_what_is_due_writes_nothing() {
    let world = World::with(rules()).await;
    world.ready_order(fields("Board")).await;
    let before = world.engine.storage().stats();
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 0);
    let after = world.engine.storage().stats();
    assert_eq!((before.rows, before.committed), (after.rows, after.committed));
}

#[tokio::test]
async fn people_are_told_once_of_a_hold_that_is_soon_applied() {
    let mut rules = policy();
    rules.brake.enabled = true;
    rules.brake.endings = 1;
    rules.brake.hold_for_secs = 4 * 3600;
    let world = World::with(rules).await;
    let room = world.room("Board").await;
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(world.user(&format!("user{n}")).await);
    }
    let group = world.group("Board", &people).await;
    world.map(group, room).await;
    world.remove(group, &people[..4]).await;
    world.wait(3 * 3600 - 1);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 0);
    world.wait(1);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 1);
    assert_eq!(world.engine.run_due(10).await.unwrap().units, 0, "once is enough");
    let told = world.events(EventKind::HoldDueSoon).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].room, Some(room));
    assert_eq!(world.inside(room).await.len(), 6);
}

#[tokio::test]
async fn people_are_told_twice_of_a_token_that_ends() {
    let world = World::with(policy()).await;
    world.token("provisioning", Some(60 * DAY)).await;
    world.token("for one day", Some(DAY)).await;
    world.token("for ever", None).await;
    let told = async || {
        world.engine.run_due(10).await.unwrap();
        let events = world.events(EventKind::TokenExpiring).await;
        events
            .iter()
            .map(|event| event.data.contains("provisioning"))
            .collect::<Vec<_>>()
    };
    assert!(told().await.is_empty(), "a short life is no reason");
    world.wait(DAY * 3 / 4);
    assert_eq!(told().await, [false], "a quarter of a day is left");
    world.wait(46 * DAY - DAY * 3 / 4);
    assert_eq!(told().await, [false, true]);
    assert_eq!(told().await.len(), 2);
    world.wait(11 * DAY);
    assert_eq!(told().await, [false, true, true]);
    world.wait(2 * DAY);
    assert_eq!(told().await.len(), 3);
    world.wait(2 * DAY);
    assert_eq!(told().await.len(), 3, "it is over");
}
