//! The feed never skips: a reader who goes on after the last event that it saw has seen every event before it.

use std::time::Duration;

use tokio::task::JoinSet;
use usher_core::{ChangeId, Timestamp};
use usher_storage::query::event::{self, NewChange, NewEvent};
use usher_storage::query::lock::{self, Footing};
use usher_storage::{Storage, StorageConfig, StorageError, Tx};
use usher_testpg::Place;
use uuid::Uuid;

use crate::world::World;

/// A client that appends an event as a unit does: its change first. The event's number.
struct Slow(tokio_postgres::Client);

impl Slow {
    async fn new(world: &World) -> Self {
        let Place::Database(database) = world.place() else {
            panic!("this is about PostgreSQL");
        };
        Self(database.connect().await.unwrap())
    }

    async fn say(&self, statement: &str) {
        self.0.batch_execute(statement).await.unwrap();
    }

    async fn begin(&self, change: u128) {
        let change = Uuid::from_u128(change);
        // As every unit of the engine that changes users and members does.
        self.say("BEGIN; SELECT pg_advisory_xact_lock_shared(1970496882, 1)")
            .await;
        let insert = "INSERT INTO change (id, at_us, actor_kind, actor) VALUES ($1, 1, 'usher', 'test')";
        self.0.execute(insert, &[&change]).await.unwrap();
    }

    async fn append(&self, change: u128) -> i64 {
        let change = Uuid::from_u128(change);
        let insert = "INSERT INTO event (change_id, kind, at_us, data) VALUES ($1, 'room.live', 1, '{}') RETURNING seq";
        self.0.query_one(insert, &[&change]).await.unwrap().get(0)
    }
}

async fn open(world: &World) -> Storage {
    let config = StorageConfig {
        busy_timeout: Duration::from_secs(60),
        connections: 6,
        ..StorageConfig::new(world.place().url())
    };
    Storage::open(config).await.unwrap()
}

async fn append(storage: &Storage, change: u128) {
    let work = storage.write(move |tx| Box::pin(append_in(tx, change)));
    let done: Result<(), StorageError> = work.await;
    done.unwrap();
}

async fn append_in(tx: &mut Tx<'_>, change: u128) -> Result<(), StorageError> {
    lock::enter(tx, Footing::Beside)?;
    let id = ChangeId::from_uuid(Uuid::from_u128(change));
    let at = Timestamp::from_micros(1);
    let change = NewChange {
        id,
        at,
        actor_kind: "usher",
        actor: "test",
        request_id: None,
        reason: None,
    };
    let event = NewEvent {
        change_id: id,
        kind: "room.live",
        at,
        source: None,
        room: None,
        person: None,
        membership: None,
        data: "{}".to_owned(),
    };
    event::append(tx, &change, vec![event.clone(), event]).await
}

/// What a reader gets who asks for events after a place.
async fn read(storage: &Storage, after: i64) -> Vec<i64> {
    event::publish(storage).await.unwrap();
    let work = storage.read(move |tx| {
        Box::pin(async move {
            let rows = event::after(tx, after, 1000).await?;
            let last = event::last(tx).await?;
            Ok((rows.iter().map(|row| row.seq).collect::<Vec<_>>(), last))
        })
    });
    let read: Result<_, StorageError> = work.await;
    let (rows, last) = read.unwrap();
    assert_eq!(rows.last().copied().unwrap_or(after).max(last), last, "{rows:?}");
    rows
}

#[tokio::test]
async fn what_is_committed_is_read_at_once_and_reading_again_writes_nothing() {
    let world = World::new();
    let storage = open(&world).await;
    assert_eq!(read(&storage, 0).await, Vec::<i64>::new());
    append(&storage, 1).await;
    let seen = read(&storage, 0).await;
    assert_eq!(seen.len(), 2);
    let before = storage.stats().committed;
    for _ in 0..5 {
        assert_eq!(read(&storage, 0).await, seen);
        assert_eq!(read(&storage, seen[1]).await, Vec::<i64>::new());
    }
    assert_eq!(storage.stats().committed, before);
}

