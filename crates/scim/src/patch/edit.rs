//! Applying one compiled operation to the attributes of a resource.

use std::borrow::Cow;

use serde_json::Value;

use crate::Attributes;
use crate::compare::text_eq;
use crate::error::ScimError;
use crate::filter::{CompareOp, CompareValue, Filter, matches_element};
use crate::schema::{Attribute, Kind, Mutability};
use crate::target::Place;
use crate::value::{clear_primary, element, is_primary, is_same_element};

/// One step of a PATCH.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// The operation that it came from, counted from 1.
    pub(crate) number: usize,
    pub(crate) action: Action,
}

/// What to do, with values in canonical form.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// The attribute, or each selected value of it, becomes this.
    Set(Place, Value),
    /// Values join a multi-valued attribute, unless they are there.
    Append(Place, Vec<Value>),
    /// Parts of a complex value are set, or cleared where there is no value; the other parts stay. With a filter in
    /// the place this happens to each selected value.
    Merge(Place, Vec<Part>),
    /// An attribute that no schema describes grows by this: a list by elements, an object by parts.
    Extend(Place, Value),
    /// The attribute, the selected values or the selected part of them become unassigned.
    Remove(Place),
    /// The listed values leave a multi-valued attribute.
    RemoveValues(Place, Vec<Value>),
    /// A whole extension becomes unassigned.
    RemoveExtension(Cow<'static, str>),
}

