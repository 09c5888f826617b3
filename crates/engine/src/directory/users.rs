//! Users of sources: they come, change, are deactivated, come back, and are deleted.

use serde_json::json;
use usher_core::{PersonId, Reactivation, SourceGroupId, SourceUserId};
use usher_storage::query::user::UserRow;
use usher_storage::{SourceKey, query};

use super::{UserData, scope};
use crate::policy::SourcePolicy;
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

impl Unit<'_, '_> {
    /// Takes a new user of a source.
    ///
    /// The user gets a person of its own, unless the source's immutable id says who it is. An equal address
    /// is noted for humans and links nobody.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] when a live user of the source has the name, or the trusted `externalId`.
    pub async fn create_user(
        &mut self,
        source: SourceKey,
        id: SourceUserId,
        data: UserData,
    ) -> Result<UserRow, EngineError> {
        let namesake = query::user::by_name_later(self.tx, source, &data.user_name).await?;
        let (rules, is_also_pulled) = self.source_rules(source).await?;
        if is_also_pulled && let Some(seen) = self.seen_by_reads(source, &rules, &data).await? {
            return self.take_over(seen, data).await;
        }
        let remote_id = data.external_id.clone().filter(|id| rules.trusts(id));
        let mut known = match &remote_id {
            Some(remote_id) => query::user::by_remote_id(self.tx, source, remote_id).await?,
            None => None,
        };
        if !self.tx.rows(namesake).await?.is_empty() {
            return Err(taken("userName", &data.user_name));
        }
        if let (None, Some(external_id), true) = (&known, &remote_id, is_also_pulled) {
            // Where reads know the user by another id than pushes do, that id is the row's.
            known = query::user::former_by_external_id(self.tx, source, external_id).await?;
        }
        if known.as_ref().is_some_and(|user| user.gone.is_none()) {
            return Err(taken(
                "externalId",
                data.external_id.as_deref().unwrap_or_default(),
            ));
        }
        let email = scope::company_address(&data);
        self.lock_addresses(email.iter().cloned().collect()).await?;
        let person = match known {
            Some(former) => {
                query::person::update(
                    self.tx,
                    former.person,
                    email.as_deref(),
                    data.display_name.as_deref(),
                )
                .await?;
                former.person
            }
            None => {
                let person = self.id();
                let (email, name) = (email.as_deref(), data.display_name.as_deref());
                query::person::insert(self.tx, person, email, name, self.now).await?;
                person
            }
        };
        let user = UserRow {
            id,
            source,
            person,
            remote_id,
            external_id: data.external_id.clone(),
            scope: scope::scope(&self.policy, &rules, &data),
            email,
            inactive_since: (!data.active).then_some(self.now),
            gone: None,
            version: 1,
            created: self.now,
            modified: self.now,
            user_name: data.user_name,
            display_name: data.display_name,
            active: data.active,
            resource: data.resource,
            pushed: true,
        };
        query::user::insert(self.tx, &user).await?;
        self.tell_user(EventKind::UserCreated, &user);
        let similar = match &user.email {
            Some(email) => Some(query::person::note_similar(self.tx, user.person, email, self.now).await?),
            None => None,
        };
        let mut names = vec![id.to_string()];
        names.extend(user.remote_id.clone());
        for group in query::member::claim_pending(self.tx, source, &names, id, self.now).await? {
            self.touched.members.insert((group, person));
        }
        if let Some(similar) = similar {
            let others = self.tx.rows(similar).await?;
            self.tell_similar(&user, &others);
        }
        Ok(user)
    }

    /// Takes what a source says of a known user now. Saying the same again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] when another live user of the source has the new name.
    pub async fn update_user(
        &mut self,
        before: &UserRow,
        mut data: UserData,
    ) -> Result<UserRow, EngineError> {
        if unchanged(before, &data) {
            return Ok(before.clone());
        }
        let (rules, is_also_pulled) = self.source_rules(before.source).await?;
        if is_also_pulled && data.active {
            // Either side's "inactive" wins until that side takes it back.
            let pulled = query::pulled_user::user(self.tx, before.id).await?;
            data.active = pulled.is_none_or(|pulled| pulled.is_usable());
            if unchanged(before, &data) {
                return Ok(before.clone());
            }
        }
        if !before.user_name.eq_ignore_ascii_case(&data.user_name) {
            self.refuse_taken_name(before.source, &data.user_name, Some(before.id))
                .await?;
        }
        let distrusts = rules.reactivation == Reactivation::Dormant;
        self.put_user(before, data, &rules, distrusts).await
    }

    /// Writes what a source says of a known user, and what follows from it. With `distrusts`, a deactivation lets the
    /// user's member rows rest.
    pub(crate) async fn put_user(
        &mut self,
        before: &UserRow,
        data: UserData,
        rules: &SourcePolicy,
        distrusts: bool,
    ) -> Result<UserRow, EngineError> {
        let email = scope::company_address(&data);
        let mut user = UserRow {
            remote_id: before
                .remote_id
                .clone()
                .or_else(|| data.external_id.clone().filter(|id| rules.trusts(id))),
            external_id: data.external_id.clone(),
            scope: scope::scope(&self.policy, rules, &data),
            email,
            version: before.version + 1,
            modified: self.now,
            user_name: data.user_name,
            display_name: data.display_name,
            active: data.active,
            resource: data.resource,
            ..before.clone()
        };
        match (before.active, user.active) {
            (true, false) => {
                user.inactive_since = Some(self.now);
                self.tell_user(EventKind::UserDeactivated, &user);
                if distrusts {
                    self.distrust_rows(&user).await?;
                }
            }
            (false, true) => {
                user.inactive_since = None;
                self.tell_user(EventKind::UserReactivated, &user);
            }
            _ => self.tell_user(EventKind::UserChanged, &user),
        }
        query::user::update(self.tx, &user).await?;
        if (user.email.as_ref(), user.display_name.as_ref())
            != (before.email.as_ref(), before.display_name.as_ref())
        {
            query::person::update(
                self.tx,
                user.person,
                user.email.as_deref(),
                user.display_name.as_deref(),
            )
            .await?;
            if user.email != before.email {
                self.lock_addresses(user.email.iter().cloned().collect()).await?;
                self.note_similar(&user).await?;
                self.free_waiting_for(vec![user.person]).await?;
            }
        }
        if (user.active, user.scope) != (before.active, before.scope) || user.email != before.email {
            self.touch_person(user.person);
        }
        Ok(user)
    }

