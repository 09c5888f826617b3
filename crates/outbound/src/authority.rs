//! What makes a request authenticated, and what to do when it was refused.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use usher_core::AdapterError;
use zeroize::Zeroizing;

use crate::client::invalid;
use crate::credentials::Credentials;
use crate::dpop;
use crate::token::{Grant, TokenSource};
use crate::wire::{Received, Wire};

/// Where requests get their proof from.
pub(crate) enum Authority {
    /// Nothing is shown.
    Open,
    /// The same field every time.
    Fixed(Arc<Fixed>),
    /// An access token.
    OAuth(Box<TokenSource>),
}

/// A credential that does not change.
pub(crate) struct Fixed {
    field: HeaderValue,
    /// The forms in which it could turn up in what the provider says.
    secrets: Vec<SecretString>,
}

/// The credential of one request, kept so that it is never repeated.
#[derive(Clone)]
pub(crate) enum Credential {
    Fixed(Arc<Fixed>),
    Token(Arc<Grant>),
}

impl Credential {
    pub(crate) fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::Fixed(fixed) => fixed.secrets.iter().collect(),
            Self::Token(grant) => vec![&grant.token],
        }
    }
}

/// The header fields by which one request is authenticated.
#[derive(Default)]
pub(crate) struct Proof {
    pub(crate) headers: HeaderMap,
    pub(crate) credential: Option<Credential>,
}

/// What one call did so far about being refused.
#[derive(Default)]
pub(crate) struct Refusals {
    nonce_given: bool,
    token_renewed: bool,
}

impl Authority {
    /// Checks credentials. No I/O.
    pub(crate) fn new(credentials: Credentials) -> Result<Self, AdapterError> {
        match credentials {
            Credentials::None => Ok(Self::Open),
            Credentials::Bearer(token) => Self::fixed("Bearer", vec![token]),
            Credentials::Scheme { scheme, token } => Self::fixed(scheme, vec![token]),
            Credentials::Basic { username, password } => {
                if username.contains(':') {
                    return Err(invalid("a user name with a colon cannot be sent"));
                }
                let pair = Zeroizing::new(format!("{username}:{}", password.expose_secret()));
                let encoded = SecretString::from(STANDARD.encode(pair.as_bytes()));
                Self::fixed("Basic", vec![encoded, password])
            }
            Credentials::OAuth(credentials) => TokenSource::new(credentials).map(Box::new).map(Self::OAuth),
        }
    }

    /// A field of a scheme and the first of these secrets.
    fn fixed(scheme: &str, secrets: Vec<SecretString>) -> Result<Self, AdapterError> {
        let credential = secrets
            .first()
            .map(SecretString::expose_secret)
            .unwrap_or_default();
        if credential.is_empty() {
            return Err(invalid("the credential is empty"));
        }
        let field = field(scheme, credential).ok_or_else(|| {
            invalid("the credential holds a character that cannot be sent, such as a line break")
        })?;
        Ok(Self::Fixed(Arc::new(Fixed { field, secrets })))
    }

    /// The proof for a request; may ask for an access token first.
    pub(crate) async fn authorise(
        &self,
        wire: &Wire,
        method: &Method,
        url: &Url,
    ) -> Result<Proof, AdapterError> {
        let mut proof = Proof::default();
        match self {
            Self::Open => {}
            Self::Fixed(fixed) => {
                proof.headers.insert(header::AUTHORIZATION, fixed.field.clone());
                proof.credential = Some(Credential::Fixed(Arc::clone(fixed)));
            }
            Self::OAuth(source) => {
                let grant = source.grant(wire).await?;
                proof.headers.insert(header::AUTHORIZATION, grant.field.clone());
                if let (true, Some(binding)) = (grant.bound, source.binding()) {
                    let token = grant.token.expose_secret();
                    let field = binding.for_resource(method, url, token, wire.clock.now())?;
                    proof.headers.insert(dpop::PROOF, field);
                }
                proof.credential = Some(Credential::Token(grant));
            }
        }
        Ok(proof)
    }

    /// Keeps what an answer says about the next proof.
    pub(crate) fn learn(&self, url: &Url, received: &Received) {
        if let Self::OAuth(source) = self
            && let Some(binding) = source.binding()
        {
            binding.learn_from_resource(url, &received.headers);
        }
    }

    /// Whether another proof may help after a 401: one with the nonce that was asked for, or one with a new token. Each
    /// is tried once for a call.
    pub(crate) async fn may_mend(&self, refusals: &mut Refusals, proof: &Proof, received: &Received) -> bool {
        let (Self::OAuth(source), Some(Credential::Token(grant))) = (self, &proof.credential) else {
            return false;
        };
        if grant.bound && !refusals.nonce_given && dpop::wants_nonce(&received.headers) {
            refusals.nonce_given = true;
            return true;
        }
        source.forget(grant).await;
        !std::mem::replace(&mut refusals.token_renewed, true)
    }
}

/// An `Authorization` field, if the credential can stand in one.
pub(crate) fn field(scheme: &str, credential: &str) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("{scheme} {credential}"));
    let mut field = HeaderValue::from_str(&text).ok()?;
    field.set_sensitive(true);
    Some(field)
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Fixed(_) => "Fixed",
            Self::OAuth(_) => "OAuth",
        })
    }
}
