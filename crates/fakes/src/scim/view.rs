//! Users and groups of the directory as SCIM resources (RFC 7643 §4).

use jiff::Timestamp;
use serde_json::{Value, json};
use usher_scim::{Attributes, urn};

use super::{Habits, MembersShown};
use crate::{Directory, Group, Guest, Life, User};

/// Whether a user is in any answer.
pub(super) fn is_there(user: &User) -> bool {
    user.life != Life::Deleted
}

/// Whether a group is in any answer.
pub(super) fn is_group_there(group: &Group) -> bool {
    group.life == Life::Live
}

/// The user, with groups.
pub(super) fn user(user: &User, directory: &Directory, habits: &Habits, base: &str) -> Attributes {
    let mut resource = head(urn::USER, &user.id, habits);
    resource.insert("userName".into(), user.user_name.as_str().into());
    resource.insert("displayName".into(), user.display_name().into());
    let name = json!({"givenName": user.given_name, "familyName": user.family_name});
    resource.insert("name".into(), name);
    resource.insert("active".into(), (user.enabled && user.life == Life::Live).into());
    if let Some(email) = &user.email {
        let emails = json!([{"value": email, "type": "work", "primary": true}]);
        resource.insert("emails".into(), emails);
    }
    if user.guest != Guest::No {
        resource.insert("userType".into(), "Guest".into());
    }
    let place = Place { base, habits };
    if habits.groups_on_users {
        let groups: Vec<Value> = directory
            .groups_of(&user.id)
            .iter()
            .map(|id| json!({"value": &**id, "$ref": place.url("Groups", id), "type": "direct"}))
            .collect();
        if !groups.is_empty() {
            resource.insert("groups".into(), groups.into());
        }
    }
    let meta = place.meta("User", &user.id, user.created, user.modified);
    resource.insert("meta".into(), meta);
    resource
}

/// The group, with members as they are shown.
pub(super) fn group(group: &Group, directory: &Directory, habits: &Habits, base: &str) -> Attributes {
    let mut resource = head(urn::GROUP, &group.id, habits);
    resource.insert("displayName".into(), group.name.as_str().into());
    let place = Place { base, habits };
    if habits.members != MembersShown::LeftOut {
        let users = group.users.iter().filter_map(|id| directory.user(id));
        let users = users.filter(is_there).map(|user| {
            let display = user.display_name();
            (user.id, "User", display)
        });
        let groups = group.groups.iter().filter_map(|id| directory.group(id));
        let groups = groups
            .filter(is_group_there)
            .map(|group| (group.id, "Group", group.name));
        let members: Vec<Value> = users
            .chain(groups)
            .take(habits.members_cut_at.unwrap_or(usize::MAX))
            .map(|(id, kind, display)| match habits.members {
                MembersShown::Fully => {
                    let reference = place.url(&format!("{kind}s"), &id);
                    json!({"value": &*id, "type": kind, "display": display, "$ref": reference})
                }
                _ => json!({"value": &*id}),
            })
            .collect();
        if habits.empty_members || !members.is_empty() {
            resource.insert("members".into(), members.into());
        }
    }
    let modified = if habits.members_touch_group {
        group.modified.max(group.members_modified)
    } else {
        group.modified
    };
    let meta = place.meta("Group", &group.id, group.created, modified);
    resource.insert("meta".into(), meta);
    resource
}

fn head(schema: &str, id: &str, habits: &Habits) -> Attributes {
    let mut resource = Attributes::new();
    resource.insert("schemas".into(), json!([schema]));
    resource.insert("id".into(), id.into());
    if habits.external_ids {
        resource.insert("externalId".into(), format!("ext-{id}").into());
    }
    resource
}

struct Place<'a> {
    base: &'a str,
    habits: &'a Habits,
}

impl Place<'_> {
    fn url(&self, endpoint: &str, id: &str) -> String {
        let base = self.habits.decoy.as_deref().unwrap_or(self.base);
        format!("{base}/{endpoint}/{id}")
    }

    fn meta(&self, kind: &str, id: &str, created: Timestamp, modified: Timestamp) -> Value {
        let mut meta = json!({
            "resourceType": kind,
            "created": created.to_string(),
            "location": self.url(&format!("{kind}s"), id),
        });
        if self.habits.last_modified {
            meta["lastModified"] = modified.to_string().into();
        }
        if self.habits.etag {
            meta["version"] = format!("W/\"{:x}\"", modified.as_microsecond()).into();
        }
        meta
    }
}
