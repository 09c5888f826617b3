//! Writing endpoints: a strict body, an idempotency key, and one unit of work that stores its own answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use usher_engine::{Actor, Cause, Engine, EngineError, Unit};
use usher_storage::query::idempotency::{self, AnswerRow};
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::{HoldDetails, PlanView, PolicyPlanView, RestorePlanView, RetirePlanView};
use super::{ApiError, Caller};
use crate::access::Credential;
use crate::{AppState, RequestId};

/// The largest JSON body of the API.
const MAX_BODY: usize = 64 * 1024;
/// The longest idempotency key.
const MAX_KEY: usize = 255;
/// The longest reason.
const MAX_REASON: usize = 1000;
/// How long an answer is kept under its key.
const KEPT: Duration = Duration::from_secs(24 * 3600);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A request that changes something: who, what, under which key.
#[derive(Debug)]
pub(super) struct Write<B> {
    /// Who asks.
    pub(super) caller: Caller,
    /// The body.
    pub(super) body: Arc<B>,
    /// The version that the client saw, from `If-Match`.
    pub(super) seen: Option<i64>,
    engine: Engine,
    cause: Cause,
    key: Option<String>,
    digest: [u8; 32],
}

/// A body of the API. Each may carry the reason that a human gives.
pub(super) trait Input: DeserializeOwned + Send + Sync + 'static {
    /// The reason.
    fn reason(&self) -> Option<&str> {
        None
    }
}

/// The body of a request that needs none: nothing, or an object with a reason.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    /// Why, for the history.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// The confirmation of a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    /// The digest of the plan that is confirmed.
    pub(super) digest: String,
    /// Why, for the history.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// Makes types bodies whose field `reason` is the human's reason.
macro_rules! inputs {
    ($($name:ty),* $(,)?) => {$(
        impl $crate::api::write::Input for $name {
            fn reason(&self) -> Option<&str> {
                self.reason.as_deref()
            }
        }
    )*};
}
pub(super) use inputs;

inputs!(Because, Confirmation);

impl<B: Input> Write<B> {
    /// Does `work` as one unit and answers what it returns; or answers what the same request got before.
    ///
    /// # Errors
    /// What `work` returned, and a key that names another request. Nothing is changed then.
    pub(super) async fn run<T, W>(self, status: StatusCode, work: W) -> Result<Response, ApiError>
    where
        T: Serialize + Send,
        W: for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>, &'a B) -> BoxFuture<'a, Result<T, ApiError>>
            + Send
            + Sync
            + 'static,
    {
        let (body, work) = (self.body, Arc::new(work));
        let told: Box<Told> = Box::new(move |unit| {
            let (body, work) = (Arc::clone(&body), Arc::clone(&work));
            Box::pin(async move {
                let result = work(unit, &body).await?;
                Ok(serde_json::to_string(&result).expect("answers are plain structs"))
            })
        });
        let keyed = Keyed {
            owner: self.caller.credential.owner(),
            key: self.key,
            digest: self.digest,
        };
        once(&self.engine, self.cause, keyed, status, told).await
    }

    /// The body, and who asks and why, for what is not one unit of its own.
    pub(super) fn into_parts(self) -> (Arc<B>, Cause) {
        (self.body, self.cause)
    }

    /// Who asks and why, for what is found out before the unit.
    pub(super) const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Whether the client sent an idempotency key.
    pub(super) const fn has_key(&self) -> bool {
        self.key.is_some()
    }
}

/// A request under the key of whoever sent it, if there is one.
struct Keyed {
    owner: Uuid,
    key: Option<String>,
    digest: [u8; 32],
}

/// What a request does, and the text of its answer.
type Told =
    dyn for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<String, ApiError>> + Send + Sync;

/// Does what a request asks for, unless it was done before. Its types are erased, so that this is compiled once.
fn once(
    engine: &Engine,
    cause: Cause,
    keyed: Keyed,
    status: StatusCode,
    told: Box<Told>,
) -> BoxFuture<'_, Result<Response, ApiError>> {
    let (keyed, told) = (Arc::new(keyed), Arc::<Told>::from(told));
    let answered = engine.write(cause, move |unit| {
        let (keyed, told) = (Arc::clone(&keyed), Arc::clone(&told));
        Box::pin(async move {
            let Keyed { owner, key, digest } = &*keyed;
            if let Some(key) = key
                && let Some(answer) = earlier(unit, *owner, key, digest).await?
            {
                return Ok((answer, true));
            }
            let answer = AnswerRow {
                digest: digest.to_vec(),
                status: status.as_u16(),
                body: told(unit).await?,
            };
            if let Some(key) = key {
                let now = unit.now();
                idempotency::forget(unit.tx(), now.minus(KEPT)).await?;
                idempotency::keep(unit.tx(), *owner, key, &answer, now).await?;
            }
            Ok::<_, ApiError>((answer, false))
        })
    });
    Box::pin(async move {
        let (answer, replayed) = answered.await?;
        Ok(respond(answer, replayed))
    })
}

/// Refuses when the client saw another version than this one.
///
/// # Errors
/// [`ApiError::VersionChanged`].
pub(super) fn still(seen: Option<i64>, actual: i64) -> Result<(), ApiError> {
    match seen {
        Some(seen) if seen != actual => Err(ApiError::VersionChanged { actual }),
        _ => Ok(()),
    }
}

