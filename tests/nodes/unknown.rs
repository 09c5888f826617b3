//! The connection to the database breaks exactly at a commit: nobody can say whether the change was kept. The client is told
//! so, nothing is half there, and asking again ends in the same state as if nothing had happened.

use reqwest::Method;
use serde_json::{Value, json};
use usher_testpg::{Cluster, Database, Options};
use uuid::Uuid;

use super::proxy::{Break, Proxy};
use super::rig::connect;
use crate::harness::{Answer, Client, Config, Desk, Order, Server, World};

const MEMBERSHIPS: &str = "SELECT count(*) FROM membership WHERE kind = 'managed'";
const STARTED: &str = "SELECT count(*) FROM event
    WHERE kind = 'membership.started' AND CAST(data AS JSONB) ->> 'kind' = 'managed'";
const EVENTS: &str = "SELECT count(*) FROM event";
const USERS: &str = "SELECT count(*) FROM source_user";
const ORDERS: &str = "SELECT count(*) FROM room_order";

/// A node behind a proxy, with a room to which a group leads.
struct Stage {
    desk: Desk,
    scim: Client,
    group: String,
    server: Server,
    world: World,
    proxy: Proxy,
    database: Database,
    _cluster: Cluster,
}

impl Stage {
    async fn set() -> Self {
        let cluster = Cluster::start(Options {
            tcp: true,
            ..Options::default()
        })
        .expect("PostgreSQL starts");
        let database = cluster.database().await.expect("a database");
        let url = database.url();
        let (before, name) = url.rsplit_once('/').expect("a name");
        let (address, port) = before.rsplit_once(':').expect("a port");
        let proxy = Proxy::start(port.parse().expect("a number")).await;
        let world = World::with(&Config {
            storage: Some(format!("{address}:{}/{name}?sslmode=disable", proxy.port())),
            ..Config::default()
        });
        let server = world.serve().await;
        let desk = world.desk(&server);
        let scim = world.scim(&server, "idp");
        let mut stage = Self {
            desk,
            scim,
            group: String::new(),
            server,
            world,
            proxy,
            database,
            _cluster: cluster,
        };
        stage.desk.open(&Order::default()).await;
        let ada = stage.creates("ada@contoso.com").await.expect(201).id();
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": Order::default().group,
            "members": [{ "value": ada }],
        });
        stage.group = stage.scim.post("/Groups", &group).await.expect(201).id();
        assert_eq!(stage.count(MEMBERSHIPS).await, 1);
        stage
    }

    async fn creates(&self, name: &str) -> Answer {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name,
            "active": true,
            "emails": [{ "value": name, "type": "work", "primary": true }],
        });
        self.scim.post("/Users", &user).await
    }

    /// Adds somebody to the group, or removes them.
    async fn changes(&self, op: &str, user: &str) -> Answer {
        let path = format!("/Groups/{}", self.group);
        let operation = match op {
            "remove" => json!({ "op": op, "path": format!("members[value eq \"{user}\"]") }),
            _ => json!({ "op": op, "path": "members", "value": [{ "value": user }] }),
        };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [operation],
        });
        self.scim.patch(&path, &body).await
    }

    async fn members(&self) -> usize {
        let path = format!("/Groups/{}", self.group);
        self.scim.get(&path).await.expect(200).list("/members").len()
    }

    /// Read beside the node.
    async fn count(&self, sql: &str) -> i64 {
        let client = connect(&self.database.url()).await;
        client
            .query_one(sql, &[])
            .await
            .expect("the database runs")
            .get(0)
    }

    /// The change with this among its parameters is cut off, which its client is told of.
    async fn cut(&self, marker: &[u8], how: Break, ask: impl Future<Output = Answer>) -> Answer {
        let before = self.proxy.broken();
        self.proxy.break_at(marker, how);
        let answer = ask.await.refused(503);
        assert_eq!(self.proxy.broken(), before + 1, "{how:?}: {}", answer.asked);
        assert!(
            answer.detail().contains("kept as a whole or not at all"),
            "{}",
            answer.detail()
        );
        assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
        answer
    }

    async fn ends(self) {
        let (status, output) = self.server.terminate().await;
        assert!(status.success(), "{status}: {}", output.text());
        drop(self.world);
    }
}

