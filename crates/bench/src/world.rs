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

use crate::client::Endpoint;
use crate::database::Database;
use crate::load::{Run, drive};
use crate::process::Process;
use crate::scim;

/// The brake is on, so that its work is measured, and never stops anybody. Under `restore` a reactivation brings the
/// memberships back, which is the longer way.
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
kind = "scim"
mode = "push"
[source.settings]
reactivation = "restore"
"#;

/// The level at which people start in the rooms here: the lowest that a source may give.
const LEVEL: &str = "restricted_user";

/// A deployment.
pub(crate) struct World {
    folder: TempDir,
    /// The server.
    pub(crate) server: Process,
    /// Its SCIM root.
    pub(crate) scim: Endpoint,
    operations: Endpoint,
    /// The ids of all users, in the order of their creation.
    pub(crate) users: Vec<Uuid>,
    groups: usize,
    rooms: usize,
}

impl World {
    /// Starts the server on a new folder in `data`.
    pub(crate) async fn start(usher: &Path, data: &Path, keep: bool) -> Result<Self> {
        let mut folder = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(data)
            .with_context(|| format!("cannot make a folder in {}", data.display()))?;
        folder.disable_cleanup(keep);
        let usher = usher
            .canonicalize()
            .with_context(|| format!("there is no {}; run `cargo xtask bench`", usher.display()))?;
        let config = folder.path().join("usher.toml");
        std::fs::write(&config, CONFIG)?;

        let token = token(&usher, &config, folder.path(), ["--source", "idp"])?;
        let mut serve = command(&usher, folder.path());
        serve.arg("serve").arg("--config").arg(&config);
        let server = Process::start(serve, &folder.path().join("usher.log")).await?;
        Ok(Self {
            scim: Endpoint::new(server.address(), "/scim/idp/v2", Some(&token))?,
            operations: Endpoint::new(server.address(), "", None)?,
            folder,
            server,
            users: Vec::new(),
            groups: 0,
            rooms: 0,
        })
    }

    /// Where its data are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("usher.db")
    }

    /// How many rows of members there are.
    pub(crate) fn member_rows(&self) -> Result<usize> {
        let counts = Database::open(&self.database())?.counts()?;
        Ok(usize::try_from(counts.get("group_member").copied().unwrap_or(0))?)
    }

    /// Creates users until there are `count`, `in_flight` at a time.
    pub(crate) async fn create_users(&mut self, count: usize, in_flight: usize) -> Result<Option<Run>> {
        let first = self.users.len();
        if first >= count {
            return Ok(None);
        }
        let ids = RefCell::new(vec![Uuid::nil(); count - first]);
        let run = drive(
            &self.scim,
            &self.server,
            count - first,
            in_flight,
            |number| self.scim.post("/Users", scim::user(first + number)),
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
        Ok(Some(run))
    }

    /// Creates groups that lead nowhere.
    pub(crate) async fn create_groups(&mut self, count: usize) -> Result<Vec<Uuid>> {
        let first = self.groups;
        self.groups += count;
        let ids = RefCell::new(vec![Uuid::nil(); count]);
        drive(
            &self.scim,
            &self.server,
            count,
            1,
            |number| {
                let number = first + number;
                self.scim
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
        let url = format!("sqlite:{}", self.database().display());
        let storage = Storage::open(StorageConfig {
            readers: 1,
            ..StorageConfig::new(url)
        })
        .await?;
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
            &self.scim,
            &self.server,
            patches.len(),
            in_flight,
            |number| {
                let (group, body) = &patches[number];
                self.scim.patch(&format!("/Groups/{group}"), body.clone())
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

    /// How many statements the server has run since it started, as `/metrics` says.
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
    let output = command(usher, folder)
        .args(["token", "create", "--label", "bench", "--json"])
        .args(purpose)
        .arg("--config")
        .arg(config)
        .output()
        .context("cannot run usher")?;
    if !output.status.success() {
        bail!("usher token create: {}", String::from_utf8_lossy(&output.stderr));
    }
    let printed: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("usher token create prints no JSON")?;
    let token = printed["token"]
        .as_str()
        .context("usher token create prints no token")?;
    Ok(token.to_owned())
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
