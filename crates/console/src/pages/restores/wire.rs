//! Restores as the API answers them.

use serde::Deserialize;
use usher_core::Timestamp;
use uuid::Uuid;

use crate::html::{Badge, PersonName, RoomName, Tone, word};

/// A suggestion to bring a former membership back, and what became of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Restore {
    pub(crate) id: Uuid,
    pub(crate) person: PersonName,
    pub(crate) room: RoomName,
    pub(crate) state: String,
    pub(crate) opened: Timestamp,
    pub(crate) closed: Option<Timestamp>,
    pub(crate) closing_reason: Option<String>,
}

/// A restore with what may be restored, best first.
#[derive(Debug, Deserialize)]
pub(super) struct Details {
    #[serde(flatten)]
    pub(super) restore: Restore,
    #[serde(default)]
    pub(super) best: Option<Uuid>,
    #[serde(default)]
    pub(super) candidates: Vec<Candidate>,
}

/// A membership.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Membership {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) level: String,
    pub(super) started: Timestamp,
    #[serde(default)]
    pub(super) ended: Option<Timestamp>,
    #[serde(default)]
    pub(super) end_reason: Option<String>,
}

/// A former membership that may be restored.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Candidate {
    #[serde(flatten)]
    pub(super) membership: Membership,
    pub(super) ended_by: String,
    #[serde(default)]
    pub(super) same_identity: bool,
    #[serde(default)]
    pub(super) grants: Vec<Grant>,
    #[serde(default)]
    pub(super) periods: Vec<Period>,
}

/// Something in the room that hangs on a membership.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Grant {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) label: String,
    #[serde(default)]
    pub(super) dropped: Option<Timestamp>,
}

/// From when to when.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Period {
    pub(super) from: Timestamp,
    #[serde(default)]
    pub(super) to: Option<Timestamp>,
}

/// What restoring a candidate would do.
#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    pub(super) digest: String,
    pub(super) candidate: Candidate,
    pub(super) present: Membership,
    #[serde(default)]
    pub(super) gained: Vec<Grant>,
    pub(super) level: LevelPlan,
    #[serde(default)]
    pub(super) freshness: Vec<Freshness>,
    #[serde(default)]
    pub(super) refusal: Option<Refusal>,
}

/// What becomes of the level.
#[derive(Debug, Deserialize)]
pub(super) struct LevelPlan {
    pub(super) former: String,
    pub(super) present: String,
    pub(super) valid: bool,
    pub(super) above: bool,
    #[serde(default)]
    pub(super) choices: Vec<String>,
}

/// How fresh a source's knowledge is.
#[derive(Debug, Deserialize)]
pub(super) struct Freshness {
    pub(super) source: String,
    pub(super) mode: String,
    #[serde(default)]
    pub(super) asked: Option<Timestamp>,
    #[serde(default)]
    pub(super) last_write: Option<Timestamp>,
    #[serde(default)]
    pub(super) unreachable: Option<String>,
}

/// The guard's no.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) next: String,
}

impl Restore {
    pub(crate) fn is_open(&self) -> bool {
        self.state == "suggested"
    }

    pub(crate) fn badge(&self) -> Badge {
        match self.state.as_str() {
            "suggested" => Badge::new(Tone::Waiting, "Suggested"),
            "applied" => Badge::new(Tone::Good, "Restored"),
            other => Badge::new(Tone::Calm, word(other)),
        }
    }
}

impl Candidate {
    /// Who ended it, in words.
    pub(super) fn ended_by_says(&self) -> String {
        match self.ended_by.as_str() {
            "source" => "by the source".to_owned(),
            "hand" => "by hand".to_owned(),
            "swap" => "by a restore".to_owned(),
            other => word(other).to_lowercase(),
        }
    }

    pub(super) fn reason(&self) -> String {
        word(self.membership.end_reason.as_deref().unwrap_or_default())
    }

    /// Grants that would come back.
    pub(super) fn kept(&self) -> Vec<&Grant> {
        self.grants
            .iter()
            .filter(|grant| grant.dropped.is_none())
            .collect()
    }
}

impl Membership {
    pub(super) fn kind_says(&self) -> &'static str {
        match self.kind.as_str() {
            "managed" => "from a source",
            "manual" => "by hand",
            _ => "for the set-up",
        }
    }
}

impl Grant {
    pub(super) fn what(&self) -> String {
        word(&self.kind)
    }
}

impl Refusal {
    pub(super) fn text(&self) -> String {
        crate::failure::sentence(&self.message)
    }

    pub(super) fn next_step(&self) -> String {
        crate::failure::sentence(&self.next)
    }
}
