//! Users whom a read saw.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use usher_core::{PersonId, RemoteUserId, SourceUserId, UserRecord};
use usher_storage::query::pulled_user::{ParkedUser, PulledUser};
use usher_storage::query::user::{UserRow, name_key};
use usher_storage::{SourceKey, query};

use super::Reading;
use crate::directory::UserData;
use crate::directory::scope::{self, GUEST_EXTENSION};
use crate::directory::users::unchanged;
use crate::policy::SourcePolicy;
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

impl Unit<'_, '_> {
    /// Takes users as a read saw them; answers how many were new or changed. Of the same user the last record counts. With
    /// `named`, of those whom nobody knows only these are taken.
    pub(super) async fn pull_users(
        &mut self,
        reading: &Reading,
        records: Vec<UserRecord>,
        named: Option<&BTreeSet<RemoteUserId>>,
    ) -> Result<u64, EngineError> {
        let records: BTreeMap<RemoteUserId, UserRecord> = records
            .into_iter()
            .map(|record| (record.id.clone(), record))
            .collect();
        let ids = records.keys().map(ToString::to_string).collect();
        let known: BTreeMap<String, UserRow> =
            query::pulled_user::users_by_remote_ids(self.tx, reading.source, ids)
                .await?
                .into_iter()
                .filter_map(|row| Some((row.remote_id.clone()?, row)))
                .collect();
        let rules = self.source_policy(reading.source).await?;
        let pushed = known.values().filter(|row| row.pushed).map(|row| row.id);
        let said = self.said_of(pushed.collect()).await?;
        let mut heard = Vec::new();
        let mut fresh = Vec::new();
        let mut unnamed = Vec::new();
        let mut changed = Vec::new();
        let mut count = 0;
        for (id, record) in records {
            match known.get(&id.to_string()) {
                Some(row) if row.pushed => {
                    if let Some(news) = self.news(said.get(&row.id), &record) {
                        heard.push((row.clone(), news));
                    }
                }
                Some(row) => {
                    let data = data_of(record);
                    if !unchanged(row, &data) || row.scope != scope::scope(&self.policy, &rules, &data) {
                        changed.push((row.clone(), data));
                    }
                }
                None if named.is_none_or(|named| named.contains(&id)) => fresh.push(record),
                None => unnamed.push(record),
            }
        }
        if !unnamed.is_empty() {
            let ids = unnamed.iter().map(|record| record.id.to_string()).collect();
            let awaited = query::pulled_user::awaited(self.tx, reading.source, ids).await?;
            unnamed.retain(|record| awaited.iter().any(|id| id == record.id.as_str()));
            fresh.extend(unnamed);
        }
        count += u64::try_from(heard.len() + changed.len()).unwrap_or(u64::MAX);
        self.weigh_sides(heard).await?;
        self.change_pulled(reading.source, changed, &rules).await?;
        if reading.beside_push {
            let (rest, joined) = self.join_by_themselves(reading, fresh, &rules).await?;
            fresh = rest;
            count += joined;
        }
        count += u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        self.create_pulled(reading, fresh, &rules).await?;
        Ok(count)
    }

