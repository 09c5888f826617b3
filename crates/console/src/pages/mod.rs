//! The pages: one file each.

mod overview;
pub(crate) mod sign_in;

use axum::Router;

use crate::visit::Site;

pub(crate) fn router() -> Router<Site> {
    Router::new().merge(overview::router())
}