/// A sub-attribute and the value it gets, if any.
pub(crate) type Part = (Cow<'static, str>, Option<Value>);

impl Edit {
    /// Applies the edit. After an error `resource` may be half changed: it is a draft.
    pub(super) fn apply(&self, resource: &mut Attributes) -> Result<(), ScimError> {
        self.action
            .apply(resource)
            .map_err(|error| error.within(format_args!("operation {}", self.number)))
    }
}

impl Action {
    /// Applies the action. After an error `resource` may be half changed: it is a draft.
    pub(crate) fn apply(&self, resource: &mut Attributes) -> Result<(), ScimError> {
        match self {
            Self::Set(place, value) => {
                within(resource, place, true, |attributes| set(attributes, place, value))
            }
            Self::Append(place, values) => within(resource, place, !values.is_empty(), |attributes| {
                append(attributes, place, values);
                Ok(())
            }),
            Self::Merge(place, parts) => {
                let assigns = parts.iter().any(|(_, value)| value.is_some());
                within(resource, place, assigns, |attributes| {
                    merge(attributes, place, parts)
                })
            }
            Self::Extend(place, value) => within(resource, place, true, |attributes| {
                extend(attributes, &place.name, value);
                Ok(())
            }),
            Self::Remove(place) => {
                let whole_extension = unknown_extension(resource, place);
                within(resource, place, false, |attributes| {
                    remove(attributes, place);
                    Ok(())
                })?;
                if let Some(key) = whole_extension {
                    resource.shift_remove(&key);
                }
                Ok(())
            }
            Self::RemoveValues(place, values) => within(resource, place, false, |attributes| {
                remove_values(attributes, place, values);
                Ok(())
            }),
            Self::RemoveExtension(urn) => {
                if let Some(key) = stored_key(resource, urn) {
                    resource.shift_remove(&key);
                }
                Ok(())
            }
        }
    }
}

/// Runs `edit` on the object that holds the place: the resource or one of its extensions, which is made if the edit
/// assigns something and dropped if nothing is left in it. Sees to it that an immutable value stays.
fn within(
    resource: &mut Attributes,
    place: &Place,
    assigns: bool,
    edit: impl FnOnce(&mut Attributes) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    let Some(urn) = &place.extension else {
        return guarded(resource, place, edit);
    };
    let key = stored_key(resource, urn);
    if key.is_none() && !assigns {
        return Ok(());
    }
    let key = key.unwrap_or_else(|| urn.clone().into_owned());
    let extension = resource
        .entry(key.as_str())
        .or_insert_with(|| Value::Object(Attributes::new()));
    if !extension.is_object() {
        *extension = Value::Object(Attributes::new());
    }
    let Some(attributes) = extension.as_object_mut() else {
        return Ok(());
    };
    guarded(attributes, place, edit)?;
    if attributes.is_empty() {
        resource.shift_remove(&key);
    }
    Ok(())
}

fn guarded(
    attributes: &mut Attributes,
    place: &Place,
    edit: impl FnOnce(&mut Attributes) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    let immutable = place
        .attribute
        .is_some_and(|attribute| attribute.mutability == Mutability::Immutable);
    let before = immutable.then(|| attributes.get(&*place.name).cloned()).flatten();
    edit(attributes)?;
    if before.is_some() && before.as_ref() != attributes.get(&*place.name) {
        return Err(ScimError::mutability(format!(
            "'{place}' cannot be changed once it is set"
        )));
    }
    Ok(())
}

fn set(attributes: &mut Attributes, place: &Place, value: &Value) -> Result<(), ScimError> {
    let Some(filter) = &place.filter else {
        attributes.insert(stored_name(attributes, place), value.clone());
        return Ok(());
    };
    let elements = elements(attributes, place);
    let selected = select(elements, filter, place.attribute);
    let mut replacement = value.clone();
    for (name, part) in seed(filter, place.attribute).unwrap_or_default() {
        if let Value::Object(parts) = &mut replacement {
            parts.entry(name).or_insert(part);
        }
    }
    if selected.is_empty() {
        if seed(filter, place.attribute).is_none() || !matches_element(filter, &replacement, place.attribute)
        {
            return Err(no_match(place));
        }
        elements.push(replacement);
        let last = elements.len() - 1;
        settle_primary(elements, &[last]);
        return Ok(());
    }
    for &index in &selected {
        elements[index] = replacement.clone();
    }
    settle_primary(elements, &selected);
    Ok(())
}

fn append(attributes: &mut Attributes, place: &Place, values: &[Value]) {
    if values.is_empty() {
        return;
    }
    let elements = elements(attributes, place);
    let mut primary = None;
    for value in values {
        let found = elements
            .iter()
            .position(|element| is_same_element(element, value));
        match found {
            Some(index) => {
                if let (Value::Object(existing), Value::Object(parts)) = (&mut elements[index], value) {
                    for (name, part) in parts {
                        existing.insert(name.clone(), part.clone());
                    }
                }
            }
            None => elements.push(value.clone()),
        }
        if is_primary(value) {
            primary = Some(found.unwrap_or(elements.len() - 1));
        }
    }
    if let Some(index) = primary {
        clear_primary(elements, &[index]);
    }
}

fn merge(attributes: &mut Attributes, place: &Place, parts: &[Part]) -> Result<(), ScimError> {
    let multi_valued = match place.attribute {
        Some(attribute) => attribute.multi_valued,
        None => place.filter.is_some() || attributes.get(&*place.name).is_some_and(Value::is_array),
    };
    if !multi_valued {
        merge_single(attributes, place, parts);
        return Ok(());
    }
    let loses_value = parts
        .iter()
        .any(|(name, value)| name == "value" && value.is_none());
    let assigns = !loses_value && parts.iter().any(|(_, value)| value.is_some());
    if !assigns && !attributes.contains_key(&*place.name) {
        return Ok(());
    }
    let elements = elements(attributes, place);
    let selected = match &place.filter {
        Some(filter) => select(elements, filter, place.attribute),
        None => (0..elements.len()).collect(),
    };
    if selected.is_empty() && assigns {
        let seed = match &place.filter {
            Some(filter) => seed(filter, place.attribute).ok_or_else(|| no_match(place))?,
            None => Vec::new(),
        };
        let mut created: Attributes = seed.into_iter().collect();
        for (name, value) in parts {
            assign(&mut created, name, value.as_ref());
        }
        let says_nothing =
            place.attribute.is_some() && created.keys().all(|name| name == "type" || name == "primary");
        let created = Value::Object(created);
        let is_selected = |filter: &Filter| matches_element(filter, &created, place.attribute);
        if says_nothing || !place.filter.as_ref().is_none_or(is_selected) {
            return Err(no_match(place));
        }
        elements.push(created);
        let last = elements.len() - 1;
        settle_primary(elements, &[last]);
        return Ok(());
    }
    for &index in &selected {
        if let Value::Object(element) = &mut elements[index] {
            for (name, value) in parts {
                assign(element, name, value.as_ref());
            }
        }
    }
    settle_primary(elements, &selected);
    let mut index = 0;
    elements.retain(|element| {
        let gone = selected.contains(&index)
            && match element {
                Value::Object(parts) => parts.is_empty() || loses_value,
                _ => false,
            };
        index += 1;
        !gone
    });
    drop_if_empty(attributes, place);
    Ok(())
}

/// A complex single value. One that has lost its `value` is gone: an empty `manager.value` means no manager. One whose
/// `value` changed no longer has the old reference and name.
fn merge_single(attributes: &mut Attributes, place: &Place, parts: &[Part]) {
    let key = stored_name(attributes, place);
    let mut object = match attributes.get_mut(&key) {
        Some(Value::Object(object)) => std::mem::take(object),
        _ => Attributes::new(),
    };
    let given = |name: &str| parts.iter().any(|(given, _)| given == name);
    let before = object.get("value").cloned();
    for (name, value) in parts {
        assign(&mut object, name, value.as_ref());
    }
    if given("value") && before != object.get("value").cloned() {
        for dependent in ["$ref", "display", "displayName"] {
            if !given(dependent) {
                object.shift_remove(dependent);
            }
        }
    }
    if object.is_empty() || given("value") && !object.contains_key("value") {
        attributes.shift_remove(&key);
    } else {
        attributes.insert(key, Value::Object(object));
    }
}

fn extend(attributes: &mut Attributes, name: &str, value: &Value) {
    match (attributes.get_mut(name), value) {
        (Some(Value::Array(elements)), Value::Array(more)) => {
            for element in more {
                if !elements.contains(element) {
                    elements.push(element.clone());
                }
            }
        }
        (Some(Value::Array(elements)), one) => {
            if !elements.contains(one) {
                elements.push(one.clone());
            }
        }
        (Some(Value::Object(parts)), Value::Object(more)) => {
            for (name, part) in more {
                parts.insert(name.clone(), part.clone());
            }
        }
        _ => {
            attributes.insert(name.into(), value.clone());
        }
    }
}

fn remove(attributes: &mut Attributes, place: &Place) {
    let key = stored_name(attributes, place);
    let Some(value) = attributes.get_mut(&key) else {
        return;
    };
    match (&place.filter, &place.sub, value) {
        (None, None, _) => {
            attributes.shift_remove(&key);
            return;
        }
        (Some(filter), None, Value::Array(elements)) => {
            elements.retain(|element| !matches_element(filter, element, place.attribute));
        }
        (filter, Some(part), Value::Array(elements)) => {
            elements.retain_mut(|element| {
                let selected = filter
                    .as_ref()
                    .is_none_or(|filter| matches_element(filter, element, place.attribute));
                match element {
                    Value::Object(parts) if selected => {
                        parts.shift_remove(&*part.name);
                        !parts.is_empty() && part.name != "value"
                    }
                    _ => true,
                }
            });
        }
        (None, Some(part), Value::Object(parts)) => {
            parts.shift_remove(&*part.name);
            if part.name == "value" {
                parts.clear();
            }
        }
        _ => {}
    }
    drop_if_empty(attributes, place);
}

fn remove_values(attributes: &mut Attributes, place: &Place, values: &[Value]) {
    let key = stored_name(attributes, place);
    let case_exact = place
        .attribute
        .and_then(|a| a.sub("value"))
        .is_some_and(|part| part.case_exact);
    if let Some(Value::Array(elements)) = attributes.get_mut(&key) {
        elements.retain(|element| !values.iter().any(|value| is_named_by(element, value, case_exact)));
    }
    drop_if_empty(attributes, place);
}

/// Whether a `remove` that lists `listed` means `element`: the same `value`, and the same `type` if it gives one.
fn is_named_by(element: &Value, listed: &Value, case_exact: bool) -> bool {
    let text = |value: &Value, part: &str| value.get(part).and_then(Value::as_str).map(str::to_owned);
    let id = match listed {
        Value::String(text) => Some(text.clone()),
        other => text(other, "value"),
    };
    match (id, text(element, "value")) {
        (Some(id), Some(value)) => {
            text_eq(&id, &value, case_exact)
                && text(listed, "type").is_none_or(|wanted| {
                    text(element, "type").is_some_and(|found| text_eq(&wanted, &found, false))
                })
        }
        _ => element == listed,
    }
}

/// The values of a multi-valued attribute; the list is made if there is none.
fn elements<'a>(attributes: &'a mut Attributes, place: &Place) -> &'a mut Vec<Value> {
    let key = stored_name(attributes, place);
    let value = attributes.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if !value.is_array() {
        *value = Value::Array(vec![value.take()]);
    }
    match value {
        Value::Array(elements) => elements,
        _ => unreachable!("the line above made it an array"),
    }
}

