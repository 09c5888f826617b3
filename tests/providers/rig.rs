//! A deployment with one source, and the provider on its other side.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use usher_fakes::push::{
    Dialect, EntraClient, EntraOptions, ExternalIdSource, GuestName, OktaClient, OktaOptions,
};

use super::plain::Plain;
use super::{Idp, Kind};
use crate::harness::{Client, Config, Desk, Order, Room, Server, Source, World, eventually};

/// How what the provider has reaches Usher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Push,
    Pull,
    Both,
}

impl Way {
    const fn mode(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Both => "both",
        }
    }
}

/// The provider's SCIM client.
pub enum Pusher {
    Entra(EntraClient),
    Okta(OktaClient),
    Plain(Plain),
}

/// Everything that a test holds.
pub struct Rig {
    pub way: Way,
    pub idp: Idp,
    pub world: World,
    server: Option<Server>,
    pub desk: Desk,
    /// The API, as administrator.
    pub api: Client,
    pub pusher: Option<Pusher>,
}

impl Rig {
    /// `None` where the client that pushes was left out by name.
    pub async fn new(kind: Kind, way: Way) -> Option<Self> {
        let idp = Idp::new(kind).await;
        Self::of(idp, way).await
    }

    /// With a provider that is set up already.
    pub async fn of(idp: Idp, way: Way) -> Option<Self> {
        let source = match way {
            Way::Push => Source {
                kind: idp.kind.adapter().to_owned(),
                settings: push_settings(idp.kind).to_owned(),
                ..Source::named("idp")
            },
            Way::Pull | Way::Both => idp.source(way.mode()),
        };
        Self::configured(idp, way, source, "").await
    }

    /// With this source, and more TOML behind it.
    pub async fn configured(idp: Idp, way: Way, source: Source, more: &str) -> Option<Self> {
        let world = World::with(&Config {
            sources: vec![source],
            more: more.to_owned(),
            ..Config::default()
        });
        let server = world.serve().await;
        let mut rig = Self {
            way,
            desk: world.desk(&server),
            api: world.api(&server),
            idp,
            world,
            server: Some(server),
            pusher: None,
        };
        if way != Way::Pull {
            rig.pusher = Some(rig.connect().await?);
        }
        if way != Way::Push {
            // The first read comes by itself.
            rig.quiet().await;
        }
        Some(rig)
    }

    /// The running server.
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// The server is gone as by a power cut.
    pub fn kill(&mut self) {
        self.server.take().expect("the server runs").kill();
    }

    /// The server is asked to stop, and has.
    pub async fn stop(&mut self) {
        let (status, output) = self.server.take().expect("the server runs").terminate().await;
        assert!(status.success(), "{status}:\n{}", output.text());
    }

    /// The server starts again, on the data that are there.
    pub async fn start(&mut self) {
        let server = self.world.serve().await;
        self.desk = self.desk.moved_to(server.address());
        self.api = self.world.api(&server);
        self.server = Some(server);
    }

    /// What `/metrics` shows.
    pub async fn metrics(&self) -> String {
        let root = Client::at(self.server().address());
        let answer = root.get("/metrics").await.expect(200);
        answer.body.as_str().expect("text").to_owned()
    }

    async fn connect(&self) -> Option<Pusher> {
        let base = format!("{}/scim/idp/v2", self.server().address());
        let directory = &self.idp.directory;
        Some(match self.idp.kind {
            Kind::Entra => {
                let options = EntraOptions {
                    dialect: Dialect::Mixed,
                    external_id: ExternalIdSource::ObjectId,
                    guest_name: GuestName::Original,
                    member_batch: 2,
                    probes: true,
                    ..EntraOptions::default()
                };
                let token = self.world.source_token("idp");
                let mut client = EntraClient::new(directory, &base, &token, options);
                client.test_connection().await.expect("a connection");
                Pusher::Entra(client)
            }
            Kind::Okta => {
                let token = self.world.source_token("idp");
                let mut client = OktaClient::new(directory, &base, &token, OktaOptions::default());
                client.connect().await.expect("a connection");
                Pusher::Okta(client)
            }
            Kind::Scim => Pusher::Plain(Plain::new(self.world.scim2(self.server(), "idp")?)),
        })
    }

    /// Whether groups are named by the provider's id in orders.
    pub fn orders_by_id(&self) -> bool {
        self.way != Way::Push || self.idp.kind == Kind::Entra
    }

    /// What an order names a group of the directory by.
    pub fn named(&self, group: &str) -> (String, &'static str) {
        if self.orders_by_id() {
            (group.to_owned(), "id")
        } else {
            let group = self.idp.directory.group(group).expect("a group of the directory");
            (group.name, "name")
        }
    }

    /// Orders a room for a group and hands the order in; the order.
    pub async fn order(&self, room: &str, group: &str) -> String {
        let (group, named_by) = self.named(group);
        let order = Order {
            room,
            group: &group,
            named_by,
            ..Order::default()
        };
        self.desk.order(&order).await
    }

    /// From the order to the confirmed mapping.
    pub async fn open(&self, room: &str, group: &str) -> Room {
        let order = self.order(room, group).await;
        let room = self.desk.prepare(&order, &json!({})).await;
        self.quiet().await;
        self.desk.confirm(&order).await;
        self.quiet().await;
        room
    }

