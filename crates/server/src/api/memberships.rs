//! `/memberships`, and one person in one room: what is, what was and why, and steps by hand.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_core::Timestamp;
use usher_engine::manual::{AddManual, MakeManual};
use usher_engine::{EngineError, explain, history};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Path;
use super::page::Page;
use super::problem::Problems;
use super::view::{ExplanationView, MembershipView, StayView, explanation, memberships, stays};
use super::write::{Because, Write, inputs};
use super::{ApiError, name, words};
use crate::AppState;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(end))
        .routes(routes!(level))
        .routes(routes!(make_manual))
        .routes(routes!(extend))
        .routes(routes!(add))
        .routes(routes!(explanations))
        .routes(routes!(person_history))
}

/// A membership with its periods and levels.
#[utoipa::path(get, path = "/memberships/{membership}", tag = "memberships",
    responses((status = 200, body = StayView), Problems))]
async fn get(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<StayView>, ApiError> {
    let id = name::id("membership", &id)?;
    let view = state
        .engine
        .read(move |tx| {
            Box::pin(async move {
                let stay = history::of_membership(tx, id).await?;
                let view = stays(tx, vec![stay]).await?.pop();
                view.ok_or_else(|| ApiError::from(EngineError::not_found("membership", id)))
            })
        })
        .await?;
    Ok(Json(view))
}

/// What ending by hand did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndedView {
    /// The membership that is over.
    #[serde(flatten)]
    pub(crate) membership: MembershipView,
    /// The managed membership that follows it, because a group asks for the person.
    pub(crate) followed_by: Option<MembershipView>,
}

/// Ends a membership by hand. While a group asks for a managed member this is refused: remove them from the group.
/// `If-Match` with the version is honoured.
#[utoipa::path(post, path = "/memberships/{membership}/end", tag = "memberships", request_body = Because,
    responses((status = 200, body = EndedView), Problems))]
async fn end(Path(id): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let id = name::id("membership", &id)?;
    let seen = write.seen;
    write
        .run(StatusCode::OK, move |unit, _body| {
            Box::pin(async move {
                let ended = unit.end_by_hand(id, seen).await?;
                let followed_by: Vec<_> = ended.followed_by.into_iter().collect();
                let membership = memberships(unit.tx(), vec![ended.membership]).await?.pop();
                Ok(EndedView {
                    membership: membership.ok_or_else(|| EngineError::not_found("membership", id))?,
                    followed_by: memberships(unit.tx(), followed_by).await?.pop(),
                })
            })
        })
        .await
}

/// A level to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LevelInput {
    /// The level's key.
    level: String,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Gives a membership another level. `If-Match` with the version is honoured.
#[utoipa::path(post, path = "/memberships/{membership}/level", tag = "memberships", request_body = LevelInput,
    responses((status = 200, body = MembershipView), Problems))]
async fn level(Path(id): Path<String>, write: Write<LevelInput>) -> Result<Response, ApiError> {
    let id = name::id("membership", &id)?;
    let seen = write.seen;
    write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let row = unit.give_level(id, &body.level, seen).await?;
                Ok(memberships(unit.tx(), vec![row]).await?.pop())
            })
        })
        .await
}

/// How a managed membership becomes a manual one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MakeManualInput {
    /// The human who answers for it.
    owner: String,
    /// Why; it stays with the membership.
    reason: Option<String>,
    /// Another level than the one it has.
    #[serde(default)]
    level: Option<String>,
    /// Until when.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    until: Option<Timestamp>,
}

/// Turns a managed membership into a manual one in one step.
#[utoipa::path(post, path = "/memberships/{membership}/make-manual", tag = "memberships",
    request_body = MakeManualInput, responses((status = 200, body = MembershipView), Problems))]
async fn make_manual(Path(id): Path<String>, write: Write<MakeManualInput>) -> Result<Response, ApiError> {
    let id = name::id("membership", &id)?;
    write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let ask = MakeManual {
                    owner: body.owner.clone(),
                    reason: body.reason.clone().unwrap_or_default(),
                    level: body.level.clone(),
                    until: body.until,
                };
                let row = unit.make_manual(id, &ask).await?;
                Ok(memberships(unit.tx(), vec![row]).await?.pop())
            })
        })
        .await
}

