//! `/restores`: a person back. A former membership takes the place of the new and empty-handed one.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_core::{GrantId, MembershipId, RestoreId, Timestamp};
use usher_engine::restore::{self, Choices, SuggestRestore};
use usher_engine::{Cause, Engine, EngineError};
use usher_storage::query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::{Page, Paging};
use super::problem::Problems;
use super::view::{
    MembershipView, RestoreDetails, RestorePlanView, RestoreView, memberships, restore_plan, restores,
    suggestion,
};
use super::write::{Because, Write, inputs, or_new_plan};
use super::{ApiError, name, words};
use crate::AppState;
use crate::pull::{Readers, about_person};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, suggest))
        .routes(routes!(get))
        .routes(routes!(plan))
        .routes(routes!(apply))
        .routes(routes!(undo))
        .routes(routes!(close))
}

/// Which restores.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those that were applied, undone or closed too.
    #[serde(default)]
    all: bool,
}

/// Restores in the order of their opening: the open suggestions, or all.
#[utoipa::path(get, path = "/restores", tag = "restores", params(Filter, Paging),
    responses((status = 200, body = Page<RestoreView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<RestoreView>>, ApiError> {
    let (limit, after) = (paging.limit()?, paging.after::<RestoreId>()?);
    let page = state
        .engine
        .read(move |tx| {
            Box::pin(async move {
                let rows = query::restore::page(tx, !filter.all, after, limit + 1).await?;
                let (rows, next) = Page::<RestoreView>::cut(rows, limit, |row| row.id);
                let items = restores(tx, rows).await?;
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// Whom to restore where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRestore {
    /// The room, by id or name.
    room: String,
    /// The person, by id or address.
    person: String,
    /// When the person was removed, where somebody remembers.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    removed: Option<Timestamp>,
    /// When the person came back, where somebody remembers.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    returned: Option<Timestamp>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Opens a suggestion for a person who is back in a room, or answers the open one.
#[utoipa::path(post, path = "/restores", tag = "restores", request_body = NewRestore,
    responses((status = 201, body = RestoreDetails), Problems))]
async fn suggest(State(state): State<AppState>, write: Write<NewRestore>) -> Result<Response, ApiError> {
    let (room, person) = (&write.body.room, &write.body.person);
    ask_about(&state.engine, &state.readers, write.cause(), room, person).await?;
    write
        .run(StatusCode::CREATED, |unit, body| {
            Box::pin(async move {
                let room = name::room(unit.tx(), &body.room).await?.id;
                let ask = SuggestRestore {
                    who: name::who(&body.person),
                    room,
                    removed: body.removed,
                    returned: body.returned,
                };
                let told = unit.suggest_restore(ask).await?;
                Ok(suggestion(unit.tx(), told).await?)
            })
        })
        .await
}

/// A restore with what may be restored, best first.
#[utoipa::path(get, path = "/restores/{restore}", tag = "restores",
    responses((status = 200, body = RestoreDetails), Problems))]
async fn get(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<RestoreDetails>, ApiError> {
    let id = name::id("restore", &id)?;
    let view = state
        .engine
        .read(move |tx| {
            Box::pin(async move {
                let told = restore::suggestion(tx, id).await?;
                Ok::<_, ApiError>(suggestion(tx, told).await?)
            })
        })
        .await?;
    Ok(Json(view))
}

/// Which candidate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CandidateChoice {
    /// The former membership; the best candidate when left out.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    candidate: Option<MembershipId>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// What restoring a candidate would do: what it brings back, what was gained meanwhile, what becomes of the level.
#[utoipa::path(post, path = "/restores/{restore}/plan", tag = "restores", request_body = CandidateChoice,
    responses((status = 200, body = RestorePlanView), Problems))]
async fn plan(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<CandidateChoice>,
) -> Result<Json<RestorePlanView>, ApiError> {
    let id = name::id("restore", &id)?;
    ask_sources(&state.engine, &state.readers, write.cause(), id).await?;
    Ok(Json(planned(&state, id, write.body.candidate).await?))
}

/// What is applied of a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RestoreApplication {
    /// The former membership of the plan.
    #[schema(value_type = uuid::Uuid)]
    candidate: MembershipId,
    /// The digest of the plan.
    digest: String,
    /// Another level than the former one.
    #[serde(default)]
    level: Option<String>,
    /// Yes to a level above the present one.
    #[serde(default)]
    confirm_level: bool,
    /// Grants, of either membership, that are not kept.
    #[serde(default)]
    #[schema(value_type = Vec<uuid::Uuid>)]
    drop: Vec<GrantId>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(NewRestore, CandidateChoice, RestoreApplication);

/// Restores exactly as the plan with this digest showed it, if a group asks for the person in the room at this moment.
#[utoipa::path(post, path = "/restores/{restore}/apply", tag = "restores", request_body = RestoreApplication,
    responses((status = 200, body = MembershipView), Problems))]
