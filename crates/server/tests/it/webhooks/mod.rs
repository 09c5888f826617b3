//! Webhooks: what receivers get, in which order, and what happens when they do not take it.

mod by_hand;
mod delivering;
mod failing;
mod nodes;
mod receiver;
mod replaying;

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use usher_core::WebhookId;
use usher_server::webhook::{Deliverer, Progress};

use crate::api::Api;
use crate::world::World;
use receiver::Receiver;

/// A key for tests.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A deployment whose endpoints may be on the loopback.
async fn world() -> World {
    World::with(&format!(
        "[webhooks]\nkey = \"{KEY}\"\nallow_http = true\nallow_networks = [\"127.0.0.0/8\"]\n"
    ))
    .await
}

/// An endpoint that was added.
struct Hook {
    id: WebhookId,
    path: String,
    secret: String,
}

/// Adds an endpoint for a receiver.
async fn add(api: &Api<'_>, receiver: &Receiver, more: &Value) -> Hook {
    let mut body = json!({ "url": receiver.url(), "role": "admin" });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let made = api.post("/webhooks", &body).await.expect(201);
    let id = made.id();
    Hook {
        id: id.parse().expect("an id"),
        path: format!("/webhooks/{id}"),
        secret: made.body["secret"].as_str().expect("a secret").to_owned(),
    }
}

fn deliverer(world: &World) -> Deliverer {
    Deliverer::new(&world.state, CancellationToken::new())
}

/// Delivers until there is nothing to do for now.
async fn deliver(world: &World, hook: &Hook) {
    let deliverer = deliverer(world);
    while deliverer.turn(hook.id).await.expect("a database") == Progress::Made {}
}

/// The places in the feed of events of this kind, in one room if that is given.
async fn feed(api: &Api<'_>, kind: &str, room: Option<&str>) -> Vec<i64> {
    let feed = api.events().await;
    feed.iter()
        .filter(|event| event["type"] == format!("usher.{kind}"))
        .filter(|event| room.is_none_or(|room| event["room"] == room))
        .map(receiver::seq)
        .collect()
}

/// A room in use with its group, and members that come one after the other: an event each.
struct Board {
    name: &'static str,
    room: String,
    group: String,
}

impl Board {
    async fn new(api: &Api<'_>, name: &'static str) -> Self {
        api.room(name).await;
        let group = api.world.group(name, &[]).await;
        let room = api.get(&format!("/rooms/{name}")).await.expect(200).id();
        Self { name, room, group }
    }

    async fn join(&self, world: &World, person: &str) {
        let user = world.user(&format!("{person}-{}", self.name)).await;
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }]);
        let answer = world.patch(&format!("/Groups/{}", self.group), &add).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
}
