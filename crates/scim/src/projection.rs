//! `attributes` and `excludedAttributes` (RFC 7644 §3.9).

use std::fmt;

use serde_json::Value;

use crate::Attributes;
use crate::error::ScimError;
use crate::path::AttrPath;
use crate::schema::{Attribute, COMMON, ResourceType, Returned};
use crate::urn;

/// Which attributes an answer shows.
///
/// `id` and `schemas` are always part of it, `password` never is. If a request gives both parameters, which the RFC
/// does not provide for, `attributes` counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Projection {
    /// All that are returned by default.
    #[default]
    Default,
    /// These alone.
    Only(Vec<AttrPath>),
    /// All that are returned by default but these.
    Except(Vec<AttrPath>),
}

impl Projection {
    /// Reads the two parameters, each a list separated by commas. An empty list counts as not given.
    ///
    /// # Errors
    /// `invalidValue` for something that is no attribute name.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        let names = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
        Self::from_names(
            &attributes.map(names).unwrap_or_default(),
            &excluded.map(names).unwrap_or_default(),
        )
    }

    /// The same from lists of names, as in a search request's body.
    ///
    /// # Errors
    /// `invalidValue` for something that is no attribute name.
    pub fn from_names(attributes: &[String], excluded: &[String]) -> Result<Self, ScimError> {
        let only = paths(attributes, "attributes")?;
        if !only.is_empty() {
            return Ok(Self::Only(only));
        }
        let except = paths(excluded, "excludedAttributes")?;
        Ok(if except.is_empty() {
            Self::Default
        } else {
            Self::Except(except)
        })
    }

    /// Whether the client asked for anything. A PATCH with either parameter is answered with a body
    /// (RFC 7644 §3.5.2).
    pub fn is_given(&self) -> bool {
        *self != Self::Default
    }

    /// Whether an answer shows the members of a group. If not, they need not be read.
    pub fn wants_members(&self) -> bool {
        self.wants("members")
    }

    /// Whether an answer shows the groups of a user. If not, they need not be read.
    pub fn wants_groups(&self) -> bool {
        self.wants("groups")
    }

    /// Whether an answer shows some part of this plain attribute that is returned by default.
    pub fn wants(&self, attribute: &str) -> bool {
        let names = |path: &AttrPath| path.name.eq_ignore_ascii_case(attribute);
        match self {
            Self::Default => true,
            Self::Only(paths) => paths.iter().any(names),
            Self::Except(paths) => !paths.iter().any(|path| names(path) && path.sub.is_none()),
        }
    }

    /// Removes from a resource what the answer does not show.
    pub fn apply(&self, resource: &mut Attributes, resource_type: &ResourceType) {
        match self {
            Self::Default => keep_default(resource, resource_type),
            Self::Only(paths) => keep_only(resource, resource_type, paths),
            Self::Except(paths) => {
                keep_default(resource, resource_type);
                for path in paths {
                    drop_path(resource, resource_type, path);
                }
            }
        }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, paths) = match self {
            Self::Default => return Ok(()),
            Self::Only(paths) => ("attributes", paths),
            Self::Except(paths) => ("excludedAttributes", paths),
        };
        f.write_str(word)?;
        for (index, path) in paths.iter().enumerate() {
            f.write_str(if index == 0 { "=" } else { "," })?;
            path.fmt(f)?;
        }
        Ok(())
    }
}

fn paths(names: &[String], parameter: &str) -> Result<Vec<AttrPath>, ScimError> {
    names
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
        .map(|name| {
            parse_name(name).map_err(|error| ScimError::invalid_value(error.detail).within(parameter))
        })
        .collect()
}

/// A name may also be the URN of a whole extension, which is stored as a path without an attribute.
fn parse_name(name: &str) -> Result<AttrPath, ScimError> {
    match urn::split(name) {
        urn::Split::Schema(schema) => Ok(AttrPath {
            uri: Some(urn::canonical(schema).map_or_else(|| schema.to_owned().into(), Into::into)),
            name: String::new(),
            sub: None,
        }),
        _ => AttrPath::parse(name),
    }
}

fn definition(resource_type: &ResourceType, key: &str) -> Option<&'static Attribute> {
    resource_type.core_attribute(key)
}

fn keep_default(resource: &mut Attributes, resource_type: &ResourceType) {
    resource.retain(|key, _| {
        let returned = definition(resource_type, key).map(|attribute| attribute.returned);
        !matches!(returned, Some(Returned::Never | Returned::Request))
    });
}

