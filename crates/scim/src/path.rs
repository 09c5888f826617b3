//! Attribute paths and the paths of PATCH operations (RFC 7644 §3.10 and §3.5.2).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::error::ScimError;
use crate::filter::{Filter, FilterLimits, parse};
use crate::schema::{Attribute, ResourceType};
use crate::urn::{self, Split};

/// An attribute, possibly with its schema in front and a sub-attribute behind: `[URI ":"] name ["." sub]`.
///
/// Names keep the spelling they were written in; comparing them with a schema ignores letter case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// The schema, in canonical spelling where it is known.
    pub uri: Option<Cow<'static, str>>,
    /// The attribute.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

/// The `path` of a PATCH operation.
#[derive(Debug, Clone, PartialEq)]
pub enum PatchPath {
    /// `attribute`, `attribute.sub`, either with a URN in front.
    Attribute(AttrPath),
    /// A whole schema by its URN: an extension, or the core schema (which then means the resource itself).
    Schema(String),
    /// `attribute[filter]` or `attribute[filter].sub`.
    Filtered {
        /// The multi-valued attribute; it has no sub-attribute here.
        attr: AttrPath,
        /// Which of its values.
        filter: Filter,
        /// Which part of those values.
        sub: Option<String>,
    },
}

impl AttrPath {
    /// A plain attribute.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            uri: None,
            name: name.into(),
            sub: None,
        }
    }

    /// Parses a path.
    ///
    /// # Errors
    /// `invalidPath`, saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let (uri, rest) = match urn::split(text) {
            Split::Plain(rest) => (None, rest),
            Split::Schema(_) => {
                return Err(ScimError::invalid_path(
                    "the path names a schema; put a colon and an attribute behind it",
                ));
            }
            Split::Attribute { urn, rest, .. } => (Some(urn), rest),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        if !is_name(name) || sub.is_some_and(|sub| !is_name(sub)) {
            return Err(ScimError::invalid_path(
                "an attribute name starts with a letter and holds letters, digits, '-' and '_'; \
                 at most one '.' separates a sub-attribute",
            ));
        }
        Ok(Self {
            uri: uri.map(|urn| urn::canonical(urn).map_or_else(|| Cow::Owned(urn.into()), Cow::Borrowed)),
            name: name.into(),
            sub: sub.map(Into::into),
        })
    }

    /// Finds what the path means for resources of this type; `None` if it belongs to a schema of other resources.
    ///
    /// A name that the core schema lacks but an extension has is taken as the extension's: Entra ID sends `manager`
    /// without its URN.
    pub(crate) fn locate<'a>(&'a self, resource_type: &ResourceType) -> Option<Located<'a>> {
        let (extension, attribute) = match self.uri.as_deref() {
            None => match resource_type.core_attribute(&self.name) {
                Some(attribute) => (None, Some(attribute)),
                None => resource_type
                    .extensions
                    .iter()
                    .find_map(|e| Some((Some(e.schema.id), Some(e.schema.attribute(&self.name)?))))
                    .unwrap_or((None, None)),
            },
            Some(urn) if resource_type.schema.is_named(urn) => {
                (None, resource_type.core_attribute(&self.name))
            }
            Some(urn) => match resource_type.extension(urn) {
                Some(schema) => (Some(schema.id), schema.attribute(&self.name)),
                None if urn::is_known(urn) => return None,
                None => (Some(urn), None),
            },
        };
        let sub_attribute = self.sub.as_deref().and_then(|sub| attribute?.sub(sub));
        Some(Located {
            extension,
            name: attribute.map_or(self.name.as_str(), |attribute| attribute.name),
            attribute,
            sub: self
                .sub
                .as_deref()
                .map(|sub| sub_attribute.map_or(sub, |attribute| attribute.name)),
        })
    }
}

/// What a path means for one resource type. Names are canonical where the schema knows them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<'a> {
    /// The key of the extension that holds the attribute.
    pub(crate) extension: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) attribute: Option<&'static Attribute>,
    pub(crate) sub: Option<&'a str>,
}

impl FromStr for AttrPath {
    type Err = ScimError;

