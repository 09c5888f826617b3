//! Where in a resource a request wants to write: paths and keys, resolved for one resource type.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::Attributes;
use crate::error::ScimError;
use crate::filter::{Filter, FilterLimits};
use crate::path::{AttrPath, Located, PatchPath};
use crate::schema::{Attribute, Kind, Mutability, ResourceType, Schema};
use crate::urn::{self, Split};

/// What a path or key names.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The resource itself.
    Resource,
    /// A whole extension, by its key.
    Extension(Cow<'static, str>),
    /// The attribute that is kept apart, or a selection of its values.
    Members {
        filter: Option<Filter>,
        sub: Option<String>,
    },
    /// An attribute, some of its values or a part of them.
    Place(Place),
    /// Something that only the server writes: `id`, `meta`, `groups`, a manager's `displayName`.
    ReadOnly(String),
    /// Something that is accepted and not kept: `password`, and `schemas`, which follows from the attributes.
    Discarded(String),
}

/// A place for values.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The key of the extension that holds the attribute.
    pub(crate) extension: Option<Cow<'static, str>>,
    pub(crate) name: Cow<'static, str>,
    pub(crate) attribute: Option<&'static Attribute>,
    /// Which values of a multi-valued attribute.
    pub(crate) filter: Option<Filter>,
    pub(crate) sub: Option<Part>,
}

/// A sub-attribute.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: Cow<'static, str>,
    pub(crate) definition: Option<&'static Attribute>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(extension) = &self.extension {
            write!(f, "{extension}:")?;
        }
        f.write_str(&self.name)?;
        if self.filter.is_some() {
            f.write_str("[…]")?;
        }
        match &self.sub {
            Some(part) => write!(f, ".{}", part.name),
            None => Ok(()),
        }
    }
}

/// Resolves the path of a PATCH operation.
///
/// # Errors
/// `invalidPath` or `invalidFilter` for a malformed path, `invalidPath` for one that cannot exist in this type.
pub(crate) fn of_path(
    resource_type: &'static ResourceType,
    text: &str,
    limits: &FilterLimits,
    value: Option<&Value>,
) -> Result<Target, ScimError> {
    match PatchPath::parse(text, limits)? {
        PatchPath::Schema(urn) => of_schema(resource_type, &urn),
        PatchPath::Attribute(path) => {
            // Nobody told us where an unknown URN ends: with an object for a value it is the extension itself.
            if let Some(uri) = &path.uri
                && !urn::is_known(uri)
                && matches!(value, Some(Value::Object(_)))
            {
                return Ok(Target::Extension(Cow::Owned(text.into())));
            }
            of_attribute(resource_type, &path, None)
        }
        PatchPath::Filtered { attr, filter, sub } => {
            of_attribute(resource_type, &AttrPath { sub, ..attr }, Some(filter))
        }
    }
}

/// Takes the object of a POST, a PUT or a PATCH without a path apart and hands every target with its value to `sink`.
///
/// Keys may be flattened as Entra ID sends them: `name.givenName`, `urn:…:User:department`, `urn:…:User:manager.value`.
pub(crate) fn expand(
    resource_type: &'static ResourceType,
    object: Attributes,
    sink: &mut impl FnMut(Target, Value) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    for (key, value) in object {
        match of_key(resource_type, &key, &value)? {
            Target::Resource => match value {
                Value::Object(inner) => {
                    let flat = inner.keys().all(|key| !urn::is_urn(key));
                    if !flat {
                        return Err(ScimError::invalid_value(
                            "a schema's object holds attributes, not other schemas",
                        ));
                    }
                    expand(resource_type, inner, sink)?;
                }
                Value::Null => {}
                _ => return Err(not_an_object(&key)),
            },
            Target::Extension(urn) => match value {
                Value::Object(inner) if !inner.is_empty() => {
                    expand_extension(resource_type, &urn, inner, sink)?;
                }
                value @ (Value::Object(_) | Value::Null) => sink(Target::Extension(urn), value)?,
                _ => return Err(not_an_object(&key)),
            },
            target => sink(target, value)?,
        }
    }
    Ok(())
}

/// The same for the object of an extension.
pub(crate) fn expand_extension(
    resource_type: &'static ResourceType,
    urn: &str,
    object: Attributes,
    sink: &mut impl FnMut(Target, Value) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    let schema = resource_type.extension(urn);
    let urn = schema.map_or_else(|| Cow::Owned(urn.into()), |schema| Cow::Borrowed(schema.id));
    for (key, value) in object {
        sink(in_extension(urn.clone(), schema, &key)?, value)?;
    }
    Ok(())
}

fn of_key(resource_type: &'static ResourceType, key: &str, value: &Value) -> Result<Target, ScimError> {
    if key.contains('[') {
        return of_path(resource_type, key, &FilterLimits::default(), Some(value));
    }
    match urn::split(key) {
        Split::Plain(name) => of_plain_key(resource_type, name),
        Split::Schema(urn) => of_schema(resource_type, urn),
        Split::Attribute { known: true, .. } => {
            of_attribute(resource_type, &AttrPath::parse(key)?, None).map_err(as_value_error)
        }
        Split::Attribute { .. } if matches!(value, Value::Object(_) | Value::Null) => {
            Ok(Target::Extension(Cow::Owned(key.into())))
        }
        Split::Attribute { urn, rest, .. } => in_extension(Cow::Owned(urn.into()), None, rest),
    }
}

