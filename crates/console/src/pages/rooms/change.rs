//! Forms of a room: archive, reopen, add somebody by hand.

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::members;
use crate::visit::{Site, Visit, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/rooms/{room}/archive", step("archive", "room-archived"))
        .route("/rooms/{room}/reopen", step("reopen", "room-reopened"))
        .route("/rooms/{room}/members", post(add))
}

/// A form that asks for nothing but a reason.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::pages) struct Because {
    reason: String,
}

impl Because {
    pub(in crate::pages) fn reason(&self) -> &str {
        &self.reason
    }

    /// The body of the API's call.
    pub(in crate::pages) fn body(&self) -> Value {
        json!({ "reason": optional(&self.reason) })
    }
}

/// A field that may be left empty.
pub(in crate::pages) fn optional(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// The end of a day, as a field for a day gives it.
pub(in crate::pages) fn end_of(day: &str) -> Option<String> {
    optional(day).map(|day| format!("{day}T23:59:59Z"))
}

/// A step that asks for nothing but a reason.
fn step(name: &'static str, word: &'static str) -> MethodRouter<Site> {
    let take = async move |visit: Visit, Path(room): Path<String>, posted: Posted<Because>| {
        let at = format!("/rooms/{}", segment(&room));
        let (path, body) = (format!("{at}/{name}"), posted.form.body());
        match visit.write(Method::POST, path, body, posted.once).await {
            Ok(_) => Ok(visit.done(&at, word)),
            Err(failure) => {
                let failure = failure.refusal()?;
                members::members(&visit, &room, NewMember::default(), Some(failure)).await
            }
        }
    };
    post(take)
}

/// Somebody to add by hand.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewMember {
    pub(super) person: String,
    pub(super) name: String,
    pub(super) level: String,
    pub(super) owner: String,
    pub(super) until: String,
    pub(super) reason: String,
}

async fn add(visit: Visit, Path(room): Path<String>, posted: Posted<NewMember>) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({
        "person": form.person.trim(), "name": optional(&form.name), "level": form.level, "owner": form.owner.trim(),
        "reason": optional(&form.reason), "until": end_of(&form.until),
    });
    let path = format!("/rooms/{}/members", segment(&room));
    match visit.write(Method::POST, path, body, posted.once).await {
        Ok(_) => Ok(visit.done(&format!("/rooms/{}", segment(&room)), "member-added")),
        Err(failure) => members::members(&visit, &room, posted.form, Some(failure.refusal()?)).await,
    }
}
