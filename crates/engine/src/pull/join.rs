//! What was pushed and what was read are the same user or group: by an id that is believed, else by the name if nothing
//! hangs on it yet, else because a human says so.

use usher_core::{GroupRecord, RemoteGroupId, SourceGroupId, SourceUserId, UserRecord};
use usher_storage::query::group::GroupRow;
use usher_storage::query::pulled_user::PulledUser;
use usher_storage::query::source::SourceRow;
use usher_storage::query::user::{UserRow, name_key};
use usher_storage::{SourceKey, query};

use super::Reading;
use crate::directory::{GroupData, UserData};
use crate::policy::SourcePolicy;
use crate::unit::Unit;
use crate::{EngineError, EventKind};

impl Unit<'_, '_> {
    /// Of users whom a read saw first, joins those that a push brought; answers the others and how many were joined. One
    /// that only the name tells, and on which a history hangs, waits for a human and is in neither.
    pub(super) async fn join_by_themselves(
        &mut self,
        reading: &Reading,
        records: Vec<UserRecord>,
        rules: &SourcePolicy,
    ) -> Result<(Vec<UserRecord>, u64), EngineError> {
        let keys = records.iter().map(|record| name_key(&record.user_name)).collect();
        let holders = query::pulled_user::holders_of_names(self.tx, reading.source, keys).await?;
        let mut rest = Vec::new();
        let mut joined = 0;
        for record in records {
            if let Some(row) = self
                .pushed_with_external_id(reading.source, &record, rules)
                .await?
            {
                self.join(&row, &record).await?;
                joined += 1;
                continue;
            }
            let key = name_key(&record.user_name);
            match holders.iter().find(|(name, _, pushed)| *pushed && *name == key) {
                None => rest.push(record),
                Some((_, holder, _)) => {
                    joined += u64::from(self.join_by_name(reading.source, *holder, &record).await?);
                }
            }
        }
        Ok((rest, joined))
    }

    async fn pushed_with_external_id(
        &mut self,
        source: SourceKey,
        record: &UserRecord,
        rules: &SourcePolicy,
    ) -> Result<Option<UserRow>, EngineError> {
        let Some(external_id) = record.external_id.as_ref().filter(|id| rules.trusts(id)) else {
            return Ok(None);
        };
        let rows = query::user::by_external_id(self.tx, source, external_id).await?;
        Ok(rows.into_iter().find(|row| row.pushed))
    }

    async fn join_by_name(
        &mut self,
        source: SourceKey,
        holder: SourceUserId,
        record: &UserRecord,
    ) -> Result<bool, EngineError> {
        let Some(row) = query::user::by_id(self.tx, source, holder).await? else {
            return Ok(false);
        };
        let is_known = row
            .remote_id
            .as_deref()
            .is_some_and(|id| id != record.id.as_str());
        if is_known || query::pulled_user::has_history(self.tx, row.person).await? {
            self.park_pulled(source, record).await?;
            return Ok(false);
        }
        self.join(&row, record).await?;
        Ok(true)
    }

    async fn join(&mut self, row: &UserRow, record: &UserRecord) -> Result<(), EngineError> {
        let row = UserRow {
            remote_id: Some(record.id.to_string()),
            ..row.clone()
        };
        query::user::update(self.tx, &row).await?;
        query::pulled_user::unpark_user(self.tx, row.source, record.id.as_str()).await?;
        self.tell_user(EventKind::UserJoined, &row);
        self.hear_beside_push(&row, record, false).await?;
        Ok(())
    }

    /// The user that only reads saw so far and that this push means. By the name alone only while nothing hangs on it.
    pub(crate) async fn seen_by_reads(
        &mut self,
        source: SourceKey,
        rules: &SourcePolicy,
        data: &UserData,
    ) -> Result<Option<UserRow>, EngineError> {
        if let Some(external_id) = data.external_id.as_ref().filter(|id| rules.trusts(id)) {
            let by_id = query::user::by_remote_id(self.tx, source, external_id).await?;
            if let Some(row) = by_id.filter(|row| row.gone.is_none() && !row.pushed) {
                return Ok(Some(row));
            }
            let others = query::user::by_external_id(self.tx, source, external_id).await?;
            if let Some(row) = others.into_iter().find(|row| !row.pushed) {
                return Ok(Some(row));
            }
        }
        let namesake = query::user::by_name(self.tx, source, &data.user_name).await?;
        let Some(row) = namesake.filter(|row| !row.pushed) else {
            return Ok(None);
        };
        if query::pulled_user::has_history(self.tx, row.person).await? {
            return Err(EngineError::Conflict(format!(
                "userName '{}' belongs to an account that was read from this provider and that is or was in a room; send \
                 its immutable id as externalId, or have an operator join the two with `usher source join`",
                data.user_name
            )));
        }
        Ok(Some(row))
    }

