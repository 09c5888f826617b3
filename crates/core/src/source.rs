//! The name of a source.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Text that cannot name a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot name a source: use 1 to 63 lower-case letters, digits and hyphens, beginning with a letter"
)]
pub struct SourceNameError(String);

/// The name of one configured connection to an identity provider.
///
/// It is part of the SCIM root's URL. Okta refuses base URLs with an underscore, so there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SourceName(String);

impl SourceName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`SourceNameError`] says which characters a name may have.
    pub fn new(name: impl Into<String>) -> Result<Self, SourceNameError> {
        let name = name.into();
        let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 63
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if valid {
            Ok(Self(name))
        } else {
            Err(SourceNameError(name.chars().take(64).collect()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A map by names is asked with a text.
impl Borrow<str> for SourceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = SourceNameError;

    fn from_str(text: &str) -> Result<Self, SourceNameError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for SourceName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fit_for_every_identity_providers_base_url() {
        for good in ["idp", "entra-eu", "o2"] {
            assert!(SourceName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "Idp", "a_b", "2idp", "-a", "a/b", "a.b", &"x".repeat(64)] {
            assert!(SourceName::new(bad).is_err(), "{bad}");
        }
    }
}
