//! What PostgreSQL says, as what a caller can decide and as whether to try again.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

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

/// What the server says in a message of an error.
pub(super) fn said(message: &[u8]) -> Fault {
    said_by_server(Said::read(message))
}

/// An error of the server.
#[derive(Debug, Default, thiserror::Error)]
#[error("{severity}: {message} ({code})")]
struct Said {
    severity: String,
    /// SQLSTATE.
    code: String,
    message: String,
    detail: Option<String>,
    table: Option<String>,
    constraint: Option<String>,
}

impl Said {
    /// Its fields begin with a letter each and end with a zero.
    fn read(message: &[u8]) -> Self {
        let mut said = Self::default();
        for field in message.split(|byte| *byte == 0) {
            let Some((kind, text)) = field.split_first() else {
                continue;
            };
            let text = String::from_utf8_lossy(text).into_owned();
            match kind {
                b'S' => said.severity = text,
                b'C' => said.code = text,
                b'M' => said.message = text,
                b'D' => said.detail = Some(text),
                b't' => said.table = Some(text),
                b'n' => said.constraint = Some(text),
                _ => {}
            }
        }
        said
    }
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

fn said_by_server(said: Said) -> Fault {
    match SqlState::from_code(&said.code) {
        SqlState::UNIQUE_VIOLATION => {
            Fault::new(StorageError::Unique { on: unique_on(&said) }, Again::Perhaps)
        }
        SqlState::FOREIGN_KEY_VIOLATION => Fault::new(StorageError::ForeignKey, Again::Perhaps),
        SqlState::CHECK_VIOLATION => {
            let name = said.constraint.unwrap_or_default();
            Fault::new(StorageError::Check { name }, Again::No)
        }
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => Fault::new(StorageError::Busy, Again::Conflict),
        // It ran into `statement_timeout`.
        SqlState::QUERY_CANCELED => Fault::new(StorageError::Busy, Again::No),
        SqlState::DISK_FULL => Fault::new(StorageError::Full, Again::No),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            Fault::new(StorageError::Corrupt(said.message), Again::No)
        }
        // A migration changed a table that a prepared statement reads; a new connection prepares it anew.
        SqlState::FEATURE_NOT_SUPPORTED if said.message.contains("cached plan") => Fault::lost(said.message),
        SqlState::READ_ONLY_SQL_TRANSACTION => Fault::new(StorageError::opaque(said), Again::ReadOnly),
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::TOO_MANY_CONNECTIONS => Fault::lost(said.message),
        _ if said.code.starts_with("08") || said.code == "57P05" => Fault::lost(said.message),
        _ => Fault::new(StorageError::opaque(said), Again::No),
    }
}

/// The columns as `table.column, table.column`, or the index's name where it is over an expression.
fn unique_on(said: &Said) -> String {
    let index = || said.constraint.clone().unwrap_or_default();
    let columns = said
        .detail
        .as_deref()
        .and_then(|detail| detail.strip_prefix("Key ("))
        .and_then(|detail| detail.split_once(")=("))
        .map(|(columns, _)| columns);
    match (&said.table, columns) {
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
