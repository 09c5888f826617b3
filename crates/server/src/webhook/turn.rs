//! One turn of delivering to one endpoint: what is next is read, sent, and written down as one unit.
//!
//! Events of one room are a *lane*: they go one after the other, and where one fails, later ones of its room wait in the
//! database with it. Other rooms go on. Where nothing at all gets through, the endpoint as a whole rests, nothing is put
//! into the database, and the feed itself is the queue.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use usher_core::{Timestamp, WebhookId, WebhookState};
use usher_engine::{Actor, Cause, Engine, EngineError};
use usher_storage::query::delivery::{Dead, LaneRow, Turn, Waiting};
use usher_storage::query::event::EventRow;
use usher_storage::query::webhook::{SecretRow, WebhookRow};
use usher_storage::{StorageError, Tx, query};
use usher_webhook::{Outcome, Schedule, SigningSecret};
use uuid::Uuid;

use super::attempt::{failure, message};
use super::endpoint::disable;
use super::{Filter, MOST_WAITING, Webhooks};
use crate::AppState;

/// Events of the feed that one turn looks at.
const WINDOW: u32 = 256;
/// Lanes with something to try again that one turn takes.
const MOST_LANES: usize = 64;
/// Events of such a lane that one turn takes.
const FROM_LANE: u32 = 32;
/// After so long a turn begins no further delivery, so that what was delivered is written down.
const BUDGET: Duration = Duration::from_secs(5);
/// For how long an endpoint is taken at a time: the node that holds it says so again and again, and when it dies another one
/// goes on after no longer than this.
const TERM: Duration = Duration::from_secs(15);
/// Several times in a term, so that a slow database does not cost the endpoint at once.
const RENEWALS: u32 = 4;
/// An endpoint is moved past events that are not meant for it only when they are so many: until then they are read again.
const WORTH_A_WRITE: i64 = 64;
/// When so many rooms at once are refused and none gets through, it is not for the rooms' sake.
const SICK: usize = 3;

/// Delivers to endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    engine: Engine,
    webhooks: Webhooks,
    node: Arc<str>,
    stopping: CancellationToken,
}

impl std::fmt::Debug for Deliverer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliverer")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// What a turn was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something was tried; there may be more.
    Made,
    /// There was nothing to do, or somebody else does it.
    Nothing,
}

/// What is read before a turn.
#[derive(Debug)]
struct Look {
    row: WebhookRow,
    secrets: Vec<SecretRow>,
    /// Lanes that wait, whether or not they are due.
    waiting: HashSet<Uuid>,
    due: Vec<(LaneRow, Vec<EventRow>)>,
    /// The next events of the feed, all of them.
    window: Vec<EventRow>,
    /// How far the feed goes.
    newest: i64,
}

/// What one lane has to deliver.
#[derive(Debug)]
struct Lane {
    lane: Uuid,
    /// How the lane stood, if its events were waiting.
    stored: Option<LaneRow>,
    events: Vec<EventRow>,
}

/// What came of it.
#[derive(Debug)]
struct Sent {
    lane: Uuid,
    stored: Option<LaneRow>,
    delivered: Vec<i64>,
    /// The event that was not taken, and how.
    failed: Option<(i64, Outcome)>,
    /// What comes after it, or was not begun.
    left: Vec<i64>,
}

/// An event as one that waits.
pub(super) fn waiting(event: &EventRow) -> Waiting {
    Waiting {
        seq: event.seq,
        lane: lane_of(event),
    }
}

/// Events of one room are in order among themselves, and those of no room.
fn lane_of(event: &EventRow) -> Uuid {
    event.room.map_or_else(Uuid::nil, Into::into)
}

impl Deliverer {
    /// For the endpoints of a deployment; a turn that runs ends soon after `stopping` is cancelled.
    #[must_use]
    pub fn new(state: &AppState, stopping: CancellationToken) -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self {
            engine: state.engine.clone(),
            webhooks: state.webhooks.clone(),
            node: format!("{}-{:016x}", std::process::id(), u64::from_le_bytes(bytes)).into(),
            stopping,
        }
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Delivers to one endpoint what is next, for some seconds at most. Other nodes may try the same at the same time.
    ///
    /// # Errors
    /// What the database says. What was delivered and could not be written down is delivered again.
    pub async fn turn(&self, id: WebhookId) -> Result<Progress, EngineError> {
        let now = self.engine.now();
        query::event::publish(self.engine.storage()).await?;
        let look = self.engine.read(move |tx| Box::pin(look(tx, id, now))).await?;
        let Some(look) = look else {
            return Ok(Progress::Nothing);
        };
        show_lag(&look);
        let (row, place) = (&look.row, look.place());
        let (lanes, blocked) = look.lanes();
        if lanes.is_empty() && blocked.is_empty() {
            return self.skip(row, place).await;
        }
        if !self.claim(row).await? {
            return Ok(Progress::Nothing);
        }
        let sent = match self.webhooks.open(id, &look.secrets) {
            Ok(secrets) => self.send(row, &secrets, lanes).await,
            Err(error) => unsent(lanes, &error),
        };
        let outcome = self.judge(&look, blocked, sent);
        self.record(row, outcome).await?;
        Ok(Progress::Made)
    }

