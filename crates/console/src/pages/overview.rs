//! `/`: what needs the reader, and what happened lately.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use crate::Failure;
use crate::frame::Frame;
use crate::render::page;
use crate::visit::{Site, Visit};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/", get(show))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
}

async fn show(visit: Visit) -> Result<Response, Failure> {
    Ok(page(&Overview {
        frame: visit.frame("Overview"),
    }))
}
