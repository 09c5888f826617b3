//! The reference: who is desired where, told from what was pushed, with none of the engine's machinery.

use std::collections::{BTreeMap, BTreeSet};

use usher_core::{MappingId, PersonId, Reactivation, RoomId, SourceGroupId, SourceUserId};

use crate::world::Account;

/// A user of the source, as last pushed.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    pub(super) account: Account,
    pub(super) active: bool,
    /// Whether the address is one of the organisation's.
    pub(super) own: bool,
}

/// What was pushed and mapped so far.
#[derive(Debug)]
pub(super) struct Model {
    reactivation: Reactivation,
    /// The live accounts, by place.
    pub(super) users: BTreeMap<usize, User>,
    /// Everybody who ever had an account.
    pub(super) known: BTreeSet<PersonId>,
    /// The live groups, by place.
    pub(super) groups: BTreeMap<usize, SourceGroupId>,
    /// Member rows, and whether they are distrusted.
    rows: BTreeMap<(SourceGroupId, SourceUserId), bool>,
    /// Confirmed mappings.
    pub(super) mappings: BTreeMap<MappingId, (SourceGroupId, RoomId)>,
}

impl Model {
    pub(super) fn new(reactivation: Reactivation) -> Self {
        Self {
            reactivation,
            users: BTreeMap::new(),
            known: BTreeSet::new(),
            groups: BTreeMap::new(),
            rows: BTreeMap::new(),
            mappings: BTreeMap::new(),
        }
    }

    pub(super) fn created(&mut self, place: usize, account: Account) {
        self.known.insert(account.person);
        let user = User {
            account,
            active: true,
            own: true,
        };
        self.users.insert(place, user);
    }

    pub(super) fn set_active(&mut self, place: usize, active: bool) {
        let Some(user) = self.users.get_mut(&place) else {
            return;
        };
        if user.active && !active && self.reactivation == Reactivation::Dormant {
            let id = user.account.id;
            for (_, dormant) in self.rows.iter_mut().filter(|((_, user), _)| *user == id) {
                *dormant = true;
            }
        }
        user.active = active;
    }

    pub(super) fn set_own(&mut self, place: usize, own: bool) {
        if let Some(user) = self.users.get_mut(&place) {
            user.own = own;
        }
    }

    pub(super) fn deleted(&mut self, place: usize) {
        if let Some(user) = self.users.remove(&place) {
            self.rows.retain(|(_, row), _| *row != user.account.id);
        }
    }

    pub(super) fn added(&mut self, group: SourceGroupId, accounts: &[Account]) {
        for account in accounts {
            self.rows.insert((group, account.id), false);
        }
    }

    pub(super) fn removed(&mut self, group: SourceGroupId, accounts: &[Account]) {
        for account in accounts {
            self.rows.remove(&(group, account.id));
        }
    }

    pub(super) fn replaced(&mut self, group: SourceGroupId, accounts: &[Account]) {
        self.rows.retain(|(row, _), _| *row != group);
        self.added(group, accounts);
    }

    pub(super) fn group_deleted(&mut self, place: usize) {
        if let Some(group) = self.groups.remove(&place) {
            self.rows.retain(|(row, _), _| *row != group);
        }
    }

    /// The accounts that a bit mask picks.
    pub(super) fn picked(&self, mask: u8) -> Vec<Account> {
        self.users
            .iter()
            .filter(|(place, _)| mask & (1 << **place) != 0)
            .map(|(_, user)| user.account)
            .collect()
    }

    /// Whether the person is desired in the room.
    pub(super) fn desired(&self, room: RoomId, person: PersonId) -> bool {
        self.users.values().any(|user| {
            user.account.person == person
                && user.active
                && user.own
                && self.mappings.values().any(|(group, to)| {
                    *to == room && self.rows.get(&(*group, user.account.id)) == Some(&false)
                })
        })
    }

    /// Whether a person who had an account has none that is active.
    pub(super) fn is_over(&self, person: PersonId) -> bool {
        self.known.contains(&person)
            && !self
                .users
                .values()
                .any(|user| user.account.person == person && user.active)
    }

    /// Whether a person has active accounts, and none of the organisation's own.
    pub(super) fn is_foreign(&self, person: PersonId) -> bool {
        let mut active = self
            .users
            .values()
            .filter(|user| user.account.person == person && user.active)
            .peekable();
        active.peek().is_some() && active.all(|user| !user.own)
    }
}
