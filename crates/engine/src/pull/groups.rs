//! Groups whom a read saw, and the members that it added or removed one by one.

use std::collections::BTreeMap;

use usher_core::{GroupRecord, RemoteGroupId, RemoteUserId, SourceUserId};
use usher_storage::query;
use usher_storage::query::group::GroupRow;

use super::Reading;
use crate::directory::GroupData;
use crate::unit::Unit;
use crate::{EngineError, EventKind};

/// Members of one group that a read named.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) added: Vec<RemoteUserId>,
    pub(super) removed: Vec<RemoteUserId>,
}

/// What became of the members that a read named.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those whom the directory knows, in the order of their ids.
    pub(super) users: Vec<SourceUserId>,
    /// Those whom it does not know yet.
    pub(super) strangers: Vec<String>,
    /// How many became members.
    pub(super) added: u64,
    /// How many are no members any more.
    pub(super) removed: u64,
    /// How many the other side contradicts.
    pub(super) doubted: u64,
    /// Whether a further complete read has something to decide.
    pub(super) again: bool,
}

impl Unit<'_, '_> {
    /// Takes a group as a read saw it, without its members.
    pub(super) async fn pull_group(
        &mut self,
        reading: &Reading,
        record: GroupRecord,
    ) -> Result<GroupRow, EngineError> {
        let remote_id = record.id.to_string();
        let known = self.find_pulled_group(reading, &record).await?;
        let data = GroupData {
            display_name: record.display_name,
            external_id: record.external_id,
            resource: serde_json::Value::Object(record.resource).to_string(),
        };
        let Some(known) = known else {
            let group = GroupRow {
                id: self.id(),
                source: reading.source,
                remote_id: Some(remote_id),
                external_id: data.external_id,
                display_name: data.display_name,
                member_count: 0,
                gone: None,
                version: 1,
                created: self.now,
                modified: self.now,
                resource: data.resource,
                pushed: false,
                assigned: !reading.plan.require_assignment,
            };
            query::group::insert(self.tx, &group).await?;
            self.tell_group(EventKind::GroupCreated, &group);
            self.bind_waiting(&group).await?;
            if query::mapping::confirmed_rooms(self.tx, [group.id])
                .await?
                .is_empty()
            {
                self.tell_group(EventKind::GroupParked, &group);
            }
            return Ok(group);
        };
        let is_same = known.pushed
            || known.resource == data.resource
                && known.display_name == data.display_name
                && known.external_id == data.external_id;
        if is_same && known.remote_id.as_ref() == Some(&remote_id) {
            return Ok(known);
        }
        let mut group = GroupRow {
            remote_id: Some(remote_id),
            ..known
        };
        if !is_same {
            group.display_name = data.display_name;
            group.external_id = data.external_id;
            group.resource = data.resource;
            group.version += 1;
            group.modified = self.now;
            self.tell_group(EventKind::GroupChanged, &group);
        }
        query::group::update(self.tx, &group).await?;
        self.bind_waiting(&group).await?;
        Ok(group)
    }

    /// The group that a read saw: by the provider's id, else by the `externalId` that a push brought.
    async fn find_pulled_group(
        &mut self,
        reading: &Reading,
        record: &GroupRecord,
    ) -> Result<Option<GroupRow>, EngineError> {
        let known = query::group::by_remote_id(self.tx, reading.source, record.id.as_str()).await?;
        if known.is_some() || !reading.beside_push {
            return Ok(known);
        }
        if let Some(external_id) = &record.external_id {
            let pushed = query::group::by_external_id(self.tx, reading.source, external_id).await?;
            if let Some(group) = pushed.into_iter().next() {
                return Ok(Some(group));
            }
        }
        self.same_named_group(reading, record).await
    }

