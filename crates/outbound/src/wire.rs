//! One request and its answer: no redirects, bounded bodies, nothing secret in what is logged or reported.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;
use url::Url;
use usher_core::{AdapterError, Clock, ErrorKind, RetryAdvice};

use crate::origin;
use crate::patience::{self, Attempts, LATER, Patience};

/// What every request of one client has in common.
pub(crate) struct Wire {
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patience: Patience,
    pub(crate) max_body: usize,
}

/// An answer that was read to its end.
#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// No connection, or it ended too early.
    Cut(reqwest::Error),
    /// The time for the request was up.
    TimedOut,
    /// The body is longer than allowed.
    TooLong,
    /// A redirect, with the host it points to.
    Redirect(StatusCode, String),
    /// The request could not be made at all.
    Unsendable(reqwest::Error),
}

/// What to do after a request.
pub(crate) enum Next {
    /// The answer is for the caller.
    Deliver(Received),
    /// Wait, then make the request again.
    Repeat(Duration),
    /// The call has failed.
    GiveUp(AdapterError),
}

impl Wire {
    /// Makes one request and reads its answer.
    pub(crate) async fn exchange(
        &self,
        operation: &'static str,
        request: reqwest::Request,
    ) -> Result<Received, Broken> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let began = Instant::now();
        let outcome = self.receive(request).await;
        let (class, status) = match &outcome {
            Ok(received) => (class(received.status), Some(received.status.as_u16())),
            Err(Broken::Redirect(status, _)) => (class(*status), Some(status.as_u16())),
            Err(_) => ("none", None),
        };
        let elapsed = began.elapsed();
        tracing::debug!(
            operation,
            host,
            status,
            elapsed_ms = elapsed.as_millis(),
            "called the provider"
        );
        metrics::counter!("usher_outbound_requests_total", "operation" => operation, "status" => class)
            .increment(1);
        metrics::histogram!("usher_outbound_request_seconds", "operation" => operation)
            .record(elapsed.as_secs_f64());
        outcome
    }

    async fn receive(&self, request: reqwest::Request) -> Result<Received, Broken> {
        let mut response = self.http.execute(request).await.map_err(Broken::from)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(Broken::Redirect(
                status,
                target(response.url(), response.headers()),
            ));
        }
        let limit = self.max_body;
        if response
            .content_length()
            .is_some_and(|length| length > limit as u64)
        {
            return Err(Broken::TooLong);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Broken::from)? {
            if body.len() + chunk.len() > limit {
                return Err(Broken::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Received {
            status,
            headers,
            body,
        })
    }

    /// Judges what became of a request, and counts it.
    ///
    /// `reads` says that the call may be repeated although it may have reached the provider.
    pub(crate) fn judge(
        &self,
        operation: &'static str,
        url: &Url,
        outcome: Result<Received, Broken>,
        attempts: &mut Attempts,
        reads: bool,
    ) -> Next {
        let received = match outcome {
            Ok(received) => received,
            Err(broken) => {
                let repeat = matches!(broken, Broken::Cut(_)) && reads;
                return match repeat.then(|| attempts.after_break()).flatten() {
                    Some(wait) => Next::Repeat(wait),
                    None => Next::GiveUp(broken.report(operation, url, self.max_body)),
                };
            }
        };
        match received.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let asked = patience::asked(received.status, &received.headers, self.clock.now());
                match attempts.after_refusal(asked) {
                    Ok(wait) => {
                        tracing::info!(
                            operation,
                            wait_ms = wait.as_millis(),
                            "the provider asks for patience"
                        );
                        Next::Repeat(wait)
                    }
                    Err(advice) => Next::GiveUp(later(operation, url, received.status, advice)),
                }
            }
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
                if reads =>
            {
                match attempts.after_break() {
                    Some(wait) => Next::Repeat(wait),
                    None => Next::Deliver(received),
                }
            }
            _ => Next::Deliver(received),
        }
    }
}

/// The error of a call whose patience ended.
fn later(operation: &'static str, url: &Url, status: StatusCode, advice: RetryAdvice) -> AdapterError {
    let (kind, message) = if status == StatusCode::TOO_MANY_REQUESTS {
        (
            ErrorKind::RateLimited,
            "the provider limits the rate of requests; repeat later",
        )
    } else {
        (
            ErrorKind::Unavailable,
            "the provider is not available; repeat later",
        )
    };
    AdapterError::new(kind, advice, operation, message)
        .with("url", origin::shown(url))
        .with("status", status.as_str())
}

impl Broken {
    fn report(&self, operation: &'static str, url: &Url, limit: usize) -> AdapterError {
        let error = match self {
            Self::Cut(error) => AdapterError::new(
                ErrorKind::Unavailable,
                RetryAdvice::After(LATER),
                operation,
                format!("the provider cannot be reached: {}", root(error)),
            ),
            Self::TimedOut => AdapterError::new(
                ErrorKind::Unavailable,
                RetryAdvice::After(LATER),
                operation,
                "the provider did not answer in time",
            ),
            Self::TooLong => AdapterError::new(
                ErrorKind::Protocol,
                RetryAdvice::Never,
                operation,
                format!("the answer is longer than {limit} bytes"),
            ),
            Self::Redirect(status, host) => AdapterError::new(
                ErrorKind::Protocol,
                RetryAdvice::Never,
                operation,
                format!(
                    "the provider redirects to {host}; redirects are not followed, so check the configured URL"
                ),
            )
            .with("status", status.as_str()),
            Self::Unsendable(error) => AdapterError::new(
                ErrorKind::Unexpected,
                RetryAdvice::Never,
                operation,
                format!("the request cannot be made: {}", root(error)),
            ),
        };
        error.with("url", origin::shown(url))
    }
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        // Its text would hold the query.
        let error = error.without_url();
        if error.is_timeout() {
            Self::TimedOut
        } else if error.is_builder() {
            Self::Unsendable(error)
        } else {
            Self::Cut(error)
        }
    }
}

/// What lies at the bottom of an error of the connection, such as "connection refused".
fn root(error: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    crate::redact::bounded(&deepest.to_string(), &[])
}

/// The host that a redirect points to.
fn target(from: &Url, headers: &HeaderMap) -> String {
    headers
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| from.join(location).ok())
        .and_then(|location| location.host_str().map(str::to_owned))
        .unwrap_or_else(|| "nowhere".to_owned())
}

/// The first digit of a status, as metrics show it.
fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
