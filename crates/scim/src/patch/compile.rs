//! From the JSON of a PATCH request to edits and member deltas.

use std::borrow::Cow;

use serde_json::Value;

use super::edit::{Action, Edit, Part};
use super::members::MemberChanges;
use super::{Op, PatchLimits, PatchRequest};
use crate::Attributes;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::member::{self, MemberRef};
use crate::schema::{Attribute, Kind, ResourceType};
use crate::target::{self, Place, Target};
use crate::value::{self, type_name};

/// Compiles a request body.
pub(super) fn request(
    body: Value,
    resource_type: &'static ResourceType,
    limits: &PatchLimits,
) -> Result<PatchRequest, ScimError> {
    let Value::Object(mut body) = body else {
        return Err(ScimError::invalid_syntax(format!(
            "a PATCH body is an object with 'Operations', {} came",
            type_name(&body)
        )));
    };
    let operations = match take(&mut body, "Operations") {
        Some(Value::Array(operations)) => operations,
        Some(other) => {
            return Err(ScimError::invalid_syntax(format!(
                "'Operations' is an array, {} came",
                type_name(&other)
            )));
        }
        None => return Err(ScimError::invalid_syntax("a PATCH body needs 'Operations'")),
    };
    if operations.len() > limits.operations {
        return Err(ScimError::payload_too_large(format!(
            "{} operations came, at most {} are taken in one PATCH; send several",
            operations.len(),
            limits.operations
        )));
    }
    let mut compiler = Compiler {
        resource_type,
        limits,
        edits: Vec::with_capacity(operations.len()),
        members: MemberChanges::default(),
        named: 0,
        number: 0,
    };
    for (index, operation) in operations.into_iter().enumerate() {
        compiler.number = index + 1;
        compiler
            .operation(operation)
            .map_err(|error| error.within(format_args!("operation {}", index + 1)))?;
    }
    Ok(PatchRequest {
        edits: compiler.edits,
        members: compiler.members.finish(),
    })
}

struct Compiler<'a> {
    resource_type: &'static ResourceType,
    limits: &'a PatchLimits,
    edits: Vec<Edit>,
    members: MemberChanges,
    /// Members named so far.
    named: usize,
    /// The operation being compiled, counted from 1.
    number: usize,
}

