//! A sign-in between its beginning here and its end at the provider.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{LocalPath, SignInError};

/// What has to be remembered until the browser comes back: by the browser, sealed. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The name of the provider that it was begun with.
    pub provider: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// Where to go afterwards.
    pub next: LocalPath,
    /// When it is too late to come back, in microseconds since 1970.
    pub until_us: i64,
}

/// What the browser brought back from the provider (RFC 6749 §4.1.2, RFC 9207 §2).
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Returned {
    /// The code to redeem.
    pub code: Option<String>,
    /// What was sent along.
    pub state: Option<String>,
    /// Who answers.
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The provider's own words about it.
    pub error_description: Option<String>,
}

impl Attempt {
    /// Draws an attempt from the operating system's randomness.
    pub(crate) fn draw(provider: &str, next: LocalPath, until_us: i64) -> Self {
        Self {
            provider: provider.to_owned(),
            state: random(),
            nonce: random(),
            verifier: random(),
            next,
            until_us,
        }
    }

    /// The hash of the `state`: what is written down so that nobody comes back twice.
    #[must_use]
    pub fn state_hash(&self) -> [u8; 32] {
        Sha256::digest(self.state.as_bytes()).into()
    }

    /// Whether this is what the browser brought back.
    pub(crate) fn belongs(&self, returned: &Returned) -> Result<(), SignInError> {
        let state = returned.state.as_deref().unwrap_or_default();
        if bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            Ok(())
        } else {
            Err(SignInError::Foreign("the state is another one"))
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("provider", &self.provider)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// 256 random bits as text; also a code verifier as RFC 7636 §4.1 wants it.
fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_knows_its_own_return_and_shows_nothing() {
        let attempt = Attempt::draw("entra", LocalPath::new("/rooms"), 5);
        let other = Attempt::draw("entra", LocalPath::new("/rooms"), 5);
        let returned = |state: Option<&str>| Returned {
            state: state.map(str::to_owned),
            ..Returned::default()
        };
        assert!(attempt.belongs(&returned(Some(&attempt.state))).is_ok());
        for foreign in [None, Some(""), Some(other.state.as_str())] {
            assert!(attempt.belongs(&returned(foreign)).is_err());
        }
        assert_ne!(attempt.state_hash(), other.state_hash());
        let shown = format!("{attempt:?}");
        for secret in [&attempt.state, &attempt.nonce, &attempt.verifier] {
            assert!(!shown.contains(secret.as_str()));
        }
    }
}