fn bytes(id: &str) -> Vec<u8> {
    Uuid::parse_str(id).expect("an id of ours").as_bytes().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_addition_was_cut_off_is_there_once_after_it_is_repeated() {
    if usher_testpg::is_left_out() {
        return;
    }
    let stage = Stage::set().await;
    for (number, how) in (1..).zip([Break::Before, Break::After]) {
        let user = stage.creates(&format!("person{number}@contoso.com")).await.id();
        let (inside, events) = (stage.count(MEMBERSHIPS).await, stage.count(EVENTS).await);
        let kept = i64::from(how == Break::After);
        stage.cut(&bytes(&user), how, stage.changes("add", &user)).await;
        assert_eq!(stage.count(MEMBERSHIPS).await, inside + kept, "{how:?}");
        assert_eq!(stage.count(STARTED).await, inside + kept, "{how:?}");
        let half = stage.count(EVENTS).await;
        assert_eq!(half > events, how == Break::After, "{how:?}");

        stage.changes("add", &user).await.expect(200);
        let whole = stage.count(EVENTS).await;
        assert_eq!(whole > half, how == Break::Before, "{how:?}");
        stage.changes("add", &user).await.expect(200);
        assert_eq!(stage.count(EVENTS).await, whole, "{how:?}");
        assert_eq!(stage.count(MEMBERSHIPS).await, inside + 1, "{how:?}");
        assert_eq!(stage.count(STARTED).await, inside + 1, "{how:?}");
        assert_eq!(i64::try_from(stage.members().await), Ok(inside + 1), "{how:?}");
    }
    stage.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_whose_creation_was_cut_off_is_there_once_after_it_is_repeated() {
    if usher_testpg::is_left_out() {
        return;
    }
    let stage = Stage::set().await;
    for (how, name, expected) in [
        (Break::Before, "bert@contoso.com", 201),
        (Break::After, "cleo@contoso.com", 409),
    ] {
        let users = stage.count(USERS).await;
        stage.cut(name.as_bytes(), how, stage.creates(name)).await;
        let kept = i64::from(how == Break::After);
        assert_eq!(stage.count(USERS).await, users + kept, "{how:?}");
        stage.creates(name).await.expect(expected);
        assert_eq!(stage.count(USERS).await, users + 1, "{how:?}");
        let path = format!("/Users?filter=userName%20eq%20%22{name}%22");
        let found = stage.scim.get(&path).await.expect(200);
        assert_eq!(found.body["totalResults"], 1, "{:#}", found.body);
    }
    stage.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_cut_off_is_written_once_with_its_idempotency_key() {
    if usher_testpg::is_left_out() {
        return;
    }
    let stage = Stage::set().await;
    for (how, room) in [(Break::Before, "Audit"), (Break::After, "Works council")] {
        let order = json!({
            "customer": "Contoso AG",
            "room_name": room,
            "administrator": "ada@contoso.com",
            "all_content": false,
            "model": "closed",
            "features": [],
            "source": "idp",
            "group": format!("People of {room}"),
            "named_by": "name",
            "expected": 10,
            "requester": "rita@contoso.com",
        });
        let orders = stage.count(ORDERS).await;
        let answer = stage
            .cut(room.as_bytes(), how, orders_it(&stage.desk.it, room, &order))
            .await;
        assert!(
            answer.body["next"]
                .as_str()
                .is_some_and(|next| next.contains("idempotency key")),
            "{:#}",
            answer.body
        );
        let kept = i64::from(how == Break::After);
        assert_eq!(stage.count(ORDERS).await, orders + kept, "{how:?}");
        let first = orders_it(&stage.desk.it, room, &order).await.expect(201).id();
        let again = orders_it(&stage.desk.it, room, &order).await.expect(201).id();
        assert_eq!(first, again, "{how:?}");
        assert_eq!(stage.count(ORDERS).await, orders + 1, "{how:?}");
    }
    stage.ends().await;
}

/// Orders a room; the key goes by its name.
async fn orders_it(api: &Client, room: &str, order: &Value) -> Answer {
    let key = format!("order-of-{}", room.replace(' ', "-"));
    let headers = [("idempotency-key", key.as_str())];
    let body = Some(order.to_string().into_bytes());
    api.send_raw(Method::POST, "/orders", &headers, body).await
}
