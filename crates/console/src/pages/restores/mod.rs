//! `/restores`: a person back. Suggestions, and the guided page of each.

mod list;
mod show;
mod wire;

use axum::Router;

use crate::visit::Site;

pub(super) use wire::Restore;

pub(super) fn router() -> Router<Site> {
    Router::new().merge(list::router()).merge(show::router())
}
