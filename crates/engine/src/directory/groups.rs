//! Groups of sources: they come, are renamed, and are deleted.

use serde_json::json;
use usher_core::{EndReason, GroupNaming, MappingState, SourceGroupId};
use usher_storage::query::group::GroupRow;
use usher_storage::query::mapping::MappingRow;
use usher_storage::{SourceKey, query};

use super::{GroupData, MemberName, MembersChange};
use crate::unit::{About, Removal, Unit};
use crate::{EngineError, EventKind};

impl Unit<'_, '_> {
    /// Takes a new group of a source, with the members that came along.
    ///
    /// A mapping that waits for the group is bound to it. A group that no confirmed mapping names is parked:
    /// it is kept, and gives nobody access.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] when a live group of the source has the `externalId`, or has the name and
    /// another `externalId`.
    pub async fn create_group(
        &mut self,
        source: SourceKey,
        id: SourceGroupId,
        data: GroupData,
        members: Vec<MemberName>,
    ) -> Result<GroupRow, EngineError> {
        self.alone()?;
        if self.is_also_read(source).await?
            && let Some(seen) = self.group_seen_by_reads(source, &data).await?
        {
            return self.take_over_group(seen, data, members).await;
        }
        self.refuse_taken_group(source, &data, None).await?;
        let group = GroupRow {
            id,
            source,
            remote_id: data.external_id.clone(),
            external_id: data.external_id,
            display_name: data.display_name,
            member_count: 0,
            gone: None,
            version: 1,
            created: self.now,
            modified: self.now,
            resource: data.resource,
            pushed: true,
            assigned: true,
        };
        query::group::insert(self.tx, &group).await?;
        self.tell_group(EventKind::GroupCreated, &group);
        self.bind_waiting(&group).await?;
        if query::mapping::confirmed_rooms(self.tx, [id]).await?.is_empty() {
            self.tell_group(EventKind::GroupParked, &group);
        }
        if members.is_empty() {
            return Ok(group);
        }
        let group = self
            .change_members(&group, vec![MembersChange::Add(members)])
            .await?;
        let born = GroupRow { version: 1, ..group };
        query::group::touch(self.tx, id, born.member_count, born.version, born.modified).await?;
        Ok(born)
    }

    /// A push brings a group that only reads saw so far. Its members count as pushed from when the push names them.
    async fn take_over_group(
        &mut self,
        seen: GroupRow,
        data: GroupData,
        members: Vec<MemberName>,
    ) -> Result<GroupRow, EngineError> {
        let group = GroupRow {
            pushed: true,
            external_id: data.external_id,
            display_name: data.display_name,
            member_count: 0,
            version: seen.version + 1,
            modified: self.now,
            resource: data.resource,
            ..seen
        };
        query::group::update(self.tx, &group).await?;
        self.tell_group(EventKind::GroupJoined, &group);
        self.bind_waiting(&group).await?;
        self.change_members(&group, vec![MembersChange::Add(members)])
            .await
    }

    /// Takes what a source says of a known group now, without its members. Saying the same again changes
    /// nothing.
    ///
    /// # Errors
    /// As [`Unit::create_group`].
    pub async fn update_group(
        &mut self,
        before: &GroupRow,
        data: GroupData,
    ) -> Result<GroupRow, EngineError> {
        if before.resource == data.resource
            && before.display_name == data.display_name
            && before.external_id == data.external_id
        {
            return Ok(before.clone());
        }
        self.alone()?;
        self.refuse_taken_group(before.source, &data, Some(before.id))
            .await?;
        let group = GroupRow {
            remote_id: before.remote_id.clone().or_else(|| data.external_id.clone()),
            external_id: data.external_id,
            display_name: data.display_name,
            version: before.version + 1,
            modified: self.now,
            resource: data.resource,
            ..before.clone()
        };
        query::group::update(self.tx, &group).await?;
        self.tell_group(EventKind::GroupChanged, &group);
        self.bind_waiting(&group).await?;
        Ok(group)
    }

