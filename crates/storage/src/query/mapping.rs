//! Mappings from groups to rooms.

use usher_core::{GroupNaming, MappingId, MappingState, Rejoin, RoomId, SourceGroupId, Timestamp};

use super::or_start;
use crate::{Later, Row, SourceKey, StorageError, Tx, Value, uuids};

/// A mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingRow {
    /// The id.
    pub id: MappingId,
    /// The room that the group leads to.
    pub room: RoomId,
    /// The group's source.
    pub source: SourceKey,
    /// The group, once it is bound.
    pub group: Option<SourceGroupId>,
    /// How a human named the group.
    pub group_ref: String,
    /// What `group_ref` is.
    pub named_by: GroupNaming,
    /// The level at which people start.
    pub level: String,
    /// What happens when somebody comes back.
    pub rejoin: Rejoin,
    /// For `auto`: within how many days.
    pub rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too. Only a source that is read can tell who they are.
    pub nested: bool,
    /// Whether it was made knowing that the group or the room has another one.
    pub additional: bool,
    /// How far it is.
    pub state: MappingState,
    /// When it was made.
    pub created: Timestamp,
    /// When it was confirmed.
    pub confirmed: Option<Timestamp>,
    /// When it was retired.
    pub retired: Option<Timestamp>,
    /// Rises with every change.
    pub version: i64,
}

macro_rules! select_mapping {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.room_id, m.source_id, m.group_id, m.group_ref, m.named_by, m.level, m.rejoin, m.rejoin_days,
                    m.additional, m.state, m.created_us, m.confirmed_us, m.retired_us, m.version, m.nested ",
            $rest
        )
    };
}

/// The mapping with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: MappingId) -> Result<Option<MappingRow>, StorageError> {
    let row = tx
        .query_opt(select_mapping!("FROM mapping m WHERE m.id = $1"), &[id.into()])
        .await?;
    row.as_ref().map(mapping_row).transpose()
}

/// All mappings of a room, retired ones included, oldest first.
pub async fn of_room(tx: &mut Tx<'_>, room: RoomId) -> Result<Vec<MappingRow>, StorageError> {
    many(
        tx,
        select_mapping!("FROM mapping m WHERE m.room_id = $1 ORDER BY m.id"),
        &[room.into()],
    )
    .await
}

/// The mappings of a group that are not retired.
pub async fn of_group(tx: &mut Tx<'_>, group: SourceGroupId) -> Result<Vec<MappingRow>, StorageError> {
    let sql = select_mapping!("FROM mapping m WHERE m.group_id = $1 AND m.state <> 'retired' ORDER BY m.id");
    many(tx, sql, &[group.into()]).await
}

/// The mappings of a source that are not retired.
pub async fn of_source(tx: &mut Tx<'_>, source: SourceKey) -> Result<Vec<MappingRow>, StorageError> {
    let sql = select_mapping!("FROM mapping m WHERE m.source_id = $1 AND m.state <> 'retired' ORDER BY m.id");
    many(tx, sql, &[source.into()]).await
}

/// Mappings in the order of their creation, retired ones included.
pub async fn page(
    tx: &mut Tx<'_>,
    after: Option<MappingId>,
    limit: u32,
) -> Result<Vec<MappingRow>, StorageError> {
    let sql = select_mapping!("FROM mapping m WHERE m.id > $1 ORDER BY m.id LIMIT $2");
    many(tx, sql, &[or_start(after), limit.into()]).await
}

/// Mappings that wait for a group by one of these folded names or ids: they never had one, or theirs is gone
/// and they name it by its immutable id.
pub async fn waiting(
    tx: &mut Tx<'_>,
    source: SourceKey,
    keys: Vec<String>,
) -> Result<Vec<MappingRow>, StorageError> {
    let sql = select_mapping!(
        "FROM rarray($2) k CROSS JOIN mapping m ON m.source_id = $1 AND m.group_key = k.value
         WHERE m.state <> 'retired' AND (m.group_id IS NULL OR m.named_by = 'id' AND EXISTS (
            SELECT 1 FROM source_group g WHERE g.id = m.group_id AND g.gone_us IS NOT NULL)) ORDER BY m.id"
    );
    many(tx, sql, &[source.into(), Value::Texts(keys)]).await
}

/// The rooms that groups lead to by confirmed mappings: group and room.
pub async fn confirmed_rooms(
    tx: &mut Tx<'_>,
    groups: impl IntoIterator<Item = SourceGroupId>,
) -> Result<Vec<(SourceGroupId, RoomId)>, StorageError> {
    let later = confirmed_rooms_later(tx, groups).await?;
    tx.rows(later).await
}

/// The same, read later.
pub async fn confirmed_rooms_later(
    tx: &mut Tx<'_>,
    groups: impl IntoIterator<Item = SourceGroupId>,
) -> Result<Later<(SourceGroupId, RoomId)>, StorageError> {
    tx.query_later(
        "SELECT m.group_id, m.room_id FROM rarray($1) g CROSS JOIN mapping m ON m.group_id = g.value
         WHERE m.state = 'confirmed' AND m.state <> 'retired' AND m.group_id IS NOT NULL",
        &[uuids(groups)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .await
}

/// Adds a mapping.
pub async fn insert(tx: &mut Tx<'_>, mapping: &MappingRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO mapping (id, room_id, source_id, group_id, group_ref, group_key, named_by, level, rejoin,
            rejoin_days, additional, state, created_us, confirmed_us, retired_us, version, nested)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        &[
            mapping.id.into(),
            mapping.room.into(),
            mapping.source.into(),
            mapping.group.into(),
            mapping.group_ref.as_str().into(),
            mapping.group_ref.to_lowercase().into(),
            mapping.named_by.into(),
            mapping.level.as_str().into(),
            mapping.rejoin.into(),
            mapping.rejoin_days.into(),
            mapping.additional.into(),
            mapping.state.into(),
            mapping.created.into(),
            mapping.confirmed.into(),
            mapping.retired.into(),
            mapping.version.into(),
            mapping.nested.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes all that may change of a mapping and raises its version.
pub async fn update(tx: &mut Tx<'_>, mapping: &MappingRow) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE mapping SET group_id = $2, level = $3, rejoin = $4, rejoin_days = $5, state = $6, confirmed_us = $7,
            retired_us = $8, nested = $9, version = version + 1
         WHERE id = $1",
        &[
            mapping.id.into(),
            mapping.group.into(),
            mapping.level.as_str().into(),
            mapping.rejoin.into(),
            mapping.rejoin_days.into(),
            mapping.state.into(),
            mapping.confirmed.into(),
            mapping.retired.into(),
            mapping.nested.into(),
        ],
    )
    .await?;
    Ok(())
}

async fn many(tx: &mut Tx<'_>, sql: &'static str, params: &[Value]) -> Result<Vec<MappingRow>, StorageError> {
    tx.query(sql, params).await?.iter().map(mapping_row).collect()
}

fn mapping_row(row: &Row) -> Result<MappingRow, StorageError> {
    Ok(MappingRow {
        id: row.get(0)?,
        room: row.get(1)?,
        source: row.get(2)?,
        group: row.get(3)?,
        group_ref: row.get(4)?,
        named_by: row.get(5)?,
        level: row.get(6)?,
        rejoin: row.get(7)?,
        rejoin_days: row.get(8)?,
        additional: row.get(9)?,
        state: row.get(10)?,
        created: row.get(11)?,
        confirmed: row.get(12)?,
        retired: row.get(13)?,
        version: row.get(14)?,
        nested: row.get(15)?,
    })
}
