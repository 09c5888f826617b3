//! The credential of a request.

use http::{HeaderMap, header};

use super::AccessError;

/// The longest credential that is looked at. Signed tokens are the long ones.
const LONGEST: usize = 8192;

/// The token in `Authorization`, with the word `Bearer` in any case or without it: Okta sends what its administrator
/// typed.
pub(super) fn credential(headers: &HeaderMap) -> Result<&str, AccessError> {
    let value = headers.get(header::AUTHORIZATION).ok_or(AccessError::Missing)?;
    let text = value.to_str().map_err(|_| AccessError::Unknown)?.trim();
    let token = match text.split_once(' ') {
        Some((word, token)) if word.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return Err(AccessError::Unknown),
        None if text.eq_ignore_ascii_case("bearer") => "",
        None => text,
    };
    match token.len() {
        0 => Err(AccessError::Missing),
        1..=LONGEST => Ok(token),
        _ => Err(AccessError::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<String, AccessError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        credential(&headers).map(str::to_owned)
    }

    #[test]
    fn the_word_in_front_is_optional() {
        for value in ["Bearer usher_x", "bearer usher_x", "BEARER  usher_x ", "usher_x"] {
            assert_eq!(read(value).ok().as_deref(), Some("usher_x"), "{value}");
        }
    }

    #[test]
    fn other_schemes_and_empty_ones_are_refused() {
        assert!(matches!(read("Basic dXNlcjpwYXNz"), Err(AccessError::Unknown)));
        assert!(matches!(read("Bearer"), Err(AccessError::Missing)));
        assert!(matches!(read(""), Err(AccessError::Missing)));
        assert!(matches!(read(&"x".repeat(9000)), Err(AccessError::Unknown)));
        assert!(matches!(credential(&HeaderMap::new()), Err(AccessError::Missing)));
    }
}
