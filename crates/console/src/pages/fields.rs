//! What forms of several pages ask for: a reason, a plan to confirm, a day, a moment.

use serde::Deserialize;
use serde_json::{Value, json};
use usher_core::Timestamp;

use crate::Failure;

/// A form that asks for nothing but a reason.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Because {
    reason: String,
}

impl Because {
    /// The body of the API's call.
    pub(super) fn body(&self) -> Value {
        json!({ "reason": optional(&self.reason) })
    }
}

/// A form that confirms exactly the plan that was shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Confirmation {
    digest: String,
    reason: String,
}

impl Confirmation {
    /// The body of the API's call.
    pub(super) fn body(&self) -> Value {
        json!({ "digest": self.digest, "reason": optional(&self.reason) })
    }
}

/// A field that may be left empty.
pub(super) fn optional(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// The end of a day, as a field for a day gives it.
pub(super) fn end_of(day: &str) -> Option<String> {
    optional(day).map(|day| format!("{day}T23:59:59Z"))
}

/// A moment as a browser's field for day and time gives it, in UTC, or as RFC 3339.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let seconds = match text.matches(':').count() {
        1 => ":00Z",
        _ => "Z",
    };
    text.parse()
        .ok()
        .or_else(|| format!("{text}{seconds}").parse().ok())
}

/// What is said of a text that is no [`moment`].
pub(super) fn no_moment() -> Failure {
    Failure::Form("the moment is none: choose a day and a time".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_as_browsers_send_it() {
        for text in [
            "2026-06-01T09:30",
            "2026-06-01T09:30:00",
            "2026-06-01T09:30:00Z",
            "2026-06-01T11:30:00+02:00",
        ] {
            assert_eq!(
                moment(text).map(|at| at.to_string()),
                moment("2026-06-01T09:30:00Z").map(|at| at.to_string()),
                "{text}"
            );
        }
        assert!(moment("yesterday").is_none());
    }
}
