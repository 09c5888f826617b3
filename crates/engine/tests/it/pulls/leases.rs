//! Several processes on one database: one of them reads a source, and one that was asleep writes nothing when it wakes.

use std::error::Error as _;
use std::sync::Arc;

use usher_core::{AdapterError, PullCause, PullRunState};
use usher_engine::EngineError;
use usher_engine::pull::{ReadEnd, Target};
use usher_storage::query::pull_run::{self, PullCounts, PullRunRow};

use super::*;

/// Another process on the same database.
fn another(world: &World) -> Engine {
    let clock = Arc::clone(&world.clock) as Arc<dyn usher_core::Clock>;
    Engine::new(world.engine.storage().clone(), clock)
}

fn cause() -> Cause {
    Cause::new(Actor::Usher("reads".into()))
}

async fn runs(world: &World) -> Vec<PullRunRow> {
    let source = world.source;
    world
        .read(move |tx| Box::pin(async move { Ok(pull_run::page(tx, source, None, 100).await?) }))
        .await
}

fn is_lost(error: &AdapterError) -> bool {
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<EngineError>());
    matches!(source, Some(EngineError::LeaseLost))
}

#[tokio::test]
async fn one_process_at_a_time_holds_a_lease() {
    let world = World::new().await;
    Reads::new(&world, "pull").await;
    let other = another(&world);
    let first = lease(&world, &world.engine).await.expect("nobody holds it");
    assert_eq!(lease(&world, &other).await, None);
    assert_eq!(
        lease(&world, &world.engine).await,
        None,
        "nor twice in one process"
    );
    world.engine.renew_lease(first).await.unwrap();
    world.engine.give_lease_back(first, cause()).await.unwrap();
    let second = lease(&world, &other).await.expect("it was given back");
    assert_ne!(first, second);
    assert!(matches!(
        world.engine.renew_lease(first).await,
        Err(EngineError::LeaseLost)
    ));
    // Giving back what is lost takes nothing from anybody.
    world.engine.give_lease_back(first, cause()).await.unwrap();
    other.renew_lease(second).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_is_taken_over() {
    let world = World::new().await;
    Reads::new(&world, "pull").await;
    let other = another(&world);
    let first = lease(&world, &world.engine).await.expect("nobody holds it");
    expire(&world).await;
    // Until somebody else takes it, it is held still.
    world.engine.renew_lease(first).await.unwrap();
    assert_eq!(lease(&world, &other).await, None);
    expire(&world).await;
    assert!(lease(&world, &other).await.is_some());
    assert!(matches!(
        world.engine.renew_lease(first).await,
        Err(EngineError::LeaseLost)
    ));
}

#[tokio::test]
async fn a_process_that_slept_between_two_pages_writes_nothing_when_it_wakes() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna"]).await;
    expire(&world).await;
    let old = lease(&world, &world.engine).await.expect("it expired");
    let mut asleep = reads.begin_with(old).await;
    asleep.take(vec![board()]).await.unwrap();
    asleep.take([seen("anna"), seen("carl")].concat()).await.unwrap();

    expire(&world).await;
    let other = another(&world);
    let new = lease(&world, &other).await.expect("it expired");
    let mut session = reads.begin_with(new).await;
    for page in [
        vec![board()],
        [seen("ben"), seen("dora")].concat(),
        vec![complete()],
    ] {
        session.take(page).await.unwrap();
    }
    session.finish(checkpoint("new")).await.unwrap();
    assert_eq!(inside(&world, room).await, ["ben", "dora"]);

    let error = asleep.take(vec![complete()]).await.unwrap_err();
    assert!(is_lost(&error), "{error:?}");
    let error = asleep.finish(checkpoint("old")).await.unwrap_err();
    assert!(matches!(error, EngineError::LeaseLost), "{error}");
    assert_eq!(inside(&world, room).await, ["ben", "dora"]);
    let source = world.source;
    let state = world
        .read(move |tx| Box::pin(async move { Ok(pull_run::state(tx, source).await?) }))
        .await;
    assert_eq!(state.checkpoint.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_sweep_of_a_process_that_slept_ends_nobody() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna", "ben"]).await;
    expire(&world).await;
    let old = lease(&world, &world.engine).await.expect("it expired");
    let mut asleep = reads.begin_with(old).await;
    asleep.take(vec![board()]).await.unwrap();
    asleep.take(seen("anna").to_vec()).await.unwrap();
    asleep.take(vec![complete()]).await.unwrap();
    // What is left to do is to judge who was not seen.
    expire(&world).await;
    lease(&world, &another(&world)).await.expect("it expired");
    let error = asleep.finish(checkpoint("old")).await.unwrap_err();
    assert!(matches!(error, EngineError::LeaseLost), "{error}");
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
}

#[tokio::test]
async fn who_takes_over_begins_the_read_again_from_the_old_checkpoint() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    reads.room_of(&["anna"]).await;
    let session = reads.begin().await;
    session.finish(checkpoint("old")).await.unwrap();
    expire(&world).await;
    let (source, other) = (world.source, another(&world));
    let full = world
        .hand(move |unit| {
            let target = Target::All { full: true };
            Box::pin(async move { unit.ask_read(source, &target, PullCause::ByHand, None).await })
        })
        .await
        .unwrap();
    let first = world.engine.next_read(source, cause()).await.unwrap();
    let first = first.expect("it was asked for");
    assert_eq!(first.run.id, full.id);
    assert!(
        other.next_read(source, cause()).await.unwrap().is_none(),
        "it is being read"
    );

    expire(&world).await;
    world.wait(1);
    let second = other.next_read(source, cause()).await.unwrap();
    let second = second.expect("nobody holds it");
    assert_eq!(second.target, first.target);
    let states: Vec<_> = runs(&world)
        .await
        .iter()
        .map(|run| (run.state, run.cause, run.node))
        .collect();
    assert_eq!(
        states,
        [
            (PullRunState::Running, PullCause::Restart, Some(other.node())),
            (
                PullRunState::Abandoned,
                PullCause::ByHand,
                Some(world.engine.node())
            ),
        ]
    );
    let end = ReadEnd::Done {
        counts: PullCounts::default(),
        not_seen: Vec::new(),
        again: None,
        next: (SETTLE, SETTLE),
    };
    let late = end_read(&world.engine, first, end.clone()).await;
    assert!(matches!(late, Err(EngineError::LeaseLost)), "{late:?}");
    end_read(&other, second, end).await.unwrap();
    assert_eq!(runs(&world).await[0].state, PullRunState::Done);
    assert!(
        world.engine.next_read(source, cause()).await.unwrap().is_none(),
        "nothing is due"
    );
    // With its end, the lease is free at once.
    assert!(lease(&world, &world.engine).await.is_some());
}

#[tokio::test]
async fn who_stops_in_the_middle_leaves_the_read_to_others_at_once() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    reads.room_of(&["anna"]).await;
    expire(&world).await;
    let (source, other) = (world.source, another(&world));
    let first = world.engine.next_read(source, cause()).await.unwrap();
    let first = first.expect("nothing was ever read to its end");
    world.wait(1);
    world.engine.give_lease_back(first.lease, cause()).await.unwrap();
    assert_eq!(runs(&world).await[1].state, PullRunState::Abandoned);
    let second = other.next_read(source, cause()).await.unwrap();
    assert_eq!(second.expect("it waits").target, first.target);
}

async fn end_read(
    engine: &Engine,
    begun: usher_engine::pull::BegunRead,
    end: ReadEnd,
) -> Result<(), EngineError> {
    engine
        .write(cause(), move |unit| {
            let (begun, end) = (begun.clone(), end.clone());
            Box::pin(async move { unit.end_read(&begun, &end).await })
        })
        .await
}

fn complete() -> DirectoryChange {
    DirectoryChange::GroupMembersComplete {
        group: group("board"),
        confirmed: true,
    }
}
