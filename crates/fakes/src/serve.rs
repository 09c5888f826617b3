//! A server on loopback that runs as long as somebody holds it.

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tokio::task::AbortHandle;
use usher_core::{Clock as _, SystemClock};

use crate::{Fault, Faults};

/// At most so many requests are remembered.
const REMEMBERED: usize = 100_000;

/// A request as a server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query as sent; empty without one.
    pub query: String,
    /// The header fields as sent.
    pub headers: HeaderMap,
    /// When it came.
    pub began: Instant,
    ended: Arc<OnceLock<Instant>>,
}

impl Seen {
    /// A request that comes now.
    #[must_use]
    pub fn now(method: Method, path: String, query: String, headers: HeaderMap) -> Self {
        Self {
            method,
            path,
            query,
            headers,
            began: Instant::now(),
            ended: Arc::default(),
        }
    }

    /// When it was answered, or whoever sent it was gone; `None` while it is under way.
    #[must_use]
    pub fn ended(&self) -> Option<Instant> {
        self.ended.get().copied()
    }
}

/// A request under way.
struct UnderWay(Arc<OnceLock<Instant>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Nobody else sets it.
        let _ = self.0.set(Instant::now());
    }
}

/// The fault that a handler has to act out itself, put into the extensions of every request. Faults of the transport
/// never reach a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultNow(pub Option<Fault>);

/// A running server. It stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Served(Arc<Running>);

#[derive(Debug)]
struct Running {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Watch {
    faults: Faults,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Served {
    /// Serves `router` on a free port of 127.0.0.1, with faults acted out in front of it.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(router: Router, faults: Faults) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        Self::start_on(listener, router, faults)
    }

    /// As [`Served::start`], on a listener whose address was needed before the router was made.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start_on(listener: tokio::net::TcpListener, router: Router, faults: Faults) -> io::Result<Self> {
        let url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let watch = Watch {
            faults,
            seen: Arc::clone(&seen),
        };
        let router = router.layer(from_fn_with_state(watch, act_out));
        let task = tokio::spawn(async move {
            // It ends when it is aborted; an error of one connection does not end it.
            let _ended = axum::serve(listener, router).await;
        });
        let task = task.abort_handle();
        Ok(Self(Arc::new(Running { url, seen, task })))
    }

    /// The root, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The requests so far, oldest first; the first hundred thousand are remembered.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn act_out(State(watch): State<Watch>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let under_way = UnderWay(Arc::default());
    {
        let mut seen = watch.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < REMEMBERED {
            seen.push(Seen {
                method: request.method().clone(),
                query: request.uri().query().unwrap_or_default().into(),
                path: path.clone(),
                headers: request.headers().clone(),
                began: Instant::now(),
                ended: Arc::clone(&under_way.0),
            });
        }
    }
    let fault = watch.faults.next(&path);
    let status = |status: StatusCode| (status, "not now").into_response();
    match fault {
        Some(Fault::Unauthorised) => status(StatusCode::UNAUTHORIZED),
        Some(Fault::Forbidden) => status(StatusCode::FORBIDDEN),
        Some(Fault::ServerError(code)) => {
            status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
        Some(Fault::TooManyRequests(after)) => {
            let mut answer = status(StatusCode::TOO_MANY_REQUESTS);
            if let Some(after) = after {
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after));
            }
            answer
        }
        Some(Fault::NoAnswer) => pending().await,
        Some(Fault::CutConnection) => cut(next.run(request).await),
        Some(Fault::ClockSkew(seconds)) => {
            let mut answer = next.run(request).await;
            let now = SystemClock.now().as_micros();
            let date = Timestamp::from_microsecond(now).unwrap_or_default()
                + SignedDuration::from_secs(i64::from(seconds));
            let text = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            if let Ok(value) = HeaderValue::from_str(&text) {
                answer.headers_mut().insert(DATE, value);
            }
            answer
        }
        other => {
            request.extensions_mut().insert(FaultNow(other));
            next.run(request).await
        }
    }
}

/// The head and the beginning of an answer, and then the connection breaks.
fn cut(answer: Response) -> Response {
    let (mut parts, _) = answer.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(
        HeaderName::from_static("content-length"),
        HeaderValue::from_static("4096"),
    );
    let pieces = futures_util::stream::iter([
        Ok(Bytes::from_static(b"{\"")),
        Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
    ]);
    Response::from_parts(parts, Body::from_stream(pieces))
}
