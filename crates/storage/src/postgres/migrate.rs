//! Applying the schema.

use super::error::{Again, Fault};
use super::session::Session;
use crate::migrate::{self, Applied, Migration};
use crate::{MigrationError, StorageError};

/// Who migrates holds this lock, so that of several nodes that start at once one does the work and the others find it done.
/// The number is arbitrary; the second one keeps clear of the locks that units of work take.
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10min'; \
    SELECT pg_advisory_xact_lock(1970496882, 1)";
/// `applied_us` is for people who look; nothing is decided by it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    version BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    applied_us BIGINT NOT NULL
)";
const THERE: &str = "SELECT to_regclass('schema_migration') IS NOT NULL";
const LIST: &str = "SELECT version, digest FROM schema_migration ORDER BY version";
const RECORD: &str = "INSERT INTO schema_migration (version, name, digest, applied_us)
    VALUES ($1, $2, $3, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT))";

/// Brings the schema up to date, each migration in its own transaction. Statements of another node that runs an older program
/// go on beside it.
pub(super) async fn run(session: &mut Session, known: &[Migration]) -> Result<(), Fault> {
    if is_up_to_date(session, known).await? {
        return Ok(());
    }
    while step(session, known).await? {}
    Ok(())
}

/// Whether nothing is to do, which can be told without holding anybody up.
async fn is_up_to_date(session: &mut Session, known: &[Migration]) -> Result<bool, Fault> {
    session.begin(&["BEGIN READ ONLY"]);
    let there = session
        .query(THERE, &[])
        .await
        .map_err(|error| failed(session, error))?;
    let there: bool = there
        .first()
        .map_or(Ok(false), |row| row.get(0))
        .map_err(no_help)?;
    let pending = match there {
        true => pending(session, known).await?.map_or(0, |_| 1),
        false => 1,
    };
    session.roll_back().await?;
    Ok(pending == 0)
}

/// Applies the next migration; whether there may be more.
async fn step(session: &mut Session, known: &[Migration]) -> Result<bool, Fault> {
    session.begin(&["BEGIN"]);
    session.script(LOCK).await?;
    let applied = apply_next(session, known).await;
    match applied {
        Ok(_) => session.commit().await?,
        Err(_) => session.roll_back().await?,
    }
    applied
}

async fn apply_next(session: &mut Session, known: &[Migration]) -> Result<bool, Fault> {
    session.script(TABLE).await?;
    let Some(migration) = pending(session, known).await? else {
        return Ok(false);
    };
    session
        .script(migration.sql)
        .await
        .map_err(|fault| match fault.again {
            Again::No => Fault::new(
                MigrationError::Failed {
                    version: migration.version,
                    name: migration.name.to_owned(),
                    reason: reason(&fault.error),
                }
                .into(),
                Again::No,
            ),
            _ => fault,
        })?;
    let params = [
        migration.version.into(),
        migration.name.into(),
        migrate::digest(migration).into(),
    ];
    session
        .execute(RECORD, &params)
        .await
        .map_err(|error| failed(session, error))?;
    tracing::info!(migration.version, migration.name, "applied a migration");
    Ok(true)
}

/// The next migration to apply.
async fn pending<'m>(session: &mut Session, known: &'m [Migration]) -> Result<Option<&'m Migration>, Fault> {
    let rows = session
        .query(LIST, &[])
        .await
        .map_err(|error| failed(session, error))?;
    let applied = rows.iter().map(|row| {
        Ok(Applied {
            version: row.get(0)?,
            digest: row.get(1)?,
        })
    });
    let applied = applied
        .collect::<Result<Vec<_>, StorageError>>()
        .map_err(no_help)?;
    let pending = migrate::pending(known, &applied).map_err(|error| no_help(error.into()))?;
    Ok(pending.first())
}

fn failed(session: &Session, error: StorageError) -> Fault {
    session.fault().cloned().unwrap_or_else(|| no_help(error))
}

fn no_help(error: StorageError) -> Fault {
    Fault::new(error, Again::No)
}

fn reason(error: &StorageError) -> String {
    match error {
        StorageError::Opaque(source) => source.to_string(),
        error => error.to_string(),
    }
}
