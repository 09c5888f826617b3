//! Endpoints that events are delivered to: they check each signature, note what they took, and now and then take nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::chance::Chance;
use super::checker::Delivery;
use super::fleet::Way;

/// One delivery of so many is refused while refusing lasts.
const REFUSED: usize = 40;

/// The `[webhooks]` of a deployment whose endpoints are on the loopback.
pub const CONFIG: &str = "[webhooks]\n\
    key = \"dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4=\"\n\
    allow_networks = [\"127.0.0.0/8\"]\n\
    allow_http = true\n\
    retry_first = \"1s\"\n\
    retry_most = \"2s\"\n";

/// Endpoints on the loopback, gone with this.
pub struct Receiver {
    address: String,
    notes: Arc<Mutex<Notes>>,
    task: AbortHandle,
}

struct Notes {
    /// What each endpoint's signatures are checked with, once it is registered.
    secrets: Vec<String>,
    taken: Vec<Delivery>,
    complaints: Vec<String>,
    chance: Chance,
    refuses: bool,
}

impl Receiver {
    /// Listens, for endpoints that are registered later.
    pub async fn start(chance: Chance) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let notes = Arc::new(Mutex::new(Notes {
            secrets: Vec::new(),
            taken: Vec::new(),
            complaints: Vec::new(),
            chance,
            refuses: true,
        }));
        let router = Router::new()
            .route("/endpoints/{endpoint}", post(take))
            .with_state(Arc::clone(&notes));
        let serving = tokio::spawn(async move {
            // It ends when it is aborted.
            let _ended = axum::serve(listener, router).await;
        });
        Self {
            address,
            notes,
            task: serving.abort_handle(),
        }
    }

    /// Registers the next endpoint, for these types of events; none are all. Answers the event after which it is told.
    pub async fn register(&self, api: &mut Way, events: &[&str]) -> i64 {
        let endpoint = self.notes().secrets.len();
        let webhook = json!({
            "url": format!("{}/endpoints/{endpoint}", self.address),
            "role": "admin",
            "events": events,
        });
        let reply = api.ask(reqwest::Method::POST, "/webhooks", Some(&webhook)).await;
        assert_eq!(reply.status, 201, "{:#}", reply.body);
        let secret = reply.body["secret"].as_str().expect("a secret").to_owned();
        self.notes().secrets.push(secret);
        reply.body["place"].as_i64().expect("a place in the feed")
    }

    /// Refuses nothing from now on. Each refusal holds the events of a room back for a second or more.
    pub fn refuse_no_more(&self) {
        self.notes().refuses = false;
    }

    /// What was taken so far, in order.
    pub fn taken(&self) -> Vec<Delivery> {
        self.notes().taken.clone()
    }

    /// What was wrong with deliveries.
    pub fn complaints(&self) -> Vec<String> {
        self.notes().complaints.clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    State(notes): State<Arc<Mutex<Notes>>>,
    Path(endpoint): Path<usize>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    match notes.check(endpoint, &headers, &body) {
        // Before the registration was answered, nobody knows the secret.
        Ok(None) => StatusCode::SERVICE_UNAVAILABLE,
        Ok(Some(_)) if notes.refuses && notes.chance.below(REFUSED) == 0 => StatusCode::INTERNAL_SERVER_ERROR,
        Ok(Some(delivery)) => {
            notes.taken.push(delivery);
            StatusCode::NO_CONTENT
        }
        Err(complaint) => {
            notes.complaints.push(complaint);
            StatusCode::BAD_REQUEST
        }
    }
}

impl Notes {
    fn check(&self, endpoint: usize, headers: &HeaderMap, body: &[u8]) -> Result<Option<Delivery>, String> {
        let Some(secret) = self.secrets.get(endpoint) else {
            return Ok(None);
        };
        let shown = || String::from_utf8_lossy(body).into_owned();
        Webhook::new(secret)
            .and_then(|webhook| webhook.verify(body, headers))
            .map_err(|error| format!("endpoint {endpoint}: {error}: {headers:?} {}", shown()))?;
        let event: Value = serde_json::from_slice(body).map_err(|error| format!("{error}: {}", shown()))?;
        let number = event["id"].as_str().and_then(|id| id.parse().ok());
        let number: i64 = number.ok_or_else(|| format!("no number of an event: {event}"))?;
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
        if !id.is_some_and(|id| id.starts_with(&format!("evt_{number}_"))) {
            return Err(format!("event {number} was delivered as {id:?}"));
        }
        Ok(Some(Delivery {
            endpoint,
            event: number,
            room: event["room"].as_str().map(str::to_owned),
        }))
    }
}
