//! The examples in the repository are settings that work.

use usher_core::{Mode, Registry, Settings};

fn example(name: &str) -> toml::Table {
    let path = format!("{}/../../config/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Puts a text in the place of what is read from a file or the environment.
fn resolved(key: &str, value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::Table(table) if table.contains_key("file") || table.contains_key("env") => match key {
            "private_key" => {
                let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
                key.expect("a key pair").serialize_pem().into()
            }
            _ => "0123456789abcdef0123456789abcdef".into(),
        },
        other => serde_json::to_value(other).expect("JSON"),
    }
}

#[test]
fn each_example_makes_an_adapter_of_its_mode() {
    let mut registry = Registry::new();
    usher_adapter_okta::register(&mut registry);
    for (name, mode) in [
        ("okta-push.toml", Mode::Push),
        ("okta-pull.toml", Mode::Pull),
        ("okta-both.toml", Mode::Both),
    ] {
        let mut table = example(name);
        let Some(toml::Value::Array(mut sources)) = table.remove("source") else {
            panic!("{name} has no source");
        };
        let mut source = sources.remove(0);
        let settings = source.as_table_mut().and_then(|source| source.remove("settings"));
        let settings = settings
            .and_then(|settings| settings.as_table().cloned())
            .unwrap_or_default();
        let settings = settings
            .into_iter()
            .map(|(key, value)| (key.clone(), resolved(&key, value)))
            .collect();
        assert_eq!(source["kind"].as_str(), Some("okta"), "{name}");
        let adapter = registry
            .build("okta", &Settings::new(settings))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(adapter.describe().modes.contains(&mode), "{name}");
        let written: Mode = serde_json::from_value(resolved("mode", source["mode"].clone())).expect("a mode");
        assert_eq!(written, mode, "{name}");
    }
}
