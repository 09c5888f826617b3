//! Lists of users and groups as SCIM asks for them.

use usher_core::{SourceGroupId, SourceUserId};
use usher_scim::filter::lookup::{IndexedAttribute, Lookup};
use uuid::Uuid;

use super::group::{self, GroupRow};
pub use super::lookup::Statement;
use super::lookup::{self, GROUPS, Table, USERS};
use super::user::{self, UserRow};
use crate::{SourceKey, StorageError, Tx, Value};

/// Which live resources of a source, in which order.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// The source.
    pub source: SourceKey,
    /// What the filter asks of indexed attributes.
    pub lookup: &'a Lookup,
    /// In which order.
    pub order: Order,
}

/// The orders that an index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id, which is the order of creation.
    Id,
    /// By `userName` of a user, `displayName` of a group, without letter case; then by id.
    Name {
        /// Whether the last comes first.
        descending: bool,
    },
}

/// Which part of a selection.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Only ids after this one; for [`Order::Id`] alone.
    pub after: Option<Uuid>,
    /// How many to pass over.
    pub offset: usize,
    /// At most how many.
    pub limit: usize,
}

/// Whether [`users`] finds exactly what the lookup says. If not, it finds more, and the caller evaluates the whole filter
/// on each user.
#[must_use]
pub fn is_exact_for_users(lookup: &Lookup) -> bool {
    is_exact(&USERS, lookup)
}

/// The same for [`groups`].
#[must_use]
pub fn is_exact_for_groups(lookup: &Lookup) -> bool {
    is_exact(&GROUPS, lookup)
}

fn is_exact(table: &Table, lookup: &Lookup) -> bool {
    match lookup {
        Lookup::Nothing | Lookup::All => true,
        // The stored address may stand for a user name that is one.
        Lookup::Indexed(term) => {
            term.attribute != IndexedAttribute::EmailValue && (table.term)(term.attribute).is_some()
        }
        Lookup::And(parts) | Lookup::Or(parts) => parts.iter().all(|part| is_exact(table, part)),
    }
}

/// What [`users`] asks the database; `None` when nothing can be found.
#[must_use]
pub fn users_statement(selection: Selection<'_>, part: Part) -> Option<Statement> {
    lookup::select(&USERS, selection, part)
}

/// What [`groups`] asks the database; `None` when nothing can be found.
#[must_use]
pub fn groups_statement(selection: Selection<'_>, part: Part) -> Option<Statement> {
    lookup::select(&GROUPS, selection, part)
}

/// What [`count_users`] asks the database; `None` when nothing can be found.
#[must_use]
pub fn count_users_statement(source: SourceKey, lookup: &Lookup) -> Option<Statement> {
    lookup::count(&USERS, source, lookup)
}

/// What [`count_groups`] asks the database; `None` when nothing can be found.
#[must_use]
pub fn count_groups_statement(source: SourceKey, lookup: &Lookup) -> Option<Statement> {
    lookup::count(&GROUPS, source, lookup)
}

/// A part of the users that a selection finds.
pub async fn users(
    tx: &mut Tx<'_>,
    selection: Selection<'_>,
    part: Part,
) -> Result<Vec<UserRow>, StorageError> {
    let Some(query) = users_statement(selection, part) else {
        return Ok(Vec::new());
    };
    tx.query_built(&query.sql, &query.params)
        .await?
        .iter()
        .map(user::user_row)
        .collect()
}

/// How many users a selection finds.
pub async fn count_users(tx: &mut Tx<'_>, source: SourceKey, lookup: &Lookup) -> Result<i64, StorageError> {
    count(tx, count_users_statement(source, lookup)).await
}

/// A part of the groups that a selection finds.
pub async fn groups(
    tx: &mut Tx<'_>,
    selection: Selection<'_>,
    part: Part,
) -> Result<Vec<GroupRow>, StorageError> {
    let Some(query) = groups_statement(selection, part) else {
        return Ok(Vec::new());
    };
    tx.query_built(&query.sql, &query.params)
        .await?
        .iter()
        .map(group::group_row)
        .collect()
}

