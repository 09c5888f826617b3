//! Orders as the API answers them.

use serde::Deserialize;
use usher_core::Timestamp;
use uuid::Uuid;

use crate::html::{Badge, Tone, word};
use crate::plan::GroupNews;

/// An order.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) state: String,
    pub(crate) since: Timestamp,
    pub(crate) customer: String,
    pub(crate) room_name: String,
    pub(crate) administrator: String,
    pub(crate) administrator_person: Option<Uuid>,
    pub(crate) all_content: bool,
    pub(crate) model: String,
    pub(crate) features: Vec<String>,
    pub(crate) source: String,
    pub(crate) group: String,
    pub(crate) named_by: String,
    pub(crate) expected: u32,
    pub(crate) requester: String,
    pub(crate) logo: bool,
    pub(crate) room: Option<Uuid>,
    pub(crate) bootstrap_due: Option<Timestamp>,
    pub(crate) closing_reason: Option<String>,
    pub(crate) created: Timestamp,
    #[serde(default)]
    pub(crate) source_says: Option<SourceSays>,
}

/// An order with where it stands.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Details {
    #[serde(flatten)]
    pub(crate) order: Order,
    pub(crate) status: Status,
    pub(crate) group_news: GroupNews,
}

/// Who acts next, and what is missing.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Status {
    pub(crate) next: String,
    pub(crate) missing: Vec<String>,
    pub(crate) expected: u32,
    pub(crate) arrived: i64,
    pub(crate) last_arrival: Option<Timestamp>,
    pub(crate) waiting: i64,
    pub(crate) administrator: String,
    pub(crate) bootstrap_inside: bool,
    pub(crate) bootstrap_overdue: bool,
}

/// What a source that is read says of a group just now.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SourceSays {
    pub(crate) asked: Timestamp,
    #[serde(default)]
    pub(crate) group: Option<RemoteGroup>,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

/// A group as its provider shows it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RemoteGroup {
    pub(crate) display_name: String,
    #[serde(default)]
    pub(crate) members: Option<i64>,
    #[serde(default)]
    pub(crate) guests: Option<i64>,
    #[serde(default)]
    pub(crate) nested_groups: Option<i64>,
    #[serde(default)]
    pub(crate) assigned: Option<bool>,
}

/// The states of an order that goes its way, in their order.
const WAY: [&str; 8] = [
    "draft",
    "submitted",
    "accepted",
    "room_ready",
    "mapping_confirmed",
    "arriving",
    "finalising",
    "live",
];

impl Order {
    /// How far along its way it is; nothing when it left the way.
    pub(crate) fn place(&self) -> Option<usize> {
        WAY.iter().position(|state| *state == self.state)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state.as_str(), "rejected" | "withdrawn")
    }

    pub(crate) fn badge(&self) -> Badge {
        let tone = match self.state.as_str() {
            "live" => Tone::Good,
            "draft" | "rejected" | "withdrawn" => Tone::Calm,
            _ => Tone::Waiting,
        };
        Badge::new(tone, state_label(&self.state))
    }

    /// Who acts next, as far as the state alone says it.
    pub(crate) fn actor(&self) -> &'static str {
        next_actor(match self.state.as_str() {
            "draft" => "requester",
            "submitted" | "room_ready" | "finalising" => "support",
            "accepted" => "portal",
            "mapping_confirmed" | "arriving" => "it",
            _ => "nobody",
        })
    }

    pub(crate) fn features_text(&self) -> String {
        self.features.join(", ")
    }
}

impl Status {
    pub(crate) fn actor(&self) -> &'static str {
        next_actor(&self.next)
    }

    /// What is known of the administrator, in a sentence.
    pub(crate) fn administrator_says(&self) -> &'static str {
        match self.administrator.as_str() {
            "not_in_group" => "is known, and not in the group",
            "waiting" => "is in the group and waits at the door",
            "inside" => "is in the room",
            "administers" => "is in the room and administers it",
            "ambiguous" => "is an address of several people: somebody has to say who is meant",
            _ => "has not been seen yet",
        }
    }
}

impl SourceSays {
    pub(crate) fn warning_sentences(&self) -> Vec<String> {
        self.warnings
            .iter()
            .map(|text| crate::failure::sentence(text))
            .collect()
    }

    /// What it says of the group, as label and value.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let Some(group) = &self.group else {
            return Vec::new();
        };
        let number = |label, value: Option<i64>| value.map(|value| (label, value.to_string()));
        let assigned = group.assigned.map(|yes| {
            let text = if yes { "yes" } else { "not yet" };
            ("Assigned to the application", text.to_owned())
        });
        [
            Some(("Name", group.display_name.clone())),
            number("Members", group.members),
            number("Guests", group.guests),
            number("Groups inside", group.nested_groups),
            assigned,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Who acts next, in words.
pub(crate) fn next_actor(word: &str) -> &'static str {
    match word {
        "requester" => "The requester",
        "support" => "The vendor's support",
        "portal" => "The portal, or the vendor's support",
        "it" => "The customer's IT",
        "usher" => "Usher, by itself",
        _ => "Nobody",
    }
}

pub(crate) fn state_label(state: &str) -> String {
    match state {
        "mapping_confirmed" => "Waiting for people".to_owned(),
        "arriving" => "People arrive".to_owned(),
        "finalising" => "Finishing".to_owned(),
        other => word(other),
    }
}
