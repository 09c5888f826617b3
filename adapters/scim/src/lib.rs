#![doc = include_str!("../README.md")]

mod adapter;
mod announced;
mod check;
mod checkpoint;
mod client;
mod config;
mod groups;
mod pages;
mod people;
mod person;
mod pull_config;
mod read;
mod reading;
mod record;
mod wire;

use std::sync::Arc;

use usher_core::{AdapterError, ProvisioningAdapter, Registry, Settings};

pub use adapter::ScimAdapter;
pub use client::Calls;
pub use config::ScimConfig;
pub use pull_config::{MembersFrom, OAuthConfig, PullConfig, SecretIn};

/// The word used in configuration.
pub const KIND: &str = "scim";

/// Adds this adapter to a registry.
pub fn register(registry: &mut Registry) {
    registry.register(KIND, build);
}

fn build(settings: &Settings) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
    Ok(Arc::new(ScimAdapter::new(&settings.read::<ScimConfig>()?)?))
}

#[cfg(test)]
mod tests {
    use usher_core::ErrorKind;

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::new();
        register(&mut registry);
        registry
    }

    #[test]
    fn it_is_registered_under_its_kind() {
        let adapter = registry()
            .build("scim", &Settings::default())
            .expect("no settings are needed");
        assert_eq!(adapter.describe().kind, "scim");
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let settings: Settings = serde_json::from_str(r#"{"reactivate": "restore"}"#).expect("a table");
        let error = registry().build(KIND, &settings).expect_err("unknown");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("reactivate"), "{error}");
    }
}
