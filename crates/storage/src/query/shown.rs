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
                $which
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
        // A database would set up a sorter for what is mostly one row, or none.
        groups.sort_unstable_by_key(|(group, _): &(SourceGroupId, String)| *group);
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

#[cfg(test)]
mod tests {
    use usher_core::TypedId;
    use uuid::Uuid;

    use super::*;
    use crate::{Storage, StorageConfig};

    /// Ada (1) is in three groups, of which only a read knows the third; nobody pushed Bob (2); Cyd (3) is in no group.
    const WORLD: &[&str] = &[
        "INSERT INTO source (id, name, kind, mode, state, first_seen_us)
         VALUES (1, 'idp', 'scim', 'push', 'active', 1), (2, 'other', 'scim', 'push', 'active', 1)",
        "INSERT INTO person (id, created_us) VALUES (X'09', 1)",
        "INSERT INTO source_user (id, source_id, person_id, user_name, user_key, active, scope, version, created_us,
            modified_us, resource, pushed)
         SELECT unhex(printf('%032d', u.value)), 1, X'09', u.name, lower(u.name), 1, 'in', 5, 6, 7, '{}', u.value <> 2
         FROM (SELECT 1 AS value, 'Ada' AS name UNION ALL SELECT 2, 'Bob' UNION ALL SELECT 3, 'Cyd') u",
        "INSERT INTO source_group (id, source_id, display_name, name_key, version, created_us, modified_us, resource)
         SELECT unhex(printf('%032d', g.value)), 1, 'Group ' || g.value, 'group ' || g.value, 1, 1, 1, '{}'
         FROM (SELECT 12 AS value UNION ALL SELECT 11 UNION ALL SELECT 13) g",
        "INSERT INTO group_member (group_id, user_id, named_us, sides)
         SELECT id, unhex(printf('%032d', 1)), 1, CASE display_name WHEN 'Group 13' THEN 2 ELSE 1 END
         FROM source_group",
    ];

    async fn world() -> (tempfile::TempDir, Storage) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/usher.db", folder.path().display());
        let storage = Storage::open(StorageConfig::new(url)).await.unwrap();
        let filled: Result<(), StorageError> = storage
            .write(|tx| {
                Box::pin(async move {
                    for sql in WORLD {
                        tx.execute(sql, &[]).await?;
                    }
                    Ok(())
                })
            })
            .await;
        filled.unwrap();
        (folder, storage)
    }

    fn id<I: TypedId>(digits: u128) -> I {
        I::from_uuid(Uuid::from_u128(digits))
    }

    #[tokio::test]
    async fn a_user_comes_with_the_groups_that_a_push_named() {
        let (_folder, storage) = world().await;
        let found: Result<_, StorageError> = storage
            .read_few(|tx| {
                Box::pin(async move {
                    let source = SourceKey(1);
                    let by_id = user_by_id(tx, source, id(1), true).await?;
                    let by_name = user_by_name(tx, source, "ADA", true).await?;
                    let alone = user_by_id(tx, source, id(1), false).await?;
                    let in_none = user_by_name(tx, source, "cyd", true).await?;
                    Ok([by_id, by_name, alone, in_none])
                })
            })
            .await;
        let [by_id, by_name, alone, in_none] = found.unwrap().map(Option::unwrap);
        let groups = vec![
            (id(0x11), "Group 11".to_owned()),
            (id(0x12), "Group 12".to_owned()),
        ];
        let ada = ShownUser {
            id: id(1),
            version: 5,
            created: Timestamp::from_micros(6),
            modified: Timestamp::from_micros(7),
            resource: "{}".to_owned(),
            groups,
        };
        assert_eq!(by_id, ada);
        assert_eq!(by_name, ada);
        assert!(alone.groups.is_empty() && in_none.groups.is_empty());
        assert_eq!(in_none.id, id(3));
    }

    #[tokio::test]
    async fn nobody_is_shown_to_another_source_or_unpushed() {
        let (_folder, storage) = world().await;
        let found: Result<_, StorageError> = storage
            .read_few(|tx| {
                Box::pin(async move {
                    let (own, other) = (SourceKey(1), SourceKey(2));
                    Ok([
                        user_by_id(tx, other, id(1), true).await?,
                        user_by_name(tx, other, "ada", true).await?,
                        user_by_id(tx, own, id(2), true).await?,
                        user_by_name(tx, own, "bob", true).await?,
                    ])
                })
            })
            .await;
        assert_eq!(found.unwrap(), [None, None, None, None]);
    }
}
