//! The brake's window, its holds, and people who wait at a room's door.

use std::collections::BTreeMap;

use usher_core::{HoldId, HoldKind, HoldState, MembershipId, ParkReason, PersonId, RoomId, Timestamp};

use super::or_start;
use crate::{Later, Row, SourceKey, StorageError, Tx, Value, uuids};

/// Several endings, or arrivals, that wait for a human.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRow {
    /// The id.
    pub id: HoldId,
    /// What it holds.
    pub kind: HoldKind,
    /// The room.
    pub room: RoomId,
    /// The source.
    pub source: SourceKey,
    /// How far it is.
    pub state: HoldState,
    /// What most likely caused it, in words.
    pub cause: String,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it is applied by itself.
    pub due: Option<Timestamp>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// Rises with every change.
    pub version: i64,
}

/// One person in a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldItem {
    /// The hold.
    pub hold: HoldId,
    /// The person.
    pub person: PersonId,
    /// The membership that would end.
    pub membership: Option<MembershipId>,
    /// Why it would end, or start.
    pub reason: String,
    /// When it was held.
    pub at: Timestamp,
}

/// How many endings of a source in a room the brake counted since a moment, no further than `limit`.
pub async fn endings_since(
    tx: &mut Tx<'_>,
    room: RoomId,
    source: SourceKey,
    since: Timestamp,
    limit: i64,
) -> Result<i64, StorageError> {
    let asked = endings_since_later(tx, room, source, since, limit).await?;
    tx.rows(asked).await?.pop().ok_or(StorageError::NoRow)
}

/// As [`endings_since`], for later: one number.
pub async fn endings_since_later(
    tx: &mut Tx<'_>,
    room: RoomId,
    source: SourceKey,
    since: Timestamp,
    limit: i64,
) -> Result<Later<i64>, StorageError> {
    tx.query_later(
        "SELECT count(*) FROM (SELECT 1 FROM ending WHERE room_id = $1 AND source_id = $2 AND at_us > $3 LIMIT $4) c",
        &[room.into(), source.into(), since.into(), limit.into()],
        |row| row.get(0),
    )
    .await
}

/// Counts endings.
pub async fn count_endings(
    tx: &mut Tx<'_>,
    endings: &[(RoomId, SourceKey, MembershipId)],
    now: Timestamp,
) -> Result<(), StorageError> {
    let rows: Vec<[Value; 4]> = endings
        .iter()
        .map(|(room, source, membership)| {
            [(*room).into(), (*source).into(), now.into(), (*membership).into()]
        })
        .collect();
    tx.execute_many_later(
        "INSERT INTO ending (room_id, source_id, at_us, membership_id) VALUES ($1, $2, $3, $4)",
        &rows,
    )
    .await?;
    Ok(())
}

/// Forgets counted endings that are older than a moment, for one room and source.
pub async fn forget_endings(
    tx: &mut Tx<'_>,
    room: RoomId,
    source: SourceKey,
    before: Timestamp,
) -> Result<(), StorageError> {
    tx.execute_later(
        "DELETE FROM ending WHERE room_id = $1 AND source_id = $2 AND at_us < $3",
        &[room.into(), source.into(), before.into()],
    )
    .await?;
    Ok(())
}

macro_rules! select_hold {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.kind, h.room_id, h.source_id, h.state, h.cause, h.opened_us, h.due_us, h.closed_us, h.version ",
            $rest
        )
    };
}

/// The hold with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: HoldId) -> Result<Option<HoldRow>, StorageError> {
    let row = tx
        .query_opt(select_hold!("FROM hold h WHERE h.id = $1"), &[id.into()])
        .await?;
    row.as_ref().map(hold_row).transpose()
}

/// The open hold of a room and source.
pub async fn open(
    tx: &mut Tx<'_>,
    room: RoomId,
    source: SourceKey,
    kind: HoldKind,
) -> Result<Option<HoldRow>, StorageError> {
    let asked = open_later(tx, room, source, kind).await?;
    Ok(tx.rows(asked).await?.pop())
}

