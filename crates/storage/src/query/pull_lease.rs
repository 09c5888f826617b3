//! Which process reads a source, and until when. The time is the database's own where processes may run on several machines;
//! where the database is a file of this machine, it is this machine's.

use std::time::Duration;

use usher_core::{NodeId, Timestamp};

use crate::{SourceKey, StorageError, Tx, Value};

/// A lease that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldLease {
    /// Who.
    pub owner: NodeId,
    /// How often the lease was taken until then.
    pub fence: i64,
}

/// Takes the lease of a source for so long, if nobody holds it; answers the fence. Waits for a unit of the holder before
/// that still runs.
pub async fn take(
    tx: &mut Tx<'_>,
    source: SourceKey,
    owner: NodeId,
    (now, term): (Timestamp, Duration),
) -> Result<Option<i64>, StorageError> {
    let row = tx
        .query_opt(
            "INSERT INTO pull_lease (source_id, owner, fence, until_us)
             VALUES ($1, $2, 1, /*pg coalesce(clock_us(), */$3/*pg )*/ + $4)
             ON CONFLICT (source_id) DO UPDATE SET owner = excluded.owner, fence = pull_lease.fence + 1,
               until_us = excluded.until_us
             WHERE pull_lease.owner IS NULL OR pull_lease.until_us <= /*pg coalesce(clock_us(), */$3/*pg )*/
             RETURNING fence",
            &[source.into(), owner.into(), now.into(), micros(term)],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Who holds the lease of a source now.
pub async fn held(
    tx: &mut Tx<'_>,
    source: SourceKey,
    now: Timestamp,
) -> Result<Option<HeldLease>, StorageError> {
    let row = tx
        .query_opt(
            "SELECT owner, fence FROM pull_lease
             WHERE source_id = $1 AND owner IS NOT NULL AND until_us > /*pg coalesce(clock_us(), */$2/*pg )*/",
            &[source.into(), now.into()],
        )
        .await?;
    row.map(|row| {
        Ok(HeldLease {
            owner: row.get(0)?,
            fence: row.get(1)?,
        })
    })
    .transpose()
}

/// Whether nobody took the lease of a source since this owner took it with this fence. Whoever takes it waits until this
/// unit ends.
pub async fn is_held_by(
    tx: &mut Tx<'_>,
    source: SourceKey,
    (owner, fence): (NodeId, i64),
) -> Result<bool, StorageError> {
    let row = tx
        .query_opt(
            "SELECT 1 FROM pull_lease WHERE source_id = $1 AND owner = $2 AND fence = $3 /*pg FOR SHARE*/",
            &[source.into(), owner.into(), fence.into()],
        )
        .await?;
    Ok(row.is_some())
}

/// Lets an owner hold the lease of a source for so long from now on; answers whether it held it still.
pub async fn renew(
    tx: &mut Tx<'_>,
    source: SourceKey,
    (owner, fence): (NodeId, i64),
    (now, term): (Timestamp, Duration),
) -> Result<bool, StorageError> {
    let rows = tx
        .execute(
            "UPDATE pull_lease SET until_us = /*pg coalesce(clock_us(), */$4/*pg )*/ + $5
             WHERE source_id = $1 AND owner = $2 AND fence = $3",
            &[
                source.into(),
                owner.into(),
                fence.into(),
                now.into(),
                micros(term),
            ],
        )
        .await?;
    Ok(rows > 0)
}

/// Gives the lease of a source back; nothing when somebody else took it.
pub async fn give_back(
    tx: &mut Tx<'_>,
    source: SourceKey,
    (owner, fence): (NodeId, i64),
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE pull_lease SET owner = NULL, until_us = 0 WHERE source_id = $1 AND owner = $2 AND fence = $3",
        &[source.into(), owner.into(), fence.into()],
    )
    .await?;
    Ok(())
}

fn micros(term: Duration) -> Value {
    Value::Int(i64::try_from(term.as_micros()).unwrap_or(i64::MAX))
}
