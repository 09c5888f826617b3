//! `/webhooks`: endpoints that events are delivered to. A secret is shown once.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use usher_core::{Role, Timestamp, WebhookId};
use usher_engine::EngineError;
use usher_storage::query;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query};
use super::page::Page;
use super::problem::Problems;
use super::view::{
    DeliveryView, NewWebhookView, ReplayView, WebhookTestView, WebhookView, webhook as view, webhooks,
};
use super::write::{Because, Write, inputs, still};
use super::{ApiError, name, words};
use crate::AppState;
use crate::config::Period;
use crate::webhook::{self, Change, NewEndpoint, Replay};

/// Deliveries in an answer when the client does not say how many.
const USUAL: u32 = 100;
/// The most deliveries in an answer.
const MOST: u32 = 1000;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change, remove))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(rotate))
        .routes(routes!(test))
        .routes(routes!(deliveries))
        .routes(routes!(replay))
}

/// Every webhook, oldest first.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks",
    responses((status = 200, body = Page<WebhookView>), Problems))]
async fn list(State(state): State<AppState>) -> Result<Json<Page<WebhookView>>, ApiError> {
    let now = state.engine.now();
    let items = state.engine.read(move |tx| Box::pin(webhooks(tx, now))).await?;
    Ok(Json(Page::whole(items)))
}

/// A webhook, with how it stands.
#[utoipa::path(get, path = "/webhooks/{webhook}", tag = "webhooks",
    responses((status = 200, body = WebhookView), Problems))]
async fn get(
    State(state): State<AppState>,
    Path(webhook): Path<String>,
) -> Result<Json<WebhookView>, ApiError> {
    Ok(Json(shown(&state, id(&webhook)?).await?))
}

/// A webhook to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWebhookInput {
    /// Where deliveries go: an https URL on the internet, or in a network that `webhooks.allow_networks` names.
    url: String,
    /// What it is for, in words.
    #[serde(default)]
    description: String,
    /// What its receiver may see; what the portal sees (`app`) when left out.
    #[serde(default = "portal")]
    #[schema(value_type = words::Role)]
    role: Role,
    /// The types of events it wants, such as `membership.started`, or `membership.*`; all that its role sees when left out.
    #[serde(default)]
    events: Vec<String>,
    /// The rooms whose events it wants, by name or id; all when left out.
    #[serde(default)]
    rooms: Vec<String>,
    /// The sources whose events it wants, by name; all when left out.
    #[serde(default)]
    sources: Vec<String>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// What to change of a webhook; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookChangeInput {
    /// Where deliveries go.
    url: Option<String>,
    /// What it is for, in words.
    description: Option<String>,
    /// What its receiver may see.
    #[schema(value_type = Option<words::Role>)]
    role: Option<Role>,
    /// The types of events it wants.
    events: Option<Vec<String>>,
    /// The rooms whose events it wants, by name or id.
    rooms: Option<Vec<String>>,
    /// The sources whose events it wants, by name.
    sources: Option<Vec<String>>,
    /// Why, for the history.
    reason: Option<String>,
}

/// How deliveries go on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResumeInput {
    /// Leave out everything that happened until now.
    #[serde(default)]
    skip: bool,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// How the secret is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotateInput {
    /// How long the present secret still signs beside the new one, such as `1d`; the configured time when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    overlap: Option<Period>,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

/// What to deliver again: exactly one of `events`, `since` and `dead`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayInput {
    /// These events, by id.
    #[serde(default)]
    events: Option<Vec<String>>,
    /// Everything since this moment that the webhook wants.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    since: Option<Timestamp>,
    /// With `since`: only what happened before this moment.
    #[serde(default)]
    #[schema(value_type = Option<words::Time>)]
    before: Option<Timestamp>,
    /// Everything that was given up.
    #[serde(default)]
    dead: bool,
    /// Why, for the history.
    #[serde(default)]
    reason: Option<String>,
}

inputs!(
    NewWebhookInput,
    WebhookChangeInput,
    ResumeInput,
    RotateInput,
    ReplayInput
);

const fn portal() -> Role {
    Role::App
}

/// Adds a webhook, which is told of everything from now on. Its secret is in this answer and nowhere else: an idempotency
/// key is refused, because the answer would have to be stored.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", request_body = NewWebhookInput,
    responses((status = 201, body = NewWebhookView), Problems))]
