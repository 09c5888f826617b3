//! A read sees one moment, and gets in nobody's way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use usher_storage::{Storage, StorageError};

use crate::world::{Gate, Occupied, add, entries, fresh};

const COUNT: &str = "SELECT count(*) FROM entry";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_cannot_change_anything() {
    let (_world, storage) = fresh().await;
    let work = storage
        .read(|tx| Box::pin(async move { tx.execute("INSERT INTO entry (text) VALUES ('x')", &[]).await }));
    let result: Result<u64, StorageError> = work.await;
    assert!(matches!(result, Err(StorageError::Opaque(_))), "{result:?}");
    assert_eq!(entries(&storage).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_read_of_a_few_rows_leaves_the_connection_usable() {
    let (_world, storage) = fresh().await;
    add(&storage, "one").await.unwrap();
    for _ in 0..3 {
        let work = storage.read_few(|tx| {
            Box::pin(async move { tx.execute("INSERT INTO entry (text) VALUES ('x')", &[]).await })
        });
        let result: Result<u64, StorageError> = work.await;
        assert!(matches!(result, Err(StorageError::Opaque(_))), "{result:?}");
        let panicking =
            storage.read_few::<(), StorageError>(|_tx| Box::pin(async move { panic!("on purpose") }));
        let result = panicking.await;
        assert!(matches!(result, Err(StorageError::Panicked(_))), "{result:?}");
        let work =
            storage.read_few(|tx| Box::pin(async move { tx.query_one(COUNT, &[]).await?.get::<i64>(0) }));
        let count: Result<i64, StorageError> = work.await;
        assert_eq!(count.unwrap(), 1);
    }
}

/// How many entries a read of a few rows finds.
async fn few(storage: &Storage) -> i64 {
    let work = storage.read_few(|tx| Box::pin(async move { tx.query_one(COUNT, &[]).await?.get::<i64>(0) }));
    let count: Result<i64, StorageError> = work.await;
    count.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_of_a_few_rows_sees_what_was_acknowledged_although_others_read_all_the_time() {
    let (_world, storage) = fresh().await;
    let (done, over) = tokio::sync::watch::channel(false);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (storage, over) = (storage.clone(), over.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while !*over.borrow() {
                    let count = few(&storage).await;
                    assert!(count >= seen, "what was seen once stays");
                    seen = count;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for written in 1..=200 {
        add(&storage, "one").await.unwrap();
        assert_eq!(few(&storage).await, written);
    }
    done.send(true).unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_of_a_few_rows_sees_what_another_process_committed_five_milliseconds_ago() {
    let (world, storage) = fresh().await;
    let other = world.open().await;
    for written in 1..=20 {
        few(&storage).await;
        add(&other, "one").await.unwrap();
        let acknowledged = Instant::now();
        loop {
            let asked = acknowledged.elapsed();
            if few(&storage).await == written {
                break;
            }
            assert!(asked < Duration::from_millis(5), "{asked:?}");
        }
    }
}
