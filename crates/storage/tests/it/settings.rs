//! The settings that durability rests on, on every connection.

use std::collections::HashMap;

use usher_storage::{StorageError, Tx, Work};

use crate::world::fresh;

#[tokio::test]
async fn every_connection_is_synchronous_and_checks_foreign_keys() {
    let (_world, storage) = fresh().await;
    let connections: Vec<_> = storage
        .pragmas()
        .iter()
        .map(|one| one.connection.as_str())
        .collect();
    assert_eq!(connections, ["writer", "reader 0", "reader 1"]);
    for connection in storage.pragmas() {
        let values: HashMap<_, _> = connection
            .values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(values["journal_mode"], "wal", "{connection:?}");
        assert_eq!(values["synchronous"], "2", "{connection:?}");
        assert_eq!(values["foreign_keys"], "1", "{connection:?}");
    }
}

/// Asks the connections themselves rather than the record of what they said.
#[tokio::test]
async fn the_settings_are_in_force_where_units_run() {
    fn ask<'t>(tx: &'t mut Tx<'_>) -> Work<'t, i64> {
        Box::pin(async move { tx.query_one("PRAGMA synchronous", &[]).await?.get(0) })
    }
    let (_world, storage) = fresh().await;
    assert_eq!(storage.write(|tx| ask(tx)).await.unwrap(), 2);
    assert_eq!(storage.read(|tx| ask(tx)).await.unwrap(), 2);
}

#[tokio::test]
async fn statements_are_counted() {
    let (_world, storage) = fresh().await;
    let before = storage.stats();
    let work = storage.write(|tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO entry (text) VALUES ('x')", &[]).await?;
            tx.query("SELECT id FROM entry", &[]).await?;
            Ok(tx.statements())
        })
    });
    let counted: Result<u64, StorageError> = work.await;
    assert_eq!(counted.unwrap(), 2);
    let after = storage.stats();
    assert_eq!(after.statements - before.statements, 2);
    assert_eq!(after.committed - before.committed, 1);
}
