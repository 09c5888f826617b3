//! What a storage can answer from indexes, and what is left to evaluate.

use jiff::Timestamp;

use super::evaluate::boolean;
use super::{CompareOp, CompareValue, Filter};
use crate::compare::{fold, instant};
use crate::error::ScimError;
use crate::path::{AttrPath, Located};
use crate::schema::ResourceType;

/// How to answer a filter: fetch what [`Plan::lookup`] selects, keep what [`Plan::residual`] lets through.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The resources that can match. It may select too many, never too few.
    pub lookup: Lookup,
    /// What is still to be evaluated on each of them with [`Filter::matches`]; `None` if the lookup is exact.
    pub residual: Option<Filter>,
}

/// A condition made of indexed attributes alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// No resource can match; nothing needs to be read.
    Nothing,
    /// Every resource can match.
    All,
    /// One comparison.
    Indexed(IndexedTerm),
    /// All of at least two conditions, none of them `Nothing`, `All` or `And`.
    And(Vec<Lookup>),
    /// Any of at least two conditions, none of them `Nothing`, `All` or `Or`.
    Or(Vec<Lookup>),
}

/// One comparison on an indexed attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedTerm {
    /// What is compared.
    pub attribute: IndexedAttribute,
    /// How.
    pub op: IndexOp,
    /// With what.
    pub value: IndexValue,
}

/// The attributes that a storage is expected to index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexedAttribute {
    /// `id`, exact.
    Id,
    /// `externalId`, exact.
    ExternalId,
    /// `userName`, folded.
    UserName,
    /// `displayName`, folded.
    DisplayName,
    /// Any `emails.value`, folded.
    EmailValue,
    /// Any `members.value` of a group, exact.
    MemberValue,
    /// Any `groups.value` of a user, exact.
    GroupValue,
    /// The enterprise extension's `manager.value`, exact.
    ManagerValue,
    /// `active`, where unassigned counts as true.
    Active,
    /// `meta.created`.
    Created,
    /// `meta.lastModified`.
    LastModified,
}

/// How an indexed attribute is compared. Text and booleans are only ever compared for equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexOp {
    /// Equal.
    Equal,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
}

/// What an indexed attribute is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexValue {
    /// Text, already [folded](fold) where the attribute is.
    Text(String),
    /// A boolean.
    Boolean(bool),
    /// A time.
    Time(Timestamp),
}

impl IndexedAttribute {
    /// Whether the index holds [folded](fold) text.
    pub fn is_folded(self) -> bool {
        matches!(self, Self::UserName | Self::DisplayName | Self::EmailValue)
    }

    fn is_single(self) -> bool {
        !matches!(self, Self::EmailValue | Self::MemberValue | Self::GroupValue)
    }
}

impl Filter {
    /// Plans how to find the resources of one type that match.
    ///
    /// # Errors
    /// As [`Filter::check`], which it includes.
    pub fn lookup(&self, resource_type: &ResourceType) -> Result<Plan, ScimError> {
        self.check(resource_type)?;
        Ok(plan(self, resource_type))
    }
}

impl Plan {
    const NOTHING: Self = Self {
        lookup: Lookup::Nothing,
        residual: None,
    };
    const ALL: Self = Self {
        lookup: Lookup::All,
        residual: None,
    };

    fn exact(lookup: Lookup) -> Self {
        Self {
            lookup,
            residual: None,
        }
    }

    fn scan(filter: &Filter) -> Self {
        Self {
            lookup: Lookup::All,
            residual: Some(filter.clone()),
        }
    }

    fn is_exact(&self) -> bool {
        self.residual.is_none()
    }
}

fn plan(filter: &Filter, resource_type: &ResourceType) -> Plan {
    match filter {
        Filter::And(parts) => all_of(parts, resource_type),
        Filter::Or(parts) => any_of(filter, parts, resource_type),
        Filter::Not(part) => {
            let inner = plan(part, resource_type);
            match inner.lookup {
                _ if !inner.is_exact() => Plan::scan(filter),
                Lookup::Nothing => Plan::ALL,
                Lookup::All => Plan::NOTHING,
                Lookup::Indexed(term) => negate(&term).map_or_else(|| Plan::scan(filter), Plan::exact),
                Lookup::And(_) | Lookup::Or(_) => Plan::scan(filter),
            }
        }
        Filter::Present(path) => match path.locate(resource_type) {
            None => Plan::NOTHING,
            Some(located) if always_present(&located) => Plan::ALL,
            Some(_) => Plan::scan(filter),
        },
        Filter::Compare { path, op, value } => {
            comparison(path, *op, value, resource_type).unwrap_or_else(|| Plan::scan(filter))
        }
        Filter::ValuePath { path, filter: inner } => value_path(filter, path, inner, resource_type),
    }
}

