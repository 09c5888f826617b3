//! What reads of a provider say, beside what it pushed.
//!
//! `sides` of a member row: 1 push, 2 pull, 3 both. A source that is only read has rows of side 2 alone.

use usher_core::{PersonId, SourceGroupId, SourceUserId, Timestamp};

use super::user::{UserRow, user_row};
use crate::{Row, SourceKey, StorageError, Tx, Value, uuids};

/// Live users by the ids that the source itself knows them by.
pub async fn users_by_remote_ids(
    tx: &mut Tx<'_>,
    source: SourceKey,
    ids: Vec<String>,
) -> Result<Vec<UserRow>, StorageError> {
    tx.query(
        "SELECT u.id, u.source_id, u.person_id, u.remote_id, u.external_id, u.user_name, u.email, u.display_name,
                u.active, u.scope, u.inactive_since_us, u.gone_us, u.version, u.created_us, u.modified_us,
                u.resource, u.pushed
         FROM rarray($2) i CROSS JOIN source_user u
           ON u.source_id = $1 AND u.remote_id = i.value AND u.remote_id IS NOT NULL AND u.gone_us IS NULL",
        &[source.into(), Value::Texts(ids)],
    )
    .await?
    .iter()
    .map(user_row)
    .collect()
}

/// Who live users are, by the ids that the source itself knows them by.
pub async fn ids_by_remote_ids(
    tx: &mut Tx<'_>,
    source: SourceKey,
    ids: Vec<String>,
) -> Result<Vec<(String, SourceUserId, PersonId)>, StorageError> {
    let rows = tx
        .query(
            "SELECT i.value, u.id, u.person_id FROM rarray($2) i CROSS JOIN source_user u
               ON u.source_id = $1 AND u.remote_id = i.value AND u.remote_id IS NOT NULL AND u.gone_us IS NULL",
            &[source.into(), Value::Texts(ids)],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .collect()
}

/// The people behind users that are gone, by the ids that the source itself knew them by; the last one to go counts.
pub async fn former_people(
    tx: &mut Tx<'_>,
    source: SourceKey,
    ids: Vec<String>,
) -> Result<Vec<(String, PersonId)>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.remote_id, u.person_id FROM rarray($2) i CROSS JOIN source_user u
               ON u.source_id = $1 AND u.remote_id = i.value AND u.remote_id IS NOT NULL AND u.gone_us IS NOT NULL
             ORDER BY u.gone_us",
            &[source.into(), Value::Texts(ids)],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Live users that have one of these names, folded: the name, the user, whether a push brought it.
pub async fn holders_of_names(
    tx: &mut Tx<'_>,
    source: SourceKey,
    keys: Vec<String>,
) -> Result<Vec<(String, SourceUserId, bool)>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.user_key, u.id, u.pushed FROM rarray($2) i CROSS JOIN source_user u
               ON u.source_id = $1 AND u.user_key = i.value AND u.gone_us IS NULL",
            &[source.into(), Value::Texts(keys)],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .collect()
}

/// Lets these users be found by their name no more, because the source gave it to somebody else. What they are called
/// stays until the source says something new of them.
pub async fn yield_names(tx: &mut Tx<'_>, users: &[SourceUserId]) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE source_user SET user_key = user_key || ' ' || lower(hex(id))
         WHERE id IN (SELECT value FROM rarray($1))",
        &[uuids(users.iter().copied())],
    )
    .await?;
    Ok(())
}

