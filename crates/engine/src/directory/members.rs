//! Members of groups, always changed as a set: the cost does not depend on how large the group is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use usher_core::{MemberKind, PersonId, SourceGroupId, SourceUserId};
use usher_storage::query::group::GroupRow;
use usher_storage::{SourceKey, query};

use super::{MemberName, MembersChange};
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

/// An event names at most so many members; a larger change is told in several.
const NAMES_PER_EVENT: usize = 1000;

/// What a change did to a group's rows.
#[derive(Default)]
struct Effect {
    added: Vec<SourceUserId>,
    woken: Vec<SourceUserId>,
    removed: Vec<SourceUserId>,
    /// Members whom only reads knew: they came or went without changing what the push said.
    unpushed: Vec<SourceUserId>,
    pending_added: Vec<String>,
    pending_removed: u64,
    persons: BTreeMap<SourceUserId, PersonId>,
}

impl Unit<'_, '_> {
    /// Says that members of this group will be changed, so that what is read for that comes with what is read first; and
    /// whether some may be removed.
    ///
    /// Which rooms the group leads to is then read before its members are locked. That is early enough: only a unit beside
    /// which no other runs confirms or retires a mapping.
    ///
    /// # Errors
    /// What the database says.
    pub async fn foresee_members(
        &mut self,
        group: SourceGroupId,
        source: SourceKey,
        removes: bool,
    ) -> Result<(), EngineError> {
        let rooms = query::mapping::confirmed_rooms_later(self.tx, [group]).await?;
        self.foreseen_rooms = Some((group, rooms));
        if removes {
            self.foresee_source(source).await?;
        }
        Ok(())
    }

    /// Changes the members of a group, step by step. Naming somebody who is a member, or removing somebody
    /// who is none, changes nothing and succeeds.
    ///
    /// A member that nobody knows is kept and becomes a member when its user comes.
    ///
    /// # Errors
    /// What the database says.
    pub async fn change_members(
        &mut self,
        group: &GroupRow,
        changes: Vec<MembersChange>,
    ) -> Result<GroupRow, EngineError> {
        let mut effect = Effect::default();
        for change in changes {
            match change {
                MembersChange::Add(members) => self.add_members(group, members, &mut effect).await?,
                MembersChange::Remove(values) => self.remove_members(group, values, &mut effect).await?,
                MembersChange::RemoveAll => self.replace_members(group, Vec::new(), &mut effect).await?,
                MembersChange::Replace(members) => self.replace_members(group, members, &mut effect).await?,
            }
        }
        self.note_effect(group, effect).await
    }

    async fn add_members(
        &mut self,
        group: &GroupRow,
        members: Vec<MemberName>,
        effect: &mut Effect,
    ) -> Result<(), EngineError> {
        let ids = user_ids(&members);
        // Whoever is added is known a moment later.
        let added = match ids.is_empty() {
            true => None,
            false => Some(query::member::add(self.tx, group.id, group.source, ids.clone(), self.now).await?),
        };
        let known = query::user::persons_of(self.tx, group.source, ids).await?;
        let known = self.tx.rows(known).await?.into_iter().collect();
        let (users, unknown) = self.sort_members(group, members, known, effect).await?;
        if let Some(added) = added {
            let added = self.tx.rows(added).await?;
            if added.len() < users.len() {
                if self.is_also_read(group.source).await? {
                    let claimed = query::pulled::claim(self.tx, group.id, &users, self.now).await?;
                    effect.added.extend(claimed);
                }
                effect
                    .woken
                    .extend(query::member::wake(self.tx, group.id, &users, self.now).await?);
            }
            effect.added.extend(added);
        }
        if !unknown.is_empty() {
            let added =
                query::member::add_pending(self.tx, group.id, group.source, &unknown, self.now).await?;
            effect.pending_added.extend(added);
        }
        Ok(())
    }

