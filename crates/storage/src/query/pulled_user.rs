//! Users whom reads of a provider saw: who they are here, and what the last read said of those whom a push brought too.

use usher_core::{PersonId, SourceUserId, Timestamp};

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

/// A user that is gone and that the source itself knew by an id which it may use again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerUser {
    /// The id that the source itself kept.
    pub remote_id: String,
    /// The person.
    pub person: PersonId,
    /// When the user went.
    pub gone: Timestamp,
    /// Whether a push had brought it, so that a push took it away or agrees.
    pub pushed: bool,
}

/// Users that are gone, by the ids that the source itself knew them by, those that went last at the end.
pub async fn former(
    tx: &mut Tx<'_>,
    source: SourceKey,
    ids: Vec<String>,
) -> Result<Vec<FormerUser>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.remote_id, u.person_id, u.gone_us, u.pushed FROM rarray($2) i CROSS JOIN source_user u
               ON u.source_id = $1 AND u.remote_id = i.value AND u.remote_id IS NOT NULL AND u.gone_us IS NOT NULL
             ORDER BY u.gone_us",
            &[source.into(), Value::Texts(ids)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(FormerUser {
                remote_id: row.get(0)?,
                person: row.get(1)?,
                gone: row.get(2)?,
                pushed: row.get(3)?,
            })
        })
        .collect()
}

/// Live users that a push brought with one of these `externalId`s.
pub async fn pushed_by_external_ids(
    tx: &mut Tx<'_>,
    source: SourceKey,
    ids: Vec<String>,
) -> Result<Vec<UserRow>, StorageError> {
    tx.query(
        "SELECT u.id, u.source_id, u.person_id, u.remote_id, u.external_id, u.user_name, u.email, u.display_name,
                u.active, u.scope, u.inactive_since_us, u.gone_us, u.version, u.created_us, u.modified_us,
                u.resource, u.pushed
         FROM rarray($2) i CROSS JOIN source_user u
           ON u.source_id = $1 AND u.external_id = i.value AND u.external_id IS NOT NULL AND u.gone_us IS NULL
         WHERE u.pushed = 1 ORDER BY u.id",
        &[source.into(), Value::Texts(ids)],
    )
    .await?
    .iter()
    .map(user_row)
    .collect()
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

/// Live users that a push brought and that have one of these names, folded, each behind the name.
pub async fn pushed_by_names(
    tx: &mut Tx<'_>,
    source: SourceKey,
    keys: Vec<String>,
) -> Result<Vec<(String, UserRow)>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.id, u.source_id, u.person_id, u.remote_id, u.external_id, u.user_name, u.email, u.display_name,
                    u.active, u.scope, u.inactive_since_us, u.gone_us, u.version, u.created_us, u.modified_us,
                    u.resource, u.pushed, u.user_key
             FROM rarray($2) i CROSS JOIN source_user u
               ON u.source_id = $1 AND u.user_key = i.value AND u.gone_us IS NULL
             WHERE u.pushed = 1",
            &[source.into(), Value::Texts(keys)],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get(17)?, user_row(row)?)))
        .collect()
}

/// Which of these people are or were in a room.
pub async fn with_history(
    tx: &mut Tx<'_>,
    persons: impl IntoIterator<Item = PersonId>,
) -> Result<Vec<PersonId>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.value FROM rarray($1) p
             WHERE EXISTS (SELECT 1 FROM membership m WHERE m.person_id = p.value)",
            &[uuids(persons)],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
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
    Ok(users(tx, [user]).await?.pop().map(|(_, said)| said))
}

/// What the last read said of these pushed users.
pub async fn users(
    tx: &mut Tx<'_>,
    users: impl IntoIterator<Item = SourceUserId>,
) -> Result<Vec<(SourceUserId, PulledUser)>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.user_id, p.active, p.gone, p.said_us, p.record
             FROM rarray($1) i CROSS JOIN pulled_user p ON p.user_id = i.value",
            &[uuids(users)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let said = PulledUser {
                active: row.get(1)?,
                gone: row.get(2)?,
                said: row.get(3)?,
                record: row.get(4)?,
            };
            Ok((row.get(0)?, said))
        })
        .collect()
}

/// Writes what a read said of pushed users.
pub async fn put_users(
    tx: &mut Tx<'_>,
    said: impl IntoIterator<Item = (SourceUserId, &PulledUser)>,
) -> Result<(), StorageError> {
    let rows: Vec<[Value; 5]> = said
        .into_iter()
        .map(|(user, said)| {
            [
                user.into(),
                said.active.into(),
                said.gone.into(),
                said.said.into(),
                said.record.as_str().into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO pulled_user (user_id, active, gone, said_us, record) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id) DO UPDATE SET active = excluded.active, gone = excluded.gone, said_us = excluded.said_us,
           record = excluded.record",
        &rows,
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

/// Lets users wait no longer.
pub async fn unpark_users(
    tx: &mut Tx<'_>,
    source: SourceKey,
    remote_ids: Vec<String>,
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM pull_parked WHERE source_id = $1 AND remote_id IN (SELECT value FROM rarray($2))",
        &[source.into(), Value::Texts(remote_ids)],
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
