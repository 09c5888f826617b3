//! Levels: what a membership may do in its room, as an ordered list that the customer may change.

use serde::{Deserialize, Serialize};

/// How a room treats its people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomModel {
    /// People see one another's content as the room allows.
    Open,
    /// People see only what they were given.
    Closed,
}

impl RoomModel {
    /// The word used in storage, API and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl std::str::FromStr for RoomModel {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        match text {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            other => Err(LevelError::Model(other.chars().take(64).collect())),
        }
    }
}

/// One level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The stable name, such as `group_management`.
    pub key: String,
    /// The name that people see.
    pub label: String,
    /// Higher may do more.
    pub rank: u32,
    /// The models of rooms in which it exists.
    #[serde(default = "both_models")]
    pub models: Vec<RoomModel>,
    /// Whether a person at this level administers the room's people.
    #[serde(default)]
    pub administrator: bool,
    /// Whether only people give it, never a source.
    #[serde(default)]
    pub by_hand: bool,
}

fn both_models() -> Vec<RoomModel> {
    vec![RoomModel::Open, RoomModel::Closed]
}

/// Why a list of levels cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// Two levels share a key.
    #[error("level '{0}' is defined twice; give each level a key of its own")]
    Duplicate(String),
    /// A key is empty or has unusual characters.
    #[error("level key '{0}' is not valid; use 1 to 63 lower-case letters, digits and underscores")]
    Key(String),
    /// A room is neither open nor closed.
    #[error("'{0}' is not a model of a room; use open or closed")]
    Model(String),
    /// Nobody could ever administer a room.
    #[error("no level with administrator = true exists in the {0} model; mark at least one")]
    NoAdministrator(&'static str),
    /// Nobody could arrive by sync.
    #[error("every level is by_hand; at least one level must be open to people who come from a source")]
    NoSourceLevel,
}

/// The levels of a deployment, sorted by rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Levels(Vec<Level>);

impl Levels {
    /// Checks and sorts a list.
    ///
    /// # Errors
    /// [`LevelError`] says what is missing or doubled.
    pub fn new(mut levels: Vec<Level>) -> Result<Self, LevelError> {
        levels.sort_by(|a, b| (a.rank, &a.key).cmp(&(b.rank, &b.key)));
        for (index, level) in levels.iter().enumerate() {
            let valid = (1..=63).contains(&level.key.len())
                && level
                    .key
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !valid {
                return Err(LevelError::Key(level.key.chars().take(64).collect()));
            }
            if levels[..index].iter().any(|other| other.key == level.key) {
                return Err(LevelError::Duplicate(level.key.clone()));
            }
        }
        for model in [RoomModel::Open, RoomModel::Closed] {
            if !levels
                .iter()
                .any(|level| level.administrator && level.models.contains(&model))
            {
                return Err(LevelError::NoAdministrator(model.as_str()));
            }
        }
        if levels.iter().all(|level| level.by_hand) {
            return Err(LevelError::NoSourceLevel);
        }
        Ok(Self(levels))
    }

    /// The level with this key, unless it does not exist (any more).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Level> {
        self.0.iter().find(|level| level.key == key)
    }

    /// All levels, lowest rank first.
    pub fn iter(&self) -> impl Iterator<Item = &Level> {
        self.0.iter()
    }

    /// The level at which people from a source start unless a mapping says otherwise: the lowest that is
    /// not by hand.
    #[must_use]
    pub fn starting(&self) -> &Level {
        self.0
            .iter()
            .find(|level| !level.by_hand)
            .expect("a list without a source level is never made")
    }

    /// The administrator level that an order asks for: the highest with access to all content, else the
    /// lowest administrator level of the model.
    #[must_use]
    pub fn administrator(&self, model: RoomModel, all_content: bool) -> &Level {
        let mut fitting = self
            .0
            .iter()
            .filter(|level| level.administrator && level.models.contains(&model));
        let level = if all_content {
            fitting.next_back()
        } else {
            fitting.next()
        };
        level.expect("a list without an administrator level is never made")
    }

    /// Whether a person at this level administers the room's people. A level that no longer exists does not.
    #[must_use]
    pub fn is_administrator(&self, key: &str) -> bool {
        self.get(key).is_some_and(|level| level.administrator)
    }
}

impl Default for Levels {
    fn default() -> Self {
        let level = |key: &str, label: &str, rank, administrator, by_hand| Level {
            key: key.into(),
            label: label.into(),
            rank,
            models: both_models(),
            administrator,
            by_hand,
        };
        Self::new(vec![
            level("minutes_viewer", "Minutes viewer", 5, false, true),
            level("guest", "Guest", 6, false, true),
            level(
                "restricted_user",
                "User (with restricted permissions)",
                10,
                false,
                false,
            ),
            level("assistant", "Assistant", 15, false, true),
            level("user", "User", 20, false, false),
            level(
                "group_management",
                "User + Group Administration",
                30,
                false,
                false,
            ),
            level("organisation_reports", "Organisation reports", 35, false, true),
            level("user_management", "User + User Administration", 40, true, false),
            level(
                "user_management_all_content",
                "User + User Administration + Access to All Content",
                50,
                true,
                false,
            ),
        ])
        .expect("the shipped levels are valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_from_a_source_start_restricted() {
        assert_eq!(Levels::default().starting().key, "restricted_user");
    }

    #[test]
    fn an_order_picks_its_administrator_level_by_all_content() {
        let levels = Levels::default();
        assert_eq!(
            levels.administrator(RoomModel::Open, false).key,
            "user_management"
        );
        assert_eq!(
            levels.administrator(RoomModel::Closed, true).key,
            "user_management_all_content"
        );
    }

    #[test]
    fn a_list_that_cannot_work_is_refused() {
        let mut levels: Vec<Level> = Levels::default().iter().cloned().collect();
        levels.push(levels[0].clone());
        assert!(matches!(Levels::new(levels), Err(LevelError::Duplicate(_))));
        let none: Vec<Level> = Levels::default()
            .iter()
            .filter(|l| !l.administrator)
            .cloned()
            .collect();
        assert!(matches!(
            Levels::new(none),
            Err(LevelError::NoAdministrator("open"))
        ));
    }
}
