//! Everything that is in a database, table by table: what tables there are, their rows in the order of their keys, and a
//! digest of them that is the same on every engine.
//!
//! The tables come from the database's own catalog, so none that a migration brings can be forgotten here. The texts of
//! statements are put together from the catalog's names; every value is a parameter.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::row::Cell;
use crate::{Row, StorageError, Tx, Value};

/// Tables that each database has for itself: what was applied to it, and how far its own feed of events is published.
const OF_THE_DATABASE: &[&str] = &["schema_migration", "feed", "unfinished_copy"];

/// Rows of the first page of a table.
const FIRST_PAGE: usize = 32;
/// Rows of a page at most.
const LARGEST_PAGE: usize = 4096;
/// About how many bytes a page should have: rows are between a few bytes and some megabytes.
const PAGE_BYTES: usize = 1 << 20;

/// What is in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableContent {
    /// The table's name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256, in hexadecimal digits, of the rows in the order of their keys; equal rows have equal digests on every
    /// engine.
    pub digest: String,
}

/// A table as the catalog describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// In the order of their names.
    pub(crate) columns: Vec<Column>,
    /// Places in `columns` of the primary key, in its order.
    pub(crate) key: Vec<usize>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// The table that it refers to.
    pub(crate) refers_to: Option<String>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    /// On SQLite also UUIDs.
    Bytes,
    Uuid,
}

/// How an engine is asked for its tables.
pub(crate) struct Catalog {
    /// Table, column, type, whether it may be NULL, and its place in the primary key from 1 or 0: ordered by table and
    /// column, without the engine's own tables.
    pub(crate) columns: &'static str,
    /// Table, column, and the table that it refers to.
    pub(crate) references: &'static str,
    /// A row if a copy into the database has not ended.
    pub(crate) is_unfinished: &'static str,
    /// Table, and the highest number that the database gave to a row of it.
    pub(crate) numbers_given: &'static str,
    /// Lets the database go on after this number (`$2`) in this table (`$1`), and after those that are there.
    pub(crate) go_on_after: &'static str,
    /// What keeps others from writing into tables until the unit ends: the text before their names and after them.
    pub(crate) lock: Option<(&'static str, &'static str)>,
}

impl Table {
    /// The key of a row.
    pub(crate) fn key_of(&self, row: &Row) -> Result<Vec<Value>, StorageError> {
        let key = self.key.iter();
        key.map(|&column| value(&row.cells()[column], self.columns[column].kind))
            .collect()
    }
}

/// All tables, those that others refer to before these.
pub(crate) async fn tables(tx: &mut Tx<'_>) -> Result<Vec<Table>, StorageError> {
    let catalog = tx.catalog();
    let mut tables: Vec<Table> = Vec::new();
    let mut keys: Vec<Vec<(i64, usize)>> = Vec::new();
    for row in tx.query(catalog.columns, &[]).await? {
        let (table, column): (&str, &str) = (row.get(0)?, row.get(1)?);
        if tables.last().is_none_or(|last| last.name != table) {
            tables.push(Table {
                name: table.to_owned(),
                columns: Vec::new(),
                key: Vec::new(),
            });
            keys.push(Vec::new());
        }
        let (Some(last), Some(key)) = (tables.last_mut(), keys.last_mut()) else {
            continue;
        };
        let place: i64 = row.get(4)?;
        if place > 0 {
            key.push((place, last.columns.len()));
        }
        last.columns.push(Column {
            name: column.to_owned(),
            kind: kind(table, column, row.get(2)?)?,
            nullable: row.get(3)?,
            refers_to: None,
        });
    }
    for (table, mut key) in tables.iter_mut().zip(keys) {
        key.sort_unstable();
        table.key = key.into_iter().map(|(_, column)| column).collect();
        if table.key.is_empty() {
            return Err(unfit(&format!("the table {} has no primary key", table.name)));
        }
    }
    for row in tx.query(catalog.references, &[]).await? {
        let (table, column): (&str, &str) = (row.get(0)?, row.get(1)?);
        let table = tables.iter_mut().find(|known| known.name == table);
        let column = table.and_then(|table| table.columns.iter_mut().find(|known| known.name == column));
        if let Some(column) = column {
            column.refers_to = Some(row.get(2)?);
        }
    }
    in_order(tables)
}

