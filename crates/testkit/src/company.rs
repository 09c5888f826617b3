//! The directory that most promises are tried on.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use usher_core::{RemoteGroupId, RemoteUserId, WantedGroup};
use usher_fakes::{Directory, IdStyle, Life};

use crate::Broken;

/// A directory with three groups that are wanted and one that is not.
#[derive(Debug, Clone)]
pub(crate) struct Company {
    pub(crate) directory: Directory,
    /// Nine people; the third is disabled.
    pub(crate) people: Vec<Arc<str>>,
    /// Persons 0 to 4.
    pub(crate) board: Arc<str>,
    /// Persons 3 to 5.
    pub(crate) audit: Arc<str>,
    /// Nobody.
    pub(crate) empty: Arc<str>,
    /// Persons 6 and 7; nobody asks for it.
    pub(crate) other: Arc<str>,
}

impl Company {
    pub(crate) fn new(ids: IdStyle) -> Self {
        let directory = Directory::new(ids);
        let names = ["ann", "bob", "cem", "dana", "eve", "finn", "gus", "hana", "ivo"];
        let people: Vec<_> = names
            .iter()
            .map(|name| directory.add_user(&format!("{name}@contoso.example")))
            .collect();
        let group = |name: &str, members: &[Arc<str>]| {
            let id = directory.add_group(name);
            for member in members {
                directory.add_member(&id, member);
            }
            id
        };
        let board = group("Board", &people[..5]);
        let audit = group("Audit", &people[3..6]);
        let empty = group("Empty", &[]);
        let other = group("Other", &people[6..8]);
        directory.assign(&board, true);
        directory.enable(&people[2], false);
        Self {
            directory,
            people,
            board,
            audit,
            empty,
            other,
        }
    }

    /// The three groups that are wanted.
    pub(crate) fn wanted(&self) -> Vec<WantedGroup> {
        [&self.board, &self.audit, &self.empty]
            .map(|id| direct(id))
            .into()
    }

    /// People come, go and are renamed, in every group that is wanted; a day passes.
    pub(crate) fn change(&self) {
        let directory = &self.directory;
        directory.remove_member(&self.board, &self.people[0]);
        directory.remove_member(&self.board, &self.people[1]);
        directory.add_member(&self.board, &self.people[8]);
        directory.add_member(&self.audit, &self.people[0]);
        directory.add_member(&self.empty, &self.people[1]);
        directory.enable(&self.people[3], false);
        directory.enable(&self.people[2], true);
        directory.edit_user(&self.people[4], |user| {
            user.user_name = "eva@contoso.example".into();
        });
        directory.rename_group(&self.audit, "Audit committee");
        // Left by mistake: whoever sees only the first half of this is wrong.
        directory.add_member(&self.board, &self.people[1]);
        directory.advance(SignedDuration::from_hours(24));
    }

    /// Things happen that are in nobody's interest, so that the directory's clock and counters move on.
    pub(crate) fn noise(&self, name: &str) {
        self.directory.advance(SignedDuration::from_hours(24));
        let stranger = self.directory.add_user(&format!("{name}@contoso.example"));
        let group = self.directory.add_group(&format!("Group of {name}"));
        self.directory.add_member(&group, &stranger);
        self.directory.advance(SignedDuration::from_hours(24));
    }
}

/// A group that is wanted with its direct members.
pub(crate) fn direct(id: &str) -> WantedGroup {
    WantedGroup {
        id: group_id(id),
        nested: false,
    }
}

/// A group that is wanted with the members of groups inside it.
pub(crate) fn nested(id: &str) -> WantedGroup {
    WantedGroup {
        id: group_id(id),
        nested: true,
    }
}

pub(crate) fn group_id(id: &str) -> RemoteGroupId {
    RemoteGroupId::new(id).expect("ids of the fake directory are short")
}

pub(crate) fn user_id(id: &str) -> RemoteUserId {
    RemoteUserId::new(id).expect("ids of the fake directory are short")
}

/// Who is really in a group with an account that is there and may be used; `None` for a group that is not there.
pub(crate) fn truth(
    directory: &Directory,
    group: &WantedGroup,
    tells_disabled: bool,
) -> Option<BTreeSet<String>> {
    let id = group.id.as_str();
    let users = directory
        .group(id)
        .filter(|group| group.life == Life::Live)?
        .users;
    let users = if group.nested {
        directory.transitive_users(id)
    } else {
        users
    };
    let there = users
        .iter()
        .filter_map(|id| directory.user(id))
        .filter(|user| user.life == Life::Live && (user.enabled || !tells_disabled));
    Some(there.map(|user| user.id.to_string()).collect())
}

/// Complains about somebody who is in the first set and not in the second.
pub(crate) fn none_missing(
    what: &str,
    there: &BTreeSet<String>,
    believed: &BTreeSet<String>,
) -> Result<(), Broken> {
    let missing: Vec<_> = there.difference(believed).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Broken::new(format!("{what}: {missing:?}")))
}
