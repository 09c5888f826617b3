//! A deployment to measure: a folder on the disk in question, the server on it, and what was pushed to it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use usher_core::{
    Clock as _, Draw, GroupNaming, MappingId, MappingState, Rejoin, RoomId, RoomModel, RoomState,
    SourceGroupId, SystemClock,
};
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::room::RoomRow;
use usher_storage::{Storage, StorageConfig, StorageError, query};
use uuid::Uuid;

use crate::ceiling::{Counts, Mark};
use crate::client::Endpoint;
use crate::engine::Engine;
use crate::load::{Run, Side, drive};
use crate::process::Process;
use crate::{postgres, scim, sqlite};

/// Under `restore` a reactivation brings the
/// memberships back, which is the longer way.
const CONFIG: &str = r#"
[organisation]
name = "Bench"
domains = ["bench.example"]

[server]
listen = "127.0.0.1:0"

[webhooks]
key = "YmVuY2htYXJrcyBzZWFsIG5vdGhpbmcgb2YgdmFsdWU="
allow_networks = ["127.0.0.0/8"]

[[source]]
name = "idp"
kind = "scim"
mode = "push"
[source.settings]
reactivation = "restore"
"#;

/// The level at which people start in the rooms here: the lowest that a source may give.
pub(crate) const LEVEL: &str = "restricted_user";

/// Where the data of a deployment are.
pub(crate) enum Place {
    /// SQLite's file.
    File(PathBuf),
    /// A database of PostgreSQL, gone with this.
    Database(usher_testpg::Database),
}

impl Place {
    /// The value of `storage.url`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite:{}", path.display()),
            Self::Database(database) => database.url(),
        }
    }

    /// Which database this is.
    pub(crate) const fn engine(&self) -> Engine {
        match self {
            Self::File(_) => Engine::Sqlite,
            Self::Database(_) => Engine::Postgres,
        }
    }

    /// How many rows each table has now.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        match self {
            Self::File(path) => sqlite::Database::open(path)?.counts(),
            Self::Database(database) => postgres::Database::open(&database.url()).await?.counts().await,
        }
    }

    /// How much of the disk it takes, in bytes.
    pub(crate) async fn size(&self) -> Result<u64> {
        match self {
            Self::File(path) => {
                // What was written last may still be in the log only.
                let log = std::fs::metadata(path.with_extension("db-wal"));
                Ok(std::fs::metadata(path)?.len() + log.map_or(0, |log| log.len()))
            }
            Self::Database(database) => postgres::Database::open(&database.url()).await?.size().await,
        }
    }

    /// This moment.
    pub(crate) async fn mark(&self) -> Result<Mark> {
        let counts = self.counts().await?;
        let last_event = match self {
            Self::File(path) => sqlite::Database::open(path)?.last_event()?,
            Self::Database(database) => {
                postgres::Database::open(&database.url())
                    .await?
                    .last_event()
                    .await?
            }
        };
        Ok(Mark { counts, last_event })
    }
}

/// How a deployment is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'b> {
    /// The server's binary.
    pub(crate) usher: &'b Path,
    /// The folder for the folder.
    pub(crate) data: &'b Path,
    /// Whether the folder stays.
    pub(crate) keep: bool,
    /// So many endings in a room the brake lets pass. It is on, so that its work is measured.
    pub(crate) endings: u32,
}

/// A server of a deployment.
pub(crate) struct Node {
    /// Its process.
    pub(crate) server: Process,
    /// Its SCIM root.
    pub(crate) scim: Endpoint,
    /// The API and what it says of itself.
    pub(crate) operations: Endpoint,
}

impl Node {
    /// How the load reaches it.
    pub(crate) fn side(&self) -> Side<'_> {
        Side {
            endpoint: &self.scim,
            server: &self.server,
        }
    }

    /// How many statements it has run since it started, as `/metrics` says.
    pub(crate) async fn statements(&self) -> Result<u64> {
        let call = self.operations.get("/metrics");
        let answer = self
            .operations
            .connect()
            .await?
            .send(call)
            .await?
            .expect(&[200])?;
        metric(
            &String::from_utf8_lossy(&answer.body),
            "usher_storage_statements_total",
        )
    }
}

/// A deployment.
pub(crate) struct World {
    // Dropped in this order: the server first, then what it works on.
    /// The server, or the first of several.
    pub(crate) node: Node,
    place: Place,
    folder: TempDir,
    usher: PathBuf,
    tokens: Tokens,
    /// The ids of all users, in the order of their creation.
    pub(crate) users: Vec<Uuid>,
    groups: usize,
    rooms: usize,
}

/// What the load says who it is with.
struct Tokens {
    scim: String,
    api: String,
}

