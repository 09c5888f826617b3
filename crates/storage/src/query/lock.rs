//! Which units of work of the engine run at the same time, and what they wait for. SQLite runs one unit after the other,
//! so there is nothing to wait for; PostgreSQL runs them side by side.
//!
//! Locks are held until the unit ends. They are taken in one order, so that units that want the same ones do not wait for
//! each other in a circle: the engine's lock, users and groups, addresses, persons, rooms. Where the order cannot be kept,
//! the database ends one of the two units, which then runs again.

use usher_core::{PersonId, RoomId};

use crate::{StorageError, Tx, Value, uuids};

/// How a unit stands to others that run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// No other unit of the engine runs meanwhile.
    Alone,
    /// Others of this footing may run meanwhile. What they share is locked row by row.
    Beside,
}

/// Waits until the unit may run on this footing; answers the one that it has. Comes before everything that the unit reads.
pub fn enter(tx: &mut Tx<'_>, footing: Footing) -> Result<Footing, StorageError> {
    tx.enter(footing)
}

/// Waits until no other unit decides about these persons, or about others with the same addresses.
pub async fn persons(
    tx: &mut Tx<'_>,
    persons: impl IntoIterator<Item = PersonId>,
) -> Result<(), StorageError> {
    tx.lock(
        "SELECT count(*) FROM (
             SELECT p.id FROM person p WHERE p.id IN (
                 SELECT i.value FROM rarray($1) i UNION
                 SELECT b.id FROM rarray($1) i CROSS JOIN person a ON a.id = i.value
                 CROSS JOIN person b ON b.email = a.email AND b.email IS NOT NULL)
             ORDER BY p.id /*pg FOR NO KEY UPDATE*/) locked",
        &[uuids(persons)],
    )
    .await
}

/// Waits until no other unit counts or ends anything in these rooms that concerns more than one person.
pub async fn rooms(tx: &mut Tx<'_>, rooms: impl IntoIterator<Item = RoomId>) -> Result<(), StorageError> {
    tx.lock(
        "SELECT count(*) FROM (
             SELECT r.id FROM room r WHERE r.id IN (SELECT i.value FROM rarray($1) i)
             ORDER BY r.id /*pg FOR NO KEY UPDATE*/) locked",
        &[uuids(rooms)],
    )
    .await
}

/// Waits until no other unit gives somebody one of these addresses. They need not be anybody's yet, so there is no row to
/// lock; a number made of each is.
pub async fn addresses(tx: &mut Tx<'_>, addresses: Vec<String>) -> Result<(), StorageError> {
    tx.lock(
        "SELECT count(*) FROM (
             SELECT i.value /*pg , pg_advisory_xact_lock(hashtextextended(i.value, 0))*/ FROM rarray($1) i
             ORDER BY i.value) locked",
        &[Value::Texts(addresses)],
    )
    .await
}
