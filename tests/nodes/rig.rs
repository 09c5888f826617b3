//! A deployment of several nodes under load, and what it has to show at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use super::chance::Chance;
use super::checker::{self, Event, Facts, Finding, State};
use super::crowd::{self, Crowd};
use super::feed::Reader;
use super::fleet::{Fleet, Way};
use super::journal::Journal;
use super::load::{Client, Ground, create_group, create_user};
use super::moving::Moving;
use super::provider::{Provider, SOURCE};
use super::receiver::{self, Receiver};
use crate::harness::{Config, Desk, Order, Source, World, eventually};

/// How many nodes there are.
const NODES: usize = 3;

/// How many clients change things at the same time.
const CLIENTS: usize = 6;

/// How many users every client changes.
const SHARED_USERS: usize = 16;

/// How many groups every client changes.
const SHARED_GROUPS: usize = 2;

/// How many users nobody changes, for large groups.
const CROWD: usize = 130;

/// What the endpoints are told of: the first of everything, the second of memberships.
const ENDPOINTS: [&[&str]; 2] = [&[], &["membership.*"]];

/// Draws of one run, the same each time unless `USHER_TEST_SEED` says otherwise.
pub fn seed() -> u64 {
    std::env::var("USHER_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(20_261_122)
}

/// How long the load goes on: as long as CI has patience for, or as long as `cargo xtask test --long` has.
pub fn length() -> Duration {
    let is_long = std::env::var_os("USHER_TEST_LONG").is_some_and(|long| !long.is_empty());
    Duration::from_secs(if is_long { 120 } else { 20 })
}

/// What an endpoint is told of.
struct Endpoint {
    filters: &'static [&'static str],
    /// Only what came later.
    after: i64,
}

impl Endpoint {
    fn is_meant(&self, event: &Event) -> bool {
        let mut prefixes = self.filters.iter().map(|filter| filter.trim_end_matches('*'));
        let is_wanted = self.filters.is_empty() || prefixes.any(|prefix| event.kind.starts_with(prefix));
        is_wanted && event.seq > self.after
    }
}

/// Nodes with clients, readers, endpoints and a provider.
pub struct Rig {
    /// The nodes.
    pub fleet: Fleet,
    /// What clients were told.
    pub journal: Journal,
    /// What is drawn.
    pub chance: Chance,
    /// The provider that is read.
    pub provider: Provider,
    /// Reads that another node took over from one that slept, and the last event that there was then.
    pub taken_over: BTreeMap<String, i64>,
    crowd: Vec<String>,
    let_go: Option<Crowd>,
    moving: Option<Moving>,
    receiver: Receiver,
    endpoints: Vec<Endpoint>,
    readers: Vec<Reader>,
    ground: Arc<Ground>,
    own_groups: Vec<String>,
    source_token: String,
    role_token: String,
    load: JoinSet<()>,
    stop: CancellationToken,
}

impl Rig {
    /// Sets everything up on the database at this address, with rooms for all groups; nothing changes yet.
    pub async fn new(storage: String) -> Self {
        let chance = Chance::seeded(seed());
        let provider = Provider::start().await;
        let world = World::with(&Config {
            sources: vec![
                Source {
                    settings: "reactivation = \"restore\"\n".to_owned(),
                    ..Source::named("idp")
                },
                provider.source(),
            ],
            storage: Some(storage),
            more: format!("{}{}", crowd::CONFIG, receiver::CONFIG),
            ..Config::default()
        });
        let fleet = Fleet::new(world, NODES).await;
        let (source_token, role_token) = {
            let world = fleet.world();
            (world.source_token("idp"), world.role_token("admin"))
        };
        let journal = Journal::new();
        let mut api = fleet.api(&role_token, &journal);
        let receiver = Receiver::start(chance.fork(1)).await;
        let mut endpoints = Vec::new();
        for filters in ENDPOINTS {
            let after = receiver.register(&mut api, filters).await;
            endpoints.push(Endpoint { filters, after });
        }
        let mut rig = Self {
            readers: vec![
                Reader::start(fleet.api(&role_token, &journal), 1000, 1),
                Reader::start(fleet.api(&role_token, &journal), 7, 1),
            ],
            ground: Arc::new(Ground::new(Vec::new(), Vec::new(), &[])),
            own_groups: Vec::new(),
            load: JoinSet::new(),
            stop: CancellationToken::new(),
            fleet,
            journal,
            chance,
            provider,
            taken_over: BTreeMap::new(),
            crowd: Vec::new(),
            let_go: None,
            moving: None,
            receiver,
            endpoints,
            source_token,
            role_token,
        };
        rig.furnish().await;
        rig
    }

