//! Changes and their events.

use usher_core::{ChangeId, MembershipId, PersonId, RoomId, Timestamp};

use crate::{Row, SourceKey, Storage, StorageError, Tx, Value};

/// What an event is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct About {
    /// The source.
    pub source: Option<SourceKey>,
    /// The room.
    pub room: Option<RoomId>,
    /// The person.
    pub person: Option<PersonId>,
    /// The membership.
    pub membership: Option<MembershipId>,
}

/// An event to append.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The unit of work.
    pub change_id: ChangeId,
    /// The word for what happened.
    pub kind: &'static str,
    /// When.
    pub at: Timestamp,
    /// The source it is about.
    pub source: Option<SourceKey>,
    /// The room it is about.
    pub room: Option<RoomId>,
    /// The person it is about.
    pub person: Option<PersonId>,
    /// The membership it is about.
    pub membership: Option<MembershipId>,
    /// The facts, as a JSON object.
    pub data: String,
}

/// A unit of work, for the history.
#[derive(Debug)]
pub struct NewChange<'a> {
    /// Its id.
    pub id: ChangeId,
    /// When.
    pub at: Timestamp,
    /// The kind of actor.
    pub actor_kind: &'static str,
    /// The actor's name.
    pub actor: &'a str,
    /// The request.
    pub request_id: Option<&'a str>,
    /// The reason a human gave.
    pub reason: Option<&'a str>,
}

/// An event of the feed, with the unit of work that made it.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its place in the feed.
    pub seq: i64,
    /// The unit of work.
    pub change_id: ChangeId,
    /// The word for what happened.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// The name of the source it is about.
    pub source: Option<String>,
    /// The room it is about.
    pub room: Option<RoomId>,
    /// The person it is about.
    pub person: Option<PersonId>,
    /// The membership it is about.
    pub membership: Option<MembershipId>,
    /// The facts, as a JSON object.
    pub data: String,
    /// The kind of actor.
    pub actor_kind: String,
    /// The actor's name.
    pub actor: String,
    /// The request.
    pub request_id: Option<String>,
    /// The reason a human gave.
    pub reason: Option<String>,
}

/// Writes down a unit of work and its events, in order.
///
/// The unit has entered before ([`lock::enter`](super::lock::enter)), on whatever footing: the lock that it holds since then is
/// how [`publish`] knows on PostgreSQL that an event with a lower number may still appear.
pub async fn append(
    tx: &mut Tx<'_>,
    change: &NewChange<'_>,
    events: Vec<NewEvent>,
) -> Result<(), StorageError> {
    tx.execute_later(
        "INSERT INTO change (id, at_us, actor_kind, actor, request_id, reason) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            change.id.into(),
            change.at.into(),
            Value::Text(change.actor_kind.into()),
            change.actor.into(),
            change.request_id.into(),
            change.reason.into(),
        ],
    )
    .await?;
    let rows: Vec<[Value; 8]> = events
        .into_iter()
        .map(|event| {
            [
                event.change_id.into(),
                Value::Text(event.kind.into()),
                event.at.into(),
                event.source.into(),
                event.room.into(),
                event.person.into(),
                event.membership.into(),
                event.data.into(),
            ]
        })
        .collect();
    tx.execute_many_later(
        "INSERT INTO event (change_id, kind, at_us, source_id, room_id, person_id, membership_id, data)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &rows,
    )
    .await?;
    Ok(())
}

/// The columns of [`EventRow`], in the order of its fields.
macro_rules! select_event {
    ($rest:literal) => {
        concat!(
            "SELECT e.seq, e.change_id, e.kind, e.at_us, s.name, e.room_id, e.person_id, e.membership_id, e.data,
                    c.actor_kind, c.actor, c.request_id, c.reason ",
            $rest
        )
    };
}
pub(super) use select_event;

/// Events after a place in the feed, oldest first: those that are published, and so all of them up to the last one. An
/// event that is not in the answer although later ones are will never be there.
pub async fn after(tx: &mut Tx<'_>, seq: i64, limit: u32) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx
        .query(
            select_event!(
                "FROM event e JOIN change c ON c.id = e.change_id LEFT JOIN source s ON s.id = e.source_id
                 WHERE e.seq > $1 /*pg AND e.seq <= usher_horizon() */ ORDER BY e.seq LIMIT $2"
            ),
            &[seq.into(), limit.into()],
        )
        .await?;
    rows.iter().map(event_row).collect()
}

