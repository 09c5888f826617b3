//! One POST to an endpoint.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{Guard, SigningSecret, sign};

/// So much of an answer's body is read, so that the connection can be used again. It is looked at by nobody.
const MAX_ANSWER: usize = 16 * 1024;
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// The longest description of a failure, in characters.
const MAX_FAILURE: usize = 300;

/// Delivers messages. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Sender {
    http: reqwest::Client,
    guard: Guard,
}

/// How a [`Sender`] is to be.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The time for one delivery, from the first byte to the end of the answer.
    pub timeout: Duration,
    /// Certificates in PEM of authorities to trust beside those of the operating system.
    pub extra_ca: Option<String>,
}

/// What is delivered.
#[derive(Debug, Clone)]
pub struct Message {
    /// What names it, the same at every attempt. It holds no full stop.
    pub id: String,
    /// The moment of this attempt, in seconds since 1970.
    pub at: i64,
    /// The event.
    pub body: Bytes,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it: a 2xx.
    Delivered,
    /// The receiver said that there is nobody any more: 410.
    Gone,
    /// The receiver answered something else; redirects are not followed.
    Refused {
        /// The status.
        status: StatusCode,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer came, or its address is not called.
    Unreachable(String),
}

/// The sender cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The certificates are none.
    #[error("the extra certificate authorities hold no certificate in PEM")]
    Certificates,
    /// The HTTP client says so.
    #[error("the HTTP client cannot be set up; check that the operating system has root certificates")]
    Client(#[source] reqwest::Error),
}

impl Sender {
    /// A sender that calls what the guard lets pass.
    ///
    /// # Errors
    /// [`SenderError`].
    pub fn new(guard: Guard, limits: &Limits) -> Result<Self, SenderError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("usher/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(reqwest::retry::never())
            .timeout(limits.timeout)
            .connect_timeout(limits.timeout)
            .dns_resolver(Arc::new(GuardedResolver(guard.clone())));
        if let Some(pem) = &limits.extra_ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or(SenderError::Certificates)?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(SenderError::Client)?;
        Ok(Self { http, guard })
    }

    /// The rules for URLs and addresses.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Sends a message, signed with each of the secrets. The URL is judged again, and its host's addresses whenever a
    /// connection is made: the connection goes to one of the addresses that were judged.
    pub async fn send(&self, url: &str, secrets: &[SigningSecret], message: &Message) -> Outcome {
        // An address in the URL itself never gets to the resolver.
        let url = match self.guard.url(url) {
            Ok(url) => url,
            Err(error) => return Outcome::Unreachable(error.to_string()),
        };
        let sent = self
            .http
            .post(url)
            .header("content-type", CONTENT_TYPE)
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.at)
            .header(
                "webhook-signature",
                sign(secrets, &message.id, message.at, &message.body),
            )
            .body(message.body.clone())
            .send()
            .await;
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return Outcome::Unreachable(describe(error)),
        };
        let (status, retry_after) = (response.status(), retry_after(response.headers(), message.at));
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > MAX_ANSWER {
                break;
            }
        }
        match status {
            status if status.is_success() => Outcome::Delivered,
            StatusCode::GONE => Outcome::Gone,
            status => Outcome::Refused { status, retry_after },
        }
    }
}

/// Resolves names to addresses that the guard lets pass, and to no others.
struct GuardedResolver(Guard);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = guard.resolve(name.as_str()).await?;
            Ok::<Addrs, Box<dyn Error + Send + Sync>>(Box::new(addresses.into_iter()))
        })
    }
}

/// What the receiver asks for: seconds, or a moment (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, at: i64) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = httpdate::parse_http_date(value)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    let now = Duration::from_secs(u64::try_from(at).ok()?);
    Some(moment.saturating_sub(now))
}

/// A failure for people, without the URL, which is known, and with the innermost cause, which says what to do.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let first = match () {
        () if error.is_timeout() => return "no answer came in time".to_owned(),
        () if error.is_connect() => "cannot connect",
        () => "no answer came",
    };
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("{first}: {cause}").chars().take(MAX_FAILURE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_seconds_and_as_moments() {
        let check = |value: &str, expected: Option<u64>| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            assert_eq!(
                retry_after(&headers, 784_111_770),
                expected.map(Duration::from_secs),
                "{value}"
            );
        };
        check("120", Some(120));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7));
        check("Sun, 06 Nov 1994 08:49:20 GMT", Some(0));
        check("soon", None);
        check("-1", None);
        assert_eq!(retry_after(&HeaderMap::new(), 0), None);
    }
}