fn all_of(parts: &[Filter], resource_type: &ResourceType) -> Plan {
    let mut lookups: Vec<Lookup> = Vec::with_capacity(parts.len());
    let mut residuals = Vec::new();
    for part in parts {
        let inner = plan(part, resource_type);
        match inner.lookup {
            Lookup::Nothing => return Plan::NOTHING,
            Lookup::All => {}
            Lookup::And(more) => lookups.extend(more),
            one => lookups.push(one),
        }
        residuals.extend(inner.residual);
    }
    if contradicts(&lookups) {
        return Plan::NOTHING;
    }
    let lookup = match lookups.len() {
        0 => Lookup::All,
        1 => lookups.remove(0),
        _ => Lookup::And(lookups),
    };
    Plan {
        lookup,
        residual: (!residuals.is_empty()).then(|| Filter::and(residuals)),
    }
}

fn any_of(filter: &Filter, parts: &[Filter], resource_type: &ResourceType) -> Plan {
    let mut lookups: Vec<Lookup> = Vec::with_capacity(parts.len());
    let mut exact = true;
    let mut everything = false;
    for part in parts {
        let inner = plan(part, resource_type);
        if inner == Plan::ALL {
            return Plan::ALL;
        }
        exact &= inner.is_exact();
        match inner.lookup {
            Lookup::Nothing => {}
            Lookup::All => everything = true,
            Lookup::Or(more) => lookups.extend(more),
            one => lookups.push(one),
        }
    }
    let lookup = match lookups.len() {
        _ if everything => Lookup::All,
        0 => Lookup::Nothing,
        1 => lookups.remove(0),
        _ => Lookup::Or(lookups),
    };
    Plan {
        residual: (!exact).then(|| filter.clone()),
        lookup,
    }
}

/// Two different values for one single-valued attribute cannot both hold.
fn contradicts(lookups: &[Lookup]) -> bool {
    let equalities: Vec<&IndexedTerm> = lookups
        .iter()
        .filter_map(|lookup| match lookup {
            Lookup::Indexed(term) if term.op == IndexOp::Equal && term.attribute.is_single() => Some(term),
            _ => None,
        })
        .collect();
    equalities.iter().enumerate().any(|(index, term)| {
        equalities[..index]
            .iter()
            .any(|other| other.attribute == term.attribute && other.value != term.value)
    })
}

fn negate(term: &IndexedTerm) -> Option<Lookup> {
    match term.value {
        IndexValue::Boolean(value) => Some(Lookup::Indexed(IndexedTerm {
            value: IndexValue::Boolean(!value),
            ..*term
        })),
        IndexValue::Text(_) | IndexValue::Time(_) => None,
    }
}

/// `None` if only evaluation can tell.
fn comparison(
    path: &AttrPath,
    op: CompareOp,
    value: &CompareValue,
    resource_type: &ResourceType,
) -> Option<Plan> {
    let equal = op == CompareOp::Equal;
    let Some(located) = path.locate(resource_type) else {
        // The attribute belongs to other resources, so it is absent here.
        let holds = match value {
            CompareValue::Null => equal,
            _ => op == CompareOp::NotEqual,
        };
        return Some(if holds { Plan::ALL } else { Plan::NOTHING });
    };
    if *value == CompareValue::Null {
        return always_present(&located).then_some(if equal { Plan::NOTHING } else { Plan::ALL });
    }
    if located.attribute.is_some() && located.name == "meta" && located.sub == Some("resourceType") {
        let same = text(value) == resource_type.name;
        return match op {
            CompareOp::Equal => Some(if same { Plan::ALL } else { Plan::NOTHING }),
            CompareOp::NotEqual => Some(if same { Plan::NOTHING } else { Plan::ALL }),
            _ => None,
        };
    }
    let attribute = indexed(&located)?;
    let term = match attribute {
        IndexedAttribute::Created | IndexedAttribute::LastModified => {
            let value = IndexValue::Time(instant(&text(value))?);
            IndexedTerm {
                attribute,
                op: index_op(op)?,
                value,
            }
        }
        IndexedAttribute::Active => {
            let value = boolean(&text(value))?;
            let value = match op {
                CompareOp::Equal => value,
                CompareOp::NotEqual => !value,
                _ => return None,
            };
            IndexedTerm {
                attribute,
                op: IndexOp::Equal,
                value: IndexValue::Boolean(value),
            }
        }
        _ if equal => IndexedTerm {
            attribute,
            op: IndexOp::Equal,
            value: index_text(attribute, value),
        },
        _ => return None,
    };
    Some(Plan::exact(Lookup::Indexed(term)))
}

