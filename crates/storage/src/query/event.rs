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
/// The change goes first. On PostgreSQL that gives the transaction its id before an event gets a number, and the horizon of
/// the feed ([`publish`]) rests on this order.
pub async fn append(
    tx: &mut Tx<'_>,
    change: &NewChange<'_>,
    events: Vec<NewEvent>,
) -> Result<(), StorageError> {
    tx.execute(
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
    tx.execute_many(
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

/// Publishes events that were committed, as far as no earlier one can still appear. Whoever reads the feed calls this
/// before; it writes only when something new is there that nobody has put forward yet, and waits for nobody.
///
/// On SQLite everything committed is published, and this does nothing.
///
/// # Errors
/// What the database says; nothing is published then, and nothing is lost.
pub async fn publish(storage: &Storage) -> Result<(), StorageError> {
    // The reading unit is over before the writing one begins, so the writing one's transaction id is later than every
    // number that was read.
    let Some(seen) = storage.read(|tx| Box::pin(horizon(tx))).await? else {
        return Ok(());
    };
    if seen.newest <= seen.horizon || seen.is_waiting() {
        return Ok(());
    }
    storage
        .write(move |tx| Box::pin(async move { put_forward(tx, seen).await }))
        .await
}

/// How far the feed is published, and what comes next.
#[derive(Debug, Clone, Copy)]
struct Horizon {
    horizon: i64,
    published: i64,
    candidate: i64,
    candidate_xid: i64,
    newest: i64,
    next_xid: i64,
}

impl Horizon {
    /// Whether what was put forward still waits for transactions that run. A transaction id ahead of the database's own came
    /// with a dump of another one, and would be waited for in vain.
    const fn is_waiting(&self) -> bool {
        self.candidate > self.horizon && self.candidate_xid < self.next_xid
    }
}

async fn horizon(tx: &mut Tx<'_>) -> Result<Option<Horizon>, StorageError> {
    tx.query_opt(
        "SELECT /*pg usher_horizon() + */ 0, f.published_seq, f.candidate_seq, f.candidate_xid,
                (SELECT coalesce(max(e.seq), 0) FROM event e),
                /*pg pg_snapshot_xmax(pg_current_snapshot())::text::bigint + */ 0
         FROM feed f WHERE f.id = 1",
        &[],
    )
    .await?
    .map(|row| {
        Ok(Horizon {
            horizon: row.get(0)?,
            published: row.get(1)?,
            candidate: row.get(2)?,
            candidate_xid: row.get(3)?,
            newest: row.get(4)?,
            next_xid: row.get(5)?,
        })
    })
    .transpose()
}

/// Puts forward the newest event that was seen; nothing when somebody else did so meanwhile or is about to.
async fn put_forward(tx: &mut Tx<'_>, seen: Horizon) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE feed SET published_seq = $1, candidate_seq = $2,
                candidate_xid = /*pg pg_current_xact_id()::text::bigint + */ 0
         WHERE id = (SELECT f.id FROM feed f WHERE f.id = 1 AND f.published_seq = $3 AND f.candidate_seq = $4
                        AND f.candidate_xid = $5 /*pg FOR UPDATE SKIP LOCKED */)",
        &[
            seen.horizon.into(),
            seen.newest.into(),
            seen.published.into(),
            seen.candidate.into(),
            seen.candidate_xid.into(),
        ],
    )
    .await?;
    Ok(())
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