#[tokio::test]
async fn an_event_that_is_committed_late_is_waited_for() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    append(&storage, 1).await;
    let before = read(&storage, 0).await;
    let slow = Slow::new(&world).await;
    slow.begin(2).await;
    let held = slow.append(2).await;
    for change in 3..6 {
        append(&storage, change).await;
        assert_eq!(read(&storage, before[1]).await, Vec::<i64>::new());
    }
    slow.say("COMMIT").await;
    let rest = read(&storage, before[1]).await;
    assert_eq!(rest[0], held);
    assert_eq!(rest.len(), 7);
    assert!(rest.is_sorted());
}

#[tokio::test]
async fn one_that_is_rolled_back_holds_nobody_up_for_ever() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    let slow = Slow::new(&world).await;
    slow.begin(1).await;
    let held = slow.append(1).await;
    append(&storage, 2).await;
    assert_eq!(read(&storage, 0).await, Vec::<i64>::new());
    slow.say("ROLLBACK").await;
    let all = read(&storage, 0).await;
    assert_eq!(all.len(), 2);
    assert!(all[0] > held);
}

/// A snapshot's end lies behind the newest transaction that is over, so that one that runs may lie beyond it.
#[tokio::test]
async fn a_transaction_that_began_last_is_waited_for_too() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    let (first, last) = (Slow::new(&world).await, Slow::new(&world).await);
    first.begin(1).await;
    last.begin(2).await;
    let held = last.append(2).await;
    let later = first.append(1).await;
    first.say("COMMIT").await;
    for _ in 0..3 {
        assert_eq!(read(&storage, 0).await, Vec::<i64>::new());
    }
    append(&storage, 3).await;
    assert_eq!(read(&storage, 0).await, Vec::<i64>::new());
    last.say("COMMIT").await;
    assert_eq!(read(&storage, 0).await[..2], [held, later]);
}

#[tokio::test]
async fn transactions_of_another_server_are_not_waited_for() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    append(&storage, 1).await;
    let seen = read(&storage, 0).await;
    append(&storage, 2).await;
    // As a dump holds it that was taken while units ran.
    let left = "UPDATE feed SET candidate_seq = published_seq + 1, waits_for = '900001/1 900002/7'";
    Slow::new(&world).await.say(left).await;
    assert_eq!(read(&storage, seen[1]).await.len(), 2);
}

#[tokio::test]
async fn units_of_other_databases_hold_nobody_up() {
    let (Some(world), Some(other)) = (World::on_postgres().await, World::on_postgres().await) else {
        return;
    };
    let (storage, _other) = (open(&world).await, open(&other).await);
    let slow = Slow::new(&other).await;
    slow.begin(1).await;
    slow.append(1).await;
    append(&storage, 2).await;
    assert_eq!(read(&storage, 0).await.len(), 2);
    slow.say("ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_many_writers_misses_nothing() {
    for world in [Some(World::new()), World::on_postgres().await]
        .into_iter()
        .flatten()
    {
        misses_nothing(&world).await;
    }
}

async fn misses_nothing(world: &World) {
    const WRITERS: u128 = 6;
    const EACH: u128 = 40;
    let storage = open(world).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let storage = storage.clone();
        writers.spawn(async move {
            for n in 0..EACH {
                append(&storage, 1 + writer * EACH + n).await;
            }
        });
    }
    let mut seen = Vec::new();
    while !writers.is_empty() {
        while writers.try_join_next().is_some_and(|done| done.is_ok()) {}
        seen.extend(read(&storage, seen.last().copied().unwrap_or(0)).await);
    }
    seen.extend(read(&storage, seen.last().copied().unwrap_or(0)).await);
    assert_eq!(seen.len() as u128, 2 * WRITERS * EACH);
    assert!(seen.is_sorted_by(|one, other| one < other));
    assert_eq!(seen, read(&storage, 0).await);
}
