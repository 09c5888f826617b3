//! Requests and their answers, all remembered.

use std::fmt::{self, Write as _};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::Method;
use serde_json::Value;

use super::Trouble;

/// How the token is written into the `Authorization` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// `Bearer <token>`.
    Bearer,
    /// The token alone, as Okta's header mode sends what the administrator typed.
    Raw,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// Path and query below the base URL, as sent.
    pub target: String,
    /// The body as sent; null without one.
    pub body: Value,
    /// The status of the answer; 0 when none came.
    pub status: u16,
    /// The body of the answer; null when it was empty or no JSON.
    pub answer: Value,
    /// The media type of the answer; empty without one.
    pub media_type: String,
}

impl Exchange {
    /// As an entry for the administrator.
    pub(super) fn trouble(&self, object: &str, kind: &'static str) -> Trouble {
        let detail = self.answer["detail"].as_str().unwrap_or_default();
        Trouble {
            object: object.into(),
            kind,
            status: self.status,
            detail: format!("{} {}: {detail}", self.method, self.target),
        }
    }

    /// The `id` of the resource in the answer.
    pub(super) fn id(&self) -> Option<String> {
        let id = self.answer["id"].as_str().filter(|id| !id.is_empty());
        id.map(str::to_owned)
    }

    /// The resources of a list that is one: 200, SCIM's media type, integers for numbers.
    pub(super) fn list(&self) -> Option<&[Value]> {
        let total = self.answer["totalResults"].as_u64()?;
        let none = self.answer.get("Resources").is_none();
        let resources = self.answer["Resources"].as_array();
        let right = self.status == 200 && self.media_type.starts_with("application/scim+json");
        let found = resources.map_or(&[][..], Vec::as_slice);
        (right && (!none || total == 0)).then_some(found)
    }
}

/// The connection of a client to one SCIM endpoint.
pub(super) struct Wire {
    http: reqwest::Client,
    base: String,
    authorization: String,
    user_agent: Option<&'static str>,
    exchanges: Vec<Exchange>,
}

/// The token is a secret, and so are bodies with passwords.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("base", &self.base)
            .field("exchanges", &self.exchanges.len())
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// # Panics
    /// When the HTTP client cannot be built, which needs no system resource.
    pub(super) fn new(base: &str, token: &str, login: Login, user_agent: Option<&'static str>) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client with nothing to load");
        let mut wire = Self {
            http,
            base: base.trim_end_matches('/').into(),
            authorization: String::new(),
            user_agent,
            exchanges: Vec::new(),
        };
        wire.log_in(token, login);
        wire
    }

    pub(super) fn log_in(&mut self, token: &str, login: Login) {
        self.authorization = match login {
            Login::Bearer => format!("Bearer {token}"),
            Login::Raw => token.into(),
        };
    }

    pub(super) fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    pub(super) fn forget(&mut self) {
        self.exchanges.clear();
    }

    pub(super) async fn get(&mut self, target: String) -> Exchange {
        self.send(Method::GET, target, Value::Null).await
    }

    pub(super) async fn send(&mut self, method: Method, target: String, body: Value) -> Exchange {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{target}", self.base))
            .header(AUTHORIZATION, &self.authorization)
            .header(ACCEPT, "application/scim+json");
        if let Some(name) = self.user_agent {
            request = request.header(http::header::USER_AGENT, name);
        }
        if !body.is_null() {
            request = request
                .header(CONTENT_TYPE, "application/scim+json; charset=utf-8")
                .body(body.to_string());
        }
        let (mut status, mut answer, mut media_type) = (0, Value::Null, String::new());
        if let Ok(response) = request.send().await {
            status = response.status().as_u16();
            let field = response.headers().get(CONTENT_TYPE);
            media_type = field
                .and_then(|field| field.to_str().ok())
                .unwrap_or_default()
                .into();
            let bytes = response.bytes().await.unwrap_or_default();
            answer = serde_json::from_slice(&bytes).unwrap_or_default();
        }
        let exchange = Exchange {
            method,
            target,
            body,
            status,
            answer,
            media_type,
        };
        self.exchanges.push(exchange.clone());
        exchange
    }
}

/// A value as a quoted string of a filter, percent-encoded for a query.
pub(super) fn quoted(value: &str) -> String {
    let literal = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("%22{}%22", encoded(&literal))
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
