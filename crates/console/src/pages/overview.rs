//! `/`: what needs the reader, and what happened lately.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use usher_core::{Role, Timestamp};

use super::event::Event;
use super::holds::Hold;
use super::orders::Order;
use super::restores::Restore;
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Badge, Page, Tone};
use crate::render::page;
use crate::visit::{Site, Visit};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/", get(show))
}

/// What waits for a human, counted.
#[derive(Debug, Default, Deserialize)]
struct Waiting {
    orders: Counted,
    holds: Counted,
    restores: Counted,
    strays: Counted,
    rooms_without_administrator: Counted,
    parked_groups: Counted,
    parked_people: Counted,
    sources: Vec<Health>,
    expiring: Vec<Expiring>,
    policy_waits: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Counted {
    count: i64,
    more: bool,
}

#[derive(Debug, Deserialize)]
struct Health {
    name: String,
    state: String,
    trouble: Option<String>,
    since: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Expiring {
    label: String,
    source: Option<String>,
    expires: Timestamp,
}

/// A number that leads to what it counts.
struct Tile {
    href: &'static str,
    label: &'static str,
    number: String,
    is_quiet: bool,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    waiting: Waiting,
    tiles: Vec<Tile>,
    orders: Vec<Order>,
    holds: Vec<Hold>,
    restores: Vec<Restore>,
    events: Vec<Event>,
    show_room: bool,
    may_order: bool,
}

/// The overview of a requester: their orders.
#[derive(Template)]
#[template(path = "overview_requester.html")]
struct Requested {
    frame: Frame,
    orders: Vec<Order>,
}

impl Counted {
    fn text(&self) -> String {
        if self.more {
            format!("{}+", self.count)
        } else {
            self.count.to_string()
        }
    }
}

impl Health {
    fn badge(&self) -> Badge {
        match (&self.trouble, self.state.as_str()) {
            (Some(_), _) => Badge::new(Tone::Bad, "In trouble"),
            (None, "active") => Badge::new(Tone::Good, "Works"),
            (None, "frozen") => Badge::new(Tone::Waiting, "Frozen"),
            _ => Badge::new(Tone::Calm, crate::html::word(&self.state)),
        }
    }

    fn says(&self) -> String {
        match (&self.trouble, self.state.as_str()) {
            (Some(trouble), _) => crate::failure::sentence(trouble),
            (None, "frozen") => "Not in the configuration any more: nobody comes or goes by it.".to_owned(),
            _ => String::new(),
        }
    }
}

impl Overview {
    fn has_passed(&self, expires: &Timestamp) -> bool {
        *expires <= self.frame.now
    }

    fn is_calm(&self) -> bool {
        self.orders.is_empty() && self.holds.is_empty() && self.restores.is_empty() && !self.has_alarms()
    }

    fn has_alarms(&self) -> bool {
        let in_trouble = self
            .waiting
            .sources
            .iter()
            .any(|source| source.trouble.is_some() || source.state == "frozen");
        self.waiting.policy_waits
            || self.waiting.rooms_without_administrator.count > 0
            || in_trouble
            || !self.waiting.expiring.is_empty()
    }
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    if visit.is(Role::Requester) {
        let orders: Page<Order> = visit.get("/orders?newest=true&open=true&limit=20").await?;
        return Ok(page(&Requested {
            frame: visit.frame("Overview"),
            orders: orders.items,
        }));
    }
    let waiting: Waiting = visit.get("/overview").await?;
    let orders: Page<Order> = visit.get("/orders?newest=true&open=true&limit=8").await?;
    let holds: Page<Hold> = visit.get("/holds?limit=5").await?;
    let restores: Page<Restore> = visit.get("/restores?limit=5").await?;
    let events: Option<Page<Event>> = visit.find("/audit?limit=12").await?;
    Ok(page(&Overview {
        frame: visit.frame("Overview"),
        tiles: tiles(&waiting),
        waiting,
        orders: orders.items,
        holds: holds.items,
        restores: restores.items,
        events: events.unwrap_or_default().items,
        show_room: true,
        may_order: visit.may("GET", "/orders/new"),
    }))
}

fn tiles(waiting: &Waiting) -> Vec<Tile> {
    let tile = |href, label, counted: &Counted| Tile {
        href,
        label,
        number: counted.text(),
        is_quiet: counted.count == 0,
    };
    vec![
        tile("/orders", "orders under way", &waiting.orders),
        tile("/holds", "open holds", &waiting.holds),
        tile("/restores", "restores suggested", &waiting.restores),
        tile(
            "/rooms?show=no-administrator",
            "rooms without administrator",
            &waiting.rooms_without_administrator,
        ),
        tile("/rooms", "people waiting at a door", &waiting.parked_people),
        tile("/rooms", "strays", &waiting.strays),
        tile("/sources", "groups that lead nowhere", &waiting.parked_groups),
    ]
}
