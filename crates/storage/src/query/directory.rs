//! Lists of users and groups as SCIM asks for them: conditions on indexed attributes become SQL, put together from
//! constant parts; every value is a parameter.

use usher_core::{SourceGroupId, SourceUserId};
use usher_scim::filter::lookup::{IndexOp, IndexValue, IndexedAttribute, IndexedTerm, Lookup};
use uuid::Uuid;

use super::group::{self, GroupRow};
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

/// A part of the users that a selection finds.
pub async fn users(
    tx: &mut Tx<'_>,
    selection: Selection<'_>,
    part: Part,
) -> Result<Vec<UserRow>, StorageError> {
    let Some(query) = select(&USERS, selection, part) else {
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
    count(tx, &USERS, source, lookup).await
}

/// A part of the groups that a selection finds.
pub async fn groups(
    tx: &mut Tx<'_>,
    selection: Selection<'_>,
    part: Part,
) -> Result<Vec<GroupRow>, StorageError> {
    let Some(query) = select(&GROUPS, selection, part) else {
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
    count(tx, &GROUPS, source, lookup).await
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

/// The constant parts of the statements about one table.
struct Table {
    select: &'static str,
    count: &'static str,
    scope: &'static str,
    id: &'static str,
    name: &'static str,
    term: fn(IndexedAttribute) -> Option<&'static str>,
}

const USERS: Table = Table {
    select: "SELECT u.id, u.source_id, u.person_id, u.remote_id, u.external_id, u.user_name, u.email, u.display_name, \
             u.active, u.scope, u.inactive_since_us, u.gone_us, u.version, u.created_us, u.modified_us, u.resource, \
             u.pushed FROM source_user u",
    count: "SELECT count(*) FROM source_user u",
    scope: "u.source_id = $1 AND u.gone_us IS NULL AND u.pushed = 1",
    id: "u.id",
    name: "u.user_key",
    term: user_term,
};

const GROUPS: Table = Table {
    select: "SELECT g.id, g.source_id, g.remote_id, g.external_id, g.display_name, g.member_count, g.gone_us, \
             g.version, g.created_us, g.modified_us, g.resource, g.pushed, g.assigned FROM source_group g",
    count: "SELECT count(*) FROM source_group g",
    scope: "g.source_id = $1 AND g.gone_us IS NULL AND g.pushed = 1",
    id: "g.id",
    name: "g.name_key",
    term: group_term,
};

/// The condition on one attribute. `?` stands for the comparison and its value, `#` for the same where the value has to
/// be one of our ids.
///
/// What few rows have is a list of ids made by its own index. A plain comparison would leave the planner the choice
/// between that index and the one that the order needs, and it takes the latter.
fn user_term(attribute: IndexedAttribute) -> Option<&'static str> {
    Some(match attribute {
        IndexedAttribute::Id => "u.id #",
        IndexedAttribute::ExternalId => {
            "u.id IN (SELECT id FROM source_user WHERE source_id = $1 AND external_id ?)"
        }
        IndexedAttribute::UserName => {
            "u.id IN (SELECT id FROM source_user WHERE source_id = $1 AND gone_us IS NULL AND user_key ?)"
        }
        IndexedAttribute::EmailValue => {
            "u.id IN (SELECT id FROM source_user WHERE source_id = $1 AND email ? \
             UNION ALL SELECT user_id FROM user_email WHERE email ?)"
        }
        IndexedAttribute::GroupValue => {
            "u.id IN (SELECT user_id FROM group_member WHERE group_id # AND sides <> 2)"
        }
        IndexedAttribute::Active => "u.active ?",
        IndexedAttribute::Created => "u.created_us ?",
        IndexedAttribute::LastModified => "u.modified_us ?",
        IndexedAttribute::DisplayName | IndexedAttribute::MemberValue | IndexedAttribute::ManagerValue => {
            return None;
        }
    })
}

fn group_term(attribute: IndexedAttribute) -> Option<&'static str> {
    Some(match attribute {
        IndexedAttribute::Id => "g.id #",
        IndexedAttribute::ExternalId => {
            "g.id IN (SELECT id FROM source_group WHERE source_id = $1 AND external_id ?)"
        }
        IndexedAttribute::DisplayName => {
            "g.id IN (SELECT id FROM source_group WHERE source_id = $1 AND gone_us IS NULL AND name_key ?)"
        }
        IndexedAttribute::Created => "g.created_us ?",
        IndexedAttribute::LastModified => "g.modified_us ?",
        IndexedAttribute::MemberValue => {
            "g.id IN (SELECT group_id FROM group_member WHERE user_id # AND sides <> 2 \
             UNION ALL SELECT group_id FROM pending_member WHERE source_id = $1 AND value ?)"
        }
        _ => return None,
    })
}

struct Built {
    sql: String,
    params: Vec<Value>,
}

fn select(table: &Table, selection: Selection<'_>, part: Part) -> Option<Built> {
    let mut query = Condition::of(table, selection.source, selection.lookup)?.start(table.select);
    if let Some(after) = part.after {
        query.sql.push_str(" AND ");
        query.sql.push_str(table.id);
        query.sql.push_str(" > ");
        query.push(Value::Uuid(after));
    }
    query.sql.push_str(" ORDER BY ");
    match selection.order {
        Order::Id => query.sql.push_str(table.id),
        Order::Name { descending } => {
            let direction = if descending { " DESC, " } else { ", " };
            query.sql.extend([table.name, direction, table.id]);
        }
    }
    query.sql.push_str(" LIMIT ");
    query.push(bound(part.limit));
    if part.offset > 0 {
        query.sql.push_str(" OFFSET ");
        query.push(bound(part.offset));
    }
    Some(query)
}

async fn count(
    tx: &mut Tx<'_>,
    table: &Table,
    source: SourceKey,
    lookup: &Lookup,
) -> Result<i64, StorageError> {
    let Some(condition) = Condition::of(table, source, lookup) else {
        return Ok(0);
    };
    let query = condition.start(table.count);
    let rows = tx.query_built(&query.sql, &query.params).await?;
    rows.first().ok_or(StorageError::NoRow)?.get(0)
}

fn bound(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Built {
    fn push(&mut self, value: Value) {
        self.params.push(value);
        self.sql.push('$');
        self.sql.push_str(&self.params.len().to_string());
    }
}

/// A WHERE clause.
struct Condition {
    text: String,
    params: Vec<Value>,
}

impl Condition {
    /// `None` when nothing can be found.
    fn of(table: &Table, source: SourceKey, lookup: &Lookup) -> Option<Self> {
        let mut condition = Self {
            text: table.scope.to_owned(),
            params: vec![source.into()],
        };
        let mut clause = Built {
            sql: String::new(),
            params: std::mem::take(&mut condition.params),
        };
        match clause.add(table, lookup) {
            Outcome::Nothing => return None,
            Outcome::Unbounded => {}
            Outcome::Bounded => {
                condition.text.push_str(" AND ");
                condition.text.push_str(&clause.sql);
            }
        }
        condition.params = clause.params;
        Some(condition)
    }

    fn start(self, head: &str) -> Built {
        Built {
            sql: format!("{head} WHERE {}", self.text),
            params: self.params,
        }
    }
}

enum Outcome {
    /// No resource can match.
    Nothing,
    /// No condition was added: every resource may match.
    Unbounded,
    /// A condition was added.
    Bounded,
}

impl Built {
    fn add(&mut self, table: &Table, lookup: &Lookup) -> Outcome {
        match lookup {
            Lookup::Nothing => Outcome::Nothing,
            Lookup::All => Outcome::Unbounded,
            Lookup::Indexed(term) => self.add_term(table, term),
            Lookup::And(parts) => self.add_all(table, parts),
            Lookup::Or(parts) => self.add_any(table, parts),
        }
    }

    fn add_all(&mut self, table: &Table, parts: &[Lookup]) -> Outcome {
        let mut bounded = false;
        for part in parts {
            let before = self.sql.len();
            if bounded {
                self.sql.push_str(" AND ");
            }
            match self.add(table, part) {
                Outcome::Nothing => return Outcome::Nothing,
                Outcome::Unbounded => self.sql.truncate(before),
                Outcome::Bounded => bounded = true,
            }
        }
        if bounded {
            Outcome::Bounded
        } else {
            Outcome::Unbounded
        }
    }

    fn add_any(&mut self, table: &Table, parts: &[Lookup]) -> Outcome {
        let (start, params) = (self.sql.len(), self.params.len());
        let mut bounded = false;
        self.sql.push('(');
        for part in parts {
            let (before, values) = (self.sql.len(), self.params.len());
            if bounded {
                self.sql.push_str(" OR ");
            }
            match self.add(table, part) {
                Outcome::Nothing => {
                    self.sql.truncate(before);
                    self.params.truncate(values);
                }
                Outcome::Unbounded => {
                    self.sql.truncate(start);
                    self.params.truncate(params);
                    return Outcome::Unbounded;
                }
                Outcome::Bounded => bounded = true,
            }
        }
        self.sql.push(')');
        if bounded {
            return Outcome::Bounded;
        }
        self.sql.truncate(start);
        Outcome::Nothing
    }

    fn add_term(&mut self, table: &Table, term: &IndexedTerm) -> Outcome {
        let Some(text) = (table.term)(term.attribute) else {
            return Outcome::Unbounded;
        };
        let op = match term.op {
            IndexOp::Equal => "= ",
            IndexOp::Less => "< ",
            IndexOp::LessOrEqual => "<= ",
            IndexOp::Greater => "> ",
            IndexOp::GreaterOrEqual => ">= ",
        };
        for piece in text.split_inclusive(['?', '#']) {
            let (piece, value) = match piece.strip_suffix('#') {
                Some(piece) => (piece, Some(id(&term.value))),
                None => match piece.strip_suffix('?') {
                    Some(piece) => (piece, Some(parameter(&term.value))),
                    None => (piece, None),
                },
            };
            self.sql.push_str(piece);
            if let Some(value) = value {
                self.sql.push_str(op);
                self.push(value);
            }
        }
        Outcome::Bounded
    }
}

fn parameter(value: &IndexValue) -> Value {
    match value {
        IndexValue::Boolean(value) => Value::Bool(*value),
        IndexValue::Time(time) => Value::Int(time.as_microsecond()),
        IndexValue::Text(text) => text.as_str().into(),
    }
}

/// NULL, which equals nothing, for a text that is none of our ids in their one spelling.
fn id(value: &IndexValue) -> Value {
    let IndexValue::Text(text) = value else {
        return Value::Null;
    };
    match Uuid::try_parse(text) {
        Ok(id) if id.hyphenated().to_string() == *text => Value::Uuid(id),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(attribute: IndexedAttribute, value: IndexValue) -> Lookup {
        Lookup::Indexed(IndexedTerm {
            attribute,
            op: IndexOp::Equal,
            value,
        })
    }

    fn text(attribute: IndexedAttribute, text: &str) -> Lookup {
        equal(attribute, IndexValue::Text(text.into()))
    }

    fn sql(table: &Table, lookup: &Lookup) -> Option<(String, usize)> {
        let selection = Selection {
            source: SourceKey(1),
            lookup,
            order: Order::Id,
        };
        select(
            table,
            selection,
            Part {
                after: None,
                offset: 0,
                limit: 10,
            },
        )
        .map(|query| {
            (
                query.sql.split_once("WHERE ").unwrap().1.to_owned(),
                query.params.len(),
            )
        })
    }

    #[test]
    fn every_value_is_a_parameter() {
        let hostile = text(IndexedAttribute::UserName, "x' OR 1=1 --");
        let (sql, params) = sql(&USERS, &hostile).unwrap();
        assert_eq!(
            sql,
            "u.source_id = $1 AND u.gone_us IS NULL AND u.pushed = 1 AND u.id IN (SELECT id FROM source_user WHERE source_id = $1 \
             AND gone_us IS NULL AND user_key = $2) ORDER BY u.id LIMIT $3"
        );
        assert_eq!(params, 3);
    }

    #[test]
    fn conditions_join_as_they_were_written() {
        let active = |value| equal(IndexedAttribute::Active, IndexValue::Boolean(value));
        let either = Lookup::Or(vec![active(false), text(IndexedAttribute::Id, "nobody")]);
        let (sql, params) = sql(&USERS, &Lookup::And(vec![active(true), either])).unwrap();
        assert!(
            sql.contains("AND u.active = $2 AND (u.active = $3 OR u.id = $4) ORDER"),
            "{sql}"
        );
        assert_eq!(params, 5);
    }

    #[test]
    fn each_value_is_written_once_for_each_index_that_is_asked() {
        let (sql, params) = sql(&USERS, &text(IndexedAttribute::EmailValue, "a@b.c")).unwrap();
        assert!(
            sql.contains("email = $2 UNION ALL SELECT user_id FROM user_email WHERE email = $3)"),
            "{sql}"
        );
        assert_eq!(params, 4);
    }

    #[test]
    fn what_no_index_knows_finds_too_much_and_never_too_little() {
        let manager = text(IndexedAttribute::ManagerValue, "m");
        let name = text(IndexedAttribute::UserName, "a");
        let both = Lookup::And(vec![manager.clone(), name.clone()]);
        let either = Lookup::Or(vec![name.clone(), manager]);
        assert!(!is_exact(&USERS, &both) && !is_exact(&USERS, &either) && is_exact(&USERS, &name));
        let shown = text(IndexedAttribute::DisplayName, "a");
        assert!(!is_exact_for_users(&shown) && is_exact_for_groups(&shown));
        assert!(sql(&USERS, &both).unwrap().0.contains("user_key = $2"));
        let (all, params) = sql(&USERS, &either).unwrap();
        assert_eq!(
            (all.as_str(), params),
            (
                "u.source_id = $1 AND u.gone_us IS NULL AND u.pushed = 1 ORDER BY u.id LIMIT $2",
                2
            )
        );
    }

    #[test]
    fn nothing_is_asked_where_nothing_can_match() {
        assert!(sql(&USERS, &Lookup::Nothing).is_none());
    }

    #[test]
    fn a_text_that_is_no_id_equals_none() {
        assert_eq!(
            id(&IndexValue::Text("018F6B1E-7D2A-7C44-9F0E-3A5B6C7D8E9F".into())),
            Value::Null
        );
        assert_eq!(id(&IndexValue::Text("nobody".into())), Value::Null);
        let ours = "018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f";
        assert_eq!(
            id(&IndexValue::Text(ours.into())),
            Value::Uuid(ours.parse().unwrap())
        );
    }
}
