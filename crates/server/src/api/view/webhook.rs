//! Webhooks and their deliveries. Secrets are shown once, when they are made.

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use usher_core::{Role, Timestamp, WebhookId, WebhookState};
use usher_engine::EngineError;
use usher_storage::query::delivery::DeliveryRow;
use usher_storage::query::webhook::WebhookRow;
use usher_storage::{Tx, query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{self, Time};
use crate::webhook::{Filter, MOST_WAITING, Tested, failure};

/// An endpoint that events are delivered to, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// What names it.
    pub id: Uuid,
    /// Where deliveries go.
    pub url: String,
    /// What it is for, in words.
    pub description: String,
    /// What its receiver may see.
    #[schema(value_type = words::Role)]
    pub role: Role,
    /// The types of events it wants, such as `membership.*`; all when empty.
    pub events: Vec<String>,
    /// The rooms whose events it wants; all when empty.
    pub rooms: Vec<Uuid>,
    /// The sources whose events it wants; all when empty.
    pub sources: Vec<String>,
    /// Whether events are delivered.
    #[schema(value_type = words::WebhookState)]
    pub state: WebhookState,
    /// Why they are not: the reason that a human gave, `gone` (410) or `failing`.
    pub state_reason: Option<String>,
    /// How far in the feed it is.
    pub place: i64,
    /// How many events of the feed are ahead of it, whether or not it wants them.
    pub behind: i64,
    /// How many deliveries succeeded.
    pub delivered: i64,
    /// How many deliveries wait for another attempt, counted up to 10,000.
    pub waiting: i64,
    /// How many were given up, counted up to 10,000.
    pub dead: i64,
    /// Since when nothing gets through.
    pub failing_since: Option<Time>,
    /// When it is tried again, while it rests after a failure.
    pub next_attempt: Option<Time>,
    /// When the last delivery succeeded.
    pub last_success: Option<Time>,
    /// When the last one failed.
    pub last_failure: Option<Time>,
    /// How it failed.
    pub last_error: Option<String>,
    /// The secrets that sign, newest first.
    pub secrets: Vec<WebhookSecretView>,
    /// When it was made.
    pub created: Time,
    /// Rises with every change by hand.
    pub version: i64,
}

/// A secret that signs, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookSecretView {
    /// What names it.
    pub id: Uuid,
    /// When it was made.
    pub created: Time,
    /// When it stops to sign.
    pub expires: Option<Time>,
}

/// A webhook with a new secret. The secret is in this answer and nowhere else.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewWebhookView {
    /// The secret that receivers check signatures with.
    #[serde(serialize_with = "expose")]
    #[schema(value_type = String)]
    pub secret: SecretString,
    /// The webhook.
    #[serde(flatten)]
    pub about: WebhookView,
}

/// A delivery that waits or was given up.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The event, by its place in the feed.
    pub event: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// The room that it is about.
    pub room: Option<Uuid>,
    /// `waiting` for another attempt, its own or that of an earlier event of its room; or `dead`, given up.
    pub state: &'static str,
    /// How many times it, or the event that it waits for, was tried in vain.
    pub attempts: u32,
    /// Since when it waits.
    pub since: Time,
    /// When it was given up.
    pub given_up: Option<Time>,
    /// When it, or the event that it waits for, is tried again.
    pub next_attempt: Option<Time>,
    /// How the last attempt failed.
    pub error: Option<String>,
}

/// How a test delivery ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookTestView {
    /// Whether the receiver took it.
    pub delivered: bool,
    /// How it failed.
    pub error: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// How many events are delivered again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayView {
    /// So many were put in line.
    pub events: usize,
}

/// Every webhook, oldest first.
///
/// # Errors
/// What the database says.
pub(crate) async fn webhooks(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<WebhookView>, EngineError> {
    let mut views = Vec::new();
    for row in query::webhook::all(tx).await? {
        views.push(view(tx, row, now).await?);
    }
    Ok(views)
}

/// The webhook with an id.
///
/// # Errors
/// [`EngineError::NotFound`].
pub(crate) async fn webhook(
    tx: &mut Tx<'_>,
    id: WebhookId,
    now: Timestamp,
) -> Result<WebhookView, EngineError> {
    let row = query::webhook::by_id(tx, id)
        .await?
        .ok_or_else(|| EngineError::not_found("webhook", id))?;
    view(tx, row, now).await
}

async fn view(tx: &mut Tx<'_>, row: WebhookRow, now: Timestamp) -> Result<WebhookView, EngineError> {
    let secrets = query::webhook::secrets(tx, row.id, now).await?;
    let newest = query::event::last(tx).await?;
    let filter = Filter::of(&row);
    Ok(WebhookView {
        id: row.id.into(),
        url: row.url,
        description: row.description,
        role: row.role,
        events: filter.events,
        rooms: filter.rooms.into_iter().map(Into::into).collect(),
        sources: filter.sources,
        state: row.state,
        state_reason: row.state_reason,
        place: row.place,
        behind: (newest - row.place).max(0),
        delivered: row.delivered,
        waiting: query::delivery::count_waiting(tx, row.id, MOST_WAITING).await?,
        dead: query::delivery::count_dead(tx, row.id, MOST_WAITING).await?,
        failing_since: row.failing_since.map(Time),
        next_attempt: Some(row.due).filter(|due| *due > now).map(Time),
        last_success: row.last_success.map(Time),
        last_failure: row.last_failure.map(Time),
        last_error: row.last_error,
        secrets: secrets
            .into_iter()
            .map(|secret| WebhookSecretView {
                id: secret.id.into(),
                created: secret.created.into(),
                expires: secret.expires.map(Time),
            })
            .collect(),
        created: row.created.into(),
        version: row.version,
    })
}

impl From<DeliveryRow> for DeliveryView {
    fn from(row: DeliveryRow) -> Self {
        Self {
            event: row.seq.to_string(),
            kind: row.kind,
            room: Some(row.lane).filter(|lane| !lane.is_nil()),
            state: if row.is_dead { "dead" } else { "waiting" },
            attempts: row.attempts,
            since: row.since.into(),
            given_up: row.last.filter(|_| row.is_dead).map(Time),
            next_attempt: row.due.map(Time),
            error: row.error,
        }
    }
}

impl From<Tested> for WebhookTestView {
    fn from(tested: Tested) -> Self {
        let error = failure(&tested.outcome);
        Self {
            delivered: error.is_none(),
            error,
            milliseconds: u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
