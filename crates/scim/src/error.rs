//! SCIM errors: the status, the `scimType` and the detail that an administrator will read (RFC 7644 §3.12).

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

/// The schema URN of an error answer.
pub const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Why a request was refused, in the vocabulary of RFC 7644 §3.12 and RFC 9865 §2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter cannot be parsed or compares what cannot be compared.
    InvalidFilter,
    /// The query yields more results than the server calculates.
    TooMany,
    /// A unique value is already taken.
    Uniqueness,
    /// The attribute cannot be changed in this way.
    Mutability,
    /// The body is not what the message schema says.
    InvalidSyntax,
    /// The `path` of a PATCH operation is malformed.
    InvalidPath,
    /// The `path` of a PATCH operation names nothing.
    NoTarget,
    /// A value is missing or does not fit its attribute.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVersion,
    /// The request carries personal data where it may be logged.
    Sensitive,
    /// The cursor is not one of ours, or belongs to another query.
    InvalidCursor,
    /// The cursor was valid once.
    ExpiredCursor,
    /// The page size cannot be used with this cursor.
    InvalidCount,
}

impl ScimType {
    /// The keyword on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVersion => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal, ready to be sent.
///
/// Identity providers show `detail` to their administrators word for word, so it is written for them. It never
/// repeats a value that the client sent: such values may be personal data or a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The SCIM keyword, where one applies.
    pub scim_type: Option<ScimType>,
    /// What was wrong and what to do about it.
    pub detail: Cow<'static, str>,
}

/// The text of an error: a literal or a formatted string.
type Detail = Cow<'static, str>;

impl ScimError {
    /// An error with a status of the caller's choice.
    pub fn new(status: u16, scim_type: Option<ScimType>, detail: impl Into<Detail>) -> Self {
        Self {
            status,
            scim_type,
            detail: detail.into(),
        }
    }

    /// 400 `invalidFilter`.
    pub fn invalid_filter(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::InvalidFilter), detail)
    }

    /// 400 `tooMany`.
    pub fn too_many(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::TooMany), detail)
    }

    /// 409 `uniqueness`.
    pub fn uniqueness(detail: impl Into<Detail>) -> Self {
        Self::new(409, Some(ScimType::Uniqueness), detail)
    }

    /// 400 `mutability`.
    pub fn mutability(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::Mutability), detail)
    }

    /// 400 `invalidSyntax`.
    pub fn invalid_syntax(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::InvalidSyntax), detail)
    }

    /// 400 `invalidPath`.
    pub fn invalid_path(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::InvalidPath), detail)
    }

    /// 400 `noTarget`.
    pub fn no_target(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::NoTarget), detail)
    }

    /// 400 `invalidValue`.
    pub fn invalid_value(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::InvalidValue), detail)
    }

    /// 400 `invalidVers`.
    pub fn invalid_version(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::InvalidVersion), detail)
    }

    /// 403 `sensitive` (RFC 7644 §7.5.2).
    pub fn sensitive(detail: impl Into<Detail>) -> Self {
        Self::new(403, Some(ScimType::Sensitive), detail)
    }

    /// 400 `invalidCursor` (RFC 9865).
    pub fn invalid_cursor(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::InvalidCursor), detail)
    }

    /// 400 `expiredCursor` (RFC 9865).
    pub fn expired_cursor(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::ExpiredCursor), detail)
    }

    /// 400 `invalidCount` (RFC 9865).
    pub fn invalid_count(detail: impl Into<Detail>) -> Self {
        Self::new(400, Some(ScimType::InvalidCount), detail)
    }

    /// 304: the client's copy is current. Sent without a body.
    pub fn not_modified() -> Self {
        Self::new(304, None, "the resource has not changed")
    }

    /// 401. The answer also needs `WWW-Authenticate: Bearer`.
    pub fn unauthorized(detail: impl Into<Detail>) -> Self {
        Self::new(401, None, detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<Detail>) -> Self {
        Self::new(403, None, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<Detail>) -> Self {
        Self::new(404, None, detail)
    }

    /// 405. The answer also needs `Allow`.
    pub fn method_not_allowed(detail: impl Into<Detail>) -> Self {
        Self::new(405, None, detail)
    }

    /// 409 without a keyword: a conflict that is no uniqueness clash, such as an unresolvable `bulkId`.
    pub fn conflict(detail: impl Into<Detail>) -> Self {
        Self::new(409, None, detail)
    }

    /// 412: `If-Match` names another version.
    pub fn precondition_failed(detail: impl Into<Detail>) -> Self {
        Self::new(412, None, detail)
    }

    /// 413: over a limit on size or count.
    pub fn payload_too_large(detail: impl Into<Detail>) -> Self {
        Self::new(413, None, detail)
    }

    /// 415: the body is not JSON by its media type.
    pub fn unsupported_media_type(detail: impl Into<Detail>) -> Self {
        Self::new(415, None, detail)
    }

    /// 429. The answer also needs `Retry-After`.
    pub fn too_many_requests(detail: impl Into<Detail>) -> Self {
        Self::new(429, None, detail)
    }

    /// 500. The cause belongs in the log, not in the answer.
    pub fn internal() -> Self {
        Self::new(
            500,
            None,
            "the server could not complete the request; nothing was changed, try again",
        )
    }

    /// 501.
    pub fn not_implemented(detail: impl Into<Detail>) -> Self {
        Self::new(501, None, detail)
    }

    /// 503. The answer may carry `Retry-After`.
    pub fn unavailable(detail: impl Into<Detail>) -> Self {
        Self::new(503, None, detail)
    }

    /// The same error with `context` in front of its detail, to say which part of a request it is about.
    #[must_use]
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.detail = Cow::Owned(format!("{context}: {}", self.detail));
        self
    }

    /// The body of the answer. `status` is a string, as RFC 7644 §3.12 wants it.
    pub fn to_json(&self) -> Value {
        let mut body = json!({ "schemas": [ERROR_SCHEMA], "status": self.status.to_string() });
        if let Some(map) = body.as_object_mut() {
            if let Some(scim_type) = self.scim_type {
                map.insert("scimType".into(), scim_type.as_str().into());
            }
            map.insert("detail".into(), Value::String(self.detail.clone().into_owned()));
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_carries_the_status_as_a_string() {
        let body = ScimError::uniqueness("userName is taken").to_json();
        assert_eq!(
            body,
            json!({
                "schemas": [ERROR_SCHEMA], "status": "409", "scimType": "uniqueness", "detail": "userName is taken"
            })
        );
    }

    #[test]
    fn an_error_without_a_keyword_has_no_scim_type() {
        assert!(
            ScimError::not_found("no such user")
                .to_json()
                .get("scimType")
                .is_none()
        );
    }

    #[test]
    fn context_goes_in_front() {
        let error = ScimError::invalid_value("active is a boolean").within("operation 3");
        assert_eq!(error.detail, "operation 3: active is a boolean");
    }
}
