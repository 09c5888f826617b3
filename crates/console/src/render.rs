//! Pages as answers, with the headers that keep a page to itself.

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};

use crate::assets::{Assets, assets};
use crate::failure::Message;
use crate::frame::Frame;
use crate::{Failure, Viewer};

/// Nothing inline, nothing from elsewhere, no frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page.
pub(crate) fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

/// A page that may come again after something was refused: then with the refusal's status.
pub(crate) fn page_after(failure: Option<&Failure>, template: &impl Template) -> Response {
    page_with(failure.map_or(StatusCode::OK, Failure::status), template)
}

/// A page with another status.
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A page without navigation, for whoever is not signed in: what happened, and what to do next.
#[must_use]
pub fn notice(status: StatusCode, title: &str, text: &str, next: &str) -> Response {
    let message = Message {
        title: title.to_owned(),
        text: text.to_owned(),
        next: next.to_owned(),
        field: String::new(),
        request_id: String::new(),
    };
    let mut response = page_with(
        status,
        &Notice {
            assets: assets(),
            message,
        },
    );
    guard(&mut response);
    response
}

/// Makes a page of each failure, and gives every answer its headers.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let viewer = request.extensions().get::<Viewer>().cloned();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status();
    let failure = response.extensions_mut().remove::<Failure>().or(match status {
        StatusCode::METHOD_NOT_ALLOWED => Some(Failure::NotFound),
        _ => None,
    });
    if let Some(failure) = failure {
        response = failed(&failure, viewer.as_ref(), &path);
    }
    guard(&mut response);
    response
}

fn failed(failure: &Failure, viewer: Option<&Viewer>, path: &str) -> Response {
    let message = failure.message();
    let status = failure.status();
    match viewer {
        Some(viewer) => {
            let frame = Frame::new(
                viewer,
                message.title.clone(),
                path,
                usher_core::Timestamp::default(),
            );
            page_with(status, &Failed { frame, message })
        }
        None => page_with(
            status,
            &Notice {
                assets: assets(),
                message,
            },
        ),
    }
}

/// Headers of the console's own that an answer does not have yet.
pub(crate) fn guard(response: &mut Response) {
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        // Not `no-referrer`: with that, browsers send forms with `Origin: null`.
        (REFERRER_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct Failed {
    frame: Frame,
    message: Message,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice {
    assets: &'static Assets,
    message: Message,
}
