//! Users of sources.

use usher_core::{PersonId, Scope, SourceGroupId, SourceUserId, Timestamp};
use usher_scim::compare::fold;

use super::or_start;
use crate::{Later, Row, SourceKey, StorageError, Tx, Value, uuids};

/// What Usher keeps of a user of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRow {
    /// Usher's id of it, which is its SCIM `id`.
    pub id: SourceUserId,
    /// Its source.
    pub source: SourceKey,
    /// The human behind it.
    pub person: PersonId,
    /// The id that the source itself keeps for ever, where it is trusted.
    pub remote_id: Option<String>,
    /// `externalId` as sent.
    pub external_id: Option<String>,
    /// `userName` as sent.
    pub user_name: String,
    /// The company address, folded.
    pub email: Option<String>,
    /// `displayName` as sent.
    pub display_name: Option<String>,
    /// Whether the account may be used.
    pub active: bool,
    /// Whether it is one of the organisation's own.
    pub scope: Scope,
    /// Since when the account is inactive.
    pub inactive_since: Option<Timestamp>,
    /// When the source deleted it.
    pub gone: Option<Timestamp>,
    /// Rises with every change of the resource.
    pub version: i64,
    /// When it was created here.
    pub created: Timestamp,
    /// When the resource changed last.
    pub modified: Timestamp,
    /// The SCIM resource as JSON, without `id`, `meta` and `groups`.
    pub resource: String,
    /// Whether a push brought it. What only a read saw is not shown over SCIM.
    pub pushed: bool,
}

macro_rules! select_user {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.source_id, u.person_id, u.remote_id, u.external_id, u.user_name, u.email, u.display_name,
                    u.active, u.scope, u.inactive_since_us, u.gone_us, u.version, u.created_us, u.modified_us,
                    u.resource, u.pushed ",
            $rest
        )
    };
}

/// A user name as it is compared: in any case (RFC 7643 §4.1.1).
#[must_use]
pub fn name_key(name: &str) -> String {
    fold(name).into_owned()
}

/// The live user with an id.
pub async fn by_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: SourceUserId,
) -> Result<Option<UserRow>, StorageError> {
    let sql = select_user!("FROM source_user u WHERE u.id = $1 AND u.source_id = $2 AND u.gone_us IS NULL");
    one(tx, sql, &[id.into(), source.into()]).await
}

/// As [`by_id`], for a unit that goes on to change it: others wait until this unit ends.
pub async fn by_id_for_change(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: SourceUserId,
) -> Result<Option<UserRow>, StorageError> {
    let sql = select_user!(
        "FROM source_user u WHERE u.id = $1 AND u.source_id = $2 AND u.gone_us IS NULL /*pg FOR NO KEY UPDATE*/"
    );
    one(tx, sql, &[id.into(), source.into()]).await
}

/// The live user with a name, in any case.
pub async fn by_name(
    tx: &mut Tx<'_>,
    source: SourceKey,
    name: &str,
) -> Result<Option<UserRow>, StorageError> {
    let asked = by_name_later(tx, source, name).await?;
    Ok(tx.rows(asked).await?.pop())
}

/// As [`by_name`], for later: one user, or none.
pub async fn by_name_later(
    tx: &mut Tx<'_>,
    source: SourceKey,
    name: &str,
) -> Result<Later<UserRow>, StorageError> {
    let sql =
        select_user!("FROM source_user u WHERE u.source_id = $1 AND u.user_key = $2 AND u.gone_us IS NULL");
    tx.query_later(sql, &[source.into(), fold(name).into_owned().into()], user_row)
        .await
}

/// The live user, else the one that went last, that the source itself knows by an id.
pub async fn by_remote_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: &str,
) -> Result<Option<UserRow>, StorageError> {
    let sql =
        select_user!("FROM source_user u WHERE u.source_id = $1 AND u.remote_id = $2 AND u.gone_us IS NULL");
    let live = tx.query_later(sql, &[source.into(), id.into()], user_row).await?;
    let sql = select_user!(
        "FROM source_user u WHERE u.source_id = $1 AND u.remote_id = $2 AND u.gone_us IS NOT NULL
         ORDER BY u.gone_us DESC LIMIT 1"
    );
    let former = tx.query_later(sql, &[source.into(), id.into()], user_row).await?;
    let live = tx.rows(live).await?.pop();
    let former = tx.rows(former).await?.pop();
    Ok(live.or(former))
}

/// The live users with an `externalId`.
pub async fn by_external_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: &str,
) -> Result<Vec<UserRow>, StorageError> {
    let sql = select_user!(
        "FROM source_user u WHERE u.source_id = $1 AND u.external_id = $2 AND u.gone_us IS NULL ORDER BY /*lite*/+/*pg */u.id"
    );
    many(tx, sql, &[source.into(), id.into()]).await
}

/// The user with an `externalId` that went last.
pub async fn former_by_external_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: &str,
) -> Result<Option<UserRow>, StorageError> {
    let sql = select_user!(
        "FROM source_user u WHERE u.source_id = $1 AND u.external_id = $2 AND u.gone_us IS NOT NULL
         ORDER BY u.gone_us DESC LIMIT 1"
    );
    one(tx, sql, &[source.into(), id.into()]).await
}

/// Live users of a source in the order of their creation.
pub async fn page(
    tx: &mut Tx<'_>,
    source: SourceKey,
    after: Option<SourceUserId>,
    limit: u32,
) -> Result<Vec<UserRow>, StorageError> {
    let sql = select_user!(
        "FROM source_user u WHERE u.source_id = $1 AND u.id > $2 AND u.gone_us IS NULL ORDER BY u.id LIMIT $3"
    );
    many(tx, sql, &[source.into(), or_start(after), limit.into()]).await
}

