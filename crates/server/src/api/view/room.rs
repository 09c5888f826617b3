//! Rooms, and who waits at their doors.

use serde::Serialize;
use usher_core::{ParkReason, RoomModel, RoomState};
use usher_storage::query::hold::ParkedRow;
use usher_storage::query::room::RoomRow;
use usher_storage::{StorageError, Tx};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{PersonName, names};
use crate::api::words::{self, Time};

/// A room.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomView {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// Open or closed.
    #[schema(value_type = words::RoomModel)]
    pub model: RoomModel,
    /// Special features.
    pub features: Vec<String>,
    /// How far it is.
    #[schema(value_type = words::RoomState)]
    pub state: RoomState,
    /// The portal's id of it.
    pub portal_id: Option<String>,
    /// The portal's address of it.
    pub url: Option<String>,
    /// Since when nobody administers it.
    pub no_administrator_since: Option<Time>,
    /// While it is being set up: how many managed members come in without an approval.
    pub arrival_limit: Option<i64>,
    /// Rises with every change.
    pub version: i64,
    /// When it was created.
    pub created: Time,
}

impl From<RoomRow> for RoomView {
    fn from(row: RoomRow) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            model: row.model,
            features: texts(&row.features),
            state: row.state,
            portal_id: row.portal_id,
            url: row.url,
            no_administrator_since: row.no_administrator_since.map(Time),
            arrival_limit: row.arrival_limit,
            version: row.version,
            created: row.created.into(),
        }
    }
}

/// A list of texts, as it is stored.
pub(super) fn texts(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}

/// Somebody who waits at a room's door.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParkedView {
    /// Who.
    pub person: PersonName,
    /// Why.
    #[schema(value_type = words::ParkReason)]
    pub reason: ParkReason,
    /// Whom they may be the same as.
    pub may_be: Option<PersonName>,
    /// Since when.
    pub since: Time,
}

/// Those who wait, with their names.
///
/// # Errors
/// What the database says.
pub async fn parked(tx: &mut Tx<'_>, rows: Vec<ParkedRow>) -> Result<Vec<ParkedView>, StorageError> {
    let mut ids = Vec::with_capacity(rows.len() * 2);
    for row in &rows {
        ids.push(row.person);
        ids.extend(row.other);
    }
    let people = names(tx, ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| ParkedView {
            person: people.get(row.person),
            reason: row.reason,
            may_be: row.other.map(|other| people.get(other)),
            since: row.since.into(),
        })
        .collect())
}
