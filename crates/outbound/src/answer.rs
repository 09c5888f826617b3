//! What the provider answered.

use std::fmt;

use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use url::Url;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};

use crate::authority::Credential;
use crate::patience::LATER;
use crate::wire::Received;
use crate::{link, origin, redact};

/// An answer of the provider, read to its end. Its status may be any but 3xx, 429 and 503; 401 comes as an error.
pub struct Answer {
    operation: &'static str,
    url: Url,
    received: Received,
    /// What is left out of messages.
    credential: Option<Credential>,
}

impl Answer {
    pub(crate) const fn new(
        operation: &'static str,
        url: Url,
        received: Received,
        credential: Option<Credential>,
    ) -> Self {
        Self {
            operation,
            url,
            received,
            credential,
        }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.received.status
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.received.status.is_success()
    }

    /// Every header field.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.received.headers
    }

    /// The first value of a header field, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.received.header(name)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.received.body
    }

    /// Reads the body as JSON, whatever the status and the media type say.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] with the place of what is wrong; never with a part of the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, AdapterError> {
        serde_json::from_slice(self.body()).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Eof => "ends too early",
                serde_json::error::Category::Data => "is not what the provider documents",
                _ => "is not JSON",
            };
            self.report(
                ErrorKind::Protocol,
                RetryAdvice::Never,
                self.operation,
                format!(
                    "the answer {what}, at line {} column {}",
                    error.line(),
                    error.column()
                ),
            )
        })
    }

    /// The targets of the links with this relation (RFC 8288), as absolute URLs for [`crate::Client::follow`].
    ///
    /// An absolute target is answered exactly as it was received; a relative one is resolved against the URL called.
    #[must_use]
    pub fn links(&self, rel: &str) -> Vec<String> {
        let fields = self.received.headers.get_all(header::LINK);
        link::targets(fields.iter().filter_map(|field| field.to_str().ok()), rel)
            .into_iter()
            .filter_map(|target| match Url::parse(target) {
                Ok(_) => Some(target.to_owned()),
                Err(_) => self.url.join(target).ok().map(String::from),
            })
            .collect()
    }

    /// The error that this answer stands for, with the status and what the provider's error body says in short.
    ///
    /// 400 and other requests that the provider does not take are [`ErrorKind::Protocol`], 401
    /// [`ErrorKind::Unauthorised`], 403 [`ErrorKind::Forbidden`], 404 [`ErrorKind::NotFound`], 410
    /// [`ErrorKind::CheckpointExpired`], as a feed of changes says it, 408 and 5xx [`ErrorKind::Unavailable`] with advice.
    /// An adapter that knows better by the provider's own code maps that first.
    #[must_use]
    pub fn refused(&self, operation: &'static str) -> AdapterError {
        let (kind, advice, what) = match self.received.status.as_u16() {
            200..=299 => (
                ErrorKind::Protocol,
                RetryAdvice::Never,
                "the provider answered with a success that was not expected",
            ),
            401 => (
                ErrorKind::Unauthorised,
                RetryAdvice::Never,
                "the provider refused the credential",
            ),
            403 => (
                ErrorKind::Forbidden,
                RetryAdvice::Never,
                "the provider says that a permission is missing",
            ),
            404 => (
                ErrorKind::NotFound,
                RetryAdvice::Never,
                "the provider does not know this",
            ),
            408 => (
                ErrorKind::Unavailable,
                RetryAdvice::Now,
                "the provider did not get the request in time",
            ),
            410 => (
                ErrorKind::CheckpointExpired,
                RetryAdvice::Never,
                "the provider has forgotten this",
            ),
            500.. => (
                ErrorKind::Unavailable,
                RetryAdvice::After(LATER),
                "the provider failed",
            ),
            _ => (
                ErrorKind::Protocol,
                RetryAdvice::Never,
                "the provider did not take the request",
            ),
        };
        self.report(kind, advice, operation, what.to_owned())
    }

    /// What the body, or else the challenge (RFC 9110 §11.6.1), says in short, with everything left out that could be a
    /// credential.
    fn excerpt(&self) -> Option<String> {
        let secrets = self
            .credential
            .as_ref()
            .map(Credential::secrets)
            .unwrap_or_default();
        redact::excerpt(self.body(), &secrets).or_else(|| {
            self.header("www-authenticate")
                .map(|challenge| redact::bounded(challenge, &secrets))
        })
    }

    fn report(
        &self,
        kind: ErrorKind,
        advice: RetryAdvice,
        operation: &'static str,
        message: String,
    ) -> AdapterError {
        let error = AdapterError::new(kind, advice, operation, message)
            .with("url", origin::shown(&self.url))
            .with("status", self.received.status.as_str());
        match self.excerpt() {
            Some(excerpt) if !self.is_success() => error.with("answer", excerpt),
            _ => error,
        }
    }
}

/// Header fields and body may hold what is nobody's business, so only their sizes are shown.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("operation", &self.operation)
            .field("url", &origin::shown(&self.url))
            .field("status", &self.received.status)
            .field("headers", &self.received.headers.len())
            .field("bytes", &self.received.body.len())
            .finish_non_exhaustive()
    }
}
