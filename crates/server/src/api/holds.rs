//! `/holds`: endings and arrivals that wait to be decided as one.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::{HoldId, PersonId};
use usher_engine::hold;
use usher_storage::query::hold::HoldRow;
use usher_storage::{StorageError, Tx, query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::view::{HoldDetails, HoldView};
use super::write::{Confirmation, Write, or_new_plan};
use super::{ApiError, name};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// Which holds.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Closed ones too.
    #[serde(default)]
    all: bool,
}

/// Holds in the order of their opening: the open ones, or all.
#[utoipa::path(get, path = "/holds", tag = "holds", params(Filter, Paging),
    responses((status = 200, body = Page<HoldView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<HoldView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<HoldId>()?);
    let page = state
        .engine
        .read(move |tx| {
            Box::pin(async move {
                let rows = query::hold::page(tx, !filter.all, after, limit + 1).await?;
                let (rows, next) = Page::<HoldView>::cut(rows, limit, |row| row.id);
                let items = views(tx, rows).await?;
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// A hold with those in it, a page at a time, its probable cause, and the digest that decides about all of them.
#[utoipa::path(get, path = "/holds/{hold}", tag = "holds", params(Paging),
    responses((status = 200, body = HoldDetails), Problems))]
async fn get(
    State(state): State<AppState>,
    Path(hold): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<HoldDetails>, ApiError> {
    Ok(Json(details(&state, name::id("hold", &hold)?, paging).await?))
}

/// Lets happen what a hold holds: its people leave the room, or come in.
#[utoipa::path(post, path = "/holds/{hold}/approve", tag = "holds", request_body = Confirmation,
    responses((status = 200, body = HoldView), Problems))]
async fn approve(
    State(state): State<AppState>,
    Path(hold): Path<String>,
    write: Write<Confirmation>,
) -> Result<Response, ApiError> {
    let id = name::id("hold", &hold)?;
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let row = unit.approve_hold(id, &body.digest).await?;
                Ok(view(unit.tx(), row).await?)
            })
        })
        .await;
    or_new_plan(result, details(&state, id, Paging::default())).await
}

/// Refuses what a hold holds: its people stay in the room, or keep waiting at its door.
#[utoipa::path(post, path = "/holds/{hold}/reject", tag = "holds", request_body = Confirmation,
    responses((status = 200, body = HoldView), Problems))]
async fn reject(
    State(state): State<AppState>,
    Path(hold): Path<String>,
    write: Write<Confirmation>,
) -> Result<Response, ApiError> {
    let id = name::id("hold", &hold)?;
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let row = unit.reject_hold(id, &body.digest).await?;
                Ok(view(unit.tx(), row).await?)
            })
        })
        .await;
    or_new_plan(result, details(&state, id, Paging::default())).await
}

async fn details(state: &AppState, id: HoldId, paging: Paging) -> Result<HoldDetails, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<PersonId>()?);
    state
        .engine
        .read(move |tx| {
            Box::pin(async move {
                let mut shown = hold::view(tx, id, (after, limit + 1)).await?;
                let (people, next) = Page::<()>::cut(shown.people, limit, |held| held.item.person);
                shown.people = people;
                Ok(HoldDetails { next, ..shown.into() })
            })
        })
        .await
}

/// Holds with the names of rooms and sources.
pub(crate) async fn views(tx: &mut Tx<'_>, rows: Vec<HoldRow>) -> Result<Vec<HoldView>, StorageError> {
    let sources = name::sources(tx).await?;
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| row.room).collect();
    let rooms: BTreeMap<_, _> = query::room::by_ids(tx, ids)
        .await?
        .into_iter()
        .map(|room| (room.id, room.name))
        .collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let room = rooms.get(&row.room).cloned().unwrap_or_default();
            let source = sources.get(&row.source).cloned().unwrap_or_default();
            HoldView::new(row, room, source)
        })
        .collect())
}

/// A hold with its names.
pub(crate) async fn view(tx: &mut Tx<'_>, row: HoldRow) -> Result<HoldView, StorageError> {
    let mut views = views(tx, vec![row]).await?;
    Ok(views.pop().expect("there is a view for each row"))
}
