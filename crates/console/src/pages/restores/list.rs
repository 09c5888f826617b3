//! The list of suggestions, and the form that asks for one.

use askama::Template;
use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::Restore;
use crate::frame::Frame;
use crate::html::Pager;
use crate::render::page_after;
use crate::visit::{Site, Visit};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/restores", get(list).post(suggest))
}

#[derive(Template)]
#[template(path = "restores/list.html")]
struct List {
    frame: Frame,
    restores: Vec<Restore>,
    pager: Pager,
    all: bool,
    may_suggest: bool,
    asked: Asked,
}

/// Who is back where.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    room: String,
    person: String,
}

async fn list(visit: Visit) -> Result<Response, Failure> {
    let asked = Asked {
        room: visit.query("room"),
        person: visit.query("person"),
    };
    look(&visit, asked, None).await
}

async fn look(visit: &Visit, asked: Asked, failure: Option<&Failure>) -> Result<Response, Failure> {
    let all = visit.query("all") == "yes";
    let wanted = [("all", if all { "true" } else { "" })];
    let filters = [("all", if all { "yes" } else { "" })];
    let (restores, pager) = visit.list("/restores", &wanted, "/restores", &filters).await?;
    let shown = List {
        frame: visit.frame("Restores").with(failure),
        restores,
        pager,
        all,
        may_suggest: visit.may("POST", "/restores"),
        asked,
    };
    Ok(page_after(failure, &shown))
}

async fn suggest(visit: Visit, posted: Posted<Asked>) -> Result<Response, Failure> {
    let asked = posted.form;
    let body = json!({ "room": asked.room.trim(), "person": asked.person.trim() });
    match visit.post::<Restore>("/restores", body, posted.once).await {
        Ok(restore) => {
            Ok(Redirect::to(&format!("/restores/{}?done=restore-suggested", restore.id)).into_response())
        }
        Err(failure) if failure.is_refusal() || failure.status() == http::StatusCode::NOT_FOUND => {
            look(&visit, asked, Some(&failure)).await
        }
        Err(failure) => Err(failure),
    }
}
