//! Every error of the API, as problem details (RFC 9457).

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use usher_core::{AdapterError, ErrorKind, IdError, Role, SourceName};
use usher_engine::EngineError;
use usher_storage::StorageError;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::Ref;
use utoipa::openapi::{RefOr, Response as Described};
use utoipa::{IntoResponses, ToSchema};

/// The media type of problem details.
const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a client may try again when the database is busy.
const BUSY_SECONDS: u32 = 1;

/// Why a request of the API was not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The engine said no.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No token, or one that is not valid.
    #[error("{0}")]
    Unauthenticated(String),
    /// The token is valid elsewhere, not here.
    #[error("{0}")]
    Elsewhere(String),
    /// The address brought too many tokens that are not valid.
    #[error("too many requests with a token that is not valid came from this address")]
    Throttled {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// The token's role may not do this.
    #[error("a token with the role '{role}' may not do this")]
    Forbidden {
        /// The role of the token.
        role: Role,
        /// The roles that may.
        allowed: &'static [Role],
    },
    /// The request cannot be read.
    #[error("{field}: {problem}")]
    Malformed {
        /// `body`, or the name of the header or parameter.
        field: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The body is larger than this endpoint takes.
    #[error("the body is larger than the {limit} bytes that this endpoint takes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is of a type that this endpoint does not take.
    #[error("this endpoint takes {0}")]
    MediaType(&'static str),
    /// There is no such endpoint.
    #[error("there is no such endpoint")]
    NoEndpoint,
    /// The endpoint exists, with other methods.
    #[error("this endpoint does not take this method")]
    Method,
    /// The key was used for another request.
    #[error("this idempotency key was used for another request within the last day")]
    KeyReused,
    /// The thing changed since the client read it.
    #[error("it has changed meanwhile: it is at version {actual} now")]
    VersionChanged {
        /// The present version.
        actual: i64,
    },
    /// An identity provider, or the way to it, failed.
    #[error("source '{source_name}': {message}")]
    Source {
        /// The source.
        source_name: String,
        /// What went wrong, as a word.
        kind: ErrorKind,
        /// What went wrong, for people.
        message: String,
    },
    /// The plan that was confirmed is not what would happen now.
    #[error("what would happen has changed since this plan was shown")]
    PlanChanged {
        /// The digest of the plan as it is now.
        digest: String,
        /// The plan as it is now.
        plan: Value,
    },
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<IdError> for ApiError {
    fn from(error: IdError) -> Self {
        Self::Malformed {
            field: "id",
            problem: error.to_string(),
        }
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:problem-type:usher:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, for people.
    pub title: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// A stable word for programs.
    pub code: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The field of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The request's id, as in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// With `plan_changed`: the digest to confirm now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// With `plan_changed`: what would happen now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Value>,
}

impl ApiError {
    /// A request that cannot be read.
    pub fn malformed(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Malformed {
            field,
            problem: problem.into(),
        }
    }

    /// A source could not be asked.
    #[expect(clippy::needless_pass_by_value, reason = "errors are handed on")]
    pub fn source(source: &SourceName, error: AdapterError) -> Self {
        Self::Source {
            source_name: source.to_string(),
            kind: error.kind(),
            message: error.to_string(),
        }
    }

    /// The one place that gives errors their status, code and title.
    fn sort(&self) -> (StatusCode, &str, &'static str) {
        match self {
            Self::Engine(error) => sort_engine(error),
            Self::Unauthenticated(_) => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "A valid token is needed",
            ),
            Self::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "throttled", "Too many failures"),
            Self::Elsewhere(_) => (
                StatusCode::FORBIDDEN,
                "elsewhere",
                "The token is for something else",
            ),
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden", "The role does not allow this"),
            Self::Malformed { .. } => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
            Self::TooLarge { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The body is too large",
            ),
            Self::MediaType(_) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type",
                "Another media type is needed",
            ),
            Self::NoEndpoint => (StatusCode::NOT_FOUND, "no_endpoint", "No such endpoint"),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "Another method is needed",
            ),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The idempotency key names another request",
            ),
            Self::VersionChanged { .. } => (
                StatusCode::PRECONDITION_FAILED,
                "version_changed",
                "It changed meanwhile",
            ),
            Self::Source {
                kind: ErrorKind::Unsupported,
                ..
            } => (
                StatusCode::CONFLICT,
                "unsupported",
                "The source does not offer this",
            ),
            Self::Source { kind, .. } => (
                StatusCode::BAD_GATEWAY,
                match kind {
                    ErrorKind::Unauthorised => "source_unauthorised",
                    ErrorKind::Forbidden => "source_forbidden",
                    ErrorKind::NotFound => "source_not_found",
                    ErrorKind::RateLimited => "source_rate_limited",
                    ErrorKind::Unavailable => "source_unavailable",
                    ErrorKind::InvalidConfig => "source_invalid_config",
                    ErrorKind::Protocol => "source_protocol",
                    _ => "source_failed",
                },
                "The identity provider did not answer as needed",
            ),
            Self::PlanChanged { .. } => (StatusCode::CONFLICT, "plan_changed", "The plan changed"),
        }
    }

    /// What to do next, where the error knows.
    fn next(&self) -> Option<String> {
        match self {
            Self::Engine(error) => next_of_engine(error),
            Self::PlanChanged { .. } => Some(LOOK_AGAIN.into()),
            Self::Unauthenticated(_) => {
                Some("send `Authorization: Bearer` and a token made by `usher token create --role`".into())
            }
            Self::Throttled { retry_after } => Some(format!("wait {retry_after} seconds")),
            Self::Forbidden { allowed, .. } => {
                let roles: Vec<_> = allowed.iter().map(|role| role.as_str()).collect();
                Some(format!("use a token with one of the roles {}", roles.join(", ")))
            }
            Self::Source {
                kind: ErrorKind::Unsupported,
                ..
            } => None,
            Self::Source {
                kind, source_name, ..
            } => Some(match kind {
                ErrorKind::RateLimited | ErrorKind::Unavailable => "try again later".into(),
                _ => format!(
                    "correct the settings of the source, or its rights: `usher source check {source_name}`"
                ),
            }),
            Self::KeyReused => Some("take a new key for each request".into()),
            Self::VersionChanged { .. } => Some("read it again, and repeat the change on that".into()),
            _ => None,
        }
    }

    /// The problem's details, without what only the request knows.
    #[must_use]
    pub fn problem(&self) -> Problem {
        if let Self::Engine(error) = self {
            return Problem::of_engine(error);
        }
        let (status, code, title) = self.sort();
        let mut problem = Problem::new(status, code, title, self.to_string());
        problem.next = self.next();
        match self {
            Self::PlanChanged { digest, plan } => {
                problem.digest = Some(digest.clone());
                problem.plan = Some(plan.clone());
            }
            Self::Malformed { field, .. } => problem.field = Some((*field).to_owned()),
            _ => {}
        }
        problem
    }
}