    /// Rooms, the groups that lead to them, and people.
    async fn furnish(&mut self) {
        let desk = self.fleet.world().desk(self.fleet.server(0));
        let mut scim = self.scim();
        let ada = self.user(&mut scim, "ada@contoso.com").await;
        let mut groups = Vec::new();
        for n in 0..CLIENTS + SHARED_GROUPS {
            let (room, group) = (format!("Room {n}"), format!("Group {n}"));
            desk.open(&Order {
                room: &room,
                group: &group,
                expected: 100_000,
                ..Order::default()
            })
            .await;
            let begun = self.journal.begin(format!("create {group}"), Vec::new());
            let created = create_group(&mut scim, &group, std::slice::from_ref(&ada), begun).await;
            groups.push(created.expect("the group is created"));
        }
        open_room_of_provider(&desk, &self.provider, &mut self.api()).await;
        let mut people = JoinSet::new();
        for n in 0..SHARED_USERS + CROWD {
            let (mut scim, journal) = (self.scim(), self.journal.clone());
            people.spawn(async move {
                let name = format!("person{n}@contoso.com");
                let begun = journal.begin(format!("create {name}"), Vec::new());
                create_user(&mut scim, &name, begun)
                    .await
                    .expect("the user is created")
            });
        }
        let mut shared = people.join_all().await;
        let crowd = shared.split_off(SHARED_USERS);
        self.moving = Some(Moving::open(&desk, &mut scim, &self.journal, &ada).await);
        self.own_groups = groups.drain(..CLIENTS).collect();
        self.ground = Arc::new(Ground::new(shared, groups, &crowd));
        self.crowd = crowd;
        self.provider.forget();
    }

    async fn user(&self, scim: &mut Way, name: &str) -> String {
        let begun = self.journal.begin(format!("create {name}"), Vec::new());
        create_user(scim, name, begun).await.expect("the user is created")
    }

    /// A way to the SCIM endpoint.
    pub fn scim(&self) -> Way {
        self.fleet.scim("idp", &self.source_token, &self.journal)
    }

    /// A way to the API.
    pub fn api(&self) -> Way {
        self.fleet.api(&self.role_token, &self.journal)
    }

    /// The nodes go on with another build.
    pub async fn run_by(&mut self, binary: PathBuf) {
        self.fleet.run_by(binary).await;
    }

    /// All clients begin, and the provider changes and is read.
    pub fn begin(&mut self) {
        self.begin_clients();
        self.begin_reading();
    }

    /// The provider changes and is read.
    pub fn begin_reading(&mut self) {
        self.go_on();
        let changing = self
            .provider
            .clone()
            .change(self.api(), self.chance.fork(2), self.stop.clone());
        self.load.spawn(changing);
    }

    fn go_on(&mut self) {
        if self.stop.is_cancelled() {
            self.stop = CancellationToken::new();
        }
    }

    /// A room with everybody whom nobody else changes, for the brake to hold.
    pub async fn open_crowd(&mut self) -> Crowd {
        let desk = self.fleet.world().desk(self.fleet.server(0));
        let crowd = Crowd::open(&desk, &mut self.scim(), &self.journal, &self.crowd).await;
        self.let_go = Some(crowd.clone());
        crowd
    }

