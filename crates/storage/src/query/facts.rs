//! What decisions are made of, read for many pairs of room and person at once.

use usher_core::{MappingId, PersonId, Rejoin, RoomId, Scope, SourceGroupId, SourceUserId};

use super::mapping::MappingRow;
use crate::{Later, SourceKey, StorageError, Tx, uuids};

/// A group member row that leads a person to a room by a confirmed mapping, with all that decides whether it
/// counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backing {
    /// The room.
    pub room: RoomId,
    /// The person.
    pub person: PersonId,
    /// The mapping.
    pub mapping: MappingId,
    /// The level at which people start by it.
    pub level: String,
    /// What happens when somebody comes back by it.
    pub rejoin: Rejoin,
    /// For `auto`: within how many days.
    pub rejoin_days: Option<u32>,
    /// The group.
    pub group: SourceGroupId,
    /// The account.
    pub user: SourceUserId,
    /// The source.
    pub source: SourceKey,
    /// Whether the row is distrusted.
    pub dormant: bool,
    /// Whether the account is active.
    pub active: bool,
    /// Whether the account is one of the organisation's own.
    pub scope: Scope,
    /// Whether only a read saw the member, in a group that is not assigned to the application though it has to be.
    pub unassigned: bool,
}

impl Backing {
    /// Whether it makes the person desired in the room.
    #[must_use]
    pub fn counts(&self) -> bool {
        !self.dormant && self.active && self.scope == Scope::In && !self.unassigned
    }
}

/// The backings of these people in these rooms. Gone users and groups have none.
pub async fn backings(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Vec<Backing>, StorageError> {
    let asked = backings_later(tx, rooms, persons).await?;
    tx.rows(asked).await
}

/// As [`backings`], for later.
pub async fn backings_later(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Later<Backing>, StorageError> {
    tx.query_later(
        "SELECT m.room_id, u.person_id, m.id, m.level, m.rejoin, m.rejoin_days, gm.group_id, u.id, u.source_id,
                gm.dormant, u.active, u.scope, gm.sides = 2 AND g.assigned = 0
         FROM rarray($1) r CROSS JOIN mapping m ON m.room_id = r.value
         CROSS JOIN source_group g ON g.id = m.group_id
         CROSS JOIN rarray($2) p CROSS JOIN source_user u ON u.person_id = p.value
         CROSS JOIN group_member gm ON gm.group_id = m.group_id AND gm.user_id = u.id
         WHERE m.state = 'confirmed' AND m.group_id IS NOT NULL AND u.gone_us IS NULL",
        &[uuids(rooms.iter().copied()), uuids(persons.iter().copied())],
        |row| {
            Ok(Backing {
                room: row.get(0)?,
                person: row.get(1)?,
                mapping: row.get(2)?,
                level: row.get(3)?,
                rejoin: row.get(4)?,
                rejoin_days: row.get(5)?,
                group: row.get(6)?,
                user: row.get(7)?,
                source: row.get(8)?,
                dormant: row.get(9)?,
                active: row.get(10)?,
                scope: row.get(11)?,
                unassigned: row.get(12)?,
            })
        },
    )
    .await
}

/// The backings of these people by one mapping of a bound group, as if it were confirmed.
pub async fn backings_by(
    tx: &mut Tx<'_>,
    mapping: &MappingRow,
    persons: &[PersonId],
) -> Result<Vec<Backing>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.person_id, gm.group_id, u.id, u.source_id, gm.dormant, u.active, u.scope,
                    gm.sides = 2 AND g.assigned = 0
             FROM source_group g CROSS JOIN rarray($2) p CROSS JOIN source_user u ON u.person_id = p.value
             CROSS JOIN group_member gm ON gm.group_id = g.id AND gm.user_id = u.id
             WHERE g.id = $1 AND u.gone_us IS NULL",
            &[mapping.group.into(), uuids(persons.iter().copied())],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Backing {
                room: mapping.room,
                person: row.get(0)?,
                mapping: mapping.id,
                level: mapping.level.clone(),
                rejoin: mapping.rejoin,
                rejoin_days: mapping.rejoin_days,
                group: row.get(1)?,
                user: row.get(2)?,
                source: row.get(3)?,
                dormant: row.get(4)?,
                active: row.get(5)?,
                scope: row.get(6)?,
                unassigned: row.get(7)?,
            })
        })
        .collect()
}

/// The rooms that these people are in, wait for, or that a confirmed mapping leads them to.
pub async fn pairs_of_persons(
    tx: &mut Tx<'_>,
    persons: impl IntoIterator<Item = PersonId>,
) -> Result<Vec<(RoomId, PersonId)>, StorageError> {
    let persons = uuids(persons);
    let rows = tx
        .query(
            "SELECT m.room_id, u.person_id
             FROM rarray($1) p CROSS JOIN source_user u ON u.person_id = p.value
             CROSS JOIN group_member gm ON gm.user_id = u.id
             CROSS JOIN mapping m ON m.group_id = gm.group_id
             WHERE m.state = 'confirmed' AND m.state <> 'retired' AND m.group_id IS NOT NULL AND u.gone_us IS NULL
             UNION
             SELECT m.room_id, m.person_id
             FROM rarray($1) p CROSS JOIN membership m ON m.person_id = p.value WHERE m.active = 1
             UNION
             SELECT k.room_id, k.person_id FROM rarray($1) p CROSS JOIN parked k ON k.person_id = p.value",
            &[persons],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Whether an account, and which, still stands behind a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub person: PersonId,
    /// The account.
    pub user: SourceUserId,
    /// Whether it is active.
    pub active: bool,
    /// Whether the source deleted it.
    pub gone: bool,
    /// Whether it is one of the organisation's own.
    pub scope: Scope,
}

/// All accounts of these people, gone ones included.
pub async fn accounts(tx: &mut Tx<'_>, persons: &[PersonId]) -> Result<Vec<Account>, StorageError> {
    let asked = accounts_later(tx, persons).await?;
    tx.rows(asked).await
}

/// As [`accounts`], for later.
pub async fn accounts_later(tx: &mut Tx<'_>, persons: &[PersonId]) -> Result<Later<Account>, StorageError> {
    tx.query_later(
        "SELECT u.person_id, u.id, u.active, u.gone_us IS NOT NULL, u.scope
         FROM rarray($1) p CROSS JOIN source_user u ON u.person_id = p.value",
        &[uuids(persons.iter().copied())],
        |row| {
            Ok(Account {
                person: row.get(0)?,
                user: row.get(1)?,
                active: row.get(2)?,
                gone: row.get(3)?,
                scope: row.get(4)?,
            })
        },
    )
    .await
}
