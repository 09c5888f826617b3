//! Memberships.

use std::collections::BTreeMap;

use serde::Serialize;
use usher_core::{EndReason, MembershipKind, RoomId, StartReason, Stray};
use usher_storage::query::membership::{MembershipRow, PeriodRow};
use usher_storage::{StorageError, Tx, query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{PersonName, names};
use crate::api::name;
use crate::api::words::{self, Time};

/// A room, as others refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoomName {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
}

/// One stay of one person in one room.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipView {
    /// The id.
    pub id: Uuid,
    /// The room.
    pub room: RoomName,
    /// The person.
    pub person: PersonName,
    /// Who owns it.
    #[schema(value_type = words::MembershipKind)]
    pub kind: MembershipKind,
    /// What it may do.
    pub level: String,
    /// Whether the level administers the room.
    pub administrator: bool,
    /// Whether it is in force.
    pub active: bool,
    /// For managed ones: the source.
    pub source: Option<String>,
    /// For managed ones: the account, by its SCIM `id`.
    pub account: Option<Uuid>,
    /// For managed ones: the mapping that it began by.
    pub mapping: Option<Uuid>,
    /// When its present or last period began.
    pub started: Time,
    /// When its last period ended.
    pub ended: Option<Time>,
    /// Why its last period ended.
    #[schema(value_type = Option<words::EndReason>)]
    pub end_reason: Option<EndReason>,
    /// Why it stays though no group asks for it.
    #[schema(value_type = Option<words::Stray>)]
    pub stray: Option<Stray>,
    /// Since when it stays so.
    pub stray_since: Option<Time>,
    /// The hold that its ending is in.
    pub hold: Option<Uuid>,
    /// For manual ones: who answers for it.
    pub owner: Option<String>,
    /// For manual ones: why.
    pub note: Option<String>,
    /// For manual ones: until when.
    pub until: Option<Time>,
    /// Rises with every change.
    pub version: i64,
}

/// Memberships with the names of rooms, people and sources.
///
/// # Errors
/// What the database says.
pub async fn memberships(
    tx: &mut Tx<'_>,
    rows: Vec<MembershipRow>,
) -> Result<Vec<MembershipView>, StorageError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let people = names(tx, rows.iter().map(|row| row.person)).await?;
    let rooms = room_names(tx, rows.iter().map(|row| row.room)).await?;
    let sources = name::sources(tx).await?;
    Ok(rows
        .into_iter()
        .map(|row| MembershipView {
            id: row.id.into(),
            room: RoomName {
                id: row.room.into(),
                name: rooms.get(&row.room).cloned().unwrap_or_default(),
            },
            person: people.get(row.person),
            kind: row.kind,
            level: row.level,
            administrator: row.administrator,
            active: row.active,
            source: row.source.and_then(|source| sources.get(&source).cloned()),
            account: row.user.map(Into::into),
            mapping: row.mapping.map(Into::into),
            started: row.started.into(),
            ended: row.ended.map(Time),
            end_reason: row.end_reason,
            stray: row.stray,
            stray_since: row.stray_since.map(Time),
            hold: row.hold.map(Into::into),
            owner: row.owner,
            note: row.note,
            until: row.until.map(Time),
            version: row.version,
        })
        .collect())
}

/// The names of rooms, each read once.
pub(super) async fn room_names(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = RoomId>,
) -> Result<BTreeMap<RoomId, String>, StorageError> {
    let ids: std::collections::BTreeSet<_> = ids.into_iter().collect();
    let rows = query::room::by_ids(tx, ids).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// A span of time in which a membership was in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    /// Its place among the membership's periods, from 1.
    pub n: u32,
    /// When it began.
    pub from: Time,
    /// Why it began.
    #[schema(value_type = words::StartReason)]
    pub from_reason: StartReason,
    /// The unit of work that began it.
    pub from_change: Uuid,
    /// When it ended.
    pub to: Option<Time>,
    /// Why it ended.
    #[schema(value_type = Option<words::EndReason>)]
    pub to_reason: Option<EndReason>,
    /// The unit of work that ended it.
    pub to_change: Option<Uuid>,
}

impl From<PeriodRow> for PeriodView {
    fn from(row: PeriodRow) -> Self {
        Self {
            n: row.n,
            from: row.from.into(),
            from_reason: row.from_reason,
            from_change: row.from_change.into(),
            to: row.to.map(Time),
            to_reason: row.to_reason,
            to_change: row.to_change.map(Into::into),
        }
    }
}