impl World {
    /// Starts a server on a new folder: on a file in it, or on this database.
    pub(crate) async fn start(
        setting: Setting<'_>,
        database: Option<usher_testpg::Database>,
    ) -> Result<Self> {
        let mut folder = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(setting.data)
            .with_context(|| format!("cannot make a folder in {}", setting.data.display()))?;
        folder.disable_cleanup(setting.keep);
        let usher = setting.usher;
        let usher = usher
            .canonicalize()
            .with_context(|| format!("there is no {}; run `cargo xtask bench`", usher.display()))?;
        let place = match database {
            Some(database) => Place::Database(database),
            None => Place::File(folder.path().join("usher.db")),
        };
        let config = folder.path().join("usher.toml");
        let (url, endings) = (place.url(), setting.endings);
        std::fs::write(
            &config,
            format!("{CONFIG}\n[storage]\nurl = {url:?}\n\n[brake]\nendings = {endings}\n"),
        )?;
        let tokens = Tokens {
            scim: token(&usher, &config, folder.path(), ["--source", "idp"])?,
            api: token(&usher, &config, folder.path(), ["--role", "admin"])?,
        };
        Ok(Self {
            node: node(&usher, folder.path(), &tokens, 0).await?,
            place,
            folder,
            usher,
            tokens,
            users: Vec::new(),
            groups: 0,
            rooms: 0,
        })
    }

    /// The console, for a new local administrator.
    pub(crate) async fn sign_in(&self) -> Result<Endpoint> {
        let config = self.folder.path().join("usher.toml");
        let made = printed(&self.usher, &config, self.folder.path(), &["admin", "password"])?;
        let text = |name: &str| {
            made[name]
                .as_str()
                .with_context(|| format!("no {name} is printed"))
        };
        Endpoint::signed_in(self.node.server.address(), text("name")?, text("password")?).await
    }

    /// Starts one more server on the same database.
    pub(crate) async fn another_node(&self, number: usize) -> Result<Node> {
        node(&self.usher, self.folder.path(), &self.tokens, number).await
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its data are.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// The storage beside the server.
    pub(crate) async fn storage(&self) -> Result<Storage> {
        Ok(Storage::open(StorageConfig {
            readers: 1,
            ..StorageConfig::new(self.place.url())
        })
        .await?)
    }

    /// How many rows of members there are.
    pub(crate) async fn member_rows(&self) -> Result<usize> {
        let counts = self.place.counts().await?;
        Ok(usize::try_from(counts.get("group_member").copied().unwrap_or(0))?)
    }

    /// Creates users until there are `count`, `in_flight` at a time.
    pub(crate) async fn create_users(&mut self, count: usize, in_flight: usize) -> Result<Run> {
        let first = self.users.len();
        let ids = RefCell::new(vec![Uuid::nil(); count - first]);
        let run = drive(
            &self.node.scim,
            &self.node.server,
            count - first,
            in_flight,
            |number| self.node.scim.post("/Users", scim::user(first + number)),
            |number, answer| {
                ids.borrow_mut()[number] = id(&answer.expect(&[201])?.json()?)?;
                Ok(())
            },
        )
        .await?;
        let mut ids = ids.into_inner();
        // Ids sort by the moment of creation, which differs from the order of asking by what was in flight.
        ids.sort_unstable();
        self.users.extend(ids);
        Ok(run)
    }

    /// Creates groups that lead nowhere.
    pub(crate) async fn create_groups(&mut self, count: usize) -> Result<Vec<Uuid>> {
        let first = self.groups;
        self.groups += count;
        let ids = RefCell::new(vec![Uuid::nil(); count]);
        drive(
            &self.node.scim,
            &self.node.server,
            count,
            1,
            |number| {
                let number = first + number;
                self.node
                    .scim
                    .post("/Groups", scim::group(&format!("Group {number}"), number))
            },
            |number, answer| {
                ids.borrow_mut()[number] = id(&answer.expect(&[201])?.json()?)?;
                Ok(())
            },
        )
        .await?;
        Ok(ids.into_inner())
    }

    /// Creates groups, each with a room of its own and a confirmed mapping. Rooms and mappings are written into the
    /// database beside the server, while the groups are still empty: they are not what is measured.
    pub(crate) async fn create_mapped_groups(&mut self, count: usize) -> Result<Vec<Uuid>> {
        let groups = self.create_groups(count).await?;
        let first = self.rooms;
        self.rooms += count;
        let storage = self.storage().await?;
        let draw = Draw::new(&SystemClock);
        let mapped = groups.clone();
        storage
            .write(move |tx| {
                let (groups, mut ids) = (mapped.clone(), draw.ids());
                Box::pin(async move {
                    let source = query::source::by_name(tx, "idp")
                        .await?
                        .ok_or(StorageError::NoRow)?;
                    for (number, group) in groups.into_iter().enumerate() {
                        let room = room(ids.make(), first + number);
                        query::room::insert(tx, &room).await?;
                        let bound = Some(SourceGroupId::from_uuid(group));
                        let mapping = mapping(ids.make(), room.id, source.key, bound, group.to_string());
                        query::mapping::insert(tx, &mapping).await?;
                    }
                    Ok::<(), StorageError>(())
                })
            })
            .await?;
        storage.close().await;
        Ok(groups)
    }

    /// Sends PATCHes, `(group, body)` each.
    pub(crate) async fn patch_groups(&self, patches: &[(Uuid, String)], in_flight: usize) -> Result<Run> {
        drive(
            &self.node.scim,
            &self.node.server,
            patches.len(),
            in_flight,
            |number| {
                let (group, body) = &patches[number];
                self.node.scim.patch(&format!("/Groups/{group}"), body.clone())
            },
            |_, answer| answer.expect(&[200, 204]).map(drop),
        )
        .await
    }

    /// Fills a group, a thousand members at a time.
    pub(crate) async fn fill_group(&self, group: Uuid, users: &[Uuid]) -> Result<Run> {
        let patches: Vec<_> = users
            .chunks(1000)
            .map(|users| (group, scim::members("Add", users)))
            .collect();
        self.patch_groups(&patches, 1).await
    }

    /// How many statements the server has run since it started.
    pub(crate) async fn statements(&self) -> Result<u64> {
        self.node.statements().await
    }
}

/// A server on the config that is in the folder already.
async fn node(usher: &Path, folder: &Path, tokens: &Tokens, number: usize) -> Result<Node> {
    let mut serve = command(usher, folder);
    serve.arg("serve").arg("--config").arg(folder.join("usher.toml"));
    let server = Process::start(serve, &folder.join(format!("usher-{number}.log"))).await?;
    Ok(Node {
        scim: Endpoint::new(server.address(), "/scim/idp/v2", Some(&tokens.scim))?,
        operations: Endpoint::new(server.address(), "", Some(&tokens.api))?,
        server,
    })
}

/// A counter without labels in what `/metrics` answers.
pub(crate) fn metric(metrics: &str, name: &str) -> Result<u64> {
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .find_map(|rest| rest.strip_prefix(' ')?.trim().parse().ok())
        .with_context(|| format!("/metrics does not name {name}"))
}

/// The binary in the folder of the data, without what the developer set for a server of their own.
pub(crate) fn command(usher: &Path, folder: &Path) -> Command {
    let mut command = Command::new(usher);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("USHER_") {
            command.env_remove(name);
        }
    }
    command
}

