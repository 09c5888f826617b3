//! `/persons`: find somebody.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::Failure;
use crate::frame::Frame;
use crate::html::{Page, Pager, PersonName};
use crate::render::page;
use crate::visit::{Site, Visit, query};

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
    let (q, cursor) = (visit.query("q"), visit.query("cursor"));
    let asked = query(&[("search", &q), ("cursor", &cursor)]);
    let people: Page<Item> = visit.get(format!("/persons{asked}")).await?;
    Ok(page(&List {
        frame: visit.frame("People"),
        pager: Pager::new("/persons", &[("q", &q)], &cursor, people.next.as_deref()),
        people: people.items,
        q,
    }))
}
