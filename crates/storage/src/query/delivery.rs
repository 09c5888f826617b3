//! Delivering events to endpoints: who does it, what waits for a retry, and what was given up.
//!
//! An endpoint is taken by one node at a time ([`claim`]); what the node finds out is written in one unit ([`record`]),
//! which does nothing when somebody else took the endpoint meanwhile.

use usher_core::{Timestamp, WebhookId};
use uuid::Uuid;

use super::event::{EventRow, event_row, select_event};
use crate::{Row, StorageError, Tx, Value};

/// Events of one room, in order, that wait because the first of them failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// The room, or nil for events that are about none.
    pub lane: Uuid,
    /// How many times the first of them failed.
    pub attempts: u32,
    /// Since when nothing of this lane was delivered.
    pub failing_since: Option<Timestamp>,
    /// When it is tried again.
    pub due: Timestamp,
    /// How it failed last.
    pub error: Option<String>,
}

/// A delivery that waits or was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The event's place in the feed.
    pub seq: i64,
    /// The word for what happened.
    pub kind: String,
    /// The room that it is about, or nil.
    pub lane: Uuid,
    /// Whether it was given up.
    pub is_dead: bool,
    /// How many times it was tried.
    pub attempts: u32,
    /// Since when it waits.
    pub since: Timestamp,
    /// When it was tried last.
    pub last: Option<Timestamp>,
    /// How it failed.
    pub error: Option<String>,
    /// When its lane is tried again; not for what was given up.
    pub due: Option<Timestamp>,
}

/// A delivery to put down as waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The event.
    pub seq: i64,
    /// Its lane.
    pub lane: Uuid,
}

/// A delivery that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The event.
    pub seq: i64,
    /// Its lane.
    pub lane: Uuid,
    /// How many times it was tried.
    pub attempts: u32,
    /// How it failed.
    pub error: String,
}

/// What a node found out about an endpoint that it had taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// How far in the feed the endpoint is now.
    pub place: i64,
    /// How many deliveries succeeded.
    pub delivered: i64,
    /// Those of them that had been waiting.
    pub done: Vec<i64>,
    /// What has to wait.
    pub waiting: Vec<Waiting>,
    /// What is given up.
    pub dead: Vec<Dead>,
    /// How lanes stand that were tried or became waiting ones; one in which nothing waits any more is forgotten.
    pub lanes: Vec<LaneRow>,
    /// How many times in a row nothing could be delivered.
    pub failures: i64,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// When the endpoint may be tried again.
    pub due: Timestamp,
    /// How the last failure in this turn looked.
    pub error: Option<String>,
}

