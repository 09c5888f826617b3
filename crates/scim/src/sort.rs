//! `sortBy` and `sortOrder` (RFC 7644 §3.4.2.3).

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use crate::Attributes;
use crate::compare::{fold, instant};
use crate::filter::get;
use crate::path::AttrPath;
use crate::schema::{Attribute, Kind, ResourceType};

/// How a list is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: AttrPath,
    /// In which direction.
    pub order: SortOrder,
}

/// A direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// Smallest first, resources without a value last.
    #[default]
    Ascending,
    /// Greatest first, resources without a value before them.
    Descending,
}

/// What a resource is sorted by. Keys of one sort are ordered as its list is; equal ones need a tie-break that never
/// changes, such as the id.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    value: Option<Comparable>,
    order: SortOrder,
}

#[derive(Debug, Clone, PartialEq)]
enum Comparable {
    Boolean(bool),
    Number(f64),
    Time(Timestamp),
    Text(String),
}

impl Sort {
    /// The key of a resource as clients see it. A multi-valued attribute counts by its primary value or else its
    /// first, a complex value by its `value`.
    pub fn key(&self, resource: &Attributes, resource_type: &ResourceType) -> SortKey {
        SortKey {
            value: self.value(resource, resource_type),
            order: self.order,
        }
    }

    fn value(&self, resource: &Attributes, resource_type: &ResourceType) -> Option<Comparable> {
        let located = self.by.locate(resource_type)?;
        let container = match located.extension {
            None => resource,
            Some(urn) => get(resource, urn, false)?.as_object()?,
        };
        let mut value = get(container, located.name, located.attribute.is_some())?;
        if let Value::Array(elements) = value {
            value = elements
                .iter()
                .find(|element| element.get("primary") == Some(&Value::Bool(true)))
                .or(elements.first())?;
        }
        if let Value::Object(parts) = value {
            value = get(parts, located.sub.unwrap_or("value"), false)?;
        }
        let definition = match located.attribute {
            Some(attribute) if attribute.kind == Kind::Complex => {
                attribute.sub(located.sub.unwrap_or("value"))
            }
            other => other,
        };
        comparable(value, definition)
    }
}

fn comparable(value: &Value, definition: Option<&Attribute>) -> Option<Comparable> {
    match value {
        Value::Bool(value) => Some(Comparable::Boolean(*value)),
        Value::Number(number) => number.as_f64().map(Comparable::Number),
        Value::String(text) => {
            if definition.is_some_and(|definition| definition.kind == Kind::DateTime)
                && let Some(time) = instant(text)
            {
                return Some(Comparable::Time(time));
            }
            let case_exact = definition.is_some_and(|definition| definition.case_exact);
            Some(Comparable::Text(if case_exact {
                text.clone()
            } else {
                fold(text).into_owned()
            }))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Eq for SortKey {}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let ascending = match (&self.value, &other.value) {
            (Some(left), Some(right)) => left.compare(right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        match self.order {
            SortOrder::Ascending => ascending,
            SortOrder::Descending => ascending.reverse(),
        }
    }
}

impl Comparable {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(left), Self::Boolean(right)) => left.cmp(right),
            (Self::Number(left), Self::Number(right)) => left.total_cmp(right),
            (Self::Time(left), Self::Time(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// Values of different types come in this order; only attributes without a schema have such.
    fn rank(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Number(_) => 1,
            Self::Time(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::USER_TYPE;

    fn sorted(by: &str, order: SortOrder, resources: &[Value]) -> Vec<u64> {
        let sort = Sort {
            by: by.parse().expect(by),
            order,
        };
        let mut keys: Vec<(SortKey, u64)> = resources
            .iter()
            .zip(0..)
            .map(|(resource, index)| {
                (
                    sort.key(resource.as_object().expect("an object"), &USER_TYPE),
                    index,
                )
            })
            .collect();
        keys.sort();
        keys.into_iter().map(|(_, index)| index).collect()
    }

    #[test]
    fn absent_values_are_last_ascending_and_first_descending() {
        let people = [json!({"userName": "b"}), json!({}), json!({"userName": "A"})];
        assert_eq!(sorted("userName", SortOrder::Ascending, &people), [2, 0, 1]);
        assert_eq!(sorted("userName", SortOrder::Descending, &people), [1, 0, 2]);
    }

    #[test]
    fn a_list_counts_by_its_primary_value() {
        let people = [
            json!({"emails": [{"value": "a"}, {"value": "z", "primary": true}]}),
            json!({"emails": [{"value": "m"}, {"value": "b"}]}),
        ];
        assert_eq!(sorted("emails", SortOrder::Ascending, &people), [1, 0]);
        assert_eq!(sorted("emails.value", SortOrder::Ascending, &people), [1, 0]);
    }

    #[test]
    fn times_sort_as_times() {
        let people = [
            json!({"meta": {"created": "2026-01-01T00:30:00+02:00"}}),
            json!({"meta": {"created": "2025-12-31T23:00:00Z"}}),
        ];
        assert_eq!(sorted("meta.created", SortOrder::Ascending, &people), [0, 1]);
    }
}
