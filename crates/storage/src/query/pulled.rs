//! Member rows that reads of a provider speak of, beside what it pushed.
//!
//! `sides` of a member row: 1 push, 2 pull, 3 both. A source that is only read has rows of side 2 alone.

use usher_core::{SourceGroupId, SourceUserId, Timestamp};

use super::or_start;
use crate::{Row, SourceKey, StorageError, Tx, uuids};

/// Adds members that a read saw; answers those that were not there. With `careful`, not those whom a push removed.
pub async fn add(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    now: Timestamp,
    careful: bool,
) -> Result<Vec<SourceUserId>, StorageError> {
    let params = [group.into(), uuids(users.iter().copied()), now.into()];
    let rows = if careful {
        tx.query(
            "INSERT INTO group_member (group_id, user_id, dormant, named_us, sides)
             SELECT $1, i.value, 0, $3, 2 FROM rarray($2) i
             WHERE NOT EXISTS (SELECT 1 FROM removed_member r WHERE r.group_id = $1 AND r.user_id = i.value)
             ON CONFLICT (group_id, user_id) DO NOTHING RETURNING user_id",
            &params,
        )
        .await?
    } else {
        tx.query(
            "INSERT INTO group_member (group_id, user_id, dormant, named_us, sides)
             SELECT $1, value, 0, $3, 2 FROM rarray($2) WHERE true
             ON CONFLICT (group_id, user_id) DO NOTHING RETURNING user_id",
            &params,
        )
        .await?
    };
    ids(&rows)
}

/// Of a source that is only read: what a read sees is so. Answers those whose row had no effect or was in doubt.
pub async fn confirm(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "UPDATE group_member SET dormant = 0, doubts = 0, doubt_us = NULL
             WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND (dormant = 1 OR doubts > 0)
             RETURNING user_id",
            &[group.into(), uuids(users.iter().copied())],
        )
        .await?)
}

/// Of a source that is also pushed: a read agrees with rows that are in effect.
pub async fn agree(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE group_member SET sides = sides | 2, doubts = 0, doubt_us = NULL
         WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND dormant = 0
           AND (sides = 1 OR doubts > 0)",
        &[group.into(), uuids(users.iter().copied())],
    )
    .await?;
    Ok(())
}

/// A member row as a complete read judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedRow {
    /// The member.
    pub user: SourceUserId,
    /// Whether the row has no effect.
    pub dormant: bool,
    /// Who names the member: 1 push, 2 pull, 3 both.
    pub sides: i64,
    /// How many complete reads said the opposite of what is in effect.
    pub doubts: i64,
    /// When the first of them began.
    pub doubt: Option<Timestamp>,
    /// Whether the row lost its effect because the user or the group had gone, and not by a removal from the group.
    pub returned: bool,
    /// When the row was written, or lost its effect.
    pub named: Timestamp,
}

/// A member whom a push removed and whom no read saw since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedRow {
    /// The former member.
    pub user: SourceUserId,
    /// When.
    pub at: Timestamp,
    /// Whether the user or the group had gone, so that this is no removal from the group.
    pub returned: bool,
}

/// Rows of a group (which was created at a moment) that were written before another one, by user id.
pub async fn rows(
    tx: &mut Tx<'_>,
    (group, created): (SourceGroupId, Timestamp),
    before: Timestamp,
    after: Option<SourceUserId>,
    limit: u32,
) -> Result<Vec<JudgedRow>, StorageError> {
    tx.query(
        "SELECT m.user_id, m.dormant, m.sides, m.doubts, m.doubt_us, m.dormant = 1 AND (m.named_us < $5 OR EXISTS (
                SELECT 1 FROM source_user u WHERE u.id = m.user_id AND u.created_us > m.named_us)), m.named_us
         FROM group_member m
         WHERE m.group_id = $1 AND m.user_id > $2 AND m.named_us < $3 ORDER BY m.user_id LIMIT $4",
        &[group.into(), or_start(after), before.into(), limit.into(), created.into()],
    )
    .await?
    .iter()
    .map(judged)
    .collect()
}

/// Members whom a push removed before a moment from a group (which was created at another one), by user id.
pub async fn removed_before(
    tx: &mut Tx<'_>,
    (group, created): (SourceGroupId, Timestamp),
    before: Timestamp,
) -> Result<Vec<RemovedRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT r.user_id, r.at_us, r.at_us < $3 OR EXISTS (
                SELECT 1 FROM source_user u WHERE u.id = r.user_id AND u.created_us > r.at_us)
             FROM removed_member r WHERE r.group_id = $1 AND r.at_us < $2 ORDER BY r.user_id",
            &[group.into(), before.into(), created.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(RemovedRow {
                user: row.get(0)?,
                at: row.get(1)?,
                returned: row.get(2)?,
            })
        })
        .collect()
}

