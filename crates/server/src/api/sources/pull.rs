//! Reading sources: checks, groups to choose from, reads by hand, their history, and what differs.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_core::{GroupQuery, PullCause, PullRunId, RemoteGroupId, RemoteUserId};
use usher_engine::pull::Target;
use usher_engine::{EngineError, Unit};
use usher_storage::query::pull_run::PullRunRow;
use usher_storage::query::source::SourceRow;
use usher_storage::{Tx, query};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::api::extract::{Path, Query};
use crate::api::page::{MOST, Page, Paging};
use crate::api::problem::Problems;
use crate::api::view::{CheckView, DriftView, PullRunView, RemoteGroupView, run, runs};
use crate::api::write::{Because, Write, inputs};
use crate::api::{ApiError, name};
use crate::pull::check as ask;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(check))
        .routes(routes!(groups))
        .routes(routes!(start))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(drift))
        .routes(routes!(put_together))
}

/// Calls the provider of a source as a real read would, and says for each permission whether it works and what breaks
/// without it. Nothing is changed there.
#[utoipa::path(post, path = "/sources/{source}/check", tag = "sources", request_body = Because,
    responses((status = 200, body = CheckView), Problems))]
async fn check(
    State(state): State<AppState>,
    Path(source): Path<String>,
    _write: Write<Because>,
) -> Result<Json<CheckView>, ApiError> {
    let reader = state.readers.get(&source)?;
    let checked = ask(&state.engine, reader)
        .await
        .map_err(|error| ApiError::source(&reader.name, error))?;
    Ok(Json(CheckView::new(reader.name.to_string(), checked)))
}

/// Which groups.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Those alone whose name begins so.
    prefix: Option<String>,
    /// The one with this id at the provider.
    id: Option<String>,
    /// The most groups to answer; 50 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Groups as the provider of a source shows them just now, to choose one for an order or a mapping.
#[utoipa::path(get, path = "/sources/{source}/available-groups", tag = "sources", params(Which),
    responses((status = 200, body = Page<RemoteGroupView>), Problems))]
async fn groups(
    State(state): State<AppState>,
    Path(source): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Page<RemoteGroupView>>, ApiError> {
    let reader = state.readers.get(&source)?;
    let paging = Paging {
        limit: which.limit,
        cursor: None,
    };
    let query = GroupQuery {
        name_prefix: which.prefix,
        id: which.id.map(RemoteGroupId::new).transpose()?,
        limit: paging.limit()? as usize,
    };
    let found = reader
        .adapter
        .list_groups(query)
        .await
        .map_err(|error| ApiError::source(&reader.name, error))?;
    Ok(Json(Page::whole(
        found.into_iter().map(RemoteGroupView::from).collect(),
    )))
}

/// What to read.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncInput {
    /// This group alone, completely: by the provider's id of it, or by its SCIM `id`.
    #[serde(default)]
    pub(crate) group: Option<String>,
    /// This person alone: by address, by id, or by the provider's id of the account.
    #[serde(default)]
    pub(crate) person: Option<String>,
    /// Everything, and not what changed alone.
    #[serde(default)]
    pub(crate) full: bool,
    /// Why, for the history.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// Asks for a read of a source. A server that reads the source begins it within a second; watch the run.
#[utoipa::path(post, path = "/sources/{source}/sync", tag = "sources", request_body = SyncInput,
    responses((status = 202, body = PullRunView), Problems))]
async fn start(
    State(state): State<AppState>,
    Path(source): Path<String>,
    write: Write<SyncInput>,
) -> Result<Response, ApiError> {
    let reader = state.readers.get(&source).cloned();
    let answer = write
        .run(StatusCode::ACCEPTED, move |unit, body| {
            let source = source.clone();
            Box::pin(async move { sync(unit, &source, body).await })
        })
        .await?;
    if let Ok(reader) = reader {
        reader.wake();
    }
    Ok(answer)
}

/// Asks for a read of a source.
pub(crate) async fn sync(
    unit: &mut Unit<'_, '_>,
    source: &str,
    input: &SyncInput,
) -> Result<PullRunView, ApiError> {
    let source = name::source(unit.tx(), source).await?;
    let target = match (&input.group, &input.person) {
        (None, None) => Target::All { full: input.full },
        (Some(group), None) => Target::Groups(vec![remote_group(unit.tx(), &source, group).await?]),
        (None, Some(person)) => Target::Person(remote_user(unit.tx(), &source, person).await?),
        (Some(_), Some(_)) => {
            return Err(ApiError::malformed(
                "person",
                "name a group or a person, not both",
            ));
        }
    };
    let row = unit
        .ask_read(source.key, &target, PullCause::ByHand, None)
        .await?;
    Ok(run(unit.tx(), row).await?)
}

/// The provider's id of a group: that of one in the directory, else what was named.
async fn remote_group(tx: &mut Tx<'_>, source: &SourceRow, text: &str) -> Result<RemoteGroupId, ApiError> {
    let known = match text.parse() {
        Ok(id) => query::group::by_id(tx, source.key, id).await?,
        Err(_) => None,
    };
    let id = known.and_then(|group| group.remote_id.or(group.external_id));
    Ok(RemoteGroupId::new(id.unwrap_or_else(|| text.to_owned()))?)
}