/// Where the plan changed, puts the present one beside the error.
///
/// # Errors
/// Those of `result`.
pub(super) async fn or_new_plan<P: Plan>(
    result: Result<Response, ApiError>,
    plan: impl Future<Output = Result<P, ApiError>>,
) -> Result<Response, ApiError> {
    match result {
        Err(ApiError::Engine(EngineError::PlanChanged { .. })) => {
            let plan = plan.await?;
            Err(ApiError::PlanChanged {
                digest: plan.digest().to_owned(),
                plan: serde_json::to_value(plan).expect("plans are plain structs"),
            })
        }
        other => other,
    }
}

/// A plan that is confirmed by its digest.
pub(super) trait Plan: Serialize {
    /// What to confirm.
    fn digest(&self) -> &str;
}

macro_rules! plans {
    ($($plan:ty),* $(,)?) => {$(
        impl Plan for $plan {
            fn digest(&self) -> &str {
                &self.digest
            }
        }
    )*};
}

plans!(
    PlanView,
    RestorePlanView,
    HoldDetails,
    PolicyPlanView,
    RetirePlanView
);

async fn earlier(
    unit: &mut Unit<'_, '_>,
    owner: Uuid,
    key: &str,
    digest: &[u8; 32],
) -> Result<Option<AnswerRow>, ApiError> {
    let after = unit.now().minus(KEPT);
    match idempotency::find(unit.tx(), owner, key, after).await? {
        Some(answer) if answer.digest == digest => Ok(Some(answer)),
        Some(_) => Err(ApiError::KeyReused),
        None => Ok(None),
    }
}

fn respond(answer: AnswerRow, replayed: bool) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = if answer.body == "null" {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (
            status,
            [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            answer.body,
        )
            .into_response()
    };
    if replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

impl<B: Input> FromRequest<AppState> for Write<B> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let caller = parts
            .extensions
            .get::<Caller>()
            .cloned()
            .ok_or_else(|| ApiError::Unauthenticated("the request has no token".into()))?;
        let key = idempotency_key(&parts.headers)?;
        let seen = seen_version(&parts.headers)?;
        let bytes = read(body, MAX_BODY).await?;
        if !bytes.is_empty() && !is_json(&parts.headers) {
            return Err(ApiError::MediaType("application/json"));
        }
        let mut digest = Sha256::new();
        for part in [parts.method.as_str(), &parts.uri.to_string()] {
            digest.update(part);
            digest.update([0]);
        }
        digest.update(seen.unwrap_or_default().to_be_bytes());
        digest.update(&bytes);
        let body: B = parse(&bytes)?;
        let reason = body.reason().map(str::trim).filter(|reason| !reason.is_empty());
        if reason.is_some_and(|reason| reason.len() > MAX_REASON) {
            return Err(ApiError::malformed(
                "reason",
                format!("it is longer than {MAX_REASON} bytes"),
            ));
        }
        let cause = cause(&caller, &parts.extensions, reason);
        Ok(Self {
            caller,
            body: Arc::new(body),
            seen,
            engine: state.engine.clone(),
            cause,
            key,
            digest: digest.finalize().into(),
        })
    }
}

/// Who asks, by which request, and why.
pub(super) fn cause(caller: &Caller, extensions: &Extensions, reason: Option<&str>) -> Cause {
    Cause {
        actor: match caller.credential {
            Credential::Token(_) => Actor::Token(caller.label.clone()),
            Credential::Session(_) => Actor::Console(caller.label.clone()),
        },
        request_id: extensions.get::<RequestId>().map(|id| id.0.to_string()),
        reason: reason.map(str::to_owned),
    }
}

/// Reads a body to its end.
///
/// # Errors
/// [`ApiError::TooLarge`] when it has more bytes than `limit`.
pub(super) async fn read(body: Body, limit: usize) -> Result<bytes::Bytes, ApiError> {
    to_bytes(body, limit)
        .await
        .map_err(|_| ApiError::TooLarge { limit })
}

fn parse<B: Input>(bytes: &[u8]) -> Result<B, ApiError> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    // A list would be taken for the fields in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::malformed("body", "send a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::malformed("body", error.to_string()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The key, with or without the quotes of a structured header.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    let key = key
        .strip_prefix('"')
        .and_then(|key| key.strip_suffix('"'))
        .unwrap_or(key);
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(ApiError::malformed(
            "Idempotency-Key",
            format!("use 1 to {MAX_KEY} visible ASCII characters, such as a UUID"),
        ));
    }
    Ok(Some(key.to_owned()))
}

/// `If-Match: "7"` or `W/"7"`; `*` asks for nothing.
fn seen_version(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    let tag = value.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(None);
    }
    let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    tag.parse().map(Some).map_err(|_| {
        ApiError::malformed(
            "If-Match",
            "use the `version` that you read, in quotes, such as \"3\"",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn keys_come_with_and_without_quotes_and_have_a_limit() {
        for good in ["\"a-1\"", "a-1"] {
            let key = idempotency_key(&headers(IDEMPOTENCY_KEY, good)).unwrap();
            assert_eq!(key.as_deref(), Some("a-1"));
        }
        for bad in ["", "\"\"", &"x".repeat(256)] {
            assert!(idempotency_key(&headers(IDEMPOTENCY_KEY, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_read_from_strong_and_weak_tags() {
        for (tag, version) in [("\"3\"", Some(3)), ("W/\"4\"", Some(4)), ("*", None)] {
            assert_eq!(seen_version(&headers(IF_MATCH, tag)).unwrap(), version);
        }
        assert!(seen_version(&headers(IF_MATCH, "\"abc\"")).is_err());
    }

    #[test]
    fn unknown_fields_are_named() {
        let error = parse::<Because>(br#"{"resaon": "typo"}"#).unwrap_err();
        assert!(error.to_string().contains("resaon"), "{error}");
    }
}
