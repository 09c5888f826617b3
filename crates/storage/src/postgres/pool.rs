//! The connections of one storage.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time;

use super::address::Address;
use super::backoff::Patience;
use super::connection;
use super::error::{Again, Fault};
use super::migrate;
use super::session::Session;
use crate::StorageError;

/// How old a connection gets: plans that were made for small tables do not stay for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How many of so many connections units may have that change data.
fn writers(size: u32) -> u32 {
    size - size.div_ceil(4)
}

/// A bounded number of connections, opened when they are needed.
pub(super) struct Pool {
    address: Address,
    lock_wait: Duration,
    /// The version of the schema that this program knows.
    known: u32,
    size: u32,
    idle: Mutex<Vec<Session>>,
    places: Semaphore,
    /// Units that change data leave some connections to those that read.
    writers: Semaphore,
}

/// A connection on loan. It goes back by [`Lease::give_back`]; one that is dropped instead, because its caller went away in
/// the middle, is closed, and the server undoes what it did.
pub(super) struct Lease<'p> {
    pub(super) session: Session,
    pool: &'p Pool,
    _places: (SemaphorePermit<'p>, Option<SemaphorePermit<'p>>),
}

impl Pool {
    pub(super) fn new(address: Address, size: usize, lock_wait: Duration, known: u32) -> Self {
        let size = u32::try_from(size.max(2)).unwrap_or(u32::MAX);
        Self {
            address,
            lock_wait,
            known,
            size,
            idle: Mutex::default(),
            places: Semaphore::new(size as usize),
            writers: Semaphore::new(writers(size) as usize),
        }
    }

    /// A connection that is ready for a unit.
    pub(super) async fn take(&self, writes: bool, patience: &Patience) -> Result<Lease<'_>, Fault> {
        let limit = patience.left();
        let places = time::timeout(limit, async {
            let writer = match writes {
                true => Some(self.writers.acquire().await?),
                false => None,
            };
            Ok((self.places.acquire().await?, writer))
        });
        let places = places
            .await
            .map_err(|_elapsed| Fault::new(StorageError::Busy, Again::No))?
            .map_err(|_closed: tokio::sync::AcquireError| Fault::new(StorageError::Closed, Again::No))?;
        let session = match self.idle() {
            Some(session) => session,
            None => self.open().await?,
        };
        Ok(Lease {
            session,
            pool: self,
            _places: places,
        })
    }

    async fn open(&self) -> Result<Session, Fault> {
        let (mut session, _) = connection::open(&self.address, self.lock_wait, self.known).await?;
        // The schema may have changed while this program had no connection.
        migrate::check(&mut session, self.known).await?;
        Ok(session)
    }

    /// The connection that was used last, as the others may grow old: one of this runtime, or of any where no more may be
    /// opened. The caller has a place.
    fn idle(&self) -> Option<Session> {
        let here = Handle::current().id();
        loop {
            let mut session = {
                let mut idle = self.lock();
                let own = idle.iter().rposition(|session| session.home == here);
                let is_full = idle.len() > self.places.available_permits();
                let last = idle.len().checked_sub(1).filter(|_| is_full);
                idle.remove(own.or(last)?)
            };
            if session.since.elapsed() < LIFETIME && session.is_usable() {
                return Some(session);
            }
        }
    }

    /// Waits for the units that were there first, then closes all connections.
    pub(super) async fn close(&self) {
        let _writers = self.writers.acquire_many(writers(self.size)).await;
        let _all = self.places.acquire_many(self.size).await;
        self.places.close();
        self.writers.close();
        let idle = std::mem::take(&mut *self.lock());
        for session in idle {
            let _elapsed = time::timeout(Duration::from_secs(1), session.close()).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease<'_> {
    /// Lets the next unit use the connection, unless what went wrong over it says that another one is needed.
    pub(super) fn give_back_after(self, fault: Option<&Fault>) {
        if !fault.is_some_and(|fault| fault.again == Again::Lost) {
            self.give_back();
        }
    }

    /// Lets the next unit use the connection, if it is still good for that.
    pub(super) fn give_back(self) {
        let Self {
            mut session, pool, ..
        } = self;
        if session.is_usable() {
            pool.lock().push(session);
        }
    }
}
