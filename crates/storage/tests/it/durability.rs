//! Acknowledged means committed.

use crate::world::{add, entries, fresh};

#[tokio::test]
async fn a_result_arrives_after_the_commit() {
    let (world, storage) = fresh().await;
    let other = world.open().await;
    for number in 0..20 {
        add(&storage, &number.to_string()).await.unwrap();
        assert_eq!(entries(&other).await.len(), number + 1);
    }
}
