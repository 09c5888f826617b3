//! `/rooms`: all rooms, by name.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use usher_core::Timestamp;
use uuid::Uuid;

use crate::Failure;
use crate::frame::Frame;
use crate::html::{Badge, Pager, Tone, word};
use crate::render::page;
use crate::visit::{Site, Visit};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/rooms", get(show))
}

#[derive(Deserialize)]
struct Item {
    id: Uuid,
    name: String,
    model: String,
    state: String,
    no_administrator_since: Option<Timestamp>,
    counts: Counts,
}

#[derive(Deserialize)]
struct Counts {
    members: i64,
    administrators: i64,
    parked: i64,
    strays: i64,
    mappings_confirmed: i64,
    mappings_pending: i64,
}

impl Item {
    fn state(&self) -> Badge {
        state(&self.state)
    }

    fn mapping(&self) -> Badge {
        match (self.counts.mappings_confirmed, self.counts.mappings_pending) {
            (0, 0) => Badge::new(Tone::Bad, "No group"),
            (0, _) => Badge::new(Tone::Waiting, "To be confirmed"),
            (1, 0) => Badge::new(Tone::Good, "1 group"),
            (n, 0) => Badge::new(Tone::Good, format!("{n} groups")),
            (n, pending) => Badge::new(Tone::Waiting, format!("{n} confirmed, {pending} waiting")),
        }
    }

    fn model(&self) -> String {
        word(&self.model)
    }
}

/// How far a room is.
pub(super) fn state(word: &str) -> Badge {
    match word {
        "live" => Badge::new(Tone::Good, "Live"),
        "preparing" => Badge::new(Tone::Waiting, "Being set up"),
        "archived" => Badge::new(Tone::Calm, "Archived"),
        other => Badge::new(Tone::Calm, crate::html::word(other)),
    }
}

/// A count that the API counts no further than this.
pub(super) fn count(n: i64) -> String {
    if n >= 10_000 {
        "10,000+".to_owned()
    } else {
        n.to_string()
    }
}

#[derive(Template)]
#[template(path = "rooms/list.html")]
struct List {
    frame: Frame,
    rooms: Vec<Item>,
    pager: Pager,
    q: String,
    state: String,
    is_filtered: bool,
    may_order: bool,
}

impl List {
    fn shown(&self, n: &i64) -> String {
        count(*n)
    }

    fn is_state(&self, state: &str) -> bool {
        self.state == state
    }
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    let (q, state) = (visit.query("q"), visit.query("state"));
    let known = ["preparing", "live", "archived"].contains(&state.as_str());
    let asked = [
        ("by_name", "true"),
        ("counts", "true"),
        ("search", &q),
        ("state", if known { &state } else { "" }),
        (
            "no_administrator",
            if state == "unattended" { "true" } else { "" },
        ),
    ];
    let filters = [("q", q.as_str()), ("state", state.as_str())];
    let (rooms, pager) = visit.list("/rooms", &asked, "/rooms", &filters).await?;
    Ok(page(&List {
        frame: visit.frame("Rooms"),
        rooms,
        pager,
        is_filtered: !q.is_empty() || !state.is_empty(),
        may_order: visit.may("GET", "/orders/new"),
        q,
        state,
    }))
}
