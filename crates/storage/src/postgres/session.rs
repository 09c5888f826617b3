//! Statements on one connection, in one transaction after the other.
//!
//! A statement is put into the connection's buffer when it is asked for, and sent with the first one whose answer is awaited.
//! So one way to the server and back carries `BEGIN` and the first reads, or the last changes and `COMMIT`.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tokio::runtime::{self, Handle};
use tokio_postgres::types::{ToSql, Type};

use super::answer::{Answer, Description, Script};
use super::error::{Again, Fault};
use super::param::{Column, Param};
use super::statements::{self, Known, Prepared, Statements};
use super::wire::Wire;
use crate::dialect;
use crate::query::lock::Footing;
use crate::{Row, StorageError, Value};

/// How many executions of a statement are sent together.
const TOGETHER: usize = 64;

// Statics have one address each, by which statements are known.
static COMMIT: &str = "COMMIT";
static ROLLBACK: &str = "ROLLBACK";

/// A connection that is set up, with its prepared statements.
pub(crate) struct Session {
    wire: Wire,
    statements: Statements,
    /// How many statements were prepared: their names are numbers.
    names: u64,
    /// What opens the transaction: sent together with its first statement.
    begin: Option<Begin>,
    /// Whether what is sent belongs to a transaction, and not each to one of its own.
    together: bool,
    /// Whether the server was told to open a transaction.
    open: bool,
    /// Statements that were put and not sent, in order.
    put: Vec<Step>,
    /// What was read for later, by number.
    kept: Vec<Vec<Row>>,
    /// Rows that the transaction inserted, changed or deleted, but for those of triggers and cascades.
    rows: u64,
    /// What the transaction failed of.
    fault: Option<Fault>,
    pub(super) since: Instant,
    /// The runtime that hears of the socket: elsewhere it can be used too, but each answer wakes two threads.
    pub(super) home: runtime::Id,
}

/// What opens a transaction, statement by statement.
pub(super) type Begin = &'static [&'static str];

/// A statement that was put.
pub(super) struct Step {
    pub(super) known: Known,
    /// How many of its rows are wanted.
    pub(super) keep: usize,
    /// The number under which they are kept for later.
    pub(super) later: Option<usize>,
}

/// What a statement did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) rows: Vec<Row>,
    pub(super) changed: u64,
    /// Whether the server says that it undid the transaction.
    pub(super) undone: bool,
}