/// The tables whose rows belong to the deployment and not to the database that they are in.
pub(crate) fn of_the_deployment(tables: Vec<Table>) -> Vec<Table> {
    let mut tables = tables;
    tables.retain(|table| !OF_THE_DATABASE.contains(&table.name.as_str()));
    tables
}

/// Counts and digests these tables. `seen` hears of each page and may end it.
pub(crate) async fn summarise<E: From<StorageError>>(
    tx: &mut Tx<'_>,
    tables: &[Table],
    mut seen: impl FnMut(&Table, u64) -> Result<(), E>,
) -> Result<Vec<TableContent>, E> {
    let mut contents = Vec::with_capacity(tables.len());
    for table in tables {
        let (mut pages, mut sum) = (Pages::of(table), Sum::of(table));
        while let Some(rows) = pages.next(tx).await? {
            rows.iter().for_each(|row| sum.add(row));
            seen(table, sum.rows)?;
        }
        contents.push(sum.finish());
    }
    Ok(contents)
}

/// How many rows these tables have in all.
pub(crate) async fn count(tx: &mut Tx<'_>, tables: &[Table]) -> Result<u64, StorageError> {
    let mut all = 0;
    for table in tables {
        let mut sql = String::from("SELECT count(*) FROM ");
        quote(&mut sql, &table.name);
        let rows = tx.query_built(&sql, &[]).await?;
        let counted: i64 = rows.first().ok_or(StorageError::NoRow)?.get(0)?;
        all += counted.unsigned_abs();
    }
    Ok(all)
}

/// The first of these tables that has a row.
pub(crate) async fn first_filled<'t>(
    tx: &mut Tx<'_>,
    tables: &'t [Table],
) -> Result<Option<&'t str>, StorageError> {
    for table in tables {
        let mut sql = String::from("SELECT 1 FROM ");
        quote(&mut sql, &table.name);
        sql.push_str(" LIMIT 1");
        if !tx.query_built(&sql, &[]).await?.is_empty() {
            return Ok(Some(&table.name));
        }
    }
    Ok(None)
}

/// Keeps others from writing into these tables until the unit ends, where the engine lets several write at once.
pub(crate) async fn lock(tx: &mut Tx<'_>, tables: &[Table]) -> Result<(), StorageError> {
    if let Some((before, after)) = tx.catalog().lock {
        let mut sql = String::from(before);
        for (place, table) in tables.iter().enumerate() {
            sql.push_str(if place > 0 { ", " } else { "" });
            quote(&mut sql, &table.name);
        }
        sql.push_str(after);
        tx.query_built(&sql, &[]).await?;
    }
    Ok(())
}

/// Lets the database give numbers that are above those of its rows and those that were given elsewhere.
pub(crate) async fn go_on_after(
    tx: &mut Tx<'_>,
    tables: &[Table],
    given: &[(String, i64)],
) -> Result<(), StorageError> {
    for table in tables {
        let [key] = table.key[..] else { continue };
        if table.columns[key].kind != Kind::Int {
            continue;
        }
        let mut sql = String::from("SELECT coalesce(max(");
        quote(&mut sql, &table.columns[key].name);
        sql.push_str("), 0) FROM ");
        quote(&mut sql, &table.name);
        let rows = tx.query_built(&sql, &[]).await?;
        let there: i64 = rows.first().ok_or(StorageError::NoRow)?.get(0)?;
        let given = given.iter().find(|(name, _)| *name == table.name);
        let number = given.map_or(there, |(_, given)| there.max(*given));
        tx.query(tx.catalog().go_on_after, &[(&table.name).into(), number.into()])
            .await?;
    }
    Ok(())
}

/// Adds a row, columns in the table's order.
pub(crate) fn insertion(table: &Table) -> &'static str {
    let mut sql = String::from("INSERT INTO ");
    quote(&mut sql, &table.name);
    sql.push_str(" (");
    list(&mut sql, table.columns.iter());
    sql.push_str(") VALUES (");
    placeholders(&mut sql, table.columns.len());
    sql.push(')');
    constant(sql)
}

