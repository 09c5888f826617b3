//! Many callers, and more than one process.

use std::collections::BTreeSet;
use std::time::Duration;

use usher_storage::{Storage, StorageConfig, StorageError};

use crate::world::{Occupied, World, add, entries, fresh, spawn_add};

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
    let (_world, storage) = fresh().await;
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
    assert!(stats.commits < stats.committed, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_storages_on_one_file_lose_nothing() {
    let world = World::new();
    let storages = [world.open().await, world.open().await];
    let acknowledged = add_many(&storages, 8, 20).await;
    for storage in &storages {
        let stored = entries(storage).await;
        assert_eq!(stored.len(), acknowledged.len());
        assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    }
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

#[tokio::test]
async fn waiting_for_another_process_is_bounded() {
    let world = World::new();
    let holder = world.open().await;
    let waiting = StorageConfig {
        busy_timeout: Duration::from_millis(50),
        ..world.config()
    };
    let waiting = Storage::open(waiting).await.unwrap();
    let occupied = Occupied::new(&holder).await;
    let error = add(&waiting, "refused").await.unwrap_err();
    assert!(matches!(error, StorageError::Busy), "{error:?}");
    occupied.release().await;
    add(&waiting, "accepted").await.unwrap();
    assert_eq!(entries(&holder).await, ["accepted"]);
}

#[tokio::test]
async fn a_unit_waits_for_another_process_to_finish() {
    let world = World::new();
    let (holder, waiting) = (world.open().await, world.open().await);
    let occupied = Occupied::new(&holder).await;
    let unit = spawn_add(&waiting, "patient");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!unit.is_finished());
    occupied.release().await;
    unit.await.unwrap().unwrap();
    assert_eq!(entries(&holder).await, ["patient"]);
}