    /// What changed at the provider reaches Usher, by its push or by a read that is asked for.
    pub async fn convey(&mut self) {
        if self.way != Way::Pull {
            self.push().await;
        }
        if self.way != Way::Push {
            self.sync().await;
        }
    }

    /// A cycle of the provider's client.
    pub async fn push(&mut self) {
        let pusher = self.pusher.as_mut().expect("the source is pushed to");
        let report = match pusher {
            Pusher::Entra(client) => client.cycle().await,
            Pusher::Okta(client) => client.cycle().await,
            Pusher::Plain(plain) => return plain.cycle(&self.idp.directory),
        };
        assert!(report.is_clean(), "{report:#?}");
    }

    /// Puts a group on Okta's tab "Push Groups"; other clients need no such thing.
    pub fn push_group(&mut self, group: &str) {
        if let Some(Pusher::Okta(client)) = &mut self.pusher {
            client.push_group(group);
        }
    }

    /// A read of what changed, to its end.
    pub async fn sync(&self) -> Value {
        self.sync_of(&json!({})).await
    }

    /// A complete read, to its end.
    pub async fn sync_full(&self) -> Value {
        self.sync_of(&json!({ "full": true })).await
    }

    /// A read that has to work, to the end of it and of what it asks for; the run.
    pub async fn sync_of(&self, what: &Value) -> Value {
        let run = self.run_of(what).await;
        assert_eq!(run["state"], "done", "{run:#}");
        self.quiet().await;
        run
    }

    /// A read to its end, however that is; the run.
    pub async fn run_of(&self, what: &Value) -> Value {
        let asked = self.api.post("/sources/idp/sync", what).await.expect(202).id();
        let path = format!("/sources/idp/runs/{asked}");
        eventually("the read to end", || async {
            let run = self.api.get(&path).await.expect(200);
            (!run.body["ended"].is_null()).then_some(run.body)
        })
        .await
    }

    /// Waits until no read runs or is due. What is to be read later, after a settle time or a failure, is not waited for.
    pub async fn quiet(&self) {
        if self.way == Way::Push {
            return;
        }
        eventually("all reads to end", || async {
            let runs = self.runs().await;
            let is_later =
                |run: &Value| run["state"] == "waiting" && second(&run["due"]) > second(&run["asked"]) + 1;
            let open = |run: &Value| run["ended"].is_null() && !is_later(run);
            (!runs.is_empty() && !runs.iter().any(open)).then_some(())
        })
        .await;
    }

    /// The runs so far, the newest first.
    pub async fn runs(&self) -> Vec<Value> {
        self.api
            .get("/sources/idp/runs?limit=100")
            .await
            .expect(200)
            .list("/items")
    }

    /// The reads so far and what the provider was asked, for a test that fails.
    pub async fn story(&self) -> String {
        let pushed = match &self.pusher {
            Some(Pusher::Entra(client)) => client.exchanges(),
            Some(Pusher::Okta(client)) => client.exchanges(),
            Some(Pusher::Plain(_)) | None => &[],
        };
        let pushed = pushed.iter().map(|exchange| {
            format!(
                "{} {} {} -> {}",
                exchange.method, exchange.target, exchange.body, exchange.status
            )
        });
        let pushed = pushed.collect::<Vec<_>>().join("\n");
        if self.way == Way::Push {
            return pushed;
        }
        let runs = self.runs().await;
        let lines = runs.iter().rev().map(|run| {
            format!(
                "{} of {} {}, {}: {} {} {}",
                run["cause"],
                run["scope"],
                run["targets"],
                run["state"],
                run["counts"],
                run["not_seen"],
                run["error"]
            )
        });
        let asked = self.idp.served().seen();
        let asked = asked
            .iter()
            .map(|seen| format!("{} {}?{}", seen.method, seen.path, seen.query));
        lines.chain(asked).chain([pushed]).collect::<Vec<_>>().join("\n")
    }

    /// The source as the API shows it.
    pub async fn source(&self) -> Value {
        self.api.get("/sources/idp").await.expect(200).body
    }

    /// Where push and pull differ: kinds of differences with names.
    pub async fn drift(&self) -> Vec<Value> {
        self.api
            .get("/sources/idp/drift")
            .await
            .expect(200)
            .list("/items")
    }

    /// Who of the customer's people is in a room, with the level.
    pub async fn levels(&self, room: &Room) -> BTreeMap<String, String> {
        let members = self.desk.members(&room.id).await.into_iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        members
            .filter(|(_, member)| member["kind"] != "bootstrap")
            .map(|(address, member)| (address, text(&member["level"])))
            .collect()
    }

    /// Whether somebody is in a room.
    pub async fn is_inside(&self, room: &Room, address: &str) -> bool {
        self.desk.inside(&room.id).await.contains(address)
    }
}

/// The second of a time.
fn second(time: &Value) -> i64 {
    let time = time.as_str().expect("a time");
    time.parse::<jiff::Timestamp>().expect("a time").as_second()
}

/// The settings of a source that is only pushed to.
const fn push_settings(kind: Kind) -> &'static str {
    match kind {
        // Its client sends memberships that were kept again.
        Kind::Scim => "reactivation = \"restore\"\n",
        Kind::Entra | Kind::Okta => "",
    }
}