    /// Takes that a source deleted a group. What it backed ends, through the brake; rooms stay.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_group(&mut self, group: &GroupRow) -> Result<(), EngineError> {
        self.alone()?;
        let people = query::member::remove_group(self.tx, group.id).await?;
        let gone = GroupRow {
            gone: Some(self.now),
            member_count: 0,
            version: group.version + 1,
            modified: self.now,
            ..group.clone()
        };
        query::group::update(self.tx, &gone).await?;
        self.tell_group(EventKind::GroupDeleted, &gone);
        self.settle_now().await?;
        self.touched
            .members
            .extend(people.into_iter().map(|person| (group.id, person)));
        self.settle_as(Removal {
            reason: EndReason::GroupDeleted,
            braked: true,
        })
        .await
    }

    /// Binds mappings that wait for a group by its id, or by its name where exactly one group has it. A group
    /// that was deleted and comes back with the same immutable id is the same group; a namesake is not.
    pub(crate) async fn bind_waiting(&mut self, group: &GroupRow) -> Result<(), EngineError> {
        let mut keys = vec![group.id.to_string(), group.display_name.to_lowercase()];
        keys.extend(group.external_id.as_ref().map(|id| id.to_lowercase()));
        keys.extend(group.remote_id.as_ref().map(|id| id.to_lowercase()));
        for mapping in query::mapping::waiting(self.tx, group.source, keys).await? {
            self.alone()?;
            let fits = match mapping.named_by {
                GroupNaming::Id => true,
                GroupNaming::Name => {
                    query::group::by_name(self.tx, group.source, &mapping.group_ref)
                        .await?
                        .len()
                        == 1
                }
            };
            if fits && names(&mapping, group) {
                let bound = MappingRow {
                    group: Some(group.id),
                    ..mapping
                };
                query::mapping::update(self.tx, &bound).await?;
                let about = About {
                    source: Some(group.source),
                    room: Some(bound.room),
                    ..About::default()
                };
                let data =
                    json!({ "mapping": bound.id, "group": group.id, "group_name": group.display_name });
                self.tell(EventKind::MappingBound, about, &data);
                if bound.state == MappingState::Confirmed {
                    self.settle_group_people(bound.room, group.id).await?;
                }
            }
        }
        Ok(())
    }

    async fn refuse_taken_group(
        &mut self,
        source: SourceKey,
        data: &GroupData,
        except: Option<SourceGroupId>,
    ) -> Result<(), EngineError> {
        let Some(external_id) = &data.external_id else {
            return Ok(());
        };
        let others = query::group::by_external_id(self.tx, source, external_id).await?;
        if others.iter().any(|other| Some(other.id) != except) {
            return Err(EngineError::Conflict(format!(
                "externalId '{external_id}' belongs to another group of this source: look that group up with a filter \
                 and update it"
            )));
        }
        Ok(())
    }

    pub(crate) fn tell_group(&mut self, kind: EventKind, group: &GroupRow) {
        let about = About {
            source: Some(group.source),
            ..About::default()
        };
        let data = json!({ "group": group.id, "display_name": group.display_name, "external_id": group.external_id });
        self.tell(kind, about, &data);
    }
}

/// Whether a mapping's reference is this group, compared as its way of naming asks.
fn names(mapping: &MappingRow, group: &GroupRow) -> bool {
    match mapping.named_by {
        GroupNaming::Id => {
            let is_it = |id: &String| id.eq_ignore_ascii_case(&mapping.group_ref);
            is_it(&group.id.to_string())
                || group.external_id.as_ref().is_some_and(is_it)
                || group.remote_id.as_ref().is_some_and(is_it)
        }
        GroupNaming::Name => group.display_name.to_lowercase() == mapping.group_ref.to_lowercase(),
    }
}
