//! `/holds`: what the brake stopped, with names, probable cause and time left; approved or rejected as one.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use serde::Deserialize;
use serde_json::Value;
use usher_core::Timestamp;
use uuid::Uuid;

use crate::frame::Frame;
use crate::html::{Badge, Length, Pager, PersonName, RoomName, Tone, word};
use crate::pages::fields::Confirmation;
use crate::render::{page, page_after};
use crate::visit::{Site, Visit, query, segment};
use crate::{Failure, Posted};

/// People of a hold who are shown on a page; a hold is decided as one, whoever is in it.
const SHOWN: &str = "200";

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/holds", get(list))
        .route("/holds/{hold}", get(show))
        .route("/holds/{hold}/approve", decide("approve", "hold-approved"))
        .route("/holds/{hold}/reject", decide("reject", "hold-rejected"))
}

/// A hold.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Hold {
    pub(super) id: Uuid,
    kind: String,
    pub(super) room: RoomName,
    source: String,
    state: String,
    pub(super) cause: String,
    opened: Timestamp,
    pub(super) due: Option<Timestamp>,
    closed: Option<Timestamp>,
}

/// A hold with those in it.
#[derive(Debug, Deserialize)]
struct Details {
    #[serde(flatten)]
    hold: Hold,
    digest: String,
    people: Vec<Held>,
    #[serde(default)]
    next: Option<String>,
    count: u64,
}

#[derive(Debug, Deserialize)]
struct Held {
    person: PersonName,
    reason: String,
    at: Timestamp,
}

impl Hold {
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    pub(super) fn is_arrivals(&self) -> bool {
        self.kind == "arrivals"
    }

    /// What it holds, in words.
    pub(super) fn what(&self) -> &'static str {
        if self.is_arrivals() {
            "People who would come in"
        } else {
            "People who would lose access"
        }
    }

    fn badge(&self) -> Badge {
        match self.state.as_str() {
            "open" => Badge::new(Tone::Waiting, "Open"),
            other => Badge::new(Tone::Calm, word(other)),
        }
    }

    pub(super) fn cause_sentence(&self) -> String {
        crate::failure::sentence(&self.cause)
    }

    /// How long until it happens by itself.
    pub(super) fn left(&self, now: &Timestamp) -> Option<Length> {
        self.due
            .filter(|due| due > now)
            .map(|due| Length::between(*now, due))
    }
}

impl Held {
    fn why(&self) -> String {
        word(&self.reason)
    }
}

#[derive(Template)]
#[template(path = "holds/list.html")]
struct List {
    frame: Frame,
    holds: Vec<Hold>,
    pager: Pager,
    all: bool,
}

#[derive(Template)]
#[template(path = "holds/show.html")]
struct Show {
    frame: Frame,
    hold: Hold,
    digest: String,
    people: Vec<Held>,
    count: u64,
    pager: Pager,
    may_decide: bool,
}

async fn list(visit: Visit) -> Result<Response, Failure> {
    let all = visit.query("all") == "yes";
    let asked = [("all", if all { "true" } else { "" })];
    let filters = [("all", if all { "yes" } else { "" })];
    let (holds, pager) = visit.list("/holds", &asked, "/holds", &filters).await?;
    Ok(page(&List {
        frame: visit.frame("Holds"),
        holds,
        pager,
        all,
    }))
}

async fn show(visit: Visit, Path(hold): Path<String>) -> Result<Response, Failure> {
    look(&visit, &hold, None).await
}

async fn look(visit: &Visit, hold: &str, failure: Option<&Failure>) -> Result<Response, Failure> {
    let at = format!("/holds/{}", segment(hold));
    let cursor = visit.query("cursor");
    let asked = query(&[("limit", SHOWN), ("cursor", &cursor)]);
    let Details {
        hold,
        digest,
        people,
        next,
        count,
    } = visit.get(format!("{at}{asked}")).await?;
    let title = format!("Hold in {}", hold.room.name);
    let shown = Show {
        frame: visit.frame(title).with(failure),
        may_decide: hold.is_open() && visit.may("POST", "/holds/{hold}/approve"),
        hold,
        digest,
        people,
        count,
        pager: Pager::new(&at, &[], &cursor, next.as_deref()),
    };
    Ok(page_after(failure, &shown))
}

/// Decides about exactly those who were shown; if others are in the hold now, the page comes again with them.
fn decide(step: &'static str, done: &'static str) -> MethodRouter<Site> {
    let decide = async move |visit: Visit, Path(hold): Path<String>, posted: Posted<Confirmation>| {
        let at = format!("/holds/{}", segment(&hold));
        let (path, body) = (format!("{at}/{step}"), posted.form.body());
        match visit.post::<Value>(path, body, posted.once).await {
            Ok(_) => Ok(visit.done(&at, done)),
            Err(failure) => look(&visit, &hold, Some(&failure.refusal()?)).await,
        }
    };
    post(decide)
}