fn select(elements: &[Value], filter: &Filter, attribute: Option<&'static Attribute>) -> Vec<usize> {
    let matching = |(_, element): &(usize, &Value)| matches_element(filter, element, attribute);
    elements
        .iter()
        .enumerate()
        .filter(matching)
        .map(|(index, _)| index)
        .collect()
}

/// The parts that a new element needs to satisfy `filter`; `None` unless the filter is made of `eq` alone. Entra ID
/// replaces `emails[type eq "work"].value` on users that have no work address and expects one to be made.
fn seed(filter: &Filter, attribute: Option<&'static Attribute>) -> Option<Vec<(String, Value)>> {
    match filter {
        Filter::And(parts) => {
            let mut all = Vec::with_capacity(parts.len());
            for part in parts {
                all.extend(seed(part, attribute)?);
            }
            Some(all)
        }
        Filter::Compare {
            path,
            op: CompareOp::Equal,
            value,
        } if path.uri.is_none() && path.sub.is_none() => {
            let value = match value {
                CompareValue::Null => return None,
                CompareValue::Boolean(value) => Value::Bool(*value),
                CompareValue::Number(number) => serde_json::from_str(number.as_str()).ok()?,
                CompareValue::String(text) => Value::String(text.clone()),
            };
            match attribute.and_then(|attribute| attribute.sub(&path.name)) {
                Some(part) => {
                    let value = match (part.kind, value) {
                        (Kind::String, Value::Number(number)) => Value::String(number.to_string()),
                        (_, value) => value,
                    };
                    Some(vec![(part.name.into(), element(part, part.name, value).ok()??)])
                }
                None => Some(vec![(path.name.clone(), value)]),
            }
        }
        _ => None,
    }
}

