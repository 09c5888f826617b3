//! Signs JSON web tokens (RFC 7515, RFC 7519) with aws-lc.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use usher_core::{AdapterError, ErrorKind, RetryAdvice};

use crate::client::invalid;
use crate::credentials::SigningAlgorithm;

/// A private key and the one algorithm it is used with.
pub(crate) struct Signer {
    algorithm: SigningAlgorithm,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
}

enum Family {
    Rsa(&'static dyn RsaEncoding),
    Ec(&'static EcdsaSigningAlgorithm),
}

impl Signer {
    /// Reads the first private key of a PEM text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] when there is none or it does not fit the algorithm.
    pub(crate) fn from_pem(algorithm: SigningAlgorithm, pem: &SecretString) -> Result<Self, AdapterError> {
        let pem = pem.expose_secret();
        if pem.contains("ENCRYPTED") {
            return Err(invalid(
                "the private key is encrypted; give it without a passphrase",
            ));
        }
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| invalid("there is no private key in the PEM given as key"))?;
        let unfit = |_| {
            invalid(format!(
                "the private key does not fit the algorithm {}",
                algorithm.name()
            ))
        };
        let key = match (algorithm.family(), &der) {
            (Family::Rsa(padding), PrivateKeyDer::Pkcs1(der)) => Key::Rsa(
                Box::new(RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(unfit)?),
                padding,
            ),
            (Family::Rsa(padding), der) => Key::Rsa(
                Box::new(RsaKeyPair::from_pkcs8(der.secret_der()).map_err(unfit)?),
                padding,
            ),
            (Family::Ec(curve), der) => {
                Key::Ec(EcdsaKeyPair::from_private_key_der(curve, der.secret_der()).map_err(unfit)?)
            }
        };
        Ok(Self { algorithm, key })
    }

    /// Makes a key for ES256.
    ///
    /// # Errors
    /// [`ErrorKind::Unexpected`] when the operating system gives no randomness.
    pub(crate) fn generate() -> Result<Self, AdapterError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| unexpected("a key cannot be made"))?;
        Ok(Self {
            algorithm: SigningAlgorithm::Es256,
            key: Key::Ec(key),
        })
    }

    /// The name of the algorithm, for a header.
    pub(crate) const fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The public key as certificates hold it: an `RSAPublicKey` (RFC 8017), or an uncompressed point (SEC 1).
    pub(crate) fn public_key(&self) -> &[u8] {
        match &self.key {
            Key::Rsa(pair, _) => pair.public_key().as_ref(),
            Key::Ec(pair) => pair.public_key().as_ref(),
        }
    }

    /// The public key of a signer that was generated, as a JWK (RFC 7518 §6.2).
    pub(crate) fn jwk(&self) -> Value {
        // An uncompressed point: a mark of one byte, then both coordinates.
        let (x, y) = self.public_key()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    /// A signed token in compact form.
    ///
    /// # Errors
    /// [`ErrorKind::Unexpected`] when the operating system gives no randomness.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Result<SecretString, AdapterError> {
        let mut token = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, token.as_bytes(), &mut signature)
                    .map(|()| signature)
            }
            Key::Ec(pair) => pair
                .sign(&random, token.as_bytes())
                .map(|signature| signature.as_ref().to_vec()),
        };
        let signature = signature.map_err(|_| unexpected("a token cannot be signed"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token.into())
    }
}

impl SigningAlgorithm {
    /// The name in JOSE headers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }

    fn family(self) -> Family {
        match self {
            Self::Ps256 => Family::Rsa(&RSA_PSS_SHA256),
            Self::Rs256 => Family::Rsa(&RSA_PKCS1_SHA256),
            Self::Rs384 => Family::Rsa(&RSA_PKCS1_SHA384),
            Self::Rs512 => Family::Rsa(&RSA_PKCS1_SHA512),
            Self::Es256 => Family::Ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Self::Es384 => Family::Ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Self::Es512 => Family::Ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
        }
    }
}

/// The SHA-256 of some bytes, as tokens hold it.
pub(crate) fn thumbprint(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}

/// A name for a token that nobody guesses or repeats: 128 random bits.
///
/// # Errors
/// [`ErrorKind::Unexpected`] when the operating system gives no randomness.
pub(crate) fn unique() -> Result<String, AdapterError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| unexpected("no randomness for a token"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn unexpected(message: &str) -> AdapterError {
    AdapterError::new(ErrorKind::Unexpected, RetryAdvice::Never, "token", message)
}
