#![doc = include_str!("../README.md")]

mod adapter;
mod check;
mod checkpoint;
mod client;
mod config;
mod hook;
mod list;
mod read;
mod record;
mod status;
mod wire;

use std::sync::Arc;

use usher_core::{AdapterError, ProvisioningAdapter, Registry, Settings};

pub use adapter::OktaAdapter;
pub use config::{Algorithm, DpopUse, OktaConfig};

/// The word used in configuration.
pub const KIND: &str = "okta";

/// Adds this adapter to a registry.
pub fn register(registry: &mut Registry) {
    registry.register(KIND, build);
}

fn build(settings: &Settings) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
    Ok(Arc::new(OktaAdapter::new(&settings.read::<OktaConfig>()?)?))
}

#[cfg(test)]
mod tests {
    use usher_core::{ErrorKind, Mode};

    use super::*;

    fn built(settings: &str) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
        let mut registry = Registry::new();
        register(&mut registry);
        let settings: Settings = serde_json::from_str(settings).expect("a table");
        registry.build(KIND, &settings)
    }

    #[test]
    fn without_settings_it_is_pushed_to() {
        let adapter = built("{}").expect("no settings are needed for push");
        assert_eq!(adapter.describe().kind, "okta");
        assert_eq!(adapter.describe().modes, [Mode::Push]);
    }

    #[test]
    fn with_a_token_it_offers_every_mode() {
        let adapter =
            built(r#"{"org_url": "https://contoso.okta.com", "api_token": "t"}"#).expect("complete");
        assert_eq!(adapter.describe().modes, [Mode::Push, Mode::Pull, Mode::Both]);
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let error = built(r#"{"org": "https://contoso.okta.com"}"#).expect_err("unknown");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("`org`"), "{error}");
    }
}