/// If one of the `touched` values is primary, it is the only one.
fn settle_primary(elements: &mut [Value], touched: &[usize]) {
    if let Some(&index) = touched.iter().find(|&&index| is_primary(&elements[index])) {
        clear_primary(elements, &[index]);
    }
}

fn assign(parts: &mut Attributes, name: &str, value: Option<&Value>) {
    match value {
        Some(value) => {
            parts.insert(name.into(), value.clone());
        }
        None => {
            parts.shift_remove(name);
        }
    }
}

fn drop_if_empty(attributes: &mut Attributes, place: &Place) {
    let key = stored_name(attributes, place);
    let empty = match attributes.get(&key) {
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(parts)) => parts.is_empty(),
        _ => false,
    };
    if empty {
        attributes.shift_remove(&key);
    }
}

/// The key under which the attribute is stored: canonical if a schema knows it, else as it was first sent.
fn stored_name(attributes: &Attributes, place: &Place) -> String {
    match place.attribute {
        Some(attribute) => attribute.name.into(),
        None => stored_key(attributes, &place.name).unwrap_or_else(|| place.name.clone().into_owned()),
    }
}

fn stored_key(attributes: &Attributes, name: &str) -> Option<String> {
    if attributes.contains_key(name) {
        return Some(name.into());
    }
    attributes
        .keys()
        .find(|key| key.eq_ignore_ascii_case(name))
        .cloned()
}

/// An unknown URN is cut at its last colon, yet it may have named a whole extension that the resource has.
fn unknown_extension(resource: &Attributes, place: &Place) -> Option<String> {
    let urn = place
        .extension
        .as_deref()
        .filter(|_| place.attribute.is_none() && place.filter.is_none())?;
    stored_key(resource, &format!("{urn}:{}", place.name))
}

fn no_match(place: &Place) -> ScimError {
    ScimError::no_target(format!(
        "no value of '{}' matches the filter, and it does not say what a new one would be",
        place.name
    ))
}
