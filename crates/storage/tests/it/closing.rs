//! Closing finishes what was queued and lets go of the database.

use usher_storage::StorageError;

use crate::world::{Occupied, add, entries, fresh, spawn_add};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_queued_is_finished() {
    let (world, storage) = fresh().await;
    let occupied = Occupied::new(&storage).await;
    let queued: Vec<_> = (0..10).map(|_| spawn_add(&storage, "queued")).collect();
    occupied.with_queued(10).await;
    let closing = tokio::spawn(storage.clone().close());
    occupied.release().await;
    closing.await.unwrap();
    for unit in queued {
        unit.await.unwrap().unwrap();
    }
    assert_eq!(entries(&world.open().await).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn units_after_closing_are_refused() {
    let (_world, storage) = fresh().await;
    storage.clone().close().await;
    storage.clone().close().await;
    let error = add(&storage, "late").await.unwrap_err();
    assert!(matches!(error, StorageError::Closed), "{error:?}");
    let read: Result<(), StorageError> = storage.read(|_tx| Box::pin(async move { Ok(()) })).await;
    assert!(matches!(read, Err(StorageError::Closed)), "{read:?}");
    let read: Result<(), StorageError> = storage.read_few(|_tx| Box::pin(async move { Ok(()) })).await;
    assert!(matches!(read, Err(StorageError::Closed)), "{read:?}");
}
