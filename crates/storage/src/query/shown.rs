//! Users as SCIM clients read them: with their groups, in one statement.

use usher_core::{SourceGroupId, SourceUserId, Timestamp};
use usher_scim::compare::fold;

use crate::{LookUp, Row, SourceKey, StorageError, Value};

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
pub fn user_by_id(source: SourceKey, id: SourceUserId, with_groups: bool) -> LookUp<Option<ShownUser>> {
    const SQL: (&str, &str) =
        select_shown!("u.id = $1 AND u.source_id = $2 AND u.gone_us IS NULL AND u.pushed = 1");
    one(SQL, vec![id.into(), source.into()], with_groups)
}

/// The live user with a name, in any case, that a push brought.
pub fn user_by_name(source: SourceKey, name: &str, with_groups: bool) -> LookUp<Option<ShownUser>> {
    const SQL: (&str, &str) =
        select_shown!("u.source_id = $1 AND u.user_key = $2 AND u.gone_us IS NULL AND u.pushed = 1");
    one(
        SQL,
        vec![source.into(), fold(name).into_owned().into()],
        with_groups,
    )
}

fn one(
    (alone, with_them): (&'static str, &'static str),
    params: Vec<Value>,
    with_groups: bool,
) -> LookUp<Option<ShownUser>> {
    match with_groups {
        true => LookUp::new(with_them, params, with_their_groups),
        false => LookUp::new(alone, params, |rows| {
            rows.into_iter()
                .next()
                .map(|row| shown(row, Vec::new()))
                .transpose()
        }),
    }
}

fn with_their_groups(rows: Vec<Row>) -> Result<Option<ShownUser>, StorageError> {
    let mut groups = Vec::with_capacity(rows.len());
    let mut first = None;
    for mut row in rows {
        // Who is in no group has one row without a group.
        if let Some(group) = row.get(5)? {
            groups.push((group, row.take_text(6)?));
        }
        first.get_or_insert(row);
    }
    // A database would set up a sorter for what is mostly one row, or none.
    groups.sort_unstable_by_key(|(group, _): &(SourceGroupId, String)| *group);
    first.map(|row| shown(row, groups)).transpose()
}

fn shown(mut row: Row, groups: Vec<(SourceGroupId, String)>) -> Result<ShownUser, StorageError> {
    Ok(ShownUser {
        id: row.get(0)?,
        version: row.get(1)?,
        created: row.get(2)?,
        modified: row.get(3)?,
        resource: row.take_text(4)?,
        groups,
    })
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
        let source = SourceKey(1);
        let find =
            async |look_up: LookUp<Option<ShownUser>>| storage.look_up(look_up).await.unwrap().unwrap();
        let by_id = find(user_by_id(source, id(1), true)).await;
        let by_name = find(user_by_name(source, "ADA", true)).await;
        let alone = find(user_by_id(source, id(1), false)).await;
        let in_none = find(user_by_name(source, "cyd", true)).await;
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
        let (own, other) = (SourceKey(1), SourceKey(2));
        for look_up in [
            user_by_id(other, id(1), true),
            user_by_name(other, "ada", true),
            user_by_id(own, id(2), true),
            user_by_name(own, "bob", false),
        ] {
            assert_eq!(storage.look_up(look_up).await.unwrap(), None);
        }
    }
}