/// The events of one unit of work.
pub async fn of_change(tx: &mut Tx<'_>, change: ChangeId) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx
        .query(
            select_event!(
                "FROM event e JOIN change c ON c.id = e.change_id LEFT JOIN source s ON s.id = e.source_id
                 WHERE e.change_id = $1 ORDER BY e.seq"
            ),
            &[change.into()],
        )
        .await?;
    rows.iter().map(event_row).collect()
}

/// Published events with these numbers, in order.
pub async fn by_seqs(tx: &mut Tx<'_>, seqs: Vec<i64>) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx
        .query(
            select_event!(
                "FROM event e JOIN change c ON c.id = e.change_id LEFT JOIN source s ON s.id = e.source_id
                 WHERE e.seq IN (SELECT value FROM rarray($1)) /*pg AND e.seq <= usher_horizon() */ ORDER BY e.seq"
            ),
            &[seqs.into()],
        )
        .await?;
    rows.iter().map(event_row).collect()
}

/// The place of the newest published event; 0 when there is none. Whoever reads on from it misses nothing.
pub async fn last(tx: &mut Tx<'_>) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT coalesce(max(e.seq), 0) FROM event e /*pg WHERE e.seq <= usher_horizon() */",
        &[],
    )
    .await?
    .get(0)
}

/// The place of the newest event, published or not; 0 when there is none. For a unit that is alone: no event with a lower
/// number can appear after it.
pub async fn newest(tx: &mut Tx<'_>) -> Result<i64, StorageError> {
    tx.query_one("SELECT coalesce(max(e.seq), 0) FROM event e", &[])
        .await?
        .get(0)
}

/// The first published event whose number is at least `seq`: its number and its time.
pub async fn moment(tx: &mut Tx<'_>, seq: i64) -> Result<Option<(i64, Timestamp)>, StorageError> {
    tx.query_opt(
        "SELECT e.seq, e.at_us FROM event e WHERE e.seq >= $1 /*pg AND e.seq <= usher_horizon() */
         ORDER BY e.seq LIMIT 1",
        &[seq.into()],
    )
    .await?
    .map(|row| Ok((row.get(0)?, row.get(1)?)))
    .transpose()
}

/// How often it is tried to publish where others publish at the same moment.
const ATTEMPTS: usize = 8;

/// Publishes events that were committed, as far as no earlier one can still appear. Whoever reads the feed calls this
/// before; it writes only when there is something new to publish or to put forward, and waits for nobody. What was committed
/// before is published when this comes back, unless units were under way meanwhile.
///
/// On SQLite everything committed is published, and this does nothing.
///
/// # Errors
/// What the database says; nothing is published then, and nothing is lost.
pub async fn publish(storage: &Storage) -> Result<(), StorageError> {
    let mut is_put_forward = false;
    // Who publishes at the same moment may know less than this one.
    for _ in 0..ATTEMPTS {
        let state = storage.read(|tx| Box::pin(feed(tx))).await?;
        let Some((state, next)) = state.and_then(|state| Some((state.clone(), state.next()?))) else {
            return Ok(());
        };
        let is_all = next.waits_for.is_empty();
        let work = storage.write(move |tx| {
            let (state, next) = (state.clone(), next.clone());
            Box::pin(async move { advance(tx, &state, &next).await })
        });
        let is_written: Result<bool, StorageError> = work.await;
        if is_written? {
            // What was put forward the first time is mostly over a moment later.
            if is_all || is_put_forward {
                return Ok(());
            }
            is_put_forward = true;
        }
    }
    Ok(())
}

/// How far the feed is published, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Feed {
    published: i64,
    candidate: i64,
    /// The transactions that have to be over before the candidate is published.
    waits_for: String,
    /// The highest number that can be seen.
    newest: i64,
    /// The transactions that may have a number, and were not over after `newest` was read.
    running: String,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Next {
    published: i64,
    candidate: i64,
    waits_for: String,
}

