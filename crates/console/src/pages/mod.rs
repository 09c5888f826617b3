//! The pages: one file each.

mod audit;
mod event;
mod fields;
mod holds;
mod levels;
mod orders;
mod overview;
mod persons;
mod restores;
mod rooms;
mod settings;
pub(crate) mod sign_in;
mod sources;

use axum::Router;

use crate::visit::Site;

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .merge(overview::router())
        .merge(orders::router())
        .merge(holds::router())
        .merge(restores::router())
        .merge(persons::router())
        .merge(rooms::router())
        .merge(sources::router())
        .merge(audit::router())
        .merge(settings::router())
}
