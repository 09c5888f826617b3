//! A deployment that reads a provider: a folder on the disk in question and the server on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use http::header::{CONTENT_TYPE, HeaderValue};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::MissedTickBehavior;
use usher_core::{Draw, MappingState, SystemClock, Timestamp};
use usher_storage::query::mapping::MappingRow;
use usher_storage::{Storage, StorageConfig, StorageError, query};
use uuid::Uuid;

use crate::client::Endpoint;
use crate::process::{Cpu, Process};
use crate::provider::Provider;
use crate::world::{command, mapping, metric, room, token};

/// Nothing is read on a schedule: only what is asked for is measured.
const CONFIG: &str = r#"
[organisation]
name = "Bench"
domains = ["bench.example"]

[storage]
url = "sqlite:usher.db"

[server]
listen = "127.0.0.1:0"

[brake]
endings = 1_000_000_000

[[source]]
name = "idp"
kind = "entra"
mode = "pull"
"#;

/// How often the end of a read is looked for, and the server's memory meanwhile.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

/// How long a read may take.
const LONGEST: Duration = Duration::from_secs(1800);

/// A deployment.
pub(crate) struct Reader {
    folder: TempDir,
    server: Process,
    api: Endpoint,
}

/// A read that came to its end.
#[derive(Debug)]
pub(crate) struct Read {
    /// From its start to its end, as its history says.
    pub(crate) elapsed: Duration,
    /// The most memory of the server's own meanwhile, in bytes.
    pub(crate) peak: u64,
    /// What the server spent from the call that asked for it until its end was seen.
    pub(crate) cpu: Duration,
    /// Statements that the server ran meanwhile.
    pub(crate) statements: u64,
    /// Rows that it wrote meanwhile.
    pub(crate) rows: u64,
    /// What it saw and changed, by name.
    counts: Value,
}

impl Read {
    /// What it saw or changed.
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counts[name].as_u64().unwrap_or(0)
    }
}

/// What the server has done so far.
struct Spent {
    cpu: Cpu,
    statements: u64,
    rows: u64,
}

impl Reader {
    /// Starts a server on a new folder in `data`, for which the provider is a source. With `assigned`, people count only in
    /// groups that are assigned to the application, as by default.
    pub(crate) async fn start(
        usher: &Path,
        data: &Path,
        keep: bool,
        provider: &Provider,
        assigned: bool,
    ) -> Result<Self> {
        let mut folder = tempfile::Builder::new()
            .prefix("bench-pull-")
            .tempdir_in(data)
            .with_context(|| format!("cannot make a folder in {}", data.display()))?;
        folder.disable_cleanup(keep);
        let usher = usher
            .canonicalize()
            .with_context(|| format!("there is no {}; run `cargo xtask bench`", usher.display()))?;
        let config = folder.path().join("usher.toml");
        let settings = provider.settings();
        let pull = format!("every = \"1d\"\nfull_every = \"1d\"\nrequire_assignment = {assigned}\n");
        std::fs::write(
            &config,
            format!("{CONFIG}[source.settings]\n{settings}[source.pull]\n{pull}"),
        )?;
        let token = token(&usher, &config, folder.path(), ["--role", "admin"])?;
        let mut serve = command(&usher, folder.path());
        serve.arg("serve").arg("--config").arg(&config);
        let server = Process::start(serve, &folder.path().join("usher.log")).await?;
        let reader = Self {
            api: Endpoint::new(server.address(), "", Some(&token))?,
            folder,
            server,
        };
        // The first read is due at the start; it finds no group that anybody wants.
        let ended = "SELECT state FROM pull_run WHERE state = 'done' OR ?1 IS NULL";
        reader.wait(ended, &[1]).await?;
        Ok(reader)
    }

