//! Connections that read, each with a thread: one unit is one snapshot.
//!
//! A unit that reads little runs on its caller's thread instead, with a connection that is idle: the way to another
//! thread and back costs more than such a unit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tokio::sync::mpsc;

use super::connection::Opening;
use super::session::Session;
use super::unit::Message;
use super::{Ready, next};
use crate::StorageError;
use crate::storage::Counters;
use crate::tx::Tx;

/// A place for a reading connection: empty before it is opened and after it was closed.
#[derive(Clone, Default)]
pub(super) struct Place(Arc<Mutex<Option<Session>>>);

impl Place {
    /// The place, as soon as nobody uses it.
    fn lock(&self) -> MutexGuard<'_, Option<Session>> {
        // A unit's panic is caught before it gets here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a unit as one snapshot if there is a connection and nobody uses it.
    pub(super) fn try_read<R>(
        &self,
        counters: &Counters,
        unit: impl FnOnce(&mut Tx<'_>) -> R,
    ) -> Option<Result<R, StorageError>> {
        let mut session = match self.0.try_lock() {
            Ok(session) => session,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(read(session.as_mut()?, counters, unit))
    }
}

pub(super) fn run(
    opening: &Opening,
    counters: &Counters,
    queue: &Mutex<mpsc::Receiver<Message>>,
    place: &Place,
    ready: Ready,
) {
    match opening.open() {
        Ok((session, settings)) => {
            *place.lock() = Some(session);
            let _gone = ready.send(Ok(settings));
        }
        Err(error) => {
            let _gone = ready.send(Err(error));
            return;
        }
    }
    while let Some(message) = next(queue) {
        match message {
            Message::Unit(unit) if unit.abandoned() => {}
            Message::Unit(mut unit) => {
                let done = match place.lock().as_mut() {
                    Some(session) => read(session, counters, |tx| unit.run(tx)),
                    None => Err(StorageError::Closed),
                };
                if let Err(error) = done {
                    unit.fail(error);
                }
                unit.answer();
            }
            Message::Close(closed) => {
                drop(place.lock().take());
                let _gone = closed.send(());
                return;
            }
        }
    }
    drop(place.lock().take());
}

fn read<R>(
    session: &mut Session,
    counters: &Counters,
    unit: impl FnOnce(&mut Tx<'_>) -> R,
) -> Result<R, StorageError> {
    session.step("BEGIN DEFERRED")?;
    let mut tx = Tx::sqlite(session);
    let result = unit(&mut tx);
    Counters::add(&counters.reads, 1);
    Counters::add(&counters.statements, tx.statements());
    // Some errors end the transaction by themselves.
    if session.in_transaction() {
        session.step("COMMIT")?;
    }
    Ok(result)
}