/// Changes one column of the row with a key: parameters are the key, then the value.
pub(crate) fn reference(table: &Table, column: usize) -> &'static str {
    let mut sql = String::from("UPDATE ");
    quote(&mut sql, &table.name);
    sql.push_str(" SET ");
    quote(&mut sql, &table.columns[column].name);
    // Writing to a string does not fail.
    let _ = write!(sql, " = ${} WHERE (", table.key.len() + 1);
    list(&mut sql, table.key.iter().map(|&column| &table.columns[column]));
    sql.push_str(") = (");
    placeholders(&mut sql, table.key.len());
    sql.push(')');
    constant(sql)
}

/// The same text for good, so that it is prepared once. There are as many as the schema has tables, however often this is
/// called.
fn constant(sql: String) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(sql.as_str()) {
        return known;
    }
    let sql: &'static str = sql.leak();
    known.insert(sql);
    sql
}

/// The rows of a table in the order of its key, a page at a time.
pub(crate) struct Pages<'t> {
    table: &'t Table,
    size: usize,
    /// The key of the last row that was read.
    after: Option<Vec<Value>>,
    at_end: bool,
}

impl<'t> Pages<'t> {
    pub(crate) const fn of(table: &'t Table) -> Self {
        Self {
            table,
            size: FIRST_PAGE,
            after: None,
            at_end: false,
        }
    }

    /// The next rows, columns in the table's order; nothing after the last.
    pub(crate) async fn next(&mut self, tx: &mut Tx<'_>) -> Result<Option<Vec<Row>>, StorageError> {
        if self.at_end {
            return Ok(None);
        }
        let mut params = self.after.clone().unwrap_or_default();
        params.push(Value::Int(i64::try_from(self.size).unwrap_or(i64::MAX)));
        let rows = tx.query_built(&self.sql(), &params).await?;
        self.at_end = rows.len() < self.size;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        self.after = Some(self.table.key_of(last)?);
        let bytes: usize = rows.iter().flat_map(|row| row.cells()).map(size).sum();
        // At most twice as many rows as before: the next ones may be larger.
        let fitting = PAGE_BYTES / (bytes / rows.len()).max(1);
        self.size = fitting.clamp(1, (self.size * 2).min(LARGEST_PAGE));
        Ok(Some(rows))
    }

    fn sql(&self) -> String {
        let table = self.table;
        let mut sql = String::from("SELECT ");
        list(&mut sql, table.columns.iter());
        sql.push_str(" FROM ");
        quote(&mut sql, &table.name);
        let key = || table.key.iter().map(|&column| &table.columns[column]);
        let mut parameter = 1;
        if self.after.is_some() {
            sql.push_str(" WHERE (");
            list(&mut sql, key());
            sql.push_str(") > (");
            placeholders(&mut sql, table.key.len());
            sql.push(')');
            parameter += table.key.len();
        }
        sql.push_str(" ORDER BY ");
        list(&mut sql, key());
        // Writing to a string does not fail.
        let _ = write!(sql, " LIMIT ${parameter}");
        sql
    }
}

/// Counts and digests the rows of a table.
pub(crate) struct Sum {
    table: String,
    pub(crate) rows: u64,
    digest: Sha256,
}

impl Sum {
    pub(crate) fn of(table: &Table) -> Self {
        let mut digest = Sha256::new();
        for column in &table.columns {
            feed(&mut digest, 0, column.name.as_bytes());
        }
        Self {
            table: table.name.clone(),
            rows: 0,
            digest,
        }
    }

    pub(crate) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for cell in row.cells() {
            match cell {
                Cell::Null => feed(&mut self.digest, 1, &[]),
                Cell::Int(value) => feed(&mut self.digest, 2, &value.to_be_bytes()),
                Cell::Real(value) => feed(&mut self.digest, 3, &value.to_be_bytes()),
                Cell::Text(text) => feed(&mut self.digest, 4, text.as_bytes()),
                Cell::Blob(bytes) => feed(&mut self.digest, 5, bytes),
                Cell::Bytes16(bytes) => feed(&mut self.digest, 5, bytes),
            }
        }
    }

    pub(crate) fn finish(self) -> TableContent {
        TableContent {
            table: self.table,
            rows: self.rows,
            digest: hexadecimal(&self.digest.finalize()),
        }
    }
}

