//! `/sources/{source}/requests`: what an identity provider sent lately, and what was refused and why.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use usher_core::Timestamp;

use super::source::Source;
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Badge, Page, Pager, Tab, Tone};
use crate::render::page;
use crate::visit::{Site, Visit, query, segment};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/sources/{source}/requests", get(show))
}

/// A request of an identity provider.
#[derive(Deserialize)]
struct Request {
    at: Timestamp,
    request_id: String,
    client: String,
    method: String,
    path: String,
    status: u16,
    microseconds: i64,
    skipped: i64,
    reason: Option<String>,
}

impl Request {
    fn badge(&self) -> Badge {
        let tone = match self.status {
            ..400 => Tone::Good,
            404 => Tone::Calm,
            _ => Tone::Bad,
        };
        Badge::new(tone, self.status.to_string())
    }

    /// How long it took, in milliseconds.
    fn took(&self) -> String {
        format!("{}.{}", self.microseconds / 1000, self.microseconds % 1000 / 100)
    }

    /// The audit's events of this request.
    fn audit(&self, source: &str) -> String {
        const AROUND: i64 = 60_000_000;
        let at = |micros: i64| Timestamp::from_micros(self.at.as_micros() + micros).to_string();
        query(&[
            ("source", source),
            ("request", &self.request_id),
            ("since", &at(-AROUND)),
            ("before", &at(AROUND)),
        ])
    }
}

#[derive(Template)]
#[template(path = "sources/requests.html")]
struct Requests {
    frame: Frame,
    tabs: Vec<Tab>,
    source: Source,
    requests: Vec<Request>,
    pager: Pager,
    is_refused: bool,
}

async fn show(visit: Visit, Path(source): Path<String>) -> Result<Response, Failure> {
    let (cursor, name) = (visit.query("cursor"), segment(&source));
    let source = Source::load(&visit, &source).await?;
    let refused = if visit.query("only") == "refused" {
        "true"
    } else {
        ""
    };
    let asked = query(&[("refused", refused), ("cursor", &cursor)]);
    let list: Option<Page<Request>> = visit.find(format!("/sources/{name}/requests{asked}")).await?;
    let list = list.unwrap_or_default();
    let only = if refused.is_empty() { "" } else { "refused" };
    Ok(page(&Requests {
        frame: visit.frame(format!("{} – requests", source.name)),
        tabs: source.tabs("requests", &visit),
        pager: Pager::new(
            &format!("/sources/{name}/requests"),
            &[("only", only)],
            &cursor,
            list.next.as_deref(),
        ),
        requests: list.items,
        is_refused: !refused.is_empty(),
        source,
    }))
}
