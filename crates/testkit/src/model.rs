//! What somebody who follows an adapter believes, by the rules of the engine.

use std::collections::{BTreeMap, BTreeSet};

use usher_core::{DirectoryChange, UnknownScope, UserRecord};

/// A group as it is believed to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelGroup {
    /// Its name.
    pub name: String,
    /// Whether the source said that it is gone.
    pub gone: bool,
    /// Whether it was said to be assigned to the application.
    pub assigned: Option<bool>,
    members: BTreeSet<String>,
    reading: Option<BTreeSet<String>>,
    unconfirmed: Option<BTreeSet<String>>,
}

/// A user as it is believed to be.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelUser {
    /// What was last reported.
    pub record: UserRecord,
    /// Whether the source said since then that it is gone.
    pub gone: bool,
}

/// The directory as changes told it. Later changes win; what is unknown stays as it was; absence removes only when a
/// group was read completely and a count confirms it, or two complete reads agree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    users: BTreeMap<String, ModelUser>,
    groups: BTreeMap<String, ModelGroup>,
}

impl Model {
    /// Takes one change in.
    pub fn apply(&mut self, change: &DirectoryChange) {
        match change {
            DirectoryChange::UserUpserted(user) => {
                let record = (**user).clone();
                let user = ModelUser { record, gone: false };
                self.users.insert(user.record.id.as_str().into(), user);
            }
            DirectoryChange::UserGone(id) => {
                if let Some(user) = self.users.get_mut(id.as_str()) {
                    user.gone = true;
                }
            }
            DirectoryChange::GroupUpserted(record) => {
                let group = self.group_mut(record.id.as_str());
                group.name.clone_from(&record.display_name);
                group.gone = false;
                group.reading = Some(BTreeSet::new());
            }
            DirectoryChange::GroupGone(id) => {
                let group = self.group_mut(id.as_str());
                *group = ModelGroup {
                    name: std::mem::take(&mut group.name),
                    gone: true,
                    ..ModelGroup::default()
                };
            }
            DirectoryChange::MemberAdded { group, member } => {
                let group = self.group_mut(group.as_str());
                group.members.insert(member.as_str().into());
                if let Some(reading) = &mut group.reading {
                    reading.insert(member.as_str().into());
                }
            }
            DirectoryChange::MemberRemoved { group, member } => {
                let group = self.group_mut(group.as_str());
                group.members.remove(member.as_str());
                if let Some(reading) = &mut group.reading {
                    reading.remove(member.as_str());
                }
            }
            DirectoryChange::GroupMembersComplete { group, confirmed } => {
                self.group_mut(group.as_str()).complete(*confirmed);
            }
            DirectoryChange::ApplicationAssignment { group, assigned } => {
                self.group_mut(group.as_str()).assigned = Some(*assigned);
            }
            DirectoryChange::Unknown { scope, .. } => self.lose_sight(scope),
        }
    }

    /// A read has ended, or failed: what it began and did not complete says nothing.
    pub fn read_ended(&mut self) {
        self.lose_sight(&UnknownScope::Rest);
    }

    /// Forgets complete reads that nothing confirmed, so that the next one has nothing to agree with.
    pub fn forget_unconfirmed(&mut self) {
        for group in self.groups.values_mut() {
            group.unconfirmed = None;
        }
    }

    /// A group, when it was ever reported.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<&ModelGroup> {
        self.groups.get(id)
    }

    /// A user, when it was ever reported.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<&ModelUser> {
        self.users.get(id)
    }

    /// The members of a group who have an account that is there and may be used.
    #[must_use]
    pub fn members(&self, group: &str) -> BTreeSet<String> {
        let Some(group) = self.groups.get(group).filter(|group| !group.gone) else {
            return BTreeSet::new();
        };
        let members = group.members.iter().filter(|id| {
            let user = self.users.get(*id);
            user.is_some_and(|user| !user.gone && user.record.active)
        });
        members.cloned().collect()
    }

    fn group_mut(&mut self, id: &str) -> &mut ModelGroup {
        self.groups.entry(id.into()).or_default()
    }

    fn lose_sight(&mut self, scope: &UnknownScope) {
        for (id, group) in &mut self.groups {
            let hit = match scope {
                UnknownScope::Group(unknown) => unknown.as_str() == id,
                UnknownScope::User(_) => false,
                UnknownScope::Rest => true,
            };
            if hit {
                group.reading = None;
            }
        }
    }
}

impl ModelGroup {
    fn complete(&mut self, confirmed: bool) {
        let Some(seen) = self.reading.take() else {
            return;
        };
        if confirmed || self.unconfirmed.as_ref() == Some(&seen) {
            self.members.clone_from(&seen);
        }
        self.unconfirmed = (!confirmed).then_some(seen);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use usher_core::{GroupRecord, RemoteGroupId, RemoteUserId};

    use super::*;

    fn group() -> RemoteGroupId {
        RemoteGroupId::new("g").unwrap()
    }

    fn user(id: &str) -> [DirectoryChange; 2] {
        let member = RemoteUserId::new(id).unwrap();
        let record = UserRecord {
            id: member.clone(),
            external_id: None,
            user_name: id.into(),
            email: None,
            display_name: None,
            active: true,
            guest: false,
            resource: Map::new(),
        };
        let group = group();
        [
            DirectoryChange::UserUpserted(Box::new(record)),
            DirectoryChange::MemberAdded { group, member },
        ]
    }

    fn read(model: &mut Model, people: &[&str], end: Option<bool>) {
        model.apply(&DirectoryChange::GroupUpserted(Box::new(GroupRecord {
            id: group(),
            external_id: None,
            display_name: "G".into(),
            resource: Map::new(),
        })));
        for id in people {
            user(id).iter().for_each(|change| model.apply(change));
        }
        if let Some(confirmed) = end {
            let group = group();
            model.apply(&DirectoryChange::GroupMembersComplete { group, confirmed });
        }
        model.read_ended();
    }

    #[test]
    fn absence_removes_when_it_is_confirmed_or_seen_twice() {
        let mut model = Model::default();
        read(&mut model, &["a", "b"], Some(true));
        read(&mut model, &["a"], None);
        read(&mut model, &["a"], Some(false));
        assert_eq!(model.members("g").len(), 2);
        read(&mut model, &[], Some(false));
        assert_eq!(model.members("g").len(), 2);
        read(&mut model, &[], Some(false));
        assert!(model.members("g").is_empty());
        read(&mut model, &["a", "b"], Some(true));
        read(&mut model, &["b"], Some(true));
        assert_eq!(model.members("g"), BTreeSet::from(["b".to_owned()]));
    }

    #[test]
    fn what_is_unknown_removes_nothing_and_what_is_gone_does() {
        let mut model = Model::default();
        read(&mut model, &["a"], Some(true));
        model.apply(&DirectoryChange::Unknown {
            scope: UnknownScope::Group(group()),
            reason: "403".into(),
        });
        assert_eq!(model.members("g").len(), 1);
        model.apply(&DirectoryChange::UserGone(RemoteUserId::new("a").unwrap()));
        assert!(model.members("g").is_empty());
        read(&mut model, &["a"], Some(true));
        model.apply(&DirectoryChange::GroupGone(group()));
        assert!(model.members("g").is_empty());
    }
}
