//! Orders for rooms, and their logos.

use usher_core::{GroupNaming, MappingId, OrderId, OrderState, PersonId, RoomId, RoomModel, Timestamp};

use super::{or_end, or_start};
use crate::{Row, SourceKey, StorageError, Tx, Value};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// The id.
    pub id: OrderId,
    /// How far it is.
    pub state: OrderState,
    /// Since when it is so.
    pub since: Timestamp,
    /// Who orders.
    pub customer: String,
    /// The name that the room shall have.
    pub room_name: String,
    /// The company address of the room's administrator, folded.
    pub administrator: String,
    /// Who that turned out to be.
    pub administrator_person: Option<PersonId>,
    /// Whether the administrator gets access to all content.
    pub all_content: bool,
    /// Open or closed.
    pub model: RoomModel,
    /// Special features, as a JSON array of texts.
    pub features: String,
    /// The source of the group.
    pub source: SourceKey,
    /// How the requester named the group.
    pub group_ref: String,
    /// What `group_ref` is.
    pub named_by: GroupNaming,
    /// How many people are expected.
    pub expected: u32,
    /// The requester's address, folded.
    pub requester: String,
    /// The room, once the order is accepted.
    pub room: Option<RoomId>,
    /// The mapping, once the order is accepted.
    pub mapping: Option<MappingId>,
    /// When the bootstrap membership should have ended; nothing once it has.
    pub bootstrap_due: Option<Timestamp>,
    /// When somebody was last told that this date has passed.
    pub alerted: Option<Timestamp>,
    /// When the administrator got the administrator level.
    pub raised: Option<Timestamp>,
    /// Why it was rejected or withdrawn.
    pub closing_reason: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Rises with every change.
    pub version: i64,
}

macro_rules! select_order {
    ($rest:literal) => {
        concat!(
            "SELECT o.id, o.state, o.since_us, o.customer, o.room_name, o.administrator, o.administrator_person,
                    o.all_content, o.model, o.features, o.source_id, o.group_ref, o.named_by, o.expected, o.requester,
                    o.room_id, o.mapping_id, o.bootstrap_due_us, o.alerted_us, o.raised_us, o.closing_reason,
                    o.created_us, o.version ",
            $rest
        )
    };
}

/// The order with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<OrderRow>, StorageError> {
    one(
        tx,
        select_order!("FROM room_order o WHERE o.id = $1"),
        &[id.into()],
    )
    .await
}

/// The newest order of a room.
pub async fn of_room(tx: &mut Tx<'_>, room: RoomId) -> Result<Option<OrderRow>, StorageError> {
    let sql = select_order!("FROM room_order o WHERE o.room_id = $1 ORDER BY o.id DESC LIMIT 1");
    one(tx, sql, &[room.into()]).await
}

/// The order under way for a room of this name, in any case.
pub async fn under_way_by_name(tx: &mut Tx<'_>, room_name: &str) -> Result<Option<OrderRow>, StorageError> {
    let sql = select_order!(
        "FROM room_order o WHERE o.room_key = $1 AND o.state NOT IN ('draft', 'live', 'rejected', 'withdrawn')"
    );
    one(tx, sql, &[room_name.to_lowercase().into()]).await
}

/// The orders under way that name a group like this, in any case.
pub async fn under_way_by_group(
    tx: &mut Tx<'_>,
    source: SourceKey,
    group_ref: &str,
) -> Result<Vec<OrderRow>, StorageError> {
    let sql = select_order!(
        "FROM room_order o WHERE o.source_id = $1 AND o.group_key = $2
           AND o.state NOT IN ('draft', 'live', 'rejected', 'withdrawn') ORDER BY o.id"
    );
    many(tx, sql, &[source.into(), group_ref.to_lowercase().into()]).await
}

/// Orders in the order of their making, of one requester or of all, those under way alone or all.
pub async fn page(
    tx: &mut Tx<'_>,
    requester: Option<&str>,
    open_only: bool,
    after: Option<OrderId>,
    limit: u32,
) -> Result<Vec<OrderRow>, StorageError> {
    let after = or_start(after);
    match requester {
        Some(requester) => {
            let sql = select_order!(
                "FROM room_order o WHERE o.requester = $1 AND o.id > $2
                   AND ($3 = 0 OR o.state NOT IN ('live', 'rejected', 'withdrawn')) ORDER BY o.id LIMIT $4"
            );
            let requester = requester.to_lowercase();
            many(
                tx,
                sql,
                &[requester.into(), after, open_only.into(), limit.into()],
            )
            .await
        }
        None => {
            let sql = select_order!(
                "FROM room_order o WHERE o.id > $1
                   AND ($2 = 0 OR o.state NOT IN ('live', 'rejected', 'withdrawn')) ORDER BY o.id LIMIT $3"
            );
            many(tx, sql, &[after, open_only.into(), limit.into()]).await
        }
    }
}

/// The same, the newest first.
pub async fn newest(
    tx: &mut Tx<'_>,
    requester: Option<&str>,
    open_only: bool,
    before: Option<OrderId>,
    limit: u32,
) -> Result<Vec<OrderRow>, StorageError> {
    let before = or_end(before);
    match requester {
        Some(requester) => {
            let sql = select_order!(
                "FROM room_order o WHERE o.requester = $1 AND o.id < $2
                   AND ($3 = 0 OR o.state NOT IN ('live', 'rejected', 'withdrawn')) ORDER BY o.id DESC LIMIT $4"
            );
            let requester = requester.to_lowercase();
            many(
                tx,
                sql,
                &[requester.into(), before, open_only.into(), limit.into()],
            )
            .await
        }
        None => {
            let sql = select_order!(
                "FROM room_order o WHERE o.id < $1
                   AND ($2 = 0 OR o.state NOT IN ('live', 'rejected', 'withdrawn')) ORDER BY o.id DESC LIMIT $3"
            );
            many(tx, sql, &[before, open_only.into(), limit.into()]).await
        }
    }
}

