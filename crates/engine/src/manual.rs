//! Memberships by hand: added, ended, made from managed ones, extended.

use std::collections::BTreeMap;

use serde_json::json;
use usher_core::{EndReason, MembershipId, MembershipKind, PersonId, RoomId, StartReason, Timestamp};
use usher_storage::query;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::person::PersonRow;
use usher_storage::query::room::RoomRow;

use crate::ground::grounds;
use crate::person::{Who, find};
use crate::settle::about;
use crate::settle::facts::{Suppose, account_states, desired};
use crate::unit::Unit;
use crate::{AccountState, Desired, EngineError, EventKind};

/// A membership as a human asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddManual {
    /// The room.
    pub room: RoomId,
    /// Who is to be in it. An address that nobody has makes a new external person.
    pub who: Who,
    /// For a new external person: their name.
    pub display_name: Option<String>,
    /// The level.
    pub level: String,
    /// The human who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// How a managed membership becomes a manual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakeManual {
    /// The human who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Another level than the one it has.
    pub level: Option<String>,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// What ending by hand did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The membership that is over.
    pub membership: MembershipRow,
    /// The managed membership that follows it, because a group asks for the person.
    pub followed_by: Option<MembershipRow>,
}

impl Unit<'_, '_> {
    /// Adds a person to a room by hand. Inside the organisation's own domains this is only possible for
    /// somebody who has an account: it overrides what the source says.
    ///
    /// # Errors
    /// [`EngineError::Invalid`], [`EngineError::NotFound`]; refused, with the next step, when the person is in the
    /// room already, belongs to the organisation and has no account, has no active account, or is not clearly
    /// named by an address.
    pub async fn add_manual(&mut self, ask: &AddManual) -> Result<MembershipRow, EngineError> {
        self.check_words(&ask.owner, &ask.reason, ask.until)?;
        let room = self.usable_room(ask.room).await?;
        self.check_level_in(room.model, &ask.level, MembershipKind::Manual)?;
        let person = match &ask.who {
            Who::Person(id) => self.member_by_hand(&room, *id).await?,
            Who::Email(email) => {
                self.external_person(&room, email, ask.display_name.as_deref())
                    .await?
            }
        };
        if let Some(inside) = query::membership::active(self.tx, &[room.id], &[person.id])
            .await?
            .pop()
        {
            let next = match inside.kind {
                MembershipKind::Managed => "make that membership manual instead",
                MembershipKind::Manual | MembershipKind::Bootstrap => "change that membership instead",
            };
            return Err(EngineError::refused(
                "already_in_room",
                format!(
                    "the person is in room '{}' by the {} membership '{}'",
                    room.name, inside.kind, inside.id
                ),
                next,
            ));
        }
        let membership = MembershipRow {
            owner: Some(ask.owner.clone()),
            note: Some(ask.reason.clone()),
            until: ask.until,
            ..self.by_hand(room.id, person.id, MembershipKind::Manual, &ask.level)
        };
        let people = BTreeMap::from([(person.id, person)]);
        self.start_memberships(std::slice::from_ref(&membership), StartReason::ByHand, &people)
            .await?;
        self.touch(membership.room, membership.person);
        Ok(membership)
    }

    /// Ends a membership by hand. Ending one that is over changes nothing. Where a group asks for the person, a
    /// managed membership follows a manual one in the same unit.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Conflict`] for another version; refused, with the next step, when a
    /// group asks for a managed member, and when the room would lose its last administrator.
    pub async fn end_by_hand(
        &mut self,
        id: MembershipId,
        version: Option<i64>,
    ) -> Result<Ended, EngineError> {
        let known = query::membership::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", id))?;
        if !known.active {
            return Ok(Ended {
                membership: known,
                followed_by: None,
            });
        }
        let membership = self.active_membership(id, version).await?;
        if membership.kind == MembershipKind::Bootstrap {
            self.end_bootstrap(id).await?;
            return self.ended(&membership).await;
        }
        let wanted = self.wanted(membership.room, membership.person).await?;
        if let (MembershipKind::Managed, Some(_)) = (membership.kind, &wanted) {
            let grounds = grounds(self.tx, membership.room, membership.person).await?;
            let groups = grounds.backing_groups().join("', '");
            return Err(EngineError::refused(
                "desired",
                format!("the person is in the room because of group '{groups}'"),
                format!(
                    "remove the person from group '{groups}' at the identity provider, or make the membership manual"
                ),
            ));
        }
        let followed_by_administrator = membership.kind == MembershipKind::Manual
            && wanted.is_some_and(|wanted| self.policy.levels.is_administrator(&wanted.level));
        if membership.administrator && !followed_by_administrator {
            self.refuse_last_administrator(&membership).await?;
        }
        self.end_memberships(std::slice::from_ref(&membership), EndReason::ByHand)
            .await?;
        self.ended(&membership).await
    }

