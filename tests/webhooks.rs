//! Webhooks as a customer meets them: added on the command line, checked by a receiver with the reference implementation, and
//! whole again after the receiver or the server was down.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

use crate::harness::{Client, Config, Desk, World, eventually};

/// What the receiver got: the headers, the body, and whether it said yes.
type Delivery = (HeaderMap, Vec<u8>, bool);

/// A receiver on the loopback that answers with one status.
struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/usher", listener.local_addr().expect("an address"));
        let status = Arc::new(AtomicU16::new(204));
        let deliveries = Arc::new(Mutex::new(Vec::new()));
        let (says, seen) = (Arc::clone(&status), Arc::clone(&deliveries));
        let handler = move |request: Request| {
            let (says, seen) = (Arc::clone(&says), Arc::clone(&seen));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
                let status = says.load(Ordering::SeqCst);
                let delivery = (parts.headers, body.to_vec(), status < 300);
                seen.lock().expect("no panic").push(delivery);
                StatusCode::from_u16(status).expect("a status")
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self {
            url,
            status,
            deliveries,
        }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn taken(&self) -> Vec<Delivery> {
        let all = self.deliveries.lock().expect("no panic");
        all.iter().filter(|(_, _, taken)| *taken).cloned().collect()
    }

    /// The ids of the events that were taken, each where it came first.
    fn events(&self) -> Vec<i64> {
        let mut known = HashSet::new();
        let ids = self.taken().into_iter().map(|(_, body, _)| id(&body));
        ids.filter(|id| known.insert(*id)).collect()
    }

    async fn has_taken(&self, count: usize) {
        eventually("the deliveries", || async {
            (self.events().len() >= count).then_some(())
        })
        .await;
    }
}

fn id(body: &[u8]) -> i64 {
    let event: Value = serde_json::from_slice(body).expect("JSON");
    let id = event["id"].as_str().expect("an id");
    id.parse().unwrap_or(0)
}

fn config() -> Config {
    Config {
        more: "[webhooks]\nkey = \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\nallow_http = true\n\
               allow_networks = [\"127.0.0.0/8\"]\ntimeout = \"1s\"\nretry_first = \"1s\"\nretry_most = \"1s\"\n"
            .to_owned(),
        ..Config::default()
    }
}

async fn create(scim: &Client, name: &str) -> bool {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{name}@contoso.com"),
    });
    let body = Some(user.to_string().into_bytes());
    let answer = scim.try_send(reqwest::Method::POST, "/Users", &[], body).await;
    answer.is_ok_and(|answer| answer.status == 201)
}

/// The feed's ids of created users.
async fn feed(desk: &Desk) -> Vec<i64> {
    let created = desk.told("directory.user.created").await;
    created
        .iter()
        .map(|event| event["id"].as_str().expect("an id").parse().expect("a number"))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_told_everything_once_through_failures_rotation_and_replay() {
    let world = World::with(&config());
    let (server, receiver) = (world.serve().await, Receiver::new().await);
    let (api, scim) = (world.api(&server), world.scim(&server, "idp"));
    let desk = world.desk(&server);
    world.cli(&["webhook", "add", "http://10.0.0.1/"]).refused();
    let add = [
        "webhook",
        "add",
        &receiver.url,
        "--role",
        "admin",
        "--event",
        "directory.user.created",
    ];
    let made = world.cli_json(&add);
    let (hook, secret) = (text(&made["id"]), text(&made["secret"]));
    assert_eq!(world.cli_json(&["webhook", "test", &hook])["delivered"], true);
    let tested = receiver.taken().len();

    assert!(create(&scim, "ada").await);
    receiver.has_taken(tested + 1).await;
    receiver.answer(503);
    for name in ["ben", "cleo", "dora"] {
        assert!(create(&scim, name).await);
    }
    eventually("a refused delivery", || async {
        let all = receiver.deliveries.lock().expect("no panic");
        all.iter().any(|(_, _, taken)| !taken).then_some(())
    })
    .await;
    let shown = eventually("the error to be shown", || async {
        let shown = api.get(&format!("/webhooks/{hook}")).await.expect(200).body;
        shown["last_error"].is_string().then_some(shown)
    })
    .await;
    assert_eq!(
        shown["last_error"],
        "the receiver answered 503 Service Unavailable"
    );
    receiver.answer(204);
    receiver.has_taken(tested + 4).await;
    assert_eq!(receiver.events()[tested..], feed(&desk).await);

    let rotated = world.cli_json(&["webhook", "rotate", &hook]);
    assert!(create(&scim, "eve").await);
    receiver.has_taken(tested + 5).await;
    let (headers, body, _) = receiver.taken().pop().expect("a delivery");
    for secret in [&secret, &text(&rotated["secret"])] {
        let webhook = Webhook::new(secret).expect("a secret");
        webhook
            .verify(&body, &headers)
            .expect("a signature of either secret");
    }

    let before = receiver.taken().len();
    let first = feed(&desk).await[0];
    let again = world.cli_json(&["webhook", "replay", &hook, "--event", &first.to_string()]);
    assert_eq!(again["events"], 1);
    eventually("the replay", || async {
        (receiver.taken().len() > before).then_some(())
    })
    .await;
    let (_, body, _) = receiver.taken().pop().expect("a delivery");
    assert_eq!(id(&body), first);

    assert_eq!(world.cli_json(&["webhook", "pause", &hook])["state"], "paused");
    assert_eq!(world.cli_json(&["webhook", "resume", &hook])["state"], "active");
    assert_eq!(
        world.cli_json(&["webhook", "deliveries", &hook, "--dead"]),
        json!([])
    );
    world.cli(&["webhook", "list"]).succeeded();
    let metrics = Client::at(server.address()).get("/metrics").await.expect(200);
    let metrics = metrics.body.as_str().expect("text").to_owned();
    assert!(metrics.contains("usher_webhook_attempts_total{outcome=\"delivered\"}"));
    world.cli_json(&["webhook", "remove", &hook]);
    assert_eq!(world.cli_json(&["webhook", "list"]), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_leaves_nothing_out() {
    const USERS: usize = 120;
    let world = World::with(&config());
    let (server, receiver) = (world.serve().await, Receiver::new().await);
    let scim = world.scim(&server, "idp");
    let add = [
        "webhook",
        "add",
        &receiver.url,
        "--role",
        "admin",
        "--event",
        "directory.user.created",
    ];
    let hook = text(&world.cli_json(&add)["id"]);
    let load = tokio::spawn(async move {
        let mut created = 0;
        for n in 0..USERS {
            created += usize::from(create(&scim, &format!("u{n}")).await);
        }
        created
    });
    receiver.has_taken(20).await;
    server.kill();
    let acknowledged = load.await.expect("no panic");
    let server = world.serve().await;
    let api = world.api(&server);
    let all = feed(&world.desk(&server)).await;
    assert!(all.len() >= acknowledged);
    receiver.has_taken(all.len()).await;
    assert_eq!(
        receiver.events(),
        all,
        "each event came, and first in the order of the feed"
    );
    let shown = api.get(&format!("/webhooks/{hook}")).await.expect(200).body;
    assert_eq!(shown["dead"], 0);
}
