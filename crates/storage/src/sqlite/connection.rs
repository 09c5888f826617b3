//! Opening a connection, and the settings every one of them must have.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::error::fault;
use super::session::Session;
use crate::StorageError;

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// How to open a connection.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) path: PathBuf,
    pub(super) busy_timeout: Duration,
    pub(super) access: Access,
}

/// Settings as the connection reported them back.
pub(super) type Settings = Vec<(&'static str, String)>;

/// Statements kept prepared on each connection: more than the program has.
const PREPARED: usize = 256;

/// Pages copied from the log into the database at once: 16 MiB, so that a page changed by many commits
/// in a row is copied once.
const CHECKPOINT_PAGES: &str = "4000";

impl Opening {
    /// Opens the file, applies the settings, and reads them all back.
    ///
    /// # Errors
    /// [`StorageError::Setting`] when one is not in force.
    pub(super) fn open(&self) -> Result<(Session, Settings), StorageError> {
        let flags = match self.access {
            Access::Write => {
                if let Some(folder) = self.path.parent() {
                    fs::create_dir_all(folder).map_err(StorageError::opaque)?;
                }
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
            }
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(fault)?;
        connection.busy_timeout(self.busy_timeout).map_err(fault)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        rusqlite::vtab::array::load_module(&connection).map_err(fault)?;
        if self.access == Access::Write {
            use_log(&connection, self.busy_timeout)?;
        }
        let values = self
            .settings()
            .into_iter()
            .map(|(setting, wanted)| set(&connection, setting, wanted));
        let values = values.collect::<Result<Settings, _>>()?;
        Ok((Session::new(connection), values))
    }

    /// Each pragma with the value that it must report back.
    fn settings(&self) -> Vec<(&'static str, &'static str)> {
        let mut settings = vec![
            ("journal_mode", "wal"),
            // FULL: a commit returns after the log is on disk.
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("temp_store", "2"),
            // Values in the file's schema may not call functions with side effects.
            ("trusted_schema", "0"),
        ];
        match self.access {
            Access::Write => settings.extend([
                ("cache_size", "-16384"),
                ("wal_autocheckpoint", CHECKPOINT_PAGES),
                ("journal_size_limit", "67108864"),
            ]),
            // The indexes that lookups of a hundred thousand people go through, beside the rows that pass.
            // Pages that the system has in memory are read where they are, which spares a call and a copy for each.
            Access::Read => settings.extend([
                ("cache_size", "-12288"),
                ("query_only", "1"),
                ("mmap_size", "1073741824"),
            ]),
        }
        settings
    }
}

/// Sets a pragma and reads it back.
fn set(
    connection: &Connection,
    setting: &'static str,
    wanted: &'static str,
) -> Result<(&'static str, String), StorageError> {
    // Some pragmas answer with a row when they are set, some do not.
    connection
        .pragma_update_and_check(None, setting, wanted, |_row| Ok(()))
        .or_else(none_is_fine)
        .map_err(fault)?;
    let got = read(connection, setting)?;
    if got != wanted {
        return Err(StorageError::Setting {
            setting,
            wanted: wanted.to_owned(),
            got,
        });
    }
    Ok((setting, got))
}

fn none_is_fine(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        error => Err(error),
    }
}

fn read(connection: &Connection, setting: &str) -> Result<String, StorageError> {
    let value: rusqlite::types::Value = connection
        .pragma_query_value(None, setting, |row| row.get(0))
        .map_err(fault)?;
    Ok(match value {
        rusqlite::types::Value::Integer(value) => value.to_string(),
        rusqlite::types::Value::Text(value) => value,
        other => format!("{other:?}"),
    })
}

/// Switches the file to its write-ahead log, which lasts.
///
/// Two processes that do this to a new file at once may each see the other's lock and fail at once, without
/// the usual wait. Taking the write lock waits, so that is how the loser waits for its next attempt.
fn use_log(connection: &Connection, limit: Duration) -> Result<(), StorageError> {
    let start = Instant::now();
    loop {
        let set =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match set.map_err(fault) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(got) => {
                return Err(StorageError::Setting {
                    setting: "journal_mode",
                    wanted: "wal".to_owned(),
                    got,
                });
            }
            Err(StorageError::Busy) if start.elapsed() < limit => {
                connection
                    .execute_batch("BEGIN IMMEDIATE; ROLLBACK")
                    .map_err(fault)?;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_not_taken_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(
            set(&connection, "synchronous", "2").unwrap(),
            ("synchronous", "2".to_owned())
        );
        // A database in memory has no log.
        let error = set(&connection, "journal_mode", "wal").unwrap_err();
        assert!(
            matches!(&error, StorageError::Setting { got, .. } if got == "memory"),
            "{error}"
        );
    }
}