impl Session {
    /// Over a socket of the runtime that this is called on.
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            statements: Statements::default(),
            names: 0,
            begin: None,
            together: false,
            open: false,
            put: Vec::new(),
            kept: Vec::new(),
            rows: 0,
            fault: None,
            since: Instant::now(),
            home: Handle::current().id(),
        }
    }

    /// Starts a transaction, once the first statement comes.
    pub(super) fn begin(&mut self, begin: Begin) {
        self.forget();
        self.begin = Some(begin);
        self.open = false;
        self.kept.clear();
        self.rows = 0;
        self.fault = None;
    }

    /// Waits, when the transaction opens, until it may run on this footing. The lock is held until it ends.
    pub(crate) fn enter(&mut self, footing: Footing) -> Result<(), StorageError> {
        match &mut self.begin {
            Some(begin) => {
                *begin = match footing {
                    Footing::Alone => super::WRITE_ALONE,
                    Footing::Beside => super::WRITE_BESIDE,
                };
                Ok(())
            }
            None => Err(StorageError::Misuse(
                "a unit takes its footing before its first statement".to_owned(),
            )),
        }
    }

    /// Keeps what the transaction did. With an error nothing is kept, unless the error says that it is not known.
    pub(super) async fn commit(&mut self) -> Result<(), Fault> {
        self.begin = None;
        if !self.open && self.put.is_empty() {
            return Ok(());
        }
        self.put_constant(COMMIT, &[], 0, None).await?;
        let before = self.put.len() - 1;
        let (answered, said, done) = self.exchange().await;
        self.open = false;
        match done {
            Ok(done) if done.undone => Err(Fault::new(
                StorageError::Misuse("a transaction that had failed was to be kept".to_owned()),
                Again::No,
            )),
            Ok(_) => Ok(()),
            // What was not done before the end is not kept.
            Err(fault) if fault.again == Again::Lost && !(said && answered < before) => {
                let reason = match fault.error {
                    StorageError::Unavailable { reason, .. } => reason,
                    error => error.to_string(),
                };
                let error = StorageError::Unavailable {
                    reason,
                    outcome_unknown: true,
                };
                Err(Fault::new(error, Again::No))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Undoes what the transaction did.
    pub(super) async fn roll_back(&mut self) -> Result<(), Fault> {
        self.begin = None;
        self.forget();
        if self.open {
            self.put_constant(ROLLBACK, &[], 0, None).await?;
            self.send().await?;
            self.open = false;
        }
        Ok(())
    }

    /// Ends a transaction that only read. Nobody has to wait for that.
    pub(super) fn end(&mut self) {
        self.begin = None;
        self.forget();
        if self.open {
            let told = self.statements.constant(COMMIT, &[]).is_some_and(|known| {
                self.wire
                    .put_run(&known.name, &known.parameters, std::iter::empty())
                    .is_ok()
            });
            if told {
                self.wire.tell();
                self.open = false;
            }
        }
    }

    /// Drops what was put and not sent.
    fn forget(&mut self) {
        self.put.clear();
        self.wire.forget();
    }

    /// Whether another unit may use the connection.
    pub(super) fn is_usable(&mut self) -> bool {
        !self.open && !self.wire.is_waiting() && self.wire.is_open()
    }

    /// Says goodbye to the server.
    pub(super) async fn close(self) {
        self.wire.close().await;
    }

    /// Whether a statement is under way.
    pub(super) fn waiting(&self) -> Arc<AtomicBool> {
        self.wire.waiting()
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// What the transaction failed of.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, StorageError> {
        let rows = self.constant(sql, params, usize::MAX).await;
        self.told(rows).map(|done| done.rows)
    }

    pub(crate) async fn query_opt(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<Row>, StorageError> {
        let rows = self.constant(sql, params, 1).await;
        self.told(rows).map(|done| done.rows.into_iter().next())
    }

    pub(crate) async fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, StorageError> {
        let rows = self.constant(sql, params, 0).await;
        self.told(rows).map(|done| done.changed)
    }

    pub(crate) async fn execute_many<R: AsRef<[Value]> + Sync>(
        &mut self,
        sql: &'static str,
        rows: &[R],
    ) -> Result<u64, StorageError> {
        let changed = match rows {
            [] => Ok(0),
            [row] => self.constant(sql, row.as_ref(), 0).await.map(|done| done.changed),
            rows => self.many(sql, rows).await,
        };
        self.told(changed)
    }

    pub(crate) async fn query_built(
        &mut self,
        sql: &str,
        params: &[Value],
    ) -> Result<Vec<Row>, StorageError> {
        let rows = self.built(sql, params).await;
        self.told(rows).map(|done| done.rows)
    }

    /// Puts a query, whose rows are asked for later under the number that this answers.
    pub(crate) async fn query_later(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<usize, StorageError> {
        let number = self.kept.len();
        let put = self.put_constant(sql, params, usize::MAX, Some(number)).await;
        self.told(put)?;
        self.kept.push(Vec::new());
        Ok(number)
    }

    /// The rows of an earlier query, each time but the first none.
    pub(crate) async fn rows_of(&mut self, number: usize) -> Result<Vec<Row>, StorageError> {
        if self.put.iter().any(|step| step.later == Some(number)) {
            let sent = self.send().await;
            self.told(sent)?;
        }
        Ok(self.kept.get_mut(number).map(mem::take).unwrap_or_default())
    }

    /// Runs queries that need no transaction, in one go: what those found that came to their end, and what went wrong with the
    /// next one.
    pub(super) async fn look_up<'v>(
        &mut self,
        statements: impl Iterator<Item = (&'static str, &'v [Value])>,
    ) -> (Vec<Vec<Row>>, Option<Fault>) {
        self.begin(&[]);
        self.begin = None;
        self.together = false;
        let (mut known, mut fault) = (Vec::new(), None);
        for (sql, params) in statements {
            match self.known(sql, params).await {
                Ok(one) => known.push((one, params)),
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        for (place, (one, params)) in known.into_iter().enumerate() {
            if let Err(error) = self.put_run(one, params, usize::MAX, Some(place)) {
                fault = Some(error);
                break;
            }
            self.kept.push(Vec::new());
        }
        if !self.put.is_empty() {
            let (answered, _, done) = self.exchange().await;
            if let Err(error) = done {
                self.kept.truncate(answered);
                fault = Some(error);
            }
        }
        (mem::take(&mut self.kept), fault)
    }

    /// Puts a change. What goes wrong with it is an error of a later call.
    pub(crate) async fn execute_later(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<(), StorageError> {
        let put = self.put_constant(sql, params, 0, None).await;
        self.told(put)
    }

    /// The same for many rows.
    pub(crate) async fn execute_many_later<R: AsRef<[Value]> + Sync>(
        &mut self,
        sql: &'static str,
        rows: &[R],
    ) -> Result<(), StorageError> {
        let put = match rows {
            [] => Ok(()),
            [row] => self.put_constant(sql, row.as_ref(), 0, None).await,
            rows => self.put_many(sql, rows).await,
        };
        self.told(put)
    }

    /// Runs a script of several statements; answers the texts of the last row, if there is one.
    pub(super) async fn script(&mut self, sql: &str) -> Result<Vec<Option<String>>, Fault> {
        self.put_begin().await?;
        if !self.put.is_empty() {
            self.send().await?;
        }
        let mut answer = Script::default();
        let sent = self.wire.script(sql, &mut answer).await;
        answer.outcome(sent)
    }

    fn told<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, StorageError> {
        outcome.map_err(|fault| {
            let error = fault.error.clone();
            self.fault = Some(fault);
            error
        })
    }

    async fn constant(&mut self, sql: &'static str, params: &[Value], keep: usize) -> Result<Done, Fault> {
        self.put_constant(sql, params, keep, None).await?;
        self.send().await
    }

    async fn put_constant(
        &mut self,
        sql: &'static str,
        params: &[Value],
        keep: usize,
        later: Option<usize>,
    ) -> Result<(), Fault> {
        self.put_begin().await?;
        let known = self.known(sql, params).await?;
        self.put_run(known, params, keep, later)
    }

    /// Puts what opens the transaction, before its first statement.
    async fn put_begin(&mut self) -> Result<(), Fault> {
        let Some(begin) = self.begin else {
            return Ok(());
        };
        // What is prepared meanwhile is no statement of the transaction. Its end must not wait for that.
        for sql in begin.iter().chain([&COMMIT]) {
            self.known(sql, &[]).await?;
        }
        self.begin = None;
        self.together = !begin.is_empty();
        for sql in begin {
            let known = self.known(sql, &[]).await?;
            self.put_run(known, &[], 0, None)?;
        }
        Ok(())
    }

    async fn known(&mut self, sql: &'static str, params: &[Value]) -> Result<Known, Fault> {
        if let Some(known) = self.statements.constant(sql, params) {
            return Ok(known);
        }
        statements::counted(sql, params.len())?;
        let known = self
            .prepare(&dialect::for_postgres(sql), &statements::types(params))
            .await?;
        self.statements.keep_constant(sql, &known);
        Ok(known)
    }

    async fn built(&mut self, sql: &str, params: &[Value]) -> Result<Done, Fault> {
        self.put_begin().await?;
        let known = match self.statements.built(sql, params) {
            Some(known) => known,
            None => {
                let known = self
                    .prepare(&dialect::for_postgres(sql), &statements::types(params))
                    .await?;
                let count = known.parameters.len();
                if count != params.len() {
                    return Err(statements::miscounted(count, params.len(), sql));
                }
                for gone in self.statements.keep_built(sql, &known) {
                    self.wire.put_close(&gone.name)?;
                }
                known
            }
        };
        self.put_run(known, params, usize::MAX, None)?;
        self.send().await
    }

    /// Runs one statement for many rows: over arrays where its text has `VALUES`, else one execution for each row, sent
    /// without waiting for the one before.
    async fn many<R: AsRef<[Value]> + Sync>(&mut self, sql: &'static str, rows: &[R]) -> Result<u64, Fault> {
        if !self.put.is_empty() {
            self.send().await?;
        }
        let before = self.rows;
        self.put_many(sql, rows).await?;
        self.send().await?;
        Ok(self.rows - before)
    }

    async fn put_many<R: AsRef<[Value]> + Sync>(
        &mut self,
        sql: &'static str,
        rows: &[R],
    ) -> Result<(), Fault> {
        self.put_begin().await?;
        let known = match self.statements.many(sql) {
            Some(known) => known,
            None => {
                statements::counted(sql, rows.first().map_or(0, |row| row.as_ref().len()))?;
                let text = dialect::for_postgres(sql);
                let single = self.prepare(&text, &statements::types_of_rows(rows)).await?;
                let known = match statements::text_of_many(&text, &single.parameters) {
                    Some(text) => Some(self.prepare(&text, &[]).await?),
                    None => None,
                };
                self.wire.put_close(&single.name)?;
                self.statements.keep_many(sql, known.clone());
                known
            }
        };
        match known {
            Some(known) => self.put_arrays(sql, known, rows),
            None => self.one_by_one(sql, rows).await,
        }
    }

    fn put_arrays<R: AsRef<[Value]>>(
        &mut self,
        sql: &'static str,
        known: Known,
        rows: &[R],
    ) -> Result<(), Fault> {
        let misuse = || {
            let error = StorageError::Misuse(format!(
                "a column of these rows has values of different types: {sql}"
            ));
            Fault::new(error, Again::No)
        };
        let columns: Option<Vec<Column<'_>>> = known
            .parameters
            .iter()
            .enumerate()
            .map(|(place, array)| {
                let values: Option<Vec<&Value>> = rows.iter().map(|row| row.as_ref().get(place)).collect();
                Column::of(&element(array)?, values?.into_iter())
            })
            .collect();
        let columns = columns.ok_or_else(misuse)?;
        let params = columns.iter().map(|column| column as &(dyn ToSql + Sync));
        self.wire.put_run(&known.name, &known.parameters, params)?;
        self.put.push(Step {
            known,
            keep: 0,
            later: None,
        });
        Ok(())
    }

    async fn one_by_one<R: AsRef<[Value]>>(&mut self, sql: &'static str, rows: &[R]) -> Result<(), Fault> {
        for row in rows {
            if self.put.len() >= TOGETHER {
                self.send().await?;
            }
            self.put_constant(sql, row.as_ref(), 0, None).await?;
        }
        Ok(())
    }

    fn put_run(
        &mut self,
        known: Known,
        params: &[Value],
        keep: usize,
        later: Option<usize>,
    ) -> Result<(), Fault> {
        let params: Vec<_> = params.iter().map(Param).collect();
        let params = params.iter().map(|param| param as &(dyn ToSql + Sync));
        self.wire.put_run(&known.name, &known.parameters, params)?;
        self.put.push(Step { known, keep, later });
        Ok(())
    }

    /// Sends what was put; answers what the last statement did. With an error, those behind the one that failed did nothing.
    async fn send(&mut self) -> Result<Done, Fault> {
        self.exchange().await.2
    }

    /// The same, how many statements were done, and whether the server itself said what went wrong.
    async fn exchange(&mut self) -> (usize, bool, Result<Done, Fault>) {
        let steps = mem::take(&mut self.put);
        self.open = self.together;
        let mut answer = Answer::new(steps);
        let sent = self.wire.ask(&mut answer).await;
        self.rows += answer.changed;
        for (number, rows) in answer.later.drain(..) {
            if let Some(kept) = self.kept.get_mut(number) {
                *kept = rows;
            }
        }
        (answer.answered(), answer.is_refused(), answer.outcome(sent))
    }

    async fn prepare(&mut self, text: &str, types: &[Type]) -> Result<Known, Fault> {
        if !self.put.is_empty() {
            self.send().await?;
        }
        self.names += 1;
        let name = format!("s{}", self.names);
        self.wire.put_parse(&name, text, types)?;
        let mut description = Description::default();
        let sent = self.wire.ask(&mut description).await;
        let (parameters, columns) = description.outcome(sent)?;
        Ok(Arc::new(Prepared::new(name, text, parameters, columns)))
    }
}

/// The type of an array's elements.
fn element(array: &Type) -> Option<Type> {
    match array.kind() {
        tokio_postgres::types::Kind::Array(element) => Some(element.clone()),
        _ => None,
    }
}
