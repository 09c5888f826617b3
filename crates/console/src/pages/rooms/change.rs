//! Forms of a room: archive, reopen, add somebody by hand.

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::members;
use crate::pages::fields::{Because, end_of, optional};
use crate::visit::{Site, Visit, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/rooms/{room}/archive", step("archive", "room-archived"))
        .route("/rooms/{room}/reopen", step("reopen", "room-reopened"))
        .route("/rooms/{room}/members", post(add))
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
