//! Rooms.

use usher_core::{RoomId, RoomModel, RoomState, Timestamp};

use super::or_start;
use crate::{Later, Row, StorageError, Tx, uuids};

/// A room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    /// The id.
    pub id: RoomId,
    /// The name.
    pub name: String,
    /// Open or closed.
    pub model: RoomModel,
    /// Special features, as a JSON array of texts.
    pub features: String,
    /// How far it is.
    pub state: RoomState,
    /// The portal's id of it.
    pub portal_id: Option<String>,
    /// The portal's address of it.
    pub url: Option<String>,
    /// Since when nobody administers it.
    pub no_administrator_since: Option<Timestamp>,
    /// While it is being set up: how many managed members may be in it without an approval.
    pub arrival_limit: Option<i64>,
    /// Rises with every change.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
}

macro_rules! select_room {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.name, r.model, r.features, r.state, r.portal_id, r.url, r.no_administrator_since_us,
                    r.arrival_limit, r.version, r.created_us ",
            $rest
        )
    };
}

/// Rooms by id; unknown ids are left out.
pub async fn by_ids(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = RoomId>,
) -> Result<Vec<RoomRow>, StorageError> {
    let asked = by_ids_later(tx, ids).await?;
    tx.rows(asked).await
}

/// As [`by_ids`], for later.
pub async fn by_ids_later(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = RoomId>,
) -> Result<Later<RoomRow>, StorageError> {
    let sql = select_room!("FROM rarray($1) i CROSS JOIN room r ON r.id = i.value");
    tx.query_later(sql, &[uuids(ids)], room_row).await
}

/// The room with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: RoomId) -> Result<Option<RoomRow>, StorageError> {
    tx.query_opt(select_room!("FROM room r WHERE r.id = $1"), &[id.into()])
        .await?
        .as_ref()
        .map(room_row)
        .transpose()
}

/// The room in use with a name, in any case.
pub async fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<RoomRow>, StorageError> {
    let sql = select_room!("FROM room r WHERE r.name_key = $1 AND r.state <> 'archived'");
    tx.query_opt(sql, &[name.to_lowercase().into()])
        .await?
        .as_ref()
        .map(room_row)
        .transpose()
}

/// Rooms in the order of their creation.
pub async fn page(tx: &mut Tx<'_>, after: Option<RoomId>, limit: u32) -> Result<Vec<RoomRow>, StorageError> {
    let sql = select_room!("FROM room r WHERE r.id > $1 ORDER BY r.id LIMIT $2");
    tx.query(sql, &[or_start(after), limit.into()])
        .await?
        .iter()
        .map(room_row)
        .collect()
}

/// Adds a room.
pub async fn insert(tx: &mut Tx<'_>, room: &RoomRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO room (id, name, name_key, model, features, state, portal_id, url, no_administrator_since_us,
            arrival_limit, version, created_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            room.id.into(),
            room.name.as_str().into(),
            room.name.to_lowercase().into(),
            room.model.into(),
            room.features.as_str().into(),
            room.state.into(),
            room.portal_id.as_deref().into(),
            room.url.as_deref().into(),
            room.no_administrator_since.into(),
            room.arrival_limit.into(),
            room.version.into(),
            room.created.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes all that may change of a room and raises its version.
pub async fn update(tx: &mut Tx<'_>, room: &RoomRow) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE room SET name = $2, name_key = $3, model = $4, features = $5, state = $6, portal_id = $7, url = $8,
            no_administrator_since_us = $9, arrival_limit = $10, version = version + 1
         WHERE id = $1",
        &[
            room.id.into(),
            room.name.as_str().into(),
            room.name.to_lowercase().into(),
            room.model.into(),
            room.features.as_str().into(),
            room.state.into(),
            room.portal_id.as_deref().into(),
            room.url.as_deref().into(),
            room.no_administrator_since.into(),
            room.arrival_limit.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Reads the columns of [`RoomRow`], in the order of its fields, from the front of a row.
pub(super) fn room_row(row: &Row) -> Result<RoomRow, StorageError> {
    Ok(RoomRow {
        id: row.get(0)?,
        name: row.get(1)?,
        model: row.get(2)?,
        features: row.get(3)?,
        state: row.get(4)?,
        portal_id: row.get(5)?,
        url: row.get(6)?,
        no_administrator_since: row.get(7)?,
        arrival_limit: row.get(8)?,
        version: row.get(9)?,
        created: row.get(10)?,
    })
}