/// Writes that a complete read that began at `begun` contradicts these rows for the first time.
pub async fn doubt(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    begun: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE group_member SET doubts = 1, doubt_us = $3
         WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND named_us < $3 AND doubts = 0",
        &[group.into(), uuids(users.iter().copied()), begun.into()],
    )
    .await?;
    Ok(())
}

/// Removes rows that a complete read that began at `begun` did not see; answers those that were there.
pub async fn remove_absent(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    begun: Timestamp,
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "DELETE FROM group_member WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2))
               AND named_us < $3 RETURNING user_id",
            &[group.into(), uuids(users.iter().copied()), begun.into()],
        )
        .await?)
}

/// Takes the effect from rows that a push named and that reads do not see; answers those that had one. They stay, because
/// the push never took them back.
pub async fn refute(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    begun: Timestamp,
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "UPDATE group_member SET dormant = 1, sides = 1, doubts = 0, doubt_us = NULL
             WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND named_us < $3 AND dormant = 0
             RETURNING user_id",
            &[group.into(), uuids(users.iter().copied()), begun.into()],
        )
        .await?)
}

/// Gives rows their effect that reads saw again and again; answers those that had none.
pub async fn reinstate(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "UPDATE group_member SET dormant = 0, sides = sides | 2, doubts = 0, doubt_us = NULL
             WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND dormant = 1 RETURNING user_id",
            &[group.into(), uuids(users.iter().copied())],
        )
        .await?)
}

/// Writes that reads do not see rows without effect any more. Those that nobody names go, if a push took their effect
/// before a moment; the younger ones stay, because the next read may come from an index that is later still.
pub async fn unsee(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    before: Timestamp,
) -> Result<(), StorageError> {
    let params = [group.into(), uuids(users.iter().copied()), before.into()];
    tx.execute(
        "DELETE FROM group_member WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND dormant = 1
           AND sides = 2 AND named_us < $3",
        &params,
    )
    .await?;
    tx.execute(
        "UPDATE group_member SET sides = CASE WHEN sides = 3 THEN 1 ELSE sides END, doubts = 0, doubt_us = NULL
         WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND dormant = 1 AND (sides = 3 OR doubts > 0)",
        &params[..2],
    )
    .await?;
    Ok(())
}

/// Turns members whom a push removed, and whom a read that began at `begun` still sees, into rows without effect.
pub async fn see_removed(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    begun: Timestamp,
) -> Result<(), StorageError> {
    let params = [group.into(), uuids(users.iter().copied()), begun.into()];
    tx.execute(
        "INSERT INTO group_member (group_id, user_id, dormant, named_us, sides, doubts, doubt_us)
         SELECT group_id, user_id, 1, at_us, 2, 1, $3 FROM removed_member
         WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND at_us < $3
         ON CONFLICT (group_id, user_id) DO NOTHING",
        &params,
    )
    .await?;
    tx.execute(
        "DELETE FROM removed_member WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND at_us < $3",
        &params,
    )
    .await?;
    Ok(())
}

/// Which of these users a push removed from a group, and no read brought back yet.
pub async fn removed_among(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "SELECT r.user_id FROM rarray($2) i CROSS JOIN removed_member r
               ON r.group_id = $1 AND r.user_id = i.value",
            &[group.into(), uuids(users.iter().copied())],
        )
        .await?)
}

/// Users whom a read saw under an id whose former user a push had brought, and who went: as if a push had removed them
/// then from every group that reads may speak of.
pub async fn distrust_returned(
    tx: &mut Tx<'_>,
    source: SourceKey,
    users: &[SourceUserId],
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO removed_member (group_id, user_id, at_us)
         SELECT g.id, u.id, max(f.gone_us)
         FROM rarray($2) i CROSS JOIN source_user u ON u.id = i.value
         CROSS JOIN source_user f ON f.source_id = u.source_id AND f.remote_id = u.remote_id
           AND f.remote_id IS NOT NULL AND f.gone_us IS NOT NULL AND f.pushed = 1
         CROSS JOIN source_group g ON g.source_id = u.source_id AND g.gone_us IS NULL
           AND (g.remote_id IS NOT NULL OR g.external_id IS NOT NULL)
         WHERE /*lite*/+/*pg */u.source_id = $1 GROUP BY g.id, u.id
         ON CONFLICT (group_id, user_id) DO NOTHING",
        &[source.into(), uuids(users.iter().copied())],
    )
    .await?;
    Ok(())
}