fn keep_only(resource: &mut Attributes, resource_type: &ResourceType, paths: &[AttrPath]) {
    resource.retain(|key, value| {
        if definition(resource_type, key).is_some_and(|attribute| attribute.returned == Returned::Always) {
            return true;
        }
        if definition(resource_type, key).is_some_and(|attribute| attribute.returned == Returned::Never) {
            return false;
        }
        if urn::is_urn(key) {
            keep_of_extension(key, value, resource_type, paths)
        } else {
            let wanted: Vec<&AttrPath> = paths
                .iter()
                .filter(|path| is_core(path, key, resource_type))
                .collect();
            keep_parts(value, &wanted)
        }
    });
}

/// Whether a path names the plain attribute `key`.
fn is_core(path: &AttrPath, key: &str, resource_type: &ResourceType) -> bool {
    let plain = match path.uri.as_deref() {
        None => true,
        Some(urn) => resource_type.schema.is_named(urn),
    };
    plain && (path.name.eq_ignore_ascii_case(key) || path.name.is_empty() && !is_common(key))
}

fn is_common(key: &str) -> bool {
    COMMON.iter().any(|attribute| attribute.name == key)
}

fn keep_of_extension(key: &str, value: &mut Value, resource_type: &ResourceType, paths: &[AttrPath]) -> bool {
    let mut inner: Vec<&AttrPath> = Vec::new();
    for path in paths {
        match is_in_extension(path, key, resource_type) {
            Some(true) => return true,
            Some(false) => inner.push(path),
            None => {}
        }
    }
    let Value::Object(attributes) = value else {
        return false;
    };
    attributes.retain(|name, value| {
        let wanted: Vec<&AttrPath> = inner
            .iter()
            .copied()
            .filter(|path| path.name.eq_ignore_ascii_case(name))
            .collect();
        keep_parts(value, &wanted)
    });
    !attributes.is_empty()
}

/// Whether a path names the whole extension `key` (true) or something in it (false).
fn is_in_extension(path: &AttrPath, key: &str, resource_type: &ResourceType) -> Option<bool> {
    let Some(urn) = path.uri.as_deref() else {
        let located = path.locate(resource_type)?;
        return located
            .extension
            .filter(|urn| urn.eq_ignore_ascii_case(key))
            .map(|_| false);
    };
    let same = urn.eq_ignore_ascii_case(key)
        || resource_type
            .extension(urn)
            .is_some_and(|schema| schema.id.eq_ignore_ascii_case(key));
    if same {
        return Some(path.name.is_empty());
    }
    // The URN of an unknown extension was cut at its last colon.
    let whole = key.rsplit_once(':').is_some_and(|(head, tail)| {
        head.eq_ignore_ascii_case(urn) && tail.eq_ignore_ascii_case(&path.name) && path.sub.is_none()
    });
    whole.then_some(true)
}

/// Keeps of a value what the paths to it name. Nothing is left if no path does.
fn keep_parts(value: &mut Value, wanted: &[&AttrPath]) -> bool {
    if wanted.is_empty() {
        return false;
    }
    if wanted.iter().any(|path| path.sub.is_none()) {
        return true;
    }
    let keep = |parts: &mut Attributes| {
        parts.retain(|name, _| {
            wanted.iter().any(|path| {
                path.sub
                    .as_deref()
                    .is_some_and(|sub| sub.eq_ignore_ascii_case(name))
            })
        });
        !parts.is_empty()
    };
    match value {
        Value::Object(parts) => keep(parts),
        Value::Array(elements) => {
            elements.retain_mut(|element| element.as_object_mut().is_some_and(keep));
            !elements.is_empty()
        }
        _ => false,
    }
}

fn drop_path(resource: &mut Attributes, resource_type: &ResourceType, path: &AttrPath) {
    resource.retain(|key, value| {
        if definition(resource_type, key).is_some_and(|attribute| attribute.returned == Returned::Always) {
            return true;
        }
        if !urn::is_urn(key) {
            return !is_core(path, key, resource_type) || drop_part(value, path);
        }
        match is_in_extension(path, key, resource_type) {
            Some(true) => false,
            Some(false) => {
                let Value::Object(attributes) = value else {
                    return true;
                };
                attributes
                    .retain(|name, value| !path.name.eq_ignore_ascii_case(name) || drop_part(value, path));
                !attributes.is_empty()
            }
            None => true,
        }
    });
}

/// Drops the path's part of a value and tells whether anything is left of it.
fn drop_part(value: &mut Value, path: &AttrPath) -> bool {
    let Some(sub) = path.sub.as_deref() else {
        return false;
    };
    let strip = |parts: &mut Attributes| {
        parts.retain(|name, _| !name.eq_ignore_ascii_case(sub));
        !parts.is_empty()
    };
    match value {
        Value::Object(parts) => strip(parts),
        Value::Array(elements) => {
            elements.retain_mut(|element| element.as_object_mut().is_none_or(strip));
            !elements.is_empty()
        }
        _ => true,
    }
}
