//! The prepared statements of one connection.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::types::Type;

use super::error::{Again, Fault};
use super::param::{array_name, fits, type_of};
use crate::dialect;
use crate::{StorageError, Value};

/// How many statements of built text are kept; beyond that all of them are prepared again.
const BUILT: usize = 128;

/// A prepared statement.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Its name on the connection.
    pub(super) name: String,
    pub(super) parameters: Vec<Type>,
    pub(super) columns: Vec<Type>,
    /// Whether its rows count as changed ones.
    pub(super) changes: bool,
}

impl Prepared {
    /// The prepared form of this text, as the server described it.
    pub(super) fn new(name: String, text: &str, parameters: Vec<Type>, columns: Vec<Type>) -> Self {
        Self {
            name,
            parameters,
            columns,
            changes: changes(text),
        }
    }
}

/// A prepared statement of this connection.
pub(super) type Known = Arc<Prepared>;

/// The prepared statements of one connection: constant text by its address, built text by what it says.
#[derive(Default)]
pub(super) struct Statements {
    constant: HashMap<Key, Vec<Known>>,
    many: HashMap<Key, Option<Known>>,
    built: HashMap<String, Vec<Known>>,
}

/// Where a constant text is: its address, which is compared and never followed, and its length. Comparing that is faster
/// than comparing the text.
type Key = (usize, usize);

fn key(sql: &'static str) -> Key {
    (sql.as_ptr().addr(), sql.len())
}

impl Statements {
    /// The statement of a constant text for these values, if it is prepared.
    pub(super) fn constant(&self, sql: &'static str, values: &[Value]) -> Option<Known> {
        find(self.constant.get(&key(sql))?, values)
    }

    /// The same of a built text.
    pub(super) fn built(&self, sql: &str, values: &[Value]) -> Option<Known> {
        find(self.built.get(sql)?, values)
    }

    pub(super) fn keep_constant(&mut self, sql: &'static str, known: &Known) {
        self.constant.entry(key(sql)).or_default().push(Arc::clone(known));
    }

    /// Keeps one, and answers those that had to go for it.
    pub(super) fn keep_built(&mut self, sql: &str, known: &Known) -> Vec<Known> {
        let gone = match self.built.len() >= BUILT {
            true => std::mem::take(&mut self.built).into_values().flatten().collect(),
            false => Vec::new(),
        };
        self.built
            .entry(sql.to_owned())
            .or_default()
            .push(Arc::clone(known));
        gone
    }

    /// The form for many rows of a constant text, if it was made: nothing inside where the text has none.
    pub(super) fn many(&self, sql: &'static str) -> Option<Option<Known>> {
        self.many.get(&key(sql)).cloned()
    }

    pub(super) fn keep_many(&mut self, sql: &'static str, known: Option<Known>) {
        self.many.insert(key(sql), known);
    }
}

/// The one among variants whose parameters take these values.
fn find(variants: &[Known], values: &[Value]) -> Option<Known> {
    let takes = |known: &&Known| {
        let parameters = &known.parameters;
        parameters.len() == values.len()
            && values
                .iter()
                .zip(parameters)
                .all(|(value, kind)| fits(value, kind))
    };
    variants.iter().find(takes).map(Arc::clone)
}

/// The types that the values say.
pub(super) fn types(values: &[Value]) -> Vec<Type> {
    values.iter().map(type_of).collect()
}

/// The types that the first value of each place says that is not NULL.
pub(super) fn types_of_rows<R: AsRef<[Value]>>(rows: &[R]) -> Vec<Type> {
    let places = rows.first().map_or(0, |row| row.as_ref().len());
    (0..places)
        .map(|place| {
            rows.iter()
                .filter_map(|row| row.as_ref().get(place))
                .map(type_of)
                .find(|kind| *kind != Type::UNKNOWN)
                .unwrap_or(Type::UNKNOWN)
        })
        .collect()
}

/// The text for many rows of a statement whose parameters for one row have these types.
pub(super) fn text_of_many(sql: &str, parameters: &[Type]) -> Option<String> {
    let arrays: Option<Vec<_>> = parameters.iter().map(array_name).collect();
    dialect::over_arrays(sql, &arrays?)
}

/// Whether the rows that a statement answers with were changed by it.
fn changes(sql: &str) -> bool {
    let first = sql.split_ascii_whitespace().next().unwrap_or_default();
    match first {
        "SELECT" => false,
        "WITH" => ["INSERT ", "UPDATE ", "DELETE "]
            .iter()
            .any(|word| sql.contains(word)),
        _ => true,
    }
}

/// # Errors
/// One of the calling code: another number of values than of placeholders, or a gap between these.
pub(super) fn counted(sql: &str, given: usize) -> Result<(), Fault> {
    match dialect::placeholders(sql) {
        Some(count) if count == given => Ok(()),
        Some(count) => Err(miscounted(count, given, sql)),
        None => Err(misuse(format!("placeholders are $1, $2, … without a gap: {sql}"))),
    }
}

/// The error of a statement that was given another number of values than it has placeholders.
pub(super) fn miscounted(count: usize, given: usize, sql: &str) -> Fault {
    misuse(format!("{count} parameters wanted, {given} given: {sql}"))
}

fn misuse(text: String) -> Fault {
    Fault::new(StorageError::Misuse(text), Again::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_type_of_its_first_value() {
        let rows: [[Value; 2]; 2] = [[Value::Null, 1_i64.into()], ["x".into(), Value::Null]];
        assert_eq!(types_of_rows(&rows), [Type::TEXT, Type::INT8]);
        assert_eq!(types_of_rows::<[Value; 1]>(&[]), []);
    }

    #[test]
    fn what_changes_rows_is_told_by_its_words() {
        assert!(!changes("SELECT 1 FROM x FOR UPDATE"));
        assert!(!changes("WITH t AS (SELECT 1) SELECT * FROM t"));
        assert!(changes("WITH t AS (SELECT 1) DELETE FROM x"));
        assert!(changes(" INSERT INTO x VALUES (1) RETURNING id"));
    }
}
