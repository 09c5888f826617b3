//! Applying the schema.

use super::session::Session;
use crate::migrate::{self, Applied, Migration};
use crate::{MigrationError, StorageError};

/// `applied_us` is for people who look; nothing is decided by it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    applied_us INTEGER NOT NULL,
    needs INTEGER NOT NULL DEFAULT 0
) STRICT";
/// Databases that were made before a migration could need something lack the column.
const HAS_NEEDS: &str = "SELECT 1 FROM pragma_table_info('schema_migration') WHERE name = 'needs'";
const ADD_NEEDS: &str = "ALTER TABLE schema_migration ADD COLUMN needs INTEGER NOT NULL DEFAULT 0";
const LIST: &str = "SELECT version, digest, needs FROM schema_migration ORDER BY version";
const LIST_BEFORE_NEEDS: &str = "SELECT version, digest, 0 FROM schema_migration ORDER BY version";
const RECORD: &str = "INSERT INTO schema_migration (version, name, digest, needs, applied_us)
    VALUES ($1, $2, $3, $4, CAST(unixepoch('subsec') * 1000000 AS INTEGER))";

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
    if !has_needs(session)? {
        session.step(ADD_NEEDS)?;
    }
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
        &[
            migration.version.into(),
            migration.name.into(),
            digest.into(),
            migration.needs.into(),
        ],
    )?;
    tracing::info!(migration.version, migration.name, "applied a migration");
    Ok(true)
}

/// What the table says, in ascending order.
pub(super) fn applied(session: &mut Session) -> Result<Vec<Applied>, StorageError> {
    let list = match has_needs(session)? {
        true => LIST,
        false => LIST_BEFORE_NEEDS,
    };
    let rows = session.query(list, &[])?;
    let applied = rows.iter().map(|row| {
        Ok(Applied {
            version: row.get(0)?,
            digest: row.get(1)?,
            needs: row.get(2)?,
        })
    });
    applied.collect()
}

fn has_needs(session: &mut Session) -> Result<bool, StorageError> {
    Ok(session.query_opt(HAS_NEEDS, &[])?.is_some())
}

fn reason(error: &StorageError) -> String {
    match error {
        StorageError::Opaque(source) => source.to_string(),
        error => error.to_string(),
    }
}