    /// Turns a managed membership into a manual one in one unit: what hangs on it goes along, and sync no longer
    /// ends it while the person has an active account.
    ///
    /// # Errors
    /// As [`Unit::add_manual`]; refused when the membership is not managed.
    pub async fn make_manual(
        &mut self,
        id: MembershipId,
        ask: &MakeManual,
    ) -> Result<MembershipRow, EngineError> {
        self.check_words(&ask.owner, &ask.reason, ask.until)?;
        let managed = self.active_membership(id, None).await?;
        if managed.kind != MembershipKind::Managed {
            return Err(EngineError::refused(
                "not_managed",
                format!("the membership is a {} one", managed.kind),
                "change that membership instead",
            ));
        }
        let level = ask.level.as_ref().unwrap_or(&managed.level);
        if *level != managed.level {
            self.check_level(&managed, level, MembershipKind::Manual).await?;
        }
        let manual = MembershipRow {
            owner: Some(ask.owner.clone()),
            note: Some(ask.reason.clone()),
            until: ask.until,
            ..self.by_hand(managed.room, managed.person, MembershipKind::Manual, level)
        };
        if managed.administrator && !manual.administrator {
            self.refuse_last_administrator(&managed).await?;
        }
        self.close_memberships(std::slice::from_ref(&managed), EndReason::MadeManual)
            .await?;
        self.begin_memberships(std::slice::from_ref(&manual), StartReason::MadeManual)
            .await?;
        let grants: Vec<_> = query::grant::of_memberships(self.tx, [managed.id], false)
            .await?
            .into_iter()
            .map(|grant| grant.id)
            .collect();
        if !grants.is_empty() {
            query::grant::move_to(self.tx, grants.iter().copied(), manual.id).await?;
        }
        let data = json!({
            "was": managed.id,
            "level": manual.level,
            "owner": manual.owner,
            "grants_moved": grants,
        });
        self.tell(EventKind::MembershipMadeManual, about(&manual), &data);
        self.check_administrators_after(&[managed, manual.clone()])
            .await?;
        self.touch(manual.room, manual.person);
        Ok(manual)
    }

    /// Gives a manual membership another end, or none.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Conflict`] for another version, [`EngineError::Invalid`] for a moment
    /// that has passed; refused when the membership is not manual.
    pub async fn extend_manual(
        &mut self,
        id: MembershipId,
        until: Option<Timestamp>,
        version: Option<i64>,
    ) -> Result<MembershipRow, EngineError> {
        self.check_until(until)?;
        let membership = self.active_membership(id, version).await?;
        if membership.kind != MembershipKind::Manual {
            return Err(EngineError::refused(
                "not_manual",
                "only a manual membership has an end date",
                "make the membership manual first",
            ));
        }
        if membership.until == until {
            return Ok(membership);
        }
        let extended = MembershipRow {
            until,
            ..membership.clone()
        };
        query::membership::update(self.tx, &extended).await?;
        let data = json!({ "before": membership.until, "until": until });
        self.tell(EventKind::MembershipExtended, about(&membership), &data);
        Ok(MembershipRow {
            version: membership.version + 1,
            ..extended
        })
    }

