//! What can go wrong, sorted by what a caller can do about it.

use std::error::Error;
use std::sync::Arc;

/// Why a unit of work did not happen. Whatever the variant, nothing of the unit was kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// A unique index or a primary key already holds this value.
    #[error("a row with the same {on} already exists")]
    Unique {
        /// The columns (`room.slug` or `period.membership_id, period.opened_us`), or the index's name where
        /// it is over an expression.
        on: String,
    },

    /// A row refers to one that is not there, or one that is still referred to was deleted.
    #[error("a row refers to another one that does not exist")]
    ForeignKey,

    /// A CHECK of the schema refused a row.
    #[error("the check {name} refused a row")]
    Check {
        /// The constraint's name, or its expression where it has none.
        name: String,
    },

    /// Other units or another process held what this one needed for longer than the bounded wait. The same unit may be tried
    /// again.
    #[error("another process holds the database; try again, and end the other one if this goes on")]
    Busy,

    /// The database cannot be reached, or the server that answers takes no changes: it starts up, stops, or another one took
    /// over. The same unit may be tried again, unless it is not known what became of it.
    #[error("the database is not available ({reason})")]
    Unavailable {
        /// What the system or the server said.
        reason: String,
        /// Whether the connection was lost after the server was told to commit: the unit may have happened, or not.
        outcome_unknown: bool,
    },

    /// The disk or the configured size limit is full.
    #[error("the disk is full; free some space for the database")]
    Full,

    /// A text has the character U+0000, which PostgreSQL cannot hold, and so neither engine takes.
    #[error("a text has the character U+0000, which cannot be stored; leave it out")]
    NulInText,

    /// A copy into this database was begun, and has not ended.
    #[error(
        "a copy into this database was begun and has not ended: wait for it, or run `usher storage copy` again; \
         until then it is empty"
    )]
    Unfinished,

    /// The storage was closed.
    #[error("the storage is closed")]
    Closed,

    /// The database file is damaged, or is not a database.
    #[error("the database is damaged ({0}); restore it from a backup")]
    Corrupt(String),

    /// The configured address does not name a database that this build can open.
    #[error("cannot open the database {url}: {reason}")]
    Url {
        /// The address as configured.
        url: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A connection did not take a setting that the promises of this crate rest on.
    #[error("the database did not take the setting {setting}: wanted {wanted}, got {got}")]
    Setting {
        /// The name of the pragma.
        setting: &'static str,
        /// What was asked for.
        wanted: String,
        /// What the connection says it has.
        got: String,
    },

    /// The schema is not one that this build can work with.
    #[error(transparent)]
    Migration(#[from] MigrationError),

    /// [`query_one`](crate::Tx::query_one) found nothing.
    #[error("the row that had to be there is missing")]
    NoRow,

    /// A column was read as a type that it does not hold.
    #[error("column {index} holds {got}, which is not {wanted}")]
    Column {
        /// The column's place in the row, from 0.
        index: usize,
        /// The Rust type asked for.
        wanted: &'static str,
        /// The kind of value that is there.
        got: &'static str,
    },

    /// The unit panicked. The panic's message is kept; the storage goes on.
    #[error("a unit of work panicked: {0}")]
    Panicked(String),

    /// The facade was used in a way that it forbids: an error in the calling code.
    #[error("storage is used wrongly: {0}")]
    Misuse(String),

    /// Anything else that the database said.
    #[error("the database failed")]
    Opaque(#[source] Arc<dyn Error + Send + Sync>),
}

impl StorageError {
    /// Wraps an error that no caller can decide on.
    pub(crate) fn opaque(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Opaque(Arc::new(source))
    }
}

/// Why a schema was refused. See [`migrate`](crate::migrate).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// A newer build changed the database in a way that this build cannot live with.
    #[error(
        "the database has schema version {found}, with which a program that knows versions up to {known} cannot work; \
         start the newer program, or restore a backup from before the upgrade"
    )]
    Newer {
        /// The version in the database.
        found: u32,
        /// The last version of this build.
        known: u32,
    },

    /// A migration that was applied reads differently now.
    #[error(
        "migration {version} ({name}) is not the one this database was made with; \
         run the program that made the database, or restore a matching backup"
    )]
    Changed {
        /// The migration's number.
        version: u32,
        /// The migration's name in this build.
        name: String,
    },

    /// A migration of this build was left out while a later one was applied.
    #[error(
        "migration {version} ({name}) is missing from the database although later ones are there; restore a backup"
    )]
    Missing {
        /// The migration's number.
        version: u32,
        /// The migration's name in this build.
        name: String,
    },

    /// A migration waits for the end of programs that cannot live with it.
    #[error(
        "migration {version} ({name}) cannot be applied while a program works on the database that does not know schema \
         version {needs}; end the servers and commands of older versions, then start this one again"
    )]
    OldPrograms {
        /// The migration's number.
        version: u32,
        /// The migration's name.
        name: String,
        /// What the program has to know.
        needs: u32,
    },

    /// A script failed; none of it was kept.
    #[error("migration {version} ({name}) failed and was undone: {reason}")]
    Failed {
        /// The migration's number.
        version: u32,
        /// The migration's name.
        name: String,
        /// What the database said.
        reason: String,
    },
}
