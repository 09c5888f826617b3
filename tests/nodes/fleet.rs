//! Several nodes on one database, and the load balancer in front of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use super::journal::Journal;
use crate::harness::{DEADLINE, Server, World};

/// How long a request may take; a node gives up before.
const LONGEST: Duration = Duration::from_secs(60);

/// How long to wait before a request is sent again.
const AGAIN: Duration = Duration::from_millis(50);

/// The address of each node that runs.
type Addresses = Vec<Option<String>>;

/// Nodes of one configuration.
pub struct Fleet {
    world: World,
    servers: Vec<Option<Server>>,
    addresses: watch::Sender<Addresses>,
    next: Arc<AtomicUsize>,
}

impl Fleet {
    /// Starts so many nodes at once.
    pub async fn new(world: World, nodes: usize) -> Self {
        let mut fleet = Self {
            servers: (0..nodes).map(|_| None).collect(),
            addresses: watch::Sender::new(vec![None; nodes]),
            next: Arc::default(),
            world,
        };
        fleet.start_all().await;
        fleet
    }

    /// The folder and the command line.
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// How many nodes there are.
    pub const fn len(&self) -> usize {
        self.servers.len()
    }

    /// All nodes are killed and go on with another build.
    pub async fn run_by(&mut self, binary: PathBuf) {
        for node in 0..self.len() {
            self.kill(node);
        }
        self.world.run_by(binary);
        self.start_all().await;
    }

    /// A node that runs.
    pub fn server(&self, node: usize) -> &Server {
        self.servers[node].as_ref().expect("the node runs")
    }

    /// A node is gone as by a power cut.
    pub fn kill(&mut self, node: usize) {
        self.withdraw(node);
        self.servers[node].take().expect("the node runs").kill();
    }

    /// Nobody sends a node anything more.
    pub fn withdraw(&self, node: usize) {
        self.addresses.send_modify(|addresses| addresses[node] = None);
    }

    /// A node that runs is sent requests again.
    pub fn offer(&self, node: usize) {
        let address = self.server(node).address().to_owned();
        self.addresses
            .send_modify(|addresses| addresses[node] = Some(address));
    }

    /// A node sleeps, as a machine does that is moved to another host.
    pub fn pause(&self, node: usize) {
        self.server(node).signal("STOP");
    }

    /// A node that slept goes on, and knows nothing of it.
    pub fn wake(&self, node: usize) {
        self.server(node).signal("CONT");
    }

    /// A node is asked to end, and does: it answers what it has begun to answer.
    pub async fn stop(&mut self, node: usize) {
        self.withdraw(node);
        let (status, output) = self.servers[node]
            .take()
            .expect("the node runs")
            .terminate()
            .await;
        assert!(status.success(), "{status}: {}", output.text());
    }

    /// A node starts again, at another address.
    pub async fn start(&mut self, node: usize) {
        self.servers[node] = Some(self.world.serve().await);
        self.offer(node);
    }

    /// All nodes that do not run start at once.
    pub async fn start_all(&mut self) {
        let down: Vec<usize> = (0..self.len())
            .filter(|node| self.servers[*node].is_none())
            .collect();
        let world = &self.world;
        let started = futures_util::future::join_all(down.iter().map(|_| world.serve())).await;
        for (node, server) in down.into_iter().zip(started) {
            self.servers[node] = Some(server);
            self.offer(node);
        }
    }

    /// The way for one client, with this token, to what is under `root`.
    pub fn way(&self, root: &str, media_type: &'static str, token: &str, journal: &Journal) -> Way {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(LONGEST)
            .build()
            .expect("a client without TLS");
        let mut pause = tokio::time::interval(AGAIN);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Way {
            http,
            addresses: self.addresses.subscribe(),
            next: Arc::clone(&self.next),
            root: root.to_owned(),
            media_type,
            token: token.to_owned(),
            journal: journal.clone(),
            pause,
        }
    }

    /// The way to the SCIM endpoint of a source.
    pub fn scim(&self, source: &str, token: &str, journal: &Journal) -> Way {
        self.way(
            &format!("/scim/{source}/v2"),
            "application/scim+json",
            token,
            journal,
        )
    }

    /// The way to the API.
    pub fn api(&self, token: &str, journal: &Journal) -> Way {
        self.way("/api/v1", "application/json", token, journal)
    }
}

/// A client's way to the nodes: a load balancer that sends each request to the next node that runs, and sends it again to
/// another one when no answer comes or the node says that it cannot.
pub struct Way {
    http: reqwest::Client,
    addresses: watch::Receiver<Addresses>,
    next: Arc<AtomicUsize>,
    root: String,
    media_type: &'static str,
    token: String,
    journal: Journal,
    pause: Interval,
}

/// An answer, whatever it took to get it.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status, below 500.
    pub status: u16,
    /// The body as JSON; `null` where it is none.
    pub body: Value,
    /// How often the request was sent.
    pub attempts: usize,
}

impl Reply {
    /// Whether it is a success.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

impl Way {
    /// Sends until there is an answer. Fails the test where none comes for a long time.
    pub async fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let asked = format!("{method} {}{path}", self.root);
        let asking = async {
            for attempts in 1.. {
                if let Some((status, body)) = self.attempt(&method, path, body).await {
                    return Reply {
                        status,
                        body,
                        attempts,
                    };
                }
                self.pause.tick().await;
            }
            unreachable!("there is always another attempt")
        };
        match tokio::time::timeout(DEADLINE, asking).await {
            Ok(reply) => reply,
            Err(_) => panic!("{asked}: no node answers for {} s", DEADLINE.as_secs()),
        }
    }

    /// Reads what has to be there.
    pub async fn get(&mut self, path: &str) -> Value {
        let reply = self.ask(Method::GET, path, None).await;
        assert_eq!(reply.status, 200, "GET {path}: {:#}", reply.body);
        reply.body
    }

    /// `None` where no answer came, or one that asks to try again.
    async fn attempt(&mut self, method: &Method, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let address = self.node().await;
        let mut request = self
            .http
            .request(method.clone(), format!("{address}{}{path}", self.root))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, self.media_type)
                .body(body.to_string());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                if error.is_timeout() {
                    self.journal
                        .complain(format!("{method} {path}: a node that runs does not answer"));
                }
                return None;
            }
        };
        let status = response.status().as_u16();
        let asks_to_return = response.headers().contains_key(RETRY_AFTER);
        let text = response.text().await.ok()?;
        if status >= 500 {
            if status != 503 || !asks_to_return {
                self.journal
                    .complain(format!("{method} {path}: answered {status} with {text}"));
            }
            return None;
        }
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    /// The next node that runs, now or later.
    async fn node(&mut self) -> String {
        let addresses = self
            .addresses
            .wait_for(|addresses| addresses.iter().any(Option::is_some))
            .await
            .expect("the fleet is there as long as its clients");
        let up: Vec<&String> = addresses.iter().flatten().collect();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        up[turn % up.len()].clone()
    }
}