/// Orders whose bootstrap membership should have ended by now, and of which nobody was told since a moment.
pub async fn overdue(
    tx: &mut Tx<'_>,
    now: Timestamp,
    told_before: Timestamp,
    limit: u32,
) -> Result<Vec<OrderRow>, StorageError> {
    let sql = select_order!(
        "FROM room_order o WHERE o.bootstrap_due_us IS NOT NULL AND o.bootstrap_due_us <= $1
           AND (o.alerted_us IS NULL OR o.alerted_us <= $2) ORDER BY o.bootstrap_due_us, o.id LIMIT $3"
    );
    many(tx, sql, &[now.into(), told_before.into(), limit.into()]).await
}

/// Adds an order.
pub async fn insert(tx: &mut Tx<'_>, order: &OrderRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO room_order (id, state, since_us, customer, room_name, room_key, administrator,
            administrator_person, all_content, model, features, source_id, group_ref, group_key, named_by, expected,
            requester, room_id, mapping_id, bootstrap_due_us, alerted_us, raised_us, closing_reason, created_us, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24, $25)",
        &values(order),
    )
    .await?;
    Ok(())
}

/// Writes all that may change of an order and raises its version.
pub async fn update(tx: &mut Tx<'_>, order: &OrderRow) -> Result<(), StorageError> {
    let mut params = values(order).to_vec();
    params.truncate(23);
    tx.execute(
        "UPDATE room_order SET state = $2, since_us = $3, customer = $4, room_name = $5, room_key = $6,
            administrator = $7, administrator_person = $8, all_content = $9, model = $10, features = $11,
            source_id = $12, group_ref = $13, group_key = $14, named_by = $15, expected = $16, requester = $17,
            room_id = $18, mapping_id = $19, bootstrap_due_us = $20, alerted_us = $21, raised_us = $22,
            closing_reason = $23, version = version + 1
         WHERE id = $1",
        &params,
    )
    .await?;
    Ok(())
}

/// A picture for a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoRow {
    /// `image/png`, `image/jpeg` or `image/svg+xml`.
    pub media_type: String,
    /// The picture.
    pub bytes: Vec<u8>,
}

/// Keeps an order's logo, in place of the one before.
pub async fn put_logo(tx: &mut Tx<'_>, order: OrderId, logo: LogoRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO logo (order_id, media_type, bytes) VALUES ($1, $2, $3)
         ON CONFLICT (order_id) DO UPDATE SET media_type = excluded.media_type, bytes = excluded.bytes",
        &[order.into(), logo.media_type.into(), logo.bytes.into()],
    )
    .await?;
    Ok(())
}

/// Forgets an order's logo.
pub async fn remove_logo(tx: &mut Tx<'_>, order: OrderId) -> Result<(), StorageError> {
    tx.execute("DELETE FROM logo WHERE order_id = $1", &[order.into()])
        .await?;
    Ok(())
}

/// An order's logo.
pub async fn logo(tx: &mut Tx<'_>, order: OrderId) -> Result<Option<LogoRow>, StorageError> {
    let row = tx
        .query_opt(
            "SELECT media_type, bytes FROM logo WHERE order_id = $1",
            &[order.into()],
        )
        .await?;
    row.map(|row| {
        Ok(LogoRow {
            media_type: row.get(0)?,
            bytes: row.get(1)?,
        })
    })
    .transpose()
}

async fn one(tx: &mut Tx<'_>, sql: &'static str, params: &[Value]) -> Result<Option<OrderRow>, StorageError> {
    tx.query_opt(sql, params)
        .await?
        .as_ref()
        .map(order_row)
        .transpose()
}

async fn many(tx: &mut Tx<'_>, sql: &'static str, params: &[Value]) -> Result<Vec<OrderRow>, StorageError> {
    tx.query(sql, params).await?.iter().map(order_row).collect()
}

fn values(order: &OrderRow) -> [Value; 25] {
    [
        order.id.into(),
        order.state.into(),
        order.since.into(),
        order.customer.as_str().into(),
        order.room_name.as_str().into(),
        order.room_name.to_lowercase().into(),
        order.administrator.as_str().into(),
        order.administrator_person.into(),
        order.all_content.into(),
        order.model.into(),
        order.features.as_str().into(),
        order.source.into(),
        order.group_ref.as_str().into(),
        order.group_ref.to_lowercase().into(),
        order.named_by.into(),
        order.expected.into(),
        order.requester.as_str().into(),
        order.room.into(),
        order.mapping.into(),
        order.bootstrap_due.into(),
        order.alerted.into(),
        order.raised.into(),
        order.closing_reason.as_deref().into(),
        order.created.into(),
        order.version.into(),
    ]
}

fn order_row(row: &Row) -> Result<OrderRow, StorageError> {
    Ok(OrderRow {
        id: row.get(0)?,
        state: row.get(1)?,
        since: row.get(2)?,
        customer: row.get(3)?,
        room_name: row.get(4)?,
        administrator: row.get(5)?,
        administrator_person: row.get(6)?,
        all_content: row.get(7)?,
        model: row.get(8)?,
        features: row.get(9)?,
        source: row.get(10)?,
        group_ref: row.get(11)?,
        named_by: row.get(12)?,
        expected: row.get(13)?,
        requester: row.get(14)?,
        room: row.get(15)?,
        mapping: row.get(16)?,
        bootstrap_due: row.get(17)?,
        alerted: row.get(18)?,
        raised: row.get(19)?,
        closing_reason: row.get(20)?,
        created: row.get(21)?,
        version: row.get(22)?,
    })
}