    /// Takes that the provider said that a user is gone; answers whether that changed anything.
    pub(super) async fn pull_user_gone(
        &mut self,
        reading: &Reading,
        id: &RemoteUserId,
    ) -> Result<bool, EngineError> {
        let rows =
            query::pulled_user::users_by_remote_ids(self.tx, reading.source, vec![id.to_string()]).await?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(false);
        };
        if row.pushed {
            let known = query::pulled_user::user(self.tx, row.id).await?;
            if known.as_ref().is_some_and(|known| known.gone) {
                return Ok(false);
            }
            let said = PulledUser {
                active: false,
                gone: true,
                said: self.now,
                record: known.map_or_else(|| "{}".into(), |known| known.record),
            };
            self.weigh_sides(vec![(row, said)]).await?;
            return Ok(true);
        }
        self.delete_user(&row).await?;
        Ok(true)
    }

    /// What the last read said of pushed users.
    pub(super) async fn said_of(
        &mut self,
        users: Vec<SourceUserId>,
    ) -> Result<BTreeMap<SourceUserId, PulledUser>, EngineError> {
        if users.is_empty() {
            return Ok(BTreeMap::new());
        }
        let said = query::pulled_user::users(self.tx, users).await?;
        Ok(said.into_iter().collect())
    }

    /// What a read says of a user whom a push brought, if the last one did not say the same. It is kept beside what was
    /// pushed, and only whether the account may be used has an effect: see [`Unit::weigh_sides`].
    pub(super) fn news(&self, known: Option<&PulledUser>, record: &UserRecord) -> Option<PulledUser> {
        let text = record_text(record);
        let is_same =
            known.is_some_and(|known| known.record == text && known.active == record.active && !known.gone);
        (!is_same).then_some(PulledUser {
            active: record.active,
            gone: false,
            said: self.now,
            record: text,
        })
    }

    /// Writes what a read said of pushed users, and decides whether their accounts may be used: only if neither side
    /// objects.
    pub(super) async fn weigh_sides(&mut self, users: Vec<(UserRow, PulledUser)>) -> Result<(), EngineError> {
        let said = users.iter().map(|(row, said)| (row.id, said));
        query::pulled_user::put_users(self.tx, said).await?;
        for (row, said) in users {
            let active = pushed_active(&row) && said.is_usable();
            if active == row.active {
                continue;
            }
            let user = UserRow {
                active,
                inactive_since: (!active).then_some(self.now),
                ..row
            };
            query::user::update(self.tx, &user).await?;
            let kind = if active {
                EventKind::UserReactivated
            } else {
                EventKind::UserDeactivated
            };
            self.tell_user(kind, &user);
            self.touch_person(user.person);
        }
        Ok(())
    }

    /// Users of a source that is only read, or that no push has brought yet, as they are now.
    async fn change_pulled(
        &mut self,
        source: SourceKey,
        changed: Vec<(UserRow, UserData)>,
        rules: &SourcePolicy,
    ) -> Result<(), EngineError> {
        let renamed: BTreeMap<String, SourceUserId> = changed
            .iter()
            .filter(|(row, data)| name_key(&row.user_name) != name_key(&data.user_name))
            .map(|(row, data)| (name_key(&data.user_name), row.id))
            .collect();
        self.free_names(source, renamed).await?;
        for (row, data) in changed {
            self.put_user(&row, data, rules, false).await?;
        }
        Ok(())
    }

    /// Users whom nobody knew. Of those whom a push had brought and deleted it is written that the push removed them from
    /// every group: the read may be late.
    async fn create_pulled(
        &mut self,
        reading: &Reading,
        records: Vec<UserRecord>,
        rules: &SourcePolicy,
    ) -> Result<(), EngineError> {
        if records.is_empty() {
            return Ok(());
        }
        let source = reading.source;
        let ids = records.iter().map(|record| record.id.to_string()).collect();
        let mut former: BTreeMap<String, PersonId> = BTreeMap::new();
        let mut distrusted: BTreeSet<String> = BTreeSet::new();
        for user in query::pulled_user::former(self.tx, source, ids).await? {
            if user.pushed && reading.beside_push {
                distrusted.insert(user.remote_id.clone());
            }
            former.insert(user.remote_id, user.person);
        }
        let mut returned = Vec::new();
        let mut users = Vec::with_capacity(records.len());
        let mut names = BTreeMap::new();
        for record in records {
            let remote_id = record.id.to_string();
            let data = data_of(record);
            let id = self.id();
            // Two users of one page with one name: the later one is found by it.
            names.insert(name_key(&data.user_name), id);
            users.push((id, remote_id, data));
        }
        self.free_names(source, names.clone()).await?;
        let emails: Vec<String> = users
            .iter()
            .filter_map(|(_, _, data)| scope::company_address(data))
            .collect();
        self.lock_addresses(emails.clone()).await?;
        let mut addresses: BTreeSet<String> = query::pulled_user::known_addresses(self.tx, emails)
            .await?
            .into_iter()
            .collect();
        let awaited = users.iter().map(|(_, remote_id, _)| remote_id.clone()).collect();
        let awaited: BTreeSet<String> = query::pulled_user::awaited(self.tx, source, awaited)
            .await?
            .into_iter()
            .collect();
        for (id, remote_id, data) in users {
            let email = scope::company_address(&data);
            let person = self
                .person_of(former.get(&remote_id).copied(), email.as_deref(), &data)
                .await?;
            let user = UserRow {
                id,
                source,
                person,
                external_id: data.external_id.clone(),
                scope: scope::scope(&self.policy, rules, &data),
                inactive_since: (!data.active).then_some(self.now),
                gone: None,
                version: 1,
                created: self.now,
                modified: self.now,
                user_name: data.user_name,
                display_name: data.display_name,
                active: data.active,
                resource: data.resource,
                pushed: false,
                email,
                remote_id: Some(remote_id.clone()),
            };
            if names.get(&name_key(&user.user_name)) != Some(&id) {
                self.yield_within_page(&user).await?;
            } else {
                query::user::insert(self.tx, &user).await?;
            }
            self.tell_user(EventKind::UserCreated, &user);
            if let Some(email) = &user.email
                && !addresses.insert(email.clone())
            {
                self.note_similar(&user).await?;
            }
            if distrusted.contains(&remote_id) {
                returned.push(id);
            } else if awaited.contains(&remote_id) {
                let groups =
                    query::member::claim_pending(self.tx, source, &[remote_id], id, self.now).await?;
                self.touched
                    .members
                    .extend(groups.into_iter().map(|group| (group, person)));
            }
        }
        if !returned.is_empty() {
            query::pulled::distrust_returned(self.tx, source, &returned).await?;
        }
        Ok(())
    }

    /// Inserts a user whose name belongs to a later one of the same page.
    async fn yield_within_page(&mut self, user: &UserRow) -> Result<(), EngineError> {
        let holder = query::user::by_name(self.tx, user.source, &user.user_name).await?;
        if let Some(holder) = holder {
            query::pulled_user::yield_names(self.tx, &[holder.id]).await?;
        }
        query::user::insert(self.tx, user).await?;
        query::pulled_user::yield_names(self.tx, &[user.id]).await?;
        Ok(())
    }

    async fn person_of(
        &mut self,
        former: Option<PersonId>,
        email: Option<&str>,
        data: &UserData,
    ) -> Result<PersonId, EngineError> {
        let name = data.display_name.as_deref();
        if let Some(person) = former {
            query::person::update(self.tx, person, email, name).await?;
            return Ok(person);
        }
        let person = self.id();
        query::person::insert(self.tx, person, email, name, self.now).await?;
        Ok(person)
    }

    /// Takes names away from users that have them, when the provider says that they are somebody else's now. A name is
    /// no identity: the provider may swap two of them, and say so one after the other.
    async fn free_names(
        &mut self,
        source: SourceKey,
        wanted: BTreeMap<String, SourceUserId>,
    ) -> Result<(), EngineError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let keys = wanted.keys().cloned().collect();
        let losers: Vec<SourceUserId> = query::pulled_user::holders_of_names(self.tx, source, keys)
            .await?
            .into_iter()
            .filter(|(key, user, _)| wanted.get(key) != Some(user))
            .map(|(_, user, _)| user)
            .collect();
        if !losers.is_empty() {
            query::pulled_user::yield_names(self.tx, &losers).await?;
        }
        Ok(())
    }

    /// Lets a user wait for a human, because only the name says that a push brought the same one.
    pub(super) async fn park_pulled(
        &mut self,
        source: SourceKey,
        record: &UserRecord,
    ) -> Result<(), EngineError> {
        let parked = ParkedUser {
            remote_id: record.id.to_string(),
            user_name: record.user_name.clone(),
            since: self.now,
            record: record_text(record),
        };
        if query::pulled_user::park_user(self.tx, source, &parked).await? {
            let about = About {
                source: Some(source),
                ..About::default()
            };
            let data = json!({ "remote_id": parked.remote_id, "user_name": parked.user_name });
            self.tell(EventKind::UserNotJoined, about, &data);
        }
        Ok(())
    }
}

