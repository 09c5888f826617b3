//! `/events`: the feed, oldest first, with a wait for what comes next.

use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use usher_core::Role;
use usher_engine::Engine;
use usher_storage::query;
use usher_storage::query::event::EventRow;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Query;
use super::problem::Problems;
use super::view::CloudEvent;
use super::{ApiError, Caller};
use crate::AppState;

/// Events in an answer when the client does not say how many.
const USUAL: u32 = 100;
/// The most events in an answer.
const MOST: u32 = 1000;
/// The longest wait in seconds.
const LONGEST_WAIT: u64 = 30;
/// How often a waiting request looks: events may come from other processes, such as the command line.
const LOOK: Duration = Duration::from_millis(400);
/// What the portal sees.
const PORTAL: &[&str] = &["membership.", "room.", "grant."];

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Place {
    /// The place in the feed to go on from: `next` of the answer before, or the `id` of an event. Without it, from
    /// the beginning.
    #[serde(default)]
    after: i64,
    /// The most events to answer; 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// While there is no event, wait for one so many seconds, at most 30.
    #[serde(default)]
    #[param(maximum = 30)]
    wait: u64,
}

/// Events of the feed.
#[derive(Debug, Serialize, ToSchema)]
struct Feed {
    /// The events, oldest first.
    items: Vec<CloudEvent>,
    /// Where to go on: `after` of the next request.
    next: String,
}

/// Events after a place in the feed. The portal's tokens see those of memberships, rooms and grants.
#[utoipa::path(get, path = "/events", tag = "events", params(Place),
    responses((status = 200, body = Feed), Problems))]
async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Query(place): Query<Place>,
) -> Result<Json<Feed>, ApiError> {
    let limit = match place.limit.unwrap_or(USUAL) {
        limit @ 1..=MOST => limit,
        other => {
            return Err(ApiError::malformed(
                "limit",
                format!("{other} events cannot be answered; ask for 1 to {MOST}"),
            ));
        }
    };
    if place.wait > LONGEST_WAIT {
        return Err(ApiError::malformed(
            "wait",
            format!("wait at most {LONGEST_WAIT} seconds, and ask again"),
        ));
    }
    // The answer leaves before the server's own time limit.
    let longest = state.config.server.request_timeout.duration().mul_f32(0.8);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(place.wait).min(longest);
    let mut after = place.after;
    loop {
        let rows = read(&state.engine, after, limit).await?;
        let is_end = rows.is_empty();
        if let Some(last) = rows.last() {
            after = last.seq;
        }
        let items: Vec<_> = rows
            .into_iter()
            .filter(|row| is_visible(caller.role, &row.kind))
            .map(CloudEvent::from)
            .collect();
        let now = tokio::time::Instant::now();
        if !items.is_empty() || now >= deadline || state.stopping.is_cancelled() {
            let next = after.to_string();
            return Ok(Json(Feed { items, next }));
        }
        if is_end {
            tokio::select! {
                () = tokio::time::sleep_until(deadline.min(now + LOOK)) => {}
                () = state.stopping.cancelled() => {}
            }
        }
    }
}

/// Events after a place: all up to the last one. What could still be overtaken by an earlier one comes later.
pub(crate) async fn read(engine: &Engine, after: i64, limit: u32) -> Result<Vec<EventRow>, ApiError> {
    query::event::publish(engine.storage()).await?;
    engine
        .read(move |tx| Box::pin(async move { Ok(query::event::after(tx, after, limit).await?) }))
        .await
}

/// Whether whoever has this role may see events of this kind.
pub(crate) fn is_visible(role: Role, kind: &str) -> bool {
    role != Role::App || PORTAL.iter().any(|prefix| kind.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use usher_engine::EventKind;

    use super::*;

    #[test]
    fn the_portal_sees_nothing_of_the_directory_and_of_tokens() {
        let seen: Vec<_> = EventKind::ALL
            .iter()
            .map(|kind| kind.as_str())
            .filter(|kind| is_visible(Role::App, kind))
            .collect();
        assert!(seen.contains(&"membership.started"));
        assert!(
            seen.iter()
                .all(|kind| !kind.starts_with("directory.") && !kind.starts_with("token."))
        );
    }
}
