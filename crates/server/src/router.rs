//! All endpoints of the server.

use axum::Router;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::{AppState, api, edge, health, metrics, scim};

/// The whole application. Tests call it as they would call the running server.
pub fn router(state: AppState) -> Router {
    let others = Router::new()
        .merge(health::router())
        .merge(metrics::router())
        .fallback(unknown);
    Router::new()
        .merge(scim::router())
        .merge(api::router(&state))
        .merge(others)
        .layer(middleware::from_fn_with_state(state.clone(), edge::edge))
        .with_state(state)
}

async fn unknown() -> Response {
    (
        StatusCode::NOT_FOUND,
        "there is nothing here; SCIM roots are /scim/<source>/v2\n",
    )
        .into_response()
}
