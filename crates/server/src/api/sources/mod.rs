//! `/sources`: the connections to identity providers, and how fresh what they said is.

mod pull;
mod requests;
mod setup;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::SourceName;
use usher_engine::{Engine, EngineError};
use usher_storage::query::source::SourceRow;
use usher_storage::{StorageError, Tx, query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::api::extract::{Path, Query};
use crate::api::page::Page;
use crate::api::problem::Problems;
use crate::api::view::{RetirePlanView, SourceView};
use crate::api::words::Time;
use crate::api::write::{Confirmation, Write, or_new_plan};
use crate::api::{ApiError, name};

pub(in crate::api) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(plan_retirement))
        .routes(routes!(retire))
        .routes(routes!(setup::setup))
        .routes(routes!(requests::list))
        .merge(pull::router())
}

pub(crate) use pull::{JoinInput, JoinedView, SyncInput, find_runs, join, sync};

/// What is said of each source.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Detail {
    /// Whether accounts and groups are counted; they are when left out. Where there are many accounts, counting takes longest.
    counts: Option<bool>,
}

/// Every source, configured or not, by name.
#[utoipa::path(get, path = "/sources", tag = "sources", params(Detail),
    responses((status = 200, body = Page<SourceView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Query(detail): Query<Detail>,
) -> Result<Json<Page<SourceView>>, ApiError> {
    let counts = detail.counts.unwrap_or(true);
    let items = state
        .engine
        .read(move |tx| Box::pin(async move { Ok::<_, ApiError>(all(tx, counts).await?) }))
        .await?;
    Ok(Json(Page::whole(items)))
}

/// A source.
#[utoipa::path(get, path = "/sources/{source}", tag = "sources",
    responses((status = 200, body = SourceView), Problems))]
async fn get(
    State(state): State<AppState>,
    Path(source): Path<String>,
) -> Result<Json<SourceView>, ApiError> {
    let view = state
        .engine
        .read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let row = name::source(tx, &source).await?;
                Ok::<_, ApiError>(view(tx, row, true).await?)
            })
        })
        .await?;
    Ok(Json(view))
}

/// What retiring a source would do: who leaves which rooms.
#[utoipa::path(get, path = "/sources/{source}/retirement/plan", tag = "sources",
    responses((status = 200, body = RetirePlanView), Problems))]
async fn plan_retirement(
    State(state): State<AppState>,
    Path(source): Path<String>,
) -> Result<Json<RetirePlanView>, ApiError> {
    Ok(Json(planned(&state.engine, &source).await?))
}

/// What retiring a source would do.
pub(crate) async fn planned(engine: &Engine, source: &str) -> Result<RetirePlanView, ApiError> {
    Ok(engine.plan_retire_source(parse(source)?).await?.into())
}

/// Retires a source as the plan with this digest showed it.
#[utoipa::path(post, path = "/sources/{source}/retirement/confirm", tag = "sources",
    request_body = Confirmation, responses((status = 200, body = SourceView), Problems))]
async fn retire(
    State(state): State<AppState>,
    Path(source): Path<String>,
    write: Write<Confirmation>,
) -> Result<Response, ApiError> {
    let name = parse(&source)?;
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            let name = name.clone();
            Box::pin(async move {
                unit.retire_source(&name, &body.digest).await?;
                let row = name::source(unit.tx(), name.as_str()).await?;
                Ok(view(unit.tx(), row, true).await?)
            })
        })
        .await;
    or_new_plan(result, planned(&state.engine, &source)).await
}

/// A name that a source may have.
pub(crate) fn parse(source: &str) -> Result<SourceName, EngineError> {
    source
        .parse()
        .map_err(|_| EngineError::not_found("source", source))
}

/// Every source, with its counts where they are wanted.
pub(crate) async fn all(tx: &mut Tx<'_>, counts: bool) -> Result<Vec<SourceView>, StorageError> {
    let mut items = Vec::new();
    for row in query::source::all(tx).await? {
        items.push(view(tx, row, counts).await?);
    }
    Ok(items)
}

async fn view(tx: &mut Tx<'_>, row: SourceRow, counts: bool) -> Result<SourceView, StorageError> {
    let last_write = query::source::last_write(tx, row.key).await?;
    let counts = match counts {
        true => {
            let users = query::user::count(tx, row.key).await?;
            Some((users, query::group::count(tx, row.key).await?))
        }
        false => None,
    };
    let pull = match row.mode.as_str() {
        "push" => None,
        _ => Some(query::pull_run::state(tx, row.key).await?),
    };
    Ok(SourceView::new(row, last_write.map(Time), counts, pull))
}