/// All accounts of people, gone ones included.
pub async fn of_persons(
    tx: &mut Tx<'_>,
    persons: impl IntoIterator<Item = PersonId>,
) -> Result<Vec<UserRow>, StorageError> {
    let sql =
        select_user!("FROM rarray($1) p CROSS JOIN source_user u ON u.person_id = p.value ORDER BY u.id");
    many(tx, sql, &[uuids(persons)]).await
}

/// How many live users a source has.
pub async fn count(tx: &mut Tx<'_>, source: SourceKey) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM source_user/*lite*/ INDEXED BY source_user_live/*pg */ WHERE source_id = $1 AND gone_us IS NULL",
        &[source.into()],
    )
    .await?
    .get(0)
}

/// Which of these ids are live users of the source, and who they are.
pub async fn persons_of(
    tx: &mut Tx<'_>,
    source: SourceKey,
    ids: impl IntoIterator<Item = SourceUserId>,
) -> Result<Later<(SourceUserId, PersonId)>, StorageError> {
    tx.query_later(
        "SELECT u.id, u.person_id FROM rarray($1) i CROSS JOIN source_user u ON u.id = i.value
         WHERE u.source_id = $2 AND u.gone_us IS NULL",
        &[uuids(ids), source.into()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .await
}

/// The groups that a push named a user as a member of: id and name.
pub async fn groups_of(
    tx: &mut Tx<'_>,
    user: SourceUserId,
) -> Result<Later<(SourceGroupId, String)>, StorageError> {
    tx.query_later(
        "SELECT g.id, g.display_name FROM group_member m JOIN source_group g ON g.id = m.group_id
         WHERE m.user_id = $1 AND m.sides <> 2 ORDER BY g.id",
        &[user.into()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .await
}

/// Adds a user.
pub async fn insert(tx: &mut Tx<'_>, user: &UserRow) -> Result<(), StorageError> {
    tx.execute_later(
        "INSERT INTO source_user (id, source_id, person_id, remote_id, external_id, user_name, user_key, email,
            display_name, active, scope, inactive_since_us, gone_us, version, created_us, modified_us, resource, pushed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        &[
            user.id.into(),
            user.source.into(),
            user.person.into(),
            user.remote_id.as_deref().into(),
            user.external_id.as_deref().into(),
            user.user_name.as_str().into(),
            fold(&user.user_name).into_owned().into(),
            user.email.as_deref().into(),
            user.display_name.as_deref().into(),
            user.active.into(),
            user.scope.into(),
            user.inactive_since.into(),
            user.gone.into(),
            user.version.into(),
            user.created.into(),
            user.modified.into(),
            user.resource.as_str().into(),
            user.pushed.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes all that may change of a user.
pub async fn update(tx: &mut Tx<'_>, user: &UserRow) -> Result<(), StorageError> {
    tx.execute_later(
        "UPDATE source_user SET person_id = $2, remote_id = $3, external_id = $4, user_name = $5, user_key = $6,
            email = $7, display_name = $8, active = $9, scope = $10, inactive_since_us = $11, gone_us = $12,
            version = $13, modified_us = $14, resource = $15, pushed = $16
         WHERE id = $1",
        &[
            user.id.into(),
            user.person.into(),
            user.remote_id.as_deref().into(),
            user.external_id.as_deref().into(),
            user.user_name.as_str().into(),
            fold(&user.user_name).into_owned().into(),
            user.email.as_deref().into(),
            user.display_name.as_deref().into(),
            user.active.into(),
            user.scope.into(),
            user.inactive_since.into(),
            user.gone.into(),
            user.version.into(),
            user.modified.into(),
            user.resource.as_str().into(),
            user.pushed.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Users that are inactive since before a moment and still have member rows that are not dormant.
pub async fn inactive_with_live_rows(
    tx: &mut Tx<'_>,
    source: SourceKey,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<SourceUserId>, StorageError> {
    let rows = tx
        .query(
            "SELECT u.id FROM source_user u
             WHERE u.inactive_since_us IS NOT NULL AND u.inactive_since_us < $2 AND u.gone_us IS NULL
               AND u.source_id = $1
               AND EXISTS (SELECT 1 FROM group_member m WHERE m.user_id = u.id AND m.dormant = 0)
             ORDER BY u.inactive_since_us LIMIT $3",
            &[source.into(), before.into(), limit.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

async fn one(tx: &mut Tx<'_>, sql: &'static str, params: &[Value]) -> Result<Option<UserRow>, StorageError> {
    tx.query_opt(sql, params)
        .await?
        .as_ref()
        .map(user_row)
        .transpose()
}

async fn many(tx: &mut Tx<'_>, sql: &'static str, params: &[Value]) -> Result<Vec<UserRow>, StorageError> {
    tx.query(sql, params).await?.iter().map(user_row).collect()
}

/// Reads the columns of [`UserRow`], in the order of its fields, from the front of a row.
pub(super) fn user_row(row: &Row) -> Result<UserRow, StorageError> {
    Ok(UserRow {
        id: row.get(0)?,
        source: row.get(1)?,
        person: row.get(2)?,
        remote_id: row.get(3)?,
        external_id: row.get(4)?,
        user_name: row.get(5)?,
        email: row.get(6)?,
        display_name: row.get(7)?,
        active: row.get(8)?,
        scope: row.get(9)?,
        inactive_since: row.get(10)?,
        gone: row.get(11)?,
        version: row.get(12)?,
        created: row.get(13)?,
        modified: row.get(14)?,
        resource: row.get(15)?,
        pushed: row.get(16)?,
    })
}
