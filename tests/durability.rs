//! Acknowledged is durable: a server that is killed in the middle of a load has everything that it acknowledged, and
//! nothing by half.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

use crate::harness::{Client, Desk, Order, Room, Server, World, eventually, seeded_binary, strace};

const RESTARTS: usize = 20;
const CLIENTS: usize = 8;

/// The kill comes with this many acknowledgements of a round, and some more in each later round, so that it falls
/// into ever other moments.
const ACKNOWLEDGEMENTS: usize = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_done_over_twenty_kills() {
    let mut rig = Rig::new(World::new()).await;
    for round in 0..RESTARTS {
        rig.load_and_kill(round).await;
        let damage = rig.restart_and_compare().await;
        assert!(damage.is_empty(), "after kill {round}: {damage:#?}");
    }
    assert!(rig.ledger.pairs.len() >= RESTARTS * ACKNOWLEDGEMENTS / 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_acknowledges_before_it_commits_is_found_out() {
    let Some(seeded) = seeded_binary() else { return };
    let mut rig = Rig::new(World::new()).await;
    rig.run_by(seeded).await;
    rig.load_and_kill(0).await;
    let damage = rig.restart_and_compare().await;
    assert!(
        !damage.is_empty(),
        "the seeded build lost nothing that the comparison notices"
    );
}

#[tokio::test]
async fn the_disk_has_a_change_before_its_answer_leaves() {
    let Some(strace) = strace() else { return };
    let world = World::new();
    let trace = world.folder().join("trace");
    let calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
    let file = trace.to_str().expect("the folder's name is text");
    // The tracer steps aside (-D), so that the process we started is the server itself.
    let server = world
        .serve_under(&strace, &["-D", "-f", "-y", "-s", "64", "-e", calls, "-o", file])
        .await;
    let scim = world.scim(&server, "idp");
    for n in 0..3 {
        scim.post("/Users", &user(&format!("traced{n}@contoso.com")))
            .await
            .expect(201);
    }
    server.kill();
    let trace = eventually("the tracer to write everything down", || async {
        let text = std::fs::read_to_string(&trace).ok()?;
        text.contains("+++ killed by SIGKILL").then_some(text)
    })
    .await;

    let (mut synced, mut answers) = (false, 0);
    for line in trace.lines() {
        let finishes =
            line.contains("fsync(") || line.contains("fdatasync(") || line.contains("sync resumed");
        if finishes && line.trim_end().ends_with("= 0") {
            synced = true;
        } else if line.contains("HTTP/1.1 201") {
            assert!(
                synced,
                "an answer left before the disk had the change:\n{line}\n\n{trace}"
            );
            (synced, answers) = (false, answers + 1);
        }
    }
    assert_eq!(answers, 3, "{trace}");
}

/// A deployment under load, with a ledger of what it acknowledged.
struct Rig {
    world: World,
    server: Option<Server>,
    scim: Client,
    desk: Desk,
    room: Room,
    group: String,
    token: String,
    ledger: Ledger,
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Ledger {
    /// Accounts: id, name, and whether the deactivation was acknowledged.
    users: BTreeMap<String, (String, bool)>,
    /// Accounts that were added to the group two at a time, by one request each: acknowledged.
    pairs: Vec<[String; 2]>,
    /// The same, asked for; the answer may never have come.
    attempts: Vec<[String; 2]>,
}

impl Rig {
    async fn new(world: World) -> Self {
        let server = world.serve().await;
        let token = world.source_token("idp");
        let scim = Client::scim(server.address(), "idp", &token);
        let desk = world.desk(&server);
        let room = desk
            .open(&Order {
                expected: 1_000_000,
                ..Order::default()
            })
            .await;
        let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Board members" });
        let group = scim.post("/Groups", &group).await.expect(201).id();
        Self {
            world,
            server: Some(server),
            scim,
            desk,
            room,
            group,
            token,
            ledger: Ledger::default(),
        }
    }

    /// Goes on with another binary, on what is there.
    async fn run_by(&mut self, binary: PathBuf) {
        self.server.take().expect("the server runs").kill();
        self.world.run_by(binary);
        let server = self.world.serve().await;
        self.scim = Client::scim(server.address(), "idp", &self.token);
        self.desk = self.desk.moved_to(server.address());
        self.server = Some(server);
    }

    /// Loads the server from several clients at once and kills it in the middle.
    async fn load_and_kill(&mut self, round: usize) {
        let ledger = Arc::new(Mutex::new(std::mem::take(&mut self.ledger)));
        let enough = Arc::new(Notify::new());
        let before = ledger.lock().await.users.len();
        let wanted = before + ACKNOWLEDGEMENTS + round * 3 % 11;
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let load = Load {
                scim: self.scim.clone(),
                group: self.group.clone(),
                name: format!("r{round}c{client}"),
                ledger: Arc::clone(&ledger),
                enough: Arc::clone(&enough),
                wanted,
            };
            clients.spawn(load.run());
        }
        tokio::select! {
            () = enough.notified() => {}
            Some(ended) = clients.join_next() => panic!("a client gave up before the kill: {ended:?}"),
        }
        self.server.take().expect("the server runs").kill();
        clients.join_all().await;
        self.ledger = Arc::into_inner(ledger)
            .expect("all clients have ended")
            .into_inner();
    }

    /// Starts again, reads everything back, and names what differs from the ledger.
    async fn restart_and_compare(&mut self) -> Vec<String> {
        let server = self.world.serve().await;
        self.scim = Client::scim(server.address(), "idp", &self.token);
        self.desk = self.desk.moved_to(server.address());
        self.server = Some(server);
        let mut damage = Vec::new();
        let mut found = BTreeMap::new();
        let mut start = 1;
        loop {
            let page = self
                .scim
                .get(&format!("/Users?startIndex={start}&count=500"))
                .await
                .expect(200);
            let resources = page.body["Resources"].as_array().cloned().unwrap_or_default();
            if resources.is_empty() {
                break;
            }
            start += resources.len();
            for resource in resources {
                let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
                if resource["emails"][0]["value"] != resource["userName"] {
                    damage.push(format!("{} is half there", text("userName")));
                }
                found.insert(text("id"), (text("userName"), resource["active"] == false));
            }
        }
        for (id, (name, inactive)) in &self.ledger.users {
            match found.get(id) {
                Some((found, is_inactive)) if found == name && (*is_inactive || !inactive) => {}
                other => damage.push(format!(
                    "{name} was acknowledged, inactive: {inactive}; there is {other:?}"
                )),
            }
        }
        let group = self
            .scim
            .get(&format!("/Groups/{}", self.group))
            .await
            .expect(200);
        let members: BTreeSet<String> = group.body["members"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|member| member["value"].as_str().map(str::to_owned))
            .collect();
        for pair in &self.ledger.pairs {
            if !pair.iter().all(|id| members.contains(id)) {
                damage.push(format!("{pair:?} were acknowledged as members and are not"));
            }
        }
        for pair in &self.ledger.attempts {
            if members.contains(&pair[0]) != members.contains(&pair[1]) {
                damage.push(format!("of {pair:?} one is a member and one is not"));
            }
        }
        // Member row and membership are one unit: who is active and in the group is in the room, and nobody else.
        let desired: BTreeSet<&str> = found
            .iter()
            .filter(|(id, (_, inactive))| !inactive && members.contains(*id))
            .map(|(_, (name, _))| name.as_str())
            .collect();
        let inside = self.desk.inside(&self.room.id).await;
        let inside: BTreeSet<&str> = inside.iter().map(String::as_str).collect();
        damage.extend(
            desired
                .symmetric_difference(&inside)
                .map(|name| format!("{name}: group and room differ")),
        );
        damage
    }
}

/// One client of the load: two accounts, both into the group at once, one of them deactivated; and again.
struct Load {
    scim: Client,
    group: String,
    name: String,
    ledger: Arc<Mutex<Ledger>>,
    enough: Arc<Notify>,
    wanted: usize,
}

impl Load {
    async fn run(self) {
        for n in 0_usize.. {
            if self.turn(n).await.is_none() {
                return;
            }
        }
    }

    /// `None` when the server is gone.
    async fn turn(&self, n: usize) -> Option<()> {
        let names = ["a", "b"].map(|half| format!("{}n{n}{half}@contoso.com", self.name));
        let mut pair = [String::new(), String::new()];
        for (id, name) in pair.iter_mut().zip(&names) {
            *id = self.ask(Method::POST, "/Users", &user(name), 201).await?;
            self.acknowledged(|ledger| {
                ledger.users.insert(id.clone(), (name.clone(), false));
            })
            .await;
        }
        self.ledger.lock().await.attempts.push(pair.clone());
        let value: Vec<_> = pair.iter().map(|id| json!({ "value": id })).collect();
        let group = format!("/Groups/{}?attributes=displayName", self.group);
        let operations = json!([{ "op": "add", "path": "members", "value": value }]);
        self.ask(Method::PATCH, &group, &patch(&operations), 200).await?;
        self.acknowledged(|ledger| ledger.pairs.push(pair.clone())).await;
        if n.is_multiple_of(2) {
            let off = json!([{ "op": "replace", "path": "active", "value": false }]);
            self.ask(Method::PATCH, &format!("/Users/{}", pair[0]), &patch(&off), 200)
                .await?;
            self.acknowledged(|ledger| {
                ledger
                    .users
                    .entry(pair[0].clone())
                    .and_modify(|user| user.1 = true);
            })
            .await;
        }
        Some(())
    }

    async fn ask(&self, method: Method, path: &str, body: &serde_json::Value, status: u16) -> Option<String> {
        let body = body.to_string().into_bytes();
        let answer = self.scim.try_send(method, path, &[], Some(body)).await.ok()?;
        Some(
            answer.expect(status).body["id"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }

    async fn acknowledged(&self, note: impl FnOnce(&mut Ledger)) {
        let mut ledger = self.ledger.lock().await;
        note(&mut ledger);
        if ledger.users.len() >= self.wanted {
            self.enough.notify_one();
        }
    }
}

fn user(name: &str) -> serde_json::Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "active": true,
        "emails": [{ "value": name, "type": "work", "primary": true }],
    })
}

fn patch(operations: &serde_json::Value) -> serde_json::Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}
