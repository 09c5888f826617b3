//! The sample configurations read, and build an adapter.

use serde_json::Value;
use usher_adapter_entra::{KIND, register};
use usher_core::{Mode, Registry, Settings};

use crate::credentials::certificate;

/// What the file or the variable would hold.
fn secret(name: &str) -> String {
    if name == "client_certificate" {
        certificate().0
    } else {
        "the secret".into()
    }
}

fn check(sample: &str, mode: &str, pulls: bool) {
    let sample: Value = toml::from_str::<toml::Value>(sample)
        .ok()
        .and_then(|sample| serde_json::to_value(sample).ok())
        .expect("TOML");
    let source = &sample["source"][0];
    assert_eq!(
        (source["kind"].as_str(), source["mode"].as_str()),
        (Some(KIND), Some(mode))
    );
    let mut settings = source["settings"].as_object().cloned().unwrap_or_default();
    for (name, value) in &mut settings {
        if value.is_object() {
            assert!(
                name.starts_with("client_"),
                "only secrets come from elsewhere: {name}"
            );
            *value = secret(name).into();
        }
    }
    let mut registry = Registry::new();
    register(&mut registry);
    let adapter = registry
        .build(KIND, &Settings::new(settings))
        .expect("settings that fit");
    assert_eq!(adapter.describe().modes.contains(&Mode::Pull), pulls);
}

#[test]
fn the_samples_are_complete() {
    check(
        include_str!("../../../../config/examples/entra-push.toml"),
        "push",
        false,
    );
    check(
        include_str!("../../../../config/examples/entra-pull.toml"),
        "pull",
        true,
    );
    check(
        include_str!("../../../../config/examples/entra-both.toml"),
        "both",
        true,
    );
}
