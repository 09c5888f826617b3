//! Evaluating a filter against a resource, and refusing comparisons that make no sense.

use serde_json::Value;

use super::{CompareOp, CompareValue, Filter};
use crate::Attributes;
use crate::compare::{instant, text_cmp, text_eq, text_test};
use crate::error::ScimError;
use crate::path::AttrPath;
use crate::schema::{Attribute, Kind, Mutability, ResourceType};

impl Filter {
    /// Refuses comparisons that no resource of this type can be asked.
    ///
    /// # Errors
    /// `invalidFilter` for an ordering on a boolean or binary attribute, a boolean or time compared with something
    /// else, and for any use of an attribute that is never shown, such as `password`.
    pub fn check(&self, resource_type: &ResourceType) -> Result<(), ScimError> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().try_for_each(|part| part.check(resource_type)),
            Self::Not(part) => part.check(resource_type),
            Self::Present(path) => check_term(path, compared(path, resource_type), None),
            Self::Compare { path, op, value } => {
                check_term(path, compared(path, resource_type), Some((*op, value)))
            }
            Self::ValuePath { path, filter } => check_element(
                filter,
                path.locate(resource_type).and_then(|found| found.attribute),
            ),
        }
    }

    /// Whether the resource satisfies the filter. A term that [`Filter::check`] refuses is not satisfied.
    ///
    /// `resource` is the resource as a client sees it, with `id`, `meta` and `schemas`; members and groups only need
    /// to be in it if the filter [mentions](Filter::mentions) them.
    pub fn matches(&self, resource: &Attributes, resource_type: &ResourceType) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches(resource, resource_type)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(resource, resource_type)),
            Self::Not(part) => !part.matches(resource, resource_type),
            Self::Present(path) => {
                values(path, resource, resource_type).is_some_and(|found| found.iter().any(is_present))
            }
            Self::Compare { path, op, value } => match values(path, resource, resource_type) {
                Some(found) => found.compare(*op, value),
                None => Found::ABSENT.compare(*op, value),
            },
            Self::ValuePath { path, filter } => {
                let Some(located) = path.locate(resource_type) else {
                    return false;
                };
                let Some(container) = container(resource, located.extension) else {
                    return false;
                };
                match get(container, located.name, located.attribute.is_some()) {
                    Some(Value::Array(elements)) => elements
                        .iter()
                        .any(|element| matches_element(filter, element, located.attribute)),
                    Some(element) => matches_element(filter, element, located.attribute),
                    None => false,
                }
            }
        }
    }
}

/// Whether one value of a multi-valued attribute satisfies a filter whose paths are its sub-attributes.
pub(crate) fn matches_element(
    filter: &Filter,
    element: &Value,
    attribute: Option<&'static Attribute>,
) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| matches_element(part, element, attribute)),
        Filter::Or(parts) => parts.iter().any(|part| matches_element(part, element, attribute)),
        Filter::Not(part) => !matches_element(part, element, attribute),
        Filter::Present(path) => element_value(path, element, attribute).iter().any(is_present),
        Filter::Compare { path, op, value } => element_value(path, element, attribute).compare(*op, value),
        Filter::ValuePath { .. } => false,
    }
}

/// Whether a value counts as present: neither null nor empty, nor made of such values alone.
pub(crate) fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(is_present),
        Value::Object(parts) => parts.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// The values that a path leads to, and the definition they follow.
struct Found<'a> {
    value: Option<&'a Value>,
    /// The sub-attribute to take of each value. Without one, a complex value stands for its `value`.
    sub: Option<&'a str>,
    definition: Option<&'static Attribute>,
}

impl<'a> Found<'a> {
    const ABSENT: Self = Self {
        value: None,
        sub: None,
        definition: None,
    };

    fn iter(&self) -> impl Iterator<Item = &'a Value> {
        let sub = self.sub;
        let known = self.definition.is_some();
        let elements = match self.value {
            Some(Value::Array(elements)) => elements.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        elements.iter().filter_map(move |element| match (sub, element) {
            (Some(sub), Value::Object(parts)) => get(parts, sub, known),
            (Some(_), _) => None,
            (None, element) => Some(element),
        })
    }

