//! The ceiling of single writes: what PostgreSQL commits when nothing else is to be done, as `pgbench` would ask it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::connect;

const TABLE: &str =
    "CREATE TABLE note (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO note (text) VALUES ($1)";

/// Writes `count` rows, each in a transaction of its own, over as many connections as are in flight; answers how long it took.
/// The statement is prepared once for each connection, and is itself the transaction.
pub(crate) async fn commits(url: &str, count: usize, in_flight: usize) -> Result<Duration> {
    let mut clients = Vec::with_capacity(in_flight);
    for _ in 0..in_flight {
        clients.push(connect(url).await?);
    }
    clients[0].batch_execute(TABLE).await?;
    let mut prepared = Vec::with_capacity(in_flight);
    for client in &clients {
        prepared.push((client, client.prepare(INSERT).await?));
    }
    let next = Cell::new(0);
    let next = &next;
    let start = Instant::now();
    let lanes: FuturesUnordered<_> = prepared
        .iter()
        .map(|(client, insert)| async move {
            while next.replace(next.get() + 1) < count {
                client
                    .execute(insert, &[&"a row of the size of an ordinary event"])
                    .await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        })
        .collect();
    lanes.try_collect::<()>().await?;
    Ok(start.elapsed())
}