/// Takes an endpoint until a moment; `false` when somebody else took it, or anything about it changed, since the number was
/// read.
pub async fn claim(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    number: i64,
    node: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE webhook SET claim = claim + 1, claimed_by = $3, claimed_until_us = $5
             WHERE id = (SELECT w.id FROM webhook w WHERE w.id = $1 AND w.claim = $2 AND w.state = 'active'
                            AND (w.claimed_until_us IS NULL OR w.claimed_until_us <= $4) /*pg FOR UPDATE SKIP LOCKED */)",
            &[webhook.into(), number.into(), node.into(), now.into(), until.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// Keeps an endpoint that was taken until a later moment; `false` when somebody else took it meanwhile, or might have.
pub async fn renew(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    number: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE webhook SET claimed_until_us = $4 WHERE id = $1 AND claim = $2 AND claimed_until_us > $3",
            &[webhook.into(), number.into(), now.into(), until.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// Moves an endpoint on that nobody has taken, past events that are not meant for it.
pub async fn skip(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    number: i64,
    place: i64,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE webhook SET place = $3
         WHERE id = $1 AND claim = $2 AND place < $3 AND (claimed_until_us IS NULL OR claimed_until_us <= $4)",
        &[webhook.into(), number.into(), place.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Writes down what was found out, and lets the endpoint go. `false`, and nothing is written, when somebody else took it
/// meanwhile. Whoever looked at the endpoint before cannot take it any more: what they saw is over.
pub async fn record(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    number: i64,
    turn: &Turn,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let success = (turn.delivered > 0).then_some(now);
    let failure = turn.error.is_some().then_some(now);
    let changed = tx
        .execute(
            "UPDATE webhook SET place = $3, delivered = delivered + $4, failures = $5, failing_since_us = $6, due_us = $7,
                    last_success_us = coalesce($8, last_success_us), last_failure_us = coalesce($9, last_failure_us),
                    last_error = coalesce($10, last_error), claim = claim + 1, claimed_by = NULL, claimed_until_us = NULL
             WHERE id = $1 AND claim = $2",
            &[
                webhook.into(),
                number.into(),
                turn.place.into(),
                turn.delivered.into(),
                turn.failures.into(),
                turn.failing_since.into(),
                turn.due.into(),
                success.into(),
                failure.into(),
                turn.error.as_deref().into(),
            ],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    if !turn.done.is_empty() {
        tx.execute(
            "DELETE FROM webhook_delivery WHERE webhook_id = $1 AND seq IN (SELECT value FROM rarray($2))",
            &[webhook.into(), turn.done.clone().into()],
        )
        .await?;
    }
    wait(tx, webhook, &turn.waiting, now).await?;
    bury(tx, webhook, &turn.dead, now).await?;
    set_lanes(tx, webhook, &turn.lanes).await?;
    Ok(true)
}

/// Puts deliveries down as waiting; those that were given up start again. Their lanes have to be set in the same
/// unit.
pub async fn wait(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    waiting: &[Waiting],
    now: Timestamp,
) -> Result<(), StorageError> {
    let rows: Vec<[Value; 6]> = waiting
        .iter()
        .map(|one| {
            [
                webhook.into(),
                one.seq.into(),
                one.lane.into(),
                "waiting".into(),
                0_i64.into(),
                now.into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO webhook_delivery (webhook_id, seq, lane, state, attempts, since_us)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (webhook_id, seq) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
            since_us = excluded.since_us, error = NULL",
        &rows,
    )
    .await?;
    Ok(())
}

async fn bury(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    dead: &[Dead],
    now: Timestamp,
) -> Result<(), StorageError> {
    let rows: Vec<[Value; 7]> = dead
        .iter()
        .map(|one| {
            [
                webhook.into(),
                one.seq.into(),
                one.lane.into(),
                "dead".into(),
                one.attempts.into(),
                now.into(),
                one.error.as_str().into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO webhook_delivery (webhook_id, seq, lane, state, attempts, since_us, error)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (webhook_id, seq) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
            last_us = excluded.since_us, error = excluded.error",
        &rows,
    )
    .await?;
    Ok(())
}

/// Writes how lanes stand, and forgets those of them in which nothing waits.
async fn set_lanes(tx: &mut Tx<'_>, webhook: WebhookId, lanes: &[LaneRow]) -> Result<(), StorageError> {
    if lanes.is_empty() {
        return Ok(());
    }
    let rows: Vec<[Value; 6]> = lanes
        .iter()
        .map(|one| {
            [
                webhook.into(),
                one.lane.into(),
                one.attempts.into(),
                one.failing_since.into(),
                one.due.into(),
                one.error.clone().into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO webhook_lane (webhook_id, lane, attempts, failing_since_us, due_us, error)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (webhook_id, lane) DO UPDATE SET attempts = excluded.attempts,
            failing_since_us = excluded.failing_since_us, due_us = excluded.due_us, error = excluded.error",
        &rows,
    )
    .await?;
    let all: Vec<Uuid> = lanes.iter().map(|one| one.lane).collect();
    tx.execute(
        "DELETE FROM webhook_lane WHERE webhook_id = $1 AND lane IN (SELECT value FROM rarray($2)) AND NOT EXISTS (
            SELECT 1 FROM webhook_delivery d WHERE d.webhook_id = webhook_lane.webhook_id
               AND d.lane = webhook_lane.lane AND d.state = 'waiting')",
        &[webhook.into(), all.into()],
    )
    .await?;
    Ok(())
}

/// Lets lanes be tried at once, from the beginning; those that are not there are made.
pub async fn wake_lanes(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    lanes: impl IntoIterator<Item = Uuid>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let lanes: Vec<_> = lanes
        .into_iter()
        .map(|lane| LaneRow {
            lane,
            attempts: 0,
            failing_since: None,
            due: now,
            error: None,
        })
        .collect();
    set_lanes(tx, webhook, &lanes).await
}

/// Lets every lane of an endpoint be tried at once, from the beginning.
pub async fn wake_all(tx: &mut Tx<'_>, webhook: WebhookId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE webhook_lane SET attempts = 0, failing_since_us = NULL, due_us = $2 WHERE webhook_id = $1",
        &[webhook.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Forgets everything that waits for an endpoint; what was given up stays.
pub async fn forget_waiting(tx: &mut Tx<'_>, webhook: WebhookId) -> Result<(), StorageError> {
    for sql in [
        "DELETE FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting'",
        "DELETE FROM webhook_lane WHERE webhook_id = $1",
    ] {
        tx.execute(sql, &[webhook.into()]).await?;
    }
    Ok(())
}

/// The lanes of an endpoint in which something waits.
pub async fn lanes(tx: &mut Tx<'_>, webhook: WebhookId) -> Result<Vec<LaneRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT l.lane, l.attempts, l.failing_since_us, l.due_us, l.error FROM webhook_lane l
             WHERE l.webhook_id = $1 ORDER BY l.due_us, l.lane",
            &[webhook.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LaneRow {
                lane: row.get(0)?,
                attempts: row.get(1)?,
                failing_since: row.get(2)?,
                due: row.get(3)?,
                error: row.get(4)?,
            })
        })
        .collect()
}

/// The first events that wait in a lane, in order.
pub async fn in_lane(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    lane: Uuid,
    limit: u32,
) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx
        .query(
            select_event!(
                "FROM webhook_delivery d JOIN event e ON e.seq = d.seq JOIN change c ON c.id = e.change_id
                    LEFT JOIN source s ON s.id = e.source_id
                 WHERE d.webhook_id = $1 AND d.lane = $2 AND d.state = 'waiting' ORDER BY d.seq LIMIT $3"
            ),
            &[webhook.into(), lane.into(), limit.into()],
        )
        .await?;
    rows.iter().map(event_row).collect()
}

/// How many deliveries of an endpoint wait, no further than `limit`.
pub async fn count_waiting(tx: &mut Tx<'_>, webhook: WebhookId, limit: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 FROM webhook_delivery d WHERE d.webhook_id = $1 AND d.state = 'waiting'
            LIMIT $2) c",
        &[webhook.into(), limit.into()],
    )
    .await?
    .get(0)
}

/// How many deliveries of an endpoint were given up, no further than `limit`.
pub async fn count_dead(tx: &mut Tx<'_>, webhook: WebhookId, limit: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 FROM webhook_delivery d WHERE d.webhook_id = $1 AND d.state = 'dead' LIMIT $2) c",
        &[webhook.into(), limit.into()],
    )
    .await?
    .get(0)
}

macro_rules! select_delivery {
    ($rest:literal) => {
        concat!(
            "SELECT d.seq, e.kind, d.lane, d.state, d.attempts, d.since_us, d.last_us, d.error, l.due_us, l.attempts, l.error
             FROM webhook_delivery d JOIN event e ON e.seq = d.seq
                LEFT JOIN webhook_lane l ON l.webhook_id = d.webhook_id AND l.lane = d.lane ",
            $rest
        )
    };
}

/// Deliveries that wait or were given up, in the order of their events.
pub async fn page(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    after: i64,
    limit: u32,
) -> Result<Vec<DeliveryRow>, StorageError> {
    tx.query(
        select_delivery!("WHERE d.webhook_id = $1 AND d.seq > $2 ORDER BY d.seq LIMIT $3"),
        &[webhook.into(), after.into(), limit.into()],
    )
    .await?
    .iter()
    .map(delivery_row)
    .collect()
}

/// Deliveries that were given up, in the order of their events.
pub async fn dead(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    after: i64,
    limit: u32,
) -> Result<Vec<DeliveryRow>, StorageError> {
    tx.query(
        select_delivery!(
            "WHERE d.webhook_id = $1 AND d.state = 'dead' AND d.seq > $2 ORDER BY d.seq LIMIT $3"
        ),
        &[webhook.into(), after.into(), limit.into()],
    )
    .await?
    .iter()
    .map(delivery_row)
    .collect()
}

fn delivery_row(row: &Row) -> Result<DeliveryRow, StorageError> {
    let is_dead = row.get::<&str>(3)? == "dead";
    let own = DeliveryRow {
        seq: row.get(0)?,
        kind: row.get(1)?,
        lane: row.get(2)?,
        is_dead,
        attempts: row.get(4)?,
        since: row.get(5)?,
        last: row.get(6)?,
        error: row.get(7)?,
        due: None,
    };
    if is_dead {
        return Ok(own);
    }
    Ok(DeliveryRow {
        due: row.get(8)?,
        attempts: row.get::<Option<u32>>(9)?.unwrap_or_default(),
        error: row.get(10)?,
        ..own
    })
}
