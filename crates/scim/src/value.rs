//! Bringing a client's value into the form that its attribute's definition asks for.

use serde_json::Value;

use crate::Attributes;
use crate::error::ScimError;
use crate::filter::{get, is_present};
use crate::schema::{Attribute, Kind};

/// The canonical form of `value` for `attribute`; `None` if it means unassigned (null, `""`, `[]`, or a complex value
/// with nothing in it). `label` names the attribute in errors.
///
/// # Errors
/// `invalidValue`, with the attribute, the type it has and the type that came.
pub(crate) fn canonical(
    attribute: &Attribute,
    label: &str,
    value: Value,
) -> Result<Option<Value>, ScimError> {
    if attribute.multi_valued {
        list(attribute, label, value)
    } else {
        single(attribute, label, value)
    }
}

/// One value of `attribute`, as [`canonical`] for a single-valued one.
pub(crate) fn element(attribute: &Attribute, label: &str, value: Value) -> Result<Option<Value>, ScimError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        value if attribute.kind == Kind::Complex => complex(attribute, label, value),
        value => simple(attribute, label, value).map(Some),
    }
}

/// The name of a JSON type, for errors.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The value without parts that mean unassigned, for attributes that no schema describes.
pub(crate) fn unknown(value: Value) -> Option<Value> {
    let value = match value {
        Value::Array(values) => Value::Array(values.into_iter().filter_map(unknown).collect()),
        Value::Object(parts) => Value::Object(
            parts
                .into_iter()
                .filter_map(|(key, part)| unknown(part).map(|part| (key, part)))
                .collect(),
        ),
        other => other,
    };
    is_present(&value).then_some(value)
}

/// Keeps the first `primary: true` and makes the others false (RFC 7643 §2.4 allows one).
pub(crate) fn keep_first_primary(values: &mut [Value]) {
    let first = values.iter().position(is_primary);
    if let Some(first) = first {
        clear_primary(values, &[first]);
    }
}

/// Makes `primary` false on every value whose index is not in `except`.
pub(crate) fn clear_primary(values: &mut [Value], except: &[usize]) {
    for (index, value) in values.iter_mut().enumerate() {
        if !except.contains(&index)
            && let Some(flag @ Value::Bool(true)) = value.get_mut("primary")
        {
            *flag = Value::Bool(false);
        }
    }
}

pub(crate) fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}

fn list(attribute: &Attribute, label: &str, value: Value) -> Result<Option<Value>, ScimError> {
    let values = match value {
        Value::Array(values) => values,
        one => vec![one],
    };
    let mut elements = Vec::with_capacity(values.len());
    for value in values {
        elements.extend(element(attribute, label, value)?);
    }
    if elements.is_empty() {
        return Ok(None);
    }
    keep_first_primary(&mut elements);
    Ok(Some(Value::Array(elements)))
}

/// A single value; an array of at most one is unwrapped, since older Entra ID jobs send `[{"$ref":null,"value":x}]`.
fn single(attribute: &Attribute, label: &str, value: Value) -> Result<Option<Value>, ScimError> {
    let Value::Array(mut values) = value else {
        return element(attribute, label, value);
    };
    match (values.pop(), values.len()) {
        (None, _) => Ok(None),
        (Some(Value::Object(mut parts)), 0) if attribute.kind != Kind::Complex => {
            match parts.shift_remove("value") {
                Some(value) => element(attribute, label, value),
                None => Err(wrong_type(attribute, label, "an object")),
            }
        }
        (Some(value), 0) => element(attribute, label, value),
        (Some(_), _) => Err(ScimError::invalid_value(format!(
            "'{label}' has one value, an array of several came"
        ))),
    }
}

fn complex(attribute: &Attribute, label: &str, value: Value) -> Result<Option<Value>, ScimError> {
    let parts = match value {
        Value::Object(parts) => parts,
        value @ (Value::String(_) | Value::Bool(_) | Value::Number(_)) => {
            let Some(part) = attribute.sub("value") else {
                return Err(wrong_type(attribute, label, type_name(&value)));
            };
            let value = simple(part, label, value)?;
            return Ok(Some(Value::Object(Attributes::from_iter([(
                part.name.into(),
                value,
            )]))));
        }
        other => return Err(wrong_type(attribute, label, type_name(&other))),
    };
    let mut canonical_parts = Attributes::with_capacity(parts.len());
    for (key, part) in parts {
        match attribute.sub(&key) {
            Some(definition) if definition.is_read_only() => {}
            Some(definition) => {
                if let Some(part) = canonical(definition, &format!("{label}.{}", definition.name), part)? {
                    canonical_parts.insert(definition.name.into(), part);
                }
            }
            None => {
                if let Some(part) = unknown(part) {
                    canonical_parts.insert(key, part);
                }
            }
        }
    }
    Ok(has_content(&canonical_parts).then_some(Value::Object(canonical_parts)))
}

/// Whether a complex value says anything beyond its own labels: `{"type":"work","primary":true}` alone does not.
fn has_content(parts: &Attributes) -> bool {
    parts.keys().any(|key| key != "type" && key != "primary")
}

fn simple(attribute: &Attribute, label: &str, value: Value) -> Result<Value, ScimError> {
    let fits = match (attribute.kind, &value) {
        (Kind::String | Kind::Reference | Kind::Binary, Value::String(_)) => true,
        (Kind::Boolean, Value::Bool(_)) => true,
        (Kind::Boolean, Value::String(text)) => {
            return match text.trim() {
                yes if yes.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
                no if no.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
                _ => Err(wrong_type(attribute, label, "other text")),
            };
        }
        (Kind::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
        (Kind::Decimal, Value::Number(_)) => true,
        (Kind::DateTime, Value::String(text)) => crate::compare::instant(text).is_some(),
        _ => false,
    };
    if fits {
        Ok(value)
    } else {
        Err(wrong_type(attribute, label, type_name(&value)))
    }
}

fn wrong_type(attribute: &Attribute, label: &str, found: &str) -> ScimError {
    let expected = match attribute.kind {
        Kind::String => "a string",
        Kind::Boolean => "a boolean (true or false)",
        Kind::Decimal => "a number",
        Kind::Integer => "a whole number",
        Kind::DateTime => "a time such as \"2026-01-31T08:00:00Z\"",
        Kind::Binary => "a string in base64",
        Kind::Reference => "a string with a URI",
        Kind::Complex => "an object",
    };
    ScimError::invalid_value(format!("'{label}' takes {expected}, {found} came"))
}

/// Whether two values of a multi-valued attribute are the same one: equal, or of equal `value` and `type`.
pub(crate) fn is_same_element(left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            left.get("value").is_some()
                && left.get("value") == right.get("value")
                && get(left, "type", true) == get(right, "type", true)
        }
        _ => false,
    }
}
