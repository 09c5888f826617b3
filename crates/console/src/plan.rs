//! What confirming something would do to whom, as plans of the API say it.

use serde::Deserialize;
use uuid::Uuid;

use crate::html::{Badge, PersonName, Tone, word};

/// A plan of a mapping, or of what becomes of one.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Plan {
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) people: Vec<Tally>,
    #[serde(default)]
    pub(crate) group: Option<GroupNews>,
    #[serde(default)]
    pub(crate) administrator: Option<PlannedAdministrator>,
}

/// What would happen to how many.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Tally {
    outcome: String,
    pub(crate) count: i64,
    #[serde(default)]
    first: Vec<PlannedPerson>,
}

#[derive(Debug, Clone, Deserialize)]
struct PlannedPerson {
    person: Uuid,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

/// What is known of the group that something names.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct GroupNews {
    #[serde(default)]
    pub(crate) candidates: u32,
    #[serde(default)]
    pub(crate) display_name: Option<String>,
    #[serde(default)]
    pub(crate) members: i64,
    #[serde(default)]
    pub(crate) guests: i64,
    #[serde(default)]
    pub(crate) inactive: i64,
    #[serde(default)]
    pub(crate) out_of_scope: i64,
    #[serde(default)]
    pub(crate) pending: i64,
    #[serde(default)]
    pub(crate) nested_groups: i64,
}

/// The administrator whom an order names, in a plan.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PlannedAdministrator {
    pub(crate) email: String,
    #[serde(default)]
    found: Vec<Found>,
}

#[derive(Debug, Clone, Deserialize)]
struct Found {
    outcome: String,
}

impl Tally {
    /// What would happen, in a few words.
    pub(crate) fn label(&self) -> String {
        outcome(&self.outcome)
    }

    pub(crate) fn badge(&self) -> Badge {
        let tone = match self.outcome.as_str() {
            "joins" | "inside" => Tone::Good,
            "leaves" => Tone::Bad,
            "override" | "kept_last_administrator" | "kept_otherwise" | "archived" => Tone::Calm,
            _ => Tone::Waiting,
        };
        Badge::new(tone, self.label())
    }

    /// The first of them.
    pub(crate) fn people(&self) -> Vec<PersonName> {
        let name = |person: &PlannedPerson| PersonName {
            id: person.person,
            name: person.name.clone(),
            email: person.email.clone(),
        };
        self.first.iter().map(name).collect()
    }

    /// How many there are beyond those.
    pub(crate) fn more(&self) -> i64 {
        self.count - i64::try_from(self.first.len()).unwrap_or(i64::MAX)
    }
}

impl GroupNews {
    /// What to know of its members, in a sentence each.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut add = |count: i64, one: &str, many: &str, then: &str| {
            if count > 0 {
                let what = if count == 1 { one } else { many };
                remarks.push(format!("{count} {what}: {then}"));
            }
        };
        add(self.guests, "is a guest", "are guests", "they get no access.");
        add(
            self.out_of_scope,
            "has no address of the organisation",
            "have no address of the organisation",
            "no access for them.",
        );
        add(
            self.inactive,
            "is inactive",
            "are inactive",
            "they get access when the account is active again.",
        );
        add(
            self.pending,
            "is not known yet",
            "are not known yet",
            "they come in when the source sends their account.",
        );
        add(
            self.nested_groups,
            "member is itself a group",
            "members are themselves groups",
            "the people in them get no access by this.",
        );
        remarks
    }
}

impl PlannedAdministrator {
    /// Whether exactly one person of the group is meant, and gets in.
    pub(crate) fn is_certain(&self) -> bool {
        matches!(self.found.as_slice(), [only] if matches!(only.outcome.as_str(), "joins" | "inside" | "override"))
    }

    /// What is known of them, in a sentence.
    pub(crate) fn says(&self) -> String {
        match self.found.as_slice() {
            [] => "is not among the people of the group that are known now".to_owned(),
            [only] => format!("is in the group: {}", outcome(&only.outcome).to_lowercase()),
            several => format!(
                "is an address of {} people in the group: somebody has to say who is meant",
                several.len()
            ),
        }
    }
}

/// An outcome in words that a reader who knows nothing of Usher understands.
fn outcome(outcome: &str) -> String {
    match outcome {
        "joins" => "Gets access",
        "inside" => "Has access and keeps it",
        "override" => "Has access by hand and keeps it",
        "leaves" => "Loses access",
        "kept_last_administrator" => "Stays, as the last administrator",
        "kept_otherwise" => "Stays for now: held or imported",
        "archived" => "Nothing: the room is archived",
        "same_address" => "Waits: somebody else has the same address",
        "beyond_expected" => "Waits: more than were expected",
        "no_address" => "No access: no e-mail address",
        "foreign_domain" => "No access: not an address of the organisation",
        "guest" => "No access: a guest",
        "inactive" => "No access: the account is inactive",
        "dormant" => "No access until the source names them again",
        "unassigned" => "No access until the group is assigned",
        other => return word(other),
    }
    .to_owned()
}
