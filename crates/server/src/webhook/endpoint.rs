//! Endpoints by hand: adding, changing, pausing, giving them new secrets, removing. Each is an event.

use std::time::Duration;

use serde_json::json;
use usher_core::{Draw, Role, Timestamp, WebhookId, WebhookSecretId, WebhookState};
use usher_engine::{About, Cause, Engine, EngineError, EventKind, Unit};
use usher_storage::query;
use usher_storage::query::webhook::WebhookRow;
use usher_webhook::SigningSecret;

use super::{Filter, Webhooks};
use crate::api::name;

/// The most endpoints.
const MOST: usize = 100;
/// The longest description.
const MAX_DESCRIPTION: usize = 200;

/// An endpoint to add.
#[derive(Debug, Clone)]
pub(crate) struct NewEndpoint {
    pub(crate) url: String,
    pub(crate) description: String,
    /// What its receiver may see.
    pub(crate) role: Role,
    pub(crate) events: Vec<String>,
    /// Rooms by name or id.
    pub(crate) rooms: Vec<String>,
    /// Names of sources.
    pub(crate) sources: Vec<String>,
}

/// What to change of an endpoint; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) url: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) role: Option<Role>,
    pub(crate) events: Option<Vec<String>>,
    pub(crate) rooms: Option<Vec<String>>,
    pub(crate) sources: Option<Vec<String>>,
}

/// Adds an endpoint, which is told of everything from now on. The secret is returned and shown once.
///
/// # Errors
/// [`EngineError::Invalid`] for an endpoint that cannot be one, a refusal without a sealing key.
pub(crate) async fn create(
    engine: &Engine,
    webhooks: &Webhooks,
    cause: Cause,
    new: NewEndpoint,
) -> Result<(WebhookRow, SigningSecret), EngineError> {
    let mut ids = Draw::new(engine.clock()).ids();
    let (id, secret_id): (WebhookId, WebhookSecretId) = (ids.make(), ids.make());
    let secret = SigningSecret::draw();
    let sealed = webhooks.seal(id, secret_id, &secret)?;
    let url = checked_url(webhooks, &new.url).await?;
    let row = engine
        .write(cause, move |unit| {
            let (new, sealed, url) = (new.clone(), sealed.clone(), url.clone());
            Box::pin(async move {
                let count = query::webhook::all(unit.tx()).await?.len();
                if count >= MOST {
                    let next = "remove one that is not needed any more";
                    return Err(EngineError::refused(
                        "too_many_webhooks",
                        format!("there are {count} webhooks already"),
                        next,
                    ));
                }
                let filter = filter(unit, &new.events, &new.rooms, &new.sources, new.role).await?;
                let row = WebhookRow {
                    id,
                    url,
                    description: description(&new.description)?,
                    role: new.role,
                    filter: written(&filter),
                    state: WebhookState::Active,
                    state_reason: None,
                    place: query::event::newest(unit.tx()).await?,
                    claim: 0,
                    failures: 0,
                    failing_since: None,
                    due: unit.now(),
                    delivered: 0,
                    last_success: None,
                    last_failure: None,
                    last_error: None,
                    created: unit.now(),
                    version: 1,
                };
                query::webhook::insert(unit.tx(), &row).await?;
                query::webhook::add_secret(unit.tx(), id, secret_id, &sealed, row.created).await?;
                tell(unit, EventKind::WebhookCreated, &row);
                Ok::<_, EngineError>(row)
            })
        })
        .await?;
    Ok((row, secret))
}

/// Changes an endpoint; what waits for it goes where it leads then. `seen` is the version that the client saw.
///
/// # Errors
/// As [`create`].
pub(crate) async fn change(
    engine: &Engine,
    webhooks: &Webhooks,
    cause: Cause,
    id: WebhookId,
    change: Change,
) -> Result<WebhookRow, EngineError> {
    let url = match &change.url {
        Some(url) => Some(checked_url(webhooks, url).await?),
        None => None,
    };
    engine
        .write(cause, move |unit| {
            let (change, url) = (change.clone(), url.clone());
            Box::pin(async move {
                let before = locked(unit, id).await?;
                let present = Filter::of(&before);
                let role = change.role.unwrap_or(before.role);
                let rooms: Vec<String> = present.rooms.iter().map(ToString::to_string).collect();
                let filter = filter(
                    unit,
                    change.events.as_ref().unwrap_or(&present.events),
                    change.rooms.as_ref().unwrap_or(&rooms),
                    change.sources.as_ref().unwrap_or(&present.sources),
                    role,
                )
                .await?;
                let mut row = WebhookRow {
                    url: url.unwrap_or_else(|| before.url.clone()),
                    description: match &change.description {
                        Some(text) => description(text)?,
                        None => before.description.clone(),
                    },
                    role,
                    filter: written(&filter),
                    ..before.clone()
                };
                if row != before {
                    row.version += 1;
                    query::webhook::update(unit.tx(), &row).await?;
                    tell(unit, EventKind::WebhookChanged, &row);
                }
                Ok(row)
            })
        })
        .await
}

/// Pauses an endpoint; whether it was not before.
///
/// # Errors
/// [`EngineError::NotFound`].
pub(crate) async fn pause(unit: &mut Unit<'_, '_>, id: WebhookId) -> Result<WebhookRow, EngineError> {
    let mut row = locked(unit, id).await?;
    if row.state != WebhookState::Paused {
        row.state = WebhookState::Paused;
        row.state_reason = unit.cause().reason.clone();
        row.version += 1;
        query::webhook::update(unit.tx(), &row).await?;
        tell(unit, EventKind::WebhookPaused, &row);
    }
    Ok(row)
}

