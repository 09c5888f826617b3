//! What a SCIM filter asks of indexed attributes as SQL: the one place that puts statements together at run time, from
//! constants alone.
//!
//! What few rows have is a *list* of ids made by its own index, and a statement that has one begins with it. A plain
//! comparison would leave the planner the choice between that index and the one that the order needs; it takes the latter,
//! and passes over everybody before it finds the one. Where any of several lists may hold a row, they are one list.

use usher_scim::filter::lookup::{IndexOp, IndexValue, IndexedAttribute, IndexedTerm, Lookup};
use uuid::Uuid;

use super::directory::{Order, Part, Selection};
use crate::{SourceKey, Value};

/// A statement that was put together. Every value is a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its text, made of constants alone.
    pub sql: String,
    /// The values.
    pub params: Vec<Value>,
}

/// The constant parts of the statements about one table.
pub(super) struct Table {
    columns: &'static str,
    from: &'static str,
    /// After the table, where everything of a source is counted: its index of live rows has all that is asked for. SQLite
    /// would take another index that begins with the source, and read every row for the rest.
    counted_by: &'static str,
    source: &'static str,
    live: &'static str,
    id: &'static str,
    name: &'static str,
    /// How an attribute is looked for; `None` where it is in no column.
    pub(super) term: fn(IndexedAttribute) -> Option<Term>,
}

