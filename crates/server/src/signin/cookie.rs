//! The cookies of signing in: the session's, and the one that remembers a sign-in until the browser comes back.
//!
//! On https their names begin with `__Host-`: browsers take such a cookie from this very host alone, for all of its paths, and
//! never over http (RFC 6265bis §4.1.3.2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use usher_signin::Attempt;
use usher_webhook::SealingKey;

/// The longest value of a cookie that is looked at.
const LONGEST: usize = 4096;
/// How long a browser keeps the cookie of a sign-in that it began.
const ATTEMPT_AGE: Duration = Duration::from_secs(15 * 60);
/// What the sealed cookie is for: nothing else that is sealed with the key opens in its place.
const PURPOSE: &[u8] = b"sign-in";

/// Reads and writes the cookies of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    is_https: bool,
}

impl Cookies {
    pub(super) const fn new(is_https: bool) -> Self {
        Self { is_https }
    }

    /// The secret of the session that the browser sends.
    pub(super) fn session(self, headers: &HeaderMap) -> Option<&str> {
        read(headers, self.session_name())
    }

    /// Hands out the secret of a session. The browser forgets it when it ends; the server before.
    pub(super) fn set_session(self, secret: &str) -> HeaderValue {
        self.set(self.session_name(), secret, None)
    }

    /// Takes the secret back.
    pub(super) fn clear_session(self) -> HeaderValue {
        self.set(self.session_name(), "", Some(Duration::ZERO))
    }

    /// The sign-in that this browser began.
    pub(super) fn attempt(self, headers: &HeaderMap, key: &SealingKey) -> Option<Attempt> {
        let sealed = URL_SAFE_NO_PAD.decode(read(headers, self.attempt_name())?).ok()?;
        let text = key.open(&sealed, PURPOSE).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Has the browser remember a sign-in that it began. It cannot read or change what it remembers.
    pub(super) fn set_attempt(self, attempt: &Attempt, key: &SealingKey) -> HeaderValue {
        let text = serde_json::to_vec(attempt).expect("an attempt is a plain struct");
        let sealed = URL_SAFE_NO_PAD.encode(key.seal(&text, PURPOSE));
        self.set(self.attempt_name(), &sealed, Some(ATTEMPT_AGE))
    }

    /// Has the browser forget it.
    pub(super) fn clear_attempt(self) -> HeaderValue {
        self.set(self.attempt_name(), "", Some(Duration::ZERO))
    }

    const fn session_name(self) -> &'static str {
        if self.is_https { "__Host-usher" } else { "usher" }
    }

    const fn attempt_name(self) -> &'static str {
        if self.is_https {
            "__Host-usher-sign-in"
        } else {
            "usher-sign-in"
        }
    }

    /// `Lax`, so that links in mails arrive signed in; forms carry a value of their own against other sites.
    fn set(self, name: &str, value: &str, age: Option<Duration>) -> HeaderValue {
        let age = age.map_or_else(String::new, |age| format!("; Max-Age={}", age.as_secs()));
        let secure = if self.is_https { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::try_from(text).expect("names and values are visible ASCII")
    }
}

/// The value of the first cookie with a name.
fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
        .filter(|value| (1..=LONGEST).contains(&value.len()))
}

/// The key that seals, from the secret that all nodes share.
pub(super) fn sealing_key(secret: &[u8]) -> Option<SealingKey> {
    SealingKey::parse(&STANDARD.encode(secret).into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&'static str]) -> HeaderMap {
        let pair = |cookie: &&'static str| (COOKIE, HeaderValue::from_static(cookie));
        cookies.iter().map(pair).collect()
    }

    #[test]
    fn each_way_of_transport_has_a_cookie_of_its_own() {
        let both = headers(&["a=b; usher=plain", "__Host-usher=safe; usher=other"]);
        assert_eq!(Cookies::new(true).session(&both), Some("safe"));
        assert_eq!(Cookies::new(false).session(&both), Some("plain"));
        for nothing in [
            headers(&[]),
            headers(&["usher"]),
            headers(&["usher="]),
            headers(&["xusher=1"]),
        ] {
            assert_eq!(Cookies::new(false).session(&nothing), None);
        }
    }

    #[test]
    fn attributes_keep_the_cookie_here() {
        assert_eq!(
            Cookies::new(true).set_session("x"),
            "__Host-usher=x; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            Cookies::new(false).clear_session(),
            "usher=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn what_the_browser_remembers_cannot_be_made_up() {
        let (key, other) = (sealing_key(&[1; 32]).unwrap(), sealing_key(&[2; 32]).unwrap());
        let attempt: Attempt = serde_json::from_str(
            r#"{"provider":"p","state":"s","nonce":"n","verifier":"v","next":"/rooms","until_us":1}"#,
        )
        .unwrap();
        let cookies = Cookies::new(true);
        let set = cookies.set_attempt(&attempt, &key);
        let set = set.to_str().unwrap();
        assert!(
            set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=900"),
            "{set}"
        );
        let mut brought = HeaderMap::new();
        brought.insert(COOKIE, set.split(';').next().unwrap().parse().unwrap());
        assert_eq!(cookies.attempt(&brought, &key), Some(attempt));
        assert_eq!(cookies.attempt(&brought, &other), None);
        assert_eq!(
            cookies.attempt(&headers(&["__Host-usher-sign-in=e30"]), &key),
            None
        );
    }
}
