//! The JSON Schema of the configuration, generated from the types.

use schemars::JsonSchema;

use super::Config;

/// The JSON Schema of the configuration file.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".into(), "Usher configuration".into());
    }
    schema
}

/// One level.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "only its schema is used; the type that is read lives in usher-core"
)]
pub(super) struct LevelEntry {
    /// The stable name, such as `group_management`.
    key: String,
    /// The name that people see.
    label: String,
    /// Higher may do more.
    rank: u32,
    /// The models of rooms in which it exists; both when left out.
    #[schemars(default)]
    models: Vec<ModelWord>,
    /// Whether a person at this level administers the room's people.
    #[schemars(default)]
    administrator: bool,
    /// Whether only people give it, never a source.
    #[schemars(default)]
    by_hand: bool,
}

/// How a room treats its people.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum ModelWord {
    Open,
    Closed,
}

/// Who starts a change.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum ModeWord {
    Push,
    Pull,
    Both,
}

/// What a person may do.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum PersonRoleWord {
    Viewer,
    Requester,
    It,
    Support,
    Admin,
}

/// How the last steps of an order happen.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum FinaliseWord {
    Automatic,
    Guided,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKED_IN: &str = include_str!("../../../../config/usher.schema.json");

    #[test]
    fn the_checked_in_schema_is_the_generated_one() {
        let generated = serde_json::to_string_pretty(&json_schema()).unwrap();
        assert!(
            CHECKED_IN.trim_end() == generated,
            "write config/usher.schema.json with `usher config schema`"
        );
    }
}
