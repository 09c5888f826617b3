//! One state of a SQLite file, read by a connection of its own that never writes to it.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::error::fault;
use super::migrate;
use super::session::Session;
use crate::migrate::Applied;
use crate::tx::Tx;
use crate::unit::waited;
use crate::{Row, StorageError};

/// Pages that are copied between two looks at the limits: 4 MiB.
const STEP: i32 = 1024;

/// An open read transaction.
pub(crate) struct Snapshot {
    session: Session,
}

impl Snapshot {
    /// Begins to read the file as it is now. It has to exist.
    pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        connection.busy_timeout(busy_timeout).map_err(fault)?;
        rusqlite::vtab::array::load_module(&connection).map_err(fault)?;
        connection
            .pragma_update(None, "cache_size", -32_768)
            .map_err(fault)?;
        connection
            .pragma_update(None, "trusted_schema", false)
            .map_err(fault)?;
        let mut session = Session::new(connection);
        session.step("BEGIN")?;
        // The state is that of the first statement.
        session.query_built("SELECT count(*) FROM sqlite_schema", &[])?;
        Ok(Self { session })
    }

    /// Runs a unit on this state.
    pub(crate) fn read<T, E: From<StorageError>>(
        &mut self,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = Tx::sqlite(&mut self.session);
        let mut context = Context::from_waker(Waker::noop());
        match pin!(work(&mut tx)).poll(&mut context) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(waited().into()),
        }
    }

    /// The migrations that the database says it has; none of them is a database without any.
    pub(crate) fn applied(&mut self) -> Result<Vec<Applied>, StorageError> {
        const IS_THERE: &str =
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'";
        if self.session.query_opt(IS_THERE, &[])?.is_none() {
            return Ok(Vec::new());
        }
        migrate::applied(&mut self.session)
    }

    /// What SQLite finds wrong with the file: its structure, its indexes, rows that refer to nothing.
    pub(crate) fn flaws(&mut self) -> Result<Vec<String>, StorageError> {
        let checked = self.session.query_built("PRAGMA integrity_check(10)", &[])?;
        let mut flaws: Vec<String> = checked.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        flaws.retain(|flaw| flaw != "ok");
        let orphans: Vec<Row> = self.session.query_built(
            "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 LIMIT 10",
            &[],
        )?;
        for row in orphans {
            let (table, parent, rows): (&str, &str, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            flaws.push(format!(
                "{rows} rows of {table} refer to rows of {parent} that are not there"
            ));
        }
        Ok(flaws)
    }

    /// Copies the state, page by page, into an empty file. `step` hears of the pages that are left and of all, and may end
    /// it.
    ///
    /// The copy is not begun anew when another process writes, as that of a connection without a transaction would be
    /// (<https://www.sqlite.org/backup.html>): the open transaction keeps this state.
    pub(crate) fn copy_to<E: From<StorageError>>(
        &self,
        file: &Path,
        mut step: impl FnMut(i32, i32) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut copy = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
        // Whoever asked for the copy writes it through to the disk when it is whole.
        copy.pragma_update(None, "synchronous", false).map_err(fault)?;
        let backup = Backup::new(self.session.connection(), &mut copy).map_err(fault)?;
        loop {
            let result = backup.step(STEP).map_err(fault)?;
            let progress = backup.progress();
            step(progress.remaining, progress.pagecount)?;
            match result {
                StepResult::Done => break,
                StepResult::More => {}
                _ => return Err(StorageError::Busy.into()),
            }
        }
        drop(backup);
        seal(&copy)?;
        Ok(())
    }
}

/// Makes a database one plain file: its log is folded in, and nothing lies beside it. Fails when anybody else has it open.
pub(crate) fn fold(path: &Path) -> Result<(), StorageError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    seal(&connection)
}

fn seal(connection: &Connection) -> Result<(), StorageError> {
    let set =
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
    match set.map_err(fault)? {
        mode if mode == "delete" => Ok(()),
        _ => Err(StorageError::Busy),
    }
}

/// Lets numbers that the database gives itself go on this much higher.
pub(crate) fn skip_numbers(path: &Path, gap: i64) -> Result<(), StorageError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    connection
        .execute("UPDATE sqlite_sequence SET seq = seq + ?1", [gap])
        .map_err(fault)?;
    Ok(())
}

/// The files that SQLite keeps beside a database, the one with its log first.
pub(crate) fn beside(database: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        path.into()
    })
}