impl Problem {
    fn new(status: StatusCode, code: &str, title: &'static str, detail: String) -> Self {
        Self {
            kind: format!("urn:problem-type:usher:{code}"),
            title,
            status: status.as_u16(),
            detail,
            instance: None,
            code: code.to_owned(),
            next: None,
            field: None,
            request_id: None,
            digest: None,
            plan: None,
        }
    }

    /// What the engine said, as a problem. What only the log may know is left out.
    #[must_use]
    pub fn of_engine(error: &EngineError) -> Self {
        let (status, code, title) = sort_engine(error);
        let detail = match error {
            EngineError::Refused(refusal) => refusal.message.clone(),
            EngineError::Storage(StorageError::Unavailable { outcome_unknown, .. }) => match outcome_unknown {
                false => "the database is not available; nothing was changed".into(),
                true => {
                    "the database went away while the change was stored: it was kept as a whole or not at all"
                        .into()
                }
            },
            EngineError::Storage(error) if !is_for_clients(error) => {
                "the server failed; its log has the reason under the request's id".into()
            }
            other => other.to_string(),
        };
        let mut problem = Self::new(status, code, title, detail);
        problem.next = next_of_engine(error);
        match error {
            EngineError::PlanChanged { digest } => problem.digest = Some(digest.clone()),
            EngineError::Invalid { field, .. } => problem.field = Some((*field).to_owned()),
            _ => {}
        }
        problem
    }

    /// What goes wrong around the endpoints: a time limit, a panic.
    pub(super) fn around(status: StatusCode, detail: &str, instance: &str, request_id: &str) -> Self {
        let (code, title) = match status {
            StatusCode::SERVICE_UNAVAILABLE => ("timeout", "The answer took too long"),
            _ => ("internal", "The server failed"),
        };
        Self {
            instance: Some(instance.to_owned()),
            request_id: Some(request_id.to_owned()),
            ..Self::new(status, code, title, detail.to_owned())
        }
    }
}

/// What to do about a plan that changed.
const LOOK_AGAIN: &str = "look at the plan as it is now and confirm its digest";

