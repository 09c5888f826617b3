//! Acknowledged means committed, and visible to everyone from then on.

use std::sync::Arc;

use usher_storage::StorageError;

use crate::world::{Gate, Occupied, add, entries, fresh, spawn_add, stand_at};

#[tokio::test]
async fn a_result_arrives_after_the_commit() {
    let (world, storage) = fresh().await;
    let other = world.open().await;
    for number in 0..20 {
        add(&storage, &number.to_string()).await.unwrap();
        assert_eq!(entries(&other).await.len(), number + 1);
    }
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
async fn a_read_sees_every_write_that_was_acknowledged_before_it() {
    let (_world, storage) = fresh().await;
    for number in 0..30 {
        add(&storage, &number.to_string()).await.unwrap();
        assert_eq!(entries(&storage).await.len(), number + 1);
    }
}

#[tokio::test]
async fn data_outlives_the_storage() {
    let (world, storage) = fresh().await;
    add(&storage, "kept").await.unwrap();
    storage.close().await;
    assert_eq!(entries(&world.open().await).await, ["kept"]);
}

/// The caller's future is dropped while the unit runs.
#[tokio::test]
async fn a_unit_that_has_begun_is_finished_although_nobody_waits() {
    let (_world, storage) = fresh().await;
    let (gate, news, key) = Gate::new();
    let caller = tokio::spawn({
        let storage = storage.clone();
        async move {
            let work = storage.write(move |tx| {
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    tx.execute("INSERT INTO entry (text) VALUES ('one')", &[]).await?;
                    gate.pass();
                    tx.execute("INSERT INTO entry (text) VALUES ('two')", &[]).await?;
                    Ok::<_, StorageError>(())
                })
            });
            work.await
        }
    });
    news.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    drop(key);
    add(&storage, "three").await.unwrap();
    assert_eq!(entries(&storage).await, ["one", "two", "three"]);
}

/// The caller's future is dropped while the unit is queued.
#[tokio::test]
async fn a_unit_that_nobody_waits_for_is_not_begun() {
    let (_world, storage) = fresh().await;
    let occupied = Occupied::new(&storage).await;
    let dropped = spawn_add(&storage, "dropped");
    occupied.with_queued(1).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    let kept = spawn_add(&storage, "kept");
    occupied.with_queued(2).await;
    occupied.release().await;
    kept.await.unwrap().unwrap();
    assert_eq!(entries(&storage).await, ["kept"]);
}
