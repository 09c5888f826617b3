//! What an identity provider keeps: users, groups, memberships, assignments, and every change in order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How ids look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdStyle {
    /// GUIDs, as Microsoft Entra ID has.
    Guid,
    /// Twenty letters and digits that begin with `00u` or `00g`, as Okta has.
    Okta,
    /// Short opaque texts.
    Opaque,
}

/// Whether a user or group is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It is there.
    Live,
    /// It was deleted and can be brought back (Entra's recycle bin).
    SoftDeleted,
    /// It was deleted for good.
    Deleted,
}

/// How a provider shows that somebody is not of the organisation. Entra's three signs are independent of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// An employee.
    No,
    /// A guest from elsewhere: `userType` Guest, `#EXT#` in the name, `externalUserState` Accepted.
    External,
    /// From elsewhere and given `userType` Member: only the name and `externalUserState` tell.
    ExternalMember,
    /// A local account marked as a guest: only `userType` tells.
    Internal,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The immutable id.
    pub id: Arc<str>,
    /// The sign-in name.
    pub user_name: String,
    /// The company address.
    pub email: Option<String>,
    /// The given name.
    pub given_name: String,
    /// The family name.
    pub family_name: String,
    /// Whether the account may be used.
    pub enabled: bool,
    /// Whether and how it is marked as a guest.
    pub guest: Guest,
    /// Whether it is there.
    pub life: Life,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed, deletion included.
    pub modified: Timestamp,
}

impl User {
    /// Given and family name.
    #[must_use]
    pub fn display_name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The immutable id.
    pub id: Arc<str>,
    /// The name; not unique.
    pub name: String,
    /// Ids of the users who are members themselves.
    pub users: BTreeSet<Arc<str>>,
    /// Ids of groups that are members.
    pub groups: BTreeSet<Arc<str>>,
    /// Whether the group is assigned to the application.
    pub assigned: bool,
    /// Whether it is there.
    pub life: Life,
    /// When it was made.
    pub created: Timestamp,
    /// When its own attributes last changed.
    pub modified: Timestamp,
    /// When its members last changed.
    pub members_modified: Timestamp,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A user was made, changed or deleted.
    User(Arc<str>),
    /// A group was made, renamed or deleted.
    Group(Arc<str>),
    /// A group was assigned to the application, or no longer is.
    Assignment(Arc<str>),
    /// A member came or left.
    Member {
        /// The group.
        group: Arc<str>,
        /// The user or group.
        member: Arc<str>,
        /// Whether the member is a group.
        is_group: bool,
        /// Whether it came.
        added: bool,
    },
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number; the first is 1.
    pub sequence: u64,
    /// When it was made.
    pub at: Timestamp,
    /// What changed.
    pub entry: Entry,
}

#[derive(Debug)]
struct Contents {
    style: IdStyle,
    users: BTreeMap<Arc<str>, User>,
    groups: BTreeMap<Arc<str>, Group>,
    log: Vec<Change>,
    ids: u64,
    now: Timestamp,
}

