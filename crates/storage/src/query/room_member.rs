//! Members of a room as people look for them: by name, and those who were.

use usher_core::{MembershipId, PersonId, RoomId, Timestamp};

use super::membership::{MembershipRow, membership_row};
use super::or_start;
use crate::{StorageError, Tx, Value};

/// A member's names, to search in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedMember {
    /// The person.
    pub person: PersonId,
    /// The address, folded.
    pub email: Option<String>,
    /// The name that people see.
    pub display_name: Option<String>,
}

/// The names of a room's active members, by person.
pub async fn names(
    tx: &mut Tx<'_>,
    room: RoomId,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<NamedMember>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.id, p.email, p.display_name
             FROM (SELECT m.person_id FROM membership m WHERE m.room_id = $1 AND m.active = 1 AND m.person_id > $2
                   ORDER BY m.person_id LIMIT $3) c
             CROSS JOIN person p ON p.id = c.person_id ORDER BY p.id",
            &[room.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(NamedMember {
                person: row.get(0)?,
                email: row.get(1)?,
                display_name: row.get(2)?,
            })
        })
        .collect()
}

/// Memberships of a room that are over, the one that ended last first, after one of them.
pub async fn former(
    tx: &mut Tx<'_>,
    room: RoomId,
    before: Option<(Timestamp, MembershipId)>,
    limit: u32,
) -> Result<Vec<MembershipRow>, StorageError> {
    let (ended, id) = match before {
        Some((ended, id)) => (ended.into(), id.into()),
        None => (Value::Int(i64::MAX), Value::Uuid(uuid::Uuid::max())),
    };
    let rows = tx
        .query(
            "SELECT m.id, m.room_id, m.person_id, m.kind, m.level, m.administrator, m.active, m.source_id, m.user_id,
                    m.mapping_id, m.started_us, m.ended_us, m.end_reason, m.stray, m.stray_since_us, m.hold_id,
                    m.owner, m.note, m.until_us, m.version
             FROM membership m
             WHERE m.room_id = $1 AND m.active = 0 AND m.ended_us <= $2 AND (m.ended_us < $2 OR m.id < $3)
             ORDER BY m.ended_us DESC, m.id DESC LIMIT $4",
            &[room.into(), ended, id, limit.into()],
        )
        .await?;
    rows.iter().map(membership_row).collect()
}