    async fn remove_members(
        &mut self,
        group: &GroupRow,
        values: Vec<String>,
        effect: &mut Effect,
    ) -> Result<(), EngineError> {
        let users: Vec<SourceUserId> = values.iter().filter_map(|value| value.parse().ok()).collect();
        if users.is_empty() {
            effect.pending_removed += query::member::remove_pending(self.tx, group.id, values).await?;
            return Ok(());
        }
        let persons = query::member::persons_of_users_later(self.tx, &users).await?;
        let removed = self.remove_rows(group, &users, effect).await?;
        if removed.len() < values.len() {
            effect.pending_removed += query::member::remove_pending(self.tx, group.id, values).await?;
        }
        effect.persons.extend(self.tx.rows(persons).await?);
        effect.removed.extend(removed);
        Ok(())
    }

    async fn replace_members(
        &mut self,
        group: &GroupRow,
        members: Vec<MemberName>,
        effect: &mut Effect,
    ) -> Result<(), EngineError> {
        let values: Vec<String> = members.iter().map(|member| member.value.clone()).collect();
        let keep: Vec<SourceUserId> = values.iter().filter_map(|value| value.parse().ok()).collect();
        let removed = if self.is_also_read(group.source).await? {
            let others = query::pulled::others(self.tx, group.id, &keep).await?;
            let (removed, unpushed) =
                query::pulled::remove_pushed(self.tx, group.id, &others, self.now).await?;
            self.note_unpushed(unpushed, effect).await?;
            removed
        } else {
            query::member::keep_only(self.tx, group.id, &keep).await?
        };
        effect.pending_removed += query::member::keep_only_pending(self.tx, group.id, values).await?;
        self.note_removed(removed, effect).await?;
        self.add_members(group, members, effect).await
    }

    async fn remove_rows(
        &mut self,
        group: &GroupRow,
        users: &[SourceUserId],
        effect: &mut Effect,
    ) -> Result<Vec<SourceUserId>, EngineError> {
        if !self.is_also_read(group.source).await? {
            return Ok(query::member::remove(self.tx, group.id, users).await?);
        }
        let (removed, unpushed) = query::pulled::remove_pushed(self.tx, group.id, users, self.now).await?;
        self.note_unpushed(unpushed, effect).await?;
        Ok(removed)
    }

    async fn note_unpushed(
        &mut self,
        unpushed: Vec<SourceUserId>,
        effect: &mut Effect,
    ) -> Result<(), EngineError> {
        if !unpushed.is_empty() {
            effect
                .persons
                .extend(query::member::persons_of_users(self.tx, &unpushed).await?);
            effect.unpushed.extend(unpushed);
        }
        Ok(())
    }

    /// Of a group that only reads know: keeps members that nobody knows until their user comes.
    pub(crate) async fn await_pulled_members(
        &mut self,
        group: &GroupRow,
        values: Vec<String>,
    ) -> Result<(), EngineError> {
        let values: Vec<_> = values.into_iter().map(|value| (value, Some("User"))).collect();
        let effect = Effect {
            pending_added: query::member::add_pending(self.tx, group.id, group.source, &values, self.now)
                .await?,
            ..Effect::default()
        };
        self.note_effect(group, effect).await?;
        Ok(())
    }

    /// Of a group that only reads know: members that nobody knows and that a complete read did not name are awaited no
    /// more.
    pub(crate) async fn await_only(
        &mut self,
        group: &GroupRow,
        values: Vec<String>,
    ) -> Result<(), EngineError> {
        let effect = Effect {
            pending_removed: query::member::keep_only_pending(self.tx, group.id, values).await?,
            ..Effect::default()
        };
        self.note_effect(group, effect).await?;
        Ok(())
    }

    /// Writes down what a read did to the members of a group.
    pub(crate) async fn note_pulled_members(
        &mut self,
        group: &GroupRow,
        added: Vec<SourceUserId>,
        woken: Vec<SourceUserId>,
        removed: Vec<SourceUserId>,
    ) -> Result<(), EngineError> {
        let users: Vec<SourceUserId> = added.iter().chain(&woken).chain(&removed).copied().collect();
        if users.is_empty() {
            return Ok(());
        }
        let persons = query::member::persons_of_users(self.tx, &users).await?;
        let mut effect = Effect {
            persons: persons.into_iter().collect(),
            ..Effect::default()
        };
        if group.pushed {
            self.tell_members(group, &added, &removed);
            effect.unpushed = users;
        } else {
            (effect.added, effect.woken, effect.removed) = (added, woken, removed);
        }
        self.note_effect(group, effect).await?;
        Ok(())
    }

