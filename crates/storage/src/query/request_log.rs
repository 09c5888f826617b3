//! Requests that identity providers sent lately. Written in batches beside the requests, and forgotten when there are many.

use usher_core::Timestamp;

use crate::{Row, SourceKey, StorageError, Tx, Value};

/// A request of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Its place; 0 before it is written.
    pub id: i64,
    /// The source.
    pub source: SourceKey,
    /// When it was answered.
    pub at: Timestamp,
    /// The id that it has in logs and in the events that it caused.
    pub request_id: String,
    /// How the client calls itself.
    pub caller: String,
    /// The method.
    pub method: String,
    /// The path below the source's root, without its query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// How long it took, in microseconds.
    pub micros: i64,
    /// How many requests that were done are left out before it.
    pub skipped: i64,
    /// Why it was refused, without addresses and names.
    pub reason: Option<String>,
}

/// Writes requests down.
pub async fn append(tx: &mut Tx<'_>, requests: &[RequestRow]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 10]> = requests
        .iter()
        .map(|one| {
            [
                one.source.into(),
                one.at.into(),
                one.request_id.as_str().into(),
                one.caller.as_str().into(),
                one.method.as_str().into(),
                one.path.as_str().into(),
                one.status.into(),
                one.micros.into(),
                one.skipped.into(),
                one.reason.as_deref().into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO request_log (source_id, at_us, request_id, caller, method, path, status, micros, skipped, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &rows,
    )
    .await?;
    Ok(())
}

/// Forgets all requests of a source but the newest.
pub async fn forget(tx: &mut Tx<'_>, source: SourceKey, kept: i64) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM request_log WHERE source_id = $1 AND id <= (SELECT r.id FROM request_log r
             WHERE r.source_id = $1 ORDER BY r.id DESC LIMIT 1 OFFSET $2)",
        &[source.into(), kept.into()],
    )
    .await?;
    Ok(())
}

/// Requests of a source before one of them, the newest first: all of them, or those that were refused.
pub async fn page(
    tx: &mut Tx<'_>,
    source: SourceKey,
    is_refused: bool,
    before: i64,
    limit: u32,
) -> Result<Vec<RequestRow>, StorageError> {
    let sql = match is_refused {
        false => {
            "SELECT r.id, r.source_id, r.at_us, r.request_id, r.caller, r.method, r.path, r.status, r.micros, r.skipped,
                    r.reason
             FROM request_log r WHERE r.source_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3"
        }
        true => {
            "SELECT r.id, r.source_id, r.at_us, r.request_id, r.caller, r.method, r.path, r.status, r.micros, r.skipped,
                    r.reason
             FROM request_log r WHERE r.source_id = $1 AND r.id < $2 AND r.status >= 400 ORDER BY r.id DESC LIMIT $3"
        }
    };
    let rows = tx
        .query(sql, &[source.into(), before.into(), limit.into()])
        .await?;
    rows.iter().map(request_row).collect()
}

fn request_row(row: &Row) -> Result<RequestRow, StorageError> {
    let status: i64 = row.get(7)?;
    Ok(RequestRow {
        id: row.get(0)?,
        source: row.get(1)?,
        at: row.get(2)?,
        request_id: row.get(3)?,
        caller: row.get(4)?,
        method: row.get(5)?,
        path: row.get(6)?,
        status: u16::try_from(status).unwrap_or_default(),
        micros: row.get(8)?,
        skipped: row.get(9)?,
        reason: row.get(10)?,
    })
}
