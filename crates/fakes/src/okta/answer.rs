//! Okta's error bodies and times.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A time as Okta writes it: UTC with milliseconds.
pub(super) fn time(at: Timestamp) -> Value {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into()
}

/// An answer that says no.
#[derive(Debug)]
pub(super) struct Refusal(Box<Response>);

impl Refusal {
    pub(super) fn headers(&mut self) -> &mut HeaderMap {
        self.0.headers_mut()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// An error of the management API.
pub(super) fn error(status: StatusCode, code: &str, summary: &str) -> Refusal {
    let body = json!({
        "errorCode": code,
        "errorSummary": summary,
        "errorLink": code,
        "errorId": "oaeFakeFakeFakeFakeFake00",
        "errorCauses": [],
    });
    Refusal(Box::new((status, Json(body)).into_response()))
}

pub(super) fn not_found(what: &str, id: &str) -> Refusal {
    let summary = format!("Not found: Resource not found: {id} ({what})");
    error(StatusCode::NOT_FOUND, "E0000007", &summary)
}

pub(super) fn invalid(what: &str) -> Refusal {
    let summary = format!("Api validation failed: {what}");
    error(StatusCode::BAD_REQUEST, "E0000001", &summary)
}

pub(super) fn bad_filter() -> Refusal {
    error(StatusCode::BAD_REQUEST, "E0000031", "Invalid search criteria.")
}

pub(super) fn forbidden() -> Refusal {
    error(
        StatusCode::FORBIDDEN,
        "E0000006",
        "You do not have permission to perform the requested action",
    )
}

pub(super) fn invalid_token() -> Refusal {
    let mut answer = error(StatusCode::UNAUTHORIZED, "E0000011", "Invalid token provided");
    answer
        .headers()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// An error of the token endpoint (RFC 6749 §5.2).
pub(super) fn oauth_error(status: StatusCode, code: &str, description: &str) -> Refusal {
    let body = json!({"error": code, "error_description": description});
    Refusal(Box::new((status, Json(body)).into_response()))
}
