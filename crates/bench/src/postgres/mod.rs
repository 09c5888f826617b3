//! PostgreSQL: a cluster for the run, a look into it from beside the server, and what it does alone.

mod ceiling;
mod cluster;
mod column;
mod commits;
mod database;
mod waits;

pub(crate) use ceiling::Ceiling;
pub(crate) use cluster::Postgres;
pub(crate) use commits::commits;
pub(crate) use database::Database;
pub(crate) use waits::{Waits, Watch};

use anyhow::{Context as _, Result};
use tokio_postgres::{Client, NoTls};

/// A session, ended by dropping the client.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .context("cannot connect to PostgreSQL")?;
    // Its error is the client's as well.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}
