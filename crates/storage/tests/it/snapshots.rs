//! A read sees one moment, and gets in nobody's way.

use std::sync::Arc;

use usher_storage::{Storage, StorageError};

use crate::world::{Gate, Occupied, add, entries, fresh};

const COUNT: &str = "SELECT count(*) FROM entry";

#[tokio::test]
async fn a_read_sees_one_snapshot_and_holds_up_no_writer() {
    let (_world, storage) = fresh().await;
    add(&storage, "one").await.unwrap();
    let (gate, news, key) = Gate::new();
    let read = tokio::spawn({
        let storage = storage.clone();
        async move {
            let work = storage.read(move |tx| {
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    let first: i64 = tx.query_one(COUNT, &[]).await?.get(0)?;
                    gate.pass();
                    let second: i64 = tx.query_one(COUNT, &[]).await?.get(0)?;
                    Ok::<_, StorageError>((first, second))
                })
            });
            work.await
        }
    });
    news.await.unwrap();
    add(&storage, "two").await.unwrap();
    assert_eq!(entries(&storage).await.len(), 2);
    drop(key);
    assert_eq!(read.await.unwrap().unwrap(), (1, 1));
}

#[tokio::test]
async fn a_write_under_way_is_invisible_and_holds_up_no_read() {
    let (_world, storage) = fresh().await;
    let (gate, news, key) = Gate::new();
    let write = tokio::spawn({
        let storage = storage.clone();
        async move {
            let work = storage.write(move |tx| {
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    tx.execute("INSERT INTO entry (text) VALUES ('one')", &[]).await?;
                    gate.pass();
                    Ok::<_, StorageError>(())
                })
            });
            work.await
        }
    });
    news.await.unwrap();
    assert_eq!(entries(&storage).await, Vec::<String>::new());
    drop(key);
    write.await.unwrap().unwrap();
    assert_eq!(entries(&storage).await, ["one"]);
}

#[tokio::test]
async fn a_unit_sees_its_own_changes_and_those_of_its_batch() {
    let (_world, storage) = fresh().await;
    let add_and_count = |storage: Storage| async move {
        let work = storage.write(|tx| {
            Box::pin(async move {
                tx.execute("INSERT INTO entry (text) VALUES ('x')", &[]).await?;
                tx.query_one(COUNT, &[]).await?.get::<i64>(0)
            })
        });
        let count: Result<i64, StorageError> = work.await;
        count.unwrap()
    };
    let occupied = Occupied::new(&storage).await;
    let first = tokio::spawn(add_and_count(storage.clone()));
    occupied.with_queued(1).await;
    let second = tokio::spawn(add_and_count(storage.clone()));
    occupied.with_queued(2).await;
    occupied.release().await;
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
}

#[tokio::test]
async fn a_read_cannot_change_anything() {
    let (_world, storage) = fresh().await;
    let work = storage
        .read(|tx| Box::pin(async move { tx.execute("INSERT INTO entry (text) VALUES ('x')", &[]).await }));
    let result: Result<u64, StorageError> = work.await;
    assert!(matches!(result, Err(StorageError::Opaque(_))), "{result:?}");
    assert_eq!(entries(&storage).await, Vec::<String>::new());
}
