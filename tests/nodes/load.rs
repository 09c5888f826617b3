//! Clients that change users, groups and members, each its own ones and some that it shares with the others.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::chance::Chance;
use super::fleet::Way;
use super::journal::{Begun, Journal, Key, Write};

/// So many users of its own a client has at most.
const OWN: usize = 30;

/// What all clients know of.
pub struct Ground {
    /// Users whom every client changes.
    pub users: Vec<String>,
    /// Groups whose members every client changes.
    pub groups: Vec<String>,
    /// Everybody whom anybody has made, for large groups.
    everybody: Mutex<Vec<String>>,
}

impl Ground {
    /// With these, and this crowd that nobody changes.
    pub fn new(users: Vec<String>, groups: Vec<String>, crowd: &[String]) -> Self {
        let everybody = Mutex::new([&*users, crowd].concat());
        Self {
            users,
            groups,
            everybody,
        }
    }

    fn everybody(&self) -> Vec<String> {
        let everybody = self.everybody.lock().unwrap_or_else(PoisonError::into_inner);
        everybody.clone()
    }
}

/// One client, which does one thing after the other and repeats each until it is answered.
pub struct Client {
    name: String,
    /// The group that nobody else changes.
    group: String,
    scim: Way,
    journal: Journal,
    chance: Chance,
    ground: Arc<Ground>,
    users: Vec<String>,
    turn: usize,
}

impl Client {
    /// A client with a group of its own.
    pub const fn new(
        name: String,
        group: String,
        scim: Way,
        journal: Journal,
        chance: Chance,
        ground: Arc<Ground>,
    ) -> Self {
        Self {
            name,
            group,
            scim,
            journal,
            chance,
            ground,
            users: Vec::new(),
            turn: 0,
        }
    }

    /// Goes on until it is told to stop, and finishes what it does then.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.turn += 1;
            self.step().await;
        }
    }

    async fn step(&mut self) {
        if self.users.len() < 4 {
            return self.create_user().await;
        }
        match self.chance.below(20) {
            0..=2 if self.users.len() < OWN => self.create_user().await,
            0..=3 => {
                let user = self.own_user();
                self.rename(user).await;
            }
            4..=5 => {
                let user = self.own_user();
                self.set_active(user).await;
            }
            6 => self.delete_user().await,
            7 => {
                let user = self.chance.one(&self.ground.users).clone();
                self.rename(user).await;
            }
            8..=9 => {
                let user = self.chance.one(&self.ground.users).clone();
                self.set_active(user).await;
            }
            10..=11 => {
                let (group, user) = (self.group.clone(), self.own_user());
                self.change_members(group, &[user]).await;
            }
            12..=13 => {
                let count = self.chance.between(20, 100);
                let users = self.chance.some(&self.ground.everybody(), count);
                self.change_members(self.group.clone(), &users).await;
            }
            14..=15 => {
                let group = self.chance.one(&self.ground.groups).clone();
                let user = self.own_user();
                self.change_members(group, &[user]).await;
            }
            16..=17 => {
                let group = self.chance.one(&self.ground.groups).clone();
                let count = self.chance.between(1, 40);
                let users = self.chance.some(&self.ground.users, count);
                self.change_members(group, &users).await;
            }
            18 => self.rename_group().await,
            _ => self.pass_a_group_by().await,
        }
    }

    fn own_user(&mut self) -> String {
        self.chance.one(&self.users).clone()
    }

    async fn create_user(&mut self) {
        let name = format!("{}-{}@contoso.com", self.name, self.turn);
        let begun = self.journal.begin(format!("create {name}"), Vec::new());
        let Some(id) = create_user(&mut self.scim, &name, begun).await else {
            return;
        };
        self.users.push(id.clone());
        let mut everybody = self
            .ground
            .everybody
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        everybody.push(id);
    }

    async fn rename(&mut self, user: String) {
        let name = format!("{}-renamed-{}@contoso.com", self.name, self.turn);
        let operations = json!([{ "op": "replace", "path": "userName", "value": name }]);
        let writes = vec![(Key::UserName(user.clone()), name.as_str().into())];
        self.patch(&format!("/Users/{user}"), &operations, writes).await;
    }

    async fn set_active(&mut self, user: String) {
        let active = self.chance.below(2) == 0;
        let operations = json!([{ "op": "replace", "path": "active", "value": active }]);
        let writes = vec![(Key::Active(user.clone()), active.into())];
        self.patch(&format!("/Users/{user}"), &operations, writes).await;
    }

    async fn delete_user(&mut self) {
        let index = self.chance.below(self.users.len());
        let user = self.users.swap_remove(index);
        self.delete(&format!("/Users/{user}"), Key::User(user.clone()))
            .await;
    }

    /// Adds or removes all of these.
    async fn change_members(&mut self, group: String, users: &[String]) {
        let add = self.chance.below(5) < 3;
        change_members(&mut self.scim, &self.journal, &group, users, add).await;
    }

    async fn rename_group(&mut self) {
        let name = format!("Group of {}, {}", self.name, self.turn);
        let operations = json!([{ "op": "replace", "path": "displayName", "value": name }]);
        let group = self.group.clone();
        let writes = vec![(Key::GroupName(group.clone()), name.as_str().into())];
        self.patch(&format!("/Groups/{group}"), &operations, writes).await;
    }

    /// A group comes, with members, and goes again.
    async fn pass_a_group_by(&mut self) {
        let name = format!("Passing by {}, {}", self.name, self.turn);
        let members = self.chance.some(&self.users, 3);
        let begun = self.journal.begin(format!("create {name}"), Vec::new());
        let Some(id) = create_group(&mut self.scim, &name, &members, begun).await else {
            return;
        };
        self.delete(&format!("/Groups/{id}"), Key::Group(id.clone()))
            .await;
    }

    async fn patch(&mut self, path: &str, operations: &Value, writes: Vec<Write>) {
        change(&mut self.scim, &self.journal, path, operations, writes).await;
    }

    async fn delete(&mut self, path: &str, key: Key) {
        let begun = self
            .journal
            .begin(format!("DELETE {path}"), vec![(key, false.into())]);
        let reply = self.scim.ask(Method::DELETE, path, None).await;
        // What was deleted by a request whose answer was lost is not there any more.
        if reply.is_success() || (reply.status == 404 && reply.attempts > 1) {
            begun.acknowledged();
        } else {
            begun.refused();
            self.journal.complain(format!("DELETE {path}: {reply:?}"));
        }
    }
}