    /// Moves an endpoint past events that are not meant for it.
    async fn skip(&self, row: &WebhookRow, place: i64) -> Result<Progress, EngineError> {
        if place - row.place < WORTH_A_WRITE {
            return Ok(Progress::Nothing);
        }
        let (id, claim, now) = (row.id, row.claim, self.engine.now());
        self.engine
            .storage()
            .write(move |tx| Box::pin(query::delivery::skip(tx, id, claim, place, now)))
            .await?;
        Ok(Progress::Made)
    }

    /// Takes the endpoint.
    async fn claim(&self, row: &WebhookRow) -> Result<bool, EngineError> {
        let (id, claim, now) = (row.id, row.claim, self.engine.now());
        let until = now.plus(TERM);
        let node = Arc::clone(&self.node);
        let work = self.engine.storage().write(move |tx| {
            let node = Arc::clone(&node);
            Box::pin(async move { query::delivery::claim(tx, id, claim, &node, now, until).await })
        });
        let claimed: Result<bool, StorageError> = work.await;
        Ok(claimed?)
    }

    /// Sends what the lanes have, several lanes side by side, and keeps the endpoint meanwhile.
    async fn send(&self, row: &WebhookRow, secrets: &[SigningSecret], lanes: Vec<Lane>) -> Vec<Sent> {
        let deadline = Instant::now() + BUDGET;
        let (halt, done) = (AtomicBool::new(false), CancellationToken::new());
        let sending = async {
            let sent = stream::iter(lanes)
                .map(|lane| self.send_lane(&row.url, secrets, lane, deadline, &halt))
                .buffer_unordered(self.webhooks.0.in_flight)
                .collect()
                .await;
            done.cancel();
            sent
        };
        let (sent, ()) = tokio::join!(sending, self.keep(row, &halt, &done));
        sent
    }

    /// Keeps the endpoint until it is done; without it no further delivery begins.
    async fn keep(&self, row: &WebhookRow, halt: &AtomicBool, done: &CancellationToken) {
        let (id, claim) = (row.id, row.claim + 1);
        let mut beat = tokio::time::interval(TERM / RENEWALS);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        while done.run_until_cancelled(beat.tick()).await.is_some() {
            let now = self.engine.now();
            let work = self
                .engine
                .storage()
                .write(move |tx| Box::pin(query::delivery::renew(tx, id, claim, now, now.plus(TERM))));
            let renewed: Result<bool, StorageError> = work.await;
            match renewed {
                Ok(true) => {}
                Ok(false) => return halt.store(true, Ordering::Relaxed),
                // What is written down in the end counts only if nobody else took it.
                Err(error) => {
                    let error = crate::logging::chain(&error);
                    tracing::warn!(webhook.id = %id, error, "an endpoint could not be kept; it is tried again");
                }
            }
        }
    }

    async fn send_lane(
        &self,
        url: &str,
        secrets: &[SigningSecret],
        lane: Lane,
        deadline: Instant,
        halt: &AtomicBool,
    ) -> Sent {
        let mut sent = Sent {
            lane: lane.lane,
            stored: lane.stored,
            delivered: Vec::new(),
            failed: None,
            left: Vec::new(),
        };
        let mut events = lane.events.into_iter();
        for event in events.by_ref() {
            let seq = event.seq;
            let is_over = halt.load(Ordering::Relaxed) || Instant::now() >= deadline;
            if is_over || self.stopping.is_cancelled() {
                sent.left.push(seq);
                break;
            }
            let message = message(event, self.engine.now());
            let started = Instant::now();
            let outcome = self.webhooks.send(url, secrets, &message).await;
            count(&outcome, started.elapsed());
            if outcome == Outcome::Delivered {
                sent.delivered.push(seq);
                continue;
            }
            if stops_everything(&outcome) {
                halt.store(true, Ordering::Relaxed);
            }
            sent.failed = Some((seq, outcome));
            break;
        }
        sent.left.extend(events.map(|event| event.seq));
        sent
    }

