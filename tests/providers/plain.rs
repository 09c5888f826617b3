//! A plain SCIM push by scim2-client, which is not ours: what differs from the last time is sent, in the standard's forms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;
use usher_fakes::{Directory, Life, User};

use crate::harness::Scim2;

/// What was sent so far.
pub struct Plain {
    scim: Scim2,
    users: BTreeMap<Arc<str>, (String, Sent)>,
    groups: BTreeMap<Arc<str>, SentGroup>,
}

#[derive(Clone, PartialEq, Eq)]
struct Sent {
    user_name: String,
    email: Option<String>,
    active: bool,
}

struct SentGroup {
    id: String,
    name: String,
    members: BTreeSet<String>,
}

impl Plain {
    pub fn new(scim: Scim2) -> Self {
        Self {
            scim,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// The endpoint's id of a user of the directory.
    pub fn id_of(&self, user: &str) -> Option<&str> {
        self.users.get(user).map(|(id, _)| id.as_str())
    }

    /// Sends every user and group that was not sent yet or changed.
    pub fn cycle(&mut self, directory: &Directory) {
        for user in directory.users_after(None, usize::MAX) {
            self.send_user(&user);
        }
        for group in directory.groups_after(None, usize::MAX) {
            let group = directory.group(&group.id).expect("it was just listed");
            if group.life != Life::Live {
                if let Some(sent) = self.groups.remove(&group.id) {
                    self.scim.delete("Group", &sent.id).expect(204);
                }
                continue;
            }
            let members: BTreeSet<String> = group
                .users
                .iter()
                .filter_map(|user| self.id_of(user).map(str::to_owned))
                .collect();
            self.send_group(&group.id, group.name, members);
        }
    }

    fn send_user(&mut self, user: &User) {
        let now = Sent {
            user_name: user.user_name.clone(),
            email: user.email.clone(),
            active: user.enabled && user.life == Life::Live,
        };
        let Some((id, before)) = self.users.get(&user.id).cloned() else {
            let mut resource = json!({
                "userName": now.user_name,
                "externalId": &*user.id,
                "active": now.active,
                "displayName": user.display_name(),
            });
            if let Some(email) = &now.email {
                resource["emails"] = json!([{ "value": email, "type": "work", "primary": true }]);
            }
            let id = self.scim.create("User", &resource).expect(201).id();
            self.users.insert(Arc::clone(&user.id), (id, now));
            return;
        };
        if before == now {
            return;
        }
        let operations = json!([
            { "op": "replace", "path": "userName", "value": now.user_name },
            { "op": "replace", "path": "emails[type eq \"work\"].value", "value": now.email },
            { "op": "replace", "path": "active", "value": now.active },
        ]);
        self.scim.modify("User", &id, &operations).expect(200);
        self.users.insert(Arc::clone(&user.id), (id, now));
    }

    fn send_group(&mut self, remote: &Arc<str>, name: String, members: BTreeSet<String>) {
        let Some(sent) = self.groups.get_mut(remote) else {
            let ids: Vec<&str> = members.iter().map(String::as_str).collect();
            let id = self.scim.create_group(&name, &ids);
            self.groups
                .insert(Arc::clone(remote), SentGroup { id, name, members });
            return;
        };
        if sent.name != name {
            let operations = json!([{ "op": "replace", "path": "displayName", "value": name }]);
            self.scim.modify("Group", &sent.id, &operations).expect(200);
            sent.name = name;
        }
        let gone: Vec<&str> = sent.members.difference(&members).map(String::as_str).collect();
        if !gone.is_empty() {
            self.scim.remove_members(&sent.id, &gone);
        }
        let come: Vec<&str> = members.difference(&sent.members).map(String::as_str).collect();
        if !come.is_empty() {
            self.scim.add_members(&sent.id, &come);
        }
        sent.members = members;
    }
}
