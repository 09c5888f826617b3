//! Many callers, and more than one process.

use std::collections::BTreeSet;
use std::time::Duration;

use usher_storage::{Storage, StorageConfig, StorageError};

use crate::world::{COUNT_UP, Occupied, World, add, entries, fresh};

/// Adds entries from many tasks at once and returns the texts of those that were acknowledged.
async fn add_many(storages: &[Storage], tasks: usize, each: usize) -> BTreeSet<String> {
    let adding: Vec<_> = (0..tasks)
        .map(|task| {
            let storage = storages[task % storages.len()].clone();
            tokio::spawn(async move {
                let mut done = Vec::new();
                for number in 0..each {
                    let text = format!("{task}.{number}");
                    add(&storage, &text).await.unwrap();
                    done.push(text);
                }
                done
            })
        })
        .collect();
    let mut acknowledged = BTreeSet::new();
    for task in adding {
        acknowledged.extend(task.await.unwrap());
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_none_is_lost() {
    let (world, storage) = fresh().await;
    let acknowledged = add_many(std::slice::from_ref(&storage), 64, 20).await;
    assert_eq!(acknowledged.len(), 64 * 20);
    let stored = entries(&storage).await;
    assert_eq!(stored.len(), acknowledged.len());
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    let stats = storage.stats();
    assert_eq!(
        (stats.committed, stats.rolled_back, stats.queued),
        (64 * 20, 0, 0)
    );
    if world.is_postgres() {
        assert_eq!(stats.commits, stats.committed);
    } else {
        assert!(stats.commits < stats.committed, "{stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_storages_on_one_database_lose_nothing() {
    let world = World::new();
    let storages = [world.open().await, world.open().await];
    let acknowledged = add_many(&storages, 8, 20).await;
    for storage in &storages {
        let stored = entries(storage).await;
        assert_eq!(stored.len(), acknowledged.len());
        assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    }
}

/// Changes what [`Occupied`] holds.
async fn count_up(storage: &Storage) -> Result<u64, StorageError> {
    storage
        .write(|tx| Box::pin(async move { tx.execute(COUNT_UP, &[]).await }))
        .await
}

async fn counted(storage: &Storage) -> i64 {
    let work = storage.read(|tx| {
        Box::pin(async move {
            let sql = "SELECT value FROM counter WHERE id = 1";
            tx.query_one(sql, &[]).await?.get::<i64>(0)
        })
    });
    let value: Result<i64, StorageError> = work.await;
    value.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn waiting_for_another_process_is_bounded() {
    let world = World::new();
    let holder = world.open().await;
    let waiting = StorageConfig {
        busy_timeout: Duration::from_millis(50),
        ..world.config()
    };
    let waiting = Storage::open(waiting).await.unwrap();
    let occupied = Occupied::new(&holder).await;
    let error = count_up(&waiting).await.unwrap_err();
    assert!(matches!(error, StorageError::Busy), "{error:?}");
    occupied.release().await;
    count_up(&waiting).await.unwrap();
    assert_eq!(counted(&holder).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_waits_for_another_process_to_finish() {
    let world = World::new();
    let (holder, waiting) = (world.open().await, world.open().await);
    let occupied = Occupied::new(&holder).await;
    let unit = tokio::spawn({
        let waiting = waiting.clone();
        async move { count_up(&waiting).await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!unit.is_finished());
    occupied.release().await;
    unit.await.unwrap().unwrap();
    assert_eq!(counted(&holder).await, 2);
}
