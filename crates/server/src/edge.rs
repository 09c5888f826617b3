//! What every request passes first and every answer last: request id, log line, metrics, time limit, panics, headers.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use usher_scim::ScimError;

use crate::client::{Client, see_through};
use crate::{AppState, api, logging, metrics, scim};

/// The id of a request, in logs, answers and the history of what it changed.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID: usize = 128;

/// Passes a request on, with its id, which is on every line that is logged meanwhile.
pub(crate) async fn edge<F: Future<Output = Response>>(
    state: &AppState,
    request: Request,
    inner: impl FnOnce(Request, RequestId) -> F,
) -> Response {
    let id = request_id(&request);
    let answer = pass(state, request, Arc::clone(&id), inner);
    logging::with_request(id, answer).await
}

async fn pass<F: Future<Output = Response>>(
    state: &AppState,
    mut request: Request,
    id: Arc<str>,
    inner: impl FnOnce(Request, RequestId) -> F,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let uri = request.uri().clone();
    // The query is left out: filters hold personal data.
    let path = uri.path();
    let area = Area::of(path);
    if !state.proxies.is_empty() {
        see_through(&state.proxies, &mut request);
    }
    let is_https = area == Area::Other && Client::of(state, request.extensions()).is_https;

    let limit = state.config.server.request_timeout.duration();
    // Boxed once: what follows would move all of it, each time.
    let answer = Box::pin(inner(request, RequestId(Arc::clone(&id))));
    let mut response = match within(limit, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let message = panic_message(&*panic);
            tracing::error!(%method, path, panic = message, "a handler panicked");
            let detail = "the server could not complete the request; nothing was changed, try again";
            failure(area, StatusCode::INTERNAL_SERVER_ERROR, detail, (path, &id))
        }
        Err(_elapsed) => {
            tracing::warn!(%method, path, "the request took too long");
            let detail = "the request took too long; try again later";
            failure(area, StatusCode::SERVICE_UNAVAILABLE, detail, (path, &id))
        }
    };

    finish_headers(&mut response, &id);
    if is_https {
        // Browsers are told; programs keep to the URL that they were given.
        let headers = response.headers_mut();
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    let status = response.status();
    let elapsed = started.elapsed();
    metrics::count_request(area, status, elapsed);
    let (status, micros) = (status.as_u16(), elapsed.as_micros());
    tracing::debug!(%method, path, status, micros, "answered");
    response
}

/// As [`tokio::time::timeout`], without a timer for what is there at once.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut future = pin!(future);
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => timeout(limit, future).await,
    }
}

/// The client's id where it is fit to be written into logs, else one of our own.
fn request_id(request: &Request) -> Arc<str> {
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let fit = |id: &&str| {
        (1..=MAX_ID).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/'))
    };
    given.filter(fit).map_or_else(fresh_id, Arc::from)
}

/// A random start for this process and a count: unique, and cheaper than randomness for each request.
fn fresh_id() -> Arc<str> {
    static START: LazyLock<String> = LazyLock::new(|| {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        format!("{:016x}-", u64::from_le_bytes(bytes))
    });
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut id = String::with_capacity(33);
    id.push_str(&START);
    let _always_works = write!(id, "{:x}", COUNT.fetch_add(1, Ordering::Relaxed));
    id.into()
}

/// Whose form of an answer is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Scim,
    Api,
    Other,
}

impl Area {
    pub(crate) const COUNT: usize = 3;

    fn of(path: &str) -> Self {
        if scim::is_scim_path(path) {
            Self::Scim
        } else if api::is_api_path(path) {
            Self::Api
        } else {
            Self::Other
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Api => "api",
            Self::Other => "other",
        }
    }
}

fn failure(area: Area, status: StatusCode, detail: &'static str, (path, id): (&str, &str)) -> Response {
    let mut response = match area {
        Area::Scim => scim::error_response(&ScimError::new(status.as_u16(), None, detail)),
        Area::Api => api::failure(status, detail, path, id),
        Area::Other => usher_console::notice(
            status,
            "This did not work",
            detail,
            "Load the page again. If this stays, tell whoever runs Usher.",
        ),
    };
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn finish_headers(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers
        .entry(header::REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::config::Period;
    use crate::start;

    /// The edge around routes that panic and never answer.
    async fn router(folder: &std::path::Path, limit: Period) -> Router {
        let state = start::try_out(folder, |config| config.server.request_timeout = limit).await;
        let panics = get(|| async {
            if true {
                panic!("a test's panic")
            }
        });
        let hangs = get(std::future::pending::<()>);
        let inner = Router::new()
            .route("/scim/panic", panics.clone())
            .route("/panic", panics)
            .route("/scim/hang", hangs);
        let guarded = service_fn(move |request| {
            let (state, inner) = (state.clone(), inner.clone());
            async move {
                let answer = edge(&state, request, |request, _id| async {
                    inner.oneshot(request).await.expect("never fails")
                });
                Ok::<_, std::convert::Infallible>(answer.await)
            }
        });
        Router::new().fallback_service(guarded)
    }

    async fn ask(router: Router, path: &str) -> (u16, http::HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let (parts, body) = router.oneshot(request).await.expect("never fails").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (
            parts.status.as_u16(),
            parts.headers,
            String::from_utf8_lossy(&body).into_owned(),
        )
    }

    #[tokio::test]
    async fn a_panic_is_answered_500_in_the_right_form() {
        let folder = tempfile::tempdir().expect("a folder");
        let router = router(folder.path(), Period::seconds(10)).await;
        let (status, headers, body) = ask(router.clone(), "/scim/panic").await;
        assert_eq!(
            (status, headers[header::CONTENT_TYPE].to_str().ok()),
            (500, Some("application/scim+json"))
        );
        assert!(
            body.contains("\"status\":\"500\"") && !body.contains("a test's panic"),
            "{body}"
        );
        assert!(headers.contains_key(&REQUEST_ID));
        let (status, _, body) = ask(router, "/panic").await;
        assert!(
            status == 500 && !body.contains('{') && !body.contains("a test's panic"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_answered_503() {
        let folder = tempfile::tempdir().expect("a folder");
        let router = router(folder.path(), Period::seconds(0)).await;
        let (status, headers, body) = ask(router, "/scim/hang").await;
        assert_eq!(
            (status, headers[header::RETRY_AFTER].to_str().ok()),
            (503, Some("5"))
        );
        assert!(body.contains("\"status\":\"503\""), "{body}");
    }
}
