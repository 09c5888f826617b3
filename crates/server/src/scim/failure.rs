//! Errors as SCIM answers.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use usher_engine::EngineError;
use usher_scim::{MEDIA_TYPE, ScimError};
use usher_storage::StorageError;

use crate::access::AccessError;

/// A refusal with the headers that go with it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ScimError,
    header: Option<(header::HeaderName, HeaderValue)>,
    /// What the database said. It is logged when the failure is answered: a unit that fails may run again.
    cause: Option<Box<StorageError>>,
}

impl Failure {
    /// 405, saying what is allowed.
    pub(super) fn method_not_allowed(allowed: &'static str) -> Self {
        let error = ScimError::method_not_allowed(format!("this endpoint takes {allowed}"));
        Self {
            error,
            header: Some((header::ALLOW, HeaderValue::from_static(allowed))),
            cause: None,
        }
    }

    /// 503: worth another try soon.
    pub(super) fn busy(detail: &'static str) -> Self {
        Self {
            error: ScimError::unavailable(detail),
            header: Some((header::RETRY_AFTER, HeaderValue::from_static("5"))),
            cause: None,
        }
    }

    fn because(self, cause: StorageError) -> Self {
        Self {
            cause: Some(Box::new(cause)),
            ..self
        }
    }

    /// The error, for an answer in which it is one of several.
    pub(super) fn into_error(self) -> ScimError {
        self.log();
        self.error
    }

    pub(super) fn into_response(self) -> Response {
        self.log();
        let mut response = error_response(&self.error);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn log(&self) {
        let Some(cause) = &self.cause else { return };
        let error = crate::logging::chain(&**cause);
        match **cause {
            StorageError::Busy | StorageError::Full | StorageError::Closed => {
                tracing::error!(error, "the database takes no work");
            }
            StorageError::Unavailable { .. } => tracing::error!(error, "the database is away"),
            _ => tracing::error!(error, "the database failed"),
        }
    }
}

/// An error as a SCIM answer.
pub(crate) fn error_response(error: &ScimError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(error.to_json().to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

impl From<ScimError> for Failure {
    fn from(error: ScimError) -> Self {
        Self {
            error,
            header: None,
            cause: None,
        }
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        let detail = error.to_string();
        match error {
            AccessError::Unavailable(cause) => cause.into(),
            AccessError::Throttled => Self {
                error: ScimError::too_many_requests(detail),
                header: Some((header::RETRY_AFTER, HeaderValue::from_static("60"))),
                cause: None,
            },
            refused if refused.is_forbidden() => ScimError::forbidden(detail).into(),
            _ => Self {
                error: ScimError::unauthorized(detail),
                header: Some((
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"SCIM\""),
                )),
                cause: None,
            },
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Storage(error) => error.into(),
            EngineError::Conflict(detail) => ScimError::uniqueness(detail).into(),
            EngineError::Invalid { .. } => ScimError::invalid_value(error.to_string()).into(),
            EngineError::NotFound { .. } => ScimError::not_found(error.to_string()).into(),
            EngineError::Refused(_) => ScimError::forbidden(error.to_string()).into(),
            EngineError::PlanChanged { .. } | EngineError::LeaseLost => {
                ScimError::conflict(error.to_string()).into()
            }
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Unique { .. } => {
                ScimError::uniqueness("another resource of this source has the same userName or externalId")
                    .into()
            }
            StorageError::NulInText => ScimError::invalid_value(error.to_string()).into(),
            StorageError::Busy | StorageError::Full | StorageError::Closed => Self::busy(
                "the service cannot store changes at the moment; nothing was changed, try again later",
            )
            .because(error),
            StorageError::Unavailable { outcome_unknown, .. } => Self::busy(match outcome_unknown {
                false => "the database is not available; nothing was changed, try again later",
                true => {
                    "the database went away while the change was stored: it was kept as a whole or not at all; \
                     try again later"
                }
            })
            .because(error),
            error => Self::from(ScimError::internal()).because(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_asks_to_try_again_and_says_what_is_known() {
        for outcome_unknown in [false, true] {
            let failure = Failure::from(StorageError::Unavailable {
                reason: "no route to db.internal".into(),
                outcome_unknown,
            });
            let detail = failure.error.detail.clone();
            assert_eq!(
                detail.contains("nothing was changed"),
                !outcome_unknown,
                "{detail}"
            );
            assert!(!detail.contains("db.internal"), "{detail}");
            let response = failure.into_response();
            assert_eq!(response.status(), 503);
            assert!(response.headers().contains_key(header::RETRY_AFTER));
        }
    }
}
