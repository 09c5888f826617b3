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

    pub(super) const fn connection(&self) -> &rusqlite::Connection {
        &self.connection
    }

    /// Rows that this connection inserted, changed or deleted since it was opened, by triggers and rolled back ones
    /// included.
    pub(super) fn total_changes(&self) -> u64 {
        self.connection.total_changes()
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        let mut lists = Lists::new();
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        all(&mut statement, sql, params, &mut lists)
    }

    pub(crate) fn query_opt(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, StorageError> {
        let mut lists = Lists::new();
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        bind(&mut statement, sql, params, &mut lists)?;
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
        let mut lists = Lists::new();
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        bind(&mut statement, sql, params, &mut lists)?;
        let changed = statement.raw_execute().map_err(fault)?;
        Ok(changed as u64)
    }

    pub(crate) fn execute_many<R: AsRef<[Value]>>(
        &mut self,
        sql: &str,
        rows: &[R],
    ) -> Result<u64, StorageError> {
        let mut lists = Lists::new();
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let mut changed = 0;
        for row in rows {
            bind(&mut statement, sql, row.as_ref(), &mut lists)?;
            changed += statement.raw_execute().map_err(fault)? as u64;
        }
        Ok(changed)
    }

    /// Not kept among the prepared statements: built text would push out what is used all the time.
    pub(crate) fn query_built(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        let mut lists = Lists::new();
        let mut statement = self.connection.prepare(sql).map_err(fault)?;
        all(&mut statement, sql, params, &mut lists)
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

/// The lists that are bound to a statement, to be dropped after it.
///
/// rusqlite 0.39 lets go of a list without knowing its type (`ToSqlOutput::from_rc`): if that were the last hold on it,
/// everything in the list would be lost memory. So the last hold is this one.
type Lists = Vec<Array>;

fn all(
    statement: &mut Statement<'_>,
    sql: &str,
    params: &[Value],
    lists: &mut Lists,
) -> Result<Vec<Row>, StorageError> {
    bind(statement, sql, params, lists)?;
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
fn bind(
    statement: &mut Statement<'_>,
    sql: &str,
    params: &[Value],
    lists: &mut Lists,
) -> Result<(), StorageError> {
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
        let list = match value {
            Value::Ints(list) => array(list, |int| Owned::Integer(*int)),
            Value::Texts(list) => array(list, |text| Owned::Text(text.clone())),
            Value::Uuids(list) => array(list, |uuid| Owned::Blob(uuid.as_bytes().to_vec())),
            scalar => {
                statement
                    .raw_bind_parameter(place, Scalar(scalar))
                    .map_err(fault)?;
                continue;
            }
        };
        statement.raw_bind_parameter(place, &list).map_err(fault)?;
        lists.push(list);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_let_go_of_by_whoever_knows_what_is_in_it() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        rusqlite::vtab::array::load_module(&connection).unwrap();
        let mut lists = Lists::new();
        for _ in 0..2 {
            let sql = "SELECT value FROM rarray($1)";
            let mut statement = connection.prepare_cached(sql).unwrap();
            let params = [Value::Uuids(vec![uuid::Uuid::nil()])];
            assert_eq!(all(&mut statement, sql, &params, &mut lists).unwrap().len(), 1);
        }
        let holds: Vec<usize> = lists.iter().map(Rc::strong_count).collect();
        assert_eq!(holds, [1, 1]);
    }
}