    /// What to write down.
    fn judge(&self, look: &Look, blocked: Vec<Waiting>, sent: Vec<Sent>) -> Outcomes {
        let now = self.engine.now();
        let row = &look.row;
        let delivered: usize = sent.iter().map(|lane| lane.delivered.len()).sum();
        let failures: Vec<&Outcome> = sent
            .iter()
            .filter_map(|lane| lane.failed.as_ref())
            .map(|(_, outcome)| outcome)
            .collect();
        let error = failures.iter().find_map(|outcome| failure(outcome));
        let asked = failures.iter().filter_map(|outcome| asked(outcome)).max();
        let failing_since = match (delivered, failures.is_empty()) {
            (0, false) => Some(row.failing_since.unwrap_or(now)),
            (0, true) => row.failing_since,
            _ => None,
        };
        let is_unreachable = failures.iter().any(|outcome| stops_everything(outcome));
        let is_down = delivered == 0 && (is_unreachable || failures.len() >= SICK);
        let is_gone = failures.contains(&&Outcome::Gone);
        let gave_up = delivered == 0
            && !failures.is_empty()
            && failing_since.is_some_and(|since| self.schedule().is_over(now.since(since)));
        let mut turn = Turn {
            place: row.place,
            delivered: i64::try_from(delivered).unwrap_or(i64::MAX),
            failing_since,
            due: now.plus(asked.unwrap_or_default().min(self.schedule().total)),
            error: error.clone(),
            ..Turn::default()
        };
        if is_down || gave_up || is_gone && delivered == 0 {
            turn.failures = row.failures + 1;
            let failures = u32::try_from(turn.failures).unwrap_or(u32::MAX);
            turn.due = now.plus(self.schedule().wait(failures, asked, random()));
        } else {
            turn.place = look.place();
            turn.waiting = blocked;
            for lane in sent {
                settle(&mut turn, lane, self.schedule(), now);
            }
        }
        let disabled = match () {
            () if is_gone => Some("gone"),
            () if gave_up => Some("failing"),
            () => None,
        };
        Outcomes {
            turn,
            disabled: disabled.map(|reason| (reason, error.unwrap_or_default())),
        }
    }

    fn schedule(&self) -> &Schedule {
        &self.webhooks.0.schedule
    }

