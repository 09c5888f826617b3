//! How a client shows at the token endpoint who it is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use url::Url;
use url::form_urlencoded::byte_serialize;
use usher_core::{AdapterError, ErrorKind, RetryAdvice, Timestamp};
use zeroize::Zeroizing;

use crate::client::invalid;
use crate::credentials::{ClientAuthentication, PrivateKeyJwt};
use crate::signer::{Signer, thumbprint, unique};

/// The longest assertion taken from a file, in bytes.
const LONGEST_FILE: u64 = 64 * 1024;

/// Who the client is at its token endpoint.
pub(crate) enum Identity {
    /// A secret, and the same as it stands in a header field.
    Secret(SecretString, SecretString),
    /// Assertions that the client signs itself.
    Own(OwnAssertions),
    /// Assertions that somebody else keeps in a file.
    File(PathBuf),
}

impl Identity {
    pub(crate) fn new(
        authentication: ClientAuthentication,
        client_id: &str,
        token_url: &Url,
    ) -> Result<Self, AdapterError> {
        match authentication {
            ClientAuthentication::SecretInBody(secret) | ClientAuthentication::SecretBasic(secret) => {
                if secret.expose_secret().is_empty() {
                    return Err(invalid("the client secret is empty"));
                }
                let pair = basic(client_id, &secret);
                Ok(Self::Secret(secret, pair))
            }
            ClientAuthentication::PrivateKeyJwt(key) => {
                OwnAssertions::new(&key, client_id, token_url).map(Self::Own)
            }
            ClientAuthentication::FederatedTokenFile(path) => Ok(Self::File(path)),
        }
    }

    /// The secret that is sent with token requests.
    pub(crate) const fn client_secret(&self) -> Option<&SecretString> {
        match self {
            Self::Secret(secret, _) => Some(secret),
            Self::Own(_) | Self::File(_) => None,
        }
    }

    /// What a token request shows, with its assertion, and so may never be repeated.
    pub(crate) fn secrets<'a>(&'a self, assertion: Option<&'a SecretString>) -> Vec<&'a SecretString> {
        match self {
            Self::Secret(secret, pair) => vec![secret, pair],
            Self::Own(_) | Self::File(_) => assertion.into_iter().collect(),
        }
    }

    /// The assertion for one token request; `None` for a client with a secret.
    pub(crate) async fn assertion(&self, now: Timestamp) -> Result<Option<SecretString>, AdapterError> {
        match self {
            Self::Secret(..) => Ok(None),
            Self::Own(assertions) => assertions.sign(now).map(Some),
            Self::File(path) => from_file(path).await.map(Some),
        }
    }
}

/// Client id and secret as the `Authorization` field holds them (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &SecretString) -> SecretString {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!(
        "{}:{}",
        encode(client_id),
        encode(secret.expose_secret())
    ));
    STANDARD.encode(pair.as_bytes()).into()
}

/// What is signed anew for each token request (RFC 7523 §3).
pub(crate) struct OwnAssertions {
    signer: Signer,
    header: Value,
    client_id: String,
    audience: String,
    lifetime: Duration,
}

impl OwnAssertions {
    fn new(key: &PrivateKeyJwt, client_id: &str, token_url: &Url) -> Result<Self, AdapterError> {
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&key.lifetime) {
            return Err(invalid(
                "the lifetime of assertions is not between a second and an hour",
            ));
        }
        let signer = Signer::from_pem(key.algorithm, &key.key_pem)?;
        let mut header = json!({ "alg": signer.algorithm(), "typ": "JWT" });
        if let Some(key_id) = &key.key_id {
            header["kid"] = json!(key_id);
        }
        if let Some(pem) = &key.certificate_pem {
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
                .map_err(|_| invalid("there is no certificate in the PEM given as certificate"))?;
            // A certificate holds its public key as it is, so there is no need to read the rest of it.
            let public = signer.public_key();
            if !certificate.windows(public.len()).any(|part| part == public) {
                return Err(invalid("the certificate is not that of the private key"));
            }
            header["x5t#S256"] = json!(thumbprint(&certificate));
        }
        Ok(Self {
            signer,
            header,
            client_id: client_id.to_owned(),
            audience: key.audience.clone().unwrap_or_else(|| token_url.to_string()),
            lifetime: key.lifetime,
        })
    }

    /// A new assertion. Each is good for one request, as some providers remember its `jti`.
    fn sign(&self, now: Timestamp) -> Result<SecretString, AdapterError> {
        let seconds = |time: Timestamp| time.as_micros() / 1_000_000;
        let claims = json!({
            "aud": self.audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": unique()?,
            "iat": seconds(now),
            "nbf": seconds(now),
            "exp": seconds(now.plus(self.lifetime)),
        });
        self.signer.sign(&self.header, &claims)
    }
}

/// Reads an assertion that somebody else keeps in a file.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] when there is no file or no token in it.
async fn from_file(path: &Path) -> Result<SecretString, AdapterError> {
    let refuse = |kind, advice, what: &str| {
        AdapterError::new(kind, advice, "token", format!("the federated token file {what}"))
            .with("file", path.display().to_string())
    };
    let text = read(path).await.map_err(|error| {
        match error.kind() {
            io::ErrorKind::NotFound => refuse(
                ErrorKind::InvalidConfig,
                RetryAdvice::Never,
                "is not there; check its path and that it is mounted",
            ),
            io::ErrorKind::PermissionDenied => refuse(
                ErrorKind::InvalidConfig,
                RetryAdvice::Never,
                "may not be read; check its owner and mode",
            ),
            _ => refuse(ErrorKind::Unavailable, RetryAdvice::Now, "cannot be read"),
        }
        .because(error)
    })?;
    let token = text.expose_secret().trim();
    let is_token = token.split('.').count() == 3
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if is_token {
        Ok(token.into())
    } else {
        Err(refuse(
            ErrorKind::InvalidConfig,
            RetryAdvice::Never,
            "does not hold a JSON web token",
        ))
    }
}

async fn read(path: &Path) -> io::Result<SecretString> {
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(LONGEST_FILE).read_to_string(&mut text).await?;
    Ok(text.into())
}
