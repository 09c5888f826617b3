//! Attribute definitions as data (RFC 7643 §2 and §7) and the resource types that are made of them.
//!
//! Everything here is `const`: a schema costs nothing to build and is looked up in place. A server with schemas of
//! its own declares them the same way.

mod definitions;
mod render;

pub use definitions::{COMMON, ENTERPRISE_USER, GROUP, GROUP_TYPE, USER, USER_TYPE};

use crate::urn;

/// The type of an attribute's value (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A number with a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// An `xsd:dateTime`.
    DateTime,
    /// Base64 text.
    Binary,
    /// A URI.
    Reference,
    /// An object with sub-attributes.
    Complex,
}

impl Kind {
    /// The name used in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may write an attribute, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// Only the server.
    ReadOnly,
    /// Anybody, at any time.
    ReadWrite,
    /// Once.
    Immutable,
    /// Anybody, but it is never shown.
    WriteOnly,
}

impl Mutability {
    /// The name used in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

/// When an attribute is part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// In every answer.
    Always,
    /// In no answer.
    Never,
    /// Unless excluded.
    Default,
    /// Only when asked for.
    Request,
}

impl Returned {
    /// The name used in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

/// How widely a value must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// Not at all.
    None,
    /// Within one service provider.
    Server,
    /// Everywhere.
    Global,
}

impl Uniqueness {
    /// The name used in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

/// The definition of one attribute or sub-attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// Its name in canonical case.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// Whether the value is an array.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether letter case counts in comparisons.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is shown.
    pub returned: Returned,
    /// How unique it is.
    pub uniqueness: Uniqueness,
    /// What a reference may point at.
    pub reference_types: &'static [&'static str],
    /// Suggested values.
    pub canonical_values: &'static [&'static str],
    /// Text for people.
    pub description: &'static str,
    /// The parts of a complex value.
    pub sub_attributes: &'static [Attribute],
    /// What a reader assumes when a boolean is unassigned. Not part of RFC 7643: it says that a user without
    /// `active` is active, in filters as in [`crate::user`].
    pub assumed: Option<bool>,
}

impl Attribute {
    /// An attribute of `kind` with the characteristics that RFC 7643 §2.2 gives by default.
    pub const fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name,
            kind,
            multi_valued: false,
            required: false,
            case_exact: matches!(kind, Kind::Binary | Kind::Reference),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            reference_types: &[],
            canonical_values: &[],
            description,
            sub_attributes: &[],
            assumed: None,
        }
    }

    /// Text.
    pub const fn string(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Kind::String, description)
    }

    /// A complex value with these parts.
    pub const fn complex(
        name: &'static str,
        sub_attributes: &'static [Attribute],
        description: &'static str,
    ) -> Self {
        Self {
            sub_attributes,
            ..Self::new(name, Kind::Complex, description)
        }
    }

    /// An array of complex values with these parts.
    pub const fn list(
        name: &'static str,
        sub_attributes: &'static [Attribute],
        description: &'static str,
    ) -> Self {
        Self {
            multi_valued: true,
            ..Self::complex(name, sub_attributes, description)
        }
    }

    /// A URI that points at one of `types`.
    pub const fn reference(
        name: &'static str,
        types: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        Self {
            reference_types: types,
            ..Self::new(name, Kind::Reference, description)
        }
    }

    /// The same, as an array.
    #[must_use]
    pub const fn multi(self) -> Self {
        Self {
            multi_valued: true,
            ..self
        }
    }

    /// The same, required.
    #[must_use]
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// The same, with letter case that counts.
    #[must_use]
    pub const fn case_exact(self) -> Self {
        Self {
            case_exact: true,
            ..self
        }
    }

    /// The same, with this mutability.
    #[must_use]
    pub const fn mutability(self, mutability: Mutability) -> Self {
        Self { mutability, ..self }
    }

    /// The same, shown at these times.
    #[must_use]
    pub const fn returned(self, returned: Returned) -> Self {
        Self { returned, ..self }
    }

    /// The same, unique in this scope.
    #[must_use]
    pub const fn unique(self, uniqueness: Uniqueness) -> Self {
        Self { uniqueness, ..self }
    }

    /// The same, with these suggested values.
    #[must_use]
    pub const fn suggest(self, canonical_values: &'static [&'static str]) -> Self {
        Self {
            canonical_values,
            ..self
        }
    }

    /// The same, read as `assumed` where it is unassigned.
    #[must_use]
    pub const fn assume(self, assumed: bool) -> Self {
        Self {
            assumed: Some(assumed),
            ..self
        }
    }

    /// The sub-attribute of this name, whatever its letter case.
    pub fn sub(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub_attributes, name)
    }

    /// Whether clients cannot write it.
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

/// A named set of attributes.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Its URN.
    pub id: &'static str,
    /// Older or vendor spellings of the URN that mean the same schema.
    pub aliases: &'static [&'static str],
    /// Its name.
    pub name: &'static str,
    /// Text for people.
    pub description: &'static str,
    /// What it defines.
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// The attribute of this name, whatever its letter case.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes, name)
    }

    /// Whether `urn` names this schema, by its id or an alias, whatever its letter case.
    pub fn is_named(&self, urn: &str) -> bool {
        self.id.eq_ignore_ascii_case(urn) || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(urn))
    }
}

/// An extension of a resource type.
#[derive(Debug, Clone, Copy)]
pub struct Extension {
    /// The schema it adds.
    pub schema: &'static Schema,
    /// Whether each resource must have it.
    pub required: bool,
}

/// A kind of resource: where it lives and which schemas describe it (RFC 7643 §6).
#[derive(Debug, Clone, Copy)]
pub struct ResourceType {
    /// Its id and name, such as `User`.
    pub name: &'static str,
    /// Its path below the base, such as `/Users`.
    pub endpoint: &'static str,
    /// Text for people.
    pub description: &'static str,
    /// The schema of its plain attributes.
    pub schema: &'static Schema,
    /// Extensions that it knows.
    pub extensions: &'static [Extension],
    /// A multi-valued attribute that is kept apart from the resource, because it may hold a hundred thousand values.
    /// It never appears in canonical attributes: requests yield it as [`crate::MemberRef`]s and
    /// [`crate::MemberDelta`]s.
    pub member_attribute: Option<&'static str>,
}

impl ResourceType {
    /// A plain attribute of this name: of the core schema or one that every resource has.
    pub fn core_attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.schema.attribute(name).or_else(|| find(COMMON, name))
    }

    /// The extension that `urn` names, by id or alias, whatever its letter case.
    pub fn extension(&self, urn: &str) -> Option<&'static Schema> {
        self.extensions
            .iter()
            .map(|extension| extension.schema)
            .find(|schema| schema.is_named(urn))
    }

    /// Whether `name` is the attribute kept apart from the resource.
    pub fn is_member_attribute(&self, name: &str) -> bool {
        self.member_attribute
            .is_some_and(|members| members.eq_ignore_ascii_case(name))
    }

    /// All schemas of this type: its own, then its extensions.
    pub fn schemas(&self) -> impl Iterator<Item = &'static Schema> {
        std::iter::once(self.schema).chain(self.extensions.iter().map(|extension| extension.schema))
    }

    /// The value of `schemas` for a resource with these attributes: the core URN and each extension that is present.
    pub fn schema_urns<'a>(&self, attributes: &'a crate::Attributes) -> Vec<&'a str> {
        let mut urns: Vec<&str> = vec![self.schema.id];
        urns.extend(
            attributes
                .keys()
                .map(String::as_str)
                .filter(|key| urn::is_urn(key)),
        );
        urns
    }
}

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
