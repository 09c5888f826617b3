//! Okta's JSON, as far as it is read (okta/okta-management-openapi-spec).

use serde::Deserialize;
use serde_json::{Map, Value};
use usher_core::Timestamp;

/// A group.
#[derive(Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) profile: Map<String, Value>,
    #[serde(rename = "lastUpdated")]
    pub(crate) last_updated: Option<Timestamp>,
    #[serde(rename = "lastMembershipUpdated")]
    pub(crate) last_membership_updated: Option<Timestamp>,
    #[serde(rename = "_embedded", default)]
    embedded: Embedded,
}

/// What is embedded in a group or an assignment.
#[derive(Debug, Default, Deserialize)]
struct Embedded {
    stats: Option<Stats>,
}

#[derive(Debug, Deserialize)]
struct Stats {
    #[serde(rename = "usersCount")]
    users_count: Option<u64>,
}

impl Group {
    /// The name; `None` when the answer holds none.
    pub(crate) fn name(&self) -> Option<&str> {
        self.profile.get("name").and_then(Value::as_str)
    }

    /// How many members Okta counts, where it was asked to.
    pub(crate) fn users_count(&self) -> Option<u64> {
        self.embedded.stats.as_ref().and_then(|stats| stats.users_count)
    }

    /// The later of both times: it moves with every change of the group and of its members.
    pub(crate) fn changed(&self) -> Option<Timestamp> {
        self.last_updated.max(self.last_membership_updated)
    }
}

/// A user.
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(rename = "lastUpdated")]
    pub(crate) last_updated: Option<Timestamp>,
    #[serde(default)]
    pub(crate) profile: Map<String, Value>,
}

impl User {
    /// A text of the profile that is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.profile.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }
}

/// A group assigned to an application.
#[derive(Debug, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) id: String,
}

/// An event of the System Log, and of an event hook.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "eventType", default)]
    pub(crate) kind: String,
    #[serde(default)]
    target: Option<Vec<Target>>,
}

#[derive(Debug, Deserialize)]
struct Target {
    #[serde(default)]
    id: Option<String>,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

impl Event {
    /// The ids of the targets of this type.
    pub(crate) fn targets(&self, kind: &str) -> impl Iterator<Item = &str> {
        let targets = self.target.iter().flatten();
        targets
            .filter(move |target| target.kind.as_deref() == Some(kind))
            .filter_map(|target| target.id.as_deref())
    }
}

/// What the org says of itself to anybody.
#[derive(Debug, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
}

/// An error of the management API.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Failure {
    #[serde(rename = "errorCode", default)]
    pub(crate) code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_changed_when_it_or_its_members_last_did() {
        let group: Group = serde_json::from_str(
            r#"{"id": "00g1", "lastUpdated": "2026-01-01T00:00:05.000Z",
                "lastMembershipUpdated": "2026-01-01T00:00:04.000Z", "_embedded": {"stats": {"usersCount": 3}}}"#,
        )
        .unwrap();
        assert_eq!(group.changed(), group.last_updated);
        assert_eq!((group.users_count(), group.name()), (Some(3), None));
    }

    #[test]
    fn an_event_without_targets_points_at_nothing() {
        let event: Event = serde_json::from_str(r#"{"eventType": "x", "target": null}"#).unwrap();
        assert_eq!(event.targets("User").count(), 0);
    }
}
