//! `/settings/notifications`: what is told by e-mail, what waits, and what was given up.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::json;
use usher_core::Timestamp;
use uuid::Uuid;

use super::tabs;
use crate::frame::Frame;
use crate::html::{Badge, Tab, Tone, word};
use crate::pages::fields::Because;
use crate::render::page_after;
use crate::visit::{Site, Visit};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/settings/notifications", get(show))
        .route("/settings/notifications/test", post(test))
        .route("/settings/notifications/{mail}/retry", post(retry))
}

/// How telling by e-mail stands.
#[derive(Deserialize)]
struct State {
    on: bool,
    from: Option<String>,
    server: Option<String>,
    recipients: Vec<Recipients>,
    notices: Vec<Notice>,
    waiting: i64,
    dead: i64,
    queue: Vec<Mail>,
    dead_letters: Vec<Mail>,
    #[serde(default)]
    last: Vec<Mail>,
}

#[derive(Deserialize)]
struct Recipients {
    role: String,
    addresses: Vec<String>,
}

#[derive(Deserialize)]
struct Notice {
    notice: String,
    audience: Vec<String>,
    left_out: bool,
}

impl Notice {
    fn label(&self) -> String {
        word(&self.notice)
    }

    fn audience(&self) -> String {
        let audience = self.audience.iter().map(|one| role(one));
        audience.collect::<Vec<_>>().join(", ")
    }
}

/// Whom e-mails go to.
fn role(word: &str) -> &str {
    match word {
        "requester" => "requester",
        "it" => "customer IT",
        "support" => "support",
        "admin" => "administrators",
        other => other,
    }
}

impl Recipients {
    fn label(&self) -> String {
        word(role(&self.role))
    }
}

#[derive(Deserialize)]
struct Mail {
    id: Uuid,
    notice: String,
    recipient: String,
    subject: String,
    state: String,
    attempts: u32,
    created: Timestamp,
    next_attempt: Option<Timestamp>,
    error: Option<String>,
}

impl Mail {
    fn badge(&self) -> Badge {
        match self.state.as_str() {
            "sent" => Badge::new(Tone::Good, "Sent"),
            "dead" => Badge::new(Tone::Bad, "Given up"),
            "waiting" => Badge::new(Tone::Waiting, "Waits"),
            other => Badge::new(Tone::Calm, word(other)),
        }
    }

    fn label(&self) -> String {
        word(&self.notice)
    }
}

/// How a test ended.
#[derive(Deserialize)]
struct Tested {
    sent: bool,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "settings/notifications.html")]
struct Notifications {
    frame: Frame,
    tabs: Vec<Tab>,
    state: State,
    tested: Option<Tested>,
    to: String,
    may_test: bool,
    may_retry: bool,
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    notifications(&visit, None, None, String::new()).await
}

async fn notifications(
    visit: &Visit,
    tested: Option<Tested>,
    failure: Option<Failure>,
    to: String,
) -> Result<Response, Failure> {
    let template = Notifications {
        frame: visit.frame("E-mail").with(failure.as_ref()),
        tabs: tabs(visit, "/settings/notifications"),
        state: visit.get("/notifications").await?,
        may_test: visit.may("POST", "/settings/notifications/test"),
        may_retry: visit.may("POST", "/settings/notifications/{mail}/retry"),
        to: if to.is_empty() {
            visit.viewer.email.clone().unwrap_or_default()
        } else {
            to
        },
        tested,
    };
    Ok(page_after(failure.as_ref(), &template))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Test {
    to: String,
}

/// What came of it is shown at once: it is asked anew each time.
async fn test(visit: Visit, posted: Posted<Test>) -> Result<Response, Failure> {
    let to = posted.form.to.trim().to_owned();
    match visit.post("/notifications/test", json!({ "to": to }), None).await {
        Ok(tested) => notifications(&visit, Some(tested), None, to).await,
        Err(failure) => notifications(&visit, None, Some(failure.refusal()?), to).await,
    }
}

async fn retry(visit: Visit, Path(mail): Path<Uuid>, posted: Posted<Because>) -> Result<Response, Failure> {
    let path = format!("/notifications/{mail}/retry");
    match visit
        .write(Method::POST, path, posted.form.body(), posted.once)
        .await
    {
        Ok(_) => Ok(visit.done("/settings/notifications", "mail-again")),
        Err(failure) => notifications(&visit, None, Some(failure.refusal()?), String::new()).await,
    }
}
