//! The transaction a unit of work runs in.

use std::pin::Pin;

use crate::content::Catalog;
use crate::query::lock::Footing;
use crate::{Row, StorageError, Value, postgres, sqlite};

/// What a unit of work returns: a boxed future that borrows the transaction.
pub type Work<'t, T, E = StorageError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

/// A transaction. Statements run in the order they are awaited; whether they are kept is decided by the
/// unit's result.
///
/// SQL text is constant, uses `$1`, `$2`, … for its parameters (each used at least once, in any order) and is
/// prepared once for each connection.
///
/// After an error from the database the unit is over: later statements repeat the error, and the unit is
/// rolled back even when it returns `Ok`. PostgreSQL works so, and one rule holds for both. Write
/// `ON CONFLICT` where a clash is expected.
///
/// A statement whose answer is not needed at once is asked for with one of the methods that end with `later`. On PostgreSQL
/// it goes on its way together with the next one whose answer is awaited, or with the end of the unit; SQLite runs it at
/// once. It runs in its place in the order, and what goes wrong with it is an error of a later call, or of the unit.
pub struct Tx<'c> {
    engine: Engine<'c>,
    statements: u64,
    broken: Option<StorageError>,
}

/// Rows that were asked for and are not read yet: see [`Tx::query_later`].
#[derive(Debug)]
#[must_use]
pub struct Later<T> {
    expected: Expected,
    read: fn(&Row) -> Result<T, StorageError>,
}

#[derive(Debug)]
enum Expected {
    /// They are here.
    Read(Vec<Row>),
    /// The connection has them under a number.
    Number(usize),
}

