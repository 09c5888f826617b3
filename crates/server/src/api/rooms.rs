//! `/rooms`: what rooms there are, who is in them, archiving and reopening.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::{MembershipId, PersonId, RoomId, RoomModel, Timestamp};
use usher_engine::history::{self, StrayMember};
use usher_engine::room::NewRoom;
use usher_storage::query::membership::MembershipRow;
use usher_storage::{Tx, query};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::room_list::{self, RoomItemView, Which};
use super::view::{ParkedView, RoomView, StrayView, parked};
use super::write::{Because, Write, inputs};
use super::{ApiError, name, words};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
        .routes(routes!(strays))
        .routes(routes!(waiting))
        .routes(routes!(portal))
        .routes(routes!(archive))
        .routes(routes!(reopen))
}

/// Rooms in the order of their creation, archived ones included; with `search`, `state` or `by_name` by name.
#[utoipa::path(get, path = "/rooms", tag = "rooms", params(Which, Paging),
    responses((status = 200, body = Page<RoomItemView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Query(which): Query<Which>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<RoomItemView>>, ApiError> {
    Ok(Json(room_list::page(&state.engine, which, &paging).await?))
}

/// A room that the portal has already.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRoomInput {
    /// The name; no other room in use has it, in any case.
    name: String,
    /// Open or closed; closed when left out.
    #[serde(default)]
    #[schema(value_type = Option<words::RoomModel>)]
    model: Option<RoomModel>,
    /// Special features.
    #[serde(default)]
    features: Vec<String>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Takes a room over that the portal has already; it is in use at once. New rooms come by an order.
#[utoipa::path(post, path = "/rooms", tag = "rooms", request_body = NewRoomInput,
    responses((status = 201, body = RoomView), Problems))]
async fn create(write: Write<NewRoomInput>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::CREATED, |unit, body| {
            Box::pin(async move {
                let room = NewRoom {
                    name: body.name.clone(),
                    model: body.model.unwrap_or(RoomModel::Closed),
                    features: body.features.clone(),
                };
                Ok(RoomView::from(unit.create_room(room).await?))
            })
        })
        .await
}

/// What is told of a room.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Detail {
    /// With counts of what it holds.
    #[serde(default)]
    counts: bool,
}

/// A room, by id or name.
#[utoipa::path(get, path = "/rooms/{room}", tag = "rooms", params(Detail),
    responses((status = 200, body = RoomItemView), Problems))]
async fn get(
    State(state): State<AppState>,
    Path(room): Path<String>,
    Query(detail): Query<Detail>,
) -> Result<Json<RoomItemView>, ApiError> {
    let view = state
        .engine
        .read(move |tx| {
            let room = room.clone();
            Box::pin(async move {
                let rows = vec![name::room(tx, &room).await?];
                let mut views = room_list::views(tx, rows, detail.counts).await?;
                Ok::<_, ApiError>(views.pop().expect("there is a view for each row"))
            })
        })
        .await?;
    Ok(Json(view))
}

/// Memberships as they were at a moment: with the level that they had then.
pub(crate) async fn members_at(
    tx: &mut Tx<'_>,
    room: RoomId,
    at: Timestamp,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<MembershipRow>, ApiError> {
    let members = history::members_at(tx, room, at, after, limit).await?;
    Ok(members
        .into_iter()
        .map(|member| MembershipRow {
            level: member.level,
            ..member.membership
        })
        .collect())
}

/// Which strays.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Place {
    /// Those of this room alone, by id or name.
    room: Option<String>,
}

/// Memberships that no group asks for and that stay: held, last administrators, of a frozen source, or imported.
#[utoipa::path(get, path = "/strays", tag = "memberships", params(Place, Paging),
    responses((status = 200, body = Page<StrayView>), Problems))]