    /// All clients begin.
    pub fn begin_clients(&mut self) {
        self.go_on();
        if let Some(moving) = self.moving.clone() {
            let (scim, journal) = (self.scim(), self.journal.clone());
            self.load
                .spawn(moving.run(scim, journal, self.chance.fork(3), self.stop.clone()));
        }
        for n in 0..CLIENTS {
            let number = u64::try_from(n).expect("a small number");
            let client = Client::new(
                format!("c{n}"),
                self.own_groups[n].clone(),
                self.scim(),
                self.journal.clone(),
                self.chance.fork(100 + number),
                Arc::clone(&self.ground),
            );
            self.load.spawn(client.run(self.stop.clone()));
        }
    }

    /// Waits until so many more operations are acknowledged.
    pub async fn acknowledged(&self, more: usize) {
        let mut acknowledged = self.journal.acknowledged();
        let wanted = *acknowledged.borrow() + more;
        eventually("operations to be acknowledged", || {
            let enough = *acknowledged.borrow_and_update() >= wanted;
            async move { enough.then_some(()) }
        })
        .await;
    }

    /// All clients finish what they do.
    pub async fn finish(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.load.join_next().await {
            ended.expect("a client of the load goes on to the end");
        }
    }

    /// Lets everything come to rest, and judges; everything that is wrong.
    pub async fn judge(mut self, database: &str) -> Verdict {
        self.finish().await;
        self.receiver.refuse_no_more();
        let mut api = self.api();
        self.provider.read_all(&mut api).await;
        let mut client = connect(database).await;
        let last = State::read(&mut client)
            .await
            .events
            .last()
            .map_or(0, |event| event.seq);
        let mut wrong = Vec::new();
        for reader in std::mem::take(&mut self.readers) {
            let read = reader.up_to(last).await;
            let events = State::read(&mut client).await.events;
            let read_to = read.last().copied().unwrap_or_default();
            let events: Vec<Event> = events.into_iter().filter(|event| event.seq <= read_to).collect();
            wrong.extend(checker::feed(&read, &events));
        }
        self.delivered(&mut client, last).await;

        let state = State::read(&mut client).await;
        let entries = self.journal.entries();
        wrong.extend(checker::directory(&entries, &state.facts()));
        let seen = self.seen().await;
        wrong.extend(checker::directory(&entries, &seen));
        wrong.extend(checker::rooms(&state));
        wrong.extend(checker::writes(&state.writes, &self.taken_over));
        if let Some(moving) = &self.moving {
            wrong.extend(checker::kept(&state, &moving.room, &moving.people()));
        }
        if let Some(crowd) = &self.let_go {
            wrong.extend(checker::brake(&state, &crowd.room, &crowd.removed));
        }
        let taken = self.receiver.taken();
        let told: Vec<Event> = state
            .events
            .iter()
            .filter(|event| event.seq <= last)
            .cloned()
            .collect();
        for (number, endpoint) in self.endpoints.iter().enumerate() {
            let is_meant = |event: &Event| endpoint.is_meant(event);
            wrong.extend(checker::deliveries(number, &taken, &told, is_meant));
        }
        let reads = self.provider.reads();
        wrong.extend(checker::reads(&reads));
        let mut complaints = self.journal.complaints();
        complaints.extend(self.receiver.complaints());
        let (here, there) = self.provider.compare(&state);
        if here != there {
            complaints.push(format!("the provider has {here:?}, the database {there:?}"));
        }
        Verdict {
            wrong,
            complaints,
            acknowledged: *self.journal.acknowledged().borrow(),
            events: told.len(),
            deliveries: taken.len(),
            reads: reads.len(),
        }
    }