/// How an attribute is looked for. `?` stands for the comparison and its value, `#` for the same where the value has to be
/// one of our ids.
pub(super) enum Term {
    /// What follows `SELECT` for the ids of rows that have it, which are few.
    List(&'static str),
    /// A condition on a row.
    Test(&'static str),
}

pub(super) const USERS: Table = Table {
    columns: "u.id, u.source_id, u.person_id, u.remote_id, u.external_id, u.user_name, u.email, u.display_name, u.active, \
              u.scope, u.inactive_since_us, u.gone_us, u.version, u.created_us, u.modified_us, u.resource, u.pushed",
    from: " FROM source_user u",
    counted_by: "/*lite*/ INDEXED BY source_user_live/*pg */",
    source: "u.source_id",
    live: " AND u.gone_us IS NULL AND u.pushed = 1",
    id: "u.id",
    name: "u.user_key",
    term: user_term,
};

pub(super) const GROUPS: Table = Table {
    columns: "g.id, g.source_id, g.remote_id, g.external_id, g.display_name, g.member_count, g.gone_us, g.version, \
              g.created_us, g.modified_us, g.resource, g.pushed, g.assigned",
    from: " FROM source_group g",
    counted_by: "/*lite*/ INDEXED BY source_group_live/*pg */",
    source: "g.source_id",
    live: " AND g.gone_us IS NULL AND g.pushed = 1",
    id: "g.id",
    name: "g.name_key",
    term: group_term,
};

fn user_term(attribute: IndexedAttribute) -> Option<Term> {
    Some(match attribute {
        IndexedAttribute::Id => Term::List("id FROM source_user WHERE id #"),
        IndexedAttribute::ExternalId => {
            Term::List("id FROM source_user WHERE source_id = $1 AND external_id ?")
        }
        IndexedAttribute::UserName => {
            Term::List("id FROM source_user WHERE source_id = $1 AND gone_us IS NULL AND user_key ?")
        }
        IndexedAttribute::EmailValue => Term::List(
            "id FROM source_user WHERE source_id = $1 AND email ? \
             UNION ALL SELECT user_id FROM user_email WHERE email ?",
        ),
        IndexedAttribute::GroupValue => {
            Term::List("user_id FROM group_member WHERE group_id # AND sides <> 2")
        }
        IndexedAttribute::Active => Term::Test("u.active ?"),
        IndexedAttribute::Created => Term::Test("u.created_us ?"),
        IndexedAttribute::LastModified => Term::Test("u.modified_us ?"),
        IndexedAttribute::DisplayName | IndexedAttribute::MemberValue | IndexedAttribute::ManagerValue => {
            return None;
        }
    })
}

fn group_term(attribute: IndexedAttribute) -> Option<Term> {
    Some(match attribute {
        IndexedAttribute::Id => Term::List("id FROM source_group WHERE id #"),
        IndexedAttribute::ExternalId => {
            Term::List("id FROM source_group WHERE source_id = $1 AND external_id ?")
        }
        IndexedAttribute::DisplayName => {
            Term::List("id FROM source_group WHERE source_id = $1 AND gone_us IS NULL AND name_key ?")
        }
        IndexedAttribute::Created => Term::Test("g.created_us ?"),
        IndexedAttribute::LastModified => Term::Test("g.modified_us ?"),
        IndexedAttribute::MemberValue => Term::List(
            "group_id FROM group_member WHERE user_id # AND sides <> 2 \
             UNION ALL SELECT group_id FROM pending_member WHERE source_id = $1 AND value ?",
        ),
        _ => return None,
    })
}

/// The statement for a part of what a selection finds; `None` when nothing can be found.
pub(super) fn select(table: &Table, selection: Selection<'_>, part: Part) -> Option<Statement> {
    let condition = Condition::of(table, selection.lookup);
    let lists = condition.lists();
    let is_along_ids = lists.is_none() && selection.order == Order::Id;
    let mut query = Writer::new(table, selection.source);
    query.text(&["SELECT ", table.columns, table.from, " WHERE "]);
    match is_along_ids {
        false => query.text(&[table.source, " = $1"]),
        true => query.text(&[
            "/*lite*/",
            table.source,
            " = $1/*pg ",
            table.source,
            " = ANY (ARRAY[CAST($1 AS BIGINT)])*/",
        ]),
    }
    if let Some(after) = part.after {
        query.text(&[" AND ", table.id, " > "]);
        query.value(Value::Uuid(after));
    }
    query.conditions(&condition, lists.as_deref())?;
    query.text(&[" ORDER BY "]);
    match (selection.order, lists.is_some()) {
        (Order::Id, true) => query.text(&[table.id]),
        // To PostgreSQL, which sees no equality in a list of one, this order is the one of the index of the source's live
        // rows. For that of ids alone it would take the primary key, and pass over the rows of other sources.
        (Order::Id, false) => query.text(&["/*pg ", table.source, ", */", table.id]),
        (Order::Name { descending }, is_listed) => {
            let plus = if is_listed { NO_INDEX } else { "" };
            let direction = if descending { " DESC, " } else { ", " };
            query.text(&[plus, table.name, direction, table.id]);
        }
    }
    query.text(&[" LIMIT "]);
    query.value(bound(part.limit));
    if part.offset > 0 {
        query.text(&[" OFFSET "]);
        query.value(bound(part.offset));
    }
    Some(query.statement)
}

/// The statement that counts what a lookup finds; `None` when nothing can be found.
pub(super) fn count(table: &Table, source: SourceKey, lookup: &Lookup) -> Option<Statement> {
    let condition = Condition::of(table, lookup);
    let mut query = Writer::new(table, source);
    query.text(&["SELECT ", "count(*)", table.from]);
    if matches!(condition, Condition::All) {
        query.text(&[table.counted_by]);
    }
    query.text(&[" WHERE ", table.source, " = $1"]);
    query.conditions(&condition, condition.lists().as_deref())?;
    Some(query.statement)
}

/// Keeps SQLite from reading along an index on what follows.
const NO_INDEX: &str = "/*lite*/+/*pg */";

fn bound(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A list and what is looked for in it.
type List<'l> = (&'static str, &'l IndexedTerm);

/// A lookup as a table can answer it: `Nothing` and `All` stand alone, never among others.
enum Condition<'l> {
    Nothing,
    All,
    List(List<'l>),
    Test(&'static str, &'l IndexedTerm),
    And(Vec<Self>),
    Or(Vec<Self>),
}

impl<'l> Condition<'l> {
    fn of(table: &Table, lookup: &'l Lookup) -> Self {
        match lookup {
            Lookup::Nothing => Self::Nothing,
            Lookup::All => Self::All,
            Lookup::Indexed(term) => match (table.term)(term.attribute) {
                Some(Term::List(text)) => Self::List((text, term)),
                Some(Term::Test(text)) => Self::Test(text, term),
                None => Self::All,
            },
            Lookup::And(parts) => {
                let mut parts: Vec<_> = parts.iter().map(|part| Self::of(table, part)).collect();
                if parts.iter().any(|part| matches!(part, Self::Nothing)) {
                    return Self::Nothing;
                }
                parts.retain(|part| !matches!(part, Self::All));
                Self::joined(parts, Self::All, Self::And)
            }
            Lookup::Or(parts) => {
                let mut parts: Vec<_> = parts.iter().map(|part| Self::of(table, part)).collect();
                if parts.iter().any(|part| matches!(part, Self::All)) {
                    return Self::All;
                }
                parts.retain(|part| !matches!(part, Self::Nothing));
                Self::joined(parts, Self::Nothing, Self::Or)
            }
        }
    }

    fn joined(mut parts: Vec<Self>, none: Self, several: fn(Vec<Self>) -> Self) -> Self {
        match (parts.pop(), parts.is_empty()) {
            (None, _) => none,
            (Some(only), true) => only,
            (Some(last), false) => {
                parts.push(last);
                several(parts)
            }
        }
    }

    /// The lists that together have every row that can match, if there are such; the cheapest of several choices.
    fn lists(&self) -> Option<Vec<List<'l>>> {
        match self {
            Self::Nothing | Self::All | Self::Test(..) => None,
            Self::List(list) => Some(vec![*list]),
            Self::And(parts) => parts
                .iter()
                .filter_map(Self::lists)
                .min_by_key(|lists| weight(lists)),
            Self::Or(parts) => {
                let lists: Option<Vec<_>> = parts.iter().map(Self::lists).collect();
                lists.map(|lists| lists.concat())
            }
        }
    }

    /// Whether its lists have no row but those that match.
    fn is_lists(&self) -> bool {
        match self {
            Self::Nothing | Self::All | Self::Test(..) | Self::And(_) => false,
            Self::List(_) => true,
            Self::Or(parts) => parts.iter().all(Self::is_lists),
        }
    }
}

/// How many rows lists have, as far as their attributes tell: a group may have all users.
fn weight(lists: &[List<'_>]) -> usize {
    const GROUP: usize = 1_000;
    let of = |list: &List<'_>| match list.1.attribute {
        IndexedAttribute::GroupValue => GROUP,
        _ => 1,
    };
    lists.iter().map(of).sum()
}

/// A statement as it is written.
struct Writer<'t> {
    table: &'t Table,
    statement: Statement,
}

impl<'t> Writer<'t> {
    /// The source is the first parameter.
    fn new(table: &'t Table, source: SourceKey) -> Self {
        let statement = Statement {
            sql: String::new(),
            params: vec![source.into()],
        };
        Self { table, statement }
    }

