//! People: finding them, and linking two who turn out to be one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use usher_core::PersonId;
use usher_storage::query::person::PersonRow;
use usher_storage::query::user::UserRow;
use usher_storage::{SourceKey, Tx, query};

use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

/// How a human names a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// By id.
    Person(PersonId),
    /// By e-mail address, in any case.
    Email(String),
}

impl Who {
    /// The people meant: one for an id, all with the address for an address, oldest first; never none.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when nobody is.
    pub async fn people(&self, tx: &mut Tx<'_>) -> Result<Vec<PersonRow>, EngineError> {
        match self {
            Self::Person(id) => Ok(vec![find(tx, *id).await?]),
            Self::Email(email) => {
                let people = query::person::by_email(tx, email.trim()).await?;
                if people.is_empty() {
                    return Err(EngineError::not_found("person", email));
                }
                Ok(people)
            }
        }
    }
}

/// A person with what stands behind them.
#[derive(Debug, Clone)]
pub struct PersonView {
    /// The person.
    pub person: PersonRow,
    /// Their accounts, gone ones included.
    pub accounts: Vec<UserRow>,
    /// Who may be the same, because of an equal address. Nothing is shared until somebody links them.
    pub similar: Vec<PersonRow>,
}

/// The person with an id, or the one that they turned out to be.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn find(tx: &mut Tx<'_>, id: PersonId) -> Result<PersonRow, EngineError> {
    let mut next = id;
    loop {
        let person = query::person::by_ids(tx, [next])
            .await?
            .pop()
            .ok_or_else(|| EngineError::not_found("person", id))?;
        match person.merged_into {
            Some(into) => next = into,
            None => return Ok(person),
        }
    }
}

/// Everybody meant, with their accounts and who may be the same.
///
/// # Errors
/// [`EngineError::NotFound`] when nobody is.
pub async fn view(tx: &mut Tx<'_>, who: &Who) -> Result<Vec<PersonView>, EngineError> {
    let mut views = Vec::new();
    for person in who.people(tx).await? {
        let accounts = query::user::of_persons(tx, [person.id]).await?;
        let similar = query::person::similar(tx, person.id).await?;
        let mut similar = query::person::by_ids(tx, similar).await?;
        similar.retain(|other| other.merged_into.is_none());
        views.push(PersonView {
            person,
            accounts,
            similar,
        });
    }
    Ok(views)
}

impl Unit<'_, '_> {
    /// Links two people who are one: accounts, memberships with their history, and restores of `other` become
    /// those of `person`. Linking them again changes nothing. The unit's cause gives the reason.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::Invalid`] without a reason; refused, with the next step, when both
    /// are in one room now, and when both have a live account in one source.
    pub async fn link_people(&mut self, person: PersonId, other: PersonId) -> Result<PersonRow, EngineError> {
        let kept = find(self.tx, person).await?;
        let merged = find(self.tx, other).await?;
        if kept.id == merged.id {
            return Ok(kept);
        }
        if self
            .cause
            .reason
            .as_ref()
            .is_none_or(|reason| reason.trim().is_empty())
        {
            return Err(EngineError::invalid(
                "reason",
                "say how it is known that the two are one person",
            ));
        }
        self.refuse_two_accounts(&kept, &merged).await?;
        self.refuse_two_memberships(&kept, &merged).await?;
        query::person::merge(self.tx, merged.id, kept.id).await?;
        let about = About {
            person: Some(kept.id),
            ..About::default()
        };
        let data = json!({ "other": merged.id, "reason": self.cause.reason });
        self.tell(EventKind::PersonLinked, about, &data);
        self.touch_person(kept.id);
        Ok(kept)
    }

    async fn refuse_two_accounts(&mut self, kept: &PersonRow, merged: &PersonRow) -> Result<(), EngineError> {
        let mut live: BTreeMap<SourceKey, Vec<UserRow>> = BTreeMap::new();
        for account in query::user::of_persons(self.tx, [kept.id, merged.id]).await? {
            if account.gone.is_none() {
                live.entry(account.source).or_default().push(account);
            }
        }
        let Some((source, accounts)) = live.into_iter().find(|(_, accounts)| accounts.len() > 1) else {
            return Ok(());
        };
        let name = query::source::by_key(self.tx, source)
            .await?
            .map_or_else(String::new, |source| source.name);
        let names: Vec<_> = accounts
            .iter()
            .map(|account| format!("'{}'", account.user_name))
            .collect();
        Err(EngineError::refused(
            "two_accounts",
            format!(
                "both have a live account in source '{name}': {}",
                names.join(" and ")
            ),
            "delete the account in the source that is no longer used, then link",
        ))
    }

    async fn refuse_two_memberships(
        &mut self,
        kept: &PersonRow,
        merged: &PersonRow,
    ) -> Result<(), EngineError> {
        let rooms_of = |memberships: Vec<query::membership::MembershipRow>| {
            memberships
                .into_iter()
                .filter(|membership| membership.active)
                .map(|membership| membership.room)
                .collect::<BTreeSet<_>>()
        };
        let ours = rooms_of(query::membership::of_person(self.tx, kept.id).await?);
        let theirs = rooms_of(query::membership::of_person(self.tx, merged.id).await?);
        let both: Vec<_> = ours.intersection(&theirs).copied().collect();
        if both.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = query::room::by_ids(self.tx, both)
            .await?
            .into_iter()
            .map(|room| format!("'{}'", room.name))
            .collect();
        Err(EngineError::refused(
            "both_in_room",
            format!("both have an active membership in room {}", names.join(", ")),
            "end the one that is not to stay in each of these rooms, then link",
        ))
    }
}