    /// Ends manual memberships whose end date has passed, at most `limit`; answers how many. A date that a human
    /// set holds for the last administrator too: the room is marked then, and support is alerted.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_expired(&mut self, limit: u32) -> Result<usize, EngineError> {
        let expired = query::membership::expired(self.tx, self.now, limit).await?;
        if expired.is_empty() {
            return Ok(0);
        }
        self.end_memberships(&expired, EndReason::Expired).await?;
        for membership in &expired {
            self.touch(membership.room, membership.person);
        }
        Ok(expired.len())
    }

    /// What is asked for, for one pair.
    pub(crate) async fn wanted(
        &mut self,
        room: RoomId,
        person: PersonId,
    ) -> Result<Option<Desired>, EngineError> {
        let policy = std::sync::Arc::clone(&self.policy);
        let mut wanted = desired(self.tx, &policy, &Suppose::default(), &[room], &[person]).await?;
        Ok(wanted.remove(&(room, person)))
    }

    async fn ended(&mut self, membership: &MembershipRow) -> Result<Ended, EngineError> {
        self.touch(membership.room, membership.person);
        self.settle_now().await?;
        let followed_by = query::membership::active(self.tx, &[membership.room], &[membership.person])
            .await?
            .pop();
        let membership = query::membership::by_id(self.tx, membership.id)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", membership.id))?;
        Ok(Ended {
            membership,
            followed_by,
        })
    }

    /// A known person who may be added by hand: an external, or somebody with an active account.
    async fn member_by_hand(&mut self, room: &RoomRow, id: PersonId) -> Result<PersonRow, EngineError> {
        let person = find(self.tx, id).await?;
        let states = account_states(self.tx, &Suppose::default(), &[person.id]).await?;
        match states.get(&person.id).copied().unwrap_or(AccountState::None) {
            AccountState::Usable | AccountState::OutOfScope => Ok(person),
            AccountState::Inactive | AccountState::Gone => Err(EngineError::refused(
                "account_inactive",
                "all accounts of the person are inactive or gone",
                "activate the account at the identity provider first",
            )),
            AccountState::None => {
                self.refuse_own_address(room, person.email.as_deref()).await?;
                Ok(person)
            }
        }
    }

    /// The external person with an address, made where nobody has it.
    async fn external_person(
        &mut self,
        room: &RoomRow,
        email: &str,
        display_name: Option<&str>,
    ) -> Result<PersonRow, EngineError> {
        let people = query::person::by_email(self.tx, email.trim()).await?;
        let accounts =
            query::user::of_persons(self.tx, people.iter().map(|person| person.id).collect::<Vec<_>>())
                .await?;
        if let Some(account) = accounts.iter().find(|account| account.gone.is_none()) {
            return Err(EngineError::refused(
                "has_account",
                format!("'{email}' is the address of the account '{}'", account.user_name),
                format!(
                    "add them to a group that leads to room '{}', or add person '{}' by id to override what the source says",
                    room.name, account.person
                ),
            ));
        }
        self.refuse_own_address(room, Some(email)).await?;
        let mut people = people
            .into_iter()
            .filter(|person| accounts.iter().all(|account| account.person != person.id));
        match (people.next(), people.next()) {
            (None, _) => self.new_person(email, display_name).await,
            (Some(person), None) => Ok(person),
            (Some(_), Some(_)) => Err(EngineError::refused(
                "several_people",
                format!("several people have the address '{email}'"),
                "ask again with the id of the person",
            )),
        }
    }

    async fn refuse_own_address(&mut self, room: &RoomRow, email: Option<&str>) -> Result<(), EngineError> {
        if !email.is_some_and(|email| self.policy.owns_address(email)) {
            return Ok(());
        }
        let groups: Vec<String> = query::mapping::of_room(self.tx, room.id)
            .await?
            .into_iter()
            .filter(|mapping| mapping.state == usher_core::MappingState::Confirmed)
            .map(|mapping| format!("'{}'", mapping.group_ref))
            .collect();
        let next = if groups.is_empty() {
            "map a group to the room and add the person to it at the identity provider".to_owned()
        } else {
            format!(
                "add the person to group {} at the identity provider",
                groups.join(" or ")
            )
        };
        Err(EngineError::refused(
            "own_domain",
            "people with an address of the organisation come from its identity provider, not by hand",
            next,
        ))
    }

    /// A person whom no source knows.
    pub(crate) async fn new_person(
        &mut self,
        email: &str,
        display_name: Option<&str>,
    ) -> Result<PersonRow, EngineError> {
        let email = email.trim().to_lowercase();
        let valid = email.len() <= 254
            && email.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && domain.contains('.') && !domain.contains('@')
            })
            && !email.contains(char::is_whitespace);
        if !valid {
            return Err(EngineError::invalid(
                "email",
                "give one address, such as anna@example.com",
            ));
        }
        let person = PersonRow {
            id: self.id(),
            email: Some(email),
            display_name: display_name.map(str::to_owned),
            merged_into: None,
        };
        query::person::insert(
            self.tx,
            person.id,
            person.email.as_deref(),
            display_name,
            self.now,
        )
        .await?;
        Ok(person)
    }

    /// A membership as people begin it.
    pub(crate) fn by_hand(
        &mut self,
        room: RoomId,
        person: PersonId,
        kind: MembershipKind,
        level: &str,
    ) -> MembershipRow {
        MembershipRow {
            id: self.id(),
            room,
            person,
            kind,
            level: level.to_owned(),
            administrator: self.policy.levels.is_administrator(level),
            active: true,
            source: None,
            user: None,
            mapping: None,
            started: self.now,
            ended: None,
            end_reason: None,
            stray: None,
            stray_since: None,
            hold: None,
            owner: None,
            note: None,
            until: None,
            version: 1,
        }
    }

    fn check_words(&self, owner: &str, reason: &str, until: Option<Timestamp>) -> Result<(), EngineError> {
        for (field, text) in [("owner", owner), ("reason", reason)] {
            if text.trim().is_empty() || text.len() > 1024 {
                return Err(EngineError::invalid(field, "give a text of 1 to 1024 bytes"));
            }
        }
        self.check_until(until)
    }

    fn check_until(&self, until: Option<Timestamp>) -> Result<(), EngineError> {
        if until.is_some_and(|until| until <= self.now) {
            return Err(EngineError::invalid(
                "until",
                "the moment has passed; give a later one or none",
            ));
        }
        Ok(())
    }
}