/// When a push deleted the group that had this id of the provider last, if it did.
pub async fn pushed_group_gone(
    tx: &mut Tx<'_>,
    source: SourceKey,
    (remote_id, external_id): (&str, Option<&str>),
) -> Result<Option<Timestamp>, StorageError> {
    let row = tx
        .query_one(
            "SELECT max(gone_us) FROM (
                SELECT gone_us FROM source_group
                WHERE source_id = $1 AND remote_id = $2 AND remote_id IS NOT NULL AND gone_us IS NOT NULL AND pushed = 1
                UNION ALL
                SELECT gone_us FROM source_group
                WHERE source_id = $1 AND external_id = $3 AND external_id IS NOT NULL AND gone_us IS NOT NULL
                  AND pushed = 1) gone",
            &[source.into(), remote_id.into(), external_id.into()],
        )
        .await?;
    row.get(0)
}

/// Of users who are no members yet: as if a push had removed them from a group at a moment.
pub async fn distrust_newcomers(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    at: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO removed_member (group_id, user_id, at_us)
         SELECT $1, i.value, $3 FROM rarray($2) i
         WHERE NOT EXISTS (SELECT 1 FROM group_member m WHERE m.group_id = $1 AND m.user_id = i.value)
         ON CONFLICT (group_id, user_id) DO NOTHING",
        &[group.into(), uuids(users.iter().copied()), at.into()],
    )
    .await?;
    Ok(())
}

/// Forgets that a push removed these members: reads do not see them either.
pub async fn forget_removed(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM removed_member WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2))",
        &[group.into(), uuids(users.iter().copied())],
    )
    .await?;
    Ok(())
}

/// Of a source that is also read: a push removes members. Those whom reads see stay as rows without effect; of the
/// others it is written that a push removed them. Answers those whom a push had named, and those whom only reads knew.
pub async fn remove_pushed(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    now: Timestamp,
) -> Result<(Vec<SourceUserId>, Vec<SourceUserId>), StorageError> {
    let params = [group.into(), uuids(users.iter().copied()), now.into()];
    let only_seen = tx
        .query(
            "UPDATE group_member SET dormant = 1, named_us = $3, doubts = 0, doubt_us = NULL
             WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND sides = 2 AND dormant = 0
             RETURNING user_id",
            &params,
        )
        .await?;
    let seen = tx
        .query(
            "UPDATE group_member SET sides = 2, dormant = 1, named_us = $3, doubts = 0, doubt_us = NULL
             WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND sides = 3 RETURNING user_id",
            &params,
        )
        .await?;
    tx.execute(
        "INSERT INTO removed_member (group_id, user_id, at_us)
         SELECT group_id, user_id, $3 FROM group_member
         WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND sides = 1
         ON CONFLICT (group_id, user_id) DO UPDATE SET at_us = excluded.at_us",
        &params,
    )
    .await?;
    let unseen = tx
        .query(
            "DELETE FROM group_member WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND sides = 1
             RETURNING user_id",
            &params[..2],
        )
        .await?;
    let mut removed = ids(&seen)?;
    removed.extend(ids(&unseen)?);
    Ok((removed, ids(&only_seen)?))
}

/// Of a source that is also read: a push names members whom only reads knew. Answers those.
pub async fn claim(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    now: Timestamp,
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "UPDATE group_member SET sides = 3, dormant = 0, named_us = $3, doubts = 0, doubt_us = NULL
             WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND sides = 2 RETURNING user_id",
            &[group.into(), uuids(users.iter().copied()), now.into()],
        )
        .await?)
}

/// The members of a group that a push named or that are in effect, except these.
pub async fn others(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    keep: &[SourceUserId],
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "SELECT user_id FROM group_member WHERE group_id = $1 AND (sides <> 2 OR dormant = 0)
               AND user_id NOT IN (SELECT value FROM rarray($2))",
            &[group.into(), uuids(keep.iter().copied())],
        )
        .await?)
}

fn judged(row: &Row) -> Result<JudgedRow, StorageError> {
    Ok(JudgedRow {
        user: row.get(0)?,
        dormant: row.get(1)?,
        sides: row.get(2)?,
        doubts: row.get(3)?,
        doubt: row.get(4)?,
        returned: row.get(5)?,
        named: row.get(6)?,
    })
}

fn ids(rows: &[Row]) -> Result<Vec<SourceUserId>, StorageError> {
    rows.iter().map(|row| row.get(0)).collect()
}
