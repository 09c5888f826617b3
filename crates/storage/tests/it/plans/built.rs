//! The statements that are put together at run time: what SCIM filters ask for, each indexed attribute with each operator,
//! alone and with others, in each order that an index has, and their counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use usher_scim::filter::lookup::{IndexOp, IndexValue, IndexedAttribute, IndexedTerm, Lookup};
use usher_storage::query::directory::{self, Order, Part, Selection, Statement};
use usher_storage::{SourceKey, Storage};
use uuid::Uuid;

use super::reach::{Plan, Reach};
use crate::world::World;

const USERS: &[IndexedAttribute] = &[
    IndexedAttribute::Id,
    IndexedAttribute::ExternalId,
    IndexedAttribute::UserName,
    IndexedAttribute::EmailValue,
    IndexedAttribute::GroupValue,
    IndexedAttribute::Active,
    IndexedAttribute::Created,
    IndexedAttribute::LastModified,
    // In no column.
    IndexedAttribute::ManagerValue,
];

const GROUPS: &[IndexedAttribute] = &[
    IndexedAttribute::Id,
    IndexedAttribute::ExternalId,
    IndexedAttribute::DisplayName,
    IndexedAttribute::MemberValue,
    IndexedAttribute::Created,
    IndexedAttribute::LastModified,
];

/// Why a statement is allowed to read what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    /// Something asked for has an index of its own: only rows that have it are read.
    ByValue,
    /// The index of the source's live rows has the order, and every row that is read is shown, up to the limit.
    InOrder,
    /// The same with a condition that no index has, such as `active`: rows are read in order until the page is full. All
    /// pages of a list together read the source once; a single one no more than what is left of the source.
    UntilFull,
    /// What changed in a span of time, by the index of times: no other row is read.
    BySpan,
    /// A time to the microsecond, which next to no row has: whichever way they are found, the page does not get full, so
    /// that what is left of the source is looked at.
    ExactTime,
    /// Everything of a source is counted along the index that has all that is asked, without a look at a row.
    CountedByIndex,
    /// A count with a condition that no index has looks at the source's rows, once for a list: later pages carry it.
    CountedByRow,
}

/// SQLite finds exact times in order or by their index, and PostgreSQL walks along ids for a span of time: either has a
/// reason that it needs no more.
const BOUNDS: [Bound; 7] = [
    Bound::ByValue,
    Bound::InOrder,
    Bound::UntilFull,
    Bound::BySpan,
    Bound::ExactTime,
    Bound::CountedByIndex,
    Bound::CountedByRow,
];

/// A way to ask for a lookup.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Page(Order, Part),
    Count,
}

/// What is wrong with the plans of statements that are put together.
pub(super) async fn complaints(world: &World, storage: &Storage) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut seen = BTreeMap::new();
    for is_users in [true, false] {
        for lookup in lookups(if is_users { USERS } else { GROUPS }) {
            for asked in ways() {
                let Some(statement) = statement(is_users, &lookup, asked) else {
                    complaints.push(format!("nothing is asked for {lookup:?}"));
                    continue;
                };
                let lines = super::plan(world, storage, &statement.sql).await.unwrap();
                let plan = match world.is_postgres() {
                    true => Plan::of_postgres(&lines),
                    false => Plan::of_sqlite(&lines),
                };
                match bound(is_users, &lookup, asked, &plan) {
                    Some(bound) => *seen.entry(bound).or_insert(0) += 1,
                    None => complaints.push(format!("{}\n{plan:?}\n{}", statement.sql, lines.join("\n"))),
                }
            }
        }
    }
    for bound in BOUNDS {
        if !seen.contains_key(&bound) && bound != world.choose(Bound::ExactTime, Bound::BySpan) {
            complaints.push(format!("nothing is {bound:?}"));
        }
    }
    complaints
}

/// The reason for what a plan reads; `None` where there is none.
fn bound(is_users: bool, lookup: &Lookup, asked: Asked, plan: &Plan) -> Option<Bound> {
    if is_by_value(is_users, lookup) {
        return (plan.reach == Reach::Rows).then_some(Bound::ByValue);
    }
    let is_all = is_all(lookup);
    match asked {
        Asked::Count if is_all => {
            (plan.reach == Reach::Source && plan.is_along_live_rows).then_some(Bound::CountedByIndex)
        }
        Asked::Count => (plan.reach <= Reach::Source).then_some(Bound::CountedByRow),
        Asked::Page(..) if plan.reach == Reach::Source && !plan.is_sorted => Some(match is_all {
            true => Bound::InOrder,
            false => Bound::UntilFull,
        }),
        Asked::Page(..) if plan.reach == Reach::Span => Some(Bound::BySpan),
        Asked::Page(..) if has_exact_time(lookup) && plan.reach < Reach::Table => Some(Bound::ExactTime),
        Asked::Page(..) => None,
    }
}

fn statement(is_users: bool, lookup: &Lookup, asked: Asked) -> Option<Statement> {
    let source = SourceKey(1);
    match (asked, is_users) {
        (Asked::Count, true) => directory::count_users_statement(source, lookup),
        (Asked::Count, false) => directory::count_groups_statement(source, lookup),
        (Asked::Page(order, part), is_users) => {
            let selection = Selection {
                source,
                lookup,
                order,
            };
            match is_users {
                true => directory::users_statement(selection, part),
                false => directory::groups_statement(selection, part),
            }
        }
    }
}