/// How many groups a selection finds.
pub async fn count_groups(tx: &mut Tx<'_>, source: SourceKey, lookup: &Lookup) -> Result<i64, StorageError> {
    count(tx, count_groups_statement(source, lookup)).await
}

/// The users with these ids, in no order.
pub async fn users_by_ids(tx: &mut Tx<'_>, ids: Vec<SourceUserId>) -> Result<Vec<UserRow>, StorageError> {
    const SQL: &str = concat!(
        "SELECT u.id, u.source_id, u.person_id, u.remote_id, u.external_id, u.user_name, u.email, u.display_name, \
         u.active, u.scope, u.inactive_since_us, u.gone_us, u.version, u.created_us, u.modified_us, u.resource, \
         u.pushed ",
        "FROM rarray($1) i CROSS JOIN source_user u ON u.id = i.value WHERE u.gone_us IS NULL"
    );
    tx.query(SQL, &[crate::uuids(ids)])
        .await?
        .iter()
        .map(user::user_row)
        .collect()
}

/// The groups with these ids, in no order.
pub async fn groups_by_ids(tx: &mut Tx<'_>, ids: Vec<SourceGroupId>) -> Result<Vec<GroupRow>, StorageError> {
    const SQL: &str = concat!(
        "SELECT g.id, g.source_id, g.remote_id, g.external_id, g.display_name, g.member_count, g.gone_us, g.version, \
         g.created_us, g.modified_us, g.resource, g.pushed, g.assigned ",
        "FROM rarray($1) i CROSS JOIN source_group g ON g.id = i.value WHERE g.gone_us IS NULL"
    );
    tx.query(SQL, &[crate::uuids(ids)])
        .await?
        .iter()
        .map(group::group_row)
        .collect()
}

/// The groups that these users are members of: user, group, the group's name. In the order of ids.
pub async fn groups_of_users(
    tx: &mut Tx<'_>,
    users: Vec<SourceUserId>,
) -> Result<Vec<(SourceUserId, SourceGroupId, String)>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.user_id, g.id, g.display_name FROM rarray($1) i
             CROSS JOIN group_member m ON m.user_id = i.value JOIN source_group g ON g.id = m.group_id
             WHERE m.sides <> 2 ORDER BY m.user_id, g.id",
            &[crate::uuids(users)],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .collect()
}

/// Writes down the further addresses of a user, beside the one in its own row, so that filters find it by them.
pub async fn set_further_emails(
    tx: &mut Tx<'_>,
    user: SourceUserId,
    emails: Vec<String>,
) -> Result<(), StorageError> {
    tx.execute("DELETE FROM user_email WHERE user_id = $1", &[user.into()])
        .await?;
    if !emails.is_empty() {
        tx.execute(
            "INSERT INTO user_email (user_id, email) SELECT $1, value FROM rarray($2) WHERE true
             ON CONFLICT (user_id, email) DO NOTHING",
            &[user.into(), Value::Texts(emails)],
        )
        .await?;
    }
    Ok(())
}

async fn count(tx: &mut Tx<'_>, counting: Option<Statement>) -> Result<i64, StorageError> {
    let Some(query) = counting else {
        return Ok(0);
    };
    let rows = tx.query_built(&query.sql, &query.params).await?;
    rows.first().ok_or(StorageError::NoRow)?.get(0)
}

#[cfg(test)]
mod tests {
    use usher_scim::filter::lookup::{IndexOp, IndexValue, IndexedTerm};

    use super::*;

    #[test]
    fn a_lookup_is_exact_where_columns_have_all_that_it_asks() {
        let text = |attribute| {
            Lookup::Indexed(IndexedTerm {
                attribute,
                op: IndexOp::Equal,
                value: IndexValue::Text("a".into()),
            })
        };
        let (manager, name) = (
            text(IndexedAttribute::ManagerValue),
            text(IndexedAttribute::UserName),
        );
        let both = Lookup::And(vec![manager.clone(), name.clone()]);
        let either = Lookup::Or(vec![name.clone(), manager]);
        assert!(!is_exact_for_users(&both) && !is_exact_for_users(&either) && is_exact_for_users(&name));
        let shown = text(IndexedAttribute::DisplayName);
        assert!(!is_exact_for_users(&shown) && is_exact_for_groups(&shown));
    }
}