fn of_plain_key(resource_type: &'static ResourceType, key: &str) -> Result<Target, ScimError> {
    if let Some(attribute) = resource_type.core_attribute(key) {
        return of_definition(resource_type, None, attribute, None, None);
    }
    match AttrPath::parse(key) {
        Ok(path) => of_attribute(resource_type, &path, None).map_err(as_value_error),
        Err(_) => Ok(Target::Place(Place {
            extension: None,
            name: Cow::Owned(key.into()),
            attribute: None,
            filter: None,
            sub: None,
        })),
    }
}

fn of_schema(resource_type: &'static ResourceType, urn: &str) -> Result<Target, ScimError> {
    if resource_type.schema.is_named(urn) {
        Ok(Target::Resource)
    } else if let Some(schema) = resource_type.extension(urn) {
        Ok(Target::Extension(Cow::Borrowed(schema.id)))
    } else if urn::is_known(urn) {
        Err(foreign(resource_type))
    } else {
        Ok(Target::Extension(Cow::Owned(urn.into())))
    }
}

fn of_attribute(
    resource_type: &'static ResourceType,
    path: &AttrPath,
    filter: Option<Filter>,
) -> Result<Target, ScimError> {
    let Some(located) = path.locate(resource_type) else {
        return Err(foreign(resource_type));
    };
    let extension = located.extension.map(|urn| match resource_type.extension(urn) {
        Some(schema) => Cow::Borrowed(schema.id),
        None => Cow::Owned(urn.into()),
    });
    match located.attribute {
        Some(attribute) => of_definition(resource_type, extension, attribute, path.sub.as_deref(), filter),
        None => Ok(Target::Place(unknown_place(extension, &located, filter))),
    }
}

fn of_definition(
    resource_type: &'static ResourceType,
    extension: Option<Cow<'static, str>>,
    attribute: &'static Attribute,
    sub: Option<&str>,
    filter: Option<Filter>,
) -> Result<Target, ScimError> {
    if extension.is_none() {
        if resource_type.is_member_attribute(attribute.name) {
            return Ok(Target::Members {
                filter,
                sub: sub.map(Into::into),
            });
        }
        if attribute.name == "schemas" {
            return Ok(Target::Discarded(attribute.name.into()));
        }
    }
    match attribute.mutability {
        Mutability::ReadOnly => return Ok(Target::ReadOnly(attribute.name.into())),
        Mutability::WriteOnly => return Ok(Target::Discarded(attribute.name.into())),
        Mutability::ReadWrite | Mutability::Immutable => {}
    }
    if (sub.is_some() || filter.is_some()) && attribute.kind != Kind::Complex {
        return Err(ScimError::invalid_path(format!(
            "'{}' has no sub-attributes",
            attribute.name
        )));
    }
    if filter.is_some() && !attribute.multi_valued {
        return Err(ScimError::invalid_path(format!(
            "'{}' has one value; brackets select among several",
            attribute.name
        )));
    }
    let sub = sub.map(|name| match attribute.sub(name) {
        Some(definition) => Part {
            name: Cow::Borrowed(definition.name),
            definition: Some(definition),
        },
        None => Part {
            name: Cow::Owned(name.into()),
            definition: None,
        },
    });
    if let Some(part) = sub
        .as_ref()
        .filter(|part| part.definition.is_some_and(Attribute::is_read_only))
    {
        return Ok(Target::ReadOnly(format!("{}.{}", attribute.name, part.name)));
    }
    Ok(Target::Place(Place {
        extension,
        name: Cow::Borrowed(attribute.name),
        attribute: Some(attribute),
        filter,
        sub,
    }))
}

fn in_extension(
    urn: Cow<'static, str>,
    schema: Option<&'static Schema>,
    key: &str,
) -> Result<Target, ScimError> {
    let (name, sub) = match key.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (key, None),
    };
    if let Some(attribute) = schema.and_then(|schema| schema.attribute(name)) {
        // Extensions hold no members, so any resource type gives the same answer.
        return of_definition(&crate::schema::USER_TYPE, Some(urn), attribute, sub, None)
            .map_err(as_value_error);
    }
    Ok(Target::Place(Place {
        extension: Some(urn),
        name: Cow::Owned(name.into()),
        attribute: None,
        filter: None,
        sub: sub.map(|sub| Part {
            name: Cow::Owned(sub.into()),
            definition: None,
        }),
    }))
}

fn unknown_place(
    extension: Option<Cow<'static, str>>,
    located: &Located<'_>,
    filter: Option<Filter>,
) -> Place {
    Place {
        extension,
        name: Cow::Owned(located.name.into()),
        attribute: None,
        filter,
        sub: located.sub.map(|sub| Part {
            name: Cow::Owned(sub.into()),
            definition: None,
        }),
    }
}

fn foreign(resource_type: &ResourceType) -> ScimError {
    ScimError::invalid_path(format!(
        "the schema belongs to another resource type than {}",
        resource_type.name
    ))
}

fn not_an_object(key: &str) -> ScimError {
    ScimError::invalid_value(format!("the schema '{key}' takes an object with its attributes"))
}

/// In an object a wrong key is a wrong value, there being no path.
fn as_value_error(error: ScimError) -> ScimError {
    ScimError::invalid_value(error.detail)
}
