//! Keeping the write-ahead log from growing for ever.
//!
//! SQLite copies the log into the database as it goes, but starts it over only at a moment when no reader
//! uses it. Under constant reading that moment may never come by itself, so past a size the writer waits for it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::session::Session;
use crate::StorageError;

/// The size past which the log is cut back, in bytes.
const LIMIT: u64 = 64 << 20;

/// How long one attempt to cut it back may hold writers up. Reads are short; new ones do not add to the wait.
const PATIENCE: Duration = Duration::from_millis(500);

pub(super) struct Wal {
    file: PathBuf,
    busy_timeout: Duration,
    /// The size at which to try next.
    next: u64,
}

impl Wal {
    pub(super) fn new(database: &Path, busy_timeout: Duration) -> Self {
        let mut file = OsString::from(database);
        file.push("-wal");
        Self {
            file: file.into(),
            busy_timeout,
            next: LIMIT,
        }
    }

    /// Cuts the log back when it is too long. Called between transactions.
    pub(super) fn tend(&mut self, session: &mut Session) {
        let size = fs::metadata(&self.file).map_or(0, |file| file.len());
        if size < self.next {
            return;
        }
        match self.truncate(session) {
            Ok(true) => self.next = LIMIT,
            // A long read is in the way: try again when it costs this much more.
            Ok(false) => {
                self.next = size + LIMIT;
                tracing::warn!(size, "a long read keeps the write-ahead log from being cut back");
            }
            Err(error) => {
                self.next = size + LIMIT;
                tracing::error!(size, %error, "the write-ahead log could not be cut back");
            }
        }
    }

    fn truncate(&self, session: &mut Session) -> Result<bool, StorageError> {
        session.wait_at_most(PATIENCE)?;
        let row = session.query_opt("PRAGMA wal_checkpoint(TRUNCATE)", &[]);
        session.wait_at_most(self.busy_timeout)?;
        row?.map_or(Ok(false), |row| row.get::<bool>(0).map(|busy| !busy))
    }
}
