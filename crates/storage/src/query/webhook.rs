//! Endpoints that events are delivered to, and their secrets.

use usher_core::{Role, Timestamp, WebhookId, WebhookSecretId, WebhookState};

use crate::{Row, StorageError, Tx};

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// What names it.
    pub id: WebhookId,
    /// Where deliveries go.
    pub url: String,
    /// What it is for, in words.
    pub description: String,
    /// What its receiver may see.
    pub role: Role,
    /// Which events it wants, as JSON.
    pub filter: String,
    /// Whether events are delivered.
    pub state: WebhookState,
    /// Why they are not.
    pub state_reason: Option<String>,
    /// How far in the feed it is.
    pub place: i64,
    /// Rises whenever a node takes it to deliver.
    pub claim: i64,
    /// How many times in a row nothing of it could be delivered.
    pub failures: i64,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// When it may be tried again.
    pub due: Timestamp,
    /// How many deliveries succeeded.
    pub delivered: i64,
    /// When the last one did.
    pub last_success: Option<Timestamp>,
    /// When the last one failed.
    pub last_failure: Option<Timestamp>,
    /// How.
    pub last_error: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Rises with every change by hand.
    pub version: i64,
}

/// A secret of an endpoint, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// What names it.
    pub id: WebhookSecretId,
    /// The secret, sealed with a key that is not in the database.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

macro_rules! select_webhook {
    ($rest:literal) => {
        concat!(
            "SELECT w.id, w.url, w.description, w.role, w.filter, w.state, w.state_reason, w.place, w.claim, w.failures,
                    w.failing_since_us, w.due_us, w.delivered, w.last_success_us, w.last_failure_us, w.last_error,
                    w.created_us, w.version
             FROM webhook w ",
            $rest
        )
    };
}

/// Every endpoint, oldest first.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<WebhookRow>, StorageError> {
    tx.query(select_webhook!("ORDER BY w.id"), &[])
        .await?
        .iter()
        .map(webhook_row)
        .collect()
}

/// The endpoint with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: WebhookId) -> Result<Option<WebhookRow>, StorageError> {
    tx.query_opt(select_webhook!("WHERE w.id = $1"), &[id.into()])
        .await?
        .as_ref()
        .map(webhook_row)
        .transpose()
}

/// The endpoint with an id, which nobody else changes until the unit ends.
pub async fn lock(tx: &mut Tx<'_>, id: WebhookId) -> Result<Option<WebhookRow>, StorageError> {
    tx.query_opt(
        select_webhook!("WHERE w.id = $1 /*pg FOR UPDATE OF w */"),
        &[id.into()],
    )
    .await?
    .as_ref()
    .map(webhook_row)
    .transpose()
}

/// Active endpoints that nobody delivers to at the moment and that may be tried by now.
pub async fn free(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<WebhookRow>, StorageError> {
    tx.query(
        select_webhook!(
            "WHERE w.state = 'active' AND w.due_us <= $1 AND (w.claimed_until_us IS NULL OR w.claimed_until_us <= $1)
             ORDER BY w.id"
        ),
        &[now.into()],
    )
    .await?
    .iter()
    .map(webhook_row)
    .collect()
}

/// Adds an endpoint.
pub async fn insert(tx: &mut Tx<'_>, webhook: &WebhookRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO webhook (id, url, description, role, filter, state, place, due_us, created_us, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            webhook.id.into(),
            webhook.url.as_str().into(),
            webhook.description.as_str().into(),
            webhook.role.into(),
            webhook.filter.as_str().into(),
            webhook.state.into(),
            webhook.place.into(),
            webhook.due.into(),
            webhook.created.into(),
            webhook.version.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what people decide about an endpoint, and how it stands with failures. A node that delivers to it goes on.
pub async fn update(tx: &mut Tx<'_>, webhook: &WebhookRow) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE webhook SET url = $2, description = $3, role = $4, filter = $5, state = $6, state_reason = $7, place = $8,
                failures = $9, failing_since_us = $10, due_us = $11, version = $12, claim = $13
         WHERE id = $1",
        &[
            webhook.id.into(),
            webhook.url.as_str().into(),
            webhook.description.as_str().into(),
            webhook.role.into(),
            webhook.filter.as_str().into(),
            webhook.state.into(),
            webhook.state_reason.as_deref().into(),
            webhook.place.into(),
            webhook.failures.into(),
            webhook.failing_since.into(),
            webhook.due.into(),
            webhook.version.into(),
            webhook.claim.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes an endpoint with all that belongs to it.
pub async fn remove(tx: &mut Tx<'_>, id: WebhookId) -> Result<(), StorageError> {
    for sql in [
        "DELETE FROM webhook_delivery WHERE webhook_id = $1",
        "DELETE FROM webhook_lane WHERE webhook_id = $1",
        "DELETE FROM webhook_secret WHERE webhook_id = $1",
        "DELETE FROM webhook WHERE id = $1",
    ] {
        tx.execute(sql, &[id.into()]).await?;
    }
    Ok(())
}

/// The secrets of an endpoint that have not ended by a moment, newest first.
pub async fn secrets(tx: &mut Tx<'_>, id: WebhookId, now: Timestamp) -> Result<Vec<SecretRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT s.id, s.sealed, s.created_us, s.expires_us FROM webhook_secret s
             WHERE s.webhook_id = $1 AND (s.expires_us IS NULL OR s.expires_us > $2) ORDER BY s.id DESC",
            &[id.into(), now.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(SecretRow {
                id: row.get(0)?,
                sealed: row.get(1)?,
                created: row.get(2)?,
                expires: row.get(3)?,
            })
        })
        .collect()
}

/// Adds a secret that has no end yet.
pub async fn add_secret(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    id: WebhookSecretId,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO webhook_secret (webhook_id, id, sealed, created_us) VALUES ($1, $2, $3, $4)",
        &[webhook.into(), id.into(), sealed.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Lets the present secret of an endpoint end at a moment, and forgets those that were ending already.
pub async fn end_secrets(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    expires: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM webhook_secret WHERE webhook_id = $1 AND expires_us IS NOT NULL",
        &[webhook.into()],
    )
    .await?;
    tx.execute(
        "UPDATE webhook_secret SET expires_us = $2 WHERE webhook_id = $1",
        &[webhook.into(), expires.into()],
    )
    .await?;
    Ok(())
}

fn webhook_row(row: &Row) -> Result<WebhookRow, StorageError> {
    Ok(WebhookRow {
        id: row.get(0)?,
        url: row.get(1)?,
        description: row.get(2)?,
        role: row.get(3)?,
        filter: row.get(4)?,
        state: row.get(5)?,
        state_reason: row.get(6)?,
        place: row.get(7)?,
        claim: row.get(8)?,
        failures: row.get(9)?,
        failing_since: row.get(10)?,
        due: row.get(11)?,
        delivered: row.get(12)?,
        last_success: row.get(13)?,
        last_failure: row.get(14)?,
        last_error: row.get(15)?,
        created: row.get(16)?,
        version: row.get(17)?,
    })
}
