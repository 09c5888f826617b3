//! Signed tokens that clients send: assertions and proofs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::ThumbprintHash;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use usher_core::{Clock as _, SystemClock};

use super::org::{Org, ServiceApp};

/// What a proof was made for.
#[derive(Debug)]
pub(super) struct Use<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) nonce: Option<&'a str>,
}

/// What is wrong with a proof.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is no proof for this request.
    Invalid(&'static str),
    /// It holds no nonce, or not the one that is asked for.
    Nonce,
}

#[derive(Debug, Deserialize)]
struct ProofClaims {
    htm: String,
    htu: String,
    iat: i64,
    jti: String,
    ath: Option<String>,
    nonce: Option<String>,
}

#[derive(Debug, Deserialize)]
struct AssertionClaims {
    sub: String,
    exp: i64,
    jti: Option<String>,
}

/// Checks a DPoP proof (RFC 9449 §4.3); answers the thumbprint of its key.
pub(super) fn proof(org: &Org, text: &str, used: &Use<'_>) -> Result<String, Flaw> {
    let bad = Flaw::Invalid;
    let header = decode_header(text).map_err(|_| bad("The DPoP proof JWT is malformed."))?;
    let jwk = header.jwk.ok_or(bad("The DPoP proof JWT has no 'jwk'."))?;
    if header.typ.as_deref() != Some("dpop+jwt") {
        return Err(bad("The 'typ' of the DPoP proof JWT is invalid."));
    }
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| bad("The 'jwk' of the DPoP proof JWT is invalid."))?;
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims = decode::<ProofClaims>(text, &key, &validation)
        .map_err(|_| bad("The DPoP proof JWT is invalid."))?
        .claims;
    if claims.htm != used.method {
        return Err(bad("'htm' claim in the DPoP proof JWT is invalid."));
    }
    if claims.htu != used.url {
        return Err(bad("'htu' claim in the DPoP proof JWT is invalid."));
    }
    if (claims.iat - now()).abs() > 300 {
        return Err(bad("'iat' claim in the DPoP proof JWT is invalid."));
    }
    let hash = used
        .token
        .map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
    if claims.ath != hash {
        return Err(bad("'ath' claim in the DPoP proof JWT is invalid."));
    }
    if used.nonce.is_some() && claims.nonce.as_deref() != used.nonce {
        return Err(Flaw::Nonce);
    }
    if !first_use(org, &claims.jti) {
        return Err(bad("The DPoP proof JWT has already been used."));
    }
    jwk.thumbprint(ThumbprintHash::SHA256)
        .map_err(|_| bad("The 'jwk' of the DPoP proof JWT is invalid."))
}

/// Checks a client assertion (RFC 7523 §3) as Okta documents it; answers what is wrong.
pub(super) fn assertion(org: &Org, app: &ServiceApp, text: &str) -> Result<(), &'static str> {
    let header = decode_header(text).map_err(|_| "The client_assertion is malformed.")?;
    if app.key_id.is_some() && header.kid != app.key_id {
        return Err("The client_assertion names a key that is not registered.");
    }
    let pem = app.public_key_pem.as_bytes();
    let key = match header.alg {
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => DecodingKey::from_rsa_pem(pem),
        alg if alg.family() == AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
        _ => return Err("The signature algorithm of the client_assertion is not supported."),
    };
    let key = key.map_err(|_| "The client_assertion does not fit the registered key.")?;
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[format!("{}/oauth2/v1/token", org.base())]);
    validation.set_issuer(&[&app.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let claims = decode::<AssertionClaims>(text, &key, &validation)
        .map_err(|_| "The client_assertion signature or claims are invalid.")?
        .claims;
    if claims.sub != app.client_id {
        return Err("The client_assertion's 'sub' is invalid.");
    }
    if claims.exp > now() + 3660 {
        return Err("The client_assertion expires too far in the future.");
    }
    match claims.jti {
        Some(jti) if !first_use(org, &jti) => Err("The client_assertion has already been used."),
        _ => Ok(()),
    }
}

fn first_use(org: &Org, jti: &str) -> bool {
    org.with(|state| state.jtis.insert(jti.into()))
}

fn now() -> i64 {
    SystemClock.now().as_micros() / 1_000_000
}
