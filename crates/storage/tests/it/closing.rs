//! Closing finishes what was queued and lets go of the file.

use usher_storage::StorageError;

use crate::world::{Occupied, World, add, entries, fresh, spawn_add};

#[tokio::test]
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

#[tokio::test]
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
