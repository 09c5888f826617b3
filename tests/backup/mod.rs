//! What operators do against bad days: backups of SQLite by `usher backup`, of PostgreSQL by its own tools.

mod postgres;
mod sqlite;

use serde_json::{Value, json};

use crate::harness::{Client, Config, Desk, Order, Room, Server, World};

/// A deployment with a room in use, and tokens that outlive the server.
pub(crate) struct Deployment {
    pub(crate) world: World,
    pub(crate) scim_token: String,
    pub(crate) role_token: String,
    pub(crate) room: Room,
    pub(crate) group: String,
    pub(crate) users: Vec<String>,
}

impl Deployment {
    /// Lives through a day at the database of this address: people come, one goes and comes back, one is deactivated.
    pub(crate) async fn at(url: &str) -> Self {
        let world = World::new();
        keep_data_at(&world, url);
        let server = world.serve().await;
        let desk = world.desk(&server);
        let (scim_token, role_token) = (world.source_token("idp"), world.role_token("admin"));
        let scim = Client::scim(server.address(), "idp", &scim_token);
        let room = desk.open(&Order::default()).await;
        let mut users = Vec::new();
        for name in ["ada", "ben", "cleo", "dora", "edgar"] {
            users.push(scim.post("/Users", &user(name)).await.expect(201).id());
        }
        let members: Vec<Value> = users.iter().map(|id| json!({ "value": id })).collect();
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Board members", "members": members,
        });
        let group = scim.post("/Groups", &group).await.expect(201).id();
        let deployment = Self {
            world,
            scim_token,
            role_token,
            room,
            group,
            users,
        };
        assert_eq!(desk.state(&deployment.room.order).await, "live");
        for op in ["remove", "add"] {
            deployment.change_member(&server, op, 1).await;
        }
        let gone = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "active", "value": false }],
        });
        let path = format!("/Users/{}", deployment.users[4]);
        scim.patch(&path, &gone).await.expect(200);
        server.terminate().await;
        deployment
    }

    pub(crate) async fn change_member(&self, server: &Server, op: &str, user: usize) {
        let operations = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": op, "path": "members", "value": [{ "value": self.users[user] }] }],
        });
        let path = format!("/Groups/{}", self.group);
        self.scim(server).patch(&path, &operations).await.expect(200);
    }

    pub(crate) fn scim(&self, server: &Server) -> Client {
        Client::scim(server.address(), "idp", &self.scim_token)
    }

    pub(crate) fn api(&self, server: &Server) -> Client {
        Client::api(server.address(), &self.role_token)
    }

    pub(crate) fn desk(&self, server: &Server) -> Desk {
        Desk {
            it: self.api(server),
            support: self.api(server),
            portal: self.api(server),
            database: None,
        }
    }

    /// What the server says about everything, wherever it listens.
    pub(crate) async fn answers(&self, server: &Server) -> Answers {
        let mut answers = Vec::new();
        let (scim, api) = (self.scim(server), self.api(server));
        let room = &self.room.id;
        for path in [
            "/Users?count=1000".to_owned(),
            "/Groups?count=1000".to_owned(),
            format!("/Groups/{}", self.group),
            "/Users?filter=userName%20eq%20%22BEN@contoso.com%22".to_owned(),
        ] {
            answers.push((path.clone(), scim.get(&path).await.expect(200).body));
        }
        for path in [
            "/rooms".to_owned(),
            "/orders".to_owned(),
            "/mappings".to_owned(),
            "/restores".to_owned(),
            "/holds".to_owned(),
            "/policy".to_owned(),
            format!("/rooms/{room}"),
            format!("/rooms/{room}/members"),
            format!("/rooms/{room}/parked"),
            format!("/rooms/{room}/persons/ben@contoso.com/history"),
            format!("/rooms/{room}/persons/edgar@contoso.com/history"),
        ] {
            answers.push((path.clone(), api.get(&path).await.expect(200).body));
        }
        for (_, answer) in &mut answers {
            let text = answer.to_string().replace(server.address(), "ADDRESS");
            *answer = serde_json::from_str(&text).expect("it was JSON");
        }
        let (feed, _) = self.feed(server).await;
        Answers { answers, feed }
    }

    /// The feed up to now, without the events that mark its end, and where it ends.
    async fn feed(&self, server: &Server) -> (Vec<Value>, String) {
        let made = self
            .world
            .cli_json(&["token", "create", "--role", "viewer", "--label", MARK]);
        let marks = |event: &Value, id: &Value| {
            event["data"]["label"] == MARK && event.to_string().contains(&id.to_string())
        };
        let api = self.api(server);
        let (mut events, mut after): (Vec<Value>, _) = (Vec::new(), "0".to_owned());
        loop {
            let page = api
                .get(&format!("/events?limit=1000&after={after}&wait=30"))
                .await
                .expect(200);
            let items = page.list("/items");
            assert!(
                !items.is_empty(),
                "the feed does not get to what happened before it was asked"
            );
            after = page.text("/next");
            let at_end = items.iter().any(|event| marks(event, &made["id"]));
            events.extend(items);
            if at_end {
                events.retain(|event| event["data"]["label"] != MARK);
                return (events, after);
            }
        }
    }

    /// Something new happens, and every part of it works: SCIM, the decision, the feed.
    pub(crate) async fn goes_on(&self, server: &Server, name: &str) {
        let (_, after) = self.feed(server).await;
        let waiting = {
            let (api, path) = (self.api(server), format!("/events?after={after}&wait=30"));
            tokio::spawn(async move { api.get(&path).await })
        };
        let id = self
            .scim(server)
            .post("/Users", &user(name))
            .await
            .expect(201)
            .id();
        let operations = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "add", "path": "members", "value": [{ "value": id }] }],
        });
        let path = format!("/Groups/{}", self.group);
        self.scim(server).patch(&path, &operations).await.expect(200);
        let news = waiting
            .await
            .expect("the request ends")
            .expect(200)
            .list("/items");
        assert!(!news.is_empty(), "the feed does not go on after {after}");
        let inside = self.desk(server).inside(&self.room.id).await;
        assert!(inside.contains(&format!("{name}@contoso.com")), "{inside:?}");
    }
}

/// The label of tokens whose only purpose is their event.
const MARK: &str = "marks the end of the feed";

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) answers: Vec<(String, Value)>,
    pub(crate) feed: Vec<Value>,
}

impl Answers {
    /// Fails the test unless these are the same; the later feed may go on.
    #[track_caller]
    pub(crate) fn are_those_of(&self, before: &Self) {
        for (before, after) in before.answers.iter().zip(&self.answers) {
            assert_eq!(before, after);
        }
        assert!(!before.feed.is_empty());
        for (before, after) in before.feed.iter().zip(&self.feed) {
            assert_eq!(before, after);
        }
        assert!(self.feed.len() >= before.feed.len(), "events are missing");
    }
}

/// Has a deployment keep its data at this address.
pub(crate) fn keep_data_at(world: &World, url: &str) {
    let config = Config {
        more: String::new(),
        ..Config::default()
    };
    world.configure(&config);
    let text = std::fs::read_to_string(world.config_path()).expect("the folder is ours");
    let text = text.replace(&world.place().url(), url);
    std::fs::write(world.config_path(), text).expect("the folder is ours");
}

pub(crate) fn user(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{name}@contoso.com"),
        "active": true,
    })
}
