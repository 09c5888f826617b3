//! Keeping the write-ahead log from growing for ever.
//!
//! SQLite copies the log into the database as it goes, but starts it over only at a moment when no reader
//! uses it. Under constant reading that moment may never come by itself, so past a size the writer waits for it.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::session::Session;
use crate::StorageError;

/// The size past which the log is cut back, in bytes.
const LIMIT: u64 = 64 << 20;

/// How long one attempt to cut it back waits. Several short ones get further than a long one: SQLite goes on
/// waiting for the slot of a reader it once found in its way, although later readers that share the slot are
/// not, and with constant reading that slot is never free. A new attempt looks again.
const ATTEMPT: Duration = Duration::from_millis(50);

/// How many attempts in a row may hold writers up. Reads are short, so the first few do.
const ATTEMPTS: u32 = 10;

pub(super) struct Wal {
    file: PathBuf,
    busy_timeout: Duration,
    limit: u64,
    attempts: u32,
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
            limit: LIMIT,
            attempts: ATTEMPTS,
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
            Ok(true) => self.next = self.limit,
            // A long read is in the way: try again when it costs this much more.
            Ok(false) => {
                self.next = size + self.limit;
                tracing::warn!(size, "a long read keeps the write-ahead log from being cut back");
            }
            Err(error) => {
                self.next = size + self.limit;
                tracing::error!(
                    size,
                    error = &error as &dyn Error,
                    "the write-ahead log could not be cut back"
                );
            }
        }
    }

    fn truncate(&self, session: &mut Session) -> Result<bool, StorageError> {
        session.wait_at_most(ATTEMPT)?;
        let done = (0..self.attempts)
            .map(|_| attempt(session))
            .find(|done| !matches!(done, Ok(false)));
        session.wait_at_most(self.busy_timeout)?;
        done.unwrap_or(Ok(false))
    }
}

fn attempt(session: &mut Session) -> Result<bool, StorageError> {
    let row = session.query_opt("PRAGMA wal_checkpoint(TRUNCATE)", &[])?;
    row.map_or(Ok(false), |row| row.get::<bool>(0).map(|busy| !busy))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use super::super::connection::{Access, Opening};
    use super::*;

    const SMALL: u64 = 1 << 20;

    /// Takes a snapshot, hands on, and keeps it until the other one hands back: there is always a reader.
    fn read_in_turn(mut session: Session, turn: &Receiver<()>, other: &Sender<()>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && turn.recv().is_ok() {
            if session.in_transaction() {
                session.step("COMMIT").unwrap();
            }
            session.step("BEGIN").unwrap();
            session.query("SELECT max(id) FROM entry", &[]).unwrap();
            if other.send(()).is_err() {
                break;
            }
        }
    }

    #[test]
    fn the_log_stays_bounded_although_there_is_always_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usher.db");
        let opening = Opening {
            path: path.clone(),
            busy_timeout: Duration::from_secs(10),
            access: Access::Write,
        };
        let open = |access| {
            Opening {
                access,
                ..opening.clone()
            }
            .open()
            .unwrap()
            .0
        };
        let mut writer = open(Access::Write);
        writer
            .script("CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)")
            .unwrap();
        let mut wal = Wal {
            limit: SMALL,
            // However busy the machine is.
            attempts: 1000,
            next: SMALL,
            ..Wal::new(&path, opening.busy_timeout)
        };

        let stop = AtomicBool::new(false);
        let ((to_one, one), (to_two, two)) = (channel(), channel());
        let readers = (open(Access::Read), open(Access::Read));
        to_one.send(()).unwrap();
        let stop = &stop;
        thread::scope(|scope| {
            scope.spawn(move || read_in_turn(readers.0, &one, &to_two, stop));
            scope.spawn(move || read_in_turn(readers.1, &two, &to_one, stop));
            let mut largest = 0;
            for _ in 0..100 {
                writer
                    .execute(
                        "INSERT INTO entry (text) VALUES ($1)",
                        &["x".repeat(60_000).into()],
                    )
                    .unwrap();
                wal.tend(&mut writer);
                largest = largest.max(fs::metadata(&wal.file).unwrap().len());
            }
            stop.store(true, Ordering::Relaxed);
            assert!(largest < 2 * SMALL, "{largest}");
        });
    }
}
