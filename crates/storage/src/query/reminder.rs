//! What comes to its end soon, so that people are told while they can still act.

use std::time::Duration;

use usher_core::{HoldId, Timestamp, TokenId};

use crate::{StorageError, Tx, Value};

/// When people are told that a token ends, before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// The first time: so long before the end, or a quarter of the token's life where that is shorter.
    pub first: Duration,
    /// The second time.
    pub last: Duration,
}

/// Open holds that are applied by themselves after `now` and no later than `until`, and that nobody was told of.
pub async fn holds(
    tx: &mut Tx<'_>,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<HoldId>, StorageError> {
    tx.query(
        "SELECT h.id FROM hold h JOIN room r ON r.id = h.room_id
         WHERE h.state = 'open' AND h.due_us IS NOT NULL AND h.due_us > $1 AND h.due_us <= $2 AND h.told_us IS NULL
           AND r.state <> 'archived'
         ORDER BY h.due_us LIMIT $3",
        &[now.into(), until.into(), limit.into()],
    )
    .await?
    .iter()
    .map(|row| row.get(0))
    .collect()
}

/// Writes down that people were told of a hold; `false` when they were before.
pub async fn told_of_hold(tx: &mut Tx<'_>, id: HoldId, now: Timestamp) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE hold SET told_us = $2 WHERE id = $1 AND state = 'open' AND told_us IS NULL",
            &[id.into(), now.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// Tokens that end soon and that nobody was told of, or not since the second time came.
pub async fn tokens(
    tx: &mut Tx<'_>,
    now: Timestamp,
    notice: Notice,
    limit: u32,
) -> Result<Vec<TokenId>, StorageError> {
    let micros = |period: Duration| Value::Int(i64::try_from(period.as_micros()).unwrap_or(i64::MAX));
    tx.query(
        "SELECT t.id FROM token t
         WHERE t.revoked_us IS NULL AND t.expires_us IS NOT NULL AND t.expires_us > $1
           AND ((t.told_us IS NULL AND t.expires_us - $1 <= $2 AND (t.expires_us - $1) * 4 <= t.expires_us - t.created_us)
             OR (t.told_us IS NOT NULL AND t.expires_us - $1 <= $3 AND t.told_us < t.expires_us - $3))
         ORDER BY t.expires_us, t.id LIMIT $4",
        &[now.into(), micros(notice.first), micros(notice.last), limit.into()],
    )
    .await?
    .iter()
    .map(|row| row.get(0))
    .collect()
}

/// Writes down that people were told of a token; `false` when somebody else did at the same time, or it was revoked.
pub async fn told_of_token(
    tx: &mut Tx<'_>,
    id: TokenId,
    now: Timestamp,
    notice: Notice,
) -> Result<bool, StorageError> {
    if !tokens(tx, now, notice, u32::MAX).await?.contains(&id) {
        return Ok(false);
    }
    tx.execute(
        "UPDATE token SET told_us = $2 WHERE id = $1",
        &[id.into(), now.into()],
    )
    .await?;
    Ok(true)
}
