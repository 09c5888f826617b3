//! Groups of sources.

use usher_core::{SourceGroupId, SourceUserId, Timestamp};
use usher_scim::compare::fold;

use super::or_start;
use crate::{Row, SourceKey, StorageError, Tx, Value, uuids};

/// What Usher keeps of a group of a source, without its members.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRow {
    /// Usher's id of it, which is its SCIM `id`.
    pub id: SourceGroupId,
    /// Its source.
    pub source: SourceKey,
    /// The id that the source itself keeps for ever, where it is known.
    pub remote_id: Option<String>,
    /// `externalId` as sent.
    pub external_id: Option<String>,
    /// `displayName` as sent.
    pub display_name: String,
    /// How many members it has, pending ones included.
    pub member_count: i64,
    /// When the source deleted it.
    pub gone: Option<Timestamp>,
    /// Rises with every change of the resource or its members.
    pub version: i64,
    /// When it was created here.
    pub created: Timestamp,
    /// When the resource or its members changed last.
    pub modified: Timestamp,
    /// The SCIM resource as JSON, without `id`, `meta` and `members`.
    pub resource: String,
    /// Whether a push brought it. What only a read saw is not shown over SCIM.
    pub pushed: bool,
    /// Whether people whom only a read saw in it count: not before the group is assigned to the application, where that
    /// is required and the provider tells.
    pub assigned: bool,
}

macro_rules! select_group {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.source_id, g.remote_id, g.external_id, g.display_name, g.member_count, g.gone_us, g.version,
                    g.created_us, g.modified_us, g.resource, g.pushed, g.assigned ",
            $rest
        )
    };
}

/// The live group with an id.
pub async fn by_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: SourceGroupId,
) -> Result<Option<GroupRow>, StorageError> {
    let sql = select_group!("FROM source_group g WHERE g.id = $1 AND g.source_id = $2 AND g.gone_us IS NULL");
    one(tx, sql, &[id.into(), source.into()]).await
}

/// As [`by_id`], for a unit that goes on to change it: others wait until this unit ends.
pub async fn by_id_for_change(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: SourceGroupId,
) -> Result<Option<GroupRow>, StorageError> {
    let sql = select_group!(
        "FROM source_group g WHERE g.id = $1 AND g.source_id = $2 AND g.gone_us IS NULL /*pg FOR NO KEY UPDATE*/"
    );
    one(tx, sql, &[id.into(), source.into()]).await
}

/// The live groups with a name, in any case.
pub async fn by_name(tx: &mut Tx<'_>, source: SourceKey, name: &str) -> Result<Vec<GroupRow>, StorageError> {
    let sql = select_group!(
        "FROM source_group g WHERE g.source_id = $1 AND g.name_key = $2 AND g.gone_us IS NULL ORDER BY g.id"
    );
    many(tx, sql, &[source.into(), fold(name).into_owned().into()]).await
}

/// The live groups with an `externalId`.
pub async fn by_external_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: &str,
) -> Result<Vec<GroupRow>, StorageError> {
    let sql = select_group!(
        "FROM source_group g WHERE g.source_id = $1 AND g.external_id = $2 AND g.gone_us IS NULL ORDER BY g.id"
    );
    many(tx, sql, &[source.into(), id.into()]).await
}

/// Live groups of a source in the order of their creation.
pub async fn page(
    tx: &mut Tx<'_>,
    source: SourceKey,
    after: Option<SourceGroupId>,
    limit: u32,
) -> Result<Vec<GroupRow>, StorageError> {
    let sql = select_group!(
        "FROM source_group g WHERE g.source_id = $1 AND g.id > $2 AND g.gone_us IS NULL ORDER BY g.id LIMIT $3"
    );
    many(tx, sql, &[source.into(), or_start(after), limit.into()]).await
}

/// How many live groups a source has.
pub async fn count(tx: &mut Tx<'_>, source: SourceKey) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM source_group WHERE source_id = $1 AND gone_us IS NULL",
        &[source.into()],
    )
    .await?
    .get(0)
}