fn next_of_engine(error: &EngineError) -> Option<String> {
    match error {
        EngineError::Refused(refusal) => Some(refusal.next.clone()),
        EngineError::PlanChanged { .. } => Some(LOOK_AGAIN.into()),
        EngineError::Storage(StorageError::Busy) => Some("try again".into()),
        EngineError::Storage(StorageError::Unavailable { outcome_unknown, .. }) => {
            Some(match outcome_unknown {
                false => "try again later".into(),
                true => "try again later; with the same idempotency key, it is done once".into(),
            })
        }
        _ => None,
    }
}

fn sort_engine(error: &EngineError) -> (StatusCode, &str, &'static str) {
    match error {
        EngineError::Refused(refusal) => (StatusCode::CONFLICT, refusal.code, "Refused"),
        EngineError::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found", "Not found"),
        EngineError::Invalid { .. } => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "The input cannot be right",
        ),
        EngineError::Conflict(_) => (StatusCode::CONFLICT, "conflict", "It exists already"),
        EngineError::PlanChanged { .. } => (StatusCode::CONFLICT, "plan_changed", "The plan changed"),
        EngineError::LeaseLost => (
            StatusCode::CONFLICT,
            "lease_lost",
            "Another process reads the source",
        ),
        EngineError::Storage(StorageError::Unique { .. }) => {
            (StatusCode::CONFLICT, "conflict", "It exists already")
        }
        EngineError::Storage(StorageError::NulInText) => {
            (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read")
        }
        EngineError::Storage(StorageError::Busy) => {
            (StatusCode::SERVICE_UNAVAILABLE, "busy", "The database is busy")
        }
        EngineError::Storage(StorageError::Unavailable { .. }) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "The database is not available",
        ),
        EngineError::Storage(StorageError::Closed) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "The server is stopping",
        ),
        EngineError::Storage(StorageError::Full) => {
            (StatusCode::INSUFFICIENT_STORAGE, "full", "The disk is full")
        }
        EngineError::Storage(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed"),
    }
}

/// Whether the words of a storage error help a client, and give nothing away.
const fn is_for_clients(error: &StorageError) -> bool {
    matches!(
        error,
        StorageError::Unique { .. }
            | StorageError::NulInText
            | StorageError::Busy
            | StorageError::Closed
            | StorageError::Full
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let is_ours = match &self {
            Self::Engine(EngineError::Storage(StorageError::Unavailable { .. })) => true,
            _ => problem.status == 500,
        };
        if is_ours && let Self::Engine(error) = &self {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "a request of the API failed"
            );
        }
        let mut response = problem.into_response();
        let headers = response.headers_mut();
        match &self {
            Self::Engine(EngineError::Storage(
                StorageError::Busy | StorageError::Closed | StorageError::Unavailable { .. },
            )) => {
                headers.insert(RETRY_AFTER, BUSY_SECONDS.into());
            }
            Self::Throttled { retry_after } => {
                headers.insert(RETRY_AFTER, (*retry_after).into());
            }
            Self::Unauthenticated(_) => {
                headers.insert(
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"usher\""),
                );
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response.extensions_mut().insert(self);
        response
    }
}

/// The errors of every endpoint, for the API's description.
#[derive(Debug)]
pub(super) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = ResponseBuilder::new()
            .description("It was not done; the problem's details say why and what to do next")
            .content(MEDIA_TYPE, content)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_conflict_that_says_what_to_do_next() {
        let error = ApiError::from(EngineError::refused(
            "not_in_group",
            "she is in no group of this room",
            "add her to 'Board'",
        ));
        let problem = error.problem();
        assert_eq!((problem.status, problem.code.as_str()), (409, "not_in_group"));
        assert_eq!(problem.kind, "urn:problem-type:usher:not_in_group");
        assert_eq!(problem.detail, "she is in no group of this room");
        assert_eq!(problem.next.as_deref(), Some("add her to 'Board'"));
    }

    #[test]
    fn inner_errors_are_told_to_the_log_alone() {
        let problem = ApiError::from(StorageError::Corrupt("page 7 of /secret/usher.db".into())).problem();
        assert_eq!(problem.status, 500);
        assert!(!problem.detail.contains("secret"), "{}", problem.detail);
    }

    #[test]
    fn a_busy_database_asks_to_try_again() {
        let response = ApiError::from(StorageError::Busy).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn a_database_that_is_away_is_no_failure_of_the_server_and_gives_nothing_away() {
        for outcome_unknown in [false, true] {
            let error = || {
                ApiError::from(StorageError::Unavailable {
                    reason: "no route to db.internal".into(),
                    outcome_unknown,
                })
            };
            let problem = error().problem();
            assert!(!problem.detail.contains("db.internal"), "{}", problem.detail);
            assert_eq!(problem.detail.contains("nothing was changed"), !outcome_unknown);
            let response = error().into_response();
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()[RETRY_AFTER], "1");
        }
    }
}
