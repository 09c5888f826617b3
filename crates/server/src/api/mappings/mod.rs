//! `/mappings`: which group leads to which room. Made without effect, shown as a plan, confirmed as that plan.

mod replacement;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::{GroupNaming, MappingId, Rejoin};
use usher_engine::mapping::{MappingChange, NewMapping, Terms};
use usher_storage::query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::view::{MappingView, PlanView, SettledView, mapping, mappings, settled as settled_view};
use super::write::{Because, Confirmation, Write, inputs, or_new_plan, still};
use super::{ApiError, name, words};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change))
        .routes(routes!(plan))
        .routes(routes!(confirm))
        .routes(routes!(bind))
        .routes(routes!(unbind))
        .merge(replacement::router())
        .routes(routes!(plan_retirement))
        .routes(routes!(retire))
}

/// Which mappings.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those of this room alone, by id or name.
    room: Option<String>,
}

/// Mappings in the order of their creation, retired ones included.
#[utoipa::path(get, path = "/mappings", tag = "mappings", params(Filter, Paging),
    responses((status = 200, body = Page<MappingView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<MappingView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<MappingId>()?);
    let page = state
        .engine
        .read(move |tx| {
            let filter = filter.clone();
            Box::pin(async move {
                let rows = match &filter.room {
                    Some(room) => {
                        let room = name::room(tx, room).await?.id;
                        let mut rows = query::mapping::of_room(tx, room).await?;
                        rows.retain(|row| Some(row.id) > after);
                        rows
                    }
                    None => query::mapping::page(tx, after, limit + 1).await?,
                };
                let (rows, next) = Page::<MappingView>::cut(rows, limit, |row| row.id);
                let items = mappings(tx, rows).await?;
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// A mapping, by id, or by the name of a room that has one alone.
#[utoipa::path(get, path = "/mappings/{mapping}", tag = "mappings",
    responses((status = 200, body = MappingView), Problems))]
async fn get(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<MappingView>, ApiError> {
    let view = state
        .engine
        .read(move |tx| {
            let id = id.clone();
            Box::pin(async move {
                let row = name::mapping(tx, &id).await?;
                Ok::<_, ApiError>(mapping(tx, row).await?)
            })
        })
        .await?;
    Ok(Json(view))
}

/// A mapping to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMappingInput {
    /// The room, by id or name.
    room: String,
    /// The group's source; not needed where there is only one.
    #[serde(default)]
    source: Option<String>,
    /// The group: its immutable id at the source, its SCIM `id`, or its display name.
    group: String,
    /// What `group` is; `id` for a UUID and `name` for anything else when left out.
    #[serde(default)]
    #[schema(value_type = Option<words::GroupNaming>)]
    named_by: Option<GroupNaming>,
    /// The level at which people start; the lowest that sources may give when left out.
    #[serde(default)]
    level: Option<String>,
    /// What happens when somebody comes back; `ask` when left out.
    #[serde(default)]
    #[schema(value_type = Option<words::Rejoin>)]
    rejoin: Option<Rejoin>,
    /// For `auto`: within how many days.
    #[serde(default)]
    rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too: one choice for all mappings of a group, and only for a
    /// source that is read.
    #[serde(default)]
    nested: Option<bool>,
    /// That the room or the group has another mapping, and this is wanted.
    #[serde(default)]
    additional: bool,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Makes a mapping, pending and without effect.
#[utoipa::path(post, path = "/mappings", tag = "mappings", request_body = NewMappingInput,
    responses((status = 201, body = MappingView), Problems))]
async fn create(State(state): State<AppState>, write: Write<NewMappingInput>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::CREATED, move |unit, body| {
            let readers = state.readers.clone();
            Box::pin(async move {
                let room = name::room(unit.tx(), &body.room).await?.id;
                let source = body.source.as_deref();
                let group = name::group(unit.tx(), source, &body.group, body.named_by).await?;
                readers
                    .refuse_nested(unit.tx(), group.source, body.nested)
                    .await?;
                let new = NewMapping {
                    room,
                    group,
                    terms: Terms {
                        level: body.level.clone(),
                        rejoin: body.rejoin,
                        rejoin_days: body.rejoin_days,
                        nested: body.nested,
                    },
                    additional: body.additional,
                };
                let row = unit.create_mapping(new).await?;
                Ok(mapping(unit.tx(), row).await?)
            })
        })
        .await
}

/// What changes of a mapping; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MappingChangeInput {
    /// Another level at which people start from now on; nobody who is in moves.
    #[serde(default)]
    level: Option<String>,
    /// Another way with people who come back.
    #[serde(default)]
    #[schema(value_type = Option<words::Rejoin>)]
    rejoin: Option<Rejoin>,
    /// For `auto`: within how many days.
    #[serde(default)]
    rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too: changed for all mappings of the group.
    #[serde(default)]
    nested: Option<bool>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Changes how people start by a mapping from now on. `If-Match` with the version is honoured.
#[utoipa::path(patch, path = "/mappings/{mapping}", tag = "mappings", request_body = MappingChangeInput,
    responses((status = 200, body = MappingView), Problems))]
