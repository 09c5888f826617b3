//! Statements on one connection, in one transaction after the other.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use futures_util::TryStreamExt as _;
use futures_util::future::{join, try_join_all};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Statement};

use super::error::{Again, Fault};
use super::param::{Column, Param};
use super::statements::{self, Known, Statements};
use super::wire::Wire;
use crate::dialect;
use crate::query::lock::Footing;
use crate::row::Cell;
use crate::{Row, StorageError, Value};

/// How many executions of a statement are sent ahead of their answers.
const AHEAD: usize = 64;

/// A connection that is set up, with its prepared statements.
pub(crate) struct Session {
    wire: Wire,
    statements: Statements,
    /// What opens the transaction: sent together with its first statement.
    begin: Option<&'static str>,
    /// Whether the server was told to open a transaction.
    open: bool,
    /// Rows that the transaction inserted, changed or deleted, but for those of triggers and cascades.
    rows: u64,
    /// What the transaction failed of.
    fault: Option<Fault>,
    pub(super) since: Instant,
}

impl Session {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            statements: Statements::default(),
            begin: None,
            open: false,
            rows: 0,
            fault: None,
            since: Instant::now(),
        }
    }

    /// Starts a transaction, once the first statement comes.
    pub(super) fn begin(&mut self, text: &'static str) {
        self.begin = Some(text);
        self.open = false;
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
        if !self.open {
            return Ok(());
        }
        let done = self.wire.ask(|client| client.batch_execute("COMMIT")).await;
        self.open = false;
        done.map_err(|fault| match fault.again {
            Again::Lost => {
                let reason = match fault.error {
                    StorageError::Unavailable { reason, .. } => reason,
                    error => error.to_string(),
                };
                let error = StorageError::Unavailable {
                    reason,
                    outcome_unknown: true,
                };
                Fault::new(error, Again::No)
            }
            _ => fault,
        })
    }

    /// Undoes what the transaction did.
    pub(super) async fn roll_back(&mut self) -> Result<(), Fault> {
        self.begin = None;
        if self.open {
            self.wire.ask(|client| client.batch_execute("ROLLBACK")).await?;
            self.open = false;
        }
        Ok(())
    }

    /// Ends a transaction that only read. Nobody has to wait for that.
    pub(super) fn end(&mut self) {
        self.begin = None;
        if self.open {
            self.wire.tell(|client| client.batch_execute("COMMIT"));
            self.open = false;
        }
    }

    /// Whether another unit may use the connection.
    pub(super) fn is_usable(&mut self) -> bool {
        !self.open && !self.wire.is_waiting() && self.wire.is_open()
    }

    /// Says goodbye to the server.
    pub(super) async fn close(self) {
        let Self { wire, statements, .. } = self;
        drop(statements);
        wire.close().await;
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

    /// Runs a script of several statements.
    pub(super) async fn script(&mut self, sql: &str) -> Result<(), Fault> {
        self.ask(|client| client.batch_execute(sql)).await
    }

    fn told<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, StorageError> {
        outcome.map_err(|fault| {
            let error = fault.error.clone();
            self.fault = Some(fault);
            error
        })
    }

    async fn constant(&mut self, sql: &'static str, params: &[Value], keep: usize) -> Result<Done, Fault> {
        let known = self.known(sql, params).await?;
        self.run(&known, params, keep).await
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
        let known = match self.statements.built(sql, params) {
            Some(known) => known,
            None => {
                let known = self
                    .prepare(&dialect::for_postgres(sql), &statements::types(params))
                    .await?;
                let count = known.statement.params().len();
                if count != params.len() {
                    return Err(statements::miscounted(count, params.len(), sql));
                }
                self.statements.keep_built(sql, &known);
                known
            }
        };
        self.run(&known, params, usize::MAX).await
    }

    /// Runs one statement for many rows: over arrays where its text has `VALUES`, else one execution for each row, sent
    /// without waiting for the one before.
    async fn many<R: AsRef<[Value]> + Sync>(&mut self, sql: &'static str, rows: &[R]) -> Result<u64, Fault> {
        let known = match self.statements.many(sql) {
            Some(known) => known,
            None => {
                statements::counted(sql, rows.first().map_or(0, |row| row.as_ref().len()))?;
                let text = dialect::for_postgres(sql);
                let single = self.prepare(&text, &statements::types_of_rows(rows)).await?;
                let known = match statements::text_of_many(&text, single.statement.params()) {
                    Some(text) => Some(self.prepare(&text, &[]).await?),
                    None => None,
                };
                self.statements.keep_many(sql, known.clone());
                known
            }
        };
        match known {
            Some(known) => self.over_arrays(sql, &known, rows).await,
            None => self.one_by_one(sql, rows).await,
        }
    }

    async fn over_arrays<R: AsRef<[Value]>>(
        &mut self,
        sql: &'static str,
        known: &Known,
        rows: &[R],
    ) -> Result<u64, Fault> {
        let misuse = || {
            let error = StorageError::Misuse(format!(
                "a column of these rows has values of different types: {sql}"
            ));
            Fault::new(error, Again::No)
        };
        let columns: Option<Vec<Column<'_>>> = known
            .statement
            .params()
            .iter()
            .enumerate()
            .map(|(place, array)| {
                let values: Option<Vec<&Value>> = rows.iter().map(|row| row.as_ref().get(place)).collect();
                Column::of(&element(array)?, values?.into_iter())
            })
            .collect();
        let columns = columns.ok_or_else(misuse)?;
        let params = columns.iter().map(|column| column as &(dyn ToSql + Sync));
        let statement = &known.statement;
        let done = self.ask(|client| read(client, statement, params, 0)).await?;
        self.rows += done.changed;
        Ok(done.changed)
    }

    async fn one_by_one<R: AsRef<[Value]>>(&mut self, sql: &'static str, rows: &[R]) -> Result<u64, Fault> {
        let mut changed = 0;
        for part in rows.chunks(AHEAD) {
            let mut known = Vec::with_capacity(part.len());
            for row in part {
                known.push(self.known(sql, row.as_ref()).await?);
            }
            let sent =
                |client| {
                    try_join_all(part.iter().zip(&known).map(move |(row, known)| {
                        let params = row.as_ref().iter().map(Param).collect::<Vec<_>>();
                        async move {
                            read(client, &known.statement, params.iter().map(|param| param as _), 0).await
                        }
                    }))
                };
            let done = self.ask(sent).await?;
            changed += done.iter().map(|done| done.changed).sum::<u64>();
        }
        self.rows += changed;
        Ok(changed)
    }

    async fn run(&mut self, known: &Known, params: &[Value], keep: usize) -> Result<Done, Fault> {
        let params: Vec<_> = params.iter().map(Param).collect();
        let params = params.iter().map(|param| param as &(dyn ToSql + Sync));
        let done = self
            .ask(|client| read(client, &known.statement, params, keep))
            .await?;
        if known.changes {
            self.rows += done.changed;
        }
        Ok(done)
    }

    async fn prepare(&mut self, text: &str, types: &[Type]) -> Result<Known, Fault> {
        let statement = self.ask(|client| client.prepare_typed(text, types)).await?;
        Ok(Known::new(statement, text))
    }

    /// Makes a request; the first one of a transaction opens it, without waiting for that first.
    async fn ask<'c, T, F>(&'c mut self, ask: impl FnOnce(&'c Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Some(begin) = self.begin.take() else {
            return self.wire.ask(ask).await;
        };
        self.open = true;
        let both = |client: &'c Client| {
            let request = ask(client);
            async move {
                let (begun, answer) = join(client.batch_execute(begin), request).await;
                begun?;
                answer
            }
        };
        self.wire.ask(both).await
    }
}

/// What a statement did.
struct Done {
    rows: Vec<Row>,
    changed: u64,
}

/// Runs a statement and reads its answer to the end; keeps so many rows.
async fn read<'p>(
    client: &Client,
    statement: &Statement,
    params: impl ExactSizeIterator<Item = &'p (dyn ToSql + Sync)>,
    keep: usize,
) -> Result<Done, Error> {
    let mut answer = pin!(client.query_raw(statement, params).await?);
    let columns = statement.columns().len();
    let mut rows = Vec::new();
    while let Some(row) = answer.try_next().await? {
        if rows.len() < keep {
            let cells: Result<Box<[Cell]>, Error> = (0..columns).map(|column| row.try_get(column)).collect();
            rows.push(Row::new(cells?));
        }
    }
    let changed = answer.rows_affected().unwrap_or(0);
    Ok(Done { rows, changed })
}

/// The type of an array's elements.
fn element(array: &Type) -> Option<Type> {
    match array.kind() {
        tokio_postgres::types::Kind::Array(element) => Some(element.clone()),
        _ => None,
    }
}