    /// Tells users of this source from values that name nobody, each once.
    async fn sort_members(
        &mut self,
        group: &GroupRow,
        members: Vec<MemberName>,
        known: BTreeMap<SourceUserId, PersonId>,
        effect: &mut Effect,
    ) -> Result<(Vec<SourceUserId>, Vec<(String, Option<&'static str>)>), EngineError> {
        let mut unknown = BTreeMap::new();
        for member in members {
            let user = member
                .value
                .parse::<SourceUserId>()
                .ok()
                .filter(|_| member.kind != Some(MemberKind::Group));
            if !user.is_some_and(|user| known.contains_key(&user)) {
                let kind = member.kind.map(|kind| match kind {
                    MemberKind::User => "User",
                    MemberKind::Group => "Group",
                });
                unknown.insert(member.value, kind);
            }
        }
        if !unknown.is_empty() {
            let ids = unknown
                .keys()
                .filter_map(|value| value.parse::<SourceGroupId>().ok());
            for nested in query::group::live(self.tx, group.source, ids.collect::<Vec<_>>()).await? {
                unknown.insert(nested.to_string(), Some("Group"));
            }
        }
        let users = known.keys().copied().collect();
        effect.persons.extend(known);
        Ok((users, unknown.into_iter().collect()))
    }

    async fn note_removed(
        &mut self,
        removed: Vec<SourceUserId>,
        effect: &mut Effect,
    ) -> Result<(), EngineError> {
        if !removed.is_empty() {
            let persons = query::member::persons_of_users(self.tx, &removed).await?;
            effect.persons.extend(persons);
            effect.removed.extend(removed);
        }
        Ok(())
    }

    async fn note_effect(&mut self, group: &GroupRow, effect: Effect) -> Result<GroupRow, EngineError> {
        let Effect {
            added,
            woken,
            removed,
            unpushed,
            pending_added,
            pending_removed,
            persons,
        } = effect;
        for user in added.iter().chain(&woken).chain(&removed).chain(&unpushed) {
            if let Some(person) = persons.get(user) {
                self.touched.members.insert((group.id, *person));
            }
        }
        self.expected.arrivals |= !added.is_empty();
        self.expected.endings |= !removed.is_empty();
        let changed =
            !(added.is_empty() && removed.is_empty() && pending_added.is_empty()) || pending_removed > 0;
        if !changed {
            return Ok(group.clone());
        }
        let about = About {
            source: Some(group.source),
            ..About::default()
        };
        self.tell_members(group, &added, &removed);
        for values in pending_added.chunks(NAMES_PER_EVENT) {
            self.tell(
                EventKind::GroupMembersPending,
                about,
                &json!({ "group": group.id, "values": values }),
            );
        }
        let plus = added.len() + pending_added.len();
        let minus = removed.len() + usize::try_from(pending_removed).unwrap_or(usize::MAX);
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let group = GroupRow {
            member_count: group.member_count + count(plus) - count(minus),
            version: group.version + 1,
            modified: self.now,
            ..group.clone()
        };
        query::group::touch(
            self.tx,
            group.id,
            group.member_count,
            group.version,
            group.modified,
        )
        .await?;
        Ok(group)
    }

    fn tell_members(&mut self, group: &GroupRow, added: &[SourceUserId], removed: &[SourceUserId]) {
        let about = About {
            source: Some(group.source),
            ..About::default()
        };
        let mut rest = (added, removed);
        while !(rest.0.is_empty() && rest.1.is_empty()) {
            let (some_added, more_added) = rest.0.split_at(rest.0.len().min(NAMES_PER_EVENT));
            let (some_removed, more_removed) = rest.1.split_at(rest.1.len().min(NAMES_PER_EVENT));
            let data = json!({ "group": group.id, "added": some_added, "removed": some_removed });
            self.tell(EventKind::GroupMembersChanged, about, &data);
            rest = (more_added, more_removed);
        }
    }
}

/// The ids of users that members may have.
fn user_ids(members: &[MemberName]) -> BTreeSet<SourceUserId> {
    members
        .iter()
        .filter(|member| member.kind != Some(MemberKind::Group))
        .filter_map(|member| member.value.parse().ok())
        .collect()
}