/// Which of these addresses belong to somebody.
pub async fn known_addresses(tx: &mut Tx<'_>, emails: Vec<String>) -> Result<Vec<String>, StorageError> {
    let rows = tx
        .query(
            "SELECT DISTINCT p.email FROM rarray($1) i CROSS JOIN person p ON p.email = i.value AND p.email IS NOT NULL",
            &[Value::Texts(emails)],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Which of these values are named by pending members.
pub async fn awaited(
    tx: &mut Tx<'_>,
    source: SourceKey,
    values: Vec<String>,
) -> Result<Vec<String>, StorageError> {
    let rows = tx
        .query(
            "SELECT DISTINCT p.value FROM rarray($2) i CROSS JOIN pending_member p
               ON p.source_id = $1 AND p.value = i.value",
            &[source.into(), Value::Texts(values)],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whether any of these people is or was in a room.
pub async fn has_history(tx: &mut Tx<'_>, person: PersonId) -> Result<bool, StorageError> {
    let row = tx
        .query_opt(
            "SELECT 1 FROM membership WHERE person_id = $1 LIMIT 1",
            &[person.into()],
        )
        .await?;
    Ok(row.is_some())
}

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
}

/// Rows of a group that were written before a moment, by user id.
pub async fn rows(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    before: Timestamp,
    after: Option<SourceUserId>,
    limit: u32,
) -> Result<Vec<JudgedRow>, StorageError> {
    let after = after.map_or(Value::Uuid(uuid::Uuid::nil()), Value::from);
    tx.query(
        "SELECT user_id, dormant, sides, doubts, doubt_us FROM group_member
         WHERE group_id = $1 AND user_id > $2 AND named_us < $3 ORDER BY user_id LIMIT $4",
        &[group.into(), after, before.into(), limit.into()],
    )
    .await?
    .iter()
    .map(judged)
    .collect()
}

/// Members whom a push removed before a moment, by user id.
pub async fn removed_before(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    before: Timestamp,
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "SELECT user_id FROM removed_member WHERE group_id = $1 AND at_us < $2 ORDER BY user_id",
            &[group.into(), before.into()],
        )
        .await?)
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

/// Writes that reads do not see rows without effect any more; those that nobody names go.
pub async fn unsee(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<(), StorageError> {
    let params = [group.into(), uuids(users.iter().copied())];
    tx.execute(
        "DELETE FROM group_member WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND dormant = 1
           AND sides = 2",
        &params,
    )
    .await?;
    tx.execute(
        "UPDATE group_member SET sides = 1, doubts = 0, doubt_us = NULL
         WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND dormant = 1 AND (sides = 3 OR doubts > 0)",
        &params,
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

/// What the last read said of a pushed user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledUser {
    /// Whether the account may be used.
    pub active: bool,
    /// Whether the provider said that the user is gone.
    pub gone: bool,
    /// When it said so first.
    pub said: Timestamp,
    /// What it said, as JSON.
    pub record: String,
}

impl PulledUser {
    /// Whether it leaves the account usable.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.active && !self.gone
    }
}

/// What the last read said of a pushed user.
pub async fn user(tx: &mut Tx<'_>, user: SourceUserId) -> Result<Option<PulledUser>, StorageError> {
    let row = tx
        .query_opt(
            "SELECT active, gone, said_us, record FROM pulled_user WHERE user_id = $1",
            &[user.into()],
        )
        .await?;
    row.map(|row| {
        Ok(PulledUser {
            active: row.get(0)?,
            gone: row.get(1)?,
            said: row.get(2)?,
            record: row.get(3)?,
        })
    })
    .transpose()
}

/// Writes what a read said of a pushed user.
pub async fn put_user(tx: &mut Tx<'_>, user: SourceUserId, said: &PulledUser) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO pulled_user (user_id, active, gone, said_us, record) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id) DO UPDATE SET active = excluded.active, gone = excluded.gone, said_us = excluded.said_us,
           record = excluded.record",
        &[
            user.into(),
            said.active.into(),
            said.gone.into(),
            said.said.into(),
            said.record.as_str().into(),
        ],
    )
    .await?;
    Ok(())
}

/// A user whom a read saw and who waits for a human.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedUser {
    /// The id that the source itself keeps.
    pub remote_id: String,
    /// The name that a pushed user has as well.
    pub user_name: String,
    /// Since when.
    pub since: Timestamp,
    /// What the read said, as JSON.
    pub record: String,
}

/// Lets a user wait for a human; answers whether it is new.
pub async fn park_user(
    tx: &mut Tx<'_>,
    source: SourceKey,
    parked: &ParkedUser,
) -> Result<bool, StorageError> {
    let rows = tx
        .execute(
            "INSERT INTO pull_parked (source_id, remote_id, user_name, since_us, record) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (source_id, remote_id) DO NOTHING",
            &[
                source.into(),
                parked.remote_id.as_str().into(),
                parked.user_name.as_str().into(),
                parked.since.into(),
                parked.record.as_str().into(),
            ],
        )
        .await?;
    Ok(rows > 0)
}

/// Users that wait for a human, by the id that the source keeps.
pub async fn parked_users(
    tx: &mut Tx<'_>,
    source: SourceKey,
    after: &str,
    limit: u32,
) -> Result<Vec<ParkedUser>, StorageError> {
    tx.query(
        "SELECT remote_id, user_name, since_us, record FROM pull_parked
         WHERE source_id = $1 AND remote_id > $2 ORDER BY remote_id LIMIT $3",
        &[source.into(), after.into(), limit.into()],
    )
    .await?
    .iter()
    .map(parked_user)
    .collect()
}

/// A user that waits for a human.
pub async fn parked_by_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    remote_id: &str,
) -> Result<Option<ParkedUser>, StorageError> {
    tx.query_opt(
        "SELECT remote_id, user_name, since_us, record FROM pull_parked WHERE source_id = $1 AND remote_id = $2",
        &[source.into(), remote_id.into()],
    )
    .await?
    .as_ref()
    .map(parked_user)
    .transpose()
}