impl Feed {
    /// What is to be written now; nothing when all is published, or what was put forward still waits.
    fn next(&self) -> Option<Next> {
        if self.newest <= self.published {
            return None;
        }
        let mut waits_for = self.waits_for.split_whitespace();
        let waits = waits_for.any(|one| self.running.split_whitespace().any(|other| one == other));
        if self.candidate > self.published && waits {
            return None;
        }
        let published = match self.running.is_empty() {
            true => self.newest,
            false => self.candidate.max(self.published),
        };
        Some(Next {
            published,
            candidate: self.newest,
            waits_for: self.running.clone(),
        })
    }
}

/// Units that append hold the lock of [`lock::enter`](super::lock::enter) from before their events have numbers until their
/// transactions are over and can be seen. The holders are asked for after the numbers were read: whoever has a lower one and
/// is not among them has been over since before, and every later snapshot sees it.
async fn feed(tx: &mut Tx<'_>) -> Result<Option<Feed>, StorageError> {
    let row = tx
        .query_opt(
            "SELECT f.published_seq, f.candidate_seq, f.waits_for, (SELECT coalesce(max(e.seq), 0) FROM event e)
             FROM feed f WHERE f.id = 1",
            &[],
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let mut feed = Feed {
        published: row.get(0)?,
        candidate: row.get(1)?,
        waits_for: row.get(2)?,
        newest: row.get(3)?,
        running: String::new(),
    };
    if feed.newest > feed.published {
        let running = tx
            .query_one(
                "SELECT /*pg coalesce((SELECT string_agg(l.virtualtransaction, ' ') FROM pg_locks l
                            WHERE l.locktype = 'advisory' AND l.classid = 1970496882 AND l.objid = 1 AND l.granted
                              AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())),
                        '') || */ ''",
                &[],
            )
            .await?;
        feed.running = running.get(0)?;
    }
    Ok(Some(feed))
}

/// Writes what is next; whether it did: not when somebody else did so meanwhile or is about to.
async fn advance(tx: &mut Tx<'_>, seen: &Feed, next: &Next) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE feed SET published_seq = $1, candidate_seq = $2, waits_for = $3
         WHERE id = (SELECT f.id FROM feed f WHERE f.id = 1 AND f.published_seq = $4 AND f.candidate_seq = $5
                        AND f.waits_for = $6 /*pg FOR UPDATE SKIP LOCKED */)",
            &[
                next.published.into(),
                next.candidate.into(),
                next.waits_for.as_str().into(),
                seen.published.into(),
                seen.candidate.into(),
                seen.waits_for.as_str().into(),
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// Reads the columns of [`EventRow`], in the order of its fields, from the front of a row.
pub(super) fn event_row(row: &Row) -> Result<EventRow, StorageError> {
    Ok(EventRow {
        seq: row.get(0)?,
        change_id: row.get(1)?,
        kind: row.get(2)?,
        at: row.get(3)?,
        source: row.get(4)?,
        room: row.get(5)?,
        person: row.get(6)?,
        membership: row.get(7)?,
        data: row.get(8)?,
        actor_kind: row.get(9)?,
        actor: row.get(10)?,
        request_id: row.get(11)?,
        reason: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(published: i64, candidate: i64, waits_for: &str, newest: i64, running: &str) -> Feed {
        Feed {
            published,
            candidate,
            waits_for: waits_for.into(),
            newest,
            running: running.into(),
        }
    }

    #[test]
    fn a_candidate_is_published_when_nobody_is_left_who_could_come_before_it() {
        let check = |feed: Feed, expected: Option<(i64, i64, &str)>| {
            let next = feed.next();
            let found = next
                .as_ref()
                .map(|next| (next.published, next.candidate, next.waits_for.as_str()));
            assert_eq!(found, expected, "{feed:?}");
        };
        check(feed(7, 7, "", 7, ""), None);
        check(feed(7, 7, "", 9, ""), Some((9, 9, "")));
        check(feed(7, 7, "", 9, "3/1 4/2"), Some((7, 9, "3/1 4/2")));
        check(feed(7, 9, "3/1 4/2", 9, "4/2"), None);
        check(feed(7, 9, "3/1 4/2", 12, "5/1 4/2"), None);
        check(feed(7, 9, "3/1 4/2", 12, "5/1 4/3"), Some((9, 12, "5/1 4/3")));
        check(feed(7, 9, "3/1 4/2", 12, ""), Some((12, 12, "")));
    }
}
