//! `/hooks/{source}`: calls by which a provider says that something changed. They carry no token of ours: the adapter
//! knows by what secret they are the provider's. A call is a hint to read, never the truth.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use usher_core::{ErrorKind, Notification, NotificationAnswer, PullCause, SourceName};
use usher_engine::pull::Target;
use usher_engine::{Actor, Cause, EngineError};
use usher_storage::SourceKey;

use super::readers::Reader;
use crate::AppState;

/// The largest body.
const MAX_BODY: usize = 256 * 1024;
/// Calls of one source in a minute.
const MOST: u32 = 600;
const MINUTE: Duration = Duration::from_secs(60);
/// With more hints in one call, everything is read.
const MOST_HINTS: usize = 20;

/// The endpoint.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/hooks/{source}", get(take).post(take))
}

/// Counts the calls of each source.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<HashMap<SourceName, (Instant, u32)>>);

impl Gate {
    fn is_too_many(&self, source: &SourceName) -> bool {
        let mut counts = self.0.lock().expect("no holder of this lock panics");
        let (start, count) = counts
            .entry(source.clone())
            .or_insert_with(|| (Instant::now(), 0));
        if start.elapsed() >= MINUTE {
            (*start, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        *count > MOST
    }
}

async fn take(State(state): State<AppState>, Path(source): Path<String>, request: Request) -> Response {
    let Some((reader, key)) = find(&state, &source) else {
        return (StatusCode::NOT_FOUND, "no source of this name takes calls\n").into_response();
    };
    if state.hooks.is_too_many(&reader.name) {
        return (
            StatusCode::TOO_MANY_REQUESTS,
            [(RETRY_AFTER, "60")],
            "too many calls\n",
        )
            .into_response();
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n").into_response();
    };
    let notification = Notification {
        headers: headers(&parts.headers),
        query: Query::try_from_uri(&parts.uri).map_or_else(|_| Vec::new(), |Query(pairs)| pairs),
        body: body.to_vec(),
    };
    let answer = match reader.adapter.notification(notification).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(source.name = %reader.name, %error, "a call of a provider was refused");
            return refusal(error.kind());
        }
    };
    match enqueue(&state, &reader, key, &answer).await {
        Ok(()) => accepted(answer),
        // It is retired or frozen: nothing is read, and the provider need not repeat the call.
        Err(EngineError::Refused(_)) => accepted(answer),
        Err(error) => {
            let error = crate::logging::chain(&error);
            tracing::error!(source.name = %reader.name, error, "a call of a provider could not be kept");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(RETRY_AFTER, "5")],
                "try again\n",
            )
                .into_response()
        }
    }
}

fn find(state: &AppState, name: &str) -> Option<(Reader, SourceKey)> {
    let reader = state.readers.get(name).ok()?;
    let takes_calls = reader.mode.pulls() && reader.adapter.describe().capabilities.notifications;
    let key = state.sources.get(&reader.name)?.key;
    takes_calls.then(|| (reader.clone(), key))
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn refusal(kind: ErrorKind) -> Response {
    let (status, text) = match kind {
        ErrorKind::Unauthorised | ErrorKind::Forbidden => (
            StatusCode::UNAUTHORIZED,
            "the call does not carry the agreed secret\n",
        ),
        ErrorKind::Unsupported | ErrorKind::NotFound => {
            (StatusCode::NOT_FOUND, "this source takes no calls\n")
        }
        ErrorKind::Protocol => (StatusCode::BAD_REQUEST, "the call is not understood\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "try again\n"),
    };
    (status, text).into_response()
}

fn accepted(answer: NotificationAnswer) -> Response {
    match answer.body {
        Some((media_type, text)) => ([(CONTENT_TYPE, media_type)], text).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Asks for reads of what may have changed.
async fn enqueue(
    state: &AppState,
    reader: &Reader,
    key: SourceKey,
    answer: &NotificationAnswer,
) -> Result<(), EngineError> {
    let targets = targets(reader, answer);
    if targets.is_empty() {
        return Ok(());
    }
    let cause = Cause::new(Actor::Source(reader.name.to_string()));
    state
        .engine
        .write(cause, move |unit| {
            let targets = targets.clone();
            Box::pin(async move {
                for target in &targets {
                    unit.ask_read(key, target, PullCause::Notification, None).await?;
                }
                Ok::<_, EngineError>(())
            })
        })
        .await?;
    reader.wake();
    Ok(())
}

/// What to read: what changed everywhere where that is cheap or the hints are many, else exactly what was hinted at.
fn targets(reader: &Reader, answer: &NotificationAnswer) -> Vec<Target> {
    let hints = answer.groups.len() + answer.users.len();
    let reads_changes = reader.adapter.describe().capabilities.delta_reads;
    if hints > MOST_HINTS || reads_changes && !answer.groups.is_empty() {
        return vec![Target::All { full: false }];
    }
    let groups = answer
        .groups
        .iter()
        .map(|group| Target::Groups(vec![group.clone()]));
    let users = answer.users.iter().map(|user| Target::Person(user.clone()));
    groups.chain(users).collect()
}
