//! Sessions of the console. Their secrets are in browsers alone.

use serde::Serialize;
use usher_core::Role;
use usher_storage::query::session::SessionRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{self, Time};

/// Somebody signed in to the console.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// What names it.
    pub id: Uuid,
    /// Who signed in: the same for all sessions of theirs.
    pub account: Uuid,
    /// The provider that they signed in with; none for a local administrator.
    pub provider: Option<String>,
    /// The name that people know them by.
    pub name: String,
    /// Their e-mail address.
    pub email: Option<String>,
    /// What they may do, as of the sign-in.
    #[schema(value_type = words::Role)]
    pub role: Role,
    /// The address that they signed in from.
    pub address: Option<String>,
    /// The browser, as it calls itself.
    pub agent: Option<String>,
    /// When they signed in.
    pub created: Time,
    /// When they were here last, to about a minute.
    pub seen: Time,
    /// When it ends, however much it is used.
    pub ends: Time,
    /// When it was signed out or revoked.
    pub revoked: Option<Time>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl SessionView {
    pub(crate) fn new(row: SessionRow, current: bool) -> Self {
        Self {
            id: row.id.into(),
            account: row.account.into(),
            provider: row.provider,
            name: row.name,
            email: row.email,
            role: row.role,
            address: row.address,
            agent: row.agent,
            created: row.created.into(),
            seen: row.seen.into(),
            ends: row.ends.into(),
            revoked: row.revoked.map(Time),
            current,
        }
    }
}
