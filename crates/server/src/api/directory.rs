//! `/sources/{source}/users` and `/sources/{source}/groups`: what a source said, read only.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use usher_core::{MappingState, RoomId, SourceGroupId, SourceUserId};
use usher_engine::EngineError;
use usher_storage::query::group::GroupRow;
use usher_storage::{StorageError, Tx, query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::view::{GroupView, MemberView, RoomName, UserView};
use super::{ApiError, name};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(users))
        .routes(routes!(user))
        .routes(routes!(groups))
        .routes(routes!(group))
        .routes(routes!(members))
}

/// Accounts of a source in the order of their creation.
#[utoipa::path(get, path = "/sources/{source}/users", tag = "directory", params(Paging),
    responses((status = 200, body = Page<UserView>), Problems))]
async fn users(
    State(state): State<AppState>,
    Path(source): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<UserView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<SourceUserId>()?);
    let rows = state
        .engine
        .read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let source = name::source(tx, &source).await?.key;
                Ok::<_, ApiError>(query::user::page(tx, source, after, limit + 1).await?)
            })
        })
        .await?;
    let (rows, next) = Page::<UserView>::cut(rows, limit, |row| row.id);
    Ok(Json(Page {
        items: rows.into_iter().map(UserView::from).collect(),
        next,
    }))
}

/// An account of a source.
#[utoipa::path(get, path = "/sources/{source}/users/{user}", tag = "directory",
    responses((status = 200, body = UserView), Problems))]
async fn user(
    State(state): State<AppState>,
    Path((source, user)): Path<(String, String)>,
) -> Result<Json<UserView>, ApiError> {
    let view = state
        .engine
        .read(move |tx| {
            let (source, user) = (source.clone(), user.clone());
            Box::pin(async move {
                let source = name::source(tx, &source).await?.key;
                let row = query::user::by_id(tx, source, name::id("user", &user)?).await?;
                let row = row.ok_or_else(|| EngineError::not_found("user", &user))?;
                Ok::<_, ApiError>(row.into())
            })
        })
        .await?;
    Ok(Json(view))
}

/// Groups of a source in the order of their creation, where they lead, and which are parked.
#[utoipa::path(get, path = "/sources/{source}/groups", tag = "directory", params(Paging),
    responses((status = 200, body = Page<GroupView>), Problems))]
async fn groups(
    State(state): State<AppState>,
    Path(source): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<GroupView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<SourceGroupId>()?);
    let page = state
        .engine
        .read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let source = name::source(tx, &source).await?.key;
                let rows = query::group::page(tx, source, after, limit + 1).await?;
                let (rows, next) = Page::<GroupView>::cut(rows, limit, |row| row.id);
                let mut items = Vec::with_capacity(rows.len());
                for row in rows {
                    items.push(view(tx, row).await?);
                }
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// A group of a source.
#[utoipa::path(get, path = "/sources/{source}/groups/{group}", tag = "directory",
    responses((status = 200, body = GroupView), Problems))]
async fn group(
    State(state): State<AppState>,
    Path((source, group)): Path<(String, String)>,
) -> Result<Json<GroupView>, ApiError> {
    let view = state
        .engine
        .read(move |tx| {
            let (source, group) = (source.clone(), group.clone());
            Box::pin(async move {
                let row = find(tx, &source, &group).await?;
                Ok::<_, ApiError>(view(tx, row).await?)
            })
        })
        .await?;
    Ok(Json(view))
}

/// Members of a group that are accounts of the source.
#[utoipa::path(get, path = "/sources/{source}/groups/{group}/members", tag = "directory", params(Paging),
    responses((status = 200, body = Page<MemberView>), Problems))]
async fn members(
    State(state): State<AppState>,
    Path((source, group)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<MemberView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after()?);
    let rows = state
        .engine
        .read(move |tx| {
            let (source, group) = (source.clone(), group.clone());
            Box::pin(async move {
                let group = find(tx, &source, &group).await?.id;
                Ok::<_, ApiError>(query::group::all_members(tx, group, after, limit + 1).await?)
            })
        })
        .await?;
    let (rows, next) = Page::<MemberView>::cut(rows, limit, |row| row.user);
    Ok(Json(Page {
        items: rows.into_iter().map(MemberView::from).collect(),
        next,
    }))
}

async fn find(tx: &mut Tx<'_>, source: &str, group: &str) -> Result<GroupRow, EngineError> {
    let source = name::source(tx, source).await?.key;
    query::group::by_id(tx, source, name::id("group", group)?)
        .await?
        .ok_or_else(|| EngineError::not_found("group", group))
}

async fn view(tx: &mut Tx<'_>, row: GroupRow) -> Result<GroupView, StorageError> {
    let mappings = query::mapping::of_group(tx, row.id).await?;
    let ids: Vec<RoomId> = mappings
        .iter()
        .filter(|mapping| mapping.state == MappingState::Confirmed)
        .map(|mapping| mapping.room)
        .collect();
    let rooms: BTreeMap<_, _> = query::room::by_ids(tx, ids)
        .await?
        .into_iter()
        .map(|room| (room.id, room.name))
        .collect();
    let rooms = rooms
        .into_iter()
        .map(|(id, name)| RoomName { id: id.into(), name })
        .collect();
    Ok(GroupView::new(row, rooms, !mappings.is_empty()))
}