impl Compiler<'_> {
    fn operation(&mut self, operation: Value) -> Result<(), ScimError> {
        let Value::Object(mut operation) = operation else {
            return Err(ScimError::invalid_syntax(format!(
                "an operation is an object with 'op', {} came",
                type_name(&operation)
            )));
        };
        let op = match take(&mut operation, "op") {
            Some(Value::String(op)) => Op::parse(&op)?,
            _ => {
                return Err(ScimError::invalid_syntax(
                    "'op' is missing; it is add, remove or replace",
                ));
            }
        };
        let path = match take(&mut operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.trim().is_empty() => None,
            Some(Value::String(path)) => Some(path),
            Some(other) => {
                return Err(ScimError::invalid_syntax(format!(
                    "'path' is a string, {} came",
                    type_name(&other)
                )));
            }
        };
        let value = take(&mut operation, "value");
        match (op, path) {
            (Op::Remove, None) => Err(ScimError::no_target("a remove needs a 'path'")),
            (_, None) => self.without_path(op, value),
            (_, Some(path)) => {
                let target = target::of_path(self.resource_type, &path, &self.limits.filter, value.as_ref())?;
                self.with_path(op, target, value)
            }
        }
    }

    /// An object of attributes: each is added or replaced by itself. Keys that only the server writes are passed
    /// over: Okta sends `id` with every rename, authentik `schemas` and `id`.
    fn without_path(&mut self, op: Op, value: Option<Value>) -> Result<(), ScimError> {
        let object = match value {
            Some(Value::Object(object)) => object,
            Some(Value::Array(mut one)) if one.len() == 1 && one[0].is_object() => match one.pop() {
                Some(Value::Object(object)) => object,
                _ => Attributes::new(),
            },
            Some(other) => {
                return Err(ScimError::invalid_value(format!(
                    "without a 'path', 'value' is an object with attributes, {} came",
                    type_name(&other)
                )));
            }
            None => {
                return Err(ScimError::invalid_value(
                    "the operation has neither 'path' nor 'value'",
                ));
            }
        };
        target::expand(self.resource_type, object, &mut |target, value| match target {
            Target::ReadOnly(_) | Target::Discarded(_) => Ok(()),
            target => self.write(op, target, value),
        })
    }

    fn with_path(&mut self, op: Op, target: Target, value: Option<Value>) -> Result<(), ScimError> {
        match (op, target, value) {
            (_, Target::ReadOnly(name), _) => Err(ScimError::mutability(format!(
                "'{name}' is written by the server alone"
            ))),
            (Op::Remove, Target::Discarded(name), _) if name == "schemas" => Err(ScimError::mutability(
                "'schemas' follows from the attributes; remove those",
            )),
            (_, Target::Discarded(_), _) => Ok(()),
            (Op::Remove, Target::Resource, _) => {
                Err(ScimError::no_target("a resource is not removed by PATCH"))
            }
            (Op::Remove, Target::Extension(urn), _) => {
                self.push(Action::RemoveExtension(urn));
                Ok(())
            }
            (Op::Remove, Target::Members { filter, sub }, value) => self.remove_members(filter, sub, value),
            (Op::Remove, Target::Place(place), value) => self.remove(place, value),
            (_, Target::Resource, value) => self.without_path(op, value),
            (_, target, Some(value)) => self.write(op, target, value),
            (_, _, None) => Err(ScimError::invalid_value("the operation has no 'value'")),
        }
    }

    /// An add or a replace.
    fn write(&mut self, op: Op, target: Target, value: Value) -> Result<(), ScimError> {
        match target {
            Target::Members { filter, sub } => self.write_members(op, filter, sub, value),
            Target::Extension(urn) => match value {
                Value::Object(object) => {
                    let resource_type = self.resource_type;
                    target::expand_extension(resource_type, &urn, object, &mut |target, value| match target {
                        Target::ReadOnly(_) | Target::Discarded(_) => Ok(()),
                        target => self.write(op, target, value),
                    })
                }
                Value::Null if op == Op::Replace => {
                    self.push(Action::RemoveExtension(urn));
                    Ok(())
                }
                Value::Null => Ok(()),
                other => Err(ScimError::invalid_value(format!(
                    "an extension takes an object with its attributes, {} came",
                    type_name(&other)
                ))),
            },
            Target::Place(place) => {
                let action = assignment(op == Op::Add, place, value)?;
                self.push(action);
                Ok(())
            }
            Target::Resource | Target::ReadOnly(_) | Target::Discarded(_) => Ok(()),
        }
    }

    fn remove(&mut self, place: Place, value: Option<Value>) -> Result<(), ScimError> {
        let whole = place.sub.is_none() && place.filter.is_none();
        if whole && place.attribute.is_some_and(|attribute| attribute.required) {
            return Err(ScimError::mutability(format!(
                "'{place}' is required and cannot be removed"
            )));
        }
        let multi_valued = place.attribute.is_none_or(|attribute| attribute.multi_valued);
        let listed = match value {
            Some(Value::Array(values)) if whole && multi_valued => values,
            Some(object @ Value::Object(_)) if whole && multi_valued => vec![object],
            _ => Vec::new(),
        };
        self.push(if listed.is_empty() {
            Action::Remove(place)
        } else {
            Action::RemoveValues(place, listed)
        });
        Ok(())
    }

    fn write_members(
        &mut self,
        op: Op,
        filter: Option<Filter>,
        sub: Option<String>,
        value: Value,
    ) -> Result<(), ScimError> {
        if let Some(sub) = sub {
            return Err(ScimError::mutability(format!(
                "'members.{sub}' cannot be changed; remove the member and add the one you mean"
            )));
        }
        if let Some(filter) = filter {
            self.count(1)?;
            self.members.add(vec![selected_member(&filter, value)?]);
            return Ok(());
        }
        let members = member::parse(value)?;
        self.count(members.len())?;
        match op {
            Op::Replace => self.members.replace_all(members),
            Op::Add | Op::Remove => self.members.add(members),
        }
        Ok(())
    }

    /// `remove` with a list of members takes those out; without a `value` it empties the group, as the RFC says; with
    /// an empty or null one it is refused, since nobody can tell which of the two was meant.
    fn remove_members(
        &mut self,
        filter: Option<Filter>,
        sub: Option<String>,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        if let Some(sub) = sub {
            return Err(ScimError::mutability(format!(
                "'members.{sub}' cannot be removed; remove the member"
            )));
        }
        match (filter, value) {
            (Some(filter), _) => match ids(&filter) {
                Some(ids) => {
                    self.count(ids.len())?;
                    self.members.remove(ids);
                }
                None => {
                    member::check_filter(&filter)?;
                    self.members.remove_where(filter);
                }
            },
            (None, None) => self.members.remove_all(),
            (None, Some(value)) => {
                let members = member::parse(value)?;
                if members.is_empty() {
                    return Err(ScimError::invalid_value(
                        "the remove names no members; list them in 'value', or leave 'value' out to remove all",
                    ));
                }
                self.count(members.len())?;
                self.members
                    .remove(members.into_iter().map(|member| member.value).collect());
            }
        }
        Ok(())
    }

    fn count(&mut self, more: usize) -> Result<(), ScimError> {
        self.named += more;
        if self.named > self.limits.members {
            return Err(ScimError::payload_too_large(format!(
                "more than {} members came in one PATCH; send several",
                self.limits.members
            )));
        }
        Ok(())
    }

    fn push(&mut self, action: Action) {
        self.edits.push(Edit {
            number: self.number,
            action,
        });
    }
}

