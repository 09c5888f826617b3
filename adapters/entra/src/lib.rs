#![doc = include_str!("../README.md")]

mod adapter;
mod assignment;
mod check;
mod checkpoint;
mod client;
mod complete;
mod config;
mod delta;
mod fetch;
mod list;
mod pages;
mod person;
mod presence;
mod record;
mod wire;

use std::sync::Arc;

use usher_core::{AdapterError, ProvisioningAdapter, Registry, Settings};

pub use adapter::EntraAdapter;
pub use config::{Cloud, EntraConfig};

/// The word used in configuration.
pub const KIND: &str = "entra";

/// Adds this adapter to a registry.
pub fn register(registry: &mut Registry) {
    registry.register(KIND, build);
}

fn build(settings: &Settings) -> Result<Arc<dyn ProvisioningAdapter>, AdapterError> {
    Ok(Arc::new(EntraAdapter::new(&settings.read::<EntraConfig>()?)?))
}
