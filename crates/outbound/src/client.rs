//! A connection to one identity provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::Serialize;
use tokio::sync::Semaphore;
use url::Url;
use usher_core::{AdapterError, Clock, ErrorKind, RetryAdvice, SystemClock};

use crate::Call;
use crate::authority::Authority;
use crate::credentials::Credentials;
use crate::origin::{self, Origin, shown};
use crate::patience::Patience;
use crate::wire::Wire;

const DEFAULT_BODY: usize = 16 * 1024 * 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_IN_FLIGHT: usize = 4;

/// A connection to one identity provider. Cheap to clone; clones share connections, tokens and limits.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) wire: Wire,
    pub(crate) authority: Authority,
    pub(crate) in_flight: Semaphore,
    allowed: Vec<Origin>,
}

impl Client {
    /// Starts to build a client that calls these URLs' origins and no others.
    pub fn builder(allowed: Vec<Url>) -> Builder {
        Builder {
            allowed,
            credentials: Credentials::None,
            patience: Patience::default(),
            max_body: DEFAULT_BODY,
            timeout: DEFAULT_TIMEOUT,
            in_flight: DEFAULT_IN_FLIGHT,
            user_agent: concat!("usher/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_ca: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// A GET. `operation` is the word that errors and metrics show; take a fixed one, such as `list_members`.
    pub fn get(&self, operation: &'static str, url: &Url) -> Call {
        Call::new(self.clone(), operation, Method::GET, url)
    }

    /// A POST with a JSON body.
    pub fn post_json(&self, operation: &'static str, url: &Url, body: &impl Serialize) -> Call {
        let call = Call::new(self.clone(), operation, Method::POST, url);
        match serde_json::to_vec(body) {
            Ok(bytes) => call.body("application/json", bytes),
            Err(error) => call.spoiled(format!("the body cannot be written: {error}")),
        }
    }

    /// A POST with form fields.
    pub fn post_form(&self, operation: &'static str, url: &Url, fields: &[(&str, &str)]) -> Call {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        Call::new(self.clone(), operation, Method::POST, url)
            .body("application/x-www-form-urlencoded", body.into_bytes())
    }

    /// A GET of an absolute URL that the provider gave, such as the next page. It is called as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when it is no URL or leads to an origin that this client may not call; nothing is sent.
    pub fn follow(&self, operation: &'static str, url: &str) -> Result<Call, AdapterError> {
        let refuse =
            |message: String| AdapterError::new(ErrorKind::Protocol, RetryAdvice::Never, operation, message);
        let url = Url::parse(url)
            .map_err(|error| refuse(format!("the provider gave a link that is no URL: {error}")))?;
        self.inner.permit(&url).map_err(|what| {
            refuse(format!(
                "the provider gave a link to {}, which is not called: {what}",
                shown(&url)
            ))
        })?;
        Ok(self.get(operation, &url))
    }
}

impl Inner {
    /// Whether a URL may be called.
    pub(crate) fn permit(&self, url: &Url) -> Result<(), &'static str> {
        let origin = Origin::of(url)?;
        if self.allowed.contains(&origin) {
            Ok(())
        } else {
            Err("its scheme, host and port are not those of a configured URL")
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("allowed", &self.inner.allowed)
            .field("authority", &self.inner.authority)
            .field("patience", &self.inner.wire.patience)
            .finish_non_exhaustive()
    }
}

/// How a [`Client`] is to be.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    allowed: Vec<Url>,
    credentials: Credentials,
    patience: Patience,
    max_body: usize,
    timeout: Duration,
    in_flight: usize,
    user_agent: String,
    extra_ca: Option<String>,
    clock: Arc<dyn Clock>,
}

impl Builder {
    /// What is shown at the provider; nothing by default.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// How long calls put up with "later".
    pub const fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The longest body taken, in bytes; 16 MiB by default.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The time for one request up to the end of its answer; a minute by default. Waits between requests are apart.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many calls run at once, those that wait for the provider included; four by default. More calls queue.
    pub const fn in_flight(mut self, calls: usize) -> Self {
        self.in_flight = calls;
        self
    }

    /// The `User-Agent`; `usher/` and the version by default.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Certificates in PEM of authorities to trust beside those of the operating system.
    pub fn extra_ca(mut self, pem: impl Into<String>) -> Self {
        self.extra_ca = Some(pem.into());
        self
    }

    /// The clock by which tokens expire; the machine's by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the client. No I/O.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a URL that may not be called and for credentials that cannot work.
    pub fn build(self) -> Result<Client, AdapterError> {
        let allowed = self
            .allowed
            .iter()
            .map(|url| origin::configured("url", url))
            .collect::<Result<Vec<_>, _>>()?;
        if allowed.is_empty() {
            return Err(invalid("no URL of the provider is given"));
        }
        let authority = Authority::new(self.credentials)?;
        let mut called = allowed.clone();
        if let Authority::OAuth(source) = &authority {
            called.push(source.origin()?);
        }
        let http = connect(&called, self.user_agent, self.timeout, self.extra_ca.as_deref())?;
        let wire = Wire {
            http,
            clock: self.clock,
            patience: self.patience,
            max_body: self.max_body,
        };
        Ok(Client {
            inner: Arc::new(Inner {
                wire,
                authority,
                in_flight: Semaphore::new(self.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
                allowed,
            }),
        })
    }
}

/// URLs from settings may wrongly hold a password, so their harmless part is shown.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("allowed", &self.allowed.iter().map(shown).collect::<Vec<_>>())
            .field("credentials", &self.credentials)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Sets up connections for these origins.
fn connect(
    origins: &[Origin],
    user_agent: String,
    timeout: Duration,
    extra_ca: Option<&str>,
) -> Result<reqwest::Client, AdapterError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        // Only this crate decides about repeats.
        .retry(reqwest::retry::never());
    if origins.iter().any(Origin::is_loopback) {
        // Calls on this machine are not shown to a proxy.
        builder = builder.no_proxy();
    }
    if origins.iter().all(Origin::is_plain) {
        // Nothing will be checked against the operating system's certificates, so there need not be any.
        builder = builder.tls_certs_only([]);
    }
    if let Some(pem) = extra_ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| invalid("the extra certificate authorities hold no certificate in PEM"))?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| {
        invalid("the HTTP client cannot be set up; check the user agent and that the operating system has root certificates")
            .because(error.without_url())
    })
}

/// An error of settings that cannot work.
pub(crate) fn invalid(message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorKind::InvalidConfig, RetryAdvice::Never, "settings", message)
}