/// A directory, shared between a test and the fakes that show it. Its clock is its own: it starts at the beginning of 2026
/// and moves by one second with each change.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Mutex<Contents>>);

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new(style: IdStyle) -> Self {
        Self(Arc::new(Mutex::new(Contents {
            style,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            log: Vec::new(),
            ids: 0,
            now: Timestamp::from_second(1_767_225_600).expect("a moment of this century"),
        })))
    }

    /// A new enabled employee whose sign-in name and address are `user_name`; answers the id.
    pub fn add_user(&self, user_name: &str) -> Arc<str> {
        self.change(|contents, at| {
            let id = contents.new_id("00u");
            let given = user_name.split(['.', '@']).next().unwrap_or(user_name);
            let user = User {
                id: Arc::clone(&id),
                user_name: user_name.into(),
                email: Some(user_name.into()),
                given_name: given.into(),
                family_name: "Example".into(),
                enabled: true,
                guest: Guest::No,
                life: Life::Live,
                created: at,
                modified: at,
            };
            contents.users.insert(Arc::clone(&id), user);
            (Some(Entry::User(Arc::clone(&id))), id)
        })
    }

    /// Changes a user; the id and the times are not for changing.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn edit_user(&self, id: &str, edit: impl FnOnce(&mut User)) {
        self.change(|contents, at| {
            let user = contents.users.get_mut(id).expect("a user of this directory");
            edit(user);
            user.modified = at;
            (Some(Entry::User(Arc::clone(&user.id))), ())
        });
    }

    /// Enables or disables a user's account.
    pub fn enable(&self, id: &str, enabled: bool) {
        self.edit_user(id, |user| user.enabled = enabled);
    }

    /// Deletes a user softly: it keeps its memberships.
    pub fn soft_delete_user(&self, id: &str) {
        self.edit_user(id, |user| user.life = Life::SoftDeleted);
    }

    /// Brings a softly deleted user back.
    pub fn undelete_user(&self, id: &str) {
        self.edit_user(id, |user| user.life = Life::Live);
    }

    /// Deletes a user for good; it leaves every group.
    pub fn delete_user(&self, id: &str) {
        let groups: Vec<_> = self.with(|contents| {
            let groups = contents.groups.values();
            groups
                .filter(|group| group.users.contains(id))
                .map(|group| Arc::clone(&group.id))
                .collect()
        });
        for group in groups {
            self.remove_member(&group, id);
        }
        self.edit_user(id, |user| user.life = Life::Deleted);
    }

    /// A new group without members, not assigned to the application; answers the id.
    pub fn add_group(&self, name: &str) -> Arc<str> {
        self.change(|contents, at| {
            let id = contents.new_id("00g");
            let group = Group {
                id: Arc::clone(&id),
                name: name.into(),
                users: BTreeSet::new(),
                groups: BTreeSet::new(),
                assigned: false,
                life: Life::Live,
                created: at,
                modified: at,
                members_modified: at,
            };
            contents.groups.insert(Arc::clone(&id), group);
            (Some(Entry::Group(Arc::clone(&id))), id)
        })
    }

    /// Gives a group another name.
    pub fn rename_group(&self, id: &str, name: &str) {
        self.edit_group(id, |group| group.name = name.into(), Entry::Group);
    }

    /// Assigns a group to the application, or takes the assignment back.
    pub fn assign(&self, id: &str, assigned: bool) {
        self.edit_group(id, |group| group.assigned = assigned, Entry::Assignment);
    }

    /// Deletes a group, softly or for good.
    pub fn delete_group(&self, id: &str, life: Life) {
        self.edit_group(id, |group| group.life = life, Entry::Group);
    }

    /// Makes a user or group a member; nothing changes when it is one.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn add_member(&self, group: &str, member: &str) {
        self.change_member(group, member, true);
    }

    /// Ends a membership; nothing changes when there is none.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn remove_member(&self, group: &str, member: &str) {
        self.change_member(group, member, false);
    }

    /// A user, deleted ones included.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<User> {
        self.with(|contents| contents.users.get(id).cloned())
    }

    /// A group, deleted ones included.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<Group> {
        self.with(|contents| contents.groups.get(id).cloned())
    }

    /// Whether a user is there.
    #[must_use]
    pub fn user_life(&self, id: &str) -> Option<Life> {
        self.with(|contents| contents.users.get(id).map(|user| user.life))
    }

    /// Whether a group is there.
    #[must_use]
    pub fn group_life(&self, id: &str) -> Option<Life> {
        self.with(|contents| contents.groups.get(id).map(|group| group.life))
    }

    /// At most `limit` users after an id, in the order of ids, deleted ones included.
    #[must_use]
    pub fn users_after(&self, after: Option<&str>, limit: usize) -> Vec<User> {
        self.with(|contents| {
            let range = contents.users.range::<str, _>((bound(after), Bound::Unbounded));
            range.take(limit).map(|(_, user)| user.clone()).collect()
        })
    }

    /// At most `limit` groups after an id, in the order of ids, deleted ones included, without their members.
    #[must_use]
    pub fn groups_after(&self, after: Option<&str>, limit: usize) -> Vec<Group> {
        self.with(|contents| {
            let range = contents.groups.range::<str, _>((bound(after), Bound::Unbounded));
            range
                .take(limit)
                .map(|(_, group)| without_members(group))
                .collect()
        })
    }

    /// At most `limit` direct members of a group who are users and not deleted for good, after an id, in the order of ids.
    #[must_use]
    pub fn members_after(&self, group: &str, after: Option<&str>, limit: usize) -> Vec<User> {
        self.with(|contents| {
            let Some(group) = contents.groups.get(group) else {
                return Vec::new();
            };
            let range = group.users.range::<str, _>((bound(after), Bound::Unbounded));
            range
                .filter_map(|id| contents.users.get(id))
                .filter(|user| user.life != Life::Deleted)
                .take(limit)
                .cloned()
                .collect()
        })
    }

    /// The ids of all users in a group and in live groups inside it, each once. Circles are walked once.
    #[must_use]
    pub fn transitive_users(&self, group: &str) -> BTreeSet<Arc<str>> {
        self.with(|contents| {
            let mut users = BTreeSet::new();
            let mut seen = BTreeSet::new();
            let mut open: Vec<Arc<str>> = vec![group.into()];
            while let Some(id) = open.pop() {
                let Some(group) = contents.groups.get(&id).filter(|group| group.life == Life::Live) else {
                    continue;
                };
                if seen.insert(id) {
                    users.extend(group.users.iter().cloned());
                    open.extend(group.groups.iter().cloned());
                }
            }
            users
        })
    }

    /// The ids of live groups that a user is in directly.
    #[must_use]
    pub fn groups_of(&self, user: &str) -> Vec<Arc<str>> {
        self.with(|contents| {
            let live = contents.groups.values().filter(|group| group.life == Life::Live);
            live.filter(|group| group.users.contains(user))
                .map(|group| Arc::clone(&group.id))
                .collect()
        })
    }

    /// How many changes were made.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.with(|contents| contents.log.len() as u64)
    }

    /// At most `limit` changes after a number.
    #[must_use]
    pub fn changes_after(&self, sequence: u64, limit: usize) -> Vec<Change> {
        self.with(|contents| {
            let start = usize::try_from(sequence)
                .unwrap_or(usize::MAX)
                .min(contents.log.len());
            contents.log[start..].iter().take(limit).cloned().collect()
        })
    }

    /// The moment of the last change.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.with(|contents| contents.now)
    }

    /// Lets time pass without a change.
    pub fn advance(&self, by: SignedDuration) {
        self.with(|contents| contents.now += by);
    }

    fn edit_group(&self, id: &str, edit: impl FnOnce(&mut Group), entry: fn(Arc<str>) -> Entry) {
        self.change(|contents, at| {
            let group = contents.groups.get_mut(id).expect("a group of this directory");
            edit(group);
            group.modified = at;
            (Some(entry(Arc::clone(&group.id))), ())
        });
    }

    fn change_member(&self, group: &str, member: &str, added: bool) {
        self.change(|contents, at| {
            let is_group = contents.groups.contains_key(member);
            let group = contents.groups.get_mut(group).expect("a group of this directory");
            let members = if is_group {
                &mut group.groups
            } else {
                &mut group.users
            };
            let member: Arc<str> = member.into();
            let changed = if added {
                members.insert(Arc::clone(&member))
            } else {
                members.remove(&member)
            };
            if !changed {
                return (None, ());
            }
            group.members_modified = at;
            let group = Arc::clone(&group.id);
            let entry = Entry::Member {
                group,
                member,
                is_group,
                added,
            };
            (Some(entry), ())
        });
    }

    fn change<T>(&self, act: impl FnOnce(&mut Contents, Timestamp) -> (Option<Entry>, T)) -> T {
        self.with(|contents| {
            let at = contents.now + SignedDuration::from_secs(1);
            let (entry, answer) = act(contents, at);
            if let Some(entry) = entry {
                contents.now = at;
                let sequence = contents.log.len() as u64 + 1;
                contents.log.push(Change { sequence, at, entry });
            }
            answer
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Contents) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Contents {
    fn new_id(&mut self, prefix: &str) -> Arc<str> {
        self.ids += 1;
        let number = self.ids;
        // Spread over the range, so that the order of ids is not the order of arrival.
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match self.style {
            IdStyle::Guid => format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                mixed >> 32,
                (mixed >> 16) & 0xFFFF,
                (mixed >> 4) & 0xFFF,
                mixed & 0xFFF,
                number
            ),
            IdStyle::Okta => format!("{prefix}{:08x}{number:09}", mixed >> 32),
            IdStyle::Opaque => format!("{:08x}{number:x}", mixed >> 32),
        }
        .into()
    }
}

fn bound(after: Option<&str>) -> Bound<&str> {
    after.map_or(Bound::Unbounded, Bound::Excluded)
}

fn without_members(group: &Group) -> Group {
    Group {
        id: Arc::clone(&group.id),
        name: group.name.clone(),
        users: BTreeSet::new(),
        groups: BTreeSet::new(),
        ..*group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_in_the_log_once() {
        let directory = Directory::new(IdStyle::Guid);
        let group = directory.add_group("Board");
        let user = directory.add_user("ann@contoso.example");
        directory.add_member(&group, &user);
        directory.add_member(&group, &user);
        directory.delete_user(&user);
        let entries: Vec<_> = directory
            .changes_after(2, 10)
            .into_iter()
            .map(|change| change.entry)
            .collect();
        let member = |added| Entry::Member {
            group: Arc::clone(&group),
            member: Arc::clone(&user),
            is_group: false,
            added,
        };
        assert_eq!(entries, [member(true), member(false), Entry::User(user.clone())]);
        assert_eq!(directory.user(&user).unwrap().life, Life::Deleted);
    }

    #[test]
    fn groups_inside_groups_are_walked_once_though_they_form_a_circle() {
        let directory = Directory::new(IdStyle::Okta);
        let (outer, inner) = (directory.add_group("Outer"), directory.add_group("Inner"));
        let user = directory.add_user("ann@contoso.example");
        directory.add_member(&outer, &inner);
        directory.add_member(&inner, &outer);
        directory.add_member(&inner, &user);
        assert_eq!(directory.transitive_users(&outer), BTreeSet::from([user]));
        assert!(directory.members_after(&outer, None, 10).is_empty());
    }

    #[test]
    fn ids_look_as_their_provider_makes_them() {
        for (style, length) in [(IdStyle::Guid, 36), (IdStyle::Okta, 20)] {
            let directory = Directory::new(style);
            let ids = [
                directory.add_user("a@x.example"),
                directory.add_user("b@x.example"),
            ];
            assert!(ids.iter().all(|id| id.len() == length), "{ids:?}");
            assert_ne!(ids[0], ids[1]);
        }
    }
}
