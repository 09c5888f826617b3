//! `/sources`: the connections to identity providers: how they are, what they did, who may push, and how to set them up.

mod access;
mod list;
mod log;
mod runs;
mod setup;
mod source;

use axum::Router;

use crate::visit::Site;

pub(super) use access::Token;

pub(super) fn router() -> Router<Site> {
    Router::new()
        .merge(list::router())
        .merge(source::router())
        .merge(runs::router())
        .merge(access::router())
        .merge(setup::router())
        .merge(log::router())
}
