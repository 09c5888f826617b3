//! `/sources/{source}`: how a source is, with a read and a check by hand.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use usher_core::Timestamp;

use crate::frame::Frame;
use crate::html::{Badge, Page, Tab, Tone};
use crate::pages::event::Event;
use crate::pages::fields::optional;
use crate::render::page_after;
use crate::visit::{Site, Visit, query, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/sources/{source}", get(show))
        .route("/sources/{source}/check", get(check))
        .route("/sources/{source}/sync", post(sync))
}

/// A source, as the API shows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) mode: String,
    pub(super) state: String,
    pub(super) tenant: Option<String>,
    pub(super) first_seen: Timestamp,
    pub(super) last_write: Option<Timestamp>,
    pub(super) users: i64,
    pub(super) groups: i64,
    pub(super) pull: Option<Pull>,
}

/// How reading a source stands.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pull {
    pub(super) last_read: Option<Timestamp>,
    pub(super) last_full_read: Option<Timestamp>,
    pub(super) next_read: Option<Timestamp>,
    pub(super) failures: u32,
    pub(super) degraded: Option<Degraded>,
}

/// Why a source cannot be read.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Degraded {
    pub(super) since: Timestamp,
    pub(super) reason: String,
}

impl Source {
    /// Reads a source.
    pub(super) async fn load(visit: &Visit, source: &str) -> Result<Self, Failure> {
        visit.get(format!("/sources/{}", segment(source))).await
    }

    pub(super) fn badge(&self) -> Badge {
        match (self.state.as_str(), &self.pull) {
            ("frozen", _) => Badge::new(Tone::Bad, "Frozen"),
            ("retired", _) => Badge::new(Tone::Calm, "Retired"),
            (
                _,
                Some(Pull {
                    degraded: Some(_), ..
                }),
            ) => Badge::new(Tone::Bad, "In trouble"),
            _ if self.last_write.is_none() && self.users == 0 => {
                Badge::new(Tone::Waiting, "Nothing heard yet")
            }
            _ => Badge::new(Tone::Good, "Well"),
        }
    }

    pub(super) fn kind(&self) -> &str {
        match self.kind.as_str() {
            "entra" => "Microsoft Entra ID",
            "okta" => "Okta",
            "scim" => "Any SCIM client",
            other => other,
        }
    }

    pub(super) fn mode(&self) -> &'static str {
        match self.mode.as_str() {
            "push" => "The provider sends what changes",
            "pull" => "Usher reads the provider",
            _ => "The provider sends, and Usher reads as well",
        }
    }

    pub(super) fn pulls(&self) -> bool {
        self.mode != "push"
    }

    pub(super) fn pushes(&self) -> bool {
        self.mode != "pull"
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.state == "frozen"
    }

    /// The source's own navigation for a viewer, with the page that is shown.
    pub(super) fn tabs(&self, current: &str, visit: &Visit) -> Vec<Tab> {
        let all = [
            ("health", "", "Health", true),
            ("runs", "/runs", "Reads", self.pulls()),
            ("drift", "/drift", "Differences", self.pulls()),
            ("requests", "/requests", "Requests", self.pushes()),
            (
                "access",
                "/access",
                "Tokens and keys",
                self.pushes() && visit.may("GET", "/sources/{source}/access"),
            ),
            ("setup", "/setup", "Set it up", true),
        ];
        all.into_iter()
            .filter(|(name, _, _, shown)| *shown || *name == current)
            .map(|(name, path, label, _)| Tab {
                href: format!("/sources/{}{path}", segment(&self.name)),
                label,
                count: None,
                current: name == current,
            })
            .collect()
    }
}

/// What a check found.
#[derive(Debug, Clone, Deserialize)]
struct Check {
    good: bool,
    tenant: Option<String>,
    permissions: Vec<Permission>,
    guidance: Vec<String>,
    refusal: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Permission {
    name: String,
    why: String,
    state: String,
    detail: Option<String>,
}

impl Permission {
    fn badge(&self) -> Badge {
        match self.state.as_str() {
            "works" => Badge::new(Tone::Good, "Works"),
            "missing" => Badge::new(Tone::Bad, "Missing"),
            _ => Badge::new(Tone::Waiting, "Not known"),
        }
    }
}

#[derive(Template)]
#[template(path = "sources/source.html")]
struct Health {
    frame: Frame,
    tabs: Vec<Tab>,
    source: Source,
    checked: Option<Check>,
    events: Vec<Event>,
    show_room: bool,
    may_read: bool,
}

async fn show(visit: Visit, Path(source): Path<String>) -> Result<Response, Failure> {
    health(&visit, &source, None, None).await
}

/// Asking a provider changes nothing there, so a page may do it.
async fn check(visit: Visit, Path(source): Path<String>) -> Result<Response, Failure> {
    let path = format!("/sources/{}/check", segment(&source));
    match visit.post(path, json!({}), None).await {
        Ok(checked) => health(&visit, &source, Some(checked), None).await,
        Err(failure) => health(&visit, &source, None, Some(failure.refusal()?)).await,
    }
}

async fn health(
    visit: &Visit,
    source: &str,
    checked: Option<Check>,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let source = Source::load(visit, source).await?;
    let asked = query(&[("source", &source.name), ("limit", "15")]);
    let events: Page<Event> = visit.get(format!("/audit{asked}")).await?;
    let template = Health {
        frame: visit.frame(source.name.clone()).with(failure.as_ref()),
        tabs: source.tabs("health", visit),
        may_read: visit.may("POST", "/sources/{source}/sync") && source.state == "active" && source.pulls(),
        events: events.items,
        show_room: true,
        source,
        checked,
    };
    Ok(page_after(failure.as_ref(), &template))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sync {
    what: String,
    name: String,
    reason: String,
}

impl Sync {
    fn body(&self) -> Value {
        let name = optional(&self.name);
        json!({
            "full": self.what == "full",
            "group": name.filter(|_| self.what == "group"),
            "person": name.filter(|_| self.what == "person"),
            "reason": optional(&self.reason),
        })
    }
}

async fn sync(visit: Visit, Path(source): Path<String>, posted: Posted<Sync>) -> Result<Response, Failure> {
    let path = format!("/sources/{}/sync", segment(&source));
    match visit
        .write(Method::POST, path, posted.form.body(), posted.once)
        .await
    {
        Ok(_) => Ok(visit.done(&format!("/sources/{}/runs", segment(&source)), "read-asked")),
        Err(failure) => health(&visit, &source, None, Some(failure.refusal()?)).await,
    }
}