async fn create(
    State(state): State<AppState>,
    write: Write<NewWebhookInput>,
) -> Result<(StatusCode, Json<NewWebhookView>), ApiError> {
    refuse_key(&write)?;
    let (body, cause) = write.into_parts();
    let new = NewEndpoint {
        url: body.url.clone(),
        description: body.description.clone(),
        role: body.role,
        events: body.events.clone(),
        rooms: body.rooms.clone(),
        sources: body.sources.clone(),
    };
    let (row, secret) = webhook::create(&state.engine, &state.webhooks, cause, new).await?;
    let about = shown(&state, row.id).await?;
    let secret = secret.expose().as_str().into();
    Ok((StatusCode::CREATED, Json(NewWebhookView { secret, about })))
}

/// Changes a webhook. `If-Match` is honoured. What waits for it goes to the new URL.
#[utoipa::path(patch, path = "/webhooks/{webhook}", tag = "webhooks", request_body = WebhookChangeInput,
    responses((status = 200, body = WebhookView), Problems))]
async fn change(
    State(state): State<AppState>,
    Path(webhook): Path<String>,
    write: Write<WebhookChangeInput>,
) -> Result<Json<WebhookView>, ApiError> {
    let id = id(&webhook)?;
    if write.seen.is_some() {
        still(write.seen, shown(&state, id).await?.version)?;
    }
    let (body, cause) = write.into_parts();
    let change = Change {
        url: body.url.clone(),
        description: body.description.clone(),
        role: body.role,
        events: body.events.clone(),
        rooms: body.rooms.clone(),
        sources: body.sources.clone(),
    };
    webhook::change(&state.engine, &state.webhooks, cause, id, change).await?;
    Ok(Json(shown(&state, id).await?))
}

/// Removes a webhook and everything that waits for it.
#[utoipa::path(delete, path = "/webhooks/{webhook}", tag = "webhooks", request_body = Because,
    responses((status = 204), Problems))]
async fn remove(Path(webhook): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let id = id(&webhook)?;
    write
        .run(StatusCode::NO_CONTENT, move |unit, _| {
            Box::pin(async move { Ok(webhook::remove(unit, id).await?) })
        })
        .await
}

/// Pauses a webhook: what happens meanwhile is delivered afterwards.
#[utoipa::path(post, path = "/webhooks/{webhook}/pause", tag = "webhooks", request_body = Because,
    responses((status = 200, body = WebhookView), Problems))]
async fn pause(Path(webhook): Path<String>, write: Write<Because>) -> Result<Response, ApiError> {
    let id = id(&webhook)?;
    write
        .run(StatusCode::OK, move |unit, _| {
            Box::pin(async move {
                webhook::pause(unit, id).await?;
                let now = unit.now();
                Ok(view(unit.tx(), id, now).await?)
            })
        })
        .await
}

/// Lets deliveries go on at once, after a pause, a disabling or in the middle of a long wait.
#[utoipa::path(post, path = "/webhooks/{webhook}/resume", tag = "webhooks", request_body = ResumeInput,
    responses((status = 200, body = WebhookView), Problems))]
async fn resume(Path(webhook): Path<String>, write: Write<ResumeInput>) -> Result<Response, ApiError> {
    let id = id(&webhook)?;
    write
        .run(StatusCode::OK, move |unit, body| {
            Box::pin(async move {
                webhook::resume(unit, id, body.skip).await?;
                let now = unit.now();
                Ok(view(unit.tx(), id, now).await?)
            })
        })
        .await
}

/// Gives a webhook a new secret. The one before still signs beside it for a while; a third one ends at once. The secret is in
/// this answer and nowhere else: an idempotency key is refused.
#[utoipa::path(post, path = "/webhooks/{webhook}/rotate", tag = "webhooks", request_body = RotateInput,
    responses((status = 200, body = NewWebhookView), Problems))]
async fn rotate(
    State(state): State<AppState>,
    Path(webhook): Path<String>,
    write: Write<RotateInput>,
) -> Result<Json<NewWebhookView>, ApiError> {
    let id = id(&webhook)?;
    refuse_key(&write)?;
    let (body, cause) = write.into_parts();
    let overlap = body.overlap.map(Period::duration);
    let (_, secret) = webhook::rotate(&state.engine, &state.webhooks, cause, id, overlap).await?;
    let about = shown(&state, id).await?;
    let secret = secret.expose().as_str().into();
    Ok(Json(NewWebhookView { secret, about }))
}

/// Sends an event of the type `usher.webhook.test` at once, whatever the state, and says what came of it.
#[utoipa::path(post, path = "/webhooks/{webhook}/test", tag = "webhooks", request_body = Because,
    responses((status = 200, body = WebhookTestView), Problems))]