fn value_path(filter: &Filter, path: &AttrPath, inner: &Filter, resource_type: &ResourceType) -> Plan {
    let Some(located) = path.locate(resource_type) else {
        return Plan::NOTHING;
    };
    let Some(attribute) = indexed(&located).filter(|attribute| !attribute.is_single()) else {
        return Plan::scan(filter);
    };
    let term = |part: &Filter| match part {
        Filter::Compare {
            path,
            op: CompareOp::Equal,
            value,
        } if path.name.eq_ignore_ascii_case("value") && *value != CompareValue::Null => {
            let value = index_text(attribute, value);
            Some(Lookup::Indexed(IndexedTerm {
                attribute,
                op: IndexOp::Equal,
                value,
            }))
        }
        _ => None,
    };
    match inner {
        Filter::And(parts) => match parts.iter().find_map(term) {
            Some(lookup) => Plan {
                lookup,
                residual: Some(filter.clone()),
            },
            None => Plan::scan(filter),
        },
        Filter::Or(parts) => match parts.iter().map(term).collect::<Option<Vec<_>>>() {
            Some(lookups) => Plan::exact(Lookup::Or(lookups)),
            None => Plan::scan(filter),
        },
        single => term(single).map_or_else(|| Plan::scan(filter), Plan::exact),
    }
}

fn indexed(located: &Located<'_>) -> Option<IndexedAttribute> {
    located.attribute?;
    let attribute = match (located.extension, located.name, located.sub) {
        (None, "id", None) => IndexedAttribute::Id,
        (None, "externalId", None) => IndexedAttribute::ExternalId,
        (None, "userName", None) => IndexedAttribute::UserName,
        (None, "displayName", None) => IndexedAttribute::DisplayName,
        (None, "active", None) => IndexedAttribute::Active,
        (None, "emails", None | Some("value")) => IndexedAttribute::EmailValue,
        (None, "members", None | Some("value")) => IndexedAttribute::MemberValue,
        (None, "groups", None | Some("value")) => IndexedAttribute::GroupValue,
        (Some(_), "manager", None | Some("value")) => IndexedAttribute::ManagerValue,
        (None, "meta", Some("created")) => IndexedAttribute::Created,
        (None, "meta", Some("lastModified")) => IndexedAttribute::LastModified,
        _ => return None,
    };
    Some(attribute)
}

/// Whether every resource has the attribute.
fn always_present(located: &Located<'_>) -> bool {
    let required = located.attribute.is_some_and(|attribute| attribute.required);
    let common = matches!(
        (located.name, located.sub),
        ("id" | "schemas" | "meta", None)
            | (
                "meta",
                Some("resourceType" | "created" | "lastModified" | "location")
            )
    );
    located.extension.is_none() && (required && located.sub.is_none() || common)
}

fn index_op(op: CompareOp) -> Option<IndexOp> {
    match op {
        CompareOp::Equal => Some(IndexOp::Equal),
        CompareOp::Less => Some(IndexOp::Less),
        CompareOp::LessOrEqual => Some(IndexOp::LessOrEqual),
        CompareOp::Greater => Some(IndexOp::Greater),
        CompareOp::GreaterOrEqual => Some(IndexOp::GreaterOrEqual),
        CompareOp::NotEqual | CompareOp::Contains | CompareOp::StartsWith | CompareOp::EndsWith => None,
    }
}

fn index_text(attribute: IndexedAttribute, value: &CompareValue) -> IndexValue {
    let text = text(value);
    IndexValue::Text(if attribute.is_folded() {
        fold(&text).into_owned()
    } else {
        text
    })
}

