//! The ceiling of writing: PostgreSQL alone, with the same rows, indexes and settings, and nothing else to do.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, SinkExt as _, TryFutureExt as _, TryStreamExt as _};
use tokio_postgres::{Client, Statement};
use usher_storage::{Storage, StorageConfig};

use super::column::insert;
use super::connect;
use super::database::{Change, Database, counts};
use crate::ceiling::{Mark, PARENTS, Replay, added};

/// Transactions that are read, written again and forgotten together, so that memory does not grow with the run.
const READ_AT_ONCE: usize = 512;

const GROUP: &str =
    "UPDATE source_group SET member_count = member_count + $1, version = version + 1, modified_us = $2
    WHERE id = $3";

/// A database with the product's schema that nothing but this writes to.
pub(crate) struct Ceiling {
    // Dropped before the database.
    lanes: Vec<Lane>,
    database: usher_testpg::Database,
}

/// A connection and what it has prepared, by the text.
struct Lane {
    client: Client,
    prepared: RefCell<HashMap<String, Statement>>,
}

impl Ceiling {
    /// Brings the schema into a new database, and opens as many connections to it as the server is asked by.
    pub(crate) async fn create(database: usher_testpg::Database, in_flight: usize) -> Result<Self> {
        Storage::open(StorageConfig::new(database.url()))
            .await?
            .close()
            .await;
        let mut lanes = Vec::with_capacity(in_flight);
        for _ in 0..in_flight {
            lanes.push(Lane {
                client: connect(&database.url()).await?,
                prepared: RefCell::default(),
            });
        }
        Ok(Self { lanes, database })
    }

    /// Copies what new rows point to, once it exists in the server's database.
    pub(crate) async fn copy_parents(&self, server: &str) -> Result<()> {
        let (from, to) = (connect(server).await?, connect(&self.database.url()).await?);
        for table in PARENTS {
            let rows = from
                .copy_out(&format!("COPY {table} TO STDOUT (FORMAT binary)"))
                .await?;
            to.batch_execute(&format!("CREATE TEMPORARY TABLE copied (LIKE {table})"))
                .await?;
            let sink = to.copy_in("COPY copied FROM STDIN (FORMAT binary)").await?;
            futures_util::pin_mut!(sink);
            let mut rows = std::pin::pin!(rows);
            while let Some(part) = rows.try_next().await? {
                sink.send(part).await?;
            }
            sink.finish().await?;
            to.batch_execute(&format!(
                "INSERT INTO {table} SELECT * FROM copied ON CONFLICT DO NOTHING; DROP TABLE copied"
            ))
            .await?;
        }
        Ok(())
    }

    /// Writes what the server wrote since `mark`, `together` of its units of work in one transaction, over all connections,
    /// and checks that no table got other rows.
    pub(crate) async fn replay(&self, server: &Database, mark: &Mark, together: usize) -> Result<Replay> {
        let expected = added(&mark.counts, &server.counts().await?);
        let before = counts(&self.lanes[0].client).await?;
        let ids = server.changes_after(mark.last_event).await?;
        let mut elapsed = Duration::ZERO;
        for ids in ids.chunks(together * READ_AT_ONCE) {
            let mut changes = Vec::with_capacity(READ_AT_ONCE);
            for ids in ids.chunks(together) {
                changes.push(server.written(ids).await?);
            }
            for lane in &self.lanes {
                lane.prepare(&changes).await?;
            }
            elapsed += self.write_all(&changes).await?;
        }
        let written = added(&before, &counts(&self.lanes[0].client).await?);
        if written != expected {
            bail!(
                "the ceiling no longer writes what the server writes; bring crates/bench/src/postgres/database.rs up to \
                 date.\nserver: {expected:?}\nceiling: {written:?}"
            );
        }
        Ok(Replay {
            elapsed,
            transactions: ids.len().div_ceil(together),
            written,
        })
    }

    async fn write_all(&self, changes: &[Change]) -> Result<Duration> {
        let next = RefCell::new(changes.iter());
        let next = &next;
        let start = Instant::now();
        let lanes: FuturesUnordered<_> = self
            .lanes
            .iter()
            .map(|lane| async move {
                loop {
                    let change = next.borrow_mut().next();
                    let Some(change) = change else {
                        return Ok::<(), anyhow::Error>(());
                    };
                    lane.write(change).await?;
                }
            })
            .collect();
        lanes.try_collect::<()>().await?;
        Ok(start.elapsed())
    }
}

impl Lane {
    /// Prepares what these changes need and is not yet.
    async fn prepare(&self, changes: &[Change]) -> Result<()> {
        let rows = changes.iter().flat_map(|change| &change.rows);
        let texts = rows.map(|rows| insert(rows.table, &rows.names, &rows.columns));
        for text in texts.chain([GROUP.to_owned()]) {
            if !self.prepared.borrow().contains_key(&text) {
                let statement = self.client.prepare(&text).await?;
                self.prepared.borrow_mut().insert(text, statement);
            }
        }
        Ok(())
    }

    fn statement(&self, text: &str) -> Statement {
        self.prepared.borrow()[text].clone()
    }

    /// One transaction, sent in one go: nobody waits between its statements.
    async fn write(&self, change: &Change) -> Result<()> {
        let parameters: Vec<(Statement, Vec<_>)> = change
            .rows
            .iter()
            .map(|rows| {
                let text = insert(rows.table, &rows.names, &rows.columns);
                let columns = rows.columns.iter().map(|column| column.parameter()).collect();
                (self.statement(&text), columns)
            })
            .collect();
        let groups: Vec<(Statement, [&(dyn tokio_postgres::types::ToSql + Sync); 3])> = change
            .groups
            .iter()
            .map(|(group, gained, at)| {
                let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [gained, at, group];
                (self.statement(GROUP), parameters)
            })
            .collect();
        let mut steps = vec![self.client.batch_execute("BEGIN").boxed_local()];
        for (statement, columns) in &parameters {
            steps.push(self.client.execute(statement, columns).map_ok(drop).boxed_local());
        }
        for (statement, values) in &groups {
            steps.push(self.client.execute(statement, values).map_ok(drop).boxed_local());
        }
        steps.push(self.client.batch_execute("COMMIT").boxed_local());
        try_join_all(steps).await?;
        Ok(())
    }
}