    fn compare(&self, op: CompareOp, wanted: &CompareValue) -> bool {
        match (op, wanted) {
            (CompareOp::NotEqual, _) => return !self.compare(CompareOp::Equal, wanted),
            (CompareOp::Equal, CompareValue::Null) => return !self.iter().any(is_present),
            (_, CompareValue::Null) => return false,
            _ => {}
        }
        let mut values = self.iter().map(plain).peekable();
        if values.peek().is_none()
            && let Some(assumed) = self.definition.and_then(|definition| definition.assumed)
        {
            return holds(&Value::Bool(assumed), self.definition, op, wanted);
        }
        values.any(|value| holds(value, self.definition, op, wanted))
    }
}

/// A complex value stands for its `value` (RFC 7644 §3.4.2.2).
fn plain(value: &Value) -> &Value {
    match value {
        Value::Object(parts) => parts.get("value").unwrap_or(value),
        other => other,
    }
}

fn values<'a>(
    path: &'a AttrPath,
    resource: &'a Attributes,
    resource_type: &ResourceType,
) -> Option<Found<'a>> {
    let located = path.locate(resource_type)?;
    let container = container(resource, located.extension);
    Some(Found {
        value: container.and_then(|attributes| get(attributes, located.name, located.attribute.is_some())),
        sub: located.sub,
        definition: leaf(located.attribute, located.sub),
    })
}

fn element_value<'a>(
    path: &'a AttrPath,
    element: &'a Value,
    attribute: Option<&'static Attribute>,
) -> Found<'a> {
    let definition = attribute.and_then(|attribute| attribute.sub(&path.name));
    let name = definition.map_or(path.name.as_str(), |definition| definition.name);
    let value = match element {
        Value::Object(parts) => get(parts, name, definition.is_some()),
        single if name.eq_ignore_ascii_case("value") => Some(single),
        _ => None,
    };
    Found {
        value,
        sub: path.sub.as_deref(),
        definition: definition.filter(|_| path.sub.is_none()),
    }
}

/// The definition that a comparison follows: the sub-attribute's, or that of a complex attribute's `value`.
fn leaf(attribute: Option<&'static Attribute>, sub: Option<&str>) -> Option<&'static Attribute> {
    let attribute = attribute?;
    match sub {
        Some(sub) => attribute.sub(sub),
        None if attribute.kind == Kind::Complex => attribute.sub("value"),
        None => Some(attribute),
    }
}

fn compared(path: &AttrPath, resource_type: &ResourceType) -> Option<&'static Attribute> {
    let located = path.locate(resource_type)?;
    leaf(located.attribute, located.sub)
}

fn container<'a>(resource: &'a Attributes, extension: Option<&str>) -> Option<&'a Attributes> {
    match extension {
        None => Some(resource),
        Some(urn) => get(resource, urn, false)?.as_object(),
    }
}

