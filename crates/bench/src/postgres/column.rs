//! Columns of rows, as statements take them that write many rows at once.

use anyhow::{Result, bail};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A value for each row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Column {
    /// Ids.
    Ids(Vec<Option<Uuid>>),
    /// Whole numbers.
    Numbers(Vec<Option<i64>>),
    /// Texts.
    Texts(Vec<Option<String>>),
}

impl Column {
    /// A column of a type that the schema has.
    pub(crate) fn of(kind: &Type) -> Result<Self> {
        Ok(match *kind {
            Type::UUID => Self::Ids(Vec::new()),
            Type::INT8 => Self::Numbers(Vec::new()),
            Type::TEXT => Self::Texts(Vec::new()),
            _ => bail!("the bench cannot write a column of type {kind} again"),
        })
    }

    /// The value in this place of a row goes to the end.
    pub(crate) fn push(&mut self, row: &Row, place: usize) -> Result<()> {
        match self {
            Self::Ids(values) => values.push(row.try_get(place)?),
            Self::Numbers(values) => values.push(row.try_get(place)?),
            Self::Texts(values) => values.push(row.try_get(place)?),
        }
        Ok(())
    }

    /// As a parameter.
    pub(crate) fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Ids(values) => values,
            Self::Numbers(values) => values,
            Self::Texts(values) => values,
        }
    }

    /// The type of the parameter.
    pub(crate) const fn array(&self) -> &'static str {
        match self {
            Self::Ids(_) => "uuid[]",
            Self::Numbers(_) => "bigint[]",
            Self::Texts(_) => "text[]",
        }
    }
}

/// One statement that writes all rows.
pub(crate) fn insert(table: &str, names: &[String], columns: &[Column]) -> String {
    let arrays: Vec<String> = (1..)
        .zip(columns)
        .map(|(number, column)| format!("${number}::{}", column.array()))
        .collect();
    format!(
        "INSERT INTO {table} ({}) SELECT * FROM unnest({})",
        names.join(", "),
        arrays.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_takes_one_array_for_each_column() {
        let columns = [Column::Ids(Vec::new()), Column::of(&Type::INT8).unwrap()];
        assert_eq!(
            insert("t", &["id".to_owned(), "n".to_owned()], &columns),
            "INSERT INTO t (id, n) SELECT * FROM unnest($1::uuid[], $2::bigint[])"
        );
        assert!(Column::of(&Type::BYTEA).is_err());
    }
}
