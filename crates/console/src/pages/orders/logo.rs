//! The logo of an order: shown on the order's page, and kept from there.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde::Deserialize;
use serde_json::json;

use crate::visit::{Site, Visit, segment};
use crate::{Call, Content, Failure, File, Posted};

/// What a browser may do with a picture that somebody sent: show it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

pub(super) fn router() -> Router<Site> {
    Router::new().route("/orders/{order}/logo", get(show).post(keep))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kept {
    remove: String,
}

/// The picture as the API keeps it, if it is of one of the kinds that it keeps.
async fn show(visit: Visit, Path(order): Path<String>) -> Result<Response, Failure> {
    let answer = visit
        .call(Call::get(format!("/orders/{}/logo", segment(&order))))
        .await?;
    let media_type = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = match media_type {
        Some("image/png") => "image/png",
        Some("image/jpeg") => "image/jpeg",
        Some("image/svg+xml") => "image/svg+xml",
        _ => return Err(Failure::NotFound),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    Ok((headers, answer.body).into_response())
}

async fn keep(visit: Visit, Path(order): Path<String>, posted: Posted<Kept>) -> Result<Response, Failure> {
    let at = format!("/orders/{}", segment(&order));
    let (word, call) = if posted.form.remove == "yes" {
        (
            "logo-removed",
            Call::write(Method::DELETE, format!("{at}/logo"), json!({})),
        )
    } else {
        ("logo-kept", put(&at, chosen(posted.files).unwrap_or_default()))
    };
    match visit.call(call).await {
        Ok(_) => Ok(visit.done(&at, word)),
        Err(failure) => super::show::again(&visit, &order, failure).await,
    }
}

/// The picture among the files of a form.
pub(super) fn chosen(files: Vec<File>) -> Option<Bytes> {
    let file = files.into_iter().find(|file| file.field == "logo");
    file.map(|file| file.bytes)
}

/// Keeps a picture with the order at this path.
pub(super) fn put(order: &str, picture: Bytes) -> Call {
    Call::new(Method::PUT, format!("{order}/logo"), Content::Bytes(picture))
}
