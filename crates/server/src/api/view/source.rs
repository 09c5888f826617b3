//! Sources and what they said.

use serde::Serialize;
use serde_json::Value;
use usher_core::{Scope, SourceState};
use usher_storage::query::group::{GroupRow, Member};
use usher_storage::query::pull_run::PullStateRow;
use usher_storage::query::source::SourceRow;
use usher_storage::query::user::UserRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::PullView;
use crate::api::words::{self, Time};

/// A source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// Its name, which is part of its SCIM address.
    pub name: String,
    /// The kind of its adapter.
    pub kind: String,
    /// Push, pull or both.
    pub mode: String,
    /// Whether it is listened to.
    #[schema(value_type = words::SourceState)]
    pub state: SourceState,
    /// The provider's tenant or organisation.
    pub tenant: Option<String>,
    /// When it was first configured.
    pub first_seen: Time,
    /// When it last changed anything.
    pub last_write: Option<Time>,
    /// How many accounts it has, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<i64>,
    /// How many groups it has, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<i64>,
    /// How reading it stands; nothing for one that is only pushed to.
    pub pull: Option<PullView>,
}

impl SourceView {
    /// A source, with the numbers of its accounts and groups if they were counted.
    #[must_use]
    pub fn new(
        row: SourceRow,
        last_write: Option<Time>,
        counts: Option<(i64, i64)>,
        pull: Option<PullStateRow>,
    ) -> Self {
        Self {
            name: row.name,
            kind: row.kind,
            mode: row.mode,
            state: row.state,
            tenant: row.tenant,
            first_seen: row.first_seen.into(),
            last_write,
            users: counts.map(|(users, _)| users),
            groups: counts.map(|(_, groups)| groups),
            pull: pull.map(PullView::from),
        }
    }
}

/// An account, as its source wrote it.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    /// Its SCIM `id`.
    pub id: Uuid,
    /// The human behind it.
    pub person: Uuid,
    /// `userName`.
    pub user_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// The company address.
    pub email: Option<String>,
    /// `displayName`.
    pub display_name: Option<String>,
    /// Whether it may be used.
    pub active: bool,
    /// Whether it is one of the organisation's own; anything but `in` gets into no room.
    #[schema(value_type = words::Scope)]
    pub scope: Scope,
    /// Since when it is inactive.
    pub inactive_since: Option<Time>,
    /// Rises with every change.
    pub version: i64,
    /// When it was created.
    pub created: Time,
    /// When it changed last.
    pub modified: Time,
    /// The SCIM resource, without `id`, `meta` and `groups`.
    #[schema(value_type = Object)]
    pub resource: Value,
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.into(),
            person: row.person.into(),
            user_name: row.user_name,
            external_id: row.external_id,
            email: row.email,
            display_name: row.display_name,
            active: row.active,
            scope: row.scope,
            inactive_since: row.inactive_since.map(Time),
            version: row.version,
            created: row.created.into(),
            modified: row.modified.into(),
            resource: serde_json::from_str(&row.resource).unwrap_or_default(),
        }
    }
}

/// A group, as its source wrote it, and where it leads.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupView {
    /// Its SCIM `id`.
    pub id: Uuid,
    /// `displayName`.
    pub display_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// How many members it has, unknown ones included.
    pub members: i64,
    /// The rooms that it leads to.
    pub rooms: Vec<super::RoomName>,
    /// Why it has no effect; absent when it leads to a room.
    pub parked: Option<&'static str>,
    /// Rises with every change.
    pub version: i64,
    /// When it was created.
    pub created: Time,
    /// When it or its members changed last.
    pub modified: Time,
}

impl GroupView {
    /// A group with the rooms that confirmed mappings lead it to.
    #[must_use]
    pub fn new(row: GroupRow, rooms: Vec<super::RoomName>, has_mapping: bool) -> Self {
        let parked = match (rooms.is_empty(), has_mapping) {
            (false, _) => None,
            (true, true) => Some("mapping_pending"),
            (true, false) => Some("no_mapping"),
        };
        Self {
            id: row.id.into(),
            display_name: row.display_name,
            external_id: row.external_id,
            members: row.member_count,
            rooms,
            parked,
            version: row.version,
            created: row.created.into(),
            modified: row.modified.into(),
        }
    }
}

/// A member of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// The account, by its SCIM `id`.
    pub user: Uuid,
    /// `displayName`, else `userName`.
    pub display: String,
}

impl From<Member> for MemberView {
    fn from(row: Member) -> Self {
        Self {
            user: row.user.into(),
            display: row.display,
        }
    }
}