    /// Takes that a source deleted a user. Its group member rows go with it; its memberships end and stay in
    /// the history.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_user(&mut self, user: &UserRow) -> Result<(), EngineError> {
        let gone = UserRow {
            gone: Some(self.now),
            active: false,
            version: user.version + 1,
            modified: self.now,
            ..user.clone()
        };
        query::user::update(self.tx, &gone).await?;
        query::member::remove_user(self.tx, user.id, self.now).await?;
        self.tell_user(EventKind::UserDeleted, &gone);
        self.touch_person(user.person);
        Ok(())
    }

    /// Lets the member rows of a user rest until the source names them again.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn distrust_rows(&mut self, user: &UserRow) -> Result<Vec<SourceGroupId>, EngineError> {
        let groups = query::member::lull(self.tx, user.id, self.now).await?;
        if !groups.is_empty() {
            let about = About {
                source: Some(user.source),
                person: Some(user.person),
                ..About::default()
            };
            self.tell(
                EventKind::MembersDormant,
                about,
                &json!({ "user": user.id, "groups": groups }),
            );
        }
        Ok(groups)
    }

    /// The rules for a source.
    pub(crate) async fn source_policy(&mut self, source: SourceKey) -> Result<SourcePolicy, EngineError> {
        Ok(self.source_rules(source).await?.0)
    }

    /// Whether a source is pushed and read.
    pub(crate) async fn is_also_read(&mut self, source: SourceKey) -> Result<bool, EngineError> {
        Ok(self.source_rules(source).await?.1)
    }

    /// Whether members of groups changed so far, which is decided about at the unit's end.
    #[must_use]
    pub fn has_changed_members(&self) -> bool {
        !self.touched.members.is_empty()
    }

    /// Says that the rules for a source will be asked for, so that they come with what is read first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn foresee_source(&mut self, source: SourceKey) -> Result<(), EngineError> {
        self.foreseen = Some((source, query::source::by_key_later(self.tx, source).await?));
        Ok(())
    }

    /// The rules for a source, and whether it is pushed and read.
    pub(crate) async fn source_rules(
        &mut self,
        source: SourceKey,
    ) -> Result<(SourcePolicy, bool), EngineError> {
        let row = match self.foreseen.take() {
            Some((foreseen, row)) if foreseen == source => self.tx.rows(row).await?.pop(),
            _ => query::source::by_key(self.tx, source).await?,
        };
        let is_also_pulled = row.as_ref().is_some_and(|row| row.mode == "both");
        let name = row.and_then(|row| row.name.parse().ok());
        let policy = name.map_or_else(
            || SourcePolicy::from(&usher_core::PushProfile::default()),
            |name| self.policy.source(&name),
        );
        Ok((policy, is_also_pulled))
    }

    async fn refuse_taken_name(
        &mut self,
        source: SourceKey,
        name: &str,
        except: Option<SourceUserId>,
    ) -> Result<(), EngineError> {
        match query::user::by_name(self.tx, source, name).await? {
            Some(other) if Some(other.id) != except => Err(taken("userName", name)),
            _ => Ok(()),
        }
    }

    pub(crate) async fn note_similar(&mut self, user: &UserRow) -> Result<(), EngineError> {
        let Some(email) = &user.email else { return Ok(()) };
        let similar = query::person::note_similar(self.tx, user.person, email, self.now).await?;
        let others = self.tx.rows(similar).await?;
        self.tell_similar(user, &others);
        Ok(())
    }

    fn tell_similar(&mut self, user: &UserRow, others: &[PersonId]) {
        if others.is_empty() {
            return;
        }
        let about = About {
            source: Some(user.source),
            person: Some(user.person),
            ..About::default()
        };
        let data = json!({ "user": user.id, "email": user.email, "others": others });
        self.tell(EventKind::UserSimilar, about, &data);
    }

    pub(crate) fn tell_user(&mut self, kind: EventKind, user: &UserRow) {
        let about = About {
            source: Some(user.source),
            person: Some(user.person),
            ..About::default()
        };
        let data = json!({ "user": user.id, "user_name": user.user_name, "active": user.active, "scope": user.scope });
        self.tell(kind, about, &data);
    }
}

pub(crate) fn unchanged(before: &UserRow, data: &UserData) -> bool {
    before.resource == data.resource
        && before.active == data.active
        && before.user_name == data.user_name
        && before.external_id == data.external_id
        && before.email == scope::company_address(data)
}

fn taken(attribute: &str, value: &str) -> EngineError {
    EngineError::Conflict(format!(
        "{attribute} '{value}' belongs to another user of this source: look that user up with a filter and update it"
    ))
}
