//! Where a source that is pushed and read says two things, and which groups of a source are read.

use usher_core::{RoomId, SourceGroupId, SourceUserId, Timestamp};

use super::pulled_user::PulledUser;
use crate::{SourceKey, StorageError, Tx};

/// A member about whom push and reads differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftRow {
    /// The group.
    pub group: SourceGroupId,
    /// Its name.
    pub group_name: String,
    /// The account.
    pub user: SourceUserId,
    /// `userName`.
    pub user_name: String,
    /// Who names the member: 1 push, 2 pull.
    pub sides: i64,
    /// Whether the row has no effect.
    pub dormant: bool,
    /// When the row was written, or a push removed the member.
    pub named: Timestamp,
    /// When the first read that contradicts what is in effect began.
    pub doubt: Option<Timestamp>,
}

/// Members about whom push and reads of a source differ, in groups that reads saw, no more than `limit`. Walks the rows of
/// these groups: for people who ask. A row without effect that no read sees any more only remembers a push's removal.
pub async fn member_drift(
    tx: &mut Tx<'_>,
    source: SourceKey,
    limit: u32,
) -> Result<Vec<DriftRow>, StorageError> {
    tx.query(
        "SELECT m.group_id, g.display_name, m.user_id, u.user_name, m.sides, m.dormant, m.named_us, m.doubt_us
         FROM source_group g CROSS JOIN group_member m ON m.group_id = g.id JOIN source_user u ON u.id = m.user_id
         WHERE g.source_id = $1 AND g.gone_us IS NULL AND g.pushed = 1 AND g.remote_id IS NOT NULL
           AND ((m.sides = 2 AND m.dormant = 0) OR m.doubts > 0 OR (m.sides = 1 AND m.dormant = 1))
         LIMIT $2",
        &[source.into(), limit.into()],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(DriftRow {
            group: row.get(0)?,
            group_name: row.get(1)?,
            user: row.get(2)?,
            user_name: row.get(3)?,
            sides: row.get(4)?,
            dormant: row.get(5)?,
            named: row.get(6)?,
            doubt: row.get(7)?,
        })
    })
    .collect()
}

/// Accounts that one side of a source says may not be used: user, name, what the push says, what the last read said.
pub async fn account_drift(
    tx: &mut Tx<'_>,
    source: SourceKey,
    limit: u32,
) -> Result<Vec<(SourceUserId, String, bool, PulledUser)>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.id, u.user_name,
                    /*lite*/coalesce(u.resource ->> '$.active', 1)/*pg CASE CAST(u.resource AS JSON) ->> 'active' WHEN 'false' THEN 0 ELSE 1 END*/,
                    p.active, p.gone, p.said_us, p.record
             FROM source_user u CROSS JOIN pulled_user p ON p.user_id = u.id
             WHERE u.source_id = $1 AND u.gone_us IS NULL
               AND /*lite*/coalesce(u.resource ->> '$.active', 1)/*pg CASE CAST(u.resource AS JSON) ->> 'active' WHEN 'false' THEN 0 ELSE 1 END*/
                    <> CASE WHEN p.active = 1 AND p.gone = 0 THEN 1 ELSE 0 END
             ORDER BY u.id LIMIT $2",
            &[source.into(), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let said = PulledUser {
                active: row.get(3)?,
                gone: row.get(4)?,
                said: row.get(5)?,
                record: row.get(6)?,
            };
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, said))
        })
        .collect()
}

/// Accounts of a source that a group wants in a room where a manual membership already is: account, name, room.
pub async fn overrides(
    tx: &mut Tx<'_>,
    source: SourceKey,
    limit: u32,
) -> Result<Vec<(SourceUserId, String, RoomId)>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.id, u.user_name, o.room_id
             FROM mapping m CROSS JOIN membership o ON o.room_id = m.room_id AND o.active = 1 AND o.kind = 'manual'
             CROSS JOIN source_user u ON u.person_id = o.person_id AND /*lite*/+/*pg */u.source_id = m.source_id
             CROSS JOIN group_member gm ON gm.group_id = m.group_id AND gm.user_id = u.id
             WHERE m.source_id = $1 AND m.state <> 'retired' AND m.state = 'confirmed' AND gm.dormant = 0
               AND u.active = 1 AND u.gone_us IS NULL
             ORDER BY o.room_id, u.id LIMIT $2",
            &[source.into(), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .collect()
}

/// The provider's ids of groups that mappings which are not retired name, and whether groups inside them count.
pub async fn wanted(tx: &mut Tx<'_>, source: SourceKey) -> Result<Vec<(String, bool)>, StorageError> {
    let rows = tx
        .query(
            "SELECT coalesce(g.remote_id, m.group_ref), max(m.nested)
             FROM mapping m LEFT JOIN source_group g ON g.id = m.group_id
             WHERE m.source_id = $1 AND m.state <> 'retired'
               AND (g.remote_id IS NOT NULL OR (m.named_by = 'id' AND g.id IS NULL))
             GROUP BY 1 ORDER BY 1",
            &[source.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
