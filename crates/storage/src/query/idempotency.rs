//! Answers to writes that a client may repeat under the same key.

use usher_core::Timestamp;
use uuid::Uuid;

use crate::{StorageError, Tx};

/// The answer that a key got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// SHA-256 of the request that was answered.
    pub digest: Vec<u8>,
    /// The status of the answer.
    pub status: u16,
    /// The JSON of the answer; empty when it had no body.
    pub body: String,
}

/// The answer that a caller's key got after a moment. The column that names the caller is called after tokens, whose keys came
/// first.
pub async fn find(
    tx: &mut Tx<'_>,
    caller: Uuid,
    key: &str,
    after: Timestamp,
) -> Result<Option<AnswerRow>, StorageError> {
    let row = tx
        .query_opt(
            "SELECT digest, status, body FROM idempotency WHERE token_id = $1 AND key = $2 AND at_us > $3",
            &[caller.into(), key.into(), after.into()],
        )
        .await?;
    row.map(|row| {
        Ok(AnswerRow {
            digest: row.get(0)?,
            status: u16::try_from(row.get::<i64>(1)?).unwrap_or(u16::MAX),
            body: row.get(2)?,
        })
    })
    .transpose()
}

/// Keeps an answer, in place of an older one of the same key.
pub async fn keep(
    tx: &mut Tx<'_>,
    caller: Uuid,
    key: &str,
    answer: &AnswerRow,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO idempotency (token_id, key, digest, status, body, at_us) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (token_id, key) DO UPDATE SET digest = excluded.digest, status = excluded.status,
            body = excluded.body, at_us = excluded.at_us",
        &[
            caller.into(),
            key.into(),
            answer.digest.as_slice().into(),
            answer.status.into(),
            answer.body.as_str().into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Forgets answers that were given before a moment.
pub async fn forget(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), StorageError> {
    tx.execute("DELETE FROM idempotency WHERE at_us < $1", &[before.into()])
        .await?;
    Ok(())
}