    /// A push brings a user that only reads saw so far. What they said of it is kept beside what is pushed.
    pub(crate) async fn take_over(
        &mut self,
        row: UserRow,
        mut data: UserData,
    ) -> Result<UserRow, EngineError> {
        let rules = self.source_policy(row.source).await?;
        let said = PulledUser {
            active: row.active,
            gone: false,
            said: row.modified,
            record: row.resource.clone(),
        };
        query::pulled_user::put_user(self.tx, row.id, &said).await?;
        data.active = data.active && said.is_usable();
        let before = UserRow { pushed: true, ..row };
        self.tell_user(EventKind::UserJoined, &before);
        self.put_user(&before, data, &rules, false).await
    }

    /// The pushed group without an id of the provider that has the name of a group that a read saw, if exactly one has it
    /// and no room hangs on it.
    pub(super) async fn same_named_group(
        &mut self,
        reading: &Reading,
        record: &GroupRecord,
    ) -> Result<Option<GroupRow>, EngineError> {
        let mut named = query::group::by_name(self.tx, reading.source, &record.display_name).await?;
        let Some(group) = named.pop().filter(|group| {
            named.is_empty() && group.pushed && group.remote_id.is_none() && group.external_id.is_none()
        }) else {
            return Ok(None);
        };
        let is_mapped = query::mapping::names_group(self.tx, group.id).await?;
        Ok((!is_mapped).then_some(group))
    }

    /// The group that only reads saw so far and that this push means.
    pub(crate) async fn group_seen_by_reads(
        &mut self,
        source: SourceKey,
        data: &GroupData,
    ) -> Result<Option<GroupRow>, EngineError> {
        if let Some(external_id) = &data.external_id {
            let known = query::group::by_external_id(self.tx, source, external_id).await?;
            return Ok(known.into_iter().find(|group| !group.pushed));
        }
        let mut named = query::group::by_name(self.tx, source, &data.display_name).await?;
        let Some(group) = named.pop().filter(|group| named.is_empty() && !group.pushed) else {
            return Ok(None);
        };
        let is_mapped = query::mapping::names_group(self.tx, group.id).await?;
        Ok((!is_mapped).then_some(group))
    }

    /// A human says that a user who was read and the pushed one of the same name are the same.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when nobody with the id waits; [`EngineError::Refused`] `nobody_to_join` when no pushed
    /// user has the name any more.
    pub async fn join_user(
        &mut self,
        source: &SourceRow,
        remote_id: &str,
    ) -> Result<SourceUserId, EngineError> {
        let parked = query::pulled_user::parked_by_id(self.tx, source.key, remote_id)
            .await?
            .ok_or_else(|| EngineError::not_found("waiting user", remote_id))?;
        let row = query::user::by_name(self.tx, source.key, &parked.user_name)
            .await?
            .filter(|row| row.pushed);
        let Some(row) = row else {
            return Err(EngineError::refused(
                "nobody_to_join",
                format!("no pushed user is called '{}' any more", parked.user_name),
                "read the source again: the user then comes in by themselves",
            ));
        };
        let record: serde_json::Value = serde_json::from_str(&parked.record).unwrap_or_default();
        let row = UserRow {
            remote_id: Some(parked.remote_id.clone()),
            ..row
        };
        query::user::update(self.tx, &row).await?;
        query::pulled_user::unpark_user(self.tx, source.key, remote_id).await?;
        self.tell_user(EventKind::UserJoined, &row);
        let said = PulledUser {
            active: record["active"].as_bool().unwrap_or(true),
            gone: false,
            said: parked.since,
            record: parked.record,
        };
        self.weigh_sides(&row, said).await?;
        Ok(row.id)
    }

    /// A human says which group of the provider a pushed group is. The next read speaks of it then.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::Refused`] `group_joined` when it is known to be another one, or another
    /// group is known to be this one.
    pub async fn join_group(
        &mut self,
        source: &SourceRow,
        group: SourceGroupId,
        remote_id: &RemoteGroupId,
    ) -> Result<(), EngineError> {
        let row = query::group::by_id(self.tx, source.key, group)
            .await?
            .ok_or_else(|| EngineError::not_found("group", group))?;
        let other = query::group::by_remote_id(self.tx, source.key, remote_id.as_str()).await?;
        if row.remote_id.as_deref() == Some(remote_id.as_str()) {
            return Ok(());
        }
        if row.remote_id.is_some() || other.is_some() {
            return Err(EngineError::refused(
                "group_joined",
                format!(
                    "group '{}' or the provider's group '{remote_id}' is joined already",
                    row.display_name
                ),
                "look at both in the directory; replace the mapping if it names the wrong one",
            ));
        }
        let row = GroupRow {
            remote_id: Some(remote_id.to_string()),
            ..row
        };
        query::group::update(self.tx, &row).await?;
        self.tell_group(EventKind::GroupJoined, &row);
        Ok(())
    }
}