    /// Waits until every endpoint took everything up to this event, or takes nothing more.
    async fn delivered(&self, client: &mut tokio_postgres::Client, last: i64) {
        let events = State::read(client).await.events;
        let mut missing = usize::MAX;
        let mut since = tokio::time::Instant::now();
        loop {
            let taken = self.receiver.taken();
            let left: usize = self
                .endpoints
                .iter()
                .enumerate()
                .map(|(number, endpoint)| {
                    let of_it = taken.iter().filter(|delivery| delivery.endpoint == number);
                    let had: BTreeSet<i64> = of_it.map(|delivery| delivery.event).collect();
                    let due = events
                        .iter()
                        .filter(|event| event.seq <= last && endpoint.is_meant(event));
                    due.filter(|event| !had.contains(&event.seq)).count()
                })
                .sum();
            if left < missing {
                (missing, since) = (left, tokio::time::Instant::now());
            }
            // The judgement says what is missing; here it is only given all the time there may be need for.
            if left == 0 || since.elapsed() > crate::harness::DEADLINE {
                return;
            }
            crate::harness::glance().await;
        }
    }

    /// What the SCIM endpoint shows.
    async fn seen(&self) -> Facts {
        let mut scim = self.scim();
        let mut facts = Facts::default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for user in all(&mut scim, "/Users?attributes=userName,active").await {
            let value = (text(&user["userName"]), user["active"] == true);
            facts.users.insert(text(&user["id"]), value);
        }
        for group in all(&mut scim, "/Groups?attributes=displayName").await {
            let id = text(&group["id"]);
            let shown = scim.get(&format!("/Groups/{id}?attributes=members")).await;
            let members = shown["members"].as_array().into_iter().flatten();
            facts
                .members
                .extend(members.map(|member| (id.clone(), text(&member["value"]))));
            facts.groups.insert(id, text(&group["displayName"]));
        }
        facts
    }
}

/// What came out.
#[derive(Debug)]
pub struct Verdict {
    /// What must not be.
    pub wrong: Vec<Finding>,
    /// What should not have been answered so.
    pub complaints: Vec<String>,
    /// How many operations were acknowledged.
    pub acknowledged: usize,
    /// How many events there are.
    pub events: usize,
    /// How many deliveries were taken.
    pub deliveries: usize,
    /// How many times the provider was read.
    pub reads: usize,
}

impl Verdict {
    /// Fails the test, showing what is wrong.
    #[track_caller]
    pub fn is_fine(&self) {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for finding in &self.wrong {
            let shown = finding.to_string();
            let kind = shown.split([' ', '{']).next().unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        let first: Vec<_> = self.wrong.iter().take(20).collect();
        let complaints: Vec<_> = self.complaints.iter().take(20).collect();
        assert!(
            self.wrong.is_empty() && self.complaints.is_empty(),
            "USHER_TEST_SEED={}: {kinds:?}, {first:#?}\n{} complaints: {complaints:#?}\n{self}",
            seed(),
            self.complaints.len()
        );
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations acknowledged, {} events, {} deliveries, {} reads",
            self.acknowledged, self.events, self.deliveries, self.reads
        )
    }
}

/// A session for the judge.
pub async fn connect(database: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(database, NoTls)
        .await
        .expect("the database runs");
    // Its error is the client's as well.
    tokio::spawn(async move { connection.await.ok() });
    client
}

async fn all(scim: &mut Way, path: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let start = all.len() + 1;
        let page = scim.get(&format!("{path}&startIndex={start}&count=500")).await;
        match page["Resources"].as_array() {
            Some(resources) if !resources.is_empty() => all.extend(resources.iter().cloned()),
            _ => return all,
        }
    }
}

/// The room that the group of the provider leads to.
async fn open_room_of_provider(desk: &Desk, provider: &Provider, api: &mut Way) {
    let fields = json!({
        "customer": "Contoso AG",
        "room_name": "Readers",
        "administrator": "nobody@contoso.com",
        "all_content": false,
        "model": "closed",
        "features": [],
        "source": SOURCE,
        "group": &*provider.group,
        "named_by": "id",
        "expected": 100_000,
        "requester": "rita@contoso.com",
    });
    let order = desk.it.post("/orders", &fields).await.expect(201).id();
    desk.it
        .post(&format!("/orders/{order}/submit"), &json!({}))
        .await
        .expect(200);
    desk.prepare(&order, &json!({})).await;
    // What is confirmed must not change meanwhile.
    provider.read_all(api).await;
    desk.confirm(&order).await;
}
