//! Changes and their events.

use usher_core::{ChangeId, MembershipId, PersonId, RoomId, Timestamp};

use crate::{Row, SourceKey, StorageError, Tx, Value};

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

/// Events after a place in the feed, oldest first.
pub async fn after(tx: &mut Tx<'_>, seq: i64, limit: u32) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT e.seq, e.change_id, e.kind, e.at_us, s.name, e.room_id, e.person_id, e.membership_id, e.data,
                    c.actor_kind, c.actor, c.request_id, c.reason
             FROM event e JOIN change c ON c.id = e.change_id LEFT JOIN source s ON s.id = e.source_id
             WHERE e.seq > $1 ORDER BY e.seq LIMIT $2",
            &[seq.into(), limit.into()],
        )
        .await?;
    rows.iter().map(event_row).collect()
}

/// The events of one unit of work.
pub async fn of_change(tx: &mut Tx<'_>, change: ChangeId) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT e.seq, e.change_id, e.kind, e.at_us, s.name, e.room_id, e.person_id, e.membership_id, e.data,
                    c.actor_kind, c.actor, c.request_id, c.reason
             FROM event e JOIN change c ON c.id = e.change_id LEFT JOIN source s ON s.id = e.source_id
             WHERE e.change_id = $1 ORDER BY e.seq",
            &[change.into()],
        )
        .await?;
    rows.iter().map(event_row).collect()
}

/// The place of the newest event; 0 when there is none.
pub async fn last(tx: &mut Tx<'_>) -> Result<i64, StorageError> {
    tx.query_one("SELECT coalesce(max(seq), 0) FROM event", &[])
        .await?
        .get(0)
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
