//! Who is at work on a SQLite file, so that nobody puts another one in its place meanwhile.
//!
//! A lock on a small file beside the database, which the system lets go of when a process ends, however it ends. It is a file
//! of its own because SQLite's locks on the database would be lost with any other handle to it that is closed
//! (<https://www.sqlite.org/howtocorrupt.html>, 2.2). The file stays: deleting it would part those who hold it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for a command that is about to end. A child that this process starts at the wrong moment also holds the
/// lock until it runs its own program.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often to look again: the system tells nobody with a deadline.
const GLANCE: Duration = Duration::from_millis(10);

/// Held as long as it is kept.
#[derive(Debug)]
pub(crate) struct Occupancy {
    file: File,
}

impl Occupancy {
    /// Works on the database beside others; nothing when somebody has it alone.
    pub(crate) fn shared(database: &Path) -> io::Result<Option<Self>> {
        Self::take(database, File::try_lock_shared)
    }

    /// Has the database alone; nothing when somebody works on it.
    pub(crate) fn alone(database: &Path) -> io::Result<Option<Self>> {
        Self::take(database, File::try_lock)
    }

    /// Lets others work beside this one; nothing when somebody took it alone in that moment.
    pub(crate) fn share(self) -> io::Result<Option<Self>> {
        match self.file.try_lock_shared() {
            Ok(()) => Ok(Some(self)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn take(database: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> io::Result<Option<Self>> {
        if let Some(folder) = database.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut path = OsString::from(database);
        path.push(".lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        let begun = Instant::now();
        loop {
            match lock(&file) {
                Ok(()) => return Ok(Some(Self { file })),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => thread::park_timeout(GLANCE),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_work_on_it_or_one_has_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("new/usher.db");
        let here = Occupancy::shared(&database).unwrap().unwrap();
        let there = Occupancy::shared(&database).unwrap();
        assert!(there.is_some());
        assert!(Occupancy::alone(&database).unwrap().is_none());
        drop((here, there));
        let alone = Occupancy::alone(&database).unwrap();
        assert!(alone.is_some());
        assert!(Occupancy::shared(&database).unwrap().is_none());
        let shared = alone.unwrap().share().unwrap();
        assert!(shared.is_some());
        assert!(Occupancy::shared(&database).unwrap().is_some());
        assert!(Occupancy::alone(&database).unwrap().is_none());
        drop(shared);
        assert!(Occupancy::shared(&database).unwrap().is_some());
    }
}
