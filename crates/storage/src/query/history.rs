//! The history of memberships: levels over time, who was in a room at a moment, and what stays though nobody
//! asks for it.

use usher_core::{ChangeId, MembershipId, PersonId, RoomId, Stray, Timestamp};

use super::event::{EventRow, event_row};
use super::membership::{MembershipRow, membership_row};
use super::or_start;
use crate::{StorageError, Tx, uuids};

/// A level that was given after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelChangeRow {
    /// The membership.
    pub membership: MembershipId,
    /// When.
    pub at: Timestamp,
    /// The level before.
    pub before: String,
    /// The level since.
    pub level: String,
    /// The unit of work.
    pub change: ChangeId,
}

/// The levels that memberships were given after their start, by membership and time.
pub async fn level_changes(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = MembershipId>,
) -> Result<Vec<LevelChangeRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT l.membership_id, l.at_us, l.level_before, l.level, l.change_id
             FROM rarray($1) i CROSS JOIN level_change l ON l.membership_id = i.value ORDER BY l.membership_id, l.n",
            &[uuids(ids)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LevelChangeRow {
                membership: row.get(0)?,
                at: row.get(1)?,
                before: row.get(2)?,
                level: row.get(3)?,
                change: row.get(4)?,
            })
        })
        .collect()
}

/// The memberships of a person in a room, active and ended, newest first.
pub async fn of_pair(
    tx: &mut Tx<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Vec<MembershipRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.id, m.room_id, m.person_id, m.kind, m.level, m.administrator, m.active, m.source_id, m.user_id,
                    m.mapping_id, m.started_us, m.ended_us, m.end_reason, m.stray, m.stray_since_us, m.hold_id,
                    m.owner, m.note, m.until_us, m.version
             FROM membership m WHERE m.person_id = $2 AND m.room_id = $1
             ORDER BY m.active DESC, m.started_us DESC, m.id DESC",
            &[room.into(), person.into()],
        )
        .await?;
    rows.iter().map(membership_row).collect()
}

/// The ended memberships of a room, by id.
pub async fn ended(
    tx: &mut Tx<'_>,
    room: RoomId,
    after: Option<MembershipId>,
    limit: u32,
) -> Result<Vec<MembershipRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.id, m.room_id, m.person_id, m.kind, m.level, m.administrator, m.active, m.source_id, m.user_id,
                    m.mapping_id, m.started_us, m.ended_us, m.end_reason, m.stray, m.stray_since_us, m.hold_id,
                    m.owner, m.note, m.until_us, m.version
             FROM membership m WHERE m.room_id = $1 AND m.active = 0 AND m.id > $2 ORDER BY m.id LIMIT $3",
            &[room.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter().map(membership_row).collect()
}

/// Who was in a room at a moment, each with the level at that moment, by person.
pub async fn members_at(
    tx: &mut Tx<'_>,
    room: RoomId,
    at: Timestamp,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<(MembershipRow, String)>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.id, m.room_id, m.person_id, m.kind, m.level, m.administrator, m.active, m.source_id, m.user_id,
                    m.mapping_id, m.started_us, m.ended_us, m.end_reason, m.stray, m.stray_since_us, m.hold_id,
                    m.owner, m.note, m.until_us, m.version,
                    coalesce(
                        (SELECT l.level FROM level_change l WHERE l.membership_id = m.id AND l.at_us <= $2
                         ORDER BY l.n DESC LIMIT 1),
                        (SELECT l.level_before FROM level_change l WHERE l.membership_id = m.id ORDER BY l.n LIMIT 1),
                        m.level)
             FROM (
                 SELECT id FROM membership WHERE room_id = $1 AND active = 1 AND person_id > $3
                 UNION ALL
                 SELECT id FROM membership WHERE room_id = $1 AND active = 0 AND ended_us > $2 AND person_id > $3
             ) c
             JOIN membership m ON m.id = c.id
             JOIN period p ON p.membership_id = m.id AND p.from_us <= $2 AND (p.to_us IS NULL OR p.to_us > $2)
             ORDER BY m.person_id LIMIT $4",
            &[room.into(), at.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((membership_row(row)?, row.get(20)?)))
        .collect()
}

/// Active managed memberships that nobody asks for any more, or of whose source nothing more is known: with the
/// cause, and since when. By id.
pub async fn strays(
    tx: &mut Tx<'_>,
    after: Option<MembershipId>,
    limit: u32,
) -> Result<Vec<(MembershipRow, Stray, Option<Timestamp>)>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.id, m.room_id, m.person_id, m.kind, m.level, m.administrator, m.active, m.source_id, m.user_id,
                    m.mapping_id, m.started_us, m.ended_us, m.end_reason, m.stray, m.stray_since_us, m.hold_id,
                    m.owner, m.note, m.until_us, m.version, c.cause, c.since
             FROM (
                 SELECT id, stray AS cause, stray_since_us AS since FROM membership
                 WHERE active = 1 AND stray IS NOT NULL AND id > $1
                 UNION ALL
                 SELECT f.id, 'frozen_source', s.last_write_us
                 FROM source s JOIN membership f ON f.source_id = s.id
                 WHERE s.state = 'frozen' AND f.active = 1 AND f.kind = 'managed' AND f.stray IS NULL AND f.id > $1
                 ORDER BY 1 LIMIT $2
             ) c
             JOIN membership m ON m.id = c.id ORDER BY c.id LIMIT $2",
            &[or_start(after), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((membership_row(row)?, row.get(20)?, row.get(21)?)))
        .collect()
}

/// What one unit of work told about a person in a room, and about nobody in particular, oldest first.
pub async fn events_about(
    tx: &mut Tx<'_>,
    change: ChangeId,
    room: RoomId,
    person: PersonId,
    limit: u32,
) -> Result<Vec<EventRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT e.seq, e.change_id, e.kind, e.at_us, s.name, e.room_id, e.person_id, e.membership_id, e.data,
                    c.actor_kind, c.actor, c.request_id, c.reason
             FROM event e JOIN change c ON c.id = e.change_id LEFT JOIN source s ON s.id = e.source_id
             WHERE e.change_id = $1 AND (e.room_id IS NULL OR e.room_id = $2)
               AND (e.person_id IS NULL OR e.person_id = $3) ORDER BY e.seq LIMIT $4",
            &[change.into(), room.into(), person.into(), limit.into()],
        )
        .await?;
    rows.iter().map(event_row).collect()
}
