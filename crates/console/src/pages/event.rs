//! Events as people read them: a sentence, and where to look.

use serde::Deserialize;
use serde_json::Value;
use usher_core::Timestamp;
use uuid::Uuid;

use crate::html::{PersonName, RoomName, word};

/// An event of the audit list.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    kind: String,
    pub(super) time: Timestamp,
    pub(super) actor: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    source: String,
    #[serde(default)]
    pub(super) room_name: Option<RoomName>,
    #[serde(default)]
    pub(super) person_name: Option<PersonName>,
    #[serde(default)]
    room: Option<Uuid>,
    #[serde(default)]
    membership: Option<Uuid>,
    #[serde(default)]
    data: Value,
}

impl Event {
    /// The kind without the part that all share.
    pub(super) fn kind(&self) -> &str {
        self.kind.strip_prefix("usher.").unwrap_or(&self.kind)
    }

    /// What happened, in a few words.
    pub(super) fn says(&self) -> String {
        let text = match self.kind() {
            "directory.user.created" => "An account arrived",
            "directory.user.changed" => "An account was changed",
            "directory.user.deactivated" => "An account was deactivated",
            "directory.user.reactivated" => "An account was activated again",
            "directory.user.deleted" => "An account was deleted",
            "directory.user.similar" => "A new account has the address of somebody else",
            "directory.group.created" => "A group arrived",
            "directory.group.changed" => "A group was changed",
            "directory.group.deleted" => "A group was deleted",
            "directory.group.members_changed" => "Members of a group changed",
            "directory.group.members_pending" => "A group names members that nobody knows yet",
            "directory.group.members_dormant" => "Group members are distrusted until they are named again",
            "directory.group.parked" => "A group arrived that leads to no room yet",
            "directory.group.assigned" => "A group was assigned to the application",
            "directory.group.unassigned" => "A group is no longer assigned to the application",
            "membership.started" => "Came into the room",
            "membership.ended" => "Left the room",
            "membership.level_changed" => "Got another level",
            "membership.held" => "The brake holds the leaving",
            "membership.released" => "Is asked for again",
            "membership.kept_last_administrator" => "Kept as the last administrator",
            "membership.made_manual" => "Became a membership by hand",
            "membership.extended" => "Ends on another day",
            "membership.restored" => "A former membership was restored",
            "membership.restore_undone" => "A restore was undone",
            "person.parked" => "Waits at the door",
            "person.unparked" => "No longer waits at the door",
            "person.linked" => "Two people were linked",
            "restore.suggested" => "A restore is suggested",
            "restore.closed" => "A suggested restore was closed",
            "hold.opened" => "The brake stopped many leaving at once",
            "hold.approved" => "A hold was approved",
            "hold.rejected" => "A hold was rejected",
            "hold.applied" => "A hold that nobody decided was applied",
            "hold.released" => "A hold became empty",
            "room.created" => "The room was made",
            "room.ready" => "The portal has the room",
            "room.live" => "The room went live",
            "room.archived" => "The room was archived",
            "room.reopened" => "The room was reopened",
            "room.without_administrator" => "Nobody administers the room",
            "room.administrator_found" => "The room has an administrator again",
            "mapping.created" => "A group was named for the room",
            "mapping.bound" => "The named group was found",
            "mapping.unbound" => "The found group was taken back",
            "mapping.changed" => "How people of a group start was changed",
            "mapping.confirmed" => "A group was confirmed for the room",
            "mapping.replaced" => "Another group was put in the place of one",
            "mapping.retired" => "A group no longer leads to the room",
            "order.moved" => "An order went on",
            "order.changed" => "An order was changed",
            "order.alert" => "An order needs somebody",
            "source.added" => "A source was added",
            "source.frozen" => "A source was frozen: nothing more is known of it",
            "source.thawed" => "A frozen source is back",
            "source.retired" => "A source was retired",
            "source.degraded" => "A source cannot be read",
            "source.recovered" => "A source can be read again",
            "policy.proposed" => "Changed rules wait for a confirmation",
            "policy.confirmed" => "New rules are in force",
            "token.created" => "A token was made",
            "token.revoked" => "A token was revoked",
            "key.registered" => "A signing key was registered",
            "key.revoked" => "A signing key was revoked",
            other => return word(&other.replace('.', " ")),
        };
        text.to_owned()
    }

    /// What is worth knowing of the facts, in a line.
    pub(super) fn detail(&self) -> String {
        const TOLD: [(&str, &str); 11] = [
            ("level", "level"),
            ("reason", ""),
            ("kind", ""),
            ("state", ""),
            ("group_name", "group"),
            ("group", "group"),
            ("display_name", ""),
            ("user_name", ""),
            ("label", ""),
            ("added", "added"),
            ("removed", "removed"),
        ];
        let text = |field: &str| match &self.data[field] {
            Value::String(text) if text.parse::<Uuid>().is_err() => Some(text.replace('_', " ")),
            Value::Number(number) if number.as_i64() != Some(0) => Some(number.to_string()),
            _ => None,
        };
        // What was before is the level or the state, unless something else is said to have changed.
        let mut before = text("before");
        let is_of = |field| matches!(field, "level" | "state") && self.data["changed"].is_null();
        let mut parts = Vec::new();
        for (field, label) in TOLD {
            let Some(text) = text(field) else { continue };
            parts.push(match (label, before.take_if(|_| is_of(field))) {
                (_, Some(before)) => format!("{before} → {text}"),
                ("", None) => text,
                (label, None) => format!("{label} {text}"),
            });
        }
        parts.extend(before.map(|before| format!("before {before}")));
        parts.join(" · ")
    }

    /// Who did it.
    pub(super) fn who(&self) -> (&'static str, &str) {
        match self.actor.split_once(':') {
            Some(("source", name)) => ("identity provider", name),
            Some(("token" | "console", name)) => ("", name),
            Some(("operator", name)) => ("command line", name),
            Some(("usher", name)) => ("Usher:", name),
            _ => ("", &self.actor),
        }
    }

    /// The source that it is about.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.strip_prefix("/usher/sources/")
    }

    /// The membership's page.
    pub(super) fn stay(&self) -> Option<String> {
        Some(format!("/rooms/{}/members/{}", self.room?, self.membership?))
    }

    /// How the line is marked.
    pub(super) fn tone(&self) -> &'static str {
        match self.kind() {
            "membership.started"
            | "membership.restored"
            | "room.live"
            | "mapping.confirmed"
            | "source.recovered" => "good",
            "membership.ended"
            | "membership.held"
            | "hold.opened"
            | "room.without_administrator"
            | "room.archived"
            | "source.degraded"
            | "source.frozen"
            | "mapping.retired" => "bad",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn detail(data: &Value) -> String {
        let event = json!({ "type": "usher.order.moved", "time": "2026-02-01T09:00:00Z", "actor": "token:x", "data": data });
        serde_json::from_value::<Event>(event).unwrap().detail()
    }

    #[test]
    fn what_was_before_stands_before_what_came_of_it() {
        let moved = json!({ "before": "submitted", "state": "room_ready", "reason": "as agreed" });
        assert_eq!(detail(&moved), "as agreed · submitted → room ready");
        let raised = json!({ "before": "restricted_user", "level": "user" });
        assert_eq!(detail(&raised), "restricted user → user");
        let renamed = json!({ "changed": "administrator", "before": "a@contoso.com", "state": "submitted" });
        assert_eq!(detail(&renamed), "submitted · before a@contoso.com");
    }
}
