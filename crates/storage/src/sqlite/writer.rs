//! The one thread that writes.
//!
//! Units that queue while a commit is under way form the next batch: one transaction, each unit in a
//! savepoint, one wait for the disk. Callers hear of their result only after it.

use std::error::Error;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Ready;
use super::connection::Opening;
use super::quiet::Quiet;
use super::reader::Place;
use super::session::Session;
use super::unit::{Message, Pending};
use super::wal::Wal;
use crate::StorageError;
use crate::migrate::Migration;
use crate::storage::Counters;
use crate::tx::Tx;

/// How many units share one commit at most.
const BATCH: usize = 256;

/// With the seeded fault: how long an answer is ahead of its commit, so that a kill right after it surely falls between.
const FAULT_LASTS: Duration = Duration::from_millis(100);

pub(super) fn run(
    opening: &Opening,
    migrations: &[Migration],
    (counters, quiet, places): (&Counters, &Quiet, &[Place]),
    mut queue: mpsc::Receiver<Message>,
    ready: Ready,
) {
    let opened = opening.open().and_then(|(mut session, settings)| {
        super::migrate::run(&mut session, migrations)?;
        Ok((session, settings))
    });
    let session = match opened {
        Ok((session, settings)) => {
            let _gone = ready.send(Ok(settings));
            session
        }
        Err(error) => {
            let _gone = ready.send(Err(error));
            return;
        }
    };
    let mut writer = Writer { session, counters };
    let mut wal = Wal::new(&opening.path, opening.busy_timeout);
    let mut messages = Vec::with_capacity(BATCH);
    let mut batch = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut messages, BATCH) > 0 {
        let mut close = None;
        for message in messages.drain(..) {
            match message {
                Message::Unit(unit) if unit.is_abandoned() => {}
                // What comes after a close is dropped, which tells its caller so.
                Message::Unit(unit) if close.is_none() => batch.push(unit),
                Message::Unit(_) => {}
                Message::Close(closed) => close = Some(closed),
            }
        }
        let at_work = quiet.interrupt(places);
        writer.commit(&mut batch);
        batch.clear();
        if let Some(closed) = close {
            drop(writer);
            let _gone = closed.send(());
            return;
        }
        wal.tend(&mut writer.session);
        drop(at_work);
    }
}

struct Writer<'c> {
    session: Session,
    counters: &'c Counters,
}

impl Writer<'_> {
    /// Runs and commits all units, then answers all of them.
    fn commit(&mut self, units: &mut [Pending]) {
        if units.is_empty() {
            return;
        }
        if let Err(error) = self.session.step("BEGIN IMMEDIATE") {
            self.give_up(units, &error);
        } else if let Err(error) = self.transaction(units) {
            self.abort();
            if units.len() > 1 {
                // Nothing of the batch was kept, and which unit is to blame may be unknown. Units may run
                // more than once, so each gets its own transaction and its own result.
                tracing::warn!(
                    error = &error as &dyn Error,
                    units = units.len(),
                    "a shared transaction failed, its units run one by one"
                );
                units.chunks_mut(1).for_each(|unit| self.commit(unit));
            } else {
                self.give_up(units, &error);
            }
        }
        units.iter_mut().for_each(Pending::answer);
    }

    /// Runs units in the transaction that was begun, and ends it.
    ///
    /// # Errors
    /// When nothing was kept although a unit's own result may say otherwise.
    fn transaction(&mut self, units: &mut [Pending]) -> Result<(), StorageError> {
        let total = units.len() as u64;
        let rows = self.session.total_changes();
        let mut kept = 0;
        for unit in &*units {
            kept += if total == 1 {
                self.run(unit)?
            } else {
                self.in_savepoint(unit)?
            };
        }
        if cfg!(feature = "fault-ack-before-commit") {
            units.iter_mut().for_each(Pending::answer);
            std::thread::park_timeout(FAULT_LASTS);
        }
        if kept > 0 {
            self.session.step("COMMIT")?;
            Counters::add(&self.counters.commits, 1);
            Counters::add(&self.counters.rows, self.session.total_changes() - rows);
        } else {
            self.abort();
        }
        Counters::add(&self.counters.committed, kept);
        Counters::add(&self.counters.rolled_back, total - kept);
        Ok(())
    }

    /// Runs a unit so that it can be rolled back alone; returns how many are kept, 1 or 0.
    fn in_savepoint(&mut self, unit: &Pending) -> Result<u64, StorageError> {
        self.session.step("SAVEPOINT unit")?;
        let kept = self.run(unit)?;
        if !self.session.in_transaction() {
            return Err(ended());
        }
        if kept == 0 {
            self.session.step("ROLLBACK TO unit")?;
        }
        self.session.step("RELEASE unit")?;
        Ok(kept)
    }

    /// Runs a unit; returns how many are kept, 1 or 0.
    fn run(&mut self, unit: &Pending) -> Result<u64, StorageError> {
        let mut tx = Tx::sqlite(&mut self.session);
        let kept = unit.run(&mut tx);
        Counters::add(&self.counters.statements, tx.statements());
        if kept && !self.session.in_transaction() {
            return Err(ended());
        }
        Ok(kept.into())
    }

    fn give_up(&self, units: &[Pending], error: &StorageError) {
        units.iter().for_each(|unit| unit.fail(error.clone()));
        Counters::add(&self.counters.rolled_back, units.len() as u64);
    }

    /// Rolls back what is open. SQLite may have done it by itself.
    fn abort(&mut self) {
        if self.session.in_transaction()
            && let Err(error) = self.session.step("ROLLBACK")
        {
            tracing::error!(
                error = &error as &dyn Error,
                "a transaction could not be rolled back"
            );
        }
    }
}

/// SQLite gives a whole transaction up after some errors, a full disk among them. A unit that runs COMMIT or
/// ROLLBACK itself gets here too.
fn ended() -> StorageError {
    StorageError::Misuse("the transaction ended while a unit was running in it".to_owned())
}
