//! One visit of a page: who looks, and calls of the API in their name.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OriginalUri};
use axum::response::{IntoResponse, Redirect, Response};
use http::Method;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use usher_core::{Role, Timestamp};

use crate::access::may;
use crate::frame::Frame;
use crate::html::{Page, Pager};
use crate::{Answer, Backend, Call, Content, Failure, Viewer, flash};

/// What the pages share.
#[derive(Clone, FromRef)]
pub(crate) struct Site {
    pub(crate) backend: Arc<dyn Backend>,
}

/// One visit of a page.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) viewer: Viewer,
    backend: Arc<dyn Backend>,
    path: String,
    query: String,
}

impl FromRequestParts<Site> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        let viewer = parts.extensions.get::<Viewer>().cloned();
        let uri = parts
            .extensions
            .get::<OriginalUri>()
            .map_or(&parts.uri, |uri| &uri.0);
        Ok(Self {
            viewer: viewer.ok_or(Failure::Foreign)?,
            backend: Arc::clone(&site.backend),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
        })
    }
}

impl Visit {
    /// Reads from the API.
    ///
    /// # Errors
    /// What the API says, and an answer of another shape.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: impl Into<String>) -> Result<T, Failure> {
        read(&self.call(Call::get(path)).await?)
    }

    /// Reads what may not be there: nothing when the API says 404.
    ///
    /// # Errors
    /// As [`Visit::get`].
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: impl Into<String>,
    ) -> Result<Option<T>, Failure> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.status() == http::StatusCode::NOT_FOUND => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a page of a list of the API, and makes the links to the others.
    ///
    /// The API is asked for `list` by `asked`. The page itself is at `path` with its `filters`; how far somebody has gone on is
    /// the parameter `cursor` of its address.
    ///
    /// # Errors
    /// As [`Visit::get`].
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        list: &str,
        asked: &[(&str, &str)],
        path: &str,
        filters: &[(&str, &str)],
    ) -> Result<(Vec<T>, Pager), Failure> {
        let cursor = self.query("cursor");
        let asked = [asked, &[("cursor", &cursor)]].concat();
        let page: Page<T> = self.get(format!("{list}{}", query(&asked))).await?;
        let pager = Pager::new(path, filters, &cursor, page.next.as_deref());
        Ok((page.items, pager))
    }

    /// Posts to the API. `once` is the form's own value, by which a second click does nothing twice.
    ///
    /// # Errors
    /// What the API says, and an answer of another shape.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: impl Into<String>,
        body: Value,
        once: Option<String>,
    ) -> Result<T, Failure> {
        read(&self.write(Method::POST, path, body, once).await?)
    }

    /// Changes something by the API, whatever it answers.
    ///
    /// # Errors
    /// What the API says.
    pub(crate) async fn write(
        &self,
        method: Method,
        path: impl Into<String>,
        body: Value,
        once: Option<String>,
    ) -> Result<Answer, Failure> {
        let mut call = Call::new(method, path, Content::Json(body));
        call.idempotency_key = once;
        self.call(call).await
    }

    /// Calls the API.
    ///
    /// # Errors
    /// Any answer that is no success.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, Failure> {
        let answer = self.backend.call(&self.viewer, call).await;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(Failure::of(&answer))
        }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.backend.now()
    }

    /// Whether the viewer may send this form or see this page, by its path in the table.
    pub(crate) fn may(&self, method: &str, path: &str) -> bool {
        may(self.viewer.role, method, path)
    }

    pub(crate) fn is(&self, role: Role) -> bool {
        self.viewer.role == role
    }

    /// A parameter of the page's address, trimmed; empty when it is left out.
    pub(crate) fn query(&self, name: &str) -> String {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    }

    /// What surrounds a page.
    pub(crate) fn frame(&self, title: impl Into<String>) -> Frame {
        let mut frame = Frame::new(&self.viewer, title.into(), &self.path, self.now());
        frame.place = self.backend.place();
        frame.done = flash::say(&self.query("done"));
        frame
    }

    /// Leads on after a form was done: to a page that says so, by a word of [`flash`].
    pub(crate) fn done(&self, path: &str, word: &str) -> Response {
        debug_assert!(flash::say(word).is_some(), "the word '{word}' says nothing");
        Redirect::to(&format!("{path}?done={word}")).into_response()
    }
}

/// A part of an API path, as what it is: nothing in it can lead elsewhere.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            let _always_works = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A query of those parameters that are not empty, with its question mark; nothing when all are.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        query
    } else {
        format!("?{query}")
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|_| Failure::Unreadable {
        status: http::StatusCode::BAD_GATEWAY,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("../a b/ü?#"), "%2E%2E%2Fa%20b%2F%C3%BC%3F%23");
    }

    #[test]
    fn empty_parameters_are_left_out() {
        assert_eq!(query(&[("all", ""), ("cursor", "a&b")]), "?cursor=a%26b");
        assert_eq!(query(&[("all", "")]), "");
    }
}