    /// Takes whether a group is assigned to the application. Everybody in it is decided about again when that changed.
    pub(super) async fn pull_assignment(
        &mut self,
        reading: &Reading,
        group: &RemoteGroupId,
        assigned: bool,
    ) -> Result<(), EngineError> {
        let Some(group) = query::group::by_remote_id(self.tx, reading.source, group.as_str()).await? else {
            return Ok(());
        };
        let assigned = reading.counts(assigned);
        if group.assigned == assigned {
            return Ok(());
        }
        let group = GroupRow { assigned, ..group };
        query::group::update(self.tx, &group).await?;
        let kind = if assigned {
            EventKind::GroupAssigned
        } else {
            EventKind::GroupUnassigned
        };
        self.tell_group(kind, &group);
        for (_, room) in query::mapping::confirmed_rooms(self.tx, [group.id]).await? {
            self.settle_group_people(room, group.id).await?;
        }
        Ok(())
    }

    /// Takes members that a read named. What the provider said to be removed ends at once where it is only read; beside
    /// a push it is the first doubt.
    pub(super) async fn pull_members(
        &mut self,
        reading: &Reading,
        group: &GroupRow,
        named: Named,
    ) -> Result<Seen, EngineError> {
        let ids = named
            .added
            .iter()
            .chain(&named.removed)
            .map(ToString::to_string)
            .collect();
        let known: BTreeMap<String, SourceUserId> =
            query::pulled_user::ids_by_remote_ids(self.tx, reading.source, ids)
                .await?
                .into_iter()
                .map(|(remote_id, user, _)| (remote_id, user))
                .collect();
        let find = |ids: &[RemoteUserId]| {
            let mut users: Vec<_> = ids
                .iter()
                .filter_map(|id| known.get(id.as_str()))
                .copied()
                .collect();
            users.sort_unstable();
            users.dedup();
            users
        };
        let (users, left) = (find(&named.added), find(&named.removed));
        let mut seen = Seen::default();
        let is_stranger = |id: &&RemoteUserId| !known.contains_key(id.as_str());
        seen.strangers = named
            .added
            .iter()
            .filter(is_stranger)
            .map(ToString::to_string)
            .collect();
        let (mut added, mut woken, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        if !users.is_empty() {
            self.distrust_young(reading, group, &users).await?;
            added = query::pulled::add(self.tx, group.id, &users, self.now, reading.beside_push).await?;
            if added.len() < users.len() {
                if reading.beside_push {
                    query::pulled::agree(self.tx, group.id, &users).await?;
                    let left_out = query::pulled::removed_among(self.tx, group.id, &users).await?;
                    seen.again = !left_out.is_empty();
                } else {
                    woken = query::pulled::confirm(self.tx, group.id, &users).await?;
                }
            }
        }
        if !left.is_empty() {
            if reading.beside_push {
                seen.again = true;
                query::pulled::doubt(self.tx, group.id, &left, reading.plan.begun).await?;
                seen.doubted = count(&left);
            } else {
                removed = query::member::remove(self.tx, group.id, &left).await?;
            }
        }
        seen.added = count(&added) + count(&woken);
        seen.removed = count(&removed);
        self.note_pulled_members(group, added, woken, removed).await?;
        if !group.pushed && !seen.strangers.is_empty() {
            let group = query::group::by_id(self.tx, group.source, group.id)
                .await?
                .ok_or_else(|| EngineError::not_found("group", group.id))?;
            self.await_pulled_members(&group, seen.strangers.clone()).await?;
        }
        seen.users = users;
        Ok(seen)
    }

    /// Of a group that a push deleted and that a read saw again: whoever is in it, counts as removed by that push for a
    /// settle time, because the read may be late.
    async fn distrust_young(
        &mut self,
        reading: &Reading,
        group: &GroupRow,
        users: &[SourceUserId],
    ) -> Result<(), EngineError> {
        let settled = group.created.plus(reading.plan.settle);
        if !reading.beside_push || group.pushed || settled <= reading.plan.begun {
            return Ok(());
        }
        let Some(remote_id) = group.remote_id.as_deref() else {
            return Ok(());
        };
        let names = (remote_id, group.external_id.as_deref());
        if let Some(gone) = query::pulled::pushed_group_gone(self.tx, reading.source, names).await? {
            query::pulled::distrust_newcomers(self.tx, group.id, users, gone).await?;
        }
        Ok(())
    }
}

fn count(users: &[SourceUserId]) -> u64 {
    u64::try_from(users.len()).unwrap_or(u64::MAX)
}
