//! The server that holds the data of a run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use usher_testpg::{Cluster, Database, Options};

use super::connect;
use crate::process;

/// What a machine of some size would be given; everything else is as PostgreSQL comes, `fsync`, `full_page_writes` and
/// `synchronous_commit` among that.
const SETTINGS: &[(&str, &str)] = &[
    ("max_connections", "200"),
    ("shared_buffers", "2GB"),
    ("max_wal_size", "4GB"),
    ("effective_cache_size", "8GB"),
    ("maintenance_work_mem", "256MB"),
];

/// What the run rests on, as the server itself says.
const DURABILITY: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
];

/// A cluster, gone with this.
#[derive(Debug)]
pub(crate) struct Postgres {
    cluster: Cluster,
}

impl Postgres {
    /// Starts a cluster whose commits reach the disk.
    pub(crate) async fn start() -> Result<Self> {
        let cluster = Cluster::start(Options {
            durable: true,
            settings: SETTINGS
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Options::default()
        })?;
        let client = connect(&cluster.first_url()).await?;
        for (name, wanted) in DURABILITY {
            let value: String = client
                .query_one("SELECT current_setting($1)", &[name])
                .await?
                .get(0);
            anyhow::ensure!(value == *wanted, "{name} is {value} in place of {wanted}");
        }
        Ok(Self { cluster })
    }

    /// The version and the settings, for the head of the table.
    pub(crate) async fn describe(&self) -> Result<String> {
        let client = connect(&self.cluster.first_url()).await?;
        let version: String = client.query_one("SHOW server_version", &[]).await?.get(0);
        let settings: Vec<String> = SETTINGS
            .iter()
            .chain(DURABILITY)
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let version = version.split(' ').next().unwrap_or_default();
        Ok(format!("PostgreSQL {version} with {}", settings.join(", ")))
    }

    /// Where its data are.
    pub(crate) fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// The address of the database that every cluster has.
    pub(crate) fn first_url(&self) -> String {
        self.cluster.first_url()
    }

    /// A new, empty database.
    pub(crate) async fn database(&self) -> Result<Database> {
        Ok(self.cluster.database().await?)
    }

    /// The last lines of its log.
    pub(crate) fn log(&self) -> String {
        self.cluster.log()
    }

    /// What all of its processes spent so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let server = self.cluster.server().context("the cluster does not run")?;
        let mut spent = process::ended_children(server)?;
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may end while others are read.
            if process == server || process::parent(process) == Some(server) {
                spent += process::on_cpu_of(process).unwrap_or_default();
            }
        }
        Ok(spent)
    }
}
