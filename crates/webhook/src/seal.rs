//! Secrets at rest: AES-256-GCM under a key that is not where the secrets are.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// The first byte of what this version seals.
const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
/// How many bytes say which key sealed.
const MARK_LEN: usize = 4;

/// A key that seals. `Debug` does not show it.
#[derive(Clone)]
pub struct SealingKey {
    key: std::sync::Arc<LessSafeKey>,
    mark: [u8; MARK_LEN],
}

/// Why something was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is no key.
    #[error(
        "this is no sealing key: one is 32 random bytes in base64, such as `openssl rand -base64 32` prints"
    )]
    NoKey,
    /// Another key sealed it.
    #[error("the secret was sealed with another key than the configured one")]
    OtherKey,
    /// What is stored was changed, or belongs to something else.
    #[error("the sealed secret was changed or belongs elsewhere")]
    Damaged,
}

impl SealingKey {
    /// Reads a key: 32 bytes in base64.
    ///
    /// # Errors
    /// [`SealError::NoKey`] for anything else.
    pub fn parse(text: &SecretString) -> Result<Self, SealError> {
        let bytes = STANDARD
            .decode(text.expose_secret().trim())
            .map(Zeroizing::new)
            .map_err(|_| SealError::NoKey)?;
        if bytes.len() != KEY_LEN {
            return Err(SealError::NoKey);
        }
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::NoKey)?;
        let digest = digest::digest(&digest::SHA256, &bytes);
        let mut mark = [0; MARK_LEN];
        mark.copy_from_slice(&digest.as_ref()[..MARK_LEN]);
        Ok(Self {
            key: std::sync::Arc::new(LessSafeKey::new(key)),
            mark,
        })
    }

    /// Seals `secret` for `owner`; nobody opens it for another one.
    ///
    /// # Panics
    /// When the operating system gives no randomness: nothing secure can be made then.
    #[must_use]
    pub fn seal(&self, secret: &[u8], owner: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the operating system gives randomness");
        let mut sealed = Vec::with_capacity(1 + MARK_LEN + NONCE_LEN + secret.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend(self.mark);
        sealed.extend(nonce);
        let mut text = secret.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut text)
            .expect("a secret is far from the longest text that can be sealed");
        sealed.extend(text);
        sealed
    }

    /// Opens what was sealed for `owner`.
    ///
    /// # Errors
    /// [`SealError::OtherKey`] or [`SealError::Damaged`].
    pub fn open(&self, sealed: &[u8], owner: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError::Damaged)?;
        if *version != VERSION || rest.len() < MARK_LEN + NONCE_LEN {
            return Err(SealError::Damaged);
        }
        let (mark, rest) = rest.split_at(MARK_LEN);
        if mark != self.mark {
            return Err(SealError::OtherKey);
        }
        let (nonce, text) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(owner), &mut text)
            .map_err(|_| SealError::Damaged)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::parse(&STANDARD.encode([byte; KEY_LEN]).into()).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_for_its_owner_alone() {
        let sealed = key(1).seal(b"secret", b"owner");
        assert_eq!(*key(1).open(&sealed, b"owner").unwrap(), b"secret");
        assert_eq!(key(1).open(&sealed, b"other"), Err(SealError::Damaged));
        assert_eq!(key(2).open(&sealed, b"owner"), Err(SealError::OtherKey));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, key(1).seal(b"secret", b"owner"));
    }

    #[test]
    fn what_was_changed_is_not_opened() {
        let sealed = key(1).seal(b"secret", b"owner");
        for place in [0, 6, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(
                key(1).open(&changed, b"owner"),
                Err(SealError::Damaged),
                "{place}"
            );
        }
        assert_eq!(key(1).open(&sealed[..9], b"owner"), Err(SealError::Damaged));
        assert_eq!(key(1).open(&[], b"owner"), Err(SealError::Damaged));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "short", "c2hvcnQ=", &"A".repeat(64)] {
            assert_eq!(
                SealingKey::parse(&text.to_owned().into()).unwrap_err(),
                SealError::NoKey
            );
        }
    }
}
