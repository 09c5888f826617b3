//! People, and who may be the same as whom.

use usher_core::{PersonId, RoomId, Timestamp};

use crate::{Later, Row, StorageError, Tx, uuids};

/// A human.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// The id.
    pub id: PersonId,
    /// The address, folded.
    pub email: Option<String>,
    /// The name that people see.
    pub display_name: Option<String>,
    /// The person that this one turned out to be.
    pub merged_into: Option<PersonId>,
}

/// Adds a person.
pub async fn insert(
    tx: &mut Tx<'_>,
    id: PersonId,
    email: Option<&str>,
    display_name: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute_later(
        "INSERT INTO person (id, email, display_name, created_us) VALUES ($1, $2, $3, $4)",
        &[id.into(), email.into(), display_name.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Keeps a person's address and name in step with an account.
pub async fn update(
    tx: &mut Tx<'_>,
    id: PersonId,
    email: Option<&str>,
    display_name: Option<&str>,
) -> Result<(), StorageError> {
    tx.execute_later(
        "UPDATE person SET email = $2, display_name = $3 WHERE id = $1",
        &[id.into(), email.into(), display_name.into()],
    )
    .await?;
    Ok(())
}

/// People by id; unknown ids are left out.
pub async fn by_ids(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = PersonId>,
) -> Result<Vec<PersonRow>, StorageError> {
    let asked = by_ids_later(tx, ids).await?;
    tx.rows(asked).await
}

/// As [`by_ids`], for later.
pub async fn by_ids_later(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = PersonId>,
) -> Result<Later<PersonRow>, StorageError> {
    tx.query_later(
        "SELECT p.id, p.email, p.display_name, p.merged_into FROM rarray($1) i CROSS JOIN person p ON p.id = i.value",
        &[uuids(ids)],
        person_row,
    )
    .await
}

/// People with an address, in any case, who were not merged into others.
pub async fn by_email(tx: &mut Tx<'_>, email: &str) -> Result<Vec<PersonRow>, StorageError> {
    tx.query(
        "SELECT p.id, p.email, p.display_name, p.merged_into FROM person p
         WHERE p.email = $1 AND p.merged_into IS NULL ORDER BY p.id",
        &[email.to_lowercase().into()],
    )
    .await?
    .iter()
    .map(person_row)
    .collect()
}

/// Notes that a person may be the same as everybody else with the address; answers the others that were not
/// noted before.
pub async fn note_similar(
    tx: &mut Tx<'_>,
    person: PersonId,
    email: &str,
    now: Timestamp,
) -> Result<Later<PersonId>, StorageError> {
    tx.query_later(
        "INSERT INTO similar_person (person_id, other_id, email, noted_us)
         SELECT $1, p.id, $2, $3 FROM person p WHERE p.email = $2 AND p.id <> $1 AND p.merged_into IS NULL
         ON CONFLICT (person_id, other_id) DO NOTHING RETURNING other_id",
        &[person.into(), email.into(), now.into()],
        |row| row.get(0),
    )
    .await
}

/// Everybody who may be the same as a person, noted on either side.
pub async fn similar(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<PersonId>, StorageError> {
    let rows = tx
        .query(
            "SELECT other_id FROM similar_person WHERE person_id = $1
             UNION SELECT person_id FROM similar_person WHERE other_id = $1",
            &[person.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Makes one person of two: everything of `other` becomes `kept`'s. The caller made sure that the two are not
/// in one room, and have no two live accounts in one source. Holds that are over keep the names they had.
pub async fn merge(tx: &mut Tx<'_>, other: PersonId, kept: PersonId) -> Result<(), StorageError> {
    const MOVES: [&str; 10] = [
        "UPDATE person SET merged_into = $2 WHERE id = $1 OR merged_into = $1",
        "UPDATE source_user SET person_id = $2 WHERE person_id = $1",
        "UPDATE membership SET person_id = $2, version = version + 1 WHERE person_id = $1",
        "UPDATE hold_item SET person_id = $2 WHERE person_id = $1
           AND hold_id IN (SELECT h.id FROM hold h WHERE h.state = 'open')
           AND NOT EXISTS (SELECT 1 FROM hold_item k WHERE k.hold_id = hold_item.hold_id AND k.person_id = $2)",
        "DELETE FROM hold_item WHERE person_id = $1 AND $2/*pg ::uuid*/ IS NOT NULL
           AND hold_id IN (SELECT h.id FROM hold h WHERE h.state = 'open')",
        "UPDATE restore SET person_id = $2, version = version + 1 WHERE person_id = $1",
        "UPDATE room_order SET administrator_person = $2 WHERE administrator_person = $1",
        "UPDATE parked SET person_id = $2, other_id = NULL WHERE person_id = $1
           AND NOT EXISTS (SELECT 1 FROM parked k WHERE k.room_id = parked.room_id AND k.person_id = $2)",
        "INSERT INTO similar_person (person_id, other_id, email, noted_us)
         SELECT $2, CASE WHEN s.person_id = $1 THEN s.other_id ELSE s.person_id END, s.email, s.noted_us
         FROM similar_person s
         WHERE (s.person_id = $1 OR s.other_id = $1) AND s.person_id <> $2 AND s.other_id <> $2
         ON CONFLICT (person_id, other_id) DO NOTHING",
        "DELETE FROM similar_person WHERE person_id = $1 OR other_id = $1 AND $2/*pg ::uuid*/ IS NOT NULL",
    ];
    for sql in MOVES {
        tx.execute(sql, &[other.into(), kept.into()]).await?;
    }
    tx.execute("DELETE FROM parked WHERE person_id = $1", &[other.into()])
        .await?;
    Ok(())
}

/// Who of these people has the address of somebody else who is in one of the rooms: room, person, other.
pub async fn same_address_inside(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Later<(RoomId, PersonId, PersonId)>, StorageError> {
    tx.query_later(
        "SELECT m.room_id, a.id, b.id
         FROM rarray($2) p CROSS JOIN person a ON a.id = p.value
         CROSS JOIN person b ON b.email = a.email AND b.id <> a.id AND b.merged_into IS NULL
         CROSS JOIN rarray($1) r CROSS JOIN membership m ON m.room_id = r.value AND m.person_id = b.id AND m.active = 1
         WHERE a.email IS NOT NULL",
        &[uuids(rooms.iter().copied()), uuids(persons.iter().copied())],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
    .await
}

/// Reads the columns of [`PersonRow`], in the order of its fields, from the front of a row.
pub(super) fn person_row(row: &Row) -> Result<PersonRow, StorageError> {
    Ok(PersonRow {
        id: row.get(0)?,
        email: row.get(1)?,
        display_name: row.get(2)?,
        merged_into: row.get(3)?,
    })
}
