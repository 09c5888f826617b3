//! The secrets of tokens: 256 random bits, shown once, stored as a hash.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// In front of every token, so that people and scanners recognise one.
const PREFIX: &str = "usher_";

/// The secret of a new token. `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Draws a secret from the operating system.
    ///
    /// # Panics
    /// When the operating system gives no randomness: nothing secure can be made then.
    #[must_use]
    pub fn draw() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text to hand out, once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is stored of a token. A plain hash is enough for 256 random bits: there is nothing to guess. Tokens are found by
/// it, and since nobody can choose a hash, the time of a comparison tells nothing.
#[must_use]
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_different_and_hidden() {
        let (one, other) = (Secret::draw(), Secret::draw());
        assert_eq!(one.expose().len(), PREFIX.len() + 43);
        assert!(one.expose().starts_with(PREFIX));
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), hash(one.expose()));
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