/// Which of these ids are live groups of the source.
pub async fn live(
    tx: &mut Tx<'_>,
    source: SourceKey,
    ids: impl IntoIterator<Item = SourceGroupId>,
) -> Result<Vec<SourceGroupId>, StorageError> {
    let rows = tx
        .query(
            "SELECT g.id FROM rarray($1) i CROSS JOIN source_group g ON g.id = i.value
             WHERE g.source_id = $2 AND g.gone_us IS NULL",
            &[uuids(ids), source.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Adds a group.
pub async fn insert(tx: &mut Tx<'_>, group: &GroupRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO source_group (id, source_id, remote_id, external_id, display_name, name_key, member_count,
            gone_us, version, created_us, modified_us, resource, pushed, assigned)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &[
            group.id.into(),
            group.source.into(),
            group.remote_id.as_deref().into(),
            group.external_id.as_deref().into(),
            group.display_name.as_str().into(),
            fold(&group.display_name).into_owned().into(),
            group.member_count.into(),
            group.gone.into(),
            group.version.into(),
            group.created.into(),
            group.modified.into(),
            group.resource.as_str().into(),
            group.pushed.into(),
            group.assigned.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes all that may change of a group.
pub async fn update(tx: &mut Tx<'_>, group: &GroupRow) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE source_group SET remote_id = $2, external_id = $3, display_name = $4, name_key = $5, member_count = $6,
            gone_us = $7, version = $8, modified_us = $9, resource = $10, pushed = $11, assigned = $12
         WHERE id = $1",
        &[
            group.id.into(),
            group.remote_id.as_deref().into(),
            group.external_id.as_deref().into(),
            group.display_name.as_str().into(),
            fold(&group.display_name).into_owned().into(),
            group.member_count.into(),
            group.gone.into(),
            group.version.into(),
            group.modified.into(),
            group.resource.as_str().into(),
            group.pushed.into(),
            group.assigned.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes that a group's members changed, and nothing else.
pub async fn touch(
    tx: &mut Tx<'_>,
    id: SourceGroupId,
    member_count: i64,
    version: i64,
    modified: Timestamp,
) -> Result<(), StorageError> {
    tx.execute_later(
        "UPDATE source_group SET member_count = $2, version = $3, modified_us = $4 WHERE id = $1",
        &[id.into(), member_count.into(), version.into(), modified.into()],
    )
    .await?;
    Ok(())
}

/// A member of a group, as SCIM shows it.
#[derive(Debug, Clone)]
pub struct Member {
    /// The user.
    pub user: SourceUserId,
    /// `displayName` of the user, else `userName`.
    pub display: String,
}

/// Known members of a group that a push named, in the order of their ids.
pub async fn members(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    after: Option<SourceUserId>,
    limit: u32,
) -> Result<Vec<Member>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.user_id, coalesce(u.display_name, u.user_name)
             FROM group_member m JOIN source_user u ON u.id = m.user_id
             WHERE m.group_id = $1 AND m.user_id > $2 AND m.sides <> 2 ORDER BY m.user_id LIMIT $3",
            &[group.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Member {
                user: row.get(0)?,
                display: row.get(1)?,
            })
        })
        .collect()
}

/// Members of a group that name nobody known, in the order of their values and after this one: the value, which is never
/// empty, and, where the source said it, the kind.
pub async fn pending(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    after: &str,
    limit: u32,
) -> Result<Vec<(String, Option<String>)>, StorageError> {
    let rows = tx
        .query(
            "SELECT value, kind FROM pending_member WHERE group_id = $1 AND value > $2 ORDER BY value LIMIT $3",
            &[group.into(), after.into(), limit.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Known members of a group, whoever named them, in the order of their ids.
pub async fn all_members(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    after: Option<SourceUserId>,
    limit: u32,
) -> Result<Vec<Member>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.user_id, coalesce(u.display_name, u.user_name)
             FROM group_member m JOIN source_user u ON u.id = m.user_id
             WHERE m.group_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3",
            &[group.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Member {
                user: row.get(0)?,
                display: row.get(1)?,
            })
        })
        .collect()
}

/// The live group that the source itself knows by an id.
pub async fn by_remote_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: &str,
) -> Result<Option<GroupRow>, StorageError> {
    let sql = select_group!(
        "FROM source_group g WHERE g.source_id = $1 AND g.remote_id = $2 AND g.gone_us IS NULL ORDER BY g.id LIMIT 1"
    );
    one(tx, sql, &[source.into(), id.into()]).await
}

/// Whether a push named a user as a member of a group.
pub async fn has_member(
    tx: &mut Tx<'_>,
    group: SourceGroupId,
    user: SourceUserId,
) -> Result<bool, StorageError> {
    let row = tx
        .query_opt(
            "SELECT 1 FROM group_member WHERE group_id = $1 AND user_id = $2 AND sides <> 2",
            &[group.into(), user.into()],
        )
        .await?;
    Ok(row.is_some())
}

async fn one(tx: &mut Tx<'_>, sql: &'static str, params: &[Value]) -> Result<Option<GroupRow>, StorageError> {
    tx.query_opt(sql, params)
        .await?
        .as_ref()
        .map(group_row)
        .transpose()
}

async fn many(tx: &mut Tx<'_>, sql: &'static str, params: &[Value]) -> Result<Vec<GroupRow>, StorageError> {
    tx.query(sql, params).await?.iter().map(group_row).collect()
}

/// Reads the columns of [`GroupRow`], in the order of its fields, from the front of a row.
pub(super) fn group_row(row: &Row) -> Result<GroupRow, StorageError> {
    Ok(GroupRow {
        id: row.get(0)?,
        source: row.get(1)?,
        remote_id: row.get(2)?,
        external_id: row.get(3)?,
        display_name: row.get(4)?,
        member_count: row.get(5)?,
        gone: row.get(6)?,
        version: row.get(7)?,
        created: row.get(8)?,
        modified: row.get(9)?,
        resource: row.get(10)?,
        pushed: row.get(11)?,
        assigned: row.get(12)?,
    })
}
