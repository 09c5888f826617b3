//! A server that knows its answers beforehand: all pages can be shown on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use usher_console::{Answer, Backend, Call, Csrf, Viewer, router};
use usher_core::{Role, Timestamp};
use uuid::Uuid;

/// The session's value of the forms.
pub(crate) const CSRF: &str = "a-value-of-this-session";
/// What time it is: noon of a day in June.
pub(crate) const NOW: &str = "2026-06-12T12:00:00Z";

/// The answers, and the calls that were made.
#[derive(Default)]
pub(crate) struct Canned {
    answers: BTreeMap<String, (StatusCode, Value)>,
    calls: Mutex<Vec<Call>>,
}

/// A page as it came.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Canned {
    /// Everything that a small company's week leaves behind.
    pub(crate) fn new() -> Self {
        let mut canned = Self::default();
        for text in [include_str!("canned.json"), include_str!("canned_rooms.json")] {
            let Value::Object(answers) = serde_json::from_str(text).expect("JSON") else {
                panic!("the canned answers are one object: method and path to answer");
            };
            for (call, answer) in answers {
                canned.answers.insert(call, (StatusCode::OK, answer));
            }
        }
        canned
    }

    /// With another answer to a call such as `GET /orders`; the query is left out.
    pub(crate) fn with(mut self, call: &str, status: u16, answer: Value) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        self.answers.insert(call.to_owned(), (status, answer));
        self
    }

    /// With every text of every answer passed through this.
    pub(crate) fn map(mut self, mut change: impl FnMut(&str, &mut Value)) -> Self {
        for (call, (_, answer)) in &mut self.answers {
            change(call, answer);
        }
        self
    }

    /// The calls that were made, as `METHOD path?query`, with their bodies.
    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        let calls = self.calls.lock().expect("not poisoned");
        let told = |call: &Call| {
            let body = match &call.content {
                usher_console::Content::Json(body) => body.clone(),
                _ => Value::Null,
            };
            (format!("{} {}", call.method, call.path), body)
        };
        calls.iter().map(told).collect()
    }

    /// The `Idempotency-Key` of the last call.
    pub(crate) fn last_key(&self) -> Option<String> {
        let calls = self.calls.lock().expect("not poisoned");
        calls.last().and_then(|call| call.idempotency_key.clone())
    }
}

#[async_trait]
impl Backend for Canned {
    async fn call(&self, _viewer: &Viewer, call: Call) -> Answer {
        let path = call.path.split('?').next().unwrap_or_default();
        let known = self.answers.get(&format!("{} {path}", call.method));
        let (status, answer) = known.cloned().unwrap_or_else(|| {
            let problem = json!({ "title": "There is no such thing", "status": 404, "code": "not_found",
                "detail": format!("nothing is canned for {} {path}", call.method) });
            (StatusCode::NOT_FOUND, problem)
        });
        self.calls.lock().expect("not poisoned").push(call);
        Answer {
            status,
            headers: HeaderMap::new(),
            body: serde_json::to_vec(&answer).expect("JSON").into(),
        }
    }

    async fn news(&self, _after: i64) -> Option<i64> {
        None
    }

    fn place(&self) -> i64 {
        42
    }

    fn now(&self) -> Timestamp {
        NOW.parse().expect("a time")
    }
}

/// Somebody of this role.
pub(crate) fn viewer(role: Role) -> Viewer {
    Viewer {
        name: "Robin Reader".into(),
        email: Some("robin@contoso.com".into()),
        role,
        session: Uuid::nil(),
        csrf: Csrf::new(CSRF.into()),
        provider: None,
    }
}

/// Asks for a page.
pub(crate) async fn get(canned: &Arc<Canned>, role: Role, path: &str) -> Shown {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    send(canned, Some(role), request).await
}

/// Sends a form of a page of this session.
pub(crate) async fn post(canned: &Arc<Canned>, role: Role, path: &str, fields: &[(&str, &str)]) -> Shown {
    let mut pairs = vec![("csrf", CSRF), ("once", "0123456789abcdef0123")];
    pairs.extend(fields);
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(form.into())
        .expect("a request");
    send(canned, Some(role), request).await
}

/// Sends any request, signed in or not.
pub(crate) async fn send(canned: &Arc<Canned>, role: Option<Role>, mut request: Request<Body>) -> Shown {
    if let Some(role) = role {
        request.extensions_mut().insert(viewer(role));
    }
    let backend: Arc<dyn Backend> = canned.clone();
    let answer = router(backend).oneshot(request).await.expect("never fails");
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Shown {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}
