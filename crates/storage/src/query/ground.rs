//! What speaks for and against a person in a room, read for one pair to be explained to a human.

use usher_core::{
    MappingId, MappingState, PersonId, RoomId, Scope, SourceGroupId, SourceState, SourceUserId, Timestamp,
};

use crate::{StorageError, Tx};

/// A mapping of the room, and how one account of the person stands to its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroundRow {
    /// The mapping.
    pub mapping: MappingId,
    /// How far it is.
    pub mapping_state: MappingState,
    /// The source.
    pub source: String,
    /// Push, pull or both.
    pub source_mode: String,
    /// Whether the source is listened to.
    pub source_state: SourceState,
    /// When the source wrote last.
    pub source_wrote: Option<Timestamp>,
    /// The group, once it is bound.
    pub group: Option<SourceGroupId>,
    /// The group's name, else what the mapping calls it.
    pub group_name: String,
    /// When the source deleted the group.
    pub group_gone: Option<Timestamp>,
    /// When the group or its members changed last.
    pub group_modified: Option<Timestamp>,
    /// The account, where the person has one in the source.
    pub account: Option<GroundAccount>,
}

/// An account of the person in the mapping's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroundAccount {
    /// The account.
    pub user: SourceUserId,
    /// `userName`.
    pub user_name: String,
    /// Whether it is active.
    pub active: bool,
    /// Whether it is one of the organisation's own.
    pub scope: Scope,
    /// When the source deleted it.
    pub gone: Option<Timestamp>,
    /// When it changed last.
    pub modified: Timestamp,
    /// Whether it is a member of the group, and then whether that row is dormant.
    pub dormant: Option<bool>,
    /// Whether only reads saw it in the group, which is not assigned to the application though it has to be.
    pub unassigned: bool,
    /// Whether the last complete read contradicts what is in effect.
    pub doubted: bool,
}

/// The mappings of a room that are not retired, each with every account that the person has in its source.
pub async fn of_pair(
    tx: &mut Tx<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Vec<GroundRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.id, m.state, s.name, s.mode, s.state, s.last_write_us, m.group_id,
                    coalesce(g.display_name, m.group_ref), g.gone_us, g.modified_us,
                    u.id, u.user_name, u.active, u.scope, u.gone_us, u.modified_us, gm.dormant,
                    CASE WHEN gm.sides = 2 AND g.assigned = 0 THEN 1 ELSE 0 END,
                    CASE WHEN gm.doubts > 0 THEN 1 ELSE 0 END
             FROM mapping m JOIN source s ON s.id = m.source_id LEFT JOIN source_group g ON g.id = m.group_id
             LEFT JOIN source_user u ON u.person_id = $2 AND /*lite*/+/*pg */u.source_id = m.source_id
             LEFT JOIN group_member gm ON gm.group_id = m.group_id AND gm.user_id = u.id
             WHERE m.room_id = $1 AND m.state <> 'retired' ORDER BY m.id, u.id",
            &[room.into(), person.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let user: Option<SourceUserId> = row.get(10)?;
            let account = match user {
                None => None,
                Some(user) => Some(GroundAccount {
                    user,
                    user_name: row.get(11)?,
                    active: row.get(12)?,
                    scope: row.get(13)?,
                    gone: row.get(14)?,
                    modified: row.get(15)?,
                    dormant: row.get(16)?,
                    unassigned: row.get(17)?,
                    doubted: row.get(18)?,
                }),
            };
            Ok(GroundRow {
                mapping: row.get(0)?,
                mapping_state: row.get(1)?,
                source: row.get(2)?,
                source_mode: row.get(3)?,
                source_state: row.get(4)?,
                source_wrote: row.get(5)?,
                group: row.get(6)?,
                group_name: row.get(7)?,
                group_gone: row.get(8)?,
                group_modified: row.get(9)?,
                account,
            })
        })
        .collect()
}

/// The other rooms that confirmed mappings lead the person to by groups: room name and group name.
pub async fn elsewhere(
    tx: &mut Tx<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Vec<(String, String)>, StorageError> {
    let rows = tx
        .query(
            "SELECT r.name, g.display_name
             FROM source_user u CROSS JOIN group_member gm ON gm.user_id = u.id
             CROSS JOIN mapping m ON m.group_id = gm.group_id
             JOIN room r ON r.id = m.room_id JOIN source_group g ON g.id = gm.group_id
             WHERE u.person_id = $2 AND u.gone_us IS NULL AND m.room_id <> $1
               AND m.group_id IS NOT NULL AND m.state <> 'retired' AND m.state = 'confirmed'
             ORDER BY r.name, g.display_name",
            &[room.into(), person.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
