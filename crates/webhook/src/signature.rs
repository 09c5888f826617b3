//! Signatures and their secrets, as the Standard Webhooks specification says: HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// In front of every secret, so that people and scanners recognise one.
const PREFIX: &str = "whsec_";
/// The specification asks for 24 to 64 bytes.
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// A secret that a receiver shares with us. `Debug` does not show it; its memory is wiped.
#[derive(Clone)]
pub struct SigningSecret(Zeroizing<Vec<u8>>);

/// Text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no signing secret: one is whsec_ and 24 to 64 bytes in base64")]
pub struct SecretError;

impl SigningSecret {
    /// Draws a secret from the operating system.
    ///
    /// # Panics
    /// When the operating system gives no randomness: nothing secure can be made then.
    #[must_use]
    pub fn draw() -> Self {
        let mut bytes = Zeroizing::new(vec![0; 32]);
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self(bytes)
    }

    /// Takes the bytes of a secret.
    ///
    /// # Errors
    /// [`SecretError`] when they are too few or too many.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        match bytes.len() {
            SHORTEST..=LONGEST => Ok(Self(Zeroizing::new(bytes.to_vec()))),
            _ => Err(SecretError),
        }
    }

    /// Reads the text that a receiver is given.
    ///
    /// # Errors
    /// [`SecretError`] when it is no such text.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.strip_prefix(PREFIX).ok_or(SecretError)?;
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| SecretError)?);
        Self::from_bytes(&bytes)
    }

    /// The text to hand out, once.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(&*self.0)))
    }

    /// The bytes, to seal them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// The value of `webhook-signature`: one signature for each secret, separated by spaces, so that a receiver that knows any of
/// them accepts the message. `at` is in seconds since 1970. The id must hold no full stop.
#[must_use]
pub fn sign(secrets: &[SigningSecret], id: &str, at: i64, body: &[u8]) -> String {
    let mut signatures = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &secret.0));
        context.update(id.as_bytes());
        context.update(b".");
        context.update(at.to_string().as_bytes());
        context.update(b".");
        context.update(body);
        signatures.push(format!("v1,{}", STANDARD.encode(context.sign())));
    }
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the specification's repository (standard-webhooks/standard-webhooks, the libraries' tests).
    #[test]
    fn the_specifications_example_is_signed_alike() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = sign(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs() {
        let secrets = [SigningSecret::draw(), SigningSecret::draw()];
        let both = sign(&secrets, "evt_1", 1, b"{}");
        let alone: Vec<_> = secrets
            .iter()
            .map(|secret| sign(std::slice::from_ref(secret), "evt_1", 1, b"{}"))
            .collect();
        assert_eq!(both, alone.join(" "));
        assert_ne!(alone[0], alone[1]);
    }

    #[test]
    fn a_secret_reads_back_what_it_showed_and_hides_otherwise() {
        let secret = SigningSecret::draw();
        let text = secret.expose();
        assert_eq!(SigningSecret::parse(&text).unwrap().bytes(), secret.bytes());
        assert!(!format!("{secret:?}").contains(&text[PREFIX.len()..]));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
            "whsec_???",
        ] {
            assert!(SigningSecret::parse(text).is_err(), "{text}");
        }
    }
}
