//! Cursors that cannot be forged (RFC 9865).
//!
//! A cursor holds the position where the next page starts and the time when it expires, in the clear, under an
//! HMAC-SHA256 that also covers what the cursor is for. It gives no right: access is checked on every page.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use crate::error::ScimError;

/// The longest cursor that is read, in characters.
const MAX_LENGTH: usize = 2048;
const FORMAT: u8 = 1;
const EXPIRY_LENGTH: usize = 8;
const TAG_LENGTH: usize = 32;

/// The key that cursors are signed with. All servers of one deployment share it. `Debug` does not show it.
#[derive(Clone)]
pub struct CursorKey(Hmac<Sha256>);

/// What a cursor belongs to. It is refused anywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorScope<'a> {
    /// Whose resources they are: the tenant, connection or source.
    pub source: &'a str,
    /// Which resources: an endpoint, or the root for all of them.
    pub endpoint: &'a str,
    /// Which query: [`crate::ListQuery::digest`].
    pub query: &'a [u8; 32],
}

impl CursorKey {
    /// A key from secret bytes, which should be 32 random ones.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of every length"))
    }

    /// A cursor for a page that starts at `position`, which is the storage's to interpret. All its characters may
    /// stand in a URL as they are.
    pub fn issue(&self, scope: &CursorScope<'_>, position: &[u8], expires: Timestamp) -> String {
        let mut bytes = Vec::with_capacity(1 + EXPIRY_LENGTH + position.len() + TAG_LENGTH);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&expires.as_second().to_be_bytes());
        bytes.extend_from_slice(position);
        let tag = self.sign(scope, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a cursor that this key issued for this scope.
    ///
    /// # Errors
    /// `invalidCursor` if it is not one of ours or belongs to another scope, `expiredCursor` if it is too old.
    pub fn verify(
        &self,
        scope: &CursorScope<'_>,
        cursor: &str,
        now: Timestamp,
    ) -> Result<Vec<u8>, ScimError> {
        let invalid = || {
            ScimError::invalid_cursor(
                "the cursor does not belong to this query; start again with an empty cursor and change nothing \
                 else between pages",
            )
        };
        if cursor.len() > MAX_LENGTH {
            return Err(invalid());
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let signed = bytes.len().checked_sub(TAG_LENGTH).ok_or_else(invalid)?;
        let tag = bytes.split_off(signed);
        self.sign(scope, &bytes)
            .verify_slice(&tag)
            .map_err(|_| invalid())?;
        let (head, position) = bytes.split_at_checked(1 + EXPIRY_LENGTH).ok_or_else(invalid)?;
        let (format, expiry) = head.split_first().ok_or_else(invalid)?;
        let expiry = <[u8; EXPIRY_LENGTH]>::try_from(expiry).map_err(|_| invalid())?;
        if *format != FORMAT {
            return Err(invalid());
        }
        if now.as_second() >= i64::from_be_bytes(expiry) {
            return Err(ScimError::expired_cursor(
                "the cursor has expired; start again with an empty cursor",
            ));
        }
        Ok(position.to_vec())
    }

    fn sign(&self, scope: &CursorScope<'_>, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [
            scope.source.as_bytes(),
            scope.endpoint.as_bytes(),
            scope.query.as_slice(),
            bytes,
        ] {
            // The length in front keeps two neighbouring parts from being read as two others.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;

    const QUERY: [u8; 32] = [7; 32];
    const SCOPE: CursorScope<'_> = CursorScope {
        source: "idp",
        endpoint: "/Users",
        query: &QUERY,
    };

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_cursor_leads_back_to_its_position() {
        let key = CursorKey::new(b"secret");
        let cursor = key.issue(&SCOPE, b"position", second(100));
        assert!(
            cursor
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        assert_eq!(
            key.verify(&SCOPE, &cursor, second(99)).expect("valid"),
            b"position"
        );
    }

    #[test]
    fn an_old_cursor_has_expired() {
        let key = CursorKey::new(b"secret");
        let cursor = key.issue(&SCOPE, b"", second(100));
        let error = key.verify(&SCOPE, &cursor, second(100)).expect_err("expired");
        assert_eq!(error.scim_type, Some(ScimType::ExpiredCursor));
    }

    #[test]
    fn a_cursor_of_another_scope_or_key_is_invalid() {
        let key = CursorKey::new(b"secret");
        let cursor = key.issue(&SCOPE, b"position", second(100));
        let other = [8; 32];
        for (key, scope) in [
            (&CursorKey::new(b"guess"), SCOPE),
            (
                &key,
                CursorScope {
                    source: "id",
                    ..SCOPE
                },
            ),
            (
                &key,
                CursorScope {
                    source: "idp/",
                    endpoint: "Users",
                    ..SCOPE
                },
            ),
            (
                &key,
                CursorScope {
                    endpoint: "/Groups",
                    ..SCOPE
                },
            ),
            (
                &key,
                CursorScope {
                    query: &other,
                    ..SCOPE
                },
            ),
        ] {
            let error = key.verify(&scope, &cursor, second(0)).expect_err("another scope");
            assert_eq!(error.scim_type, Some(ScimType::InvalidCursor));
        }
    }

    #[test]
    fn a_changed_cursor_is_invalid() {
        let key = CursorKey::new(b"secret");
        let cursor = key.issue(&SCOPE, b"position", second(100));
        for index in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert!(key.verify(&SCOPE, &forged, second(0)).is_err(), "{forged}");
        }
        for garbage in ["", "AAAA", "not base64!", &"A".repeat(MAX_LENGTH + 1)] {
            assert!(key.verify(&SCOPE, garbage, second(0)).is_err(), "{garbage}");
        }
        assert!(!format!("{key:?}").contains("secret"));
    }
}
