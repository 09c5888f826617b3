//! Rooms by name, with what they hold, counted no further than a limit.

use std::collections::BTreeMap;

use usher_core::{RoomId, RoomState};

use super::room::{RoomRow, room_row};
use crate::{StorageError, Tx, Value, uuids};

/// Which rooms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those whose name has this in it, in any case; all when empty.
    pub search: String,
    /// Those in this state; all that are not archived without it.
    pub state: Option<RoomState>,
    /// Those alone that nobody administers.
    pub no_administrator: bool,
}

/// What a room holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomCounts {
    /// Active memberships.
    pub members: i64,
    /// Those of them that administer the room.
    pub administrators: i64,
    /// People who wait at its door.
    pub parked: i64,
    /// Managed memberships that nobody asks for and that stay.
    pub strays: i64,
    /// Confirmed mappings.
    pub confirmed: i64,
    /// Mappings that wait for a confirmation.
    pub pending: i64,
}

/// Rooms by folded name and id, after one of them.
pub async fn page(
    tx: &mut Tx<'_>,
    wanted: &Wanted,
    after: Option<(&str, RoomId)>,
    limit: u32,
) -> Result<Vec<RoomRow>, StorageError> {
    let (name, id) = match after {
        Some((name, id)) => (name, id.into()),
        None => ("", Value::Uuid(uuid::Uuid::nil())),
    };
    let rows = tx
        .query(
            "SELECT r.id, r.name, r.model, r.features, r.state, r.portal_id, r.url, r.no_administrator_since_us,
                    r.arrival_limit, r.version, r.created_us
             FROM room r
             WHERE (r.name_key, r.id) > ($1, $2)
               AND ($3 = '' OR /*lite*/instr/*pg strpos*/(r.name_key, $3) > 0)
               AND ($4 = r.state OR $4 = '' AND r.state <> 'archived')
               AND ($5 = 0 OR r.no_administrator_since_us IS NOT NULL)
             ORDER BY r.name_key, r.id LIMIT $6",
            &[
                name.into(),
                id,
                wanted.search.to_lowercase().into(),
                wanted.state.map_or("", RoomState::as_str).into(),
                i64::from(wanted.no_administrator).into(),
                limit.into(),
            ],
        )
        .await?;
    rows.iter().map(room_row).collect()
}

/// What rooms hold, each count no higher than `most`.
pub async fn counts(
    tx: &mut Tx<'_>,
    rooms: impl IntoIterator<Item = RoomId>,
    most: i64,
) -> Result<BTreeMap<RoomId, RoomCounts>, StorageError> {
    let rows = tx
        .query(
            "SELECT r.id,
                (SELECT count(*) FROM (SELECT 1 FROM membership m WHERE m.room_id = r.id AND m.active = 1 LIMIT $2) c),
                (SELECT count(*) FROM (SELECT 1 FROM membership m
                    WHERE m.room_id = r.id AND m.active = 1 AND m.administrator = 1 LIMIT $2) c),
                (SELECT count(*) FROM (SELECT 1 FROM parked p WHERE p.room_id = r.id LIMIT $2) c),
                (SELECT count(*) FROM (SELECT 1 FROM membership m
                    WHERE m.room_id = r.id AND m.active = 1 AND m.stray IS NOT NULL LIMIT $2) c),
                (SELECT count(*) FROM mapping g WHERE g.room_id = r.id AND g.state = 'confirmed'),
                (SELECT count(*) FROM mapping g WHERE g.room_id = r.id AND g.state = 'pending')
             FROM rarray($1) i CROSS JOIN room r ON r.id = i.value",
            &[uuids(rooms), most.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let counts = RoomCounts {
                members: row.get(1)?,
                administrators: row.get(2)?,
                parked: row.get(3)?,
                strays: row.get(4)?,
                confirmed: row.get(5)?,
                pending: row.get(6)?,
            };
            Ok((row.get(0)?, counts))
        })
        .collect()
}
