//! `/persons`: find somebody.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::Failure;
use crate::frame::Frame;
use crate::html::{Pager, PersonName};
use crate::render::page;
use crate::visit::{Site, Visit};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/persons", get(show))
}

#[derive(Deserialize)]
struct Item {
    #[serde(flatten)]
    person: PersonName,
    rooms: i64,
    accounts: i64,
}

#[derive(Template)]
#[template(path = "persons/list.html")]
struct List {
    frame: Frame,
    people: Vec<Item>,
    pager: Pager,
    q: String,
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    let q = visit.query("q");
    let (people, pager) = visit
        .list("/persons", &[("search", &q)], "/persons", &[("q", &q)])
        .await?;
    Ok(page(&List {
        frame: visit.frame("People"),
        people,
        pager,
        q,
    }))
}
