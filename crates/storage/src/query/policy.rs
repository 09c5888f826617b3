//! The stored rules: those in force, and those that wait for a confirmation.

use usher_core::{RoomId, Scope, SourceUserId};

use crate::{Later, StorageError, Tx, Value};

/// The one row of rules, as JSON text.
#[derive(Debug, Clone)]
pub struct PolicyRow {
    /// Rises with every change of the rules in force.
    pub version: i64,
    /// The rules in force.
    pub active: String,
    /// The rules that wait.
    pub proposed: Option<String>,
}

/// The version of the rules in force; `None` before the first start.
pub async fn version(tx: &mut Tx<'_>) -> Result<Option<i64>, StorageError> {
    let asked = version_later(tx).await?;
    Ok(tx.rows(asked).await?.pop())
}

/// As [`version`], for later: one row, or none.
pub async fn version_later(tx: &mut Tx<'_>) -> Result<Later<i64>, StorageError> {
    tx.query_later("SELECT version FROM policy WHERE id = 1", &[], |row| row.get(0))
        .await
}

/// The rules.
pub async fn load(tx: &mut Tx<'_>) -> Result<Option<PolicyRow>, StorageError> {
    let row = tx
        .query_opt("SELECT version, active, proposed FROM policy WHERE id = 1", &[])
        .await?;
    row.map(|row| {
        Ok(PolicyRow {
            version: row.get(0)?,
            active: row.get(1)?,
            proposed: row.get(2)?,
        })
    })
    .transpose()
}

/// Puts rules in force and forgets the proposal.
pub async fn put_in_force(tx: &mut Tx<'_>, rules: String) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO policy (id, version, active, proposed) VALUES (1, 1, $1, NULL)
         ON CONFLICT (id) DO UPDATE SET version = policy.version + 1, active = excluded.active, proposed = NULL",
        &[rules.into()],
    )
    .await?;
    Ok(())
}

/// Stores or withdraws a proposal.
pub async fn propose(tx: &mut Tx<'_>, rules: Option<String>) -> Result<(), StorageError> {
    tx.execute("UPDATE policy SET proposed = $1 WHERE id = 1", &[rules.into()])
        .await?;
    Ok(())
}

/// Writes the scope of accounts as new rules see them.
pub async fn set_scopes(tx: &mut Tx<'_>, scopes: &[(SourceUserId, Scope)]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 2]> = scopes
        .iter()
        .map(|(user, scope)| [(*user).into(), (*scope).into()])
        .collect();
    tx.execute_many(
        "UPDATE source_user SET scope = v.column2 FROM (VALUES ($1/*pg ::uuid*/, $2)) v WHERE source_user.id = v.column1",
        &rows,
    )
    .await?;
    Ok(())
}

/// Writes whether a level administers rooms; answers the rooms with active members at it.
pub async fn flag_level(
    tx: &mut Tx<'_>,
    level: &str,
    administrator: bool,
) -> Result<Vec<RoomId>, StorageError> {
    tx.execute(
        "UPDATE membership SET administrator = $2 WHERE level = $1",
        &[level.into(), administrator.into()],
    )
    .await?;
    let rows = tx
        .query(
            "SELECT DISTINCT room_id FROM membership WHERE level = $1 AND active = 1 ORDER BY room_id",
            &[level.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// How many active memberships have a level.
pub async fn count_at_level(tx: &mut Tx<'_>, level: &str) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM membership WHERE level = $1 AND active = 1",
        &[level.into()],
    )
    .await?
    .get(0)
}
