//! Sources.

use usher_core::{SourceState, Timestamp};

use crate::{Later, Row, SourceKey, StorageError, Tx};

/// A source.
#[derive(Debug, Clone)]
pub struct SourceRow {
    /// What other rows point to.
    pub key: SourceKey,
    /// The configured name.
    pub name: String,
    /// The kind of its adapter.
    pub kind: String,
    /// Push, pull or both.
    pub mode: String,
    /// Whether it is listened to.
    pub state: SourceState,
    /// The provider's tenant or organisation, pinned at first use.
    pub tenant: Option<String>,
    /// When it was first configured.
    pub first_seen: Timestamp,
}

const ALL: &str = "SELECT id, name, kind, mode, state, tenant, first_seen_us FROM source ORDER BY name";

/// Every source, configured or not, by name.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<SourceRow>, StorageError> {
    tx.query(ALL, &[]).await?.iter().map(source_row).collect()
}

/// The source with a name.
pub async fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<SourceRow>, StorageError> {
    let row = tx
        .query_opt(
            "SELECT id, name, kind, mode, state, tenant, first_seen_us FROM source WHERE name = $1",
            &[name.into()],
        )
        .await?;
    row.as_ref().map(source_row).transpose()
}

/// The source of a row.
pub async fn by_key(tx: &mut Tx<'_>, key: SourceKey) -> Result<Option<SourceRow>, StorageError> {
    let asked = by_key_later(tx, key).await?;
    Ok(tx.rows(asked).await?.pop())
}

/// As [`by_key`], for later: one source, or none.
pub async fn by_key_later(tx: &mut Tx<'_>, key: SourceKey) -> Result<Later<SourceRow>, StorageError> {
    tx.query_later(
        "SELECT id, name, kind, mode, state, tenant, first_seen_us FROM source WHERE id = $1",
        &[key.into()],
        source_row,
    )
    .await
}

/// Adds a source, or brings kind, mode and state of a known one up to date.
pub async fn put(
    tx: &mut Tx<'_>,
    name: &str,
    kind: &str,
    mode: &str,
    state: SourceState,
    now: Timestamp,
) -> Result<SourceKey, StorageError> {
    tx.query_one(
        "INSERT INTO source (name, kind, mode, state, first_seen_us) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, mode = excluded.mode, state = excluded.state
         RETURNING id",
        &[name.into(), kind.into(), mode.into(), state.into(), now.into()],
    )
    .await?
    .get(0)
}

/// When a source last changed an account, a group or the members of a group. Looks at all of them: for people who ask,
/// not for the way of a change.
pub async fn last_write(tx: &mut Tx<'_>, key: SourceKey) -> Result<Option<Timestamp>, StorageError> {
    tx.query_one(
        "SELECT max(at) FROM (
             SELECT max(modified_us) AS at FROM source_user WHERE source_id = $1
             UNION ALL SELECT max(modified_us) FROM source_group WHERE source_id = $1) t",
        &[key.into()],
    )
    .await?
    .get(0)
}

/// Writes that a source is listened to, or not any more.
pub async fn set_state(tx: &mut Tx<'_>, key: SourceKey, state: SourceState) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE source SET state = $2 WHERE id = $1",
        &[key.into(), state.into()],
    )
    .await?;
    Ok(())
}

/// Writes that a source is no longer listened to, and when it wrote last.
pub async fn freeze(tx: &mut Tx<'_>, key: SourceKey) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE source SET state = 'frozen', last_write_us = (SELECT max(at) FROM (
             SELECT max(modified_us) AS at FROM source_user WHERE source_id = $1
             UNION ALL SELECT max(modified_us) FROM source_group WHERE source_id = $1) t)
         WHERE id = $1",
        &[key.into()],
    )
    .await?;
    Ok(())
}

/// Writes the provider's tenant or organisation of a source that has none yet.
pub async fn pin_tenant(tx: &mut Tx<'_>, key: SourceKey, tenant: &str) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE source SET tenant = $2 WHERE id = $1 AND tenant IS NULL",
        &[key.into(), tenant.into()],
    )
    .await?;
    Ok(())
}

fn source_row(row: &Row) -> Result<SourceRow, StorageError> {
    Ok(SourceRow {
        key: row.get(0)?,
        name: row.get(1)?,
        kind: row.get(2)?,
        mode: row.get(3)?,
        state: row.get(4)?,
        tenant: row.get(5)?,
        first_seen: row.get(6)?,
    })
}
