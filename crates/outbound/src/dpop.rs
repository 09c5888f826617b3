//! Proofs of possession (RFC 9449): the key, the proofs, and the nonces that servers ask for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;
use usher_core::{AdapterError, ErrorKind, RetryAdvice, Timestamp};

use crate::signer::{Signer, thumbprint, unique};

/// The field of a request that holds the proof.
pub(crate) const PROOF: HeaderName = HeaderName::from_static("dpop");

/// The field of an answer that holds the nonce for the next proof.
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What a server says when it wants a proof with a nonce (§8, §9).
pub(crate) const USE_NONCE: &str = "use_dpop_nonce";

/// What a server says of a proof that it does not take, or misses (§5).
pub(crate) const INVALID_PROOF: &str = "invalid_dpop_proof";

/// A nonce that is longer is not kept.
const LONGEST_NONCE: usize = 1024;

/// The key to which tokens are bound, made anew for each client, and the last nonce of each server.
pub(crate) struct Binding {
    signer: Signer,
    header: Value,
    nonces: Mutex<Nonces>,
}

/// The last nonce of each server. That of the token endpoint is kept apart, as a server that is both may hand out
/// different ones (§9).
#[derive(Default)]
struct Nonces {
    token_endpoint: Option<String>,
    resources: HashMap<String, String>,
}

impl Binding {
    pub(crate) fn new() -> Result<Self, AdapterError> {
        let signer = Signer::generate()?;
        let header = json!({ "typ": "dpop+jwt", "alg": signer.algorithm(), "jwk": signer.jwk() });
        Ok(Self {
            signer,
            header,
            nonces: Mutex::default(),
        })
    }

    /// The proof for a token request (§5).
    pub(crate) fn for_token(&self, url: &Url, now: Timestamp) -> Result<HeaderValue, AdapterError> {
        let nonce = self.nonces().token_endpoint.clone();
        self.proof(&Method::POST, url, nonce, None, now)
    }

    /// The proof for a request that shows an access token (§7).
    pub(crate) fn for_resource(
        &self,
        method: &Method,
        url: &Url,
        token: &str,
        now: Timestamp,
    ) -> Result<HeaderValue, AdapterError> {
        let nonce = self.nonces().resources.get(&server(url)).cloned();
        self.proof(method, url, nonce, Some(token), now)
    }

    /// Keeps the nonce that an answer of the token endpoint brings (§8.2).
    pub(crate) fn learn_from_token(&self, headers: &HeaderMap) {
        if let Some(nonce) = nonce(headers) {
            self.nonces().token_endpoint = Some(nonce.to_owned());
        }
    }

    /// Keeps the nonce that any other answer brings (§9).
    pub(crate) fn learn_from_resource(&self, url: &Url, headers: &HeaderMap) {
        if let Some(nonce) = nonce(headers) {
            self.nonces().resources.insert(server(url), nonce.to_owned());
        }
    }

    fn proof(
        &self,
        method: &Method,
        url: &Url,
        nonce: Option<String>,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<HeaderValue, AdapterError> {
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let mut claims = json!({
            "jti": unique()?,
            "htm": method.as_str(),
            "htu": target.as_str(),
            "iat": now.as_micros() / 1_000_000,
        });
        if let Some(token) = token {
            claims["ath"] = json!(thumbprint(token.as_bytes()));
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let proof = self.signer.sign(&self.header, &claims)?;
        let mut field = HeaderValue::from_str(proof.expose_secret()).map_err(|_| {
            AdapterError::new(
                ErrorKind::Unexpected,
                RetryAdvice::Never,
                "token",
                "a proof of possession cannot be sent",
            )
        })?;
        field.set_sensitive(true);
        Ok(field)
    }

    fn nonces(&self) -> MutexGuard<'_, Nonces> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the answer of a resource wants the same request again with the nonce that it brings (§9).
pub(crate) fn wants_nonce(headers: &HeaderMap) -> bool {
    nonce(headers).is_some()
        && headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|field| field.to_str().ok())
            .any(|challenge| challenge.contains(USE_NONCE))
}

/// Servers keep nonces of their own.
fn server(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn nonce(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(NONCE)?
        .to_str()
        .ok()
        .filter(|nonce| !nonce.is_empty() && nonce.len() <= LONGEST_NONCE)
}
