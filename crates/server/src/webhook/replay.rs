//! Delivering again: single events, a range of time, or everything that was given up.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use usher_core::{Timestamp, WebhookId};
use usher_engine::{About, EngineError, EventKind, Unit};
use usher_storage::query::delivery::Waiting;
use usher_storage::query::event::EventRow;
use usher_storage::{Tx, query};

use super::endpoint::locked;
use super::{Filter, MOST_WAITING, turn};
use crate::api::events::is_visible;

/// The most events that are looked at for a range of time.
const MOST_LOOKED_AT: u32 = 100_000;
/// Events that are read together.
const PAGE: u32 = 1000;
/// Events are numbered when they are written and timed a moment before, on several nodes: neighbours may stand crosswise.
const CROSSWISE: Duration = Duration::from_secs(120);

/// What to deliver again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replay {
    /// These events, whatever the filter says.
    Events(Vec<i64>),
    /// Everything since a moment, before another one, that the filter lets pass.
    Range(Timestamp, Option<Timestamp>),
    /// Everything that was given up.
    Dead,
}

/// Puts events in line to be delivered again, before later ones of their rooms; how many.
///
/// # Errors
/// [`EngineError::NotFound`], [`EngineError::Invalid`] for events that are not there or not for this receiver, and a
/// refusal when they are too many.
pub(crate) async fn replay(
    unit: &mut Unit<'_, '_>,
    id: WebhookId,
    what: &Replay,
) -> Result<usize, EngineError> {
    let row = locked(unit, id).await?;
    let role = row.role;
    let waiting = match what {
        Replay::Events(seqs) => named(unit.tx(), seqs, |event| is_visible(role, &event.kind)).await?,
        Replay::Range(since, before) => {
            let filter = Filter::of(&row);
            in_range(unit.tx(), row.place, *since, *before, |event| {
                filter.wants(role, event)
            })
            .await?
        }
        Replay::Dead => query::delivery::dead(unit.tx(), id, 0, MOST_WAITING)
            .await?
            .into_iter()
            .map(|dead| Waiting {
                seq: dead.seq,
                lane: dead.lane,
            })
            .collect(),
    };
    let present = query::delivery::count_waiting(unit.tx(), id, MOST_WAITING).await?;
    let room = usize::try_from(i64::from(MOST_WAITING) - present).unwrap_or(0);
    if waiting.len() > room {
        return Err(too_many(format!(
            "{} events are to be delivered again, and {present} wait already",
            waiting.len()
        )));
    }
    if waiting.is_empty() {
        return Ok(0);
    }
    let now = unit.now();
    query::delivery::wait(unit.tx(), id, &waiting, now).await?;
    let lanes: BTreeSet<_> = waiting.iter().map(|one| one.lane).collect();
    query::delivery::wake_lanes(unit.tx(), id, lanes, now).await?;
    let data = json!({
        "webhook": id, "url": row.url, "events": waiting.len(), "first": waiting.first().map(|one| one.seq),
        "last": waiting.last().map(|one| one.seq),
    });
    unit.tell(EventKind::WebhookReplayed, About::default(), &data);
    Ok(waiting.len())
}

async fn named(
    tx: &mut Tx<'_>,
    seqs: &[i64],
    may_see: impl Fn(&EventRow) -> bool,
) -> Result<Vec<Waiting>, EngineError> {
    let wanted: BTreeSet<i64> = seqs.iter().copied().collect();
    if wanted.len() > MOST_WAITING as usize {
        return Err(too_many(format!("{} events are named", wanted.len())));
    }
    let events = query::event::by_seqs(tx, wanted.iter().copied().collect()).await?;
    if events.len() < wanted.len() {
        let known: BTreeSet<i64> = events.iter().map(|event| event.seq).collect();
        let missing = wanted.difference(&known).next().copied().unwrap_or_default();
        return Err(EngineError::invalid(
            "events",
            format!("there is no event {missing}"),
        ));
    }
    if let Some(hidden) = events.iter().find(|event| !may_see(event)) {
        let problem = format!("the receiver does not see event {}, by its role", hidden.seq);
        return Err(EngineError::invalid("events", problem));
    }
    Ok(events.iter().map(turn::waiting).collect())
}

/// What is up to `place`; later events are delivered anyway.
async fn in_range(
    tx: &mut Tx<'_>,
    place: i64,
    since: Timestamp,
    before: Option<Timestamp>,
    wants: impl Fn(&EventRow) -> bool,
) -> Result<Vec<Waiting>, EngineError> {
    let end = before.map(|before| before.plus(CROSSWISE));
    let mut after = first_since(tx, place, since.minus(CROSSWISE)).await? - 1;
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let events = query::event::after(tx, after, PAGE).await?;
        let Some(last) = events.last().map(|event| event.seq) else {
            return Ok(found);
        };
        for event in &events {
            if event.seq > place || end.is_some_and(|end| event.at >= end) {
                return Ok(found);
            }
            looked_at += 1;
            let is_in = event.at >= since && before.is_none_or(|before| event.at < before);
            if is_in && wants(event) {
                found.push(turn::waiting(event));
            }
        }
        if looked_at >= MOST_LOOKED_AT || found.len() > MOST_WAITING as usize {
            return Err(too_many(
                "the range holds more events than can be looked at".to_owned(),
            ));
        }
        after = last;
    }
}

/// The first number whose event is of this moment or later, by bisection: events are numbered in the order of time, nearly.
pub(crate) async fn first_since(tx: &mut Tx<'_>, place: i64, since: Timestamp) -> Result<i64, EngineError> {
    let (mut low, mut high) = (1, place + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match query::event::moment(tx, middle).await? {
            Some((seq, at)) if at < since => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn too_many(message: String) -> EngineError {
    EngineError::refused(
        "too_many_events",
        message,
        format!("narrow it down: at most {MOST_WAITING} deliveries of an endpoint wait"),
    )
}
