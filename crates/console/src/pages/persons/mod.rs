//! `/persons`: people, what is known of each, and why they have access or not.

mod list;
mod show;

use axum::Router;

use crate::visit::Site;

pub(super) fn router() -> Router<Site> {
    Router::new().merge(list::router()).merge(show::router())
}
