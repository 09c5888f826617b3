//! Lookups that go to the server together.
//!
//! A lookup is one short statement, and most of what it costs is the way: to write, to go to sleep, to wake up, to read. So
//! whoever finds that another lookup of the same runtime is on its way waits for its return, and goes then with all who have
//! come meanwhile. Nobody waits for others to come. Each statement sees the moment at which the server begins it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::Postgres;
use super::backoff::Patience;
use super::error::Fault;
use crate::storage::Counters;
use crate::{Row, StorageError, Value};

/// How many go together at most.
const TOGETHER: usize = 64;

/// Who waits, for each runtime: answers then reach whoever waits on the thread that reads them.
#[derive(Default)]
pub(super) struct Lookups(Mutex<HashMap<runtime::Id, Queue>>);

/// Those of one runtime.
#[derive(Default)]
struct Queue {
    is_led: bool,
    waiting: VecDeque<Waiting>,
}

/// A statement and its values.
struct Statement {
    sql: &'static str,
    params: Vec<Value>,
}

struct Waiting {
    statement: Statement,
    answer: oneshot::Sender<Turn>,
}

/// What somebody who waited is told.
enum Turn {
    /// What the statement found, or what went wrong.
    Done(Result<Vec<Row>, Fault>),
    /// One before it failed, and it was not begun.
    Again,
    /// It is up to you to go, and to take the others along.
    Lead(Lead, Statement),
}

/// The right to go, which whoever waits gets next.
struct Lead {
    lookups: Arc<Lookups>,
    home: runtime::Id,
}

impl Lookups {
    fn lock(&self) -> MutexGuard<'_, HashMap<runtime::Id, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to go, or else a place among those who wait.
    fn enter(self: &Arc<Self>, statement: Statement) -> Result<(Lead, Statement), oneshot::Receiver<Turn>> {
        let home = Handle::current().id();
        let mut queues = self.lock();
        let queue = queues.entry(home).or_default();
        if queue.is_led {
            let (answer, wait) = oneshot::channel();
            queue.waiting.push_back(Waiting { statement, answer });
            return Err(wait);
        }
        queue.is_led = true;
        let lead = Lead {
            lookups: Arc::clone(self),
            home,
        };
        Ok((lead, statement))
    }
}

impl Lead {
    /// Those who go along.
    fn others(&self) -> Vec<Waiting> {
        let mut queues = self.lookups.lock();
        let Some(queue) = queues.get_mut(&self.home) else {
            return Vec::new();
        };
        let count = queue.waiting.len().min(TOGETHER - 1);
        queue.waiting.drain(..count).collect()
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let next = {
            let mut queues = self.lookups.lock();
            let Some(queue) = queues.get_mut(&self.home) else {
                return;
            };
            // Nobody leads for those who went away.
            let next = loop {
                match queue.waiting.pop_front() {
                    Some(next) if next.answer.is_closed() => {}
                    next => break next,
                }
            };
            queue.is_led = next.is_some();
            next
        };
        let Some(next) = next else { return };
        let lead = Self {
            lookups: Arc::clone(&self.lookups),
            home: self.home,
        };
        // Whoever goes away with it drops it, and the next one gets it.
        let _gone = next.answer.send(Turn::Lead(lead, next.statement));
    }
}

impl Postgres {
    /// What one statement finds.
    pub(crate) async fn look_up(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StorageError> {
        let mut patience = Patience::new(self.limit);
        loop {
            let statement = Statement {
                sql,
                params: params.clone(),
            };
            let turn = match self.lookups.enter(statement) {
                Ok((lead, statement)) => {
                    // Those whose requests have arrived as well come along.
                    yield_now().await;
                    Turn::Lead(lead, statement)
                }
                Err(wait) => match wait.await {
                    Ok(turn) => turn,
                    // Who led went away in the middle.
                    Err(_gone) => Turn::Again,
                },
            };
            let found = match turn {
                Turn::Lead(lead, statement) => self.lead(lead, statement, &patience).await,
                Turn::Done(found) => found,
                Turn::Again => continue,
            };
            match found {
                Ok(rows) => return Ok(rows),
                Err(fault) => patience.again(fault).await?,
            }
        }
    }

    /// Runs a statement together with those that wait, and tells them; what the first one found.
    async fn lead(&self, lead: Lead, first: Statement, patience: &Patience) -> Result<Vec<Row>, Fault> {
        let mut lease = self.pool.take(false, patience).await?;
        let (mut statements, mut answers) = (vec![first], Vec::new());
        for Waiting { statement, answer } in lead.others() {
            // Nobody waits for what was given up.
            if !answer.is_closed() {
                statements.push(statement);
                answers.push(answer);
            }
        }
        let asked = statements.iter().map(|one| (one.sql, one.params.as_slice()));
        let (found, fault) = lease.session.look_up(asked).await;
        let count = statements.len() as u64;
        Counters::add(&self.counters.reads, count);
        Counters::add(&self.counters.statements, count);
        lease.give_back_after(fault.as_ref());
        drop(lead);

        let done = found.into_iter().map(Ok).chain(fault.map(Err));
        let mut turns = done.map(Turn::Done).chain(std::iter::repeat_with(|| Turn::Again));
        let first = turns.next();
        for (answer, turn) in answers.into_iter().zip(turns) {
            let _gone = answer.send(turn);
        }
        match first {
            Some(Turn::Done(found)) => found,
            _ => unreachable!("the first statement found something, or failed"),
        }
    }
}