enum Engine<'c> {
    Sqlite(&'c mut sqlite::Session),
    Postgres(&'c mut postgres::Session),
}

impl<'c> Tx<'c> {
    pub(crate) fn sqlite(session: &'c mut sqlite::Session) -> Self {
        Self::new(Engine::Sqlite(session))
    }

    pub(crate) fn postgres(session: &'c mut postgres::Session) -> Self {
        Self::new(Engine::Postgres(session))
    }

    fn new(engine: Engine<'c>) -> Self {
        Self {
            engine,
            statements: 0,
            broken: None,
        }
    }

    /// All rows of a query, or of a change with `RETURNING`.
    pub async fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        self.start(params)?;
        let rows = match &mut self.engine {
            Engine::Sqlite(session) => session.query(sql, params),
            Engine::Postgres(session) => Box::pin(session.query(sql, params)).await,
        };
        self.finish(rows)
    }

    /// The first row, if there is one.
    pub async fn query_opt(
        &mut self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Option<Row>, StorageError> {
        self.start(params)?;
        let row = match &mut self.engine {
            Engine::Sqlite(session) => session.query_opt(sql, params),
            Engine::Postgres(session) => Box::pin(session.query_opt(sql, params)).await,
        };
        self.finish(row)
    }

    /// The first row, which has to be there.
    ///
    /// # Errors
    /// [`StorageError::NoRow`] when there is none; the unit may go on after it.
    pub async fn query_one(&mut self, sql: &'static str, params: &[Value]) -> Result<Row, StorageError> {
        self.query_opt(sql, params).await?.ok_or(StorageError::NoRow)
    }

    /// Runs a change and returns how many rows it changed, without those changed by triggers and cascades.
    pub async fn execute(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, StorageError> {
        self.start(params)?;
        let changed = match &mut self.engine {
            Engine::Sqlite(session) => session.execute(sql, params),
            Engine::Postgres(session) => Box::pin(session.execute(sql, params)).await,
        };
        self.finish(changed)
    }

    /// Runs one change for each row of parameters and returns how many rows changed in all. Nothing to do
    /// for no rows.
    ///
    /// SQLite binds one prepared statement again for each row. PostgreSQL turns the one `VALUES ($1, …)` into
    /// a read of `UNNEST`, so the text holds exactly one such clause, and no parameter outside of it.
    pub async fn execute_many<R: AsRef<[Value]> + Sync>(
        &mut self,
        sql: &'static str,
        rows: &[R],
    ) -> Result<u64, StorageError> {
        self.start(rows.iter().flat_map(|row| row.as_ref()))?;
        let changed = match &mut self.engine {
            Engine::Sqlite(session) => session.execute_many(sql, rows),
            Engine::Postgres(session) => Box::pin(session.execute_many(sql, rows)).await,
        };
        self.finish(changed)
    }

    /// As [`query`](Self::query), for rows that are needed only after other statements, and then read in this way.
    pub async fn query_later<T>(
        &mut self,
        sql: &'static str,
        params: &[Value],
        read: fn(&Row) -> Result<T, StorageError>,
    ) -> Result<Later<T>, StorageError> {
        self.start(params)?;
        let expected = match &mut self.engine {
            Engine::Sqlite(session) => session.query(sql, params).map(Expected::Read),
            Engine::Postgres(session) => {
                let number = Box::pin(session.query_later(sql, params)).await;
                number.map(Expected::Number)
            }
        };
        let expected = self.finish(expected)?;
        Ok(Later { expected, read })
    }

    /// The rows that were asked for by [`query_later`](Self::query_later) of this unit.
    pub async fn rows<T>(&mut self, later: Later<T>) -> Result<Vec<T>, StorageError> {
        let Later { expected, read } = later;
        let number = match expected {
            Expected::Read(rows) => return rows.iter().map(read).collect(),
            Expected::Number(number) => number,
        };
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let rows = match &mut self.engine {
            Engine::Sqlite(_) => Ok(Vec::new()),
            Engine::Postgres(session) => Box::pin(session.rows_of(number)).await,
        };
        self.finish(rows)?.iter().map(read).collect()
    }

    /// As [`execute`](Self::execute), where nobody asks how many rows changed.
    pub async fn execute_later(&mut self, sql: &'static str, params: &[Value]) -> Result<(), StorageError> {
        self.start(params)?;
        let put = match &mut self.engine {
            Engine::Sqlite(session) => session.execute(sql, params).map(drop),
            Engine::Postgres(session) => Box::pin(session.execute_later(sql, params)).await,
        };
        self.finish(put)
    }

    /// As [`execute_many`](Self::execute_many), where nobody asks how many rows changed.
    pub async fn execute_many_later<R: AsRef<[Value]> + Sync>(
        &mut self,
        sql: &'static str,
        rows: &[R],
    ) -> Result<(), StorageError> {
        self.start(rows.iter().flat_map(|row| row.as_ref()))?;
        let put = match &mut self.engine {
            Engine::Sqlite(session) => session.execute_many(sql, rows).map(drop),
            Engine::Postgres(session) => Box::pin(session.execute_many_later(sql, rows)).await,
        };
        self.finish(put)
    }

    /// The one way to run SQL text that was put together at run time, for filters. The text is built from
    /// constants alone; every value goes into `params`.
    pub async fn query_built(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        self.start(params)?;
        let rows = match &mut self.engine {
            Engine::Sqlite(session) => session.query_built(sql, params),
            Engine::Postgres(session) => Box::pin(session.query_built(sql, params)).await,
        };
        self.finish(rows)
    }

    /// Begins on a footing and answers the one that the unit has: on SQLite every unit that may change data is alone. Comes
    /// before the first statement.
    pub(crate) fn enter(&mut self, footing: Footing) -> Result<Footing, StorageError> {
        match &mut self.engine {
            Engine::Sqlite(_) => Ok(Footing::Alone),
            Engine::Postgres(session) => session.enter(footing).map(|()| footing),
        }
    }

    /// Runs a statement that does nothing but wait for locks, where several units run at the same time: the next statement
    /// runs when they are held. It is not counted among the unit's statements, because SQLite has none for it.
    pub(crate) async fn lock(&mut self, sql: &'static str, params: &[Value]) -> Result<(), StorageError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let locked = match &mut self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(session) => Box::pin(session.execute_later(sql, params)).await,
        };
        self.finish(locked)
    }

    /// How this engine is asked for its tables.
    pub(crate) fn catalog(&self) -> &'static Catalog {
        match &self.engine {
            Engine::Sqlite(_) => &sqlite::CATALOG,
            Engine::Postgres(_) => &postgres::CATALOG,
        }
    }

    /// How many statements this unit ran so far: an [`execute_many`](Self::execute_many) is one.
    pub fn statements(&self) -> u64 {
        self.statements
    }

    /// The error that ended this unit, whatever its own result says.
    pub(crate) fn broken(&self) -> Option<&StorageError> {
        self.broken.as_ref()
    }

    fn start<'v>(&mut self, params: impl IntoIterator<Item = &'v Value>) -> Result<(), StorageError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if params.into_iter().any(has_nul) {
            return self.finish(Err(StorageError::NulInText));
        }
        self.statements += 1;
        Ok(())
    }

    fn finish<T>(&mut self, outcome: Result<T, StorageError>) -> Result<T, StorageError> {
        if let Err(error) = &outcome {
            self.broken = Some(error.clone());
        }
        outcome
    }
}

/// Whether a parameter has a text that not both engines can hold.
pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::Texts(texts) => texts.iter().any(|text| text.contains('\0')),
        _ => false,
    }
}
