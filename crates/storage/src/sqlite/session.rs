//! Statements on one connection.

use std::rc::Rc;
use std::time::Duration;

use rusqlite::Statement;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::vtab::array::Array;

use super::error::fault;
use crate::row::Cell;
use crate::{Row, StorageError, Value};

/// A connection that is set up, with its prepared statements.
pub(crate) struct Session {
    connection: rusqlite::Connection,
}

impl Session {
    pub(super) fn new(connection: rusqlite::Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        all(&mut statement, sql, params)
    }

    pub(crate) fn query_opt(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, StorageError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        bind(&mut statement, sql, params)?;
        let (columns, changes) = (statement.column_count(), !statement.readonly());
        let mut rows = statement.raw_query();
        let first = rows
            .next()
            .map_err(fault)?
            .map(|row| read(row, columns))
            .transpose()?;
        // A change with RETURNING is done only when all its rows were read.
        while changes && rows.next().map_err(fault)?.is_some() {}
        Ok(first)
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StorageError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        bind(&mut statement, sql, params)?;
        let changed = statement.raw_execute().map_err(fault)?;
        Ok(changed as u64)
    }

    pub(crate) fn execute_many<R: AsRef<[Value]>>(
        &mut self,
        sql: &str,
        rows: &[R],
    ) -> Result<u64, StorageError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let mut changed = 0;
        for row in rows {
            bind(&mut statement, sql, row.as_ref())?;
            changed += statement.raw_execute().map_err(fault)? as u64;
        }
        Ok(changed)
    }

    /// Not kept among the prepared statements: built text would push out what is used all the time.
    pub(crate) fn query_built(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        let mut statement = self.connection.prepare(sql).map_err(fault)?;
        all(&mut statement, sql, params)
    }

    /// Runs a script of several statements.
    pub(super) fn script(&mut self, sql: &str) -> Result<(), StorageError> {
        self.connection.execute_batch(sql).map_err(fault)
    }

    /// Runs a statement without parameters or rows: the bounds of a transaction.
    pub(super) fn step(&mut self, sql: &'static str) -> Result<(), StorageError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        statement.raw_execute().map_err(fault)?;
        Ok(())
    }

    /// Whether a transaction is open. SQLite ends one by itself after some errors, a full disk among them.
    pub(super) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// How long a statement waits for another process.
    pub(super) fn wait_at_most(&mut self, limit: Duration) -> Result<(), StorageError> {
        self.connection.busy_timeout(limit).map_err(fault)
    }
}

fn all(statement: &mut Statement<'_>, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
    bind(statement, sql, params)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut read_rows = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        read_rows.push(read(row, columns)?);
    }
    Ok(read_rows)
}

fn read(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, StorageError> {
    let cell = |index| {
        Ok(match row.get_ref(index).map_err(fault)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Int(value),
            ValueRef::Real(value) => Cell::Real(value),
            ValueRef::Text(text) => {
                Cell::Text(std::str::from_utf8(text).map_err(StorageError::opaque)?.into())
            }
            ValueRef::Blob(bytes) => match bytes.try_into() {
                Ok(bytes) => Cell::Bytes16(bytes),
                Err(_other_length) => Cell::Blob(bytes.into()),
            },
        })
    };
    (0..columns).map(cell).collect::<Result<_, _>>().map(Row::new)
}

/// Binds by the number in the placeholder. For SQLite `$2` is a name like any other, which gets its place by
/// first use, so `… b = $2 AND a = $1` would silently swap the values.
fn bind(statement: &mut Statement<'_>, sql: &str, params: &[Value]) -> Result<(), StorageError> {
    let count = statement.parameter_count();
    if count != params.len() {
        let given = params.len();
        return Err(StorageError::Misuse(format!(
            "{count} parameters wanted, {given} given: {sql}"
        )));
    }
    for place in 1..=count {
        let number = statement
            .parameter_name(place)
            .and_then(|name| name.strip_prefix('$'));
        let number = number.and_then(|digits| digits.parse::<usize>().ok());
        let value = number
            .and_then(|number| params.get(number.checked_sub(1)?))
            .ok_or_else(|| {
                StorageError::Misuse(format!("placeholders are $1, $2, … without a gap: {sql}"))
            })?;
        match value {
            Value::Ints(list) => statement.raw_bind_parameter(place, array(list, |int| Owned::Integer(*int))),
            Value::Texts(list) => {
                statement.raw_bind_parameter(place, array(list, |text| Owned::Text(text.clone())))
            }
            Value::Uuids(list) => {
                statement.raw_bind_parameter(place, array(list, |uuid| Owned::Blob(uuid.as_bytes().to_vec())))
            }
            scalar => statement.raw_bind_parameter(place, Scalar(scalar)),
        }
        .map_err(fault)?;
    }
    Ok(())
}

fn array<T>(list: &[T], element: impl Fn(&T) -> Owned) -> Array {
    Rc::new(list.iter().map(element).collect())
}

struct Scalar<'v>(&'v Value);

impl rusqlite::ToSql for Scalar<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Bool(value) => ValueRef::Integer((*value).into()),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Uuid(uuid) => ValueRef::Blob(uuid.as_bytes()),
            Value::Null | Value::Ints(_) | Value::Texts(_) | Value::Uuids(_) => ValueRef::Null,
        }))
    }
}