async fn change(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<MappingChangeInput>,
) -> Result<Response, ApiError> {
    let seen = write.seen;
    write
        .run(StatusCode::OK, move |unit, body| {
            let (id, readers) = (id.clone(), state.readers.clone());
            Box::pin(async move {
                let before = name::mapping(unit.tx(), &id).await?;
                still(seen, before.version)?;
                readers
                    .refuse_nested(unit.tx(), before.source, body.nested)
                    .await?;
                let change = MappingChange {
                    level: body.level.clone(),
                    rejoin: body.rejoin,
                    rejoin_days: body.rejoin_days,
                    nested: body.nested,
                };
                let row = unit.change_mapping(before.id, change).await?;
                Ok(mapping(unit.tx(), row).await?)
            })
        })
        .await
}

/// What confirming a mapping would do: who joins, who does not and why.
#[utoipa::path(get, path = "/mappings/{mapping}/plan", tag = "mappings",
    responses((status = 200, body = PlanView), Problems))]
async fn plan(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<PlanView>, ApiError> {
    let id = find(&state, &id).await?;
    Ok(Json(state.engine.plan_mapping(id).await?.into()))
}

/// Confirms a mapping as the plan with this digest showed it.
#[utoipa::path(post, path = "/mappings/{mapping}/confirm", tag = "mappings", request_body = Confirmation,
    responses((status = 200, body = SettledView), Problems))]
async fn confirm(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<Confirmation>,
) -> Result<Response, ApiError> {
    let id = find(&state, &id).await?;
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let settled = unit.confirm_mapping(id, &body.digest).await?;
                Ok(settled_view(unit.tx(), settled).await?)
            })
        })
        .await;
    or_new_plan(result, async {
        Ok(PlanView::from(state.engine.plan_mapping(id).await?))
    })
    .await
}

/// The group to bind a mapping to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Binding {
    /// The group's SCIM `id`.
    group: String,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Binds a mapping that names its group by a name to one group.
#[utoipa::path(post, path = "/mappings/{mapping}/bind", tag = "mappings", request_body = Binding,
    responses((status = 200, body = MappingView), Problems))]
async fn bind(Path(id): Path<String>, write: Write<Binding>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, body| {
            let id = id.clone();
            Box::pin(async move {
                let id = name::mapping(unit.tx(), &id).await?.id;
                let row = unit.bind_mapping(id, name::id("group", &body.group)?).await?;
                Ok(mapping(unit.tx(), row).await?)
            })
        })
        .await
}

/// Takes back to which group a pending mapping is bound.
#[utoipa::path(post, path = "/mappings/{mapping}/unbind", tag = "mappings", request_body = Because,
    responses((status = 200, body = MappingView), Problems))]
async fn unbind(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, _body| {
            let id = id.clone();
            Box::pin(async move {
                let id = name::mapping(unit.tx(), &id).await?.id;
                let row = unit.unbind_mapping(id).await?;
                Ok(mapping(unit.tx(), row).await?)
            })
        })
        .await
}

/// What retiring a mapping would do: who leaves.
#[utoipa::path(get, path = "/mappings/{mapping}/retirement/plan", tag = "mappings",
    responses((status = 200, body = PlanView), Problems))]
async fn plan_retirement(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<PlanView>, ApiError> {
    let id = find(&state, &id).await?;
    Ok(Json(state.engine.plan_retire_mapping(id).await?.into()))
}

/// Retires a mapping as the plan with this digest showed it.
#[utoipa::path(post, path = "/mappings/{mapping}/retirement/confirm", tag = "mappings",
    request_body = Confirmation, responses((status = 200, body = SettledView), Problems))]
async fn retire(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<Confirmation>,
) -> Result<Response, ApiError> {
    let id = find(&state, &id).await?;
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let settled = unit.retire_mapping(id, &body.digest).await?;
                Ok(settled_view(unit.tx(), settled).await?)
            })
        })
        .await;
    or_new_plan(result, async {
        Ok(PlanView::from(state.engine.plan_retire_mapping(id).await?))
    })
    .await
}

inputs!(NewMappingInput, MappingChangeInput, Binding);

async fn find(state: &AppState, text: &str) -> Result<MappingId, ApiError> {
    let text = text.to_owned();
    state
        .engine
        .read(move |tx| {
            let text = text.clone();
            Box::pin(async move { Ok(name::mapping(tx, &text).await?.id) })
        })
        .await
}