/// As [`open`], for later: one hold, or none.
pub async fn open_later(
    tx: &mut Tx<'_>,
    room: RoomId,
    source: SourceKey,
    kind: HoldKind,
) -> Result<Later<HoldRow>, StorageError> {
    let sql = select_hold!(
        "FROM hold h WHERE h.room_id = $1 AND h.source_id = $2 AND h.kind = $3 AND h.state = 'open'"
    );
    tx.query_later(sql, &[room.into(), source.into(), kind.into()], hold_row)
        .await
}

/// The open holds of a room, of any source.
pub async fn open_in_room(
    tx: &mut Tx<'_>,
    room: RoomId,
    kind: HoldKind,
) -> Result<Vec<HoldRow>, StorageError> {
    let sql =
        select_hold!("FROM hold h WHERE h.room_id = $1 AND h.kind = $2 AND h.state = 'open' ORDER BY h.id");
    tx.query(sql, &[room.into(), kind.into()])
        .await?
        .iter()
        .map(hold_row)
        .collect()
}

/// Open holds whose due date has come, in rooms that are not archived.
pub async fn due(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<HoldRow>, StorageError> {
    let sql = select_hold!(
        "FROM hold h JOIN room r ON r.id = h.room_id
         WHERE h.state = 'open' AND h.due_us IS NOT NULL AND h.due_us <= $1 AND r.state <> 'archived'
         ORDER BY h.due_us LIMIT $2"
    );
    tx.query(sql, &[now.into(), limit.into()])
        .await?
        .iter()
        .map(hold_row)
        .collect()
}

/// Holds in the order of their opening, the open ones alone or all.
pub async fn page(
    tx: &mut Tx<'_>,
    open_only: bool,
    after: Option<HoldId>,
    limit: u32,
) -> Result<Vec<HoldRow>, StorageError> {
    let sql =
        select_hold!("FROM hold h WHERE h.id > $1 AND ($2 = 0 OR h.state = 'open') ORDER BY h.id LIMIT $3");
    tx.query(sql, &[or_start(after), open_only.into(), limit.into()])
        .await?
        .iter()
        .map(hold_row)
        .collect()
}

/// Adds a hold.
pub async fn insert(tx: &mut Tx<'_>, hold: &HoldRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO hold (id, kind, room_id, source_id, state, cause, opened_us, due_us, closed_us, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            hold.id.into(),
            hold.kind.into(),
            hold.room.into(),
            hold.source.into(),
            hold.state.into(),
            hold.cause.as_str().into(),
            hold.opened.into(),
            hold.due.into(),
            hold.closed.into(),
            hold.version.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Closes a hold.
pub async fn close(
    tx: &mut Tx<'_>,
    id: HoldId,
    state: HoldState,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE hold SET state = $2, closed_us = $3, version = version + 1 WHERE id = $1",
        &[id.into(), state.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Puts people into a hold; those who are in it stay as they are.
pub async fn add_items(tx: &mut Tx<'_>, items: &[HoldItem]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 5]> = items
        .iter()
        .map(|item| {
            [
                item.hold.into(),
                item.person.into(),
                item.membership.into(),
                item.reason.as_str().into(),
                item.at.into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO hold_item (hold_id, person_id, membership_id, reason, at_us) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (hold_id, person_id) DO NOTHING",
        &rows,
    )
    .await?;
    Ok(())
}

/// The people in a hold.
pub async fn items(tx: &mut Tx<'_>, hold: HoldId) -> Result<Vec<HoldItem>, StorageError> {
    items_after(tx, hold, None, u32::MAX).await
}

/// People in a hold by id, after one of them.
pub async fn items_after(
    tx: &mut Tx<'_>,
    hold: HoldId,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<HoldItem>, StorageError> {
    let rows = tx
        .query(
            "SELECT hold_id, person_id, membership_id, reason, at_us FROM hold_item
             WHERE hold_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3",
            &[hold.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(HoldItem {
                hold: row.get(0)?,
                person: row.get(1)?,
                membership: row.get(2)?,
                reason: row.get(3)?,
                at: row.get(4)?,
            })
        })
        .collect()
}

/// Takes people out of a hold; answers how many are left in it.
pub async fn remove_items(
    tx: &mut Tx<'_>,
    hold: HoldId,
    persons: impl IntoIterator<Item = PersonId>,
) -> Result<i64, StorageError> {
    tx.execute(
        "DELETE FROM hold_item WHERE hold_id = $1 AND person_id IN (SELECT value FROM rarray($2))",
        &[hold.into(), uuids(persons)],
    )
    .await?;
    tx.query_one(
        "SELECT count(*) FROM hold_item WHERE hold_id = $1",
        &[hold.into()],
    )
    .await?
    .get(0)
}

/// A person who waits at a room's door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// The room.
    pub room: RoomId,
    /// The person.
    pub person: PersonId,
    /// Why.
    pub reason: ParkReason,
    /// Whom the person may be the same as.
    pub other: Option<PersonId>,
    /// Since when.
    pub since: Timestamp,
}

/// Who of these people waits at the doors of these rooms.
pub async fn parked(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<BTreeMap<(RoomId, PersonId), ParkedRow>, StorageError> {
    let asked = parked_later(tx, rooms, persons).await?;
    Ok(tx.rows(asked).await?.into_iter().collect())
}

/// Somebody who waits, by the room and the person.
type Parked = ((RoomId, PersonId), ParkedRow);

/// As [`parked`], for later.
pub async fn parked_later(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Later<Parked>, StorageError> {
    tx.query_later(
        "SELECT k.room_id, k.person_id, k.reason, k.other_id, k.since_us
         FROM rarray($1) r CROSS JOIN rarray($2) p
         CROSS JOIN parked k ON k.room_id = r.value AND k.person_id = p.value",
        &[uuids(rooms.iter().copied()), uuids(persons.iter().copied())],
        |row| {
            let parked = parked_row(row)?;
            Ok(((parked.room, parked.person), parked))
        },
    )
    .await
}

/// Who waits at any door because one of these people was inside.
pub async fn waiting_for(
    tx: &mut Tx<'_>,
    others: impl IntoIterator<Item = PersonId>,
) -> Result<Later<(RoomId, PersonId)>, StorageError> {
    tx.query_later(
        "SELECT k.room_id, k.person_id FROM rarray($1) p CROSS JOIN parked k ON k.other_id = p.value",
        &[uuids(others)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .await
}

/// Everybody who waits at a room's door, by person.
pub async fn parked_in(
    tx: &mut Tx<'_>,
    room: RoomId,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<ParkedRow>, StorageError> {
    tx.query(
        "SELECT k.room_id, k.person_id, k.reason, k.other_id, k.since_us FROM parked k
         WHERE k.room_id = $1 AND k.person_id > $2 ORDER BY k.person_id LIMIT $3",
        &[room.into(), or_start(after), limit.into()],
    )
    .await?
    .iter()
    .map(parked_row)
    .collect()
}

/// Lets people wait.
pub async fn park(tx: &mut Tx<'_>, people: &[ParkedRow]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 5]> = people
        .iter()
        .map(|parked| {
            [
                parked.room.into(),
                parked.person.into(),
                parked.reason.into(),
                parked.other.into(),
                parked.since.into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO parked (room_id, person_id, reason, other_id, since_us) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (room_id, person_id) DO UPDATE SET reason = excluded.reason, other_id = excluded.other_id",
        &rows,
    )
    .await?;
    Ok(())
}

/// Lets people wait no longer.
pub async fn unpark(tx: &mut Tx<'_>, people: &[(RoomId, PersonId)]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 2]> = people
        .iter()
        .map(|(room, person)| [(*room).into(), (*person).into()])
        .collect();
    tx.execute_many("DELETE FROM parked WHERE room_id = $1 AND person_id = $2", &rows)
        .await?;
    Ok(())
}

fn parked_row(row: &Row) -> Result<ParkedRow, StorageError> {
    Ok(ParkedRow {
        room: row.get(0)?,
        person: row.get(1)?,
        reason: row.get(2)?,
        other: row.get(3)?,
        since: row.get(4)?,
    })
}

fn hold_row(row: &Row) -> Result<HoldRow, StorageError> {
    Ok(HoldRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        room: row.get(2)?,
        source: row.get(3)?,
        state: row.get(4)?,
        cause: row.get(5)?,
        opened: row.get(6)?,
        due: row.get(7)?,
        closed: row.get(8)?,
        version: row.get(9)?,
    })
}
