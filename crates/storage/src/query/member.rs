//! Rows that say who is a member of which group. Every statement handles a whole list.

use usher_core::{PersonId, SourceGroupId, SourceUserId, Timestamp};

use super::or_start;
use crate::{Later, Row, SourceKey, StorageError, Tx, Value, uuids};

/// Adds those as members who are live users of the group's source; answers those that were not there.
pub async fn add(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    source: SourceKey,
    users: impl IntoIterator<Item = SourceUserId>,
    now: Timestamp,
) -> Result<Later<SourceUserId>, StorageError> {
    tx.query_later(
        "INSERT INTO group_member (group_id, user_id, dormant, named_us)
         SELECT $1, u.id, 0, $3 FROM rarray($2) i CROSS JOIN source_user u ON u.id = i.value
         WHERE u.source_id = $4 AND u.gone_us IS NULL
         ON CONFLICT (group_id, user_id) DO NOTHING RETURNING user_id",
        &[group.into(), uuids(users), now.into(), source.into()],
        |row| row.get(0),
    )
    .await
}

/// Wakes the dormant rows among these members; answers those that were dormant.
pub async fn wake(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
    now: Timestamp,
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "UPDATE group_member SET dormant = 0, named_us = $3, doubts = 0, doubt_us = NULL
             WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2)) AND dormant = 1 RETURNING user_id",
            &[group.into(), uuids(users.iter().copied()), now.into()],
        )
        .await?)
}

/// Removes members; answers those that were there.
pub async fn remove(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "DELETE FROM group_member WHERE group_id = $1 AND user_id IN (SELECT value FROM rarray($2))
             RETURNING user_id",
            &[group.into(), uuids(users.iter().copied())],
        )
        .await?)
}

/// Removes every member but these; answers those that were removed.
pub async fn keep_only(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    users: &[SourceUserId],
) -> Result<Vec<SourceUserId>, StorageError> {
    ids(&tx
        .query(
            "DELETE FROM group_member WHERE group_id = $1 AND user_id NOT IN (SELECT value FROM rarray($2))
             RETURNING user_id",
            &[group.into(), uuids(users.iter().copied())],
        )
        .await?)
}