/// Adds all of these to a group or removes them, one by a path and several by a list.
pub async fn change_members(scim: &mut Way, journal: &Journal, group: &str, users: &[String], add: bool) {
    let operations = match users {
        [user] if !add => json!([{ "op": "remove", "path": format!("members[value eq \"{user}\"]") }]),
        _ => {
            let value: Vec<Value> = users.iter().map(|user| json!({ "value": user })).collect();
            let op = if add { "add" } else { "remove" };
            json!([{ "op": op, "path": "members", "value": value }])
        }
    };
    let member = |user: &String| {
        let (group, user) = (group.to_owned(), user.clone());
        (Key::Member { group, user }, add.into())
    };
    let writes = users.iter().map(member).collect();
    change(scim, journal, &format!("/Groups/{group}"), &operations, writes).await;
}

async fn change(scim: &mut Way, journal: &Journal, path: &str, operations: &Value, writes: Vec<Write>) {
    let begun = journal.begin(format!("PATCH {path} {operations}"), writes);
    // Without the members of large groups in the answer.
    let asked = format!("{path}?attributes=displayName,userName,active");
    let body = patch(operations);
    let reply = scim.ask(Method::PATCH, &asked, Some(&body)).await;
    if reply.is_success() {
        begun.acknowledged();
    } else {
        begun.refused();
        journal.complain(format!("PATCH {path} {operations}: {reply:?}"));
    }
}

/// Creates a user who is active; the id.
pub async fn create_user(scim: &mut Way, name: &str, begun: Begun) -> Option<String> {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "active": true,
        "emails": [{ "value": name, "type": "work", "primary": true }],
    });
    let reply = scim.ask(Method::POST, "/Users", Some(&user)).await;
    let id = match reply.status {
        201 => id_of(&reply.body),
        // The request whose answer was lost made them.
        409 if reply.attempts > 1 => {
            let filter = format!("/Users?attributes=userName&filter=userName%20eq%20%22{name}%22");
            id_of(&scim.get(&filter).await["Resources"][0])
        }
        _ => None,
    };
    let Some(id) = id else {
        begun.journal().complain(format!("create {name}: {reply:?}"));
        begun.refused();
        return None;
    };
    begun.acknowledged_as(vec![
        (Key::User(id.clone()), true.into()),
        (Key::UserName(id.clone()), name.into()),
        (Key::Active(id.clone()), true.into()),
    ]);
    Some(id)
}

/// Creates a group with these members; the id.
pub async fn create_group(scim: &mut Way, name: &str, members: &[String], begun: Begun) -> Option<String> {
    let value: Vec<Value> = members.iter().map(|user| json!({ "value": user })).collect();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": value,
    });
    let reply = scim.ask(Method::POST, "/Groups", Some(&group)).await;
    let Some(id) = id_of(&reply.body).filter(|_| reply.status == 201) else {
        begun.journal().complain(format!("create {name}: {reply:?}"));
        begun.refused();
        return None;
    };
    let mut writes = vec![
        (Key::Group(id.clone()), true.into()),
        (Key::GroupName(id.clone()), name.into()),
    ];
    writes.extend(members.iter().map(|user| {
        let (group, user) = (id.clone(), user.clone());
        (Key::Member { group, user }, true.into())
    }));
    begun.acknowledged_as(writes);
    Some(id)
}

fn id_of(resource: &Value) -> Option<String> {
    resource["id"].as_str().map(str::to_owned)
}

fn patch(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}
