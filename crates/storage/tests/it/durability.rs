//! Acknowledged means committed, and visible to everyone from then on.

use std::sync::Arc;

use usher_storage::StorageError;

use crate::world::{Gate, Occupied, add, entries, fresh, spawn_add};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_arrives_after_the_commit() {
    let (world, storage) = fresh().await;
    let other = world.open().await;
    for number in 0..20 {
        add(&storage, &number.to_string()).await.unwrap();
        assert_eq!(entries(&other).await.len(), number + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_sees_every_write_that_was_acknowledged_before_it() {
    let (_world, storage) = fresh().await;
    for number in 0..30 {
        add(&storage, &number.to_string()).await.unwrap();
        assert_eq!(entries(&storage).await.len(), number + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn data_outlives_the_storage() {
    let (world, storage) = fresh().await;
    add(&storage, "kept").await.unwrap();
    storage.close().await;
    assert_eq!(entries(&world.open().await).await, ["kept"]);
}

/// The caller's future is dropped while the unit is queued.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_that_nobody_waits_for_is_not_begun() {
    let (world, storage) = fresh().await;
    let occupied = Occupied::new(&storage).await;
    let dropped = spawn_add(&storage, "dropped");
    occupied.with_queued(1).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    let kept = spawn_add(&storage, "kept");
    // On SQLite the dropped one keeps its place in the queue.
    occupied.with_queued(world.choose(2, 1)).await;
    occupied.release().await;
    kept.await.unwrap().unwrap();
    assert_eq!(entries(&storage).await, ["kept"]);
}

/// The caller's future is dropped while the unit runs. SQLite runs it to its end, PostgreSQL undoes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_whose_caller_goes_away_is_whole_or_not_there() {
    let (world, storage) = fresh().await;
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
    drop(key);
    assert!(caller.await.unwrap_err().is_cancelled());
    add(&storage, "three").await.unwrap();
    let expected: &[&str] = world.choose(&["one", "two", "three"], &["three"]);
    assert_eq!(entries(&storage).await, expected);
}