    async fn record(&self, row: &WebhookRow, outcomes: Outcomes) -> Result<(), EngineError> {
        let (id, claim, now) = (row.id, row.claim + 1, self.engine.now());
        let outcomes = Arc::new(outcomes);
        let Some((reason, error)) = outcomes.disabled.clone() else {
            let recorded = self.engine.storage().write(move |tx| {
                let outcomes = Arc::clone(&outcomes);
                Box::pin(async move { query::delivery::record(tx, id, claim, &outcomes.turn, now).await })
            });
            let recorded: Result<bool, StorageError> = recorded.await;
            if !recorded? {
                tracing::warn!(webhook.id = %id, "somebody else took the endpoint over; what was sent may be sent again");
            }
            return Ok(());
        };
        tracing::warn!(webhook.id = %id, reason, error, "the webhook is disabled; resume it when its receiver works");
        self.engine
            .write(Cause::new(Actor::Usher("webhooks".into())), move |unit| {
                let (outcomes, error) = (Arc::clone(&outcomes), error.clone());
                Box::pin(async move {
                    let is_ours = query::delivery::record(unit.tx(), id, claim, &outcomes.turn, now).await?;
                    let row = query::webhook::lock(unit.tx(), id).await?;
                    match row.filter(|row| is_ours && row.state == WebhookState::Active) {
                        Some(row) => disable(unit, &row, reason, &error).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }
}

/// What to write down after a turn.
#[derive(Debug)]
struct Outcomes {
    turn: Turn,
    /// Why the endpoint is given up, and its last error.
    disabled: Option<(&'static str, String)>,
}

async fn look(tx: &mut Tx<'_>, id: WebhookId, now: Timestamp) -> Result<Option<Look>, EngineError> {
    let row = query::webhook::by_id(tx, id).await?;
    let Some(row) = row.filter(|row| row.state == WebhookState::Active && row.due <= now) else {
        return Ok(None);
    };
    let lanes = query::delivery::lanes(tx, id).await?;
    let waits = if lanes.is_empty() {
        0
    } else {
        query::delivery::count_waiting(tx, id, MOST_WAITING).await?
    };
    let window = if waits < i64::from(MOST_WAITING) {
        query::event::after(tx, row.place, WINDOW).await?
    } else {
        Vec::new()
    };
    let waiting = lanes.iter().map(|lane| lane.lane).collect();
    let mut due = Vec::new();
    for lane in lanes.into_iter().filter(|lane| lane.due <= now).take(MOST_LANES) {
        let events = query::delivery::in_lane(tx, id, lane.lane, FROM_LANE).await?;
        due.push((lane, events));
    }
    Ok(Some(Look {
        secrets: query::webhook::secrets(tx, id, now).await?,
        newest: query::event::last(tx).await?,
        row,
        waiting,
        due,
        window,
    }))
}

impl Look {
    /// How far the endpoint is when everything in the window is dealt with.
    fn place(&self) -> i64 {
        self.window.last().map_or(self.row.place, |event| event.seq)
    }

    /// What can be sent, and what has to wait behind something that waits.
    fn lanes(&self) -> (Vec<Lane>, Vec<Waiting>) {
        let filter = Filter::of(&self.row);
        let (mut fresh, mut blocked) = (BTreeMap::<Uuid, Vec<EventRow>>::new(), Vec::new());
        for event in &self.window {
            if !filter.wants(self.row.role, event) {
                continue;
            }
            let lane = lane_of(event);
            if self.waiting.contains(&lane) {
                blocked.push(waiting(event));
            } else {
                fresh.entry(lane).or_default().push(event.clone());
            }
        }
        let due = self.due.iter().map(|(row, events)| Lane {
            lane: row.lane,
            stored: Some(row.clone()),
            events: events.clone(),
        });
        let fresh = fresh.into_iter().map(|(lane, events)| Lane {
            lane,
            stored: None,
            events,
        });
        (due.chain(fresh).collect(), blocked)
    }
}

/// Lanes of which nothing can be sent, because of an error on our side.
fn unsent(lanes: Vec<Lane>, error: &str) -> Vec<Sent> {
    lanes
        .into_iter()
        .filter_map(|lane| {
            let mut seqs = lane.events.iter().map(|event| event.seq);
            let first = seqs.next()?;
            Some(Sent {
                lane: lane.lane,
                stored: lane.stored,
                delivered: Vec::new(),
                failed: Some((first, Outcome::Unreachable(error.to_owned()))),
                left: seqs.collect(),
            })
        })
        .collect()
}

/// Writes into `turn` what became of one lane.
fn settle(turn: &mut Turn, sent: Sent, schedule: &Schedule, now: Timestamp) {
    let lane = sent.lane;
    let is_stored = sent.stored.is_some();
    let has_succeeded = !sent.delivered.is_empty();
    if is_stored {
        turn.done.extend(&sent.delivered);
    }
    let mut row = LaneRow {
        lane,
        attempts: 0,
        failing_since: None,
        due: now,
        error: None,
    };
    if let Some((seq, outcome)) = sent.failed {
        let before = sent.stored.filter(|_| !has_succeeded);
        let since = before.as_ref().and_then(|row| row.failing_since).unwrap_or(now);
        let attempts = before.map_or(0, |row| row.attempts) + 1;
        let error = failure(&outcome).unwrap_or_default();
        row.failing_since = Some(since);
        if schedule.is_over(now.since(since)) {
            // The next one of this lane gets one attempt; if it fails too, it is given up like this one.
            turn.dead.push(Dead {
                seq,
                lane,
                attempts,
                error,
            });
        } else {
            row.attempts = attempts;
            row.due = now.plus(schedule.wait(attempts, asked(&outcome), random()));
            row.error = Some(error);
            if !is_stored {
                turn.waiting.push(Waiting { seq, lane });
            }
        }
    } else if !is_stored && sent.left.is_empty() {
        return;
    }
    if !is_stored {
        turn.waiting
            .extend(sent.left.into_iter().map(|seq| Waiting { seq, lane }));
    }
    turn.lanes.push(row);
}

/// Whether a failure is the endpoint's and not that of one event.
fn stops_everything(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered => false,
        Outcome::Gone | Outcome::Unreachable(_) => true,
        Outcome::Refused { retry_after, .. } => retry_after.is_some(),
    }
}

fn asked(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Refused { retry_after, .. } => *retry_after,
        _ => None,
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    u64::from_le_bytes(bytes)
}

fn count(outcome: &Outcome, took: Duration) {
    let word = match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Gone => "gone",
        Outcome::Refused { .. } => "refused",
        Outcome::Unreachable(_) => "unreachable",
    };
    metrics::counter!("usher_webhook_attempts_total", "outcome" => word).increment(1);
    metrics::histogram!("usher_webhook_attempt_seconds").record(took.as_secs_f64());
}

fn show_lag(look: &Look) {
    let id = look.row.id.to_string();
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let lag = (look.newest - look.row.place).max(0) as f64;
    metrics::gauge!("usher_webhook_lag_events", "webhook" => id.clone()).set(lag);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("usher_webhook_waiting_lanes", "webhook" => id).set(look.waiting.len() as f64);
}
