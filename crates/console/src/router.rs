//! All pages of the console.

use std::sync::Arc;

use axum::Router;
use axum::middleware;

use crate::visit::Site;
use crate::{Backend, Failure, access, assets, live, pages, render};

/// The console: pages, files, and the fallback for everything that is neither.
///
/// The server puts a [`Viewer`](crate::Viewer) into the extensions of requests of a session; without one, pages lead to
/// `/sign-in`, which is the server's own. Answers carry the console's headers, which the server leaves as they are.
pub fn router(backend: Arc<dyn Backend>) -> Router {
    let pages = pages::router()
        .merge(live::router())
        .fallback(async || Failure::NotFound)
        .layer(middleware::from_fn(access::authorise));
    assets::router()
        .merge(pages)
        .layer(middleware::from_fn(render::finish))
        .with_state(Site { backend })
}