    fn text(&mut self, parts: &[&'static str]) {
        self.statement.sql.extend(parts.iter().copied());
    }

    fn value(&mut self, value: Value) {
        self.statement.params.push(value);
        self.statement.sql.push('$');
        self.statement
            .sql
            .push_str(&self.statement.params.len().to_string());
    }

    /// What rows have to be beside being the source's; `None` when none can be so.
    fn conditions(&mut self, condition: &Condition<'_>, lists: Option<&[List<'_>]>) -> Option<()> {
        self.text(&[self.table.live]);
        if let Some(lists) = lists {
            // To PostgreSQL an array, which it can only make first: a list of many is a table to it, and it might join the
            // tables by walking along both.
            self.text(&[" AND ", self.table.id, "/*lite*/ IN (/*pg  = ANY (ARRAY(*/"]);
            self.lists(lists);
            self.text(&["/*lite*/)/*pg ))*/"]);
        }
        match condition {
            Condition::Nothing => return None,
            Condition::All => {}
            Condition::And(parts) => {
                // What the lists say is said.
                let said = |part: &&Condition<'_>| part.is_lists() && part.lists().as_deref() == lists;
                for part in parts.iter().filter(|part| !said(part)) {
                    self.text(&[" AND "]);
                    self.condition(part, lists.is_some());
                }
            }
            one if lists.is_some() && one.is_lists() => {}
            one => {
                self.text(&[" AND "]);
                self.condition(one, lists.is_some());
            }
        }
        Some(())
    }

    /// A condition on a row. No index is to be read for it where lists say already which rows are looked at.
    fn condition(&mut self, condition: &Condition<'_>, is_listed: bool) {
        let plus = if is_listed { NO_INDEX } else { "" };
        match condition {
            // They stand alone.
            Condition::Nothing | Condition::All => {}
            Condition::List(list) => {
                self.text(&[plus]);
                self.is_in(&[*list]);
            }
            Condition::Test(text, term) => {
                self.text(&[plus]);
                self.term(text, term);
            }
            Condition::And(parts) => self.all_of(parts, " AND ", is_listed),
            Condition::Or(parts) => match condition.lists().filter(|_| condition.is_lists()) {
                Some(lists) => {
                    self.text(&[plus]);
                    self.is_in(&lists);
                }
                None => self.all_of(parts, " OR ", is_listed),
            },
        }
    }