/// A token of the server's, for this purpose.
pub(crate) fn token(usher: &Path, config: &Path, folder: &Path, purpose: [&str; 2]) -> Result<String> {
    let verb = ["token", "create", "--label", "bench"];
    let made = printed(usher, config, folder, &[&verb[..], &purpose].concat())?;
    let token = made["token"]
        .as_str()
        .context("usher token create prints no token")?;
    Ok(token.to_owned())
}

/// What a command beside the server prints.
fn printed(usher: &Path, config: &Path, folder: &Path, verb: &[&str]) -> Result<serde_json::Value> {
    let output = command(usher, folder)
        .args(verb)
        .arg("--json")
        .arg("--config")
        .arg(config)
        .output()
        .context("cannot run usher")?;
    if !output.status.success() {
        bail!(
            "usher {}: {}",
            verb.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("usher {} prints no JSON", verb.join(" ")))
}

fn id(resource: &serde_json::Value) -> Result<Uuid> {
    let id = resource["id"].as_str().context("the resource has no id")?;
    Ok(id.parse()?)
}

/// A room that is live.
pub(crate) fn room(id: RoomId, number: usize) -> RoomRow {
    RoomRow {
        id,
        name: format!("Room {number}"),
        model: RoomModel::Open,
        features: "[]".to_owned(),
        state: RoomState::Live,
        portal_id: None,
        url: None,
        no_administrator_since: None,
        arrival_limit: None,
        version: 1,
        created: SystemClock.now(),
    }
}

/// A confirmed mapping of a group, known already or not, to a room.
pub(crate) fn mapping(
    id: MappingId,
    room: RoomId,
    source: usher_storage::SourceKey,
    group: Option<SourceGroupId>,
    reference: String,
) -> MappingRow {
    let now = SystemClock.now();
    MappingRow {
        id,
        room,
        source,
        group,
        group_ref: reference,
        named_by: GroupNaming::Id,
        level: LEVEL.to_owned(),
        rejoin: Rejoin::Ask,
        rejoin_days: None,
        nested: false,
        additional: false,
        state: MappingState::Confirmed,
        created: now,
        confirmed: Some(now),
        retired: None,
        version: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_among_the_metrics() {
        let text = "# TYPE usher_storage_statements_total counter\nusher_storage_reads_total 7\n\
                    usher_storage_statements_total 4711\n";
        let name = "usher_storage_statements_total";
        assert_eq!(metric(text, name).unwrap(), 4711);
        assert!(metric("usher_storage_reads_total 7\n", name).is_err());
    }
}
