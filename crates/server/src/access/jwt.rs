//! Access tokens that a customer signs with a key of its own (RFC 7519), for clients that cannot keep a long-lived token.

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation};
use serde::Deserialize;
use usher_core::{JwtKeyId, SourceState, Timestamp};
use usher_storage::SourceKey;
use usher_storage::query::jwt_key::JwtKeyRow;

use super::AccessError;

/// What is taken. `none` and the symmetric ones are not among them.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The longest life of a token, from `iat` to `exp`.
const LONGEST_LIFE_SECS: i64 = 3600;
/// How far two clocks may be apart.
const SKEW_SECS: i64 = 30;
/// A key of 2048 bits as SubjectPublicKeyInfo has 294 bytes; its modulus alone has 256.
const SMALLEST_RSA_MODULUS_BASE64: usize = 342;

/// A public key that a customer registered, ready to verify.
#[derive(Clone)]
pub struct JwtKey {
    pub(super) id: JwtKeyId,
    pub(super) source: SourceKey,
    pub(super) source_state: SourceState,
    key_id: Option<String>,
    algorithm: Algorithm,
    validation: Arc<Validation>,
    key: Arc<DecodingKey>,
}

/// Why a key cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtKeyError {
    /// The algorithm is not taken.
    #[error(
        "the algorithm '{0}' is not taken; use one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
    )]
    Algorithm(String),
    /// The text is no public key for the algorithm.
    #[error("the text is no public key for {0}; give a PEM file that begins with -----BEGIN PUBLIC KEY-----")]
    Key(String),
    /// A private key was given.
    #[error("this is a private key: keep it where it signs, and register the public key instead")]
    Private,
    /// It is too short.
    #[error("the RSA key is too short; use at least 2048 bits")]
    Short,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
}

impl JwtKey {
    /// Prepares a stored key.
    pub(super) fn from_row(row: &JwtKeyRow) -> Result<Self, JwtKeyError> {
        let (algorithm, key) = parse(&row.algorithm, &row.public_key)?;
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[&row.audience]);
        validation.set_issuer(&[&row.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // Times are compared below with the clock that everything else is compared with.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self {
            id: row.id,
            source: row.source,
            source_state: row.source_state,
            key_id: row.key_id.clone(),
            algorithm,
            validation: Arc::new(validation),
            key: Arc::new(key),
        })
    }

    /// Checks a public key for registration; its thumbprint (RFC 7638), which is the same however the key is written.
    ///
    /// # Errors
    /// [`JwtKeyError`] says what to give instead.
    pub fn thumbprint(algorithm: &str, public_key: &str) -> Result<String, JwtKeyError> {
        let (algorithm, key) = parse(algorithm, public_key)?;
        let unfit = || JwtKeyError::Key(format!("{algorithm:?}"));
        let jwk = Jwk::from_decoding_key(&key, Some(algorithm)).map_err(|_| unfit())?;
        if let jsonwebtoken::jwk::AlgorithmParameters::RSA(rsa) = &jwk.algorithm
            && rsa.n.len() < SMALLEST_RSA_MODULUS_BASE64
        {
            return Err(JwtKeyError::Short);
        }
        jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| unfit())
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn parse(algorithm: &str, pem: &str) -> Result<(Algorithm, DecodingKey), JwtKeyError> {
    let (_, found) = ALGORITHMS
        .iter()
        .find(|(name, _)| *name == algorithm)
        .ok_or_else(|| JwtKeyError::Algorithm(algorithm.chars().take(32).collect()))?;
    if pem.contains("PRIVATE KEY") {
        return Err(JwtKeyError::Private);
    }
    let key = match found.family() {
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(pem.as_bytes()),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem.as_bytes()),
        _ => DecodingKey::from_ed_pem(pem.as_bytes()),
    };
    key.map(|key| (*found, key))
        .map_err(|_| JwtKeyError::Key(algorithm.to_owned()))
}

/// Whether a credential has the three parts of a signed token.
pub(super) fn looks_signed(credential: &str) -> bool {
    credential.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The key that signed a token, and when the token ends.
pub(super) fn verify<'k>(
    token: &str,
    keys: &'k [JwtKey],
    now: Timestamp,
) -> Result<(&'k JwtKey, Timestamp), AccessError> {
    let header =
        jsonwebtoken::decode_header(token).map_err(|_| AccessError::Signed("its header cannot be read"))?;
    let mut refusal =
        AccessError::Signed("no key that is registered for this source fits its algorithm and key id");
    let fits = |key: &&JwtKey| {
        key.algorithm == header.alg
            && (key.key_id.is_none() || header.kid.is_none() || key.key_id == header.kid)
    };
    for key in keys.iter().filter(fits) {
        match jsonwebtoken::decode::<Claims>(token, &key.key, &key.validation) {
            Ok(data) => return check_times(&data.claims, now).map(|expires| (key, expires)),
            Err(error) => refusal = AccessError::Signed(reason(&error)),
        }
    }
    Err(refusal)
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<Timestamp, AccessError> {
    let now = now.as_micros() / 1_000_000;
    if claims.exp.saturating_add(SKEW_SECS) <= now {
        return Err(AccessError::Expired);
    }
    if claims.exp.saturating_sub(claims.iat) > LONGEST_LIFE_SECS {
        return Err(AccessError::Signed(
            "it lives longer than an hour, from iat to exp",
        ));
    }
    if claims.iat.max(claims.nbf.unwrap_or(i64::MIN)) > now.saturating_add(SKEW_SECS) {
        return Err(AccessError::Signed("it is not valid yet; compare the clocks"));
    }
    Ok(Timestamp::from_micros(
        claims.exp.saturating_add(SKEW_SECS).saturating_mul(1_000_000),
    ))
}

fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => "its signature was not made with the registered key",
        ErrorKind::InvalidIssuer => "its issuer (iss) is not the registered one",
        ErrorKind::InvalidAudience => "its audience (aud) is not the registered one",
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => {
            "it needs the claims iss, aud, iat and exp"
        }
        _ => "it is malformed",
    }
}