    /// Where its data are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("usher.db")
    }

    /// Gives each group a room of its own and a mapping in this state, beside the server. The groups themselves come with
    /// the first read.
    pub(crate) async fn map(&self, groups: &[Arc<str>], state: MappingState) -> Result<()> {
        let storage = Storage::open(StorageConfig {
            readers: 1,
            ..StorageConfig::new(format!("sqlite:{}", self.database().display()))
        })
        .await?;
        let draw = Draw::new(&SystemClock);
        let groups: Arc<[Arc<str>]> = groups.into();
        storage
            .write(move |tx| {
                let (groups, mut ids) = (Arc::clone(&groups), draw.ids());
                Box::pin(async move {
                    let source = query::source::by_name(tx, "idp")
                        .await?
                        .ok_or(StorageError::NoRow)?;
                    for (number, group) in groups.iter().enumerate() {
                        let room = room(ids.make(), number);
                        query::room::insert(tx, &room).await?;
                        let mapping = MappingRow {
                            state,
                            confirmed: (state == MappingState::Confirmed).then_some(room.created),
                            ..mapping(ids.make(), room.id, source.key, None, group.to_string())
                        };
                        query::mapping::insert(tx, &mapping).await?;
                    }
                    Ok::<(), StorageError>(())
                })
            })
            .await?;
        storage.close().await;
        Ok(())
    }

    /// Asks for a read of everything, or of what changed, and waits for its end.
    pub(crate) async fn read(&self, full: bool) -> Result<Read> {
        let before = self.spent().await?;
        let body = json!({ "full": full }).to_string();
        let mut ask = self.api.post("/api/v1/sources/idp/sync", body);
        let json = HeaderValue::from_static("application/json");
        ask.headers_mut().insert(CONTENT_TYPE, json);
        let asked = self.api.connect().await?.send(ask).await?;
        let run = asked.expect(&[202])?.json()?["id"]
            .as_str()
            .context("the answer names no run")?
            .to_owned();
        let id = Uuid::parse_str(&run)?;
        let peak = self
            .wait("SELECT state FROM pull_run WHERE id = ?1", id.as_bytes())
            .await?;
        let after = self.spent().await?;
        let path = format!("/api/v1/sources/idp/runs/{run}");
        let call = self.api.get(&path);
        let run = self
            .api
            .connect()
            .await?
            .send(call)
            .await?
            .expect(&[200])?
            .json()?;
        if run["state"] != "done" || run["not_seen"].as_array().is_none_or(|what| !what.is_empty()) {
            bail!("the read did not see everything: {run}");
        }
        let at = |name: &str| -> Result<i64> {
            let text = run[name]
                .as_str()
                .with_context(|| format!("the run has no {name}"))?;
            Ok(text.parse::<Timestamp>()?.as_micros())
        };
        Ok(Read {
            elapsed: Duration::from_micros(u64::try_from(at("ended")? - at("started")?)?),
            peak,
            cpu: after.cpu.since(before.cpu),
            statements: after.statements - before.statements,
            rows: after.rows - before.rows,
            counts: run["counts"].clone(),
        })
    }

    /// Waits for the end of a run by looking into the database, which costs the server nothing; answers the most memory
    /// that the server had meanwhile.
    async fn wait(&self, state: &str, id: &[u8]) -> Result<u64> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(self.database(), flags)?;
        let mut state = database.prepare(state)?;
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let start = Instant::now();
        let mut peak = 0;
        loop {
            looks.tick().await;
            peak = peak.max(self.server.anonymous_memory()?);
            let state: Option<String> = state.query_row([id], |row| row.get(0)).optional()?;
            if state.is_some_and(|state| !matches!(state.as_str(), "waiting" | "running")) {
                return Ok(peak);
            }
            if start.elapsed() > LONGEST {
                bail!("the read takes longer than {LONGEST:?}");
            }
        }
    }

    async fn spent(&self) -> Result<Spent> {
        let call = self.api.get("/metrics");
        let answer = self.api.connect().await?.send(call).await?.expect(&[200])?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Ok(Spent {
            statements: metric(&text, "usher_storage_statements_total")?,
            rows: metric(&text, "usher_storage_rows_written_total")?,
            cpu: self.server.cpu()?,
        })
    }

    /// Writes down from now on which table each written row belongs to: triggers on all tables do so.
    pub(crate) fn watch_writes(&self) -> Result<()> {
        let database = Connection::open(self.database())?;
        database.busy_timeout(Duration::from_secs(10))?;
        let mut sql = String::from("BEGIN IMMEDIATE; CREATE TABLE bench_write (name TEXT NOT NULL);\n");
        for table in tables(&database)? {
            for verb in ["INSERT", "UPDATE", "DELETE"] {
                sql.push_str(&format!(
                    "CREATE TRIGGER bench_{table}_{verb} AFTER {verb} ON \"{table}\"
                     BEGIN INSERT INTO bench_write VALUES ('{table}'); END;\n"
                ));
            }
        }
        sql.push_str("COMMIT;");
        Ok(database.execute_batch(&sql)?)
    }

    /// How many rows were written into each table since [`Self::watch_writes`], which ends with this.
    pub(crate) fn writes(&self) -> Result<BTreeMap<String, u64>> {
        let database = Connection::open(self.database())?;
        database.busy_timeout(Duration::from_secs(10))?;
        let writes = database
            .prepare("SELECT name, count(*) FROM bench_write GROUP BY name")?
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
            .collect::<Result<_, _>>()?;
        let mut sql = String::from("BEGIN IMMEDIATE;\n");
        for table in tables(&database)? {
            if table != "bench_write" {
                for verb in ["INSERT", "UPDATE", "DELETE"] {
                    sql.push_str(&format!("DROP TRIGGER bench_{table}_{verb};\n"));
                }
            }
        }
        sql.push_str("DROP TABLE bench_write; COMMIT;");
        database.execute_batch(&sql)?;
        Ok(writes)
    }
}

fn tables(database: &Connection) -> Result<Vec<String>> {
    let mut tables = database.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
    )?;
    let tables = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(tables)
}
