//! The feed read backwards, the newest event first: numbers of events along one index at a time, for pages that cost the same
//! however far back they are.

use uuid::Uuid;

use usher_core::{ChangeId, PersonId, RoomId};

use crate::{Row, SourceKey, StorageError, Tx, Value};

/// What events are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Along {
    /// All of them.
    All,
    /// Those about a room.
    Room(RoomId),
    /// Those about a person.
    Person(PersonId),
    /// Those about a source.
    Source(SourceKey),
    /// Those of one kind.
    Kind(&'static str),
}

/// The numbers of published events before a place in the feed, newest first.
pub async fn before(tx: &mut Tx<'_>, along: &Along, seq: i64, limit: u32) -> Result<Vec<i64>, StorageError> {
    let (sql, value): (_, Value) = match along {
        Along::All => {
            let sql = "SELECT e.seq FROM event e WHERE e.seq < $1 /*pg AND e.seq <= usher_horizon() */
                       ORDER BY e.seq DESC LIMIT $2";
            let rows = tx.query(sql, &[seq.into(), limit.into()]).await?;
            return numbers(&rows);
        }
        Along::Room(room) => (
            "SELECT e.seq FROM event e WHERE e.room_id = $1 AND e.seq < $2 /*pg AND e.seq <= usher_horizon() */
             ORDER BY e.seq DESC LIMIT $3",
            (*room).into(),
        ),
        Along::Person(person) => (
            "SELECT e.seq FROM event e WHERE e.person_id = $1 AND e.seq < $2 /*pg AND e.seq <= usher_horizon() */
             ORDER BY e.seq DESC LIMIT $3",
            (*person).into(),
        ),
        Along::Source(source) => (
            "SELECT e.seq FROM event e WHERE e.source_id = $1 AND e.seq < $2 /*pg AND e.seq <= usher_horizon() */
             ORDER BY e.seq DESC LIMIT $3",
            (*source).into(),
        ),
        Along::Kind(kind) => (
            "SELECT e.seq FROM event e WHERE e.kind = $1 AND e.seq < $2 /*pg AND e.seq <= usher_horizon() */
             ORDER BY e.seq DESC LIMIT $3",
            Value::Text((*kind).into()),
        ),
    };
    numbers(&tx.query(sql, &[value, seq.into(), limit.into()]).await?)
}

/// Published events by one actor before an event of a change, the newest change first: each with its change.
pub async fn by_actor(
    tx: &mut Tx<'_>,
    (kind, name): (&str, &str),
    (change, seq): (ChangeId, i64),
    limit: u32,
) -> Result<Vec<(ChangeId, i64)>, StorageError> {
    let rows = tx
        .query(
            "SELECT c.id, e.seq FROM change c CROSS JOIN event e ON e.change_id = c.id
             WHERE c.actor_kind = $1 AND c.actor = $2 AND c.id <= $3 AND (c.id < $3 OR e.seq < $4)
                 /*pg AND e.seq <= usher_horizon() */
             ORDER BY c.id DESC, e.seq DESC LIMIT $5",
            &[kind.into(), name.into(), change.into(), seq.into(), limit.into()],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The place behind every change that there can be.
#[must_use]
pub const fn end() -> (ChangeId, i64) {
    (ChangeId::from_uuid(Uuid::max()), i64::MAX)
}

fn numbers(rows: &[Row]) -> Result<Vec<i64>, StorageError> {
    rows.iter().map(|row| row.get(0)).collect()
}
