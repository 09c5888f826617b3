//! Who calls, how often, and what the org says of itself.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use usher_core::{Clock as _, SystemClock};

use super::answer::{Refusal, error, invalid_token};
use super::ask::Ask;
use super::behaviour::Busy;
use super::jwt::{self, Use};
use super::org::Org;
use super::rights::Rights;

/// Requests that a bucket of the fake holds.
const BUCKET: u32 = 600;

/// The rights of whoever sent a request.
pub(super) fn recognise(org: &Org, parts: &Parts) -> Result<Rights, Refusal> {
    let text = |name| {
        let value = parts.headers.get(name)?;
        value.to_str().ok()
    };
    let (scheme, token) = text("authorization")
        .and_then(|value| value.split_once(' '))
        .ok_or_else(invalid_token)?;
    match scheme {
        "SSWS" => org
            .with(|state| state.api_tokens.get(token).cloned())
            .ok_or_else(invalid_token),
        "Bearer" | "DPoP" => {
            let issued = org.with(|state| state.access_tokens.get(token).cloned());
            let issued = issued.ok_or_else(invalid_token)?;
            match (&issued.key, scheme) {
                (None, "Bearer") => Ok(issued.rights),
                (Some(key), "DPoP") => {
                    let url = format!("{}{}", org.base(), parts.uri.path());
                    let proof = text("dpop").ok_or_else(invalid_token)?;
                    let used = Use {
                        method: parts.method.as_str(),
                        url: &url,
                        token: Some(token),
                        nonce: None,
                    };
                    let signed_with = jwt::proof(org, proof, &used).map_err(|_| invalid_token())?;
                    if signed_with == *key {
                        Ok(issued.rights)
                    } else {
                        Err(invalid_token())
                    }
                }
                _ => Err(invalid_token()),
            }
        }
        _ => Err(invalid_token()),
    }
}

/// 429 of one of both kinds.
pub(super) fn too_many(busy: Busy) -> Refusal {
    let mut answer = error(
        StatusCode::TOO_MANY_REQUESTS,
        "E0000047",
        "API call exceeded rate limit due to too many requests.",
    );
    let (limit, seconds) = match busy {
        Busy::Rate { seconds } => (BUCKET, seconds),
        Busy::Concurrency => (0, 60),
    };
    numbers(answer.headers(), limit, 0, seconds);
    answer
}

/// What a list answers that takes too long.
pub(super) fn timed_out() -> Refusal {
    error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "E0000009",
        "Internal Server Error",
    )
}

/// Puts the numbers of the rate limit on every answer that has none yet.
pub(super) async fn count(State(org): State<Org>, mut answer: Response) -> Response {
    if !answer.headers().contains_key("x-rate-limit-limit") {
        let remaining = org.with(|state| {
            state.remaining = state.remaining.checked_sub(1).unwrap_or(BUCKET);
            state.remaining
        });
        numbers(answer.headers_mut(), BUCKET, remaining, 60);
    }
    answer
}

/// `GET /.well-known/okta-organization`, for anybody.
pub(super) async fn organization(State(org): State<Org>) -> Json<Value> {
    let base = org.base();
    Json(json!({
        "id": Org::ID,
        "pipeline": "idx",
        "_links": {"organization": {"href": base}},
        "settings": {"analyticsCollectionEnabled": false, "bugReportingEnabled": true, "omEnabled": false},
    }))
}

/// `GET /api/v1/org`.
pub(super) async fn org(ask: Ask) -> Result<Json<Value>, Refusal> {
    ask.need("okta.orgs.read")?;
    Ok(Json(json!({
        "id": Org::ID,
        "companyName": "Contoso AG",
        "subdomain": "contoso",
        "status": "ACTIVE",
        "created": "2015-02-06T10:11:28.000Z",
        "lastUpdated": "2026-01-01T00:00:00.000Z",
    })))
}

fn numbers(headers: &mut HeaderMap, limit: u32, remaining: u32, seconds: u32) {
    let now = SystemClock.now().as_micros() / 1_000_000;
    headers.insert("x-rate-limit-limit", HeaderValue::from(limit));
    headers.insert("x-rate-limit-remaining", HeaderValue::from(remaining));
    headers.insert("x-rate-limit-reset", HeaderValue::from(now + i64::from(seconds)));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store"),
    );
}
