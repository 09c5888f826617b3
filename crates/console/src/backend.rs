//! What the console needs of the server around it.

use async_trait::async_trait;
use axum::body::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use subtle::ConstantTimeEq;
use usher_core::{Role, Timestamp};
use uuid::Uuid;

/// Who looks at a page; put into the request's extensions by the server before pages run.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The name to show.
    pub name: String,
    /// The address, which is whose orders a requester sees.
    pub email: Option<String>,
    /// What the person may do.
    pub role: Role,
    /// The session.
    pub session: Uuid,
    /// What the session's forms carry.
    pub csrf: Csrf,
    /// Who vouched for the person; nothing for a local administrator.
    pub provider: Option<String>,
}

/// The value that proves that a form comes from a page of this session.
#[derive(Clone)]
pub struct Csrf(String);

impl Csrf {
    /// Takes a session's value: at least 128 random bits, as text fit for a form.
    #[must_use]
    pub const fn new(value: String) -> Self {
        Self(value)
    }

    /// Whether a form brought the right value; takes the same time whatever it brought.
    #[must_use]
    pub fn matches(&self, brought: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(brought.as_bytes()))
    }

    pub(crate) fn field(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Csrf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Csrf(..)")
    }
}

/// The server, as the console sees it.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Calls the API in this process, as this viewer.
    async fn call(&self, viewer: &Viewer, call: Call) -> Answer;

    /// Resolves to the newest place of the event feed once that is beyond `after`; to nothing when the server stops.
    async fn news(&self, after: i64) -> Option<i64>;

    /// The newest place of the event feed that this process knows of.
    fn place(&self) -> i64;

    /// What time it is.
    fn now(&self) -> Timestamp;
}

/// A call of the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path below `/api/v1`, with its query.
    pub path: String,
    /// The body.
    pub content: Content,
    /// The `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

/// The body of a call.
#[derive(Debug, Clone)]
pub enum Content {
    /// None.
    Empty,
    /// JSON.
    Json(Value),
    /// Bytes, sent as `application/octet-stream`.
    Bytes(Bytes),
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Call {
    /// Reads.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Content::Empty)
    }

    /// Changes something by a JSON body.
    #[must_use]
    pub fn write(method: Method, path: impl Into<String>, body: Value) -> Self {
        Self::new(method, path, Content::Json(body))
    }

    /// Any call.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>, content: Content) -> Self {
        Self {
            method,
            path: path.into(),
            content,
            idempotency_key: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_matches_nothing() {
        assert!(!Csrf::new(String::new()).matches(""));
        assert!(Csrf::new("abc".into()).matches("abc") && !Csrf::new("abc".into()).matches("abd"));
    }
}
