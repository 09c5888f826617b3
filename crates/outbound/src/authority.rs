//! What makes a request authenticated, and what to do when it was refused.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use usher_core::{AdapterError, Clock};
use zeroize::Zeroizing;

use crate::client::{Shared, invalid};
use crate::credentials::Credentials;
use crate::wire::{Received, Wire};

/// Where requests get their proof from.
pub(crate) enum Authority {
    /// Nothing is shown.
    Open,
    /// The same field every time.
    Fixed { field: HeaderValue, secret: Shared },
}

/// The header fields by which one request is authenticated.
#[derive(Default)]
pub(crate) struct Proof {
    pub(crate) headers: HeaderMap,
    /// What may never be repeated in a message.
    pub(crate) credential: Option<Shared>,
}

/// How often one call met a 401, by what could be done about it.
#[derive(Default)]
pub(crate) struct Refusals {}

impl Authority {
    /// Checks credentials.
    pub(crate) fn new(credentials: Credentials, _clock: &Arc<dyn Clock>) -> Result<Self, AdapterError> {
        match credentials {
            Credentials::None => Ok(Self::Open),
            Credentials::Bearer(token) => Self::fixed("Bearer", token.expose_secret(), token.clone()),
            Credentials::Scheme { scheme, token } => {
                Self::fixed(scheme, token.expose_secret(), token.clone())
            }
            Credentials::Basic { username, password } => {
                if username.contains(':') {
                    return Err(invalid("a user name with a colon cannot be sent"));
                }
                let pair = Zeroizing::new(format!("{username}:{}", password.expose_secret()));
                let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                Self::fixed("Basic", &encoded, password)
            }
            Credentials::OAuth(_) => Err(invalid("access tokens cannot be asked for yet")),
        }
    }

    fn fixed(scheme: &str, credential: &str, secret: SecretString) -> Result<Self, AdapterError> {
        if credential.is_empty() {
            return Err(invalid("the credential is empty"));
        }
        Ok(Self::Fixed {
            field: field(scheme, credential)?,
            secret: Arc::new(secret),
        })
    }

    /// The proof for a request.
    #[expect(clippy::unused_async, reason = "access tokens are fetched here")]
    pub(crate) async fn authorise(
        &self,
        _wire: &Wire,
        _method: &Method,
        _url: &Url,
    ) -> Result<Proof, AdapterError> {
        let mut proof = Proof::default();
        if let Self::Fixed { field, secret } = self {
            proof.headers.insert(header::AUTHORIZATION, field.clone());
            proof.credential = Some(Arc::clone(secret));
        }
        Ok(proof)
    }

    /// Takes what the provider says for the next proof.
    pub(crate) const fn learn(&self, _url: &Url, _received: &Received) {}
}

impl Refusals {
    /// Whether another proof may help after a 401.
    #[expect(clippy::unused_async, reason = "access tokens are forgotten here")]
    pub(crate) async fn may_help(
        &mut self,
        _proof: &Proof,
        _received: &Received,
        _authority: &Authority,
    ) -> bool {
        false
    }
}

/// An `Authorization` field.
pub(crate) fn field(scheme: &str, credential: &str) -> Result<HeaderValue, AdapterError> {
    let text = Zeroizing::new(format!("{scheme} {credential}"));
    let mut field = HeaderValue::from_str(&text)
        .map_err(|_| invalid("the credential holds a character that cannot be sent, such as a line break"))?;
    field.set_sensitive(true);
    Ok(field)
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Fixed { .. } => "Fixed",
        })
    }
}
