//! What was pushed and what was read are the same user or group: by an id that is believed, else by the name if nothing
//! hangs on it yet, else because a human says so.

use std::collections::BTreeMap;

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
        if records.is_empty() {
            return Ok((records, 0));
        }
        let by_id = self
            .pushed_with_external_ids(reading.source, &records, rules)
            .await?;
        let keys = records.iter().map(|record| name_key(&record.user_name)).collect();
        let by_name: BTreeMap<String, UserRow> =
            query::pulled_user::pushed_by_names(self.tx, reading.source, keys)
                .await?
                .into_iter()
                .collect();
        let persons = by_name.values().map(|row| row.person).collect::<Vec<_>>();
        let bound = match persons.is_empty() {
            true => Vec::new(),
            false => query::pulled_user::with_history(self.tx, persons).await?,
        };
        let mut rest = Vec::new();
        let mut pairs: Vec<(UserRow, UserRecord)> = Vec::new();
        for record in records {
            if let Some(row) = record.external_id.as_ref().and_then(|id| by_id.get(id)) {
                pairs.push((row.clone(), record));
                continue;
            }
            let Some(row) = by_name.get(&name_key(&record.user_name)) else {
                rest.push(record);
                continue;
            };
            let is_other = row
                .remote_id
                .as_deref()
                .is_some_and(|id| id != record.id.as_str());
            let is_taken = is_other || pairs.iter().any(|(joined, _)| joined.id == row.id);
            if is_taken || bound.contains(&row.person) {
                self.park_pulled(reading.source, &record).await?;
            } else {
                pairs.push((row.clone(), record));
            }
        }
        let joined = u64::try_from(pairs.len()).unwrap_or(u64::MAX);
        self.join(reading.source, pairs).await?;
        Ok((rest, joined))
    }

    /// Pushed users by those of the records' `externalId`s that are believed.
    async fn pushed_with_external_ids(
        &mut self,
        source: SourceKey,
        records: &[UserRecord],
        rules: &SourcePolicy,
    ) -> Result<BTreeMap<String, UserRow>, EngineError> {
        let ids: Vec<String> = records
            .iter()
            .filter_map(|record| record.external_id.clone().filter(|id| rules.trusts(id)))
            .collect();
        let mut found = BTreeMap::new();
        if ids.is_empty() {
            return Ok(found);
        }
        for row in query::pulled_user::pushed_by_external_ids(self.tx, source, ids).await? {
            if let Some(id) = row.external_id.clone() {
                found.entry(id).or_insert(row);
            }
        }
        Ok(found)
    }

    async fn join(
        &mut self,
        source: SourceKey,
        pairs: Vec<(UserRow, UserRecord)>,
    ) -> Result<(), EngineError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let said = self
            .said_of(pairs.iter().map(|(row, _)| row.id).collect())
            .await?;
        let remote_ids = pairs.iter().map(|(_, record)| record.id.to_string()).collect();
        query::pulled_user::unpark_users(self.tx, source, remote_ids).await?;
        let mut heard = Vec::new();
        for (row, record) in pairs {
            let row = UserRow {
                remote_id: Some(record.id.to_string()),
                ..row
            };
            query::user::update(self.tx, &row).await?;
            self.tell_user(EventKind::UserJoined, &row);
            if let Some(news) = self.news(said.get(&row.id), &record) {
                heard.push((row, news));
            }
        }
        self.weigh_sides(heard).await
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
        let history = query::pulled_user::with_history(self.tx, [row.person]).await?;
        if !history.is_empty() {
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
        query::pulled_user::put_users(self.tx, [(row.id, &said)]).await?;
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
        let mappings = query::mapping::of_group(self.tx, group.id).await?;
        Ok(mappings.is_empty().then_some(group))
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
        let mappings = query::mapping::of_group(self.tx, group.id).await?;
        Ok(mappings.is_empty().then_some(group))
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
        query::pulled_user::unpark_users(self.tx, source.key, vec![remote_id.to_owned()]).await?;
        self.tell_user(EventKind::UserJoined, &row);
        let said = PulledUser {
            active: record["active"].as_bool().unwrap_or(true),
            gone: false,
            said: parked.since,
            record: parked.record,
        };
        let user = row.id;
        self.weigh_sides(vec![(row, said)]).await?;
        Ok(user)
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