fn text(value: &CompareValue) -> String {
    match value {
        CompareValue::Null => String::new(),
        CompareValue::Boolean(value) => value.to_string(),
        CompareValue::Number(number) => number.as_str().into(),
        CompareValue::String(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;
    use crate::schema::{GROUP_TYPE, USER_TYPE};

    fn of(text: &str, resource_type: &ResourceType) -> Plan {
        text.parse::<Filter>()
            .expect(text)
            .lookup(resource_type)
            .expect(text)
    }

    fn equal(attribute: IndexedAttribute, text: &str) -> Lookup {
        Lookup::Indexed(IndexedTerm {
            attribute,
            op: IndexOp::Equal,
            value: IndexValue::Text(text.into()),
        })
    }

    #[test]
    fn what_clients_ask_for_is_answered_from_indexes_alone() {
        let cases = [
            (
                "userName eq \"Ann@Example.com\"",
                equal(IndexedAttribute::UserName, "ann@example.com"),
            ),
            (
                "externalId eq jyoung",
                equal(IndexedAttribute::ExternalId, "jyoung"),
            ),
            ("externalId eq 1e5", equal(IndexedAttribute::ExternalId, "1e5")),
            (
                "emails.value eq \"A@b.c\"",
                equal(IndexedAttribute::EmailValue, "a@b.c"),
            ),
            (
                "emails[value eq \"A@b.c\"]",
                equal(IndexedAttribute::EmailValue, "a@b.c"),
            ),
            (
                "groups.value eq \"G1\"",
                equal(IndexedAttribute::GroupValue, "G1"),
            ),
            (
                "id eq u1 and manager eq m1",
                Lookup::And(vec![
                    equal(IndexedAttribute::Id, "u1"),
                    equal(IndexedAttribute::ManagerValue, "m1"),
                ]),
            ),
        ];
        for (text, lookup) in cases {
            assert_eq!(of(text, &USER_TYPE), Plan::exact(lookup), "{text}");
        }
        assert_eq!(
            of("id eq g1 and members eq u1", &GROUP_TYPE),
            Plan::exact(Lookup::And(vec![
                equal(IndexedAttribute::Id, "g1"),
                equal(IndexedAttribute::MemberValue, "u1")
            ]))
        );
    }

    #[test]
    fn what_no_index_knows_is_left_over() {
        let plan = of(
            "userName eq \"a\" and title sw \"Dr\" and emails[type eq \"work\"].value eq \"x\"",
            &USER_TYPE,
        );
        assert_eq!(
            plan.lookup,
            Lookup::And(vec![
                equal(IndexedAttribute::UserName, "a"),
                equal(IndexedAttribute::EmailValue, "x")
            ])
        );
        assert_eq!(
            plan.residual.map(|filter| filter.to_string()).as_deref(),
            Some("title sw \"Dr\" and emails[type eq \"work\" and value eq \"x\"]")
        );
        let plan = of("userName eq \"a\" or title eq \"b\"", &USER_TYPE);
        assert_eq!(plan.lookup, Lookup::All);
        assert!(plan.residual.is_some());
    }

    #[test]
    fn what_cannot_match_reads_nothing() {
        for text in [
            "id eq \"a\" and id eq \"b\"",
            "meta.resourceType eq \"Group\"",
            "id eq null",
            "urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq \"x\"",
            "not (id pr)",
        ] {
            assert_eq!(of(text, &USER_TYPE), Plan::NOTHING, "{text}");
        }
    }

    #[test]
    fn what_always_matches_needs_no_evaluation() {
        for text in [
            "userName pr",
            "id pr or title eq \"x\"",
            "meta.resourceType eq \"User\"",
            "id ne null",
        ] {
            assert_eq!(of(text, &USER_TYPE), Plan::ALL, "{text}");
        }
    }

    #[test]
    fn active_is_compared_in_every_spelling() {
        let inactive = Plan::exact(Lookup::Indexed(IndexedTerm {
            attribute: IndexedAttribute::Active,
            op: IndexOp::Equal,
            value: IndexValue::Boolean(false),
        }));
        for text in [
            "active eq false",
            "active ne true",
            "active eq \"False\"",
            "not (active eq true)",
        ] {
            assert_eq!(of(text, &USER_TYPE), inactive, "{text}");
        }
    }

    #[test]
    fn times_are_ordered() {
        let plan = of("meta.lastModified gt \"2011-05-13T04:42:34Z\"", &USER_TYPE);
        assert!(matches!(
            plan.lookup,
            Lookup::Indexed(IndexedTerm {
                attribute: IndexedAttribute::LastModified,
                op: IndexOp::Greater,
                ..
            })
        ));
    }

    #[test]
    fn comparisons_without_meaning_are_refused() {
        for text in [
            "active gt true",
            "active eq \"maybe\"",
            "password eq \"x\"",
            "password pr",
            "meta.created gt \"soon\"",
            "x509Certificates.value gt \"a\"",
            "userName gt null",
            "emails[primary co true]",
        ] {
            let filter: Filter = text.parse().expect(text);
            let error = filter.lookup(&USER_TYPE).expect_err(text);
            assert_eq!(error.scim_type, Some(ScimType::InvalidFilter), "{text}");
        }
    }
}