async fn test(
    State(state): State<AppState>,
    Path(webhook): Path<String>,
    _write: Write<Because>,
) -> Result<Json<WebhookTestView>, ApiError> {
    let tested = webhook::test(&state.engine, &state.webhooks, id(&webhook)?).await?;
    Ok(Json(tested.into()))
}

/// Which deliveries.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those that were given up.
    #[serde(default)]
    dead: bool,
    /// The most deliveries to answer; 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Deliveries that wait for another attempt or were given up, in the order of their events. Those that succeeded are counted
/// on the webhook and not listed.
#[utoipa::path(get, path = "/webhooks/{webhook}/deliveries", tag = "webhooks", params(Which),
    responses((status = 200, body = Page<DeliveryView>), Problems))]
async fn deliveries(
    State(state): State<AppState>,
    Path(webhook): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Page<DeliveryView>>, ApiError> {
    let id = id(&webhook)?;
    let limit = which.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let problem = format!("{limit} deliveries cannot be answered; ask for 1 to {MOST}");
        return Err(ApiError::malformed("limit", problem));
    }
    let after = match &which.cursor {
        Some(cursor) => cursor
            .parse()
            .map_err(|_| ApiError::malformed("cursor", "use `next` of the page before as it is"))?,
        None => 0,
    };
    let mut items = list_deliveries(&state.engine, id, which.dead, after, limit + 1).await?;
    let goes_on = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| goes_on).map(|last| last.event.clone());
    Ok(Json(Page { items, next }))
}

/// Deliveries after an event.
pub(crate) async fn list_deliveries(
    engine: &usher_engine::Engine,
    id: WebhookId,
    dead: bool,
    after: i64,
    limit: u32,
) -> Result<Vec<DeliveryView>, ApiError> {
    engine
        .read(move |tx| {
            Box::pin(async move {
                if query::webhook::by_id(tx, id).await?.is_none() {
                    return Err(EngineError::not_found("webhook", id).into());
                }
                let rows = if dead {
                    query::delivery::dead(tx, id, after, limit).await?
                } else {
                    query::delivery::page(tx, id, after, limit).await?
                };
                Ok(rows.into_iter().map(DeliveryView::from).collect())
            })
        })
        .await
}

/// Delivers events again, before later ones of their rooms. Receivers know them by `webhook-id`, which stays the same.
#[utoipa::path(post, path = "/webhooks/{webhook}/replay", tag = "webhooks", request_body = ReplayInput,
    responses((status = 200, body = ReplayView), Problems))]
async fn replay(Path(webhook): Path<String>, write: Write<ReplayInput>) -> Result<Response, ApiError> {
    let id = id(&webhook)?;
    let body = &write.body;
    let what = match (&body.events, body.since, body.dead) {
        (Some(events), None, false) if body.before.is_none() => Replay::Events(seqs(events)?),
        (None, Some(since), false) => Replay::Range(since, body.before),
        (None, None, true) if body.before.is_none() => Replay::Dead,
        _ => {
            let problem = "say what to deliver again with exactly one of events, since and dead; before goes with since";
            return Err(EngineError::invalid("events", problem).into());
        }
    };
    write
        .run(StatusCode::OK, move |unit, _| {
            let what = what.clone();
            Box::pin(async move {
                let events = webhook::replay(unit, id, &what).await?;
                Ok(ReplayView { events })
            })
        })
        .await
}

/// Ids of events as numbers.
pub(crate) fn seqs(ids: &[String]) -> Result<Vec<i64>, EngineError> {
    ids.iter()
        .map(|id| {
            id.parse().map_err(|_| {
                let shown: String = id.chars().take(40).collect();
                EngineError::invalid(
                    "events",
                    format!("'{shown}' is no event: ids are numbers, as in the feed"),
                )
            })
        })
        .collect()
}

fn refuse_key<B: super::write::Input>(write: &Write<B>) -> Result<(), ApiError> {
    if write.has_key() {
        return Err(ApiError::malformed(
            "Idempotency-Key",
            "secrets are not made under a key, because their answer is not stored; make another one if you lost it",
        ));
    }
    Ok(())
}

fn id(text: &str) -> Result<WebhookId, EngineError> {
    name::id("webhook", text)
}

async fn shown(state: &AppState, id: WebhookId) -> Result<WebhookView, ApiError> {
    let now = state.engine.now();
    Ok(state.engine.read(move |tx| Box::pin(view(tx, id, now))).await?)
}
