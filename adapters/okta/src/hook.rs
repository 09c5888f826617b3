//! Event hooks: Okta's calls to say that something happened.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use usher_core::{AdapterError, ErrorKind, Notification, NotificationAnswer, RetryAdvice};

use crate::read::{Hints, hints_of};
use crate::record;
use crate::wire::Event;

/// The header field of the one call by which Okta checks that an address takes event hooks.
const CHALLENGE: &str = "x-okta-verification-challenge";

#[derive(Deserialize)]
struct Call {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    events: Vec<Event>,
}

/// Takes a call.
///
/// # Errors
/// As [`usher_core::ProvisioningAdapter::notification`].
pub(crate) fn take(call: &Notification, secret: &SecretString) -> Result<NotificationAnswer, AdapterError> {
    let challenge = call.header(CHALLENGE).filter(|_| call.body.is_empty());
    if let (Some(challenge), None) = (challenge, call.header("authorization")) {
        // Okta does not document whether this call shows the secret. What it is answered tells nobody anything.
        return Ok(verified(challenge));
    }
    // Both are hashed, so that the comparison takes the same time for every length.
    let shown = Sha256::digest(call.header("authorization").unwrap_or_default());
    let expected = Sha256::digest(secret.expose_secret());
    if !bool::from(shown.as_slice().ct_eq(expected.as_slice())) {
        return Err(refuse(
            ErrorKind::Unauthorised,
            "the call does not show the secret of the event hook; enter event_hook_secret at Okta as the value of Authorization",
        ));
    }
    if let Some(challenge) = challenge {
        return Ok(verified(challenge));
    }
    let call: Call = serde_json::from_slice(&call.body)
        .map_err(|_| refuse(ErrorKind::Protocol, "the call is not that of an Okta event hook"))?;
    let mut hints = Hints::default();
    hints_of(&call.data.events, &mut hints);
    Ok(NotificationAnswer {
        body: None,
        groups: hints
            .groups
            .iter()
            .filter_map(|id| record::group_id(id).ok())
            .collect(),
        users: hints
            .users
            .iter()
            .filter_map(|id| record::user_id(id).ok())
            .collect(),
    })
}

fn verified(challenge: &str) -> NotificationAnswer {
    let body = json!({"verification": challenge}).to_string();
    NotificationAnswer {
        body: Some(("application/json", body)),
        ..NotificationAnswer::default()
    }
}

fn refuse(kind: ErrorKind, message: &str) -> AdapterError {
    AdapterError::new(kind, RetryAdvice::Never, "notification", message)
}
