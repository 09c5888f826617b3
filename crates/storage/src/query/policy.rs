//! The stored rules: those in force, and those that wait for a confirmation.

use crate::{StorageError, Tx};

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
    let row = tx
        .query_opt("SELECT version FROM policy WHERE id = 1", &[])
        .await?;
    row.map(|row| row.get(0)).transpose()
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
