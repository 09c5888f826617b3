//! People and their accounts.

use std::collections::BTreeMap;

use serde::Serialize;
use usher_core::{PersonId, Scope};
use usher_storage::query::person::PersonRow;
use usher_storage::query::user::UserRow;
use usher_storage::{StorageError, Tx, query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{MembershipView, memberships};
use crate::api::name;
use crate::api::words::{self, Time};

/// A person, as others refer to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PersonName {
    /// The id.
    pub id: Uuid,
    /// The address.
    pub email: Option<String>,
    /// The name that people see.
    pub name: Option<String>,
}

impl From<PersonRow> for PersonName {
    fn from(row: PersonRow) -> Self {
        Self {
            id: row.id.into(),
            email: row.email,
            name: row.display_name,
        }
    }
}

impl std::fmt::Display for PersonName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.email, &self.name) {
            (Some(email), _) => f.write_str(email),
            (None, Some(name)) => f.write_str(name),
            (None, None) => write!(f, "{}", self.id),
        }
    }
}

/// Names of people, by id.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<PersonId, PersonName>);

impl Names {
    /// The name of a person; of one that was not read, the id alone.
    #[must_use]
    pub fn get(&self, id: PersonId) -> PersonName {
        self.0.get(&id).cloned().unwrap_or(PersonName {
            id: id.into(),
            email: None,
            name: None,
        })
    }
}

/// Reads the names of people.
///
/// # Errors
/// What the database says.
pub async fn names(tx: &mut Tx<'_>, ids: impl IntoIterator<Item = PersonId>) -> Result<Names, StorageError> {
    let rows = query::person::by_ids(tx, ids).await?;
    Ok(Names(rows.into_iter().map(|row| (row.id, row.into())).collect()))
}

/// A human.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonView {
    /// The id.
    pub id: Uuid,
    /// The address.
    pub email: Option<String>,
    /// The name that people see.
    pub name: Option<String>,
    /// The person that this one turned out to be.
    pub merged_into: Option<Uuid>,
}

impl From<PersonRow> for PersonView {
    fn from(row: PersonRow) -> Self {
        Self {
            id: row.id.into(),
            email: row.email,
            name: row.display_name,
            merged_into: row.merged_into.map(Into::into),
        }
    }
}

/// An account of a person in a source.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// The account's id, which is its SCIM `id`.
    pub id: Uuid,
    /// The source.
    pub source: String,
    /// `userName`.
    pub user_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// The company address.
    pub email: Option<String>,
    /// Whether it may be used.
    pub active: bool,
    /// Whether it is one of the organisation's own.
    #[schema(value_type = words::Scope)]
    pub scope: Scope,
    /// Since when it is inactive.
    pub inactive_since: Option<Time>,
    /// When the source deleted it.
    pub gone: Option<Time>,
    /// When it changed last.
    pub modified: Time,
}

impl AccountView {
    fn new(row: UserRow, source: String) -> Self {
        Self {
            id: row.id.into(),
            source,
            user_name: row.user_name,
            external_id: row.external_id,
            email: row.email,
            active: row.active,
            scope: row.scope,
            inactive_since: row.inactive_since.map(Time),
            gone: row.gone.map(Time),
            modified: row.modified.into(),
        }
    }
}

/// A human with accounts, those who may be the same, and memberships.
#[derive(Debug, Serialize, ToSchema)]
pub struct PersonDetails {
    /// The person.
    #[serde(flatten)]
    pub person: PersonView,
    /// Accounts in sources, deleted ones included.
    pub accounts: Vec<AccountView>,
    /// People with the same address, who may be the same or not.
    pub may_be: Vec<PersonName>,
    /// Memberships, newest first.
    pub memberships: Vec<MembershipView>,
}

/// Reads what is known of a person.
///
/// # Errors
/// What the database says.
pub async fn details(tx: &mut Tx<'_>, person: PersonRow) -> Result<PersonDetails, StorageError> {
    let id = person.id;
    let sources = name::sources(tx).await?;
    let accounts = query::user::of_persons(tx, [id]).await?;
    let similar = query::person::similar(tx, id).await?;
    let people = names(tx, similar.iter().copied()).await?;
    let rows = query::membership::of_person(tx, id).await?;
    Ok(PersonDetails {
        person: person.into(),
        accounts: accounts
            .into_iter()
            .map(|row| {
                let source = sources.get(&row.source).cloned().unwrap_or_default();
                AccountView::new(row, source)
            })
            .collect(),
        may_be: similar.into_iter().map(|other| people.get(other)).collect(),
        memberships: memberships(tx, rows).await?,
    })
}
