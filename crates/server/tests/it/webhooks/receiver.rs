//! A receiver of webhooks on the loopback, which answers as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A delivery that came, whatever was answered.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) event: Value,
    pub(super) status: u16,
}

/// What is answered: a status, and a value for `Retry-After`.
type Answer = Box<dyn Fn(&Value) -> (u16, Option<&'static str>) + Send>;

/// A running receiver.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<Answer>>,
    /// Answers that may leave; endless unless a test holds them up.
    gate: Arc<Semaphore>,
}

impl Receiver {
    /// Answers everything with 204.
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::on(listener)
    }

    fn on(listener: TcpListener) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(|_| (204, None))));
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let address = listener.local_addr().expect("an address");
        let (seen, says, open) = (Arc::clone(&received), Arc::clone(&answer), Arc::clone(&gate));
        let handler = move |request: Request| {
            let (seen, says, open) = (Arc::clone(&seen), Arc::clone(&says), Arc::clone(&open));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
                let event: Value = serde_json::from_slice(&body).expect("JSON");
                let (status, retry_after) = says.lock().expect("not poisoned")(&event);
                seen.lock().expect("not poisoned").push(Received {
                    headers: parts.headers,
                    body: body.to_vec(),
                    event,
                    status,
                });
                drop(open.acquire().await.expect("never closed"));
                let mut response = Response::builder().status(status);
                if let Some(value) = retry_after {
                    response = response.header("retry-after", value);
                }
                response.body(Body::empty()).expect("a response")
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self {
            address,
            received,
            answer,
            gate,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Decides by the event from now on.
    pub(super) fn answer(&self, answer: impl Fn(&Value) -> (u16, Option<&'static str>) + Send + 'static) {
        *self.answer.lock().expect("not poisoned") = Box::new(answer);
    }

    /// Lets answers wait until [`Self::release`].
    pub(super) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn release(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Everything that came.
    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("not poisoned").clone()
    }

    /// The ids of events that were taken, in the order in which they came.
    pub(super) fn taken(&self) -> Vec<i64> {
        self.received()
            .iter()
            .filter(|one| one.status < 300)
            .map(|one| seq(&one.event))
            .collect()
    }

    pub(super) fn forget(&self) {
        self.received.lock().expect("not poisoned").clear();
    }
}

/// An event's place in the feed.
pub(super) fn seq(event: &Value) -> i64 {
    event["id"].as_str().expect("an id").parse().expect("a number")
}