/// Whether the account may be used as far as the push says.
pub(super) fn pushed_active(row: &UserRow) -> bool {
    let resource: Value = serde_json::from_str(&row.resource).unwrap_or_default();
    resource["active"].as_bool().unwrap_or(true)
}

/// A record as the directory keeps it.
pub(super) fn data_of(record: UserRecord) -> UserData {
    let mut resource = record.resource;
    if record.guest {
        resource.insert(GUEST_EXTENSION.into(), json!({ "guest": true }));
    }
    let further = resource.get("emails").and_then(Value::as_array);
    let mut emails: Vec<String> = record.email.iter().cloned().collect();
    for email in further.into_iter().flatten() {
        if let Some(value) = email["value"].as_str()
            && !emails.iter().any(|known| known.eq_ignore_ascii_case(value))
        {
            emails.push(value.to_owned());
        }
    }
    UserData {
        user_type: resource
            .get("userType")
            .and_then(Value::as_str)
            .map(str::to_owned),
        user_name: record.user_name,
        external_id: record.external_id,
        emails,
        display_name: record.display_name,
        active: record.active,
        guest: record.guest,
        resource: Value::Object(resource).to_string(),
    }
}

/// A record as it is kept beside what was pushed.
fn record_text(record: &UserRecord) -> String {
    json!({
        "userName": record.user_name,
        "email": record.email,
        "displayName": record.display_name,
        "active": record.active,
        "guest": record.guest,
        "externalId": record.external_id,
    })
    .to_string()
}
