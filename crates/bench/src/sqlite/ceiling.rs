//! The ceiling of writing: SQLite alone, with the same rows, indexes and settings, and nothing else to do.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use usher_storage::{Storage, StorageConfig};

use super::database::{Change, Database, counts};
use crate::ceiling::{Counts, PARENTS, Replay, added};

/// Changes that are read, written again and forgotten together, so that memory does not grow with the run.
const READ_AT_ONCE: usize = 1_000;

/// A database with the product's schema that nothing but this writes to.
#[derive(Debug)]
pub(crate) struct Ceiling {
    connection: Connection,
}

impl Ceiling {
    /// A new file with the schema and with the settings that the server's writer has, read from the storage.
    pub(crate) async fn create(folder: &Path) -> Result<Self> {
        let path: PathBuf = folder.join("ceiling.db");
        let storage = Storage::open(StorageConfig::new(format!("sqlite:{}", path.display()))).await?;
        let settings = storage
            .pragmas()
            .first()
            .context("the storage has no connection")?
            .values
            .clone();
        storage.close().await;
        let connection = Connection::open(&path)?;
        for (setting, value) in settings {
            connection
                .pragma_update_and_check(None, setting, value, |_| Ok(()))
                .or_else(|error| {
                    // Some settings answer with a row, some do not.
                    matches!(error, rusqlite::Error::QueryReturnedNoRows)
                        .then_some(())
                        .ok_or(error)
                })?;
        }
        connection.set_prepared_statement_cache_capacity(64);
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        if synchronous != 2 {
            bail!("the ceiling must wait for the disk as the server does: synchronous is {synchronous}");
        }
        Ok(Self { connection })
    }

    /// Copies what new rows point to, once it exists in the server's database.
    pub(crate) fn copy_parents(&self, server: &Path) -> Result<()> {
        self.connection
            .execute("ATTACH DATABASE ?1 AS server", [server.display().to_string()])?;
        self.connection.execute_batch("BEGIN")?;
        for table in PARENTS {
            self.connection.execute(
                &format!("INSERT OR IGNORE INTO main.{table} SELECT * FROM server.{table}"),
                [],
            )?;
        }
        self.connection.execute_batch("COMMIT; DETACH DATABASE server")?;
        Ok(())
    }

    /// Writes what the server wrote after an event, each change in a transaction of its own, and checks that no table got
    /// other rows than `expected`.
    pub(crate) fn replay(&self, server: &Database, after: i64, expected: &Counts) -> Result<Replay> {
        let before = counts(&self.connection)?;
        let ids = server.changes_after(after)?;
        let mut elapsed = Duration::ZERO;
        for ids in ids.chunks(READ_AT_ONCE) {
            let changes = ids
                .iter()
                .map(|id| server.change(id))
                .collect::<Result<Vec<_>>>()?;
            elapsed += self.write_all(&changes)?;
        }
        let written = added(&before, &counts(&self.connection)?);
        if written != *expected {
            bail!(
                "the ceiling no longer writes what the server writes; bring crates/bench/src/sqlite/database.rs up to \
                 date.\nserver: {expected:?}\nceiling: {written:?}"
            );
        }
        Ok(Replay {
            elapsed,
            transactions: ids.len(),
            written,
        })
    }

    fn write_all(&self, changes: &[Change]) -> Result<Duration> {
        let statements: Vec<Vec<String>> = changes
            .iter()
            .map(|change| {
                change
                    .rows
                    .iter()
                    .map(|rows| insert(rows.table, &rows.columns, rows.rows.len()))
                    .collect()
            })
            .collect();
        let start = Instant::now();
        for (change, statements) in changes.iter().zip(&statements) {
            self.write(change, statements)?;
        }
        Ok(start.elapsed())
    }

    fn write(&self, change: &Change, statements: &[String]) -> Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for (rows, sql) in change.rows.iter().zip(statements) {
            if !rows.rows.is_empty() {
                let values = rows.rows.iter().flatten();
                self.connection
                    .prepare_cached(sql)?
                    .execute(params_from_iter(values))?;
            }
        }
        for (group, gained) in &change.groups {
            let params: [&Value; 3] = [&Value::Integer(*gained), &Value::Integer(change.at), group];
            self.connection
                .prepare_cached(
                    "UPDATE source_group SET member_count = member_count + ?1, version = version + 1, modified_us = ?2
                     WHERE id = ?3",
                )?
                .execute(params)?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

/// One statement for all rows.
fn insert(table: &str, columns: &[String], rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    format!(
        "INSERT INTO {table} ({}) VALUES {}",
        columns.join(", "),
        vec![row; rows.max(1)].join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::database::Rows;

    /// One source and one group.
    const WORLD: &str = "
        INSERT INTO source VALUES (1, 'idp', 'scim', 'push', 'active', NULL, 1, NULL);
        INSERT INTO source_group VALUES (X'0b', 1, NULL, NULL, 'Board', 'board', 0, NULL, 1, 1, 1, '{}', 1, 1);";

    #[tokio::test]
    async fn what_a_change_wrote_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let ceiling = Ceiling::create(folder.path()).await.unwrap();
        ceiling.connection.execute_batch(WORLD).unwrap();
        let change = Change {
            rows: vec![Rows {
                table: "change",
                columns: ["id", "at_us", "actor_kind", "actor"].map(str::to_owned).to_vec(),
                rows: vec![vec![
                    Value::Blob(vec![1]),
                    Value::Integer(5),
                    Value::Text("source".into()),
                    Value::Text("idp".into()),
                ]],
            }],
            groups: vec![(Value::Blob(vec![0x0b]), 3)],
            at: 5,
        };
        ceiling.write_all(&[change]).unwrap();
        let members: i64 = ceiling
            .connection
            .query_row("SELECT member_count FROM source_group", [], |row| row.get(0))
            .unwrap();
        assert_eq!(members, 3);
        let path = folder.path().join("ceiling.db");
        assert_eq!(Database::open(&path).unwrap().counts().unwrap()["change"], 1);
    }

    #[tokio::test]
    async fn a_replay_of_other_rows_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ceiling = Ceiling::create(folder.path()).await.unwrap();
        let server = Database::open(&folder.path().join("ceiling.db")).unwrap();
        let error = ceiling
            .replay(&server, 0, &Counts::from([("event".to_owned(), 1)]))
            .unwrap_err();
        assert!(error.to_string().contains("no longer writes"), "{error}");
    }
}
