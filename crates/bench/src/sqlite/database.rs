//! A look into the server's database from beside it: what its requests wrote.

use std::path::Path;

use anyhow::{Context as _, Result};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params};

use crate::ceiling::Counts;

/// Tables that a change of members or a first read writes new rows into, parents before children, and how to find the
/// rows of one change. `columns` stands for the table's columns. The `+` keeps SQLite from going through all events of a kind.
const WRITTEN: &[(&str, &str)] = &[
    ("change", "SELECT columns FROM change t WHERE t.id = ?1"),
    (
        "person",
        "SELECT columns FROM event e CROSS JOIN person t ON t.id = e.person_id
         WHERE e.change_id = ?1 AND +e.kind = 'directory.user.created' ORDER BY e.seq",
    ),
    (
        "source_user",
        "SELECT columns FROM event e
         CROSS JOIN source_user t ON t.id = unhex(replace(e.data ->> '$.user', '-', ''))
         WHERE e.change_id = ?1 AND +e.kind = 'directory.user.created' ORDER BY e.seq",
    ),
    (
        "source_group",
        "SELECT columns FROM event e
         CROSS JOIN source_group t ON t.id = unhex(replace(e.data ->> '$.group', '-', ''))
         WHERE e.change_id = ?1 AND +e.kind = 'directory.group.created' ORDER BY e.seq",
    ),
    (
        "group_member",
        "SELECT columns FROM event e CROSS JOIN json_each(e.data, '$.added') a
         CROSS JOIN group_member t ON t.group_id = unhex(replace(e.data ->> '$.group', '-', ''))
            AND t.user_id = unhex(replace(a.value, '-', ''))
         WHERE e.change_id = ?1 AND +e.kind = 'directory.group.members_changed' ORDER BY e.seq, a.key",
    ),
    (
        "membership",
        "SELECT columns FROM event e CROSS JOIN membership t ON t.id = e.membership_id
         WHERE e.change_id = ?1 AND +e.kind = 'membership.started' ORDER BY e.seq",
    ),
    (
        "period",
        "SELECT columns FROM event e CROSS JOIN period t ON t.membership_id = e.membership_id
         WHERE e.change_id = ?1 AND +e.kind = 'membership.started' ORDER BY e.seq",
    ),
    (
        "event",
        "SELECT columns FROM event t WHERE t.change_id = ?1 ORDER BY t.seq",
    ),
];

/// At most so many rows in one statement: SQLite takes 32,766 values.
const STATEMENT: usize = 1_000;

/// Rows that one change wrote into one table.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The table.
    pub(crate) table: &'static str,
    /// Its columns, without those that the database fills.
    pub(crate) columns: Vec<String>,
    /// A value for each column.
    pub(crate) rows: Vec<Vec<Value>>,
}

/// All that one PATCH wrote.
#[derive(Debug)]
pub(crate) struct Change {
    /// New rows.
    pub(crate) rows: Vec<Rows>,
    /// The group, and how many members it gained.
    pub(crate) groups: Vec<(Value, i64)>,
    /// When.
    pub(crate) at: i64,
}

/// A connection that only reads.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens the file beside the server.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { connection })
    }

    /// How many rows each table has now.
    pub(crate) fn counts(&self) -> Result<Counts> {
        counts(&self.connection)
    }

    /// The place of the newest event.
    pub(crate) fn last_event(&self) -> Result<i64> {
        Ok(self
            .connection
            .query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?)
    }

    /// The ids of the changes after an event, in the order of the commits.
    pub(crate) fn changes_after(&self, seq: i64) -> Result<Vec<Vec<u8>>> {
        let mut ids = self
            .connection
            .prepare("SELECT change_id FROM event WHERE seq > ?1 GROUP BY +change_id ORDER BY min(seq)")?;
        let ids = ids
            .query_map([seq], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(ids)
    }

    /// What a change wrote.
    pub(crate) fn change(&self, id: &[u8]) -> Result<Change> {
        let mut rows = Vec::with_capacity(WRITTEN.len());
        for (table, sql) in WRITTEN {
            let columns = self.columns(table)?;
            let list = columns
                .iter()
                .map(|column| format!("t.{column}"))
                .collect::<Vec<_>>()
                .join(", ");
            let mut statement = self
                .connection
                .prepare_cached(&sql.replacen("columns", &list, 1))?;
            let read = statement
                .query_map([id], |row| {
                    (0..columns.len()).map(|place| row.get(place)).collect()
                })?
                .collect::<Result<Vec<Vec<Value>>, _>>()?;
            rows.extend(read.chunks(STATEMENT).map(|read| Rows {
                table,
                columns: columns.clone(),
                rows: read.to_vec(),
            }));
        }
        let mut groups = self.connection.prepare_cached(
            "SELECT unhex(replace(data ->> '$.group', '-', '')), sum(json_array_length(data, '$.added'))
             FROM event WHERE change_id = ?1 AND +kind = 'directory.group.members_changed' GROUP BY 1",
        )?;
        let groups = groups
            .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let at = self
            .connection
            .query_row("SELECT at_us FROM change WHERE id = ?1", params![id], |row| {
                row.get(0)
            })?;
        Ok(Change { rows, groups, at })
    }

    /// The columns of a table that a writer fills.
    fn columns(&self, table: &str) -> Result<Vec<String>> {
        let mut columns = self
            .connection
            .prepare_cached("SELECT name FROM pragma_table_info(?1) WHERE name <> 'seq' ORDER BY cid")?;
        let columns = columns
            .query_map([table], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(columns)
    }
}

/// How many rows each table has.
pub(super) fn counts(connection: &Connection) -> Result<Counts> {
    let mut tables = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
    )?;
    let tables = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    tables
        .into_iter()
        .map(|table| {
            let sql = format!("SELECT count(*) FROM \"{table}\"");
            let count = connection.query_row(&sql, [], |row| row.get(0))?;
            Ok((table, count))
        })
        .collect()
}
