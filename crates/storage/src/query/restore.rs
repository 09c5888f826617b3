//! Restores: suggestions to bring a former membership back, and what became of them.

use usher_core::{MembershipId, PersonId, RestoreId, RestoreState, RoomId, Timestamp};

use super::membership::{MembershipRow, membership_row};
use super::or_start;
use crate::{Later, Row, StorageError, Tx, Value, uuids};

/// The restoring of one membership in place of another, suggested or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRow {
    /// The id.
    pub id: RestoreId,
    /// The room.
    pub room: RoomId,
    /// The person who is back.
    pub person: PersonId,
    /// The membership that the return began, empty-handed.
    pub present: MembershipId,
    /// The membership that was restored, once it is chosen.
    pub former: Option<MembershipId>,
    /// How far it is.
    pub state: RestoreState,
    /// When it was suggested.
    pub opened: Timestamp,
    /// When it was applied, undone or closed.
    pub closed: Option<Timestamp>,
    /// Why it was closed, in words.
    pub closing_reason: Option<String>,
    /// What undoing needs, as JSON.
    pub data: String,
    /// Rises with every change.
    pub version: i64,
}

macro_rules! select_restore {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.room_id, r.person_id, r.present_id, r.former_id, r.state, r.opened_us, r.closed_us,
                    r.closing_reason, r.data, r.version ",
            $rest
        )
    };
}

/// The restore with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: RestoreId) -> Result<Option<RestoreRow>, StorageError> {
    let row = tx
        .query_opt(select_restore!("FROM restore r WHERE r.id = $1"), &[id.into()])
        .await?;
    row.as_ref().map(restore_row).transpose()
}

/// The open suggestion for a person in a room.
pub async fn suggested(
    tx: &mut Tx<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Option<RestoreRow>, StorageError> {
    let sql =
        select_restore!("FROM restore r WHERE r.room_id = $1 AND r.person_id = $2 AND r.state = 'suggested'");
    tx.query_opt(sql, &[room.into(), person.into()])
        .await?
        .as_ref()
        .map(restore_row)
        .transpose()
}

/// The restores of a person in a room, oldest first.
pub async fn of_pair(
    tx: &mut Tx<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Vec<RestoreRow>, StorageError> {
    let sql = select_restore!("FROM restore r WHERE r.person_id = $1 AND r.room_id = $2 ORDER BY r.id");
    tx.query(sql, &[person.into(), room.into()])
        .await?
        .iter()
        .map(restore_row)
        .collect()
}

/// Restores in the order of their opening, the open suggestions alone or all.
pub async fn page(
    tx: &mut Tx<'_>,
    open_only: bool,
    after: Option<RestoreId>,
    limit: u32,
) -> Result<Vec<RestoreRow>, StorageError> {
    let sql = select_restore!(
        "FROM restore r WHERE r.id > $1 AND ($2 = 0 OR r.state = 'suggested') ORDER BY r.id LIMIT $3"
    );
    tx.query(sql, &[or_start(after), open_only.into(), limit.into()])
        .await?
        .iter()
        .map(restore_row)
        .collect()
}

/// Adds restores.
pub async fn insert(tx: &mut Tx<'_>, restores: &[RestoreRow]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 11]> = restores
        .iter()
        .map(|restore| {
            [
                restore.id.into(),
                restore.room.into(),
                restore.person.into(),
                restore.present.into(),
                restore.former.into(),
                restore.state.into(),
                restore.opened.into(),
                restore.closed.into(),
                restore.closing_reason.as_deref().into(),
                restore.data.as_str().into(),
                restore.version.into(),
            ]
        })
        .collect();
    tx.execute_many_later(
        "INSERT INTO restore (id, room_id, person_id, present_id, former_id, state, opened_us, closed_us,
            closing_reason, data, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &rows,
    )
    .await?;
    Ok(())
}

/// Writes all that may change of a restore and raises its version.
pub async fn update(tx: &mut Tx<'_>, restore: &RestoreRow) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE restore SET former_id = $2, state = $3, closed_us = $4, closing_reason = $5, data = $6,
            version = version + 1
         WHERE id = $1",
        &[
            restore.id.into(),
            restore.former.into(),
            restore.state.into(),
            restore.closed.into(),
            restore.closing_reason.as_deref().into(),
            restore.data.as_str().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Closes the open suggestions that would put something in the place of these memberships; answers them.
pub async fn close_for(
    tx: &mut Tx<'_>,
    presents: &[MembershipId],
    reason: &str,
    now: Timestamp,
) -> Result<Later<(RestoreId, RoomId, PersonId, MembershipId)>, StorageError> {
    tx.query_later(
        "UPDATE restore SET state = 'closed', closed_us = $2, closing_reason = $3, version = version + 1
         WHERE present_id IN (SELECT value FROM rarray($1)) AND state = 'suggested'
         RETURNING id, room_id, person_id, present_id",
        &[uuids(presents.iter().copied()), now.into(), reason.into()],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )
    .await
}

/// A former membership that may be restored for a person who is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// Who is back.
    pub person: PersonId,
    /// The former membership: of the person, or of somebody who may be the same.
    pub membership: MembershipRow,
}

/// The ended memberships of these people, and of those who may be the same as they, in these rooms. The
/// vendor's set-up user is no candidate.
pub async fn formers(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Vec<Former>, StorageError> {
    let asked = formers_later(tx, rooms, persons).await?;
    tx.rows(asked).await
}

/// As [`formers`], for later.
pub async fn formers_later(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Later<Former>, StorageError> {
    tx.query_later(
        "SELECT m.id, m.room_id, m.person_id, m.kind, m.level, m.administrator, m.active, m.source_id, m.user_id,
                m.mapping_id, m.started_us, m.ended_us, m.end_reason, m.stray, m.stray_since_us, m.hold_id,
                m.owner, m.note, m.until_us, m.version, c.back
         FROM (
             SELECT value AS back, value AS was FROM rarray($2)
             UNION SELECT s.person_id, s.other_id FROM rarray($2) p CROSS JOIN similar_person s ON s.person_id = p.value
             UNION SELECT s.other_id, s.person_id FROM rarray($2) p CROSS JOIN similar_person s ON s.other_id = p.value
         ) c
         CROSS JOIN rarray($1) r CROSS JOIN membership m ON m.person_id = c.was AND m.room_id = r.value
         WHERE m.active = 0 AND m.kind <> 'bootstrap' ORDER BY c.back, m.ended_us DESC, m.id DESC",
        &[uuids(rooms.iter().copied()), uuids(persons.iter().copied())],
        |row| {
            Ok(Former {
                person: row.get(20)?,
                membership: membership_row(row)?,
            })
        },
    )
    .await
}

fn restore_row(row: &Row) -> Result<RestoreRow, StorageError> {
    Ok(RestoreRow {
        id: row.get(0)?,
        room: row.get(1)?,
        person: row.get(2)?,
        present: row.get(3)?,
        former: row.get(4)?,
        state: row.get(5)?,
        opened: row.get(6)?,
        closed: row.get(7)?,
        closing_reason: row.get(8)?,
        data: row.get(9)?,
        version: row.get(10)?,
    })
}
