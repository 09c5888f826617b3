//! Connections that read, each with a thread: one unit is one snapshot.
//!
//! A unit that reads little runs on its caller's thread instead, with a connection that is idle: the way to another
//! thread and back costs more than such a unit. So does opening a snapshot, which takes a lock on the file. While nothing
//! is committed these units leave it open for one another, but no longer than [`OLDEST`].

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::connection::Opening;
use super::quiet::{Bell, OLDEST, Quiet};
use super::session::Session;
use super::unit::Message;
use super::{Ready, next};
use crate::StorageError;
use crate::storage::Counters;
use crate::tx::Tx;

/// A place for a reading connection: empty before it is opened and after it was closed.
#[derive(Clone, Default)]
pub(super) struct Place(Arc<Mutex<Option<Reader>>>);

/// A reading connection, perhaps with an open snapshot.
struct Reader {
    session: Session,
    snapshot: Option<Snapshot>,
}

/// What an open transaction sees.
#[derive(Clone, Copy)]
struct Snapshot {
    /// The quiet time that it was taken in.
    quiet: u64,
    /// When it was taken, or a little earlier.
    at: Instant,
}

/// Runs a unit as one snapshot on a connection that nobody uses, if there is one.
pub(super) fn try_read<R>(
    places: &[Place],
    counters: &Counters,
    (quiet, bell): (&Quiet, &Bell),
    unit: impl FnOnce(&mut Tx<'_>) -> R,
) -> Option<Result<R, StorageError>> {
    let first = usual_place() % places.len();
    let in_turn = places[first..].iter().chain(&places[..first]);
    let mut free = in_turn
        .filter_map(Place::try_lock)
        .find(|place| place.is_some())?;
    let reader = free.as_mut()?;
    let was_open = reader.snapshot.is_some();
    let result = reader.read_few(counters, quiet, unit);
    if reader.snapshot.is_some() && !was_open {
        bell.ring();
    }
    Some(result)
}

/// Where a thread looks first: the connection's memory is in the cache of its core then.
fn usual_place() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
    }
    PLACE.get()
}

impl Place {
    /// Puts a connection here.
    pub(super) fn fill(&self, session: Session) {
        *self.lock() = Some(Reader {
            session,
            snapshot: None,
        });
    }

    /// The place, as soon as nobody uses it.
    fn lock(&self) -> MutexGuard<'_, Option<Reader>> {
        // A unit's panic is caught before it gets here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place, if nobody uses it.
    fn try_lock(&self) -> Option<MutexGuard<'_, Option<Reader>>> {
        match self.0.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Ends a snapshot of at least this age that is not in use. Whether there may still be one.
    pub(super) fn end_snapshot(&self, age: Duration) -> bool {
        let Some(mut place) = self.try_lock() else {
            return true;
        };
        let Some(reader) = place.as_mut() else {
            return false;
        };
        if reader
            .snapshot
            .is_some_and(|snapshot| snapshot.at.elapsed() < age)
        {
            return true;
        }
        if let Err(error) = reader.end() {
            tracing::error!(%error, "a snapshot could not be ended");
        }
        false
    }
}

impl Reader {
    /// Runs a unit as one snapshot: the open one if it is still the present, else a new one, which may stay open.
    fn read_few<R>(
        &mut self,
        counters: &Counters,
        quiet: &Quiet,
        unit: impl FnOnce(&mut Tx<'_>) -> R,
    ) -> Result<R, StorageError> {
        let now = quiet.now();
        let at = Instant::now();
        let usable =
            |snapshot: &Snapshot| Some(snapshot.quiet) == now && at.duration_since(snapshot.at) < OLDEST;
        let snapshot = match self.snapshot.filter(usable) {
            Some(open) => Some(open),
            None => {
                self.begin()?;
                now.map(|quiet| Snapshot { quiet, at })
            }
        };
        let (result, sound) = self.run(counters, unit);
        self.snapshot = snapshot.filter(|snapshot| sound && Some(snapshot.quiet) == quiet.now());
        if self.snapshot.is_none() {
            self.end()?;
        }
        Ok(result)
    }

    /// Runs a unit as one new snapshot.
    fn read<R>(
        &mut self,
        counters: &Counters,
        unit: impl FnOnce(&mut Tx<'_>) -> R,
    ) -> Result<R, StorageError> {
        self.begin()?;
        let (result, _sound) = self.run(counters, unit);
        self.end()?;
        Ok(result)
    }

    fn begin(&mut self) -> Result<(), StorageError> {
        self.end()?;
        self.session.step("BEGIN DEFERRED")
    }

    /// Runs a unit; also whether all its statements went well.
    fn run<R>(&mut self, counters: &Counters, unit: impl FnOnce(&mut Tx<'_>) -> R) -> (R, bool) {
        let mut tx = Tx::sqlite(&mut self.session);
        let result = unit(&mut tx);
        Counters::add(&counters.reads, 1);
        Counters::add(&counters.statements, tx.statements());
        (result, tx.broken().is_none())
    }

    fn end(&mut self) -> Result<(), StorageError> {
        self.snapshot = None;
        // Some errors end the transaction by themselves.
        if self.session.in_transaction() {
            self.session.step("COMMIT")?;
        }
        Ok(())
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
            place.fill(session);
            let _gone = ready.send(Ok(settings));
        }
        Err(error) => {
            let _gone = ready.send(Err(error));
            return;
        }
    }
    while let Some(message) = next(queue) {
        match message {
            Message::Unit(unit) if unit.is_abandoned() => {}
            Message::Unit(mut unit) => {
                let done = match place.lock().as_mut() {
                    Some(reader) => reader.read(counters, |tx| unit.run(tx)),
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
