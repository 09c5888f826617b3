//! Filters (RFC 7644 §3.4.2.2): the syntax tree, printing, parsing, evaluation and a plan for storage.

mod evaluate;
pub mod lookup;
pub(crate) mod parse;

use std::fmt;
use std::str::FromStr;

use crate::error::ScimError;
use crate::path::AttrPath;

pub(crate) use evaluate::{get, is_present, matches_element};

/// A filter.
///
/// `And` and `Or` hold at least two parts, none of which is of the same kind: [`Filter::and`] and [`Filter::or`] see
/// to it, and so does the parser. A filter built that way prints as text that parses to itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All parts hold.
    And(Vec<Filter>),
    /// Some part holds.
    Or(Vec<Filter>),
    /// The part does not hold.
    Not(Box<Filter>),
    /// The attribute has a value.
    Present(AttrPath),
    /// The attribute compares so with the value.
    Compare {
        /// What is compared.
        path: AttrPath,
        /// How.
        op: CompareOp,
        /// With what.
        value: CompareValue,
    },
    /// One and the same value of a multi-valued attribute satisfies the filter: `emails[type eq "work"]`.
    ValuePath {
        /// The attribute; it has no sub-attribute.
        path: AttrPath,
        /// What the value must satisfy. Paths in it are sub-attributes.
        filter: Box<Filter>,
    },
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `eq`: equal.
    Equal,
    /// `ne`: not equal, which includes absent.
    NotEqual,
    /// `co`: contains.
    Contains,
    /// `sw`: starts with.
    StartsWith,
    /// `ew`: ends with.
    EndsWith,
    /// `gt`: greater.
    Greater,
    /// `ge`: greater or equal.
    GreaterOrEqual,
    /// `lt`: less.
    Less,
    /// `le`: less or equal.
    LessOrEqual,
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum CompareValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, as it was written.
    Number(NumberText),
    /// Text.
    String(String),
}

/// A JSON number as it was written. The text is kept because clients leave out the quotes around ids, and an id such
/// as `1e5` must not become `100000`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NumberText(String);

/// Bounds on what is parsed, so that a filter cannot be made expensive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLimits {
    /// Bytes of text.
    pub length: usize,
    /// Nested parentheses, `not` and brackets.
    pub depth: usize,
    /// Comparisons and presence tests.
    pub terms: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self {
            length: 8 * 1024,
            depth: 32,
            terms: 100,
        }
    }
}

impl Filter {
    /// Parses a filter.
    ///
    /// Wider than the RFC's grammar where clients need it: operators and `and`, `or`, `not` in any letter case, `not`
    /// with or without a space, values without quotes, and a sub-attribute behind brackets
    /// (`emails[type eq "work"].value eq "x"`, which means `emails[type eq "work" and value eq "x"]`).
    ///
    /// # Errors
    /// `invalidFilter`, with the position and what was expected there.
    pub fn parse(text: &str, limits: &FilterLimits) -> Result<Self, ScimError> {
        parse::filter(text, limits)
    }

    /// All of `parts`. Parts that are themselves `And` are taken apart; a single part stands alone.
    ///
    /// # Panics
    /// If there is no part.
    pub fn and(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        assert!(!flat.is_empty(), "a conjunction has at least one part");
        if flat.len() == 1 {
            flat.remove(0)
        } else {
            Self::And(flat)
        }
    }

    /// Any of `parts`. Parts that are themselves `Or` are taken apart; a single part stands alone.
    ///
    /// # Panics
    /// If there is no part.
    pub fn or(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        assert!(!flat.is_empty(), "a disjunction has at least one part");
        if flat.len() == 1 {
            flat.remove(0)
        } else {
            Self::Or(flat)
        }
    }

    /// `path op value`.
    pub fn compare(path: AttrPath, op: CompareOp, value: CompareValue) -> Self {
        Self::Compare { path, op, value }
    }

    /// Whether some term names this attribute, whatever the letter case. Tells a server which expensive attributes it
    /// must read before [`Filter::matches`].
    pub fn mentions(&self, attribute: &str) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.mentions(attribute)),
            Self::Not(part) => part.mentions(attribute),
            Self::Present(path) | Self::Compare { path, .. } | Self::ValuePath { path, .. } => {
                path.name.eq_ignore_ascii_case(attribute)
            }
        }
    }
}

impl FromStr for Filter {
    type Err = ScimError;

    fn from_str(text: &str) -> Result<Self, ScimError> {
        Self::parse(text, &FilterLimits::default())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(f, parts, " and ", |part| {
                matches!(part, Self::Or(_) | Self::And(_))
            }),
            Self::Or(parts) => joined(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare { path, op, value } => write!(f, "{path} {op} {value}"),
            Self::ValuePath { path, filter } => write!(f, "{path}[{filter}]"),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Filter],
    separator: &str,
    needs_parentheses: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        if needs_parentheses(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}

impl CompareOp {
    /// All operators.
    pub const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];

    /// The operator on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    /// Whether the operator asks which of two values comes first.
    pub fn is_ordering(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual
        )
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|op| op.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for CompareValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => f.write_str(number.as_str()),
            Self::String(text) => serde_json::Value::from(text.as_str()).fmt(f),
        }
    }
}

impl NumberText {
    /// Takes `text` if it is a JSON number.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str::<serde_json::Number>(text)
            .is_ok_and(|_| text.ends_with(|last: char| last.is_ascii_digit()) && !text.starts_with(' '))
            .then(|| Self(text.into()))
    }

    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its value.
    pub fn value(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl From<&str> for CompareValue {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for CompareValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}