/// Lets deliveries go on, at once and from the beginning of their patience. With `skip`, what happened until now and was not
/// delivered is left out.
///
/// # Errors
/// [`EngineError::NotFound`].
pub(crate) async fn resume(
    unit: &mut Unit<'_, '_>,
    id: WebhookId,
    skip: bool,
) -> Result<WebhookRow, EngineError> {
    let mut row = locked(unit, id).await?;
    let (now, was) = (unit.now(), row.state);
    row.state = WebhookState::Active;
    row.state_reason = None;
    (row.failures, row.failing_since, row.due) = (0, None, now);
    if skip {
        row.place = query::event::newest(unit.tx()).await?.max(row.place);
        // Whoever delivers at this moment does not write down the place before.
        row.claim += 1;
        query::delivery::forget_waiting(unit.tx(), id).await?;
    } else {
        query::delivery::wake_all(unit.tx(), id, now).await?;
    }
    if was != WebhookState::Active || skip {
        row.version += 1;
        tell(unit, EventKind::WebhookResumed, &row);
    }
    query::webhook::update(unit.tx(), &row).await?;
    Ok(row)
}

/// Gives an endpoint a new secret, which is returned and shown once. The one before still signs beside it for `overlap`, the
/// configured time when that is `None`.
///
/// # Errors
/// [`EngineError::NotFound`], and a refusal without a sealing key.
pub(crate) async fn rotate(
    engine: &Engine,
    webhooks: &Webhooks,
    cause: Cause,
    id: WebhookId,
    overlap: Option<Duration>,
) -> Result<(WebhookRow, SigningSecret), EngineError> {
    let secret_id: WebhookSecretId = Draw::new(engine.clock()).ids().make();
    let secret = SigningSecret::draw();
    let sealed = webhooks.seal(id, secret_id, &secret)?;
    let overlap = overlap.unwrap_or(webhooks.0.overlap);
    let row = engine
        .write(cause, move |unit| {
            let sealed = sealed.clone();
            Box::pin(async move {
                let mut row = locked(unit, id).await?;
                let now = unit.now();
                let until = now.plus(overlap);
                query::webhook::end_secrets(unit.tx(), id, until).await?;
                query::webhook::add_secret(unit.tx(), id, secret_id, &sealed, now).await?;
                row.version += 1;
                row.due = now;
                query::webhook::update(unit.tx(), &row).await?;
                let data = json!({ "webhook": id, "url": row.url, "both_sign_until": until });
                unit.tell(EventKind::WebhookSecretRotated, About::default(), &data);
                Ok::<_, EngineError>(row)
            })
        })
        .await?;
    Ok((row, secret))
}

/// Removes an endpoint and everything that waits for it.
///
/// # Errors
/// [`EngineError::NotFound`].
pub(crate) async fn remove(unit: &mut Unit<'_, '_>, id: WebhookId) -> Result<(), EngineError> {
    let row = locked(unit, id).await?;
    query::webhook::remove(unit.tx(), id).await?;
    tell(unit, EventKind::WebhookRemoved, &row);
    Ok(())
}

/// Gives up on an endpoint.
pub(super) async fn disable(
    unit: &mut Unit<'_, '_>,
    row: &WebhookRow,
    reason: &str,
    error: &str,
) -> Result<(), EngineError> {
    let row = WebhookRow {
        state: WebhookState::Disabled,
        state_reason: Some(reason.to_owned()),
        version: row.version + 1,
        ..row.clone()
    };
    query::webhook::update(unit.tx(), &row).await?;
    let data = json!({
        "webhook": row.id, "url": row.url, "reason": reason, "error": error, "failing_since": row.failing_since,
        "next": "mend the receiver and `usher webhook resume` it: nothing is lost until then",
    });
    unit.tell(EventKind::WebhookDisabled, About::default(), &data);
    Ok(())
}

pub(super) async fn locked(unit: &mut Unit<'_, '_>, id: WebhookId) -> Result<WebhookRow, EngineError> {
    query::webhook::lock(unit.tx(), id)
        .await?
        .ok_or_else(|| EngineError::not_found("webhook", id))
}

async fn checked_url(webhooks: &Webhooks, url: &str) -> Result<String, EngineError> {
    let url = url.trim();
    webhooks.look(url).await?;
    Ok(url.to_owned())
}

async fn filter(
    unit: &mut Unit<'_, '_>,
    events: &[String],
    rooms: &[String],
    sources: &[String],
    role: Role,
) -> Result<Filter, EngineError> {
    if role == Role::Requester {
        let problem = "a receiver is nobody's order desk: use viewer, it, support, admin or app";
        return Err(EngineError::invalid("role", problem));
    }
    let mut ids = Vec::with_capacity(rooms.len());
    for text in rooms {
        ids.push(name::room(unit.tx(), text).await?.id);
    }
    for text in sources {
        name::source(unit.tx(), text).await?;
    }
    Filter::new(events, ids, sources.to_vec(), role)
}

fn description(text: &str) -> Result<String, EngineError> {
    let text = text.trim();
    if text.len() > MAX_DESCRIPTION {
        let problem = format!("say it in at most {MAX_DESCRIPTION} bytes");
        return Err(EngineError::invalid("description", problem));
    }
    Ok(text.to_owned())
}

fn written(filter: &Filter) -> String {
    serde_json::to_string(filter).expect("a filter is a plain struct")
}

fn tell(unit: &mut Unit<'_, '_>, kind: EventKind, row: &WebhookRow) {
    let created: Timestamp = row.created;
    let data = json!({
        "webhook": row.id, "url": row.url, "description": row.description, "role": row.role, "filter": Filter::of(row),
        "created": created,
    });
    unit.tell(kind, About::default(), &data);
}
