//! Which adapters there are: a map from the configured word to a factory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AdapterError, ErrorKind, ProvisioningAdapter, RetryAdvice};

/// The `settings` table of a configured source, for its adapter to read. May hold credentials, so `Debug` shows the keys
/// alone.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(Map<String, Value>);

impl Settings {
    /// Takes a table.
    #[must_use]
    pub const fn new(table: Map<String, Value>) -> Self {
        Self(table)
    }

    /// Reads the table as an adapter's own type, which should refuse unknown fields.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] with what is wrong; never with a value, which may be a secret.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, AdapterError> {
        serde_json::from_value(Value::Object(self.0.clone())).map_err(|error| {
            AdapterError::new(
                ErrorKind::InvalidConfig,
                RetryAdvice::Never,
                "settings",
                format!(
                    "cannot read source.settings: {}",
                    without_values(&error.to_string())
                ),
            )
        })
    }
}

/// Replaces what serde quotes of a value of the wrong type or range, such as `string "…"`. Names of keys and variants,
/// which it puts into backticks, stay.
fn without_values(message: &str) -> String {
    let Some((before, after)) = message.split_once(" \"") else {
        return message.into();
    };
    match after.rfind("\", ") {
        Some(end) => format!("{before}{}", &after[end + 1..]),
        None => before.into(),
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Makes an adapter from the settings of one source. No I/O.
pub type Factory = fn(&Settings) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError>;

/// The adapters that a program knows. Each adapter crate has a `register` function that adds itself here.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Factory>,
}

impl Registry {
    /// A registry without adapters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the adapter for a kind, or puts another in its place.
    pub fn register(&mut self, kind: &'static str, factory: Factory) {
        self.factories.insert(kind, factory);
    }

    /// Every kind, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.factories.keys().copied()
    }

    /// Makes the adapter for a source of a kind.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for an unknown kind, naming the known ones, and for settings that the adapter
    /// refuses.
    pub fn build(
        &self,
        kind: &str,
        settings: &Settings,
    ) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
        let factory = self.factories.get(kind).ok_or_else(|| {
            let known = self.kinds().collect::<Vec<_>>().join(", ");
            let message = format!(
                "no adapter is of kind '{}'; use one of {known}",
                kind.escape_debug()
            );
            AdapterError::new(ErrorKind::InvalidConfig, RetryAdvice::Never, "kind", message)
        })?;
        factory(settings)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(_: &Settings) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
        Err(AdapterError::unsupported("build", "this one is never built"))
    }

    #[test]
    fn an_unknown_kind_is_answered_with_the_known_ones() {
        let mut registry = Registry::new();
        registry.register("scim", refuse);
        registry.register("entra", refuse);
        let error = registry.build("okta", &Settings::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(
            error.to_string().contains("'okta'; use one of entra, scim"),
            "{error}"
        );
    }

    #[test]
    fn settings_show_their_keys_and_never_their_values() {
        let settings: Settings = serde_json::from_str(r#"{"secret": "s3cret"}"#).unwrap();
        assert_eq!(format!("{settings:?}"), r#"{"secret"}"#);
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_repeated() {
        #[derive(Debug, Deserialize)]
        struct Flag {
            #[expect(dead_code, reason = "only reading is tested")]
            on: bool,
        }
        let settings: Settings = serde_json::from_str(r#"{"on": "s3cret\", with a comma"}"#).unwrap();
        let error = settings.read::<Flag>().unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
        assert!(error.contains("expected a boolean"), "{error}");
    }

    #[test]
    fn settings_that_do_not_fit_are_named() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        let settings: Settings = serde_json::from_str(r#"{"tenant": 1}"#).unwrap();
        let error = settings.read::<Nothing>().unwrap_err();
        assert!(error.to_string().contains("unknown field `tenant`"), "{error}");
    }
}
