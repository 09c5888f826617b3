//! How many things wait for a human, each counted up to a bound: for a page that costs the same however much waits.

use uuid::Uuid;

use crate::{SourceKey, StorageError, Tx, Value};

/// Orders under way.
pub async fn orders_under_way(tx: &mut Tx<'_>, most: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 AS one FROM room_order
           WHERE state NOT IN ('live', 'rejected', 'withdrawn') LIMIT $1) AS few",
        &[most.into()],
    )
    .await?
    .get(0)
}

/// Open holds.
pub async fn open_holds(tx: &mut Tx<'_>, most: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 AS one FROM hold WHERE state = 'open' LIMIT $1) AS few",
        &[most.into()],
    )
    .await?
    .get(0)
}

/// Restores that are suggested.
pub async fn suggested_restores(tx: &mut Tx<'_>, most: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 AS one FROM restore WHERE state = 'suggested' LIMIT $1) AS few",
        &[most.into()],
    )
    .await?
    .get(0)
}

/// Memberships that stay without their source.
pub async fn strays(tx: &mut Tx<'_>, most: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 AS one FROM membership
           WHERE active = 1 AND stray IS NOT NULL AND stray_since_us >= $1 LIMIT $2) AS few",
        &[0_i64.into(), most.into()],
    )
    .await?
    .get(0)
}

/// Rooms in use that nobody administers.
pub async fn rooms_without_administrator(tx: &mut Tx<'_>, most: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 AS one FROM room
           WHERE no_administrator_since_us IS NOT NULL AND state <> 'archived' LIMIT $1) AS few",
        &[most.into()],
    )
    .await?
    .get(0)
}

/// Live groups of a source that lead to no room.
pub async fn parked_groups(tx: &mut Tx<'_>, source: SourceKey, most: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 AS one FROM source_group g
           WHERE g.source_id = $1 AND g.gone_us IS NULL
             AND NOT EXISTS (SELECT 1 FROM mapping m WHERE m.group_id = g.id AND m.state = 'confirmed') LIMIT $2) AS few",
        &[source.into(), most.into()],
    )
    .await?
    .get(0)
}

/// People who wait at the doors of rooms.
pub async fn parked_people(tx: &mut Tx<'_>, most: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 AS one FROM parked WHERE person_id > $1 LIMIT $2) AS few",
        &[Value::Uuid(Uuid::nil()), most.into()],
    )
    .await?
    .get(0)
}
