//! A provider that answers by a script and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;
use usher_core::{ManualClock, Timestamp};
use usher_outbound::{Builder, Client, ClientAuthentication, ClientCredentials, Credentials, Dpop, Patience};

pub(crate) type Reply = Response<Body>;

/// A request as the provider got it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn form(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(&self.body)
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The claims of the proof of possession, unchecked.
    pub(crate) fn proof(&self) -> Value {
        part(self.header("dpop").expect("a proof"), 1)
    }
}

/// A running provider; it ends when it is dropped.
pub(crate) struct Provider {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: AbortHandle,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Provider {
    /// Answers each request by `script`, which is given the request and how many came before it.
    pub(crate) async fn start<F>(script: F) -> Self
    where
        F: Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        let router = Router::new().fallback(move |request: Request| {
            let (script, log) = (Arc::clone(&script), Arc::clone(&log));
            async move {
                let (head, body) = request.into_parts();
                let one = Seen {
                    method: head.method,
                    uri: head.uri,
                    headers: head.headers,
                    body: to_bytes(body, usize::MAX).await.unwrap(),
                };
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(one.clone());
                    log.len() - 1
                };
                script(&one, before)
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { url, seen, task }
    }

    /// Answers every request in the same way.
    pub(crate) async fn constant(status: u16, fields: &[(&str, &str)], body: &'static str) -> Self {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self::start(move |_, _| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
            reply(status, &fields, body)
        })
        .await
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests for one path.
    pub(crate) fn seen_at(&self, path: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|one| one.path() == path);
        seen
    }

    /// A client of this provider without patience.
    pub(crate) fn client(&self, credentials: Credentials) -> Client {
        self.builder(credentials).build().unwrap()
    }

    pub(crate) fn builder(&self, credentials: Credentials) -> Builder {
        Client::builder(vec![self.url.clone()])
            .credentials(credentials)
            .patience(Patience::none())
            .timeout(Duration::from_secs(60))
    }

    /// Client credentials at the path `/token` of this provider.
    pub(crate) fn oauth(&self, authentication: ClientAuthentication, dpop: Dpop) -> Credentials {
        Credentials::OAuth(ClientCredentials {
            token_url: self.at("/token"),
            client_id: "client-1".into(),
            scopes: vec!["groups.read".into(), "users.read".into()],
            authentication,
            dpop,
        })
    }
}

/// Patience that never takes time.
pub(crate) fn eager(tries: u32) -> Patience {
    Patience {
        tries,
        longest_wait: Duration::ZERO,
        total: Duration::from_secs(600),
    }
}

pub(crate) fn secret() -> ClientAuthentication {
    ClientAuthentication::SecretInBody("client-secret".into())
}

/// 2026-01-31, on a clock that is moved by hand.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START.parse::<Timestamp>().unwrap()))
}

const START: &str = "2026-01-31T09:00:00Z";
pub(crate) const START_SECONDS: i64 = 1_769_850_000;

pub(crate) fn reply(status: u16, fields: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut reply = Response::builder().status(status);
    for (name, value) in fields {
        reply = reply.header(*name, *value);
    }
    reply.body(body.into()).unwrap()
}

pub(crate) fn token(kind: &str, token: &str, expires_in: u64) -> Reply {
    let body = json!({ "token_type": kind, "access_token": token, "expires_in": expires_in });
    reply(200, &[("content-type", "application/json")], body.to_string())
}

pub(crate) fn token_error(status: u16, fields: &[(&str, &str)], error: &str, description: &str) -> Reply {
    let body = json!({ "error": error, "error_description": description });
    reply(status, fields, body.to_string())
}

/// The header (0) or the claims (1) of a token.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
