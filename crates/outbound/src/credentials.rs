//! What a client shows at the identity provider.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::origin::shown;

/// How calls are authenticated.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each client; a box would only be in the caller's way"
)]
pub enum Credentials {
    /// Not at all.
    None,
    /// `Authorization: Bearer` with a token that does not change (RFC 6750 §2.1).
    Bearer(SecretString),
    /// A scheme of the provider's own with a token that does not change, such as `SSWS`.
    Scheme {
        /// The first word of the `Authorization` field.
        scheme: &'static str,
        /// What follows it.
        token: SecretString,
    },
    /// User name and password (RFC 7617).
    Basic {
        /// The user name; may hold no colon.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// Access tokens from the provider's token endpoint, fetched when needed.
    OAuth(ClientCredentials),
}

/// The client credentials grant (RFC 6749 §4.4).
#[derive(Clone)]
pub struct ClientCredentials {
    /// The token endpoint. Only token requests go to its origin, unless the client is allowed to call it as well.
    pub token_url: Url,
    /// The client's id at the provider.
    pub client_id: String,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// How the client authenticates at the token endpoint.
    pub authentication: ClientAuthentication,
    /// Whether tokens are bound to a key.
    pub dpop: Dpop,
}

/// A URL from settings may wrongly hold a password, so its harmless part is shown.
impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("token_url", &shown(&self.token_url))
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .field("authentication", &self.authentication)
            .field("dpop", &self.dpop)
            .finish()
    }
}

/// How a client authenticates at a token endpoint.
#[derive(Debug, Clone)]
pub enum ClientAuthentication {
    /// `client_secret` among the form fields (RFC 6749 §2.3.1).
    SecretInBody(SecretString),
    /// The secret as password of HTTP Basic (RFC 6749 §2.3.1).
    SecretBasic(SecretString),
    /// An assertion signed with the client's own key (RFC 7523 §2.2).
    PrivateKeyJwt(PrivateKeyJwt),
    /// An assertion that somebody else writes to this file and renews there; read again for each token request.
    FederatedTokenFile(PathBuf),
}

/// The key with which a client signs its assertions, and what it says in them.
#[derive(Clone)]
pub struct PrivateKeyJwt {
    /// The signature algorithm; the key has to fit.
    pub algorithm: SigningAlgorithm,
    /// The private key in PEM, not encrypted: PKCS #8, PKCS #1 or SEC 1. Other blocks beside it are passed over.
    pub key_pem: SecretString,
    /// Sent as `kid`.
    pub key_id: Option<String>,
    /// The certificate of the key in PEM; sent as its thumbprint, `x5t#S256`.
    pub certificate_pem: Option<String>,
    /// How long an assertion is good for; each token request makes a new one. Between one second and one hour.
    pub lifetime: Duration,
    /// The audience; the token endpoint's URL if absent.
    pub audience: Option<String>,
}

impl fmt::Debug for PrivateKeyJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKeyJwt")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .field("lifetime", &self.lifetime)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// A JWS signature algorithm (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
}

/// Whether access tokens are bound to a key that the client makes when it is built (RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dpop {
    /// Never; a provider that insists refuses the client.
    Never,
    /// As soon as the token endpoint asks for it.
    #[default]
    WhenAsked,
    /// From the first request; a token that is not bound is refused.
    Always,
}
