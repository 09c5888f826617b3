//! `/orders`: from the request for a new room to the room in use.

mod form;
mod list;
mod logo;
mod show;
mod steps;
mod wire;

use axum::Router;

use crate::visit::Site;

pub(crate) use wire::Order;

pub(super) fn router() -> Router<Site> {
    Router::new()
        .merge(list::router())
        .merge(form::router())
        .merge(show::router())
        .merge(steps::router())
        .merge(logo::router())
}
