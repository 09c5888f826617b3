//! Users as SCIM clients read them: with their groups, in one statement.

use usher_core::{SourceGroupId, SourceUserId, Timestamp};
use usher_scim::compare::fold;

use crate::{SourceKey, StorageError, Tx, Value};

/// What an answer shows of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownUser {
    /// Its SCIM `id`.
    pub id: SourceUserId,
    /// Rises with every change of the resource.
    pub version: i64,
    /// When it was created here.
    pub created: Timestamp,
    /// When the resource changed last.
    pub modified: Timestamp,
    /// The SCIM resource as JSON, without `id`, `meta` and `groups`.
    pub resource: String,
    /// Id and name of each group that a push named it in, if they were asked for.
    pub groups: Vec<(SourceGroupId, String)>,
}

macro_rules! select_shown {
    ($which:literal) => {
        (
            concat!(
                "SELECT u.id, u.version, u.created_us, u.modified_us, u.resource FROM source_user u WHERE ",
                $which
            ),
            concat!(
                "SELECT u.id, u.version, u.created_us, u.modified_us, u.resource, g.id, g.display_name FROM source_user u
                 LEFT JOIN group_member m ON m.user_id = u.id AND m.sides <> 2 LEFT JOIN source_group g ON g.id = m.group_id WHERE ",
                $which,
                " ORDER BY m.group_id"
            ),
        )
    };
}

/// The live user with an id that a push brought: what only a read saw is not shown over SCIM.
pub async fn user_by_id(
    tx: &mut Tx<'_>,
    source: SourceKey,
    id: SourceUserId,
    with_groups: bool,
) -> Result<Option<ShownUser>, StorageError> {
    const SQL: (&str, &str) =
        select_shown!("u.id = $1 AND u.source_id = $2 AND u.gone_us IS NULL AND u.pushed = 1");
    read(tx, SQL, &[id.into(), source.into()], with_groups).await
}

/// The live user with a name, in any case, that a push brought.
pub async fn user_by_name(
    tx: &mut Tx<'_>,
    source: SourceKey,
    name: &str,
    with_groups: bool,
) -> Result<Option<ShownUser>, StorageError> {
    const SQL: (&str, &str) =
        select_shown!("u.source_id = $1 AND u.user_key = $2 AND u.gone_us IS NULL AND u.pushed = 1");
    let params = [source.into(), fold(name).into_owned().into()];
    read(tx, SQL, &params, with_groups).await
}

async fn read(
    tx: &mut Tx<'_>,
    (alone, with_them): (&'static str, &'static str),
    params: &[Value],
    with_groups: bool,
) -> Result<Option<ShownUser>, StorageError> {
    let rows = tx
        .query(if with_groups { with_them } else { alone }, params)
        .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut groups = Vec::new();
    if with_groups {
        for row in &rows {
            // Who is in no group has one row without a group.
            if let Some(group) = row.get(5)? {
                groups.push((group, row.get(6)?));
            }
        }
    }
    Ok(Some(ShownUser {
        id: first.get(0)?,
        version: first.get(1)?,
        created: first.get(2)?,
        modified: first.get(3)?,
        resource: first.get(4)?,
        groups,
    }))
}
