//! What of a provider's words may be shown.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// At most so many characters of a provider's text are repeated.
const LONGEST: usize = 300;

/// A run of this many characters without a space may be a credential. A UUID has 36.
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

/// One line of printable text of limited length, without these secrets, everything else that could be a credential, and
/// the query of every URL.
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
        if length > LONGEST {
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    line
}

fn safe(word: &str) -> String {
    if let (true, Some((before, _))) = (word.contains("://"), word.split_once('?')) {
        return format!("{}?…", safe(before));
    }
    let opaque = |part: &str| part.chars().count() > OPAQUE || part.starts_with("eyJ");
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
