//! The token endpoint: the client credentials grant (RFC 6749 §4.4).

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{CLIENT_ID, CLIENT_SECRET, Provider};

#[derive(Deserialize)]
pub(super) struct Grant {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// A new token for each request of the client that it knows.
pub(super) async fn issue(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(grant): Form<Grant>,
) -> Response {
    let in_body = grant.client_id.as_deref() == Some(CLIENT_ID)
        && grant.client_secret.as_deref() == Some(CLIENT_SECRET);
    let pair = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let field = headers.get(AUTHORIZATION).and_then(|field| field.to_str().ok());
    let known = in_body || field == Some(&format!("Basic {pair}"));
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    if !known {
        return refuse("invalid_client");
    }
    if grant.grant_type != "client_credentials" {
        return refuse("unsupported_grant_type");
    }
    let mut tokens = provider.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    let number = provider.issued.fetch_add(1, Ordering::Relaxed);
    let token = format!("issued-token-{number}");
    tokens.insert(token.clone());
    Json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600})).into_response()
}