    fn from_str(text: &str) -> Result<Self, ScimError> {
        Self::parse(text)
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(uri) = &self.uri {
            write!(f, "{uri}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl PatchPath {
    /// Parses the `path` of a PATCH operation.
    ///
    /// # Errors
    /// `invalidPath` for the path, `invalidFilter` for the filter in it.
    pub fn parse(text: &str, limits: &FilterLimits) -> Result<Self, ScimError> {
        if text.len() > limits.length {
            return Err(ScimError::invalid_path(format!(
                "the path has {} bytes, at most {} are taken",
                text.len(),
                limits.length
            )));
        }
        let text = text.trim();
        if text.contains('[') {
            return parse::value_path(text, limits);
        }
        match urn::split(text) {
            Split::Schema(urn) => Ok(Self::Schema(urn.into())),
            // A URN that ends in a version cannot end in an attribute.
            Split::Attribute {
                known: false, rest, ..
            } if is_version(rest) => Ok(Self::Schema(text.into())),
            _ => AttrPath::parse(text).map(Self::Attribute),
        }
    }
}

impl FromStr for PatchPath {
    type Err = ScimError;

    fn from_str(text: &str) -> Result<Self, ScimError> {
        Self::parse(text, &FilterLimits::default())
    }
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(path) => path.fmt(f),
            Self::Schema(urn) => f.write_str(urn),
            Self::Filtered { attr, filter, sub } => {
                write!(f, "{attr}[{filter}]")?;
                match sub {
                    Some(sub) => write!(f, ".{sub}"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Whether `text` is an attribute name. `$ref` is one; the RFC's grammar forgets it.
pub(crate) fn is_name(text: &str) -> bool {
    let text = text.strip_prefix('$').unwrap_or(text);
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;
    use crate::schema::{GROUP_TYPE, USER_TYPE};

    fn located(text: &str) -> (Option<String>, String, Option<String>) {
        let path = AttrPath::parse(text).expect(text);
        let found = path.locate(&USER_TYPE).expect(text);
        (
            found.extension.map(Into::into),
            found.name.into(),
            found.sub.map(Into::into),
        )
    }

    #[test]
    fn names_are_found_whatever_their_letter_case() {
        let enterprise = Some(urn::ENTERPRISE_USER.to_owned());
        let cases = [
            ("USERNAME", (None, "userName", None)),
            ("name.FamilyName", (None, "name", Some("familyName"))),
            (
                "urn:ietf:params:scim:schemas:core:2.0:User:emails.Value",
                (None, "emails", Some("value")),
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:Manager.Value",
                (enterprise.clone(), "manager", Some("value")),
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department",
                (enterprise.clone(), "department", None),
            ),
            ("manager", (enterprise, "manager", None)),
            (
                "urn:example:2.0:User:tag",
                (Some("urn:example:2.0:User".to_owned()), "tag", None),
            ),
            ("shoeSize", (None, "shoeSize", None)),
        ];
        for (text, (extension, name, sub)) in cases {
            assert_eq!(
                located(text),
                (extension, name.to_owned(), sub.map(str::to_owned)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_schema_of_other_resources_is_not_found() {
        let path = AttrPath::parse("urn:ietf:params:scim:schemas:core:2.0:User:userName").expect("a path");
        assert!(path.locate(&GROUP_TYPE).is_none());
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in [
            "",
            "1abc",
            "name..familyName",
            "name.",
            ".name",
            "a b",
            "a.b.c",
            "na\u{ef}ve",
            "$",
        ] {
            let error = AttrPath::parse(text).expect_err(text);
            assert_eq!(error.scim_type, Some(ScimType::InvalidPath), "{text}");
        }
    }

    #[test]
    fn patch_paths_print_as_they_parse() {
        for text in [
            "members",
            "name.givenName",
            "members[value eq \"2819c223\"]",
            "emails[type eq \"work\" and primary eq true].value",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        ] {
            assert_eq!(text.parse::<PatchPath>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_fault_in_a_patch_path_says_which_kind_it_is() {
        let cases = [
            ("emails[type eq \"work\"", ScimType::InvalidPath),
            ("emails[type is \"work\"]", ScimType::InvalidFilter),
            ("emails[type eq \"work\"]value", ScimType::InvalidPath),
            ("emails[type eq \"work\"].", ScimType::InvalidPath),
            ("emails[]", ScimType::InvalidFilter),
            ("emails.value[type eq \"work\"]", ScimType::InvalidPath),
            ("[type eq \"work\"]", ScimType::InvalidPath),
        ];
        for (text, kind) in cases {
            assert_eq!(
                text.parse::<PatchPath>().expect_err(text).scim_type,
                Some(kind),
                "{text}"
            );
        }
    }
}