/// The first page, one after a cursor, one by index, each name order, and the count.
fn ways() -> Vec<Asked> {
    let part = |after, offset| Part {
        after,
        offset,
        limit: 100,
    };
    vec![
        Asked::Page(Order::Id, part(None, 0)),
        Asked::Page(Order::Id, part(Some(Uuid::nil()), 0)),
        Asked::Page(Order::Id, part(None, 1_000)),
        Asked::Page(Order::Name { descending: false }, part(None, 0)),
        Asked::Page(Order::Name { descending: true }, part(None, 1_000)),
        Asked::Count,
    ]
}

fn lookups(attributes: &[IndexedAttribute]) -> Vec<Lookup> {
    let terms: Vec<Lookup> = attributes.iter().flat_map(|one| terms(*one)).collect();
    let mut lookups = vec![Lookup::All];
    for (place, one) in terms.iter().enumerate() {
        for other in &terms[place..] {
            let both = || vec![one.clone(), other.clone()];
            lookups.extend([Lookup::And(both()), Lookup::Or(both())]);
        }
    }
    // As much as a filter may have.
    let many = |attribute| (0..100).map(move |_| equal(attribute));
    for attribute in attributes {
        lookups.push(Lookup::Or(many(*attribute).collect()));
        lookups.push(Lookup::And(many(*attribute).collect()));
    }
    let name = match attributes.contains(&IndexedAttribute::UserName) {
        true => IndexedAttribute::UserName,
        false => IndexedAttribute::DisplayName,
    };
    // Either half of an `or` has a value to begin with, beside conditions that have none.
    let half = |attribute| Lookup::And(vec![equal(IndexedAttribute::LastModified), equal(attribute)]);
    lookups.push(Lookup::Or(vec![half(name), half(IndexedAttribute::ExternalId)]));
    lookups.push(Lookup::Or(vec![half(name), equal(IndexedAttribute::Created)]));
    lookups.push(Lookup::And(terms.clone()));
    lookups.push(Lookup::Or(terms.clone()));
    lookups.extend(terms);
    lookups
}

/// The comparisons that an attribute is found by.
fn terms(attribute: IndexedAttribute) -> Vec<Lookup> {
    let ops: &[IndexOp] = match attribute {
        IndexedAttribute::Created | IndexedAttribute::LastModified => &[
            IndexOp::Equal,
            IndexOp::Less,
            IndexOp::LessOrEqual,
            IndexOp::Greater,
            IndexOp::GreaterOrEqual,
        ],
        _ => &[IndexOp::Equal],
    };
    ops.iter().map(|op| term(attribute, *op)).collect()
}

fn equal(attribute: IndexedAttribute) -> Lookup {
    term(attribute, IndexOp::Equal)
}

fn term(attribute: IndexedAttribute, op: IndexOp) -> Lookup {
    let value = match attribute {
        IndexedAttribute::Active => IndexValue::Boolean(false),
        IndexedAttribute::Created | IndexedAttribute::LastModified => IndexValue::Time(Timestamp::UNIX_EPOCH),
        _ => IndexValue::Text("a".into()),
    };
    Lookup::Indexed(IndexedTerm { attribute, op, value })
}

/// Whether whatever matches has one of some values that few rows have.
fn is_by_value(is_users: bool, lookup: &Lookup) -> bool {
    match lookup {
        Lookup::Nothing | Lookup::All => false,
        Lookup::Indexed(term) => match term.attribute {
            IndexedAttribute::Id | IndexedAttribute::ExternalId => true,
            IndexedAttribute::UserName | IndexedAttribute::EmailValue | IndexedAttribute::GroupValue => {
                is_users
            }
            IndexedAttribute::DisplayName | IndexedAttribute::MemberValue => !is_users,
            IndexedAttribute::ManagerValue
            | IndexedAttribute::Active
            | IndexedAttribute::Created
            | IndexedAttribute::LastModified => false,
        },
        Lookup::And(parts) => parts.iter().any(|part| is_by_value(is_users, part)),
        Lookup::Or(parts) => parts.iter().all(|part| is_by_value(is_users, part)),
    }
}

/// Whether no column says anything of what is asked for.
fn is_all(lookup: &Lookup) -> bool {
    match lookup {
        Lookup::Nothing => false,
        Lookup::All => true,
        Lookup::Indexed(term) => term.attribute == IndexedAttribute::ManagerValue,
        Lookup::And(parts) => parts.iter().all(is_all),
        Lookup::Or(parts) => parts.iter().any(is_all),
    }
}

fn has_exact_time(lookup: &Lookup) -> bool {
    match lookup {
        Lookup::Nothing | Lookup::All => false,
        Lookup::Indexed(term) => {
            let is_time = matches!(
                term.attribute,
                IndexedAttribute::Created | IndexedAttribute::LastModified
            );
            is_time && term.op == IndexOp::Equal
        }
        Lookup::And(parts) => parts.iter().any(has_exact_time),
        Lookup::Or(parts) => parts.iter().all(has_exact_time),
    }
}