async fn strays(
    State(state): State<AppState>,
    Query(place): Query<Place>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<StrayView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after()?);
    let page = state
        .engine
        .read(move |tx| {
            let place = place.clone();
            Box::pin(async move {
                let room = match &place.room {
                    Some(room) => Some(name::room(tx, room).await?.id),
                    None => None,
                };
                let rows = strays_in(tx, room, after, limit + 1).await?;
                let (rows, next) = Page::<StrayView>::cut(rows, limit, |row| row.membership.id);
                let items = rows.into_iter().map(StrayView::from).collect();
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// Strays of a room, or of all, by membership. There are few of them, wherever they are.
pub(crate) async fn strays_in(
    tx: &mut Tx<'_>,
    room: Option<RoomId>,
    mut after: Option<MembershipId>,
    limit: u32,
) -> Result<Vec<StrayMember>, ApiError> {
    let mut found = Vec::new();
    loop {
        let rows = history::strays(tx, after, limit).await?;
        after = rows.last().map(|row| row.membership.id);
        let is_end = (rows.len() as u64) < u64::from(limit);
        found.extend(
            rows.into_iter()
                .filter(|row| room.is_none_or(|room| row.room.id == room)),
        );
        if is_end || found.len() as u64 >= u64::from(limit) {
            found.truncate(limit as usize);
            return Ok(found);
        }
    }
}

/// People whom a group wants in a room and who wait at its door for a human.
#[utoipa::path(get, path = "/rooms/{room}/parked", tag = "rooms", params(Paging),
    responses((status = 200, body = Page<ParkedView>), Problems))]
async fn waiting(
    State(state): State<AppState>,
    Path(room): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ParkedView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after()?);
    let page = state
        .engine
        .read(move |tx| {
            let room = room.clone();
            Box::pin(async move {
                let room = name::room(tx, &room).await?.id;
                let rows = query::hold::parked_in(tx, room, after, limit + 1).await?;
                let (rows, next) = Page::<ParkedView>::cut(rows, limit, |row| row.person);
                let items = parked(tx, rows).await?;
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// That the portal has the room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PortalRoom {
    /// The portal's id of the room.
    pub(super) portal_id: String,
    /// The portal's https address of the room.
    pub(super) url: String,
    /// Why, for the history.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

inputs!(NewRoomInput, PortalRoom);

/// Reports the portal's id and address of a room. Its order goes on.
#[utoipa::path(post, path = "/rooms/{room}/portal", tag = "rooms", request_body = PortalRoom,
    responses((status = 200, body = RoomView), Problems))]
async fn portal(Path(room): Path<String>, write: Write<PortalRoom>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, body| {
            let room = room.clone();
            Box::pin(async move {
                let room = name::room(unit.tx(), &room).await?.id;
                let row = unit.room_ready(room, &body.portal_id, &body.url).await?;
                Ok(RoomView::from(row))
            })
        })
        .await
}

/// Archives a room: access is denied and decisions are frozen; memberships are kept.
#[utoipa::path(post, path = "/rooms/{room}/archive", tag = "rooms", request_body = Because,
    responses((status = 200, body = RoomView), Problems))]
async fn archive(Path(room): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, _body| {
            let room = room.clone();
            Box::pin(async move {
                let room = name::room(unit.tx(), &room).await?.id;
                Ok(RoomView::from(unit.archive_room(room).await?))
            })
        })
        .await
}

/// Reopens an archived room, by id: its members are decided afresh.
#[utoipa::path(post, path = "/rooms/{room}/reopen", tag = "rooms", request_body = Because,
    responses((status = 200, body = RoomView), Problems))]
async fn reopen(Path(room): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, _body| {
            let room = room.clone();
            Box::pin(async move {
                let room = name::room(unit.tx(), &room).await?.id;
                Ok(RoomView::from(unit.reopen_room(room).await?))
            })
        })
        .await
}

/// A moment of a query.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| {
        ApiError::malformed(
            "at",
            "write the moment as RFC 3339 with an offset, such as 2026-01-31T09:00:00Z",
        )
    })
}
