//! A unit happens as a whole or not at all, and what one does is no concern of its neighbours in a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use usher_storage::{Storage, StorageError, Tx, Work};
use uuid::Uuid;

use crate::world::{Occupied, entries, fresh, spawn_add};

/// An error of the caller's own, as an engine has.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no")]
    No,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Queues `odd` between two ordinary units of one batch, and returns its result. The neighbours must succeed.
pub(crate) async fn between<T, E>(
    storage: &Storage,
    odd: impl for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E> + Send + Sync + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StorageError> + Send + 'static,
{
    let occupied = Occupied::new(storage).await;
    let before = spawn_add(storage, "before");
    occupied.with_queued(1).await;
    let odd = tokio::spawn({
        let storage = storage.clone();
        async move { storage.write(odd).await }
    });
    occupied.with_queued(2).await;
    let after = spawn_add(storage, "after");
    occupied.with_queued(3).await;
    occupied.release().await;
    before.await.unwrap().unwrap();
    after.await.unwrap().unwrap();
    odd.await.unwrap()
}

/// All entries; in which order units beside each other are done is promised by nobody.
async fn sorted_entries(storage: &Storage) -> Vec<String> {
    let mut entries = entries(storage).await;
    entries.sort();
    entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_error_rolls_back_its_unit_alone() {
    let (world, storage) = fresh().await;
    let result: Result<(), Refusal> = between(&storage, |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO entry (text) VALUES ('undone')", &[])
                .await?;
            Err(Refusal::No)
        })
    })
    .await;
    assert!(matches!(result, Err(Refusal::No)), "{result:?}");
    assert_eq!(sorted_entries(&storage).await, ["after", "before"]);
    let stats = storage.stats();
    // On SQLite one commit for the unit that kept the writer busy, one for the others.
    let commits = world.choose(2, 3);
    assert_eq!(
        (stats.committed, stats.commits, stats.rolled_back),
        (3, commits, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_error_rolls_back_a_unit_without_neighbours() {
    let (_world, storage) = fresh().await;
    let result: Result<(), Refusal> = storage
        .write(|tx| {
            Box::pin(async move {
                tx.execute("INSERT INTO entry (text) VALUES ('undone')", &[])
                    .await?;
                Err(Refusal::No)
            })
        })
        .await;
    assert!(matches!(result, Err(Refusal::No)), "{result:?}");
    assert_eq!(entries(&storage).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_panic_rolls_back_its_unit_alone_and_the_storage_goes_on() {
    let (_world, storage) = fresh().await;
    let result: Result<(), Refusal> = between(&storage, |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO entry (text) VALUES ('undone')", &[])
                .await?;
            panic!("a defect")
        })
    })
    .await;
    let Err(Refusal::Storage(StorageError::Panicked(message))) = result else {
        panic!("{result:?}");
    };
    assert_eq!(message, "a defect");
    assert_eq!(sorted_entries(&storage).await, ["after", "before"]);
    spawn_add(&storage, "later").await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_panic_in_a_read_is_contained() {
    let (_world, storage) = fresh().await;
    for _ in 0..10 {
        let result: Result<(), StorageError> = storage
            .read(|_tx| Box::pin(async move { panic!("a defect") }))
            .await;
        assert!(matches!(result, Err(StorageError::Panicked(_))), "{result:?}");
    }
    assert_eq!(entries(&storage).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_that_ignores_a_failed_statement_is_rolled_back() {
    let (_world, storage) = fresh().await;
    let result: Result<(), StorageError> = between(&storage, |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO entry (text) VALUES ('undone')", &[])
                .await?;
            let door = "INSERT INTO door (room_id) VALUES ($1)";
            assert!(tx.execute(door, &[Uuid::nil().into()]).await.is_err());
            let repeated = tx
                .execute("INSERT INTO entry (text) VALUES ('too late')", &[])
                .await;
            assert!(matches!(repeated, Err(StorageError::ForeignKey)), "{repeated:?}");
            Ok(())
        })
    })
    .await;
    assert!(matches!(result, Err(StorageError::ForeignKey)), "{result:?}");
    assert_eq!(sorted_entries(&storage).await, ["after", "before"]);
}

/// A constraint that is checked at the commit fails the whole transaction. On SQLite its units run again one by one; on
/// PostgreSQL the unit runs again twice, because another one may have been in its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_commit_is_the_fault_of_its_unit_alone() {
    let (world, storage) = fresh().await;
    let runs = Arc::new(AtomicU64::new(0));
    let result = between(&storage, {
        let runs = Arc::clone(&runs);
        move |tx| {
            runs.fetch_add(1, Ordering::Relaxed);
            let promise = "INSERT INTO promise (room_id) VALUES ($1)";
            Box::pin(async move { tx.execute(promise, &[Uuid::nil().into()]).await })
        }
    })
    .await;
    let result: Result<u64, StorageError> = result;
    assert!(matches!(result, Err(StorageError::ForeignKey)), "{result:?}");
    assert_eq!(runs.load(Ordering::Relaxed), world.choose(2, 3));
    assert_eq!(sorted_entries(&storage).await, ["after", "before"]);
    let stats = storage.stats();
    assert_eq!((stats.committed, stats.rolled_back), (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_that_waits_for_something_else_fails_alone() {
    let (_world, storage) = fresh().await;
    let result: Result<(), StorageError> = between(&storage, |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO entry (text) VALUES ('undone')", &[])
                .await?;
            std::future::pending().await
        })
    })
    .await;
    assert!(matches!(result, Err(StorageError::Misuse(_))), "{result:?}");
    assert_eq!(sorted_entries(&storage).await, ["after", "before"]);
}