/// Adds members that name nobody known; answers the values that were not there.
pub async fn add_pending(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    source: SourceKey,
    values: &[(String, Option<&'static str>)],
    now: Timestamp,
) -> Result<Vec<String>, StorageError> {
    let mut added = Vec::new();
    for kind in [Some("User"), Some("Group"), None] {
        let of_kind: Vec<String> = values
            .iter()
            .filter(|(_, k)| *k == kind)
            .map(|(value, _)| value.clone())
            .collect();
        if of_kind.is_empty() {
            continue;
        }
        let rows = tx
            .query(
                "INSERT INTO pending_member (group_id, value, source_id, kind, named_us)
                 SELECT $1, value, $3, $4, $5 FROM rarray($2) WHERE true
                 ON CONFLICT (group_id, value) DO NOTHING RETURNING value",
                &[
                    group.into(),
                    Value::Texts(of_kind),
                    source.into(),
                    kind.into(),
                    now.into(),
                ],
            )
            .await?;
        for row in &rows {
            added.push(row.get(0)?);
        }
    }
    Ok(added)
}

/// Removes pending members; answers how many were there.
pub async fn remove_pending(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    values: Vec<String>,
) -> Result<u64, StorageError> {
    tx.execute(
        "DELETE FROM pending_member WHERE group_id = $1 AND value IN (SELECT value FROM rarray($2))",
        &[group.into(), Value::Texts(values)],
    )
    .await
}

/// Removes every pending member but these; answers how many were removed.
pub async fn keep_only_pending(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    values: Vec<String>,
) -> Result<u64, StorageError> {
    tx.execute(
        "DELETE FROM pending_member WHERE group_id = $1 AND value NOT IN (SELECT value FROM rarray($2))",
        &[group.into(), Value::Texts(values)],
    )
    .await
}

/// Turns pending members that name this user into members; answers the groups.
pub async fn claim_pending(
    tx: &mut Tx<'_>,
    source: SourceKey,
    values: &[String],
    user: SourceUserId,
    now: Timestamp,
) -> Result<Vec<SourceGroupId>, StorageError> {
    let rows = tx
        .query(
            "DELETE FROM pending_member WHERE source_id = $1 AND value IN (SELECT value FROM rarray($2))
               AND coalesce(kind, 'User') = 'User' RETURNING group_id",
            &[source.into(), Value::Texts(values.to_vec())],
        )
        .await?;
    let groups: Vec<SourceGroupId> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    if !groups.is_empty() {
        tx.execute(
            "INSERT INTO group_member (group_id, user_id, dormant, named_us)
             SELECT value, $2, 0, $3 FROM rarray($1) WHERE true ON CONFLICT (group_id, user_id) DO NOTHING",
            &[uuids(groups.iter().copied()), user.into(), now.into()],
        )
        .await?;
    }
    Ok(groups)
}

/// Makes all rows of a user dormant; answers the groups whose rows were not. What a read saw before is no reason to wake
/// them.
pub async fn lull(
    tx: &mut Tx<'_>,
    user: SourceUserId,
    now: Timestamp,
) -> Result<Vec<SourceGroupId>, StorageError> {
    let rows = tx
        .query(
            "UPDATE group_member SET dormant = 1, named_us = $2, doubts = 0, doubt_us = NULL
             WHERE user_id = $1 AND dormant = 0 RETURNING group_id",
            &[user.into(), now.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Removes all rows of a user; answers the groups it was in. A group that a push brought does not count those whom only a
/// read saw in it.
pub async fn remove_user(
    tx: &mut Tx<'_>,
    user: SourceUserId,
    now: Timestamp,
) -> Result<Vec<SourceGroupId>, StorageError> {
    let rows = tx
        .query(
            "DELETE FROM group_member WHERE user_id = $1 RETURNING group_id, sides <> 2",
            &[user.into()],
        )
        .await?;
    let rows: Vec<(SourceGroupId, bool)> = rows
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect::<Result<_, StorageError>>()?;
    let groups: Vec<SourceGroupId> = rows.iter().map(|(group, _)| *group).collect();
    let pushed = rows
        .iter()
        .filter(|(_, is_pushed)| *is_pushed)
        .map(|(group, _)| *group);
    if !groups.is_empty() {
        tx.execute(
            "UPDATE source_group SET member_count = member_count - 1, version = version + 1, modified_us = $3
             WHERE id IN (SELECT value FROM rarray($1)) AND (pushed = 0 OR id IN (SELECT value FROM rarray($2)))",
            &[uuids(groups.iter().copied()), uuids(pushed), now.into()],
        )
        .await?;
    }
    Ok(groups)
}

/// Removes all rows of a group; answers the people who were in it.
pub async fn remove_group(tx: &mut Tx<'_>, group: SourceGroupId) -> Result<Vec<PersonId>, StorageError> {
    tx.execute("DELETE FROM pending_member WHERE group_id = $1", &[group.into()])
        .await?;
    tx.execute("DELETE FROM removed_member WHERE group_id = $1", &[group.into()])
        .await?;
    let users = keep_only(tx, group, &[]).await?;
    let people = persons_of_users(tx, &users).await?;
    Ok(people.into_iter().map(|(_, person)| person).collect())
}

/// The people behind users, live or gone.
pub async fn persons_of_users(
    tx: &mut Tx<'_>,
    users: &[SourceUserId],
) -> Result<Vec<(SourceUserId, PersonId)>, StorageError> {
    let asked = persons_of_users_later(tx, users).await?;
    tx.rows(asked).await
}

/// As [`persons_of_users`], for later.
pub async fn persons_of_users_later(
    tx: &mut Tx<'_>,
    users: &[SourceUserId],
) -> Result<Later<(SourceUserId, PersonId)>, StorageError> {
    tx.query_later(
        "SELECT u.id, u.person_id FROM rarray($1) i CROSS JOIN source_user u ON u.id = i.value",
        &[uuids(users.iter().copied())],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .await
}

/// People in a group, by user id, dormant rows included.
pub async fn people(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    after: Option<SourceUserId>,
    limit: u32,
) -> Result<Vec<(SourceUserId, PersonId)>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.user_id, u.person_id FROM group_member m JOIN source_user u ON u.id = m.user_id
             WHERE m.group_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3",
            &[group.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

fn ids(rows: &[Row]) -> Result<Vec<SourceUserId>, StorageError> {
    rows.iter().map(|row| row.get(0)).collect()
}