/// Lets a user wait no longer.
pub async fn unpark_user(tx: &mut Tx<'_>, source: SourceKey, remote_id: &str) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM pull_parked WHERE source_id = $1 AND remote_id = $2",
        &[source.into(), remote_id.into()],
    )
    .await?;
    Ok(())
}

fn parked_user(row: &Row) -> Result<ParkedUser, StorageError> {
    Ok(ParkedUser {
        remote_id: row.get(0)?,
        user_name: row.get(1)?,
        since: row.get(2)?,
        record: row.get(3)?,
    })
}

fn judged(row: &Row) -> Result<JudgedRow, StorageError> {
    Ok(JudgedRow {
        user: row.get(0)?,
        dormant: row.get(1)?,
        sides: row.get(2)?,
        doubts: row.get(3)?,
        doubt: row.get(4)?,
    })
}

fn ids(rows: &[Row]) -> Result<Vec<SourceUserId>, StorageError> {
    rows.iter().map(|row| row.get(0)).collect()
}

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
/// these groups: for people who ask.
pub async fn member_drift(
    tx: &mut Tx<'_>,
    source: SourceKey,
    limit: u32,
) -> Result<Vec<DriftRow>, StorageError> {
    tx.query(
        "SELECT m.group_id, g.display_name, m.user_id, u.user_name, m.sides, m.dormant, m.named_us, m.doubt_us
         FROM source_group g CROSS JOIN group_member m ON m.group_id = g.id JOIN source_user u ON u.id = m.user_id
         WHERE g.source_id = $1 AND g.gone_us IS NULL AND g.pushed = 1 AND g.remote_id IS NOT NULL
           AND (m.sides = 2 OR m.doubts > 0 OR (m.sides = 1 AND m.dormant = 1))
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
            "SELECT u.id, u.user_name, coalesce(u.resource ->> '$.active', 1), p.active, p.gone, p.said_us, p.record
             FROM source_user u CROSS JOIN pulled_user p ON p.user_id = u.id
             WHERE u.source_id = $1 AND u.gone_us IS NULL
               AND coalesce(u.resource ->> '$.active', 1) <> (p.active = 1 AND p.gone = 0)
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
) -> Result<Vec<(SourceUserId, String, usher_core::RoomId)>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.id, u.user_name, o.room_id
             FROM mapping m JOIN membership o ON o.room_id = m.room_id AND o.active = 1 AND o.kind = 'manual'
             JOIN source_user u ON u.person_id = o.person_id AND u.source_id = m.source_id
             JOIN group_member gm ON gm.group_id = m.group_id AND gm.user_id = u.id
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
