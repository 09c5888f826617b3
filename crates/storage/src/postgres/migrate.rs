//! Applying the schema.

use std::time::{Duration, Instant};

use super::backoff;
use super::error::{Again, Fault};
use super::session::Session;
use crate::migrate::{self, Applied, Migration};
use crate::{MigrationError, StorageError};

/// Who migrates has the engine alone: of several nodes that start at once one does the work and the others find it done, and
/// units of nodes that run an older program wait until it is done. Behind one who waits for a lock others queue, so the wait
/// is shorter than they are patient.
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '2s'; \
    SELECT pg_advisory_xact_lock(1970496882, 1)";
/// How long to try, where others hold what a migration needs: a dump has all tables until it is done.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long the others are left in peace between two attempts.
const BREATH: Duration = Duration::from_secs(1);
/// `applied_us` is for people who look; nothing is decided by it. Databases that were made before a migration could need
/// something lack the column for it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    version BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    applied_us BIGINT NOT NULL,
    needs BIGINT NOT NULL DEFAULT 0
);
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'schema_migration'::regclass AND attname = 'needs') THEN
        ALTER TABLE schema_migration ADD COLUMN needs BIGINT NOT NULL DEFAULT 0;
    END IF;
END $$";
const THERE: &str = "SELECT to_regclass('schema_migration') IS NOT NULL";
const LIST: &str = "SELECT version, digest, coalesce(CAST(to_jsonb(m) ->> 'needs' AS BIGINT), 0) FROM schema_migration m ORDER BY version";
const NEEDED: &str =
    "SELECT max(version), max(CAST(to_jsonb(m) ->> 'needs' AS BIGINT)) FROM schema_migration m";
const RECORD: &str = "INSERT INTO schema_migration (version, name, digest, needs, applied_us)
    VALUES ($1, $2, $3, $4, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT))";
/// Takes the locks of all programs that know a version up to this one: each connection holds its program's until it is closed
/// (see `connection.rs`).
const ALONE: &str = "SELECT bool_and(pg_try_advisory_xact_lock(1970496883, CAST(v AS INT)))
    FROM generate_series(0, CAST($1 AS BIGINT)) v";

/// Brings the schema up to date, each migration in its own transaction, beside nodes that run an older program.
pub(super) async fn run(session: &mut Session, known: &[Migration]) -> Result<(), Fault> {
    if is_up_to_date(session, known).await? {
        return Ok(());
    }
    let begun = Instant::now();
    loop {
        match step(session, known).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(fault) if matches!(fault.error, StorageError::Busy) && begun.elapsed() < PATIENCE => {
                tracing::info!("a migration waits for transactions that hold what it needs");
                backoff::pause(BREATH).await;
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Refuses a program that knows the schema up to this version, if the database needs a newer one.
pub(super) async fn check(session: &mut Session, known: u32) -> Result<(), Fault> {
    let texts = session.script(NEEDED).await?;
    let number = |text: Option<&Option<String>>| text?.as_deref()?.parse::<u32>().ok();
    let found = number(texts.first()).unwrap_or(0);
    match number(texts.get(1)) {
        Some(needs) if needs > known => Err(no_help(MigrationError::Newer { found, known }.into())),
        _ => Ok(()),
    }
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
    let applied = match session.script(LOCK).await {
        Ok(_) => apply_next(session, known).await,
        Err(fault) => Err(fault),
    };
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
    if migration.needs > 0 && !is_alone(session, migration.needs).await? {
        let error = MigrationError::OldPrograms {
            version: migration.version,
            name: migration.name.to_owned(),
            needs: migration.needs,
        };
        // A command that is about to end is waited for.
        return Err(Fault::new(error.into(), Again::Conflict));
    }
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
        migration.needs.into(),
    ];
    session
        .execute(RECORD, &params)
        .await
        .map_err(|error| failed(session, error))?;
    tracing::info!(migration.version, migration.name, "applied a migration");
    Ok(true)
}

/// Whether no program is at work that does not know this version, and none will be until the transaction ends.
async fn is_alone(session: &mut Session, needs: u32) -> Result<bool, Fault> {
    let oldest = i64::from(needs) - 1;
    let rows = session
        .query(ALONE, &[oldest.into()])
        .await
        .map_err(|error| failed(session, error))?;
    rows.first().map_or(Ok(false), |row| row.get(0)).map_err(no_help)
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
            needs: row.get(2)?,
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
