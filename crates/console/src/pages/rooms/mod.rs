//! `/rooms`: which rooms there are, and all that there is to see and do of one.

mod change;
mod history;
mod list;
mod mapping;
mod mappings;
mod members;
mod membership;
mod room;

use axum::Router;

use crate::visit::Site;

pub(super) use members::{Member, file};
pub(super) use membership::{Stay, lines};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .merge(list::router())
        .merge(members::router())
        .merge(membership::router())
        .merge(history::router())
        .merge(mappings::router())
        .merge(mapping::router())
        .merge(change::router())
}
