//! Backups of a SQLite database: one file that is a whole database, and a manifest that says what has to be in it.
//!
//! A backup is taken beside a running server. One read transaction sees one state; its pages are copied, then the copy is
//! checked and compared with that state, row by row. Nobody waits for it: what is written meanwhile goes to the write-ahead
//! log, which cannot be cut back as long as the transaction lasts, so [`Limits`] bound both.
//!
//! Nothing gets the name of a backup before it is whole, checked and on the disk.

mod create;
mod files;
mod manifest;
mod restore;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use create::{Backup, Limits, create};
pub use manifest::{Manifest, manifest_path};
pub use restore::{Restore, Restored, restore};

use crate::content::{self, TableContent};
use crate::migrate::{self, Migration};
use crate::sqlite::Snapshot;
use crate::{MigrationError, StorageError};

/// How long to wait for a lock that another process holds for a moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done.
    pub step: Step,
    /// How much of it is done, in the step's unit.
    pub done: u64,
    /// How much there is in all; 0 when it is not known.
    pub all: u64,
    /// The table that is read, in steps that read tables.
    pub table: &'a str,
}

/// A step of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Copying; in pages, or bytes of a file.
    Copy,
    /// Reading all rows; rows of one table.
    Read,
    /// Checking the file's structure; without numbers.
    Check,
}

/// Why there is no backup, or why one was not restored. Whatever the variant, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already, and is never overwritten.
    #[error("{} is there already; choose another name", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },

    /// There is a database where the backup should go.
    #[error(
        "there is a database at {}; --replace puts the backup in its place and keeps the old one beside it under a dated name",
        path.display()
    )]
    Occupied {
        /// The database.
        path: PathBuf,
    },

    /// There is nothing of that name.
    #[error("there is no {what} at {}{hint}", path.display())]
    Missing {
        /// What should be there.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What to do about it.
        hint: &'static str,
    },

    /// Another process works on the database.
    #[error("another process works on {}: end the server and other commands of usher on it, then try again", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },

    /// The address is not that of a SQLite file.
    #[error(
        "only SQLite databases are backed up and restored by usher; for PostgreSQL use pg_dump and pg_restore"
    )]
    NotSqlite,

    /// It took too long, or the log grew too long meanwhile.
    #[error("{0}")]
    Limit(String),

    /// The backup is damaged, or is not what its manifest says.
    #[error("the backup is damaged: {0}; use another one")]
    Damaged(String),

    /// The database is damaged, or the copy is not like it.
    #[error("the database or its disk is damaged: {0}; restore an earlier backup")]
    Unsound(String),

    /// The manifest cannot be understood.
    #[error("the manifest {} cannot be read: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// It is the backup of another organisation.
    #[error("this is a backup of the organisation '{theirs}', and the configuration is that of '{ours}'")]
    OtherOrganisation {
        /// The backup's.
        theirs: String,
        /// The one asked for.
        ours: String,
    },

    /// The schema is not one that this build can work with.
    #[error(transparent)]
    Schema(#[from] MigrationError),

    /// A file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The database said no.
    #[error("{}", with_cause(.0))]
    Storage(#[from] StorageError),
}

/// Whether a file is what its manifest says, byte by byte.
///
/// # Errors
/// [`BackupError::Missing`] where there is no manifest; [`BackupError::Damaged`], [`BackupError::Manifest`] or
/// [`BackupError::File`].
pub fn intact(backup: &Path) -> Result<Manifest, BackupError> {
    let manifest = Manifest::of(backup)?;
    files::compare(backup, &manifest, &mut |_| {})?;
    Ok(manifest)
}

/// The message, and what is behind it where that says more.
fn with_cause(error: &StorageError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whom to tell about the progress.
pub type Listener<'l> = &'l mut dyn FnMut(Progress<'_>);

/// What a database contains, as far as a backup is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    /// The version of the schema.
    schema: u32,
    tables: Vec<TableContent>,
}

/// Reads all rows of a state. Its schema has to be one that this build knows, or an earlier one.
fn contents(
    snapshot: &mut Snapshot,
    known: &[Migration],
    mut seen: impl FnMut(Progress<'_>) -> Result<(), BackupError>,
) -> Result<Contents, BackupError> {
    let applied = snapshot.applied()?;
    migrate::pending(known, &applied)?;
    let schema = applied.last().map_or(0, |migration| migration.version);
    let tables = snapshot.read(async |tx| {
        let tables = content::tables(tx).await?;
        let tell = |table: &content::Table, rows| {
            seen(Progress {
                step: Step::Read,
                done: rows,
                all: 0,
                table: &table.name,
            })
        };
        content::summarise(tx, &tables, tell).await
    })?;
    Ok(Contents { schema, tables })
}

/// Checks structure, references and rows of a file against what has to be in it.
fn verify(
    file: &Path,
    known: &[Migration],
    expected: &Contents,
    listener: Listener<'_>,
) -> Result<(), String> {
    let mut check = || -> Result<Option<String>, BackupError> {
        let mut snapshot = Snapshot::open(file, PATIENCE)?;
        listener(Progress {
            step: Step::Check,
            done: 0,
            all: 0,
            table: "",
        });
        if let Some(flaw) = snapshot.flaws()?.into_iter().next() {
            return Ok(Some(flaw));
        }
        let found = contents(&mut snapshot, known, |progress| {
            listener(progress);
            Ok(())
        })?;
        Ok(difference(expected, &found))
    };
    match check() {
        Ok(None) => Ok(()),
        Ok(Some(flaw)) => Err(flaw),
        Err(error) => Err(error.to_string()),
    }
}

/// The first difference, in words.
fn difference(expected: &Contents, found: &Contents) -> Option<String> {
    if expected.schema != found.schema {
        return Some(format!(
            "the schema has version {} instead of {}",
            found.schema, expected.schema
        ));
    }
    if expected.tables.len() != found.tables.len() {
        return Some("it has other tables".to_owned());
    }
    let mut pairs = expected.tables.iter().zip(&found.tables);
    let (expected, found) = pairs.find(|(expected, found)| expected != found)?;
    Some(if expected.rows == found.rows {
        format!("the table {} does not read as it should", expected.table)
    } else {
        format!(
            "the table {} has {} rows instead of {}",
            expected.table, found.rows, expected.rows
        )
    })
}
