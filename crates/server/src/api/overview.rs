//! `/overview`: what waits for a human, counted, and what is in trouble.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use usher_core::{Role, SourceState, Timestamp};
use usher_storage::query::overview;
use usher_storage::{StorageError, Tx, query};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiError;
use super::problem::Problems;
use super::words::{self, Time};
use crate::AppState;

/// Counts go no further.
const MOST: u32 = 1000;
/// A credential that ends within this time is told.
const NEAR: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// What waits for a human, and what is in trouble.
#[derive(Debug, Serialize, ToSchema)]
struct OverviewView {
    /// Orders under way.
    orders: Counted,
    /// Open holds.
    holds: Counted,
    /// Restores that are suggested.
    restores: Counted,
    /// Memberships that stay without their source.
    strays: Counted,
    /// Rooms in use that nobody administers.
    rooms_without_administrator: Counted,
    /// Groups that lead to no room.
    parked_groups: Counted,
    /// People who wait at the doors of rooms.
    parked_people: Counted,
    /// The sources, with what is wrong.
    sources: Vec<SourceHealth>,
    /// Credentials that have ended or end within 30 days and were not revoked, the nearest end first.
    expiring: Vec<Expiring>,
    /// Whether configured rules wait for a confirmation.
    policy_waits: bool,
}

/// A number of things.
#[derive(Debug, Serialize, ToSchema)]
struct Counted {
    /// How many, up to 1000.
    count: i64,
    /// Whether there are more.
    more: bool,
}

/// How a source is.
#[derive(Debug, Serialize, ToSchema)]
struct SourceHealth {
    /// Its name.
    name: String,
    /// Whether it is listened to.
    #[schema(value_type = words::SourceState)]
    state: SourceState,
    /// Why it cannot be read.
    trouble: Option<String>,
    /// Since when.
    since: Option<Time>,
}

/// A credential near its end.
#[derive(Debug, Serialize, ToSchema)]
struct Expiring {
    /// Where it is used, in words.
    label: String,
    /// The source that it pushes to.
    source: Option<String>,
    /// What its bearer may do.
    #[schema(value_type = Option<words::Role>)]
    role: Option<Role>,
    /// When it ends.
    expires: Time,
}

/// What waits for a human, and what is in trouble.
#[utoipa::path(get, path = "/overview", tag = "overview",
    responses((status = 200, body = OverviewView), Problems))]
async fn get(State(state): State<AppState>) -> Result<Json<OverviewView>, ApiError> {
    let now = state.engine.now();
    let view = state
        .engine
        .read(move |tx| Box::pin(async move { Ok::<_, ApiError>(view(tx, now).await?) }))
        .await?;
    Ok(Json(view))
}

async fn view(tx: &mut Tx<'_>, now: Timestamp) -> Result<OverviewView, StorageError> {
    let (mut sources, mut parked_groups) = (Vec::new(), 0);
    for row in query::source::all(tx).await? {
        if row.state == SourceState::Retired {
            continue;
        }
        parked_groups += overview::parked_groups(tx, row.key, MOST + 1).await?;
        let degraded = match row.mode.as_str() {
            "push" => None,
            _ => query::pull_run::state(tx, row.key).await?.degraded,
        };
        sources.push(SourceHealth {
            name: row.name,
            state: row.state,
            since: degraded.as_ref().map(|degraded| degraded.since.into()),
            trouble: degraded.map(|degraded| degraded.reason),
        });
    }
    let policy = query::policy::load(tx).await?;
    Ok(OverviewView {
        orders: counted(overview::orders_under_way(tx, MOST + 1).await?),
        holds: counted(overview::open_holds(tx, MOST + 1).await?),
        restores: counted(overview::suggested_restores(tx, MOST + 1).await?),
        strays: counted(overview::strays(tx, MOST + 1).await?),
        rooms_without_administrator: counted(overview::rooms_without_administrator(tx, MOST + 1).await?),
        parked_groups: counted(parked_groups),
        parked_people: counted(overview::parked_people(tx, MOST + 1).await?),
        sources,
        expiring: expiring(tx, now).await?,
        policy_waits: policy.is_some_and(|policy| policy.proposed.is_some()),
    })
}

async fn expiring(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<Expiring>, StorageError> {
    let near = now.plus(NEAR);
    let mut found: Vec<_> = query::token::all(tx)
        .await?
        .into_iter()
        .filter(|token| token.revoked.is_none())
        .filter_map(|token| Some((token.expires.filter(|expires| *expires <= near)?, token)))
        .collect();
    found.sort_by_key(|(expires, _)| *expires);
    Ok(found
        .into_iter()
        .map(|(expires, token)| Expiring {
            label: token.label,
            source: token.source_name,
            role: token.role,
            expires: expires.into(),
        })
        .collect())
}

fn counted(count: i64) -> Counted {
    let most = i64::from(MOST);
    Counted {
        count: count.min(most),
        more: count > most,
    }
}