impl Op {
    fn parse(text: &str) -> Result<Self, ScimError> {
        if text.eq_ignore_ascii_case("add") {
            Ok(Self::Add)
        } else if text.eq_ignore_ascii_case("remove") {
            Ok(Self::Remove)
        } else if text.eq_ignore_ascii_case("replace") {
            Ok(Self::Replace)
        } else {
            Err(ScimError::invalid_syntax(
                "'op' is not known; it is add, remove or replace",
            ))
        }
    }
}

/// The edit that gives `place` a value. `add` tells an add from a replace.
///
/// # Errors
/// `invalidValue` if the value does not fit, or would leave a required attribute unassigned.
pub(crate) fn assignment(add: bool, place: Place, value: Value) -> Result<Action, ScimError> {
    let Some(attribute) = place.attribute else {
        return unknown_assignment(add, place, value);
    };
    if let Some(part) = &place.sub {
        let label = place.to_string();
        let value = match part.definition {
            Some(definition) => value::canonical(definition, &label, value)?,
            None => value::unknown(value),
        };
        let parts = vec![(part.name.clone(), value)];
        return Ok(Action::Merge(place, parts));
    }
    if place.filter.is_some() {
        return element_assignment(add, place, attribute, value);
    }
    if attribute.kind == Kind::Complex && !attribute.multi_valued {
        return complex_assignment(place, value);
    }
    let blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
    match value::canonical(attribute, attribute.name, value)?
        .filter(|value| !(attribute.required && blank(value)))
    {
        Some(Value::Array(values)) if add && attribute.multi_valued => Ok(Action::Append(place, values)),
        Some(value) => Ok(Action::Set(place, value)),
        None if attribute.required => Err(ScimError::invalid_value(format!(
            "'{place}' is required and cannot be empty"
        ))),
        // Adding nothing to a list leaves the list as it is.
        None if add && attribute.multi_valued => Ok(Action::Append(place, Vec::new())),
        None => Ok(Action::Remove(place)),
    }
}

/// A complex single-valued attribute takes the parts that came and keeps the others; a part that came empty goes.
fn complex_assignment(place: Place, value: Value) -> Result<Action, ScimError> {
    let Some(attribute) = place.attribute else {
        return Ok(Action::Remove(place));
    };
    let object = match one(value) {
        Some(Value::Object(object)) => object,
        Some(other) => match value::element(attribute, attribute.name, other)? {
            Some(Value::Object(object)) => object,
            _ => return Ok(Action::Remove(place)),
        },
        None => {
            return Err(ScimError::invalid_value(format!(
                "'{place}' has one value, an array of several came"
            )));
        }
    };
    Ok(Action::Merge(place, parts_of(attribute, object)?))
}

