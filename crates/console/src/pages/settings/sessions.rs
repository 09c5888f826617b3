//! `/settings/sessions`: who is signed in.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use usher_core::Timestamp;
use uuid::Uuid;

use super::tabs;
use crate::frame::Frame;
use crate::html::{Page, Pager, Tab, word};
use crate::pages::fields::Because;
use crate::render::page;
use crate::visit::{Site, Visit, query};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/settings/sessions", get(show))
        .route("/settings/sessions/{session}/revoke", post(revoke))
}

/// Somebody who is signed in.
#[derive(Deserialize)]
struct Session {
    id: Uuid,
    name: String,
    #[serde(default)]
    email: Option<String>,
    role: String,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    address: Option<String>,
    created: Timestamp,
    #[serde(default)]
    seen: Option<Timestamp>,
    #[serde(default)]
    revoked: Option<Timestamp>,
}

impl Session {
    fn role(&self) -> String {
        match self.role.as_str() {
            "it" => "Customer IT".to_owned(),
            other => word(other),
        }
    }
}

#[derive(Template)]
#[template(path = "settings/sessions.html")]
struct Sessions {
    frame: Frame,
    tabs: Vec<Tab>,
    sessions: Vec<Session>,
    pager: Pager,
    own: Uuid,
}

impl Sessions {
    fn is_own(&self, session: &Session) -> bool {
        session.id == self.own
    }
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    let cursor = visit.query("cursor");
    let asked = query(&[("cursor", &cursor)]);
    let list: Page<Session> = visit.find(format!("/sessions{asked}")).await?.unwrap_or_default();
    Ok(page(&Sessions {
        frame: visit.frame("Who is signed in"),
        tabs: tabs(&visit, "/settings/sessions"),
        pager: Pager::new("/settings/sessions", &[], &cursor, list.next.as_deref()),
        sessions: list
            .items
            .into_iter()
            .filter(|session| session.revoked.is_none())
            .collect(),
        own: visit.viewer.session,
    }))
}

async fn revoke(
    visit: Visit,
    Path(session): Path<Uuid>,
    posted: Posted<Because>,
) -> Result<Response, Failure> {
    let path = format!("/sessions/{session}/revoke");
    visit
        .write(Method::POST, path, posted.form.body(), posted.once)
        .await?;
    Ok(visit.done("/settings/sessions", "session-revoked"))
}
