//! The levels in force, with their names.

use serde::Deserialize;
use serde_json::Value;

use crate::Failure;
use crate::visit::Visit;

/// The levels, lowest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Levels(Vec<Level>);

/// One level.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Level {
    pub(super) key: String,
    pub(super) label: String,
    pub(super) rank: u32,
    #[serde(default)]
    pub(super) models: Vec<String>,
    #[serde(default)]
    pub(super) administrator: bool,
    #[serde(default)]
    pub(super) by_hand: bool,
}

impl Levels {
    /// Reads the levels in force.
    pub(super) async fn load(visit: &Visit) -> Result<Self, Failure> {
        let policy: Value = visit.get("/policy").await?;
        Ok(Self::of(&policy["active"]))
    }

    /// The levels of a set of rules.
    pub(super) fn of(rules: &Value) -> Self {
        Self(serde_json::from_value(rules["levels"].clone()).unwrap_or_default())
    }

    /// What people see of a level; the key of one that is not there any more.
    pub(super) fn label(&self, key: &str) -> String {
        let known = self.0.iter().find(|level| level.key == key);
        known.map_or_else(|| format!("{key} (no longer valid)"), |level| level.label.clone())
    }

    pub(super) fn all(&self) -> &[Level] {
        &self.0
    }

    /// Those that a source may give.
    pub(super) fn of_sources(&self) -> impl Iterator<Item = &Level> {
        self.0.iter().filter(|level| !level.by_hand)
    }
}

impl Level {
    /// In which rooms it exists, where that is not all of them.
    pub(super) fn rooms(&self) -> &'static str {
        let is = |model: &str| self.models.iter().any(|known| known == model);
        match (is("open"), is("closed")) {
            (true, false) => "Open rooms only",
            (false, true) => "Closed rooms only",
            _ => "All rooms",
        }
    }
}