/// Selected values of a multi-valued attribute: an add merges the parts that came, a replace leaves no others.
fn element_assignment(
    add: bool,
    place: Place,
    attribute: &'static Attribute,
    value: Value,
) -> Result<Action, ScimError> {
    let object = match one(value) {
        Some(Value::Object(object)) => object,
        Some(other) => match value::element(attribute, attribute.name, other)? {
            Some(Value::Object(object)) => object,
            _ => return Ok(Action::Remove(place)),
        },
        None => {
            return Err(ScimError::invalid_value(format!(
                "'{place}' takes one object, an array of several came"
            )));
        }
    };
    let parts = parts_of(attribute, object)?;
    if add {
        return Ok(Action::Merge(place, parts));
    }
    let kept: Attributes = parts
        .into_iter()
        .filter_map(|(name, part)| Some((name.into_owned(), part?)))
        .collect();
    Ok(if kept.is_empty() {
        Action::Remove(place)
    } else {
        Action::Set(place, Value::Object(kept))
    })
}

/// The parts of a complex value in canonical form; those that came empty have no value.
fn parts_of(attribute: &'static Attribute, object: Attributes) -> Result<Vec<Part>, ScimError> {
    let mut parts = Vec::with_capacity(object.len());
    for (key, part) in object {
        match attribute.sub(&key) {
            Some(definition) if definition.is_read_only() => {}
            Some(definition) => {
                let label = format!("{}.{}", attribute.name, definition.name);
                parts.push((
                    Cow::Borrowed(definition.name),
                    value::canonical(definition, &label, part)?,
                ));
            }
            None => parts.push((Cow::Owned(key), value::unknown(part))),
        }
    }
    Ok(parts)
}

fn unknown_assignment(add: bool, place: Place, value: Value) -> Result<Action, ScimError> {
    if let Some(part) = &place.sub {
        let parts = vec![(part.name.clone(), value::unknown(value))];
        return Ok(Action::Merge(place, parts));
    }
    if place.filter.is_some() {
        let value = one(value).ok_or_else(|| {
            ScimError::invalid_value(format!("'{place}' takes one object, an array of several came"))
        })?;
        return Ok(match value::unknown(value) {
            Some(object @ Value::Object(_)) => Action::Set(place, object),
            Some(simple) => Action::Set(
                place,
                Value::Object(Attributes::from_iter([("value".to_owned(), simple)])),
            ),
            None => Action::Remove(place),
        });
    }
    Ok(match value::unknown(value) {
        Some(value) if add => Action::Extend(place, value),
        Some(value) => Action::Set(place, value),
        None => Action::Remove(place),
    })
}

/// The member meant by an add or replace of `members[value eq "…"]`.
fn selected_member(filter: &Filter, value: Value) -> Result<MemberRef, ScimError> {
    let wanted = ids(filter).filter(|ids| ids.len() == 1);
    let mut members = member::parse(value)?;
    match (wanted.as_deref(), members.as_slice()) {
        (Some([id]), [member]) if member.value == *id => Ok(members.remove(0)),
        _ => Err(ScimError::mutability(
            "one member cannot be turned into another; remove members by filter and add them by 'path': \"members\"",
        )),
    }
}

/// The ids that a filter over members selects, if it is made of `value eq "…"` alone.
fn ids(filter: &Filter) -> Option<Vec<String>> {
    use crate::filter::{CompareOp, CompareValue};
    match filter {
        Filter::Compare {
            path,
            op: CompareOp::Equal,
            value,
        } if path.uri.is_none() && path.sub.is_none() && path.name.eq_ignore_ascii_case("value") => {
            match value {
                CompareValue::String(id) => Some(vec![id.clone()]),
                CompareValue::Number(number) => Some(vec![number.as_str().into()]),
                CompareValue::Boolean(_) | CompareValue::Null => None,
            }
        }
        Filter::Or(parts) => {
            let mut all = Vec::with_capacity(parts.len());
            for part in parts {
                all.extend(ids(part)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// The value itself, or what an array of at most one holds.
fn one(value: Value) -> Option<Value> {
    match value {
        Value::Array(mut values) if values.len() <= 1 => Some(values.pop().unwrap_or(Value::Null)),
        Value::Array(_) => None,
        other => Some(other),
    }
}

fn take(object: &mut Attributes, key: &str) -> Option<Value> {
    if let Some(value) = object.get_mut(key) {
        return Some(value.take());
    }
    object
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| value.take())
}
