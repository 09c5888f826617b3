//! PostgreSQL: each unit of work is a transaction of its own, in its caller's task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::storage::Counters;
use crate::tx::Tx;
use crate::unit::Unit;
use crate::{ConnectionSettings, StorageConfig, StorageError, StorageStats};

mod address;
mod answer;
mod backoff;
mod catalog;
mod connection;
mod error;
mod lookups;
mod migrate;
mod param;
mod pool;
mod session;
mod socket;
mod statements;
mod statistics;
mod tls;
mod unit;
mod wire;

pub(crate) use address::is_postgres;
pub(crate) use catalog::CATALOG;
pub(crate) use session::Session;

use address::Address;
use backoff::Patience;
use error::{Again, Fault};
use lookups::Lookups;
use pool::{Lease, Pool};
use session::Begin;
use statistics::Statistics;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// Units that change data see what was committed before each of their statements, and lock what they decide on.
const WRITE: Begin = &[BEGIN];
/// The same, beside which no other unit of the engine runs.
const WRITE_ALONE: Begin = &[BEGIN, "SELECT pg_advisory_xact_lock(1970496882, 1)"];
/// The same, beside other units of its kind.
const WRITE_BESIDE: Begin = &[BEGIN, "SELECT pg_advisory_xact_lock_shared(1970496882, 1)"];
/// Units that read see one moment.
const READ: Begin = &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"];

/// A database on a server.
pub(crate) struct Postgres {
    pool: Pool,
    lookups: Arc<Lookups>,
    limit: Duration,
    counters: Counters,
    statistics: Statistics,
    opened: Instant,
    queued: AtomicU64,
    settings: Vec<ConnectionSettings>,
}

impl Postgres {
    pub(crate) async fn open(config: &StorageConfig) -> Result<Self, StorageError> {
        let address = Address::parse(&config.url)?;
        let limit = config.busy_timeout;
        let known = crate::migrate::version(config.migrations);
        let mut patience = Patience::new(limit);
        let (session, values) = loop {
            let opened = match connection::open(&address, limit, known).await {
                Ok((mut session, values)) => {
                    let migrated = migrate::run(&mut session, config.migrations).await;
                    migrated.map(|()| (session, values))
                }
                Err(fault) => Err(fault),
            };
            match opened {
                Ok(opened) => break opened,
                Err(fault) => patience.again(fault).await?,
            }
        };
        session.close().await;
        Ok(Self {
            pool: Pool::new(address, config.connections, limit, known),
            lookups: Arc::default(),
            limit,
            counters: Counters::default(),
            statistics: Statistics::default(),
            opened: Instant::now(),
            queued: AtomicU64::new(0),
            settings: vec![ConnectionSettings {
                connection: "each".to_owned(),
                values,
            }],
        })
    }

    pub(crate) async fn write(&self, unit: &dyn Unit) {
        if !self.until_done(unit).await {
            Counters::add(&self.counters.rolled_back, 1);
        }
    }

    /// Runs a unit that may change data until it is committed, or fails for good; which of the two.
    async fn until_done(&self, unit: &dyn Unit) -> bool {
        let mut patience = Patience::new(self.limit);
        loop {
            let lease = {
                let _queued = Queued::new(&self.queued);
                self.pool.take(true, &patience).await
            };
            let failed = match lease {
                Ok(lease) => match self.change(lease, unit).await {
                    Ok(is_kept) => return is_kept,
                    Err(failed) => failed,
                },
                Err(fault) => fault.into(),
            };
            if !failed.may_try_again(&mut patience, unit).await {
                return false;
            }
        }
    }

    pub(crate) async fn read(&self, unit: &dyn Unit) {
        let mut patience = Patience::new(self.limit);
        loop {
            let failed = match self.pool.take(false, &patience).await {
                Ok(lease) => match self.look(lease, unit).await {
                    Ok(()) => return,
                    Err(failed) => failed,
                },
                Err(fault) => fault.into(),
            };
            if !failed.may_try_again(&mut patience, unit).await {
                return;
            }
        }
    }

    /// Waits for the units that came before, then closes the connections.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn stats(&self) -> StorageStats {
        self.counters.stats(self.queued.load(Ordering::Relaxed))
    }

    pub(crate) fn settings(&self) -> &[ConnectionSettings] {
        &self.settings
    }

    /// Runs a unit that may change data once; whether it was kept.
    async fn change(&self, mut lease: Lease<'_>, unit: &dyn Unit) -> Result<bool, Failed> {
        let session = &mut lease.session;
        let is_kept = self.run(session, WRITE, unit).await;
        let fault = session.fault().cloned().map(|fault| match fault.again {
            Again::ReadOnly => Fault::lost("the server has become a standby and takes no changes"),
            _ => fault,
        });
        let result = match (is_kept, fault) {
            (_, Some(fault)) => Err(Failed::in_unit(fault, is_kept)),
            (false, None) => Ok(false),
            (true, None) => match session.commit().await {
                Ok(()) => {
                    Counters::add(&self.counters.committed, 1);
                    Counters::add(&self.counters.commits, 1);
                    Counters::add(&self.counters.rows, session.rows());
                    let rows = self.counters.rows.load(Ordering::Relaxed);
                    if self.statistics.is_due(rows, self.opened.elapsed()) {
                        // The unit is done; this is for those that follow.
                        if let Err(fault) = statistics::refresh(session).await {
                            tracing::debug!(error = %fault.error, "cannot look at tables that have grown");
                        }
                    }
                    lease.give_back();
                    return Ok(true);
                }
                Err(fault) => Err(fault.into()),
            },
        };
        // What cannot be undone over this connection the server undoes when it is closed.
        if session.roll_back().await.is_ok() {
            lease.give_back_after(result.as_ref().err().map(|failed| &failed.fault));
        }
        result
    }

    /// Runs a unit that reads once.
    async fn look(&self, mut lease: Lease<'_>, unit: &dyn Unit) -> Result<(), Failed> {
        let session = &mut lease.session;
        let is_kept = self.run(session, READ, unit).await;
        Counters::add(&self.counters.reads, 1);
        let fault = session.fault().cloned();
        session.end();
        lease.give_back_after(fault.as_ref());
        match fault {
            Some(fault) => Err(Failed::in_unit(fault, is_kept)),
            None => Ok(()),
        }
    }

    async fn run(&self, session: &mut Session, begin: Begin, unit: &dyn Unit) -> bool {
        let waiting = session.waiting();
        session.begin(begin);
        let mut tx = Tx::postgres(session);
        let is_kept = unit::run(unit, &mut tx, &waiting).await;
        Counters::add(&self.counters.statements, tx.statements());
        is_kept
    }
}

/// What the database said.
struct Failed {
    fault: Fault,
    /// Whether the unit has made an error of it.
    is_told: bool,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            is_told: false,
        }
    }
}

impl Failed {
    fn in_unit(fault: Fault, is_kept: bool) -> Self {
        Self {
            fault,
            is_told: !is_kept,
        }
    }

    /// Waits until the unit may be tried again. Where it may not, the error is its answer.
    async fn may_try_again(self, patience: &mut Patience, unit: &dyn Unit) -> bool {
        let Err(error) = patience.again(self.fault).await else {
            return true;
        };
        if !self.is_told {
            unit.fail(error);
        }
        false
    }
}

/// A unit that waits for a connection.
struct Queued<'c>(&'c AtomicU64);

impl<'c> Queued<'c> {
    fn new(count: &'c AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
