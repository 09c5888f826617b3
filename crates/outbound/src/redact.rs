//! What of a provider's words may be shown.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// At most so many characters of a provider's text are repeated.
const LONGEST: usize = 300;

/// A run of more characters than this with a digit among them may be a credential. A UUID has 36.
const OPAQUE: usize = 38;

/// The error code and message of a body, as the error formats of Microsoft Graph, Okta, OAuth (RFC 6749 §5.2) and SCIM
/// (RFC 7644 §3.12) hold them; `None` for another body.
pub(crate) fn excerpt(body: &[u8], secrets: &[&SecretString]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let nested = &body["error"];
    let code = text(&nested["code"])
        .or_else(|| text(nested))
        .or_else(|| text(&body["errorCode"]))
        .or_else(|| text(&body["scimType"]));
    let message = text(&nested["message"])
        .or_else(|| text(&body["error_description"]))
        .or_else(|| text(&body["errorSummary"]))
        .or_else(|| text(&body["detail"]));
    match (code, message) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(bounded(&one, secrets)),
        (Some(code), Some(message)) => Some(bounded(&format!("{code}: {message}"), secrets)),
    }
}

/// One line of printable text of limited length, without these secrets, everything else that could be a credential,
/// e-mail addresses, and the query of every URL.
pub(crate) fn bounded(text: &str, secrets: &[&SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(|secret| secret.expose_secret()) {
        if !secret.is_empty() {
            text = text.replace(secret, "…");
        }
    }
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        if word.is_empty() {
            continue;
        }
        let word = safe(word);
        length += word.chars().count() + 1;
        if !line.is_empty() {
            line.push(' ');
        }
        if length > LONGEST {
            line.push('…');
            break;
        }
        line.push_str(&word);
    }
    line
}

fn safe(word: &str) -> String {
    if let (true, Some((before, _))) = (word.contains("://"), word.split_once('?')) {
        return format!("{}?…", safe(before));
    }
    let opaque = |part: &str| {
        let long = part.chars().count() > OPAQUE && part.contains(|letter: char| letter.is_ascii_digit());
        // Every JSON web token begins so.
        long || part.starts_with("eyJ") || part.contains('@')
    };
    let is_separator = |letter: char| {
        matches!(
            letter,
            '"' | '\'' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | ',' | ';' | ':' | '/'
        )
    };
    let mut shown = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(is_separator).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        shown.push_str(if opaque(part) { "…" } else { part });
        let separators = after.find(|letter| !is_separator(letter)).unwrap_or(after.len());
        shown.push_str(&after[..separators]);
        rest = &after[separators..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let secrets = [SecretString::from("s3cret"), SecretString::from("")];
        assert_eq!(bounded(text, &secrets.each_ref()), expected);
    }

    #[test]
    fn words_stay_and_credentials_go() {
        check("Insufficient privileges", "Insufficient privileges");
        check(
            "request 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "request 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        );
        check("you sent 's3cret'.", "you sent '…'.");
        check("token \"eyJhbGciOi.e30.x\", twice", "token \"…\", twice");
        check("(0123456789012345678901234567890123456789)", "(…)");
        check(
            "needs DeviceManagementManagedDevices.ReadWrite.All",
            "needs DeviceManagementManagedDevices.ReadWrite.All",
        );
        check("no such user: ann@contoso.example", "no such user: …");
        check(
            "see https://idp.example/a/b?code=1&x=2 now",
            "see https://idp.example/a/b?… now",
        );
    }

    #[test]
    fn text_is_one_line_of_limited_length() {
        check("a\r\n\tb\u{7}\u{1b}[31mc", "a b [31mc");
        let long = bounded(&"wörter ".repeat(100), &[]);
        assert!(
            long.chars().count() <= LONGEST + 2 && long.ends_with(" …"),
            "{long}"
        );
        check(&"/".repeat(1000), "…");
        check("", "");
    }

    #[test]
    fn the_usual_error_bodies_are_read() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(excerpt(body.as_bytes(), &[]).as_deref(), expected, "{body}");
        };
        check(r#"{"error": {"code": "a", "message": "b"}}"#, Some("a: b"));
        check(r#"{"error": "a", "error_description": "b"}"#, Some("a: b"));
        check(r#"{"errorCode": "a", "errorSummary": "b"}"#, Some("a: b"));
        check(r#"{"scimType": "a", "detail": "b"}"#, Some("a: b"));
        check(r#"{"detail": "b"}"#, Some("b"));
        check(r#"{"error": {"code": 7}}"#, None);
        check("[]", None);
        check("<html>", None);
    }
}
