//! `/sources/{source}/runs` and `/drift`: what reads saw and changed, and where what was pushed and read differ.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use usher_core::Timestamp;
use uuid::Uuid;

use super::source::Source;
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Badge, Length, Page, Pager, Tab, Tone, word};
use crate::render::page;
use crate::visit::{Site, Visit, segment};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/sources/{source}/runs", get(runs))
        .route("/sources/{source}/drift", get(drift))
}

/// One read of a source.
#[derive(Deserialize)]
struct Run {
    scope: String,
    targets: Vec<String>,
    full: bool,
    state: String,
    cause: String,
    actor: Option<String>,
    asked: Timestamp,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    counts: Counts,
    not_seen: Vec<NotSeen>,
    error: Option<Trouble>,
}

#[derive(Deserialize)]
struct Counts {
    groups: i64,
    users: i64,
    members: i64,
    users_changed: i64,
    added: i64,
    removed: i64,
    doubted: i64,
}

#[derive(Deserialize)]
struct NotSeen {
    what: String,
    reason: String,
}

#[derive(Deserialize)]
struct Trouble {
    reason: String,
}

impl Run {
    fn badge(&self) -> Badge {
        match self.state.as_str() {
            "done" if self.not_seen.is_empty() => Badge::new(Tone::Good, "Done"),
            "done" => Badge::new(Tone::Waiting, "Done, in part"),
            "running" => Badge::new(Tone::Waiting, "Running"),
            "waiting" => Badge::new(Tone::Waiting, "About to begin"),
            "failed" => Badge::new(Tone::Bad, "Failed"),
            other => Badge::new(Tone::Bad, word(other)),
        }
    }

    fn what(&self) -> String {
        match (self.scope.as_str(), self.full) {
            ("all", true) => "Everything".to_owned(),
            ("all", false) => "What changed".to_owned(),
            ("person", _) => format!("One person: {}", self.targets.join(", ")),
            _ => format!("Groups: {}", self.targets.join(", ")),
        }
    }

    fn why(&self) -> String {
        match &self.actor {
            Some(actor) => format!("{} ({actor})", word(&self.cause)),
            None => word(&self.cause),
        }
    }

    fn took(&self) -> Option<Length> {
        Some(Length::between(self.started?, self.ended?))
    }

    /// What it saw and changed, in a sentence.
    fn saw(&self) -> String {
        let counts = &self.counts;
        let mut text = format!(
            "{} groups, {} members of {} users seen",
            counts.groups, counts.members, counts.users
        );
        for (n, what) in [
            (counts.users_changed, "users changed"),
            (counts.added, "members came"),
            (counts.removed, "members went"),
            (counts.doubted, "have to be seen twice"),
        ] {
            if n > 0 {
                text.push_str(&format!(" · {n} {what}"));
            }
        }
        text
    }
}

#[derive(Template)]
#[template(path = "sources/runs.html")]
struct Runs {
    frame: Frame,
    tabs: Vec<Tab>,
    source: Source,
    runs: Vec<Run>,
    pager: Pager,
}

async fn runs(visit: Visit, Path(source): Path<String>) -> Result<Response, Failure> {
    let path = format!("/sources/{}/runs", segment(&source));
    let source = Source::load(&visit, &source).await?;
    let (runs, pager) = visit.list(&path, &[("limit", "25")], &path, &[]).await?;
    Ok(page(&Runs {
        frame: visit.frame(format!("{} – reads", source.name)),
        tabs: source.tabs("runs", &visit),
        runs,
        pager,
        source,
    }))
}

/// Where what was pushed, what was read and what is in effect differ.
#[derive(Deserialize)]
struct Difference {
    kind: String,
    group_name: Option<String>,
    user_name: Option<String>,
    room: Option<Uuid>,
    pushed: Option<Said>,
    read: Option<Said>,
    in_effect: Option<bool>,
    next: String,
}

#[derive(Deserialize)]
struct Said {
    what: String,
    at: Option<Timestamp>,
}

impl Difference {
    fn says(&self) -> String {
        let text = match self.kind.as_str() {
            "missing_push" => "Read, and never pushed",
            "stale_push" => "Pushed, and not seen when read",
            "inactive_side" => "Active on one side only",
            "not_joined" => "Pushed and read, and not known to be the same",
            "override" => "By hand in a room that a group asks for too",
            "unreachable" => "Could not be seen",
            other => return word(other),
        };
        text.to_owned()
    }
}

#[derive(Template)]
#[template(path = "sources/drift.html")]
struct Drift {
    frame: Frame,
    tabs: Vec<Tab>,
    source: Source,
    found: Vec<Difference>,
}

async fn drift(visit: Visit, Path(source): Path<String>) -> Result<Response, Failure> {
    let name = segment(&source);
    let source = Source::load(&visit, &source).await?;
    let list: Page<Difference> = visit.get(format!("/sources/{name}/drift?limit=100")).await?;
    Ok(page(&Drift {
        frame: visit.frame(format!("{} – differences", source.name)),
        tabs: source.tabs("drift", &visit),
        found: list.items,
        source,
    }))
}
