//! `/settings/webhooks`: endpoints that events are delivered to.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use usher_core::Timestamp;
use uuid::Uuid;

use super::tabs;
use crate::frame::Frame;
use crate::html::{Badge, Page, Tab, Tone};
use crate::pages::fields::optional;
use crate::render::page_after;
use crate::visit::{Site, Visit};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/settings/webhooks", get(show).post(create))
}

/// An endpoint.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Webhook {
    pub(super) id: Uuid,
    pub(super) url: String,
    pub(super) description: String,
    pub(super) role: String,
    pub(super) events: Vec<String>,
    pub(super) sources: Vec<String>,
    pub(super) state: String,
    pub(super) state_reason: Option<String>,
    pub(super) behind: i64,
    pub(super) delivered: i64,
    pub(super) waiting: i64,
    pub(super) dead: i64,
    pub(super) failing_since: Option<Timestamp>,
    pub(super) next_attempt: Option<Timestamp>,
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_error: Option<String>,
    pub(super) secrets: Vec<Secret>,
    pub(super) created: Timestamp,
}

/// A secret that signs, without its text.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Secret {
    pub(super) created: Timestamp,
    pub(super) expires: Option<Timestamp>,
}

impl Webhook {
    pub(super) fn badge(&self) -> Badge {
        match (self.state.as_str(), &self.failing_since) {
            ("paused", _) => Badge::new(Tone::Waiting, "Paused"),
            ("disabled", _) => Badge::new(Tone::Bad, "Given up"),
            (_, Some(_)) => Badge::new(Tone::Bad, "Failing"),
            _ => Badge::new(Tone::Good, "Delivers"),
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.state == "active"
    }

    pub(super) fn wants(&self) -> String {
        match self.events.is_empty() {
            true => "everything that its role sees".to_owned(),
            false => self.events.join(", "),
        }
    }
}

#[derive(Template)]
#[template(path = "settings/webhooks.html")]
struct Webhooks {
    frame: Frame,
    tabs: Vec<Tab>,
    webhooks: Vec<Webhook>,
    form: NewWebhook,
    made: Option<Made>,
}

/// A webhook right after it was made.
struct Made {
    id: String,
    secret: String,
}

impl Webhooks {
    fn is_role(&self, role: &str) -> bool {
        self.form.role == role
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewWebhook {
    url: String,
    description: String,
    role: String,
    events: String,
    reason: String,
}

/// Kinds of events as they are typed: separated by commas, spaces or lines.
pub(super) fn kinds(text: &str) -> Vec<&str> {
    let parts = text.split(|sign: char| sign == ',' || sign.is_whitespace());
    parts.filter(|part| !part.is_empty()).collect()
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    webhooks(&visit, NewWebhook::default(), None, None).await
}

async fn webhooks(
    visit: &Visit,
    form: NewWebhook,
    made: Option<Made>,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let list: Page<Webhook> = visit.get("/webhooks").await?;
    let template = Webhooks {
        frame: visit.frame("Webhooks").with(failure.as_ref()),
        tabs: tabs(visit, "/settings/webhooks"),
        webhooks: list.items,
        form,
        made,
    };
    Ok(page_after(failure.as_ref(), &template))
}

/// The secret is shown on this answer: nobody could show it after a redirect.
async fn create(visit: Visit, posted: Posted<NewWebhook>) -> Result<Response, Failure> {
    let form = posted.form;
    let body = json!({
        "url": form.url.trim(), "description": form.description.trim(), "role": optional(&form.role).unwrap_or("app"),
        "events": kinds(&form.events), "reason": optional(&form.reason),
    });
    match visit.post::<Value>("/webhooks", body, None).await {
        Ok(made) => {
            let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
            let made = Made {
                id: text("id"),
                secret: text("secret"),
            };
            webhooks(&visit, NewWebhook::default(), Some(made), None).await
        }
        Err(failure) => webhooks(&visit, form, None, Some(failure.refusal()?)).await,
    }
}