    fn all_of(&mut self, parts: &[Condition<'_>], word: &'static str, is_listed: bool) {
        for (place, part) in parts.iter().enumerate() {
            self.text(&[if place == 0 { "(" } else { word }]);
            self.condition(part, is_listed);
        }
        self.text(&[")"]);
    }

    fn is_in(&mut self, lists: &[List<'_>]) {
        self.text(&[self.table.id, " IN ("]);
        self.lists(lists);
        self.text(&[")"]);
    }

    fn lists(&mut self, lists: &[List<'_>]) {
        for (place, (text, term)) in lists.iter().enumerate() {
            self.text(&[if place == 0 {
                "SELECT "
            } else {
                " UNION ALL SELECT "
            }]);
            self.term(text, term);
        }
    }

    fn term(&mut self, text: &'static str, term: &IndexedTerm) {
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
            self.text(&[piece]);
            if let Some(value) = value {
                self.text(&[op]);
                self.value(value);
            }
        }
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

    fn active(value: bool) -> Lookup {
        equal(IndexedAttribute::Active, IndexValue::Boolean(value))
    }

    /// What stands behind the condition on live rows, and how many parameters there are.
    fn sql(table: &Table, lookup: &Lookup) -> Option<(String, usize)> {
        let selection = Selection {
            source: SourceKey(1),
            lookup,
            order: Order::Id,
        };
        let part = Part {
            after: None,
            offset: 0,
            limit: 10,
        };
        select(table, selection, part).map(|query| {
            let (_, rest) = query.sql.split_once("pushed = 1").unwrap();
            (rest.to_owned(), query.params.len())
        })
    }

    fn check(lookup: &Lookup, expected: &str, params: usize) {
        let expected = (expected.to_owned(), params);
        assert_eq!(sql(&USERS, lookup).unwrap(), expected);
    }

    #[test]
    fn every_value_is_a_parameter() {
        check(
            &text(IndexedAttribute::UserName, "x' OR 1=1 --"),
            " AND u.id/*lite*/ IN (/*pg  = ANY (ARRAY(*/SELECT id FROM source_user WHERE source_id = $1 AND gone_us IS NULL AND user_key = $2/*lite*/)/*pg ))*/ \
             ORDER BY u.id LIMIT $3",
            3,
        );
    }

    #[test]
    fn conditions_join_as_they_were_written() {
        let either = Lookup::Or(vec![active(false), text(IndexedAttribute::ExternalId, "e")]);
        check(
            &Lookup::And(vec![active(true), either]),
            " AND u.active = $2 AND (u.active = $3 OR u.id IN (SELECT id FROM source_user WHERE source_id = $1 AND \
             external_id = $4)) ORDER BY /*pg u.source_id, */u.id LIMIT $5",
            5,
        );
    }

    #[test]
    fn what_any_of_several_lists_may_hold_is_looked_for_in_one() {
        let named = text(IndexedAttribute::UserName, "a");
        let by_id = text(IndexedAttribute::Id, "nobody");
        check(
            &Lookup::Or(vec![named, by_id]),
            " AND u.id/*lite*/ IN (/*pg  = ANY (ARRAY(*/SELECT id FROM source_user WHERE source_id = $1 AND gone_us IS NULL AND user_key = $2 \
             UNION ALL SELECT id FROM source_user WHERE id = $3/*lite*/)/*pg ))*/ ORDER BY u.id LIMIT $4",
            4,
        );
    }

    #[test]
    fn the_shortest_list_comes_first_and_the_rest_is_asked_of_its_rows() {
        let member = text(IndexedAttribute::GroupValue, "g");
        let named = text(IndexedAttribute::UserName, "a");
        check(
            &Lookup::And(vec![member, active(true), named]),
            " AND u.id/*lite*/ IN (/*pg  = ANY (ARRAY(*/SELECT id FROM source_user WHERE source_id = $1 AND gone_us IS NULL AND user_key = $2/*lite*/)/*pg ))*/ \
             AND /*lite*/+/*pg */u.id IN (SELECT user_id FROM group_member WHERE group_id = $3 AND sides <> 2) \
             AND /*lite*/+/*pg */u.active = $4 ORDER BY u.id LIMIT $5",
            5,
        );
    }

    #[test]
    fn each_value_is_written_once_for_each_index_that_is_asked() {
        let (sql, params) = sql(&USERS, &text(IndexedAttribute::EmailValue, "a@b.c")).unwrap();
        assert!(
            sql.contains("email = $2 UNION ALL SELECT user_id FROM user_email WHERE email = $3/*lite*/)"),
            "{sql}"
        );
        assert_eq!(params, 4);
    }

    #[test]
    fn what_no_index_knows_finds_too_much_and_never_too_little() {
        let manager = text(IndexedAttribute::ManagerValue, "m");
        let name = text(IndexedAttribute::UserName, "a");
        let both = Lookup::And(vec![manager.clone(), name.clone()]);
        assert_eq!(sql(&USERS, &both), sql(&USERS, &name));
        check(
            &Lookup::Or(vec![name, manager]),
            " ORDER BY /*pg u.source_id, */u.id LIMIT $2",
            2,
        );
    }

    #[test]
    fn nothing_is_asked_where_nothing_can_match() {
        assert!(sql(&USERS, &Lookup::Nothing).is_none());
        assert!(count(&USERS, SourceKey(1), &Lookup::Nothing).is_none());
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
