//! What SQLite alone promises: one writer that commits in batches, and files.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use usher_storage::{Storage, StorageConfig, StorageError, Tx, Value, Work};

use crate::isolation::between;
use crate::world::{Gate, Occupied, World, add, entries, fresh, spawn_add, stand_at};

const COUNT: &str = "SELECT count(*) FROM entry";

#[tokio::test]
async fn the_log_is_folded_into_the_file() {
    let world = World::new();
    let storage = world.open().await;
    add(&storage, "kept").await.unwrap();
    assert_eq!(
        world.files(),
        ["usher.db", "usher.db-shm", "usher.db-wal", "usher.db.lock"]
    );
    storage.close().await;
    assert_eq!(world.files(), ["usher.db", "usher.db.lock"]);
}

/// More callers than the queue has places: they wait for one, and the runtime's thread is not blocked by it.
#[tokio::test]
async fn a_full_queue_holds_callers_back() {
    let (_world, storage) = fresh().await;
    let occupied = Occupied::new(&storage).await;
    let adding: Vec<_> = (0..1500).map(|_| spawn_add(&storage, "x")).collect();
    occupied.with_queued(1024).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(storage.stats().queued, 1024);
    occupied.release().await;
    for unit in adding {
        unit.await.unwrap().unwrap();
    }
    assert_eq!(entries(&storage).await.len(), 1500);
}

/// The first unit of a batch has run, the last one has not: none of the batch may be answered yet.
#[tokio::test]
async fn no_unit_of_a_batch_is_answered_before_all_of_it_is_committed() {
    let (_world, storage) = fresh().await;
    let occupied = Occupied::new(&storage).await;
    let first = spawn_add(&storage, "first");
    occupied.with_queued(1).await;
    let (gate, last_runs, key) = Gate::new();
    let last = tokio::spawn({
        let storage = storage.clone();
        async move { storage.write(move |tx| stand_at(tx, Arc::clone(&gate))).await }
    });
    occupied.with_queued(2).await;
    occupied.release().await;

    last_runs.await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!first.is_finished());
    assert_eq!(entries(&storage).await, Vec::<String>::new());

    drop(key);
    first.await.unwrap().unwrap();
    last.await.unwrap().unwrap();
    assert_eq!(entries(&storage).await, ["first"]);
}

#[tokio::test]
async fn units_that_queue_together_share_a_commit() {
    let (_world, storage) = fresh().await;
    let result = between(&storage, |tx| {
        Box::pin(async move { tx.execute("INSERT INTO entry (text) VALUES ('odd')", &[]).await })
    })
    .await;
    let changed: Result<u64, StorageError> = result;
    assert_eq!(changed.unwrap(), 1);
    assert_eq!(entries(&storage).await, ["before", "odd", "after"]);
    let stats = storage.stats();
    // One commit for the unit that kept the writer busy, one for the three.
    assert_eq!((stats.committed, stats.commits, stats.rolled_back), (4, 2, 0));
}

/// As SQLite does by itself when the disk is full.
#[tokio::test]
async fn a_transaction_that_is_lost_under_way_takes_no_neighbour_along() {
    let (_world, storage) = fresh().await;
    let result: Result<u64, StorageError> = between(&storage, |tx| {
        Box::pin(async move { tx.execute("ROLLBACK", &[]).await })
    })
    .await;
    assert!(matches!(result, Err(StorageError::Misuse(_))), "{result:?}");
    assert_eq!(entries(&storage).await, ["before", "after"]);
}

/// SQLite's own limit on the file's size stands in for the disk's.
#[tokio::test]
async fn a_unit_that_fills_the_disk_fails_alone() {
    let (_world, storage) = fresh().await;
    let limit = storage.write(|tx| {
        Box::pin(async move {
            tx.query("PRAGMA max_page_count = 60", &[]).await?;
            Ok(())
        })
    });
    let limited: Result<(), StorageError> = limit.await;
    limited.unwrap();
    let result = between(&storage, |tx| {
        let large = Value::from("x".repeat(1 << 20));
        Box::pin(async move { tx.execute("INSERT INTO entry (text) VALUES ($1)", &[large]).await })
    });
    let result: Result<u64, StorageError> = result.await;
    assert!(matches!(result, Err(StorageError::Full)), "{result:?}");
    assert_eq!(entries(&storage).await, ["before", "after"]);
}

#[tokio::test]
async fn every_connection_is_synchronous_and_checks_foreign_keys() {
    let (_world, storage) = fresh().await;
    let connections: Vec<_> = storage
        .pragmas()
        .iter()
        .map(|one| one.connection.as_str())
        .collect();
    assert_eq!(connections, ["writer", "reader 0", "reader 1"]);
    for connection in storage.pragmas() {
        let values: HashMap<_, _> = connection
            .values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(values["journal_mode"], "wal", "{connection:?}");
        assert_eq!(values["synchronous"], "2", "{connection:?}");
        assert_eq!(values["foreign_keys"], "1", "{connection:?}");
    }
}

/// Asks the connections themselves rather than the record of what they said.
#[tokio::test]
async fn the_settings_are_in_force_where_units_run() {
    fn ask<'t>(tx: &'t mut Tx<'_>) -> Work<'t, i64> {
        Box::pin(async move { tx.query_one("PRAGMA synchronous", &[]).await?.get(0) })
    }
    let (_world, storage) = fresh().await;
    assert_eq!(storage.write(|tx| ask(tx)).await.unwrap(), 2);
    assert_eq!(storage.read(|tx| ask(tx)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usher.db");
    std::fs::write(
        &path,
        "this is a letter, not a database, and long enough to be read as a header. ".repeat(20),
    )
    .unwrap();
    let error = Storage::open(StorageConfig::new(format!("sqlite:{}", path.display())))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
}

#[tokio::test]
async fn a_read_of_a_few_rows_runs_here_or_waits_for_a_reader() {
    let (_world, storage) = fresh().await;
    add(&storage, "one").await.unwrap();
    let count = |storage: Storage| async move {
        let work = storage.read_few(|tx| {
            Box::pin(async move {
                let count: i64 = tx.query_one(COUNT, &[]).await?.get(0)?;
                Ok::<_, StorageError>((count, std::thread::current().id()))
            })
        });
        work.await.unwrap()
    };
    assert_eq!(count(storage.clone()).await, (1, std::thread::current().id()));

    // Both readers of the test's storage are busy.
    let mut busy = Vec::new();
    for _ in 0..2 {
        let (gate, news, key) = Gate::new();
        let holder = tokio::spawn({
            let storage = storage.clone();
            async move { storage.read(move |tx| stand_at(tx, Arc::clone(&gate))).await }
        });
        news.await.unwrap();
        busy.push((key, holder));
    }
    let mut waiting = Box::pin(count(storage.clone()));
    // Nothing is done here, and nothing can be done elsewhere yet.
    assert!(poll_once(&mut waiting).is_pending());
    for (key, holder) in busy {
        drop(key);
        holder.await.unwrap().unwrap();
    }
    let (counted, thread) = waiting.await;
    assert_eq!(counted, 1);
    assert_ne!(thread, std::thread::current().id());
}

/// Asks a future once.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