/// The value under a key. Keys that a schema knows are stored in canonical case; others as they were sent.
pub(crate) fn get<'a>(attributes: &'a Attributes, name: &str, canonical: bool) -> Option<&'a Value> {
    attributes.get(name).or_else(|| {
        let mut entries = (!canonical).then(|| attributes.iter())?;
        entries
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn holds(value: &Value, definition: Option<&Attribute>, op: CompareOp, wanted: &CompareValue) -> bool {
    let case_exact = definition.is_some_and(|definition| definition.case_exact);
    match (value, wanted) {
        (Value::String(text), CompareValue::String(wanted)) => {
            let is_time = definition.is_some_and(|definition| definition.kind == Kind::DateTime);
            text_holds(text, op, wanted, case_exact, is_time)
        }
        (Value::String(text), CompareValue::Number(wanted)) => {
            text_holds(text, op, wanted.as_str(), case_exact, false)
        }
        (Value::String(text), CompareValue::Boolean(wanted)) => text_holds(
            text,
            op,
            if *wanted { "true" } else { "false" },
            case_exact,
            false,
        ),
        (Value::Bool(value), CompareValue::Boolean(wanted)) => op == CompareOp::Equal && value == wanted,
        (Value::Bool(value), CompareValue::String(wanted)) => {
            op == CompareOp::Equal && boolean(wanted) == Some(*value)
        }
        (Value::Number(number), CompareValue::Number(wanted)) => number
            .as_f64()
            .is_some_and(|number| number_holds(number, op, wanted.value())),
        (Value::Number(number), CompareValue::String(wanted)) => {
            text_holds(&number.to_string(), op, wanted, true, false)
        }
        _ => false,
    }
}

fn text_holds(text: &str, op: CompareOp, wanted: &str, case_exact: bool, is_time: bool) -> bool {
    if is_time
        && (op.is_ordering() || op == CompareOp::Equal)
        && let (Some(left), Some(right)) = (instant(text), instant(wanted))
    {
        return ordering_holds(left.cmp(&right), op);
    }
    match op {
        CompareOp::Equal => text_eq(text, wanted, case_exact),
        CompareOp::NotEqual => !text_eq(text, wanted, case_exact),
        CompareOp::Contains => text_test(text, wanted, case_exact, |text, part| text.contains(part)),
        CompareOp::StartsWith => text_test(text, wanted, case_exact, |text, part| text.starts_with(part)),
        CompareOp::EndsWith => text_test(text, wanted, case_exact, |text, part| text.ends_with(part)),
        _ => ordering_holds(text_cmp(text, wanted, case_exact), op),
    }
}

fn number_holds(number: f64, op: CompareOp, wanted: f64) -> bool {
    number
        .partial_cmp(&wanted)
        .is_some_and(|ordering| ordering_holds(ordering, op))
}

fn ordering_holds(ordering: std::cmp::Ordering, op: CompareOp) -> bool {
    match op {
        CompareOp::Equal => ordering.is_eq(),
        CompareOp::NotEqual => ordering.is_ne(),
        CompareOp::Greater => ordering.is_gt(),
        CompareOp::GreaterOrEqual => ordering.is_ge(),
        CompareOp::Less => ordering.is_lt(),
        CompareOp::LessOrEqual => ordering.is_le(),
        CompareOp::Contains | CompareOp::StartsWith | CompareOp::EndsWith => false,
    }
}

/// A boolean written as text: Entra ID's `roles[primary eq "True"]`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn check_element(filter: &Filter, attribute: Option<&'static Attribute>) -> Result<(), ScimError> {
    let part = |path: &AttrPath| attribute.and_then(|attribute| attribute.sub(&path.name));
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().try_for_each(|part| check_element(part, attribute))
        }
        Filter::Not(inner) => check_element(inner, attribute),
        Filter::Present(path) => check_term(path, part(path), None),
        Filter::Compare { path, op, value } => check_term(path, part(path), Some((*op, value))),
        Filter::ValuePath { .. } => Err(ScimError::invalid_filter(
            "brackets inside brackets are not allowed",
        )),
    }
}

fn check_term(
    path: &AttrPath,
    definition: Option<&'static Attribute>,
    comparison: Option<(CompareOp, &CompareValue)>,
) -> Result<(), ScimError> {
    let Some(definition) = definition else {
        return Ok(());
    };
    if definition.mutability == Mutability::WriteOnly {
        return Err(ScimError::invalid_filter(format!(
            "'{path}' is never shown and cannot be compared"
        )));
    }
    let Some((op, value)) = comparison else {
        return Ok(());
    };
    let is_equality = matches!(op, CompareOp::Equal | CompareOp::NotEqual);
    if *value == CompareValue::Null {
        return if is_equality {
            Ok(())
        } else {
            Err(ScimError::invalid_filter(format!(
                "'{path} {op} null' has no meaning; null works with eq and ne"
            )))
        };
    }
    match definition.kind {
        Kind::Boolean if !is_equality => Err(ScimError::invalid_filter(format!(
            "'{path}' is a boolean; '{op}' does not work on it, eq and ne do"
        ))),
        Kind::Boolean => match value {
            CompareValue::Boolean(_) => Ok(()),
            CompareValue::String(text) if boolean(text).is_some() => Ok(()),
            _ => Err(ScimError::invalid_filter(format!(
                "'{path}' is a boolean; compare it with true or false"
            ))),
        },
        Kind::Binary if op.is_ordering() => Err(ScimError::invalid_filter(format!(
            "'{path}' is binary; '{op}' does not work on it"
        ))),
        Kind::DateTime if is_equality || op.is_ordering() => match value {
            CompareValue::String(text) if instant(text).is_some() => Ok(()),
            _ => Err(ScimError::invalid_filter(format!(
                "'{path}' is a time; compare it with text such as \"2026-01-31T08:00:00Z\""
            ))),
        },
        _ => Ok(()),
    }
}
