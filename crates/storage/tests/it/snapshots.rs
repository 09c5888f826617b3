//! A read sees one moment, and gets in nobody's way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use usher_storage::{Storage, StorageError};

use crate::world::{Gate, Occupied, add, entries, fresh, stand_at};

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

#[tokio::test]
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

/// Asks a future once.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
