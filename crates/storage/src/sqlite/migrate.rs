//! Applying the schema.

use super::session::Session;
use crate::migrate::{self, Applied, Migration};
use crate::{MigrationError, StorageError};

/// `applied_us` is for people who look; nothing is decided by it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    applied_us INTEGER NOT NULL
) STRICT";
const LIST: &str = "SELECT version, digest FROM schema_migration ORDER BY version";
const RECORD: &str = "INSERT INTO schema_migration (version, name, digest, applied_us)
    VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))";

/// Brings the schema up to date, each migration in its own transaction.
///
/// The write lock is taken before looking, so of two processes that start together one does the work and the
/// other finds it done.
pub(super) fn run(session: &mut Session, known: &[Migration]) -> Result<(), StorageError> {
    while step(session, known)? {}
    Ok(())
}

/// Applies the next migration; whether there may be more.
fn step(session: &mut Session, known: &[Migration]) -> Result<bool, StorageError> {
    session.step("BEGIN IMMEDIATE")?;
    let applied = apply_next(session, known);
    match applied {
        Ok(_) => session.step("COMMIT")?,
        Err(_) if session.in_transaction() => session.step("ROLLBACK")?,
        Err(_) => {}
    }
    applied
}

fn apply_next(session: &mut Session, known: &[Migration]) -> Result<bool, StorageError> {
    session.step(TABLE)?;
    let applied = applied(session)?;
    let Some(migration) = migrate::pending(known, &applied)?.first() else {
        return Ok(false);
    };
    session
        .script(migration.sql)
        .map_err(|error| MigrationError::Failed {
            version: migration.version,
            name: migration.name.to_owned(),
            reason: reason(&error),
        })?;
    let digest = migrate::digest(migration);
    session.execute(
        RECORD,
        &[migration.version.into(), migration.name.into(), digest.into()],
    )?;
    tracing::info!(migration.version, migration.name, "applied a migration");
    Ok(true)
}

/// What the table says, in ascending order.
pub(super) fn applied(session: &mut Session) -> Result<Vec<Applied>, StorageError> {
    let rows = session.query(LIST, &[])?;
    let applied = rows.iter().map(|row| {
        Ok(Applied {
            version: row.get(0)?,
            digest: row.get(1)?,
        })
    });
    applied.collect()
}

fn reason(error: &StorageError) -> String {
    match error {
        StorageError::Opaque(source) => source.to_string(),
        error => error.to_string(),
    }
}
