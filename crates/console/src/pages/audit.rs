//! `/audit`: everything that happened, with filters and as a file.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use crate::Failure;
use crate::frame::Frame;
use crate::html::{Page, Pager};
use crate::pages::event::Event;
use crate::pages::fields::{moment, no_moment};
use crate::pages::rooms::file;
use crate::render::page_after;
use crate::visit::{Site, Visit, query};

/// Choices of kinds: what the form sends, what it says, what the API is asked for.
const KINDS: &[(&str, &str)] = &[
    ("membership.*,person.*", "People in rooms"),
    ("membership.started", "Came into a room"),
    ("membership.ended", "Left a room"),
    ("membership.level_changed", "Got another level"),
    (
        "restore.*,membership.restored,membership.restore_undone",
        "Restores",
    ),
    ("hold.*,membership.held", "Holds"),
    ("mapping.*", "Groups of rooms"),
    ("room.*,order.*", "Rooms and orders"),
    ("directory.*", "What identity providers said"),
    ("source.*", "Sources"),
    ("policy.*", "Rules"),
    ("token.*,key.*,webhook.*", "Tokens, keys and webhooks"),
];

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/audit", get(show))
        .route("/audit.csv", get(export))
}

/// The filters of the page, as they were typed.
struct Filters {
    room: String,
    person: String,
    source: String,
    actor: String,
    kind: String,
    request: String,
    since: String,
    before: String,
}

impl Filters {
    fn of(visit: &Visit) -> Self {
        Self {
            room: visit.query("room"),
            person: visit.query("person"),
            source: visit.query("source"),
            actor: visit.query("actor"),
            kind: visit.query("kind"),
            request: visit.query("request"),
            since: visit.query("since"),
            before: visit.query("before"),
        }
    }

    /// As they are in the page's own address.
    fn pairs(&self) -> [(&'static str, &str); 8] {
        [
            ("room", &self.room),
            ("person", &self.person),
            ("source", &self.source),
            ("actor", &self.actor),
            ("kind", &self.kind),
            ("request", &self.request),
            ("since", &self.since),
            ("before", &self.before),
        ]
    }

    /// As the API is asked.
    fn asked(&self, cursor: &str) -> Result<String, Failure> {
        let time = |text: &str| match (text.is_empty(), moment(text)) {
            (true, _) => Ok(String::new()),
            (false, Some(at)) => Ok(at.to_string()),
            (false, None) => Err(no_moment()),
        };
        let (since, before) = (time(&self.since)?, time(&self.before)?);
        let mut pairs = self.pairs();
        pairs[6].1 = &since;
        pairs[7].1 = &before;
        let mut pairs = pairs.to_vec();
        pairs.push(("cursor", cursor));
        Ok(query(&pairs))
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    filters: Filters,
    is_filtered: bool,
    kinds: &'static [(&'static str, &'static str)],
    sources: Vec<String>,
    events: Vec<Event>,
    show_room: bool,
    pager: Pager,
    export: String,
}

impl Audit {
    fn is_kind(&self, kind: &str) -> bool {
        self.filters.kind == kind
    }

    /// Whether the kinds asked for are none of the choices: a link from elsewhere.
    fn is_other_kind(&self) -> bool {
        !self.filters.kind.is_empty() && self.kinds.iter().all(|(kind, _)| *kind != self.filters.kind)
    }

    fn is_source(&self, source: &str) -> bool {
        self.filters.source == source
    }
}

#[derive(serde::Deserialize)]
struct Source {
    name: String,
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    let (filters, cursor) = (Filters::of(&visit), visit.query("cursor"));
    let list = match filters.asked(&cursor) {
        Ok(asked) => visit.get(format!("/audit{asked}")).await,
        Err(failure) => Err(failure),
    };
    let (list, failure): (Page<Event>, Option<Failure>) = match list {
        Ok(list) => (list, None),
        // A room or person that is not there, or a moment that is none, is said above the form.
        Err(failure) if failure.status().is_client_error() && failure.status() != StatusCode::FORBIDDEN => {
            (Page::default(), Some(failure))
        }
        Err(failure) => return Err(failure),
    };
    let sources: Page<Source> = visit.get("/sources?counts=false").await?;
    let pager = Pager::new("/audit", &filters.pairs(), &cursor, list.next.as_deref());
    let template = Audit {
        frame: visit.frame("Audit").with(failure.as_ref()),
        is_filtered: filters.pairs().iter().any(|(_, value)| !value.is_empty()),
        export: format!("/audit.csv{}", query(&filters.pairs())),
        kinds: KINDS,
        sources: sources.items.into_iter().map(|source| source.name).collect(),
        events: list.items,
        show_room: true,
        filters,
        pager,
    };
    Ok(page_after(failure.as_ref(), &template))
}

async fn export(visit: Visit) -> Result<Response, Failure> {
    let asked = Filters::of(&visit).asked("")?;
    file(&visit, &format!("/audit/export{asked}"), "usher-audit.csv").await
}