async fn apply(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<RestoreApplication>,
) -> Result<Response, ApiError> {
    let id = name::id("restore", &id)?;
    let candidate = write.body.candidate;
    ask_sources(&state.engine, &state.readers, write.cause(), id).await?;
    let result = write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let choices = Choices {
                    level: body.level.clone(),
                    confirm_level: body.confirm_level,
                    drop: body.drop.iter().copied().collect(),
                };
                let row = unit
                    .apply_restore(id, body.candidate, &choices, &body.digest)
                    .await?;
                Ok(memberships(unit.tx(), vec![row]).await?.pop())
            })
        })
        .await;
    or_new_plan(result, planned(&state, id, Some(candidate))).await
}

/// What undoing did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UndoneView {
    /// The membership that is in force again; nothing where no group asks for the person any more.
    pub(crate) present: Option<MembershipView>,
    /// The membership whose restore was undone.
    pub(crate) former: Option<MembershipView>,
}

/// Undoes a restore.
#[utoipa::path(post, path = "/restores/{restore}/undo", tag = "restores", request_body = Because,
    responses((status = 200, body = UndoneView), Problems))]
async fn undo(
    State(state): State<AppState>,
    Path(id): Path<String>,
    write: Write<Because>,
) -> Result<Response, ApiError> {
    let id = name::id("restore", &id)?;
    ask_sources(&state.engine, &state.readers, write.cause(), id).await?;
    write
        .run(StatusCode::OK, move |unit, _body| {
            Box::pin(async move {
                let undone = unit.undo_restore(id).await?;
                let present: Vec<_> = undone.present.into_iter().collect();
                Ok(UndoneView {
                    present: memberships(unit.tx(), present).await?.pop(),
                    former: memberships(unit.tx(), vec![undone.former]).await?.pop(),
                })
            })
        })
        .await
}

/// Closes a suggestion that nobody wants.
#[utoipa::path(post, path = "/restores/{restore}/close", tag = "restores", request_body = Because,
    responses((status = 200, body = RestoreView), Problems))]
async fn close(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let id = name::id("restore", &id)?;
    write
        .run(StatusCode::OK, move |unit, _body| {
            Box::pin(async move {
                let row = unit.close_restore(id).await?;
                Ok(restores(unit.tx(), vec![row]).await?.pop())
            })
        })
        .await
}

/// Asks the sources that are read whether a person belongs into a room, before a restore is suggested: who was added a
/// moment ago need not wait for the next read.
///
/// # Errors
/// [`EngineError::NotFound`], and what the database says.
pub(crate) async fn ask_about(
    engine: &Engine,
    readers: &Readers,
    cause: &Cause,
    room: &str,
    person: &str,
) -> Result<(), EngineError> {
    let (room, who) = (room.to_owned(), name::who(person));
    let (room, people) = engine
        .read(move |tx| {
            let (room, who) = (room.clone(), who.clone());
            Box::pin(async move {
                let room = name::room(tx, &room).await?.id;
                Ok::<_, EngineError>((room, who.people(tx).await?))
            })
        })
        .await?;
    for person in people {
        about_person(engine, readers, cause, room, person.id).await?;
    }
    Ok(())
}

/// Asks the sources that are read whether the person of a restore still belongs into the room, so that the engine decides
/// by what they say now.
///
/// # Errors
/// [`EngineError::NotFound`], and what the database says. A source that cannot be asked is none: the engine refuses what
/// rests on it, with the reason.
pub(crate) async fn ask_sources(
    engine: &Engine,
    readers: &Readers,
    cause: &Cause,
    id: RestoreId,
) -> Result<(), EngineError> {
    let row = engine
        .read(move |tx| Box::pin(async move { Ok::<_, EngineError>(query::restore::by_id(tx, id).await?) }))
        .await?
        .ok_or_else(|| EngineError::not_found("restore", id))?;
    about_person(engine, readers, cause, row.room, row.person).await
}

async fn planned(
    state: &AppState,
    id: RestoreId,
    candidate: Option<MembershipId>,
) -> Result<RestorePlanView, ApiError> {
    let engine = state.engine.clone();
    state
        .engine
        .read(move |tx| {
            let engine = engine.clone();
            Box::pin(async move {
                let policy = engine.policy(tx).await?;
                let plan = restore::plan(tx, &policy, engine.now(), id, candidate).await?;
                Ok(restore_plan(tx, plan).await?)
            })
        })
        .await
}
