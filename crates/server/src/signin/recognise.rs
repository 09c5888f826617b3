//! Who sends a request of a browser: the layer in front of all pages.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;

use super::cookie::Cookies;
use super::session::viewer;
use crate::AppState;
use crate::client::Client;

/// Puts the viewer into the extensions of a request that comes with a good session, and takes back the cookie of one that
/// ended.
pub(crate) async fn recognise(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/assets/") {
        return next.run(request).await;
    }
    let cookies = Cookies::new(Client::of(&state, request.extensions()).is_https);
    let Some(secret) = cookies.session(request.headers()).map(str::to_owned) else {
        return next.run(request).await;
    };
    let found = state.sign_in.sessions.find(&state.engine, &secret).await;
    match found {
        Ok(Some(row)) => {
            request.extensions_mut().insert(viewer(&row, &secret));
            next.run(request).await
        }
        Ok(None) => {
            let mut response = next.run(request).await;
            // A sign-in that just happened has set another one.
            if !response.headers().contains_key(SET_COOKIE) {
                let clear = cookies.clear_session();
                response.headers_mut().insert(SET_COOKIE, clear);
            }
            response
        }
        Err(error) => {
            tracing::warn!(error = %crate::logging::chain(&error), "cannot look up a session");
            usher_console::notice(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database does not answer",
                "Who you are cannot be looked up right now. Nothing was changed.",
                "Wait a moment, then load the page again.",
            )
        }
    }
}
