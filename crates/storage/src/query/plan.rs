//! What a plan needs beside the facts of its decisions: lists to walk, and what is known of a group.

use usher_core::{MappingId, MembershipId, PersonId, RoomId, Scope, SourceGroupId, SourceUserId, Timestamp};

use super::or_start;
use crate::{SourceKey, StorageError, Tx, Value};

/// A live account in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPerson {
    /// The account.
    pub user: SourceUserId,
    /// The human behind it.
    pub person: PersonId,
    /// The company address, folded.
    pub email: Option<String>,
    /// `displayName`, else `userName`.
    pub name: String,
    /// Whether the account is active.
    pub active: bool,
    /// Whether it is one of the organisation's own.
    pub scope: Scope,
    /// Whether its row in the group is distrusted.
    pub dormant: bool,
    /// Whether only reads saw it in the group, which is not assigned to the application though it has to be.
    pub unassigned: bool,
}

/// Live accounts in a group, by user id.
pub async fn group_people(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    after: Option<SourceUserId>,
    limit: u32,
) -> Result<Vec<GroupPerson>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.id, u.person_id, u.email, coalesce(u.display_name, u.user_name), u.active, u.scope, m.dormant,
                    m.sides = 2 AND g.assigned = 0
             FROM source_group g CROSS JOIN group_member m ON m.group_id = g.id JOIN source_user u ON u.id = m.user_id
             WHERE g.id = $1 AND m.user_id > $2 AND u.gone_us IS NULL ORDER BY m.user_id LIMIT $3",
            &[group.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(GroupPerson {
                user: row.get(0)?,
                person: row.get(1)?,
                email: row.get(2)?,
                name: row.get(3)?,
                active: row.get(4)?,
                scope: row.get(5)?,
                dormant: row.get(6)?,
                unassigned: row.get(7)?,
            })
        })
        .collect()
}

/// Addresses that more than one person in a group has, no more than `limit`.
pub async fn shared_addresses(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    limit: u32,
) -> Result<Vec<String>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.email FROM group_member m JOIN source_user u ON u.id = m.user_id
             JOIN person p ON p.id = u.person_id
             WHERE m.group_id = $1 AND p.email IS NOT NULL GROUP BY p.email HAVING count(*) > 1 LIMIT $2",
            &[group.into(), limit.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Members of a group that name nobody known, counted: people and other groups.
pub async fn pending_counts(tx: &mut Tx<'_>, group: SourceGroupId) -> Result<(i64, i64), StorageError> {
    let row = tx
        .query_one(
            "SELECT count(*), count(CASE WHEN kind = 'Group' THEN 1 END) FROM pending_member WHERE group_id = $1",
            &[group.into()],
        )
        .await?;
    let (all, groups): (i64, i64) = (row.get(0)?, row.get(1)?);
    Ok((all - groups, groups))
}

/// Accounts in a group, counted: all, guests, others out of scope, inactive ones.
pub async fn group_counts(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
) -> Result<(i64, i64, i64, i64), StorageError> {
    let row = tx
        .query_one(
            "SELECT count(*), count(CASE WHEN u.scope = 'guest' THEN 1 END),
                    count(CASE WHEN u.scope IN ('no_address', 'foreign_domain') THEN 1 END),
                    count(CASE WHEN u.active = 0 THEN 1 END)
             FROM group_member m JOIN source_user u ON u.id = m.user_id WHERE m.group_id = $1 AND u.gone_us IS NULL",
            &[group.into()],
        )
        .await?;
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

/// The active managed members of a room: how many, and when the last of them came.
pub async fn arrivals(tx: &mut Tx<'_>, room: RoomId) -> Result<(i64, Option<Timestamp>), StorageError> {
    let row = tx
        .query_one(
            "SELECT count(*), max(started_us) FROM membership WHERE room_id = $1 AND active = 1 AND kind = 'managed'",
            &[room.into()],
        )
        .await?;
    Ok((row.get(0)?, row.get(1)?))
}

/// How many wait at a room's door because more came than were expected.
pub async fn waiting_beyond_expected(tx: &mut Tx<'_>, room: RoomId) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM parked WHERE room_id = $1 AND reason = 'beyond_expected'",
        &[room.into()],
    )
    .await?
    .get(0)
}

/// The rooms that have active managed members from a source, by id.
pub async fn rooms_of_source(
    tx: &mut Tx<'_>,
    source: SourceKey,
    after: Option<RoomId>,
    limit: u32,
) -> Result<Vec<RoomId>, StorageError> {
    let rows = tx
        .query(
            "SELECT r.id FROM room r WHERE r.id > $2 AND (
                EXISTS (SELECT 1 FROM mapping m WHERE m.room_id = r.id AND m.source_id = $1 AND m.state <> 'retired')
                OR EXISTS (SELECT 1 FROM membership m
                    WHERE m.room_id = r.id AND m.active = 1 AND m.kind = 'managed' AND m.source_id = $1))
             ORDER BY r.id LIMIT $3",
            &[source.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Writes which account, source and mapping now stand behind managed memberships.
pub async fn rebind(
    tx: &mut Tx<'_>,
    memberships: &[(MembershipId, SourceKey, SourceUserId, MappingId)],
) -> Result<(), StorageError> {
    let rows: Vec<[Value; 4]> = memberships
        .iter()
        .map(|(membership, source, user, mapping)| {
            [
                (*membership).into(),
                (*source).into(),
                (*user).into(),
                (*mapping).into(),
            ]
        })
        .collect();
    tx.execute_many(
        "UPDATE membership SET source_id = v.column2, user_id = v.column3, mapping_id = v.column4, version = version + 1
         FROM (VALUES ($1/*pg ::uuid*/, $2/*pg ::bigint*/, $3/*pg ::uuid*/, $4/*pg ::uuid*/)) v WHERE membership.id = v.column1",
        &rows,
    )
    .await?;
    Ok(())
}
