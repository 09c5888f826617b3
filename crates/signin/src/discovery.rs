//! What a provider says of itself: its endpoints and keys (OpenID Connect Discovery 1.0).

use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{HttpRequest, IssuerUrl};
use tokio::sync::Mutex;
use url::Url;
use usher_core::Timestamp;

use crate::SignInError;
use crate::connection::{Connection, may_be_called};

/// How long what was read is used.
const FRESH: Duration = Duration::from_secs(3600);
/// How soon keys are read again when a token is signed with one that is not known.
const SOONEST: Duration = Duration::from_secs(30);
/// How long a provider that could not be asked is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Asks one issuer about itself, now and then.
pub(crate) struct Discovery {
    issuer: IssuerUrl,
    connection: Connection,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Option<Arc<Known>>,
    failed: Option<(Timestamp, SignInError)>,
}

/// What an issuer said of itself.
pub(crate) struct Known {
    pub(crate) metadata: CoreProviderMetadata,
    /// Where its endpoints are: nothing else is called.
    pub(crate) origins: Arc<[Url]>,
    read: Timestamp,
}

impl Discovery {
    pub(crate) fn new(issuer: IssuerUrl, connection: Connection) -> Self {
        Self {
            issuer,
            connection,
            state: Mutex::default(),
        }
    }

    /// What the issuer says of itself, not older than an hour where it can be asked.
    pub(crate) async fn known(&self, now: Timestamp) -> Result<Arc<Known>, SignInError> {
        self.at_most(FRESH, now).await
    }

    /// The same, read again because it lacks a key, unless it was read just now.
    pub(crate) async fn again(&self, now: Timestamp) -> Result<Arc<Known>, SignInError> {
        self.at_most(SOONEST, now).await
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    async fn at_most(&self, age: Duration, now: Timestamp) -> Result<Arc<Known>, SignInError> {
        let mut state = self.state.lock().await;
        if let Some(known) = &state.known
            && now.since(known.read) < age
        {
            return Ok(Arc::clone(known));
        }
        if let Some((at, error)) = &state.failed
            && now.since(*at) < PAUSE
        {
            return state.known.clone().ok_or_else(|| error.clone());
        }
        match self.read(now).await {
            Ok(known) => {
                let known = Arc::new(known);
                *state = State {
                    known: Some(Arc::clone(&known)),
                    failed: None,
                };
                Ok(known)
            }
            Err(error) => {
                state.failed = Some((now, error.clone()));
                state.known.clone().ok_or(error)
            }
        }
    }

    async fn read(&self, now: Timestamp) -> Result<Known, SignInError> {
        let unreachable = |what: String| SignInError::Unreachable(what);
        let issuer = self.issuer.url().clone();
        let place = self
            .issuer
            .join(".well-known/openid-configuration")
            .map_err(|error| unreachable(error.to_string()))?;
        let request: Result<HttpRequest, _> = http::Request::get(place.as_str())
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new());
        let request = request.map_err(|error| unreachable(error.to_string()))?;
        let answer = self
            .connection
            .call(std::slice::from_ref(&issuer), request)
            .await
            .map_err(|error| unreachable(format!("{place}: {error}")))?;
        if answer.status() != http::StatusCode::OK {
            return Err(unreachable(format!("{place} answered {}", answer.status())));
        }
        let metadata: CoreProviderMetadata = serde_json::from_slice(answer.body())
            .map_err(|error| unreachable(format!("{place} is no discovery document: {error}")))?;
        if *metadata.issuer() != self.issuer {
            let said = metadata.issuer().as_str();
            return Err(unreachable(format!("{place} speaks for another issuer, {said}")));
        }
        let origins = endpoints(&issuer, &metadata).map_err(unreachable)?;
        let keys = fetch_keys(&metadata, &self.connection, &origins).await;
        let keys = keys.map_err(unreachable)?;
        Ok(Known {
            metadata: metadata.set_jwks(keys),
            origins: origins.into(),
            read: now,
        })
    }
}

async fn fetch_keys(
    metadata: &CoreProviderMetadata,
    connection: &Connection,
    origins: &[Url],
) -> Result<CoreJsonWebKeySet, String> {
    let place = metadata.jwks_uri().url();
    let request = http::Request::get(place.as_str())
        .header(http::header::ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    let answer = connection.call(origins, request).await;
    let answer = answer.map_err(|error| format!("{place}: {error}"))?;
    if answer.status() != http::StatusCode::OK {
        return Err(format!("{place} answered {}", answer.status()));
    }
    serde_json::from_slice(answer.body()).map_err(|error| format!("{place} is no set of keys: {error}"))
}

/// The places of a provider's endpoints, each https or on this machine.
fn endpoints(issuer: &Url, metadata: &CoreProviderMetadata) -> Result<Vec<Url>, String> {
    let mut named = vec![issuer, metadata.jwks_uri().url()];
    named.extend(metadata.token_endpoint().map(|endpoint| endpoint.url()));
    named.extend(metadata.userinfo_endpoint().map(|endpoint| endpoint.url()));
    let sent_to = metadata.authorization_endpoint().url();
    for place in named.iter().chain([&sent_to]) {
        if !may_be_called(place) {
            return Err(format!(
                "its discovery document names {place}, which is not https"
            ));
        }
    }
    if metadata.token_endpoint().is_none() {
        return Err("its discovery document names no token endpoint".to_owned());
    }
    Ok(named.into_iter().cloned().collect())
}
