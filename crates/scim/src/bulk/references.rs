//! `bulkId:…` references: finding them, putting ids in their place, and taking them out where a cycle asks for it.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::Operation;
use crate::Attributes;
use crate::error::ScimError;
use crate::urn;

const PREFIX: &str = "bulkId:";

/// Refuses a request in which two operations have the same `bulkId`.
pub(super) fn check_unique(operations: &[Operation]) -> Result<(), ScimError> {
    let mut seen = HashSet::new();
    match operations
        .iter()
        .filter_map(|operation| operation.bulk_id.as_deref())
        .find(|id| !seen.insert(*id))
    {
        Some(_) => Err(ScimError::invalid_value(
            "a 'bulkId' is used by two operations; each needs its own",
        )),
        None => Ok(()),
    }
}

/// The `bulkId` that a text refers to.
pub(super) fn reference(text: &str) -> Option<&str> {
    let (head, bulk_id) = text.split_at_checked(PREFIX.len())?;
    (head.eq_ignore_ascii_case(PREFIX) && !bulk_id.is_empty()).then_some(bulk_id)
}

/// All `bulkId`s that an operation refers to, in its path and its data.
pub(super) fn of_operation(operation: &Operation) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(operation.id.as_deref().and_then(reference).map(str::to_owned));
    if let Some(data) = &operation.data {
        collect(data, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Puts ids in the place of references.
pub(super) fn substitute(value: &mut Value, ids: &HashMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(id) = reference(text).and_then(|bulk_id| ids.get(bulk_id)) {
                *text = id.clone();
            } else if text.contains(PREFIX) {
                *text = substitute_inside(text, ids);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| substitute(value, ids)),
        Value::Object(parts) => parts.values_mut().for_each(|value| substitute(value, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes out of the data of a POST what refers to any of `open`, and returns a PATCH body that puts it back. A value
/// of a list goes alone, anything else with its whole attribute.
pub(super) fn take_out(data: &mut Value, open: &HashSet<String>) -> Option<Value> {
    let Value::Object(attributes) = data else {
        return None;
    };
    let mut operations = Vec::new();
    take_out_of(attributes, "", open, &mut operations);
    (!operations.is_empty()).then(|| json!({ "schemas": [urn::PATCH_OP], "Operations": operations }))
}

fn take_out_of(
    attributes: &mut Attributes,
    prefix: &str,
    open: &HashSet<String>,
    operations: &mut Vec<Value>,
) {
    let keys: Vec<String> = attributes.keys().cloned().collect();
    for key in keys {
        let Some(value) = attributes.get_mut(&key) else {
            continue;
        };
        let removed = match value {
            Value::Array(values) => {
                let (out, kept): (Vec<Value>, Vec<Value>) = std::mem::take(values)
                    .into_iter()
                    .partition(|value| refers(value, open));
                *values = kept;
                if out.is_empty() {
                    None
                } else {
                    Some(Value::Array(out))
                }
            }
            Value::Object(inner) if urn::is_urn(&key) => {
                take_out_of(inner, &format!("{key}:"), open, operations);
                None
            }
            value if refers(value, open) => attributes.shift_remove(&key),
            _ => None,
        };
        if let Some(value) = removed {
            operations.push(json!({ "op": "add", "path": format!("{prefix}{key}"), "value": value }));
        }
    }
}

/// Whether a value still holds a reference.
pub(super) fn is_open(value: &Value) -> bool {
    let mut found = Vec::new();
    collect(value, &mut found);
    !found.is_empty()
}

fn refers(value: &Value, open: &HashSet<String>) -> bool {
    let mut found = Vec::new();
    collect(value, &mut found);
    found.iter().any(|bulk_id| open.contains(bulk_id))
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => match reference(text) {
            Some(bulk_id) => found.push(bulk_id.into()),
            None => found.extend(quoted(text).map(|(_, bulk_id)| bulk_id.to_owned())),
        },
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(parts) => parts.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// References in quotes inside a longer text, as in the path `members[value eq "bulkId:u1"]`, each with the offset of
/// its opening quote.
fn quoted(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices("\"bulkId:").filter_map(|(offset, opening)| {
        let rest = &text[offset + opening.len()..];
        let bulk_id = &rest[..rest.find('"')?];
        (!bulk_id.is_empty()).then_some((offset, bulk_id))
    })
}

fn substitute_inside(text: &str, ids: &HashMap<String, String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for (offset, bulk_id) in quoted(text) {
        if let Some(id) = ids.get(bulk_id) {
            result.push_str(&text[done..=offset]);
            result.push_str(id);
            done = offset + 1 + PREFIX.len() + bulk_id.len();
        }
    }
    result.push_str(&text[done..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_in_values_and_in_paths() {
        let ids = HashMap::from([("a".to_owned(), "id-a".to_owned())]);
        let mut value = json!({
            "members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}, {"value": "plain"}],
            "path": "members[value eq \"bulkId:a\" or value eq \"bulkId:b\"]",
        });
        substitute(&mut value, &ids);
        assert_eq!(
            value,
            json!({
                "members": [{"value": "id-a"}, {"value": "bulkId:b"}, {"value": "plain"}],
                "path": "members[value eq \"id-a\" or value eq \"bulkId:b\"]",
            })
        );
    }

    #[test]
    fn what_is_taken_out_can_be_put_back() {
        let mut data = json!({
            "displayName": "A",
            "members": [{"value": "bulkId:b"}, {"value": "u1"}],
            (urn::ENTERPRISE_USER): {"manager": {"value": "bulkId:b"}, "department": "x"},
        });
        let patch = take_out(&mut data, &HashSet::from(["b".to_owned()])).expect("something is open");
        assert_eq!(
            data,
            json!({"displayName": "A", "members": [{"value": "u1"}], (urn::ENTERPRISE_USER): {"department": "x"}})
        );
        assert_eq!(
            patch["Operations"],
            json!([
                {"op": "add", "path": "members", "value": [{"value": "bulkId:b"}]},
                {"op": "add", "path": format!("{}:manager", urn::ENTERPRISE_USER), "value": {"value": "bulkId:b"}},
            ])
        );
    }
}
