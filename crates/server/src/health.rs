//! `/livez` and `/readyz`.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use usher_storage::{StorageError, query};

use crate::AppState;

/// Whoever asks whether to send requests here does not wait longer; the database is waited for longer than that.
const PATIENCE: Duration = Duration::from_secs(2);

/// The endpoints that tell whether this server is alive and ready.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
}

async fn livez() -> &'static str {
    "alive\n"
}

/// 200 when the database answers and the server is not about to stop.
async fn readyz(State(state): State<AppState>) -> Response {
    if state.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    let answer = state
        .engine
        .read(|tx| Box::pin(async move { query::policy::version(tx).await.map(|_| ()) }));
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(())) => return "ready\n".into_response(),
        Ok(Err(error)) => {
            let error: StorageError = error;
            tracing::error!(error = %crate::logging::chain(&error), "the database does not answer");
        }
        Err(_elapsed) => tracing::error!("the database does not answer in time"),
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
}
