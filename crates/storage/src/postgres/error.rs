//! What PostgreSQL says, as what a caller can decide and as whether to try again.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::StorageError;

/// An error, and whether the unit that met it may run again.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) error: StorageError,
    pub(super) again: Again,
}

/// Whether running a unit again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail in the same way.
    No,
    /// A unit beside it held what this one needed.
    Conflict,
    /// A unit beside it may have written the row that was in the way, or taken the one that is missing: this one would see
    /// so if it ran once more.
    Perhaps,
    /// The connection is lost, or leads to a server that cannot be used.
    Lost,
    /// The transaction takes no changes: of a unit that wants to make some, the server has become a standby.
    ReadOnly,
}

impl Fault {
    pub(super) fn new(error: StorageError, again: Again) -> Self {
        Self { error, again }
    }

    /// A connection that could not be made or went away.
    pub(super) fn lost(reason: impl Into<String>) -> Self {
        let error = StorageError::Unavailable {
            reason: reason.into(),
            outcome_unknown: false,
        };
        Self::new(error, Again::Lost)
    }
}

/// What the driver reports.
pub(super) fn fault(error: &Error) -> Fault {
    if let Some(said) = error.as_db_error() {
        return said_by_server(said);
    }
    let reason = reason(error);
    if error.is_closed() || is_input_output(error) {
        return Fault::lost(reason);
    }
    // Values that cannot be sent or read: an error in the calling code.
    Fault::new(StorageError::Misuse(reason), Again::No)
}

/// An error with all that caused it, in one line.
pub(super) fn reason(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn is_input_output(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn said_by_server(said: &DbError) -> Fault {
    let opaque = || StorageError::Opaque(std::sync::Arc::new(said.clone()));
    let code = said.code();
    match *code {
        SqlState::UNIQUE_VIOLATION => {
            Fault::new(StorageError::Unique { on: unique_on(said) }, Again::Perhaps)
        }
        SqlState::FOREIGN_KEY_VIOLATION => Fault::new(StorageError::ForeignKey, Again::Perhaps),
        SqlState::CHECK_VIOLATION => {
            let name = said.constraint().unwrap_or_default().to_owned();
            Fault::new(StorageError::Check { name }, Again::No)
        }
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => Fault::new(StorageError::Busy, Again::Conflict),
        // It ran into `statement_timeout`.
        SqlState::QUERY_CANCELED => Fault::new(StorageError::Busy, Again::No),
        SqlState::DISK_FULL => Fault::new(StorageError::Full, Again::No),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            Fault::new(StorageError::Corrupt(said.message().to_owned()), Again::No)
        }
        // A migration changed a table that a prepared statement reads; a new connection prepares it anew.
        SqlState::FEATURE_NOT_SUPPORTED if said.message().contains("cached plan") => {
            Fault::lost(said.message())
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => Fault::new(opaque(), Again::ReadOnly),
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::TOO_MANY_CONNECTIONS => Fault::lost(said.message()),
        _ if code.code().starts_with("08") || code.code() == "57P05" => Fault::lost(said.message()),
        _ => Fault::new(opaque(), Again::No),
    }
}

/// The columns as `table.column, table.column`, or the index's name where it is over an expression.
fn unique_on(said: &DbError) -> String {
    let index = || said.constraint().unwrap_or_default().to_owned();
    let columns = said
        .detail()
        .and_then(|detail| detail.strip_prefix("Key ("))
        .and_then(|detail| detail.split_once(")=("))
        .map(|(columns, _)| columns);
    match (said.table(), columns) {
        (Some(table), Some(columns)) if is_list(columns) => columns
            .split(", ")
            .map(|column| format!("{table}.{column}"))
            .collect::<Vec<_>>()
            .join(", "),
        _ => index(),
    }
}

fn is_list(columns: &str) -> bool {
    columns
        .split(", ")
        .all(|column| column.chars().all(|sign| sign.is_alphanumeric() || sign == '_'))
}