/// The provider's id of a person's account: that of a known person, else what was named.
async fn remote_user(tx: &mut Tx<'_>, source: &SourceRow, text: &str) -> Result<RemoteUserId, ApiError> {
    let id = match name::person(tx, text).await {
        Ok(person) => query::user::of_persons(tx, [person.id])
            .await?
            .into_iter()
            .filter(|user| user.source == source.key)
            .find_map(|user| user.remote_id.or(user.external_id)),
        Err(EngineError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    match id {
        Some(id) => Ok(RemoteUserId::new(id)?),
        None if text.contains('@') => Err(EngineError::not_found("account", text).into()),
        None => Ok(RemoteUserId::new(text)?),
    }
}

/// Reads of a source, the newest first: what each saw and changed, what it did not see, and why it failed.
#[utoipa::path(get, path = "/sources/{source}/runs", tag = "sources", params(Paging),
    responses((status = 200, body = Page<PullRunView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Path(source): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<PullRunView>>, ApiError> {
    let (limit, before) = (paging.limit()?, paging.after::<PullRunId>()?);
    let page = state
        .engine
        .read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let rows = find_runs(tx, &source, before, limit + 1).await?;
                let (rows, next) = Page::<PullRunView>::cut(rows, limit, |row| row.id);
                let items = runs(tx, rows).await?;
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// Reads of a source, the newest first.
pub(crate) async fn find_runs(
    tx: &mut Tx<'_>,
    source: &str,
    before: Option<PullRunId>,
    limit: u32,
) -> Result<Vec<PullRunRow>, ApiError> {
    let source = name::source(tx, source).await?;
    Ok(query::pull_run::page(tx, source.key, before, limit).await?)
}

/// A read of a source, and how far it is.
#[utoipa::path(get, path = "/sources/{source}/runs/{run}", tag = "sources",
    responses((status = 200, body = PullRunView), Problems))]
async fn get(
    State(state): State<AppState>,
    Path((source, id)): Path<(String, String)>,
) -> Result<Json<PullRunView>, ApiError> {
    let id: PullRunId = name::id("run", &id)?;
    let view = state
        .engine
        .read(move |tx| {
            let source = source.clone();
            Box::pin(async move {
                let source = name::source(tx, &source).await?;
                let row = query::pull_run::by_id(tx, id)
                    .await?
                    .filter(|row| row.source == source.key)
                    .ok_or_else(|| EngineError::not_found("run", id))?;
                Ok::<_, ApiError>(run(tx, row).await?)
            })
        })
        .await?;
    Ok(Json(view))
}

/// How many differences.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Most {
    /// The most differences of each kind to answer; 500 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Where what was pushed, what was read and what is in effect differ, and what to do about it.
#[utoipa::path(get, path = "/sources/{source}/drift", tag = "sources", params(Most),
    responses((status = 200, body = Page<DriftView>), Problems))]
async fn drift(
    State(state): State<AppState>,
    Path(source): Path<String>,
    Query(most): Query<Most>,
) -> Result<Json<Page<DriftView>>, ApiError> {
    let paging = Paging {
        limit: most.limit.or(Some(MOST)),
        cursor: None,
    };
    let drifts = state
        .engine
        .drift(super::parse(&source)?, paging.limit()?)
        .await?;
    Ok(Json(Page::whole(
        drifts.into_iter().map(DriftView::from).collect(),
    )))
}

/// What was pushed and what was read, and that they are one.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinInput {
    /// The provider's id of a user who waits; the pushed user of the same name is meant.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// The SCIM `id` of a pushed group.
    #[serde(default)]
    pub(crate) group: Option<String>,
    /// The provider's id of that group.
    #[serde(default)]
    pub(crate) remote_group: Option<String>,
    /// Why, for the history.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// What was joined.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JoinedView {
    /// The account, by its SCIM `id`.
    pub(crate) user: Option<uuid::Uuid>,
    /// The group, by its SCIM `id`.
    pub(crate) group: Option<uuid::Uuid>,
}

inputs!(SyncInput, JoinInput);

/// Says that what was pushed and what was read are one and the same: a user, or a group.
#[utoipa::path(post, path = "/sources/{source}/join", tag = "sources", request_body = JoinInput,
    responses((status = 200, body = JoinedView), Problems))]
async fn put_together(Path(source): Path<String>, write: Write<JoinInput>) -> Result<Response, ApiError> {
    write
        .run(StatusCode::OK, move |unit, body| {
            let source = source.clone();
            Box::pin(async move { join(unit, &source, body).await })
        })
        .await
}

/// Says that what was pushed and what was read are one and the same, and asks for a read of a joined group.
pub(crate) async fn join(
    unit: &mut Unit<'_, '_>,
    source: &str,
    input: &JoinInput,
) -> Result<JoinedView, ApiError> {
    let source = name::source(unit.tx(), source).await?;
    match (&input.user, &input.group, &input.remote_group) {
        (Some(user), None, None) => {
            let user = unit.join_user(&source, user).await?;
            Ok(JoinedView {
                user: Some(user.into()),
                group: None,
            })
        }
        (None, Some(group), Some(remote)) => {
            let (group, remote) = (name::id("group", group)?, RemoteGroupId::new(remote.clone())?);
            unit.join_group(&source, group, &remote).await?;
            let target = Target::Groups(vec![remote]);
            unit.ask_read(source.key, &target, PullCause::ByHand, None)
                .await?;
            Ok(JoinedView {
                user: None,
                group: Some(group.into()),
            })
        }
        _ => Err(ApiError::malformed(
            "user",
            "name a user who waits, or a group and the provider's id of it",
        )),
    }
}
