#![doc = include_str!("../README.md")]

mod adapter;
mod client;
mod config;
mod read;
mod record;
mod wire;

use std::sync::Arc;

use usher_core::{AdapterError, ProvisioningAdapter, Registry, Settings};

pub use adapter::AcmeAdapter;
pub use config::AcmeConfig;

/// The word used in configuration.
pub const KIND: &str = "acme";

/// Adds this adapter to a registry.
pub fn register(registry: &mut Registry) {
    registry.register(KIND, build);
}

/// Makes the adapter of one source from its settings.
///
/// # Errors
/// [`usher_core::ErrorKind::InvalidConfig`] with what is wrong.
pub fn build(settings: &Settings) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
    let config: AcmeConfig = settings.read()?;
    Ok(Arc::new(AcmeAdapter::new(&config)?))
}

#[cfg(test)]
mod tests {
    use usher_core::ErrorKind;

    use super::*;

    fn built(settings: &str) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
        let mut registry = Registry::new();
        register(&mut registry);
        let settings: Settings = serde_json::from_str(settings).expect("a table");
        registry.build(KIND, &settings)
    }

    #[test]
    fn it_pulls_when_it_knows_where_and_with_what() {
        let pulls = |settings| {
            let modes = built(settings).map(|adapter| adapter.describe().modes);
            modes.map(|modes| modes.iter().any(|mode| mode.pulls())).ok()
        };
        assert_eq!(pulls("{}"), Some(false));
        assert_eq!(
            pulls(r#"{"base_url": "https://acme.example", "token": "t"}"#),
            Some(true)
        );
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        for (settings, word) in [
            (r#"{"token": "t"}"#, "base_url"),
            (r#"{"base_url": "https://acme.example"}"#, "token"),
            (r#"{"base_url": "acme", "token": "t"}"#, "base_url"),
            (r#"{"base_url": "http://acme.example", "token": "t"}"#, "https"),
            (r#"{"tokn": "t"}"#, "tokn"),
        ] {
            let error = built(settings).expect_err(settings);
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.to_string().contains(word), "{settings}: {error}");
        }
    }
}
