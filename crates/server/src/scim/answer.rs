//! Answers that are no errors.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use usher_scim::MEDIA_TYPE;

/// An answer, ready to be sent; also what a bulk request says of an operation.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The resource that it is about.
    pub(super) about: Option<About>,
    body: Option<Body>,
}

/// The resource that an answer is about.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) id: String,
    pub(super) location: String,
    pub(super) etag: String,
}

impl Answer {
    /// 200 with a body.
    pub(super) fn ok(body: impl Into<Body>) -> Self {
        Self {
            status: StatusCode::OK,
            about: None,
            body: Some(body.into()),
        }
    }

    /// 200 or another status with a resource.
    pub(super) fn resource(status: StatusCode, about: About, body: impl Into<Body>) -> Self {
        Self {
            status,
            about: Some(about),
            body: Some(body.into()),
        }
    }

    /// 204 or 304: a status and no body.
    pub(super) const fn empty(status: StatusCode, about: Option<About>) -> Self {
        Self {
            status,
            about,
            body: None,
        }
    }

    pub(super) fn into_response(self) -> Response {
        let has_body = self.body.is_some();
        let mut response = Response::new(self.body.unwrap_or_default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // With those that each answer gets at the edge.
        headers.reserve(12);
        if has_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        }
        if let Some(about) = self.about {
            if let Ok(etag) = HeaderValue::from_str(&about.etag) {
                headers.insert(header::ETAG, etag);
            }
            if let (true, Ok(location)) = (has_body, HeaderValue::from_str(&about.location)) {
                let name = if self.status == StatusCode::CREATED {
                    header::LOCATION
                } else {
                    header::CONTENT_LOCATION
                };
                headers.insert(name, location);
            }
        }
        response
    }
}
