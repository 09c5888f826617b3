//! One call, with all requests that it takes.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};

use crate::answer::Answer;
use crate::authority::Refusals;
use crate::client::Client;
use crate::origin;
use crate::patience::{self, Attempts};
use crate::wire::Next;

/// Header fields that are not the caller's to set.
const RESERVED: &[&str] = &[
    "authorization",
    "dpop",
    "host",
    "content-length",
    "transfer-encoding",
];

/// A call that is ready to be sent.
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    client: Client,
    operation: &'static str,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    /// Why it cannot be sent.
    spoiled: Option<String>,
}

impl Call {
    pub(crate) fn new(client: Client, operation: &'static str, method: Method, url: &Url) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Self {
            client,
            operation,
            method,
            url: url.clone(),
            headers,
            body: None,
            spoiled: None,
        }
    }

    pub(crate) fn body(mut self, media_type: &'static str, body: Vec<u8>) -> Self {
        self.headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.body = Some(body);
        self
    }

    pub(crate) fn spoiled(mut self, why: String) -> Self {
        self.spoiled.get_or_insert(why);
        self
    }

    /// Sets a header field, in place of one of the same name. `Accept` is `application/json` unless set.
    ///
    /// A field that cannot be sent, or that belongs to the client, such as `Authorization`, makes [`Self::send`] fail.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let parsed = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        );
        match parsed {
            (Ok(name), Ok(value)) if !RESERVED.contains(&name.as_str()) => {
                self.headers.insert(name, value);
                self
            }
            _ => self.spoiled(format!("the header field {name} cannot be set")),
        }
    }

    /// Sends the call, waits where the provider asks for patience, renews an access token that was refused once, and
    /// answers with whatever the provider says in the end.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidConfig`] for a URL that this client may not call; nothing is sent;
    /// - [`ErrorKind::Unauthorised`] for 401, and for a refusal of the token endpoint;
    /// - [`ErrorKind::RateLimited`] for 429 and [`ErrorKind::Unavailable`] for 503 when patience ended, with advice;
    /// - [`ErrorKind::Unavailable`] when there is no answer;
    /// - [`ErrorKind::Protocol`] for a redirect and for a body that is too long.
    pub fn send(self) -> impl Future<Output = Result<Answer, AdapterError>> + Send {
        // Said to be `Send` here, as a compiler that has to look inside from afar gives up.
        self.run()
    }

    async fn run(self) -> Result<Answer, AdapterError> {
        self.check()?;
        let operation = self.operation;
        let inner = &self.client.inner;
        let _place = inner
            .in_flight
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let reads = self.method == Method::GET;
        let mut attempts = Attempts::new(inner.wire.patience);
        let mut refusals = Refusals::default();
        loop {
            let proof = inner
                .authority
                .authorise(&inner.wire, &self.method, &self.url)
                .await?;
            attempts.begin();
            let outcome = inner
                .wire
                .exchange(operation, self.request(proof.headers.clone()))
                .await;
            if let Ok(received) = &outcome {
                inner.authority.learn(&self.url, received);
            }
            let received = match inner
                .wire
                .judge(operation, &self.url, outcome, &mut attempts, reads)
            {
                Next::Deliver(received) => received,
                Next::Repeat(time) => {
                    patience::wait(time).await;
                    continue;
                }
                Next::GiveUp(error) => return Err(error),
            };
            if received.status == StatusCode::UNAUTHORIZED
                && inner.authority.may_mend(&mut refusals, &proof, &received).await
            {
                continue;
            }
            let answer = Answer::new(operation, self.url.clone(), received, proof.credential);
            if answer.status() == StatusCode::UNAUTHORIZED {
                return Err(answer.refused(operation));
            }
            return Ok(answer);
        }
    }

    /// Whether this may be sent at all.
    fn check(&self) -> Result<(), AdapterError> {
        let refuse = |kind, message: String| {
            Err(AdapterError::new(
                kind,
                RetryAdvice::Never,
                self.operation,
                message,
            ))
        };
        if let Some(why) = &self.spoiled {
            return refuse(ErrorKind::Unexpected, why.clone());
        }
        match self.client.inner.permit(&self.url) {
            Ok(()) => Ok(()),
            Err(what) => refuse(
                ErrorKind::InvalidConfig,
                format!("cannot call {}: {what}", origin::shown(&self.url)),
            ),
        }
    }

    fn request(&self, proof: HeaderMap) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.extend(proof);
        *request.body_mut() = self.body.clone().map(reqwest::Body::from);
        request
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("url", &origin::shown(&self.url))
            .finish_non_exhaustive()
    }
}
