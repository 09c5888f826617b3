//! What a token endpoint's refusal means.

use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use url::Url;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};

use crate::patience::LATER;
use crate::token::OPERATION;
use crate::{dpop, origin, redact};

/// Entra's code for "no matching federated identity record". It is also the beginning of newer codes that name the claim
/// which does not match.
const NO_FEDERATED_CREDENTIAL: &str = "AADSTS70021";

/// A federated credential works some minutes after it was made.
const FEDERATION_TAKES: Duration = Duration::from_secs(60);

/// The error for an error response (RFC 6749 §5.2).
pub(crate) fn of_token(
    url: &Url,
    status: StatusCode,
    error: &str,
    description: Option<&str>,
    secrets: &[&SecretString],
) -> AdapterError {
    let said = description.unwrap_or_default();
    let (kind, advice, what) = match error {
        "temporarily_unavailable" | "server_error" => later(),
        _ if status.is_server_error() => later(),
        _ if said.contains(NO_FEDERATED_CREDENTIAL) => (
            ErrorKind::Unavailable,
            RetryAdvice::After(FEDERATION_TAKES),
            "the provider knows no federated credential for this assertion; a new one takes some minutes, an old one \
             has another issuer, subject or audience",
        ),
        dpop::USE_NONCE | dpop::INVALID_PROOF => (
            ErrorKind::InvalidConfig,
            RetryAdvice::Never,
            "the provider does not take the proof of possession; allow DPoP in the settings, and check the token URL \
             and this machine's clock",
        ),
        "invalid_scope" | "invalid_request" | "unsupported_grant_type" if !said.contains("AADSTS") => (
            ErrorKind::InvalidConfig,
            RetryAdvice::Never,
            "the provider does not take the token request; check scopes and token URL",
        ),
        _ => (
            ErrorKind::Unauthorised,
            RetryAdvice::Never,
            "the provider gives no access token to this client; check its id, credential and permissions",
        ),
    };
    let refused = at(url, status, kind, advice, what).with("error", redact::bounded(error, secrets));
    match description {
        Some(description) => refused.with("description", redact::bounded(description, secrets)),
        None => refused,
    }
}

/// The error for an answer that is neither a token nor an error response.
pub(crate) fn unreadable(url: &Url, status: StatusCode) -> AdapterError {
    if status.is_server_error() {
        let (kind, advice, what) = later();
        return at(url, status, kind, advice, what);
    }
    unusable(url, status, "something that is not a token response")
}

/// The error for a token that is not what was asked for.
pub(crate) fn unusable(url: &Url, status: StatusCode, what: &str) -> AdapterError {
    let message = format!("the token endpoint answered with {what}; check the token URL");
    at(url, status, ErrorKind::Protocol, RetryAdvice::Never, &message)
}

/// The error for a token request that was never sent.
pub(crate) fn unmade(url: &Url) -> AdapterError {
    AdapterError::new(
        ErrorKind::Unexpected,
        RetryAdvice::Never,
        OPERATION,
        "the token request cannot be made",
    )
    .with("url", origin::shown(url))
}

const fn later() -> (ErrorKind, RetryAdvice, &'static str) {
    (
        ErrorKind::Unavailable,
        RetryAdvice::After(LATER),
        "the token endpoint failed",
    )
}

fn at(url: &Url, status: StatusCode, kind: ErrorKind, advice: RetryAdvice, what: &str) -> AdapterError {
    AdapterError::new(kind, advice, OPERATION, what)
        .with("url", origin::shown(url))
        .with("status", status.as_str())
}