/// Tag and length go first, so that no two rows look the same.
fn feed(digest: &mut Sha256, tag: u8, bytes: &[u8]) {
    digest.update([tag]);
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A cell as the parameter of a statement on a column of this kind.
pub(crate) fn value(cell: &Cell, kind: Kind) -> Result<Value, StorageError> {
    Ok(match cell {
        Cell::Null => Value::Null,
        Cell::Int(value) => Value::Int(*value),
        Cell::Text(text) => Value::from(&**text),
        Cell::Bytes16(bytes) if kind == Kind::Uuid => Value::Uuid(uuid::Uuid::from_bytes(*bytes)),
        Cell::Bytes16(bytes) => Value::Blob(bytes.to_vec()),
        Cell::Blob(bytes) => Value::Blob(bytes.to_vec()),
        Cell::Real(_) => return Err(unfit("a column holds a floating-point number")),
    })
}

/// Names of columns with commas between them.
fn list<'c>(sql: &mut String, columns: impl Iterator<Item = &'c Column>) {
    for (place, column) in columns.enumerate() {
        if place > 0 {
            sql.push_str(", ");
        }
        quote(sql, &column.name);
    }
}

/// `$1, $2, …`, so many.
fn placeholders(sql: &mut String, count: usize) {
    for number in 1..=count {
        let comma = if number > 1 { ", " } else { "" };
        // Writing to a string does not fail.
        let _ = write!(sql, "{comma}${number}");
    }
}

/// A name as an identifier.
fn quote(sql: &mut String, name: &str) {
    sql.push('"');
    sql.push_str(&name.replace('"', "\"\""));
    sql.push('"');
}

fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Null => 1,
        Cell::Int(_) | Cell::Real(_) => 8,
        Cell::Text(text) => text.len(),
        Cell::Blob(bytes) => bytes.len(),
        Cell::Bytes16(_) => 16,
    }
}

fn kind(table: &str, column: &str, name: &str) -> Result<Kind, StorageError> {
    match name.to_ascii_lowercase().as_str() {
        "integer" | "bigint" => Ok(Kind::Int),
        "text" => Ok(Kind::Text),
        "blob" | "bytea" => Ok(Kind::Bytes),
        "uuid" => Ok(Kind::Uuid),
        other => Err(unfit(&format!("the column {table}.{column} is of type {other}"))),
    }
}

/// Parents first. A table may refer to itself, two may not refer to each other.
fn in_order(mut left: Vec<Table>) -> Result<Vec<Table>, StorageError> {
    let mut ordered: Vec<Table> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_free = |table: &Table| {
            let mut parents = table
                .columns
                .iter()
                .filter_map(|column| column.refers_to.as_ref());
            parents.all(|parent| {
                left.iter()
                    .all(|other| other.name != *parent || *parent == table.name)
            })
        };
        let Some(place) = left.iter().position(is_free) else {
            return Err(unfit("tables refer to each other in a circle"));
        };
        ordered.push(left.remove(place));
    }
    Ok(ordered)
}

fn unfit(what: &str) -> StorageError {
    StorageError::Misuse(format!("{what}, which copying does not know"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parents: &[&str]) -> Table {
        let column = |parent: &&str| Column {
            name: format!("{parent}_id"),
            kind: Kind::Int,
            nullable: true,
            refers_to: Some((*parent).to_owned()),
        };
        Table {
            name: name.to_owned(),
            columns: parents.iter().map(column).collect(),
            key: vec![0],
        }
    }

    #[test]
    fn parents_come_before_children() {
        let tables = vec![
            table("a", &["c", "a"]),
            table("b", &["a", "gone"]),
            table("c", &[]),
        ];
        let ordered = in_order(tables).unwrap();
        let names: Vec<_> = ordered.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"]);
        assert!(in_order(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
    }

    #[test]
    fn rows_with_the_same_bytes_in_other_columns_differ() {
        let digest = |cells: Vec<Cell>| {
            let mut sum = Sum::of(&table("a", &["b", "c"]));
            sum.add(&Row::new(cells.into()));
            sum.finish().digest
        };
        let text = |text: &str| Cell::Text(text.into());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("ab"), Cell::Blob((*b"c").into())],
            vec![text("ab"), Cell::Null],
        ];
        let digests: BTreeSet<_> = rows.into_iter().map(digest).collect();
        assert_eq!(digests.len(), 4);
    }
}
