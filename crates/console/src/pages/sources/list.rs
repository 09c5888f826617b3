//! `/sources`: all of them.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use super::source::Source;
use crate::Failure;
use crate::frame::Frame;
use crate::html::Page;
use crate::render::page;
use crate::visit::{Site, Visit};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/sources", get(show))
}

#[derive(Template)]
#[template(path = "sources/list.html")]
struct List {
    frame: Frame,
    sources: Vec<Source>,
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    let sources: Page<Source> = visit.get("/sources").await?;
    Ok(page(&List {
        frame: visit.frame("Sources"),
        sources: sources.items,
    }))
}