/// When a manual membership ends by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UntilInput {
    /// The moment; never when left out.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    until: Option<Timestamp>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// Gives a manual membership another end, or none. `If-Match` with the version is honoured.
#[utoipa::path(post, path = "/memberships/{membership}/until", tag = "memberships", request_body = UntilInput,
    responses((status = 200, body = MembershipView), Problems))]
async fn extend(Path(id): Path<String>, write: Write<UntilInput>) -> Result<Response, ApiError> {
    let id = name::id("membership", &id)?;
    let seen = write.seen;
    write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                let row = unit.extend_manual(id, body.until, seen).await?;
                Ok(memberships(unit.tx(), vec![row]).await?.pop())
            })
        })
        .await
}

/// Somebody to add to a room by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// The person, by id or address. An address that nobody has makes a new external person.
    person: String,
    /// For a new external person: their name.
    #[serde(default)]
    name: Option<String>,
    /// The level.
    level: String,
    /// The human who answers for it.
    owner: String,
    /// Why; it stays with the membership.
    reason: Option<String>,
    /// Until when.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    until: Option<Timestamp>,
}

inputs!(LevelInput, MakeManualInput, UntilInput, NewMember);

/// Adds a person to a room by hand. Inside the organisation's own domains this is only possible for somebody who has an
/// account.
#[utoipa::path(post, path = "/rooms/{room}/members", tag = "memberships", request_body = NewMember,
    responses((status = 201, body = MembershipView), Problems))]
async fn add(Path(room): Path<String>, write: Write<NewMember>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::CREATED, move |unit, body| {
            let room = room.clone();
            Box::pin(async move {
                let ask = AddManual {
                    room: name::room(unit.tx(), &room).await?.id,
                    who: name::who(&body.person),
                    display_name: body.name.clone(),
                    level: body.level.clone(),
                    owner: body.owner.clone(),
                    reason: body.reason.clone().unwrap_or_default(),
                    until: body.until,
                };
                let row = unit.add_manual(&ask).await?;
                Ok(memberships(unit.tx(), vec![row]).await?.pop())
            })
        })
        .await
}

/// Why a person is, or is not, in a room. An address explains everybody who has it.
#[utoipa::path(get, path = "/rooms/{room}/persons/{person}/explanation", tag = "memberships",
    responses((status = 200, body = Page<ExplanationView>), Problems))]
async fn explanations(
    State(state): State<AppState>,
    Path((room, person)): Path<(String, String)>,
) -> Result<Json<Page<ExplanationView>>, ApiError> {
    let engine = state.engine.clone();
    let items = state
        .engine
        .read(move |tx| {
            let (engine, room, person) = (engine.clone(), room.clone(), person.clone());
            Box::pin(async move { explained(&engine, tx, &room, &person).await })
        })
        .await?;
    Ok(Json(Page::whole(items)))
}

/// Explains everybody meant in a room.
pub(crate) async fn explained(
    engine: &usher_engine::Engine,
    tx: &mut usher_storage::Tx<'_>,
    room: &str,
    person: &str,
) -> Result<Vec<ExplanationView>, ApiError> {
    let room = name::room(tx, room).await?.id;
    let policy = engine.policy(tx).await?;
    let mut views = Vec::new();
    for told in explain::explain(tx, &policy, room, &name::who(person)).await? {
        views.push(explanation(tx, told).await?);
    }
    Ok(views)
}

/// All stays of a person in a room, newest first.
#[utoipa::path(get, path = "/rooms/{room}/persons/{person}/history", tag = "memberships",
    responses((status = 200, body = Page<StayView>), Problems))]
async fn person_history(
    State(state): State<AppState>,
    Path((room, person)): Path<(String, String)>,
) -> Result<Json<Page<StayView>>, ApiError> {
    let items = state
        .engine
        .read(move |tx| {
            let (room, person) = (room.clone(), person.clone());
            Box::pin(async move {
                let room = name::room(tx, &room).await?.id;
                let person = name::person(tx, &person).await?.id;
                let found = history::of_pair(tx, room, person).await?;
                Ok::<_, ApiError>(stays(tx, found).await?)
            })
        })
        .await?;
    Ok(Json(Page::whole(items)))
}
