//! What is counted.

use usher_storage::StorageError;

use crate::world::fresh;

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
