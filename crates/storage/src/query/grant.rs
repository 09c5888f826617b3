//! Grants: things in a room that hang on a membership.

use usher_core::{GrantId, MembershipId, Timestamp};

use crate::{Row, StorageError, Tx, Value, uuids};

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// The id.
    pub id: GrantId,
    /// The membership that it hangs on.
    pub membership: MembershipId,
    /// What it is, in the portal's words, such as `meeting`.
    pub kind: String,
    /// The portal's name for it.
    pub reference: String,
    /// What people see.
    pub label: String,
    /// The membership that it hung on before a restore moved it.
    pub moved_from: Option<MembershipId>,
    /// When it was written.
    pub created: Timestamp,
    /// When it was dropped.
    pub dropped: Option<Timestamp>,
    /// Rises with every change.
    pub version: i64,
}

macro_rules! select_grant {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.membership_id, g.kind, g.reference, g.label, g.moved_from, g.created_us, g.dropped_us,
                    g.version ",
            $rest
        )
    };
}

/// The grant with an id, dropped or not.
pub async fn by_id(tx: &mut Tx<'_>, id: GrantId) -> Result<Option<GrantRow>, StorageError> {
    let row = tx
        .query_opt(select_grant!("FROM room_grant g WHERE g.id = $1"), &[id.into()])
        .await?;
    row.as_ref().map(grant_row).transpose()
}

/// The grant of a membership for one thing, unless it was dropped.
pub async fn by_reference(
    tx: &mut Tx<'_>,
    membership: MembershipId,
    kind: &str,
    reference: &str,
) -> Result<Option<GrantRow>, StorageError> {
    let sql = select_grant!(
        "FROM room_grant g WHERE g.membership_id = $1 AND g.kind = $2 AND g.reference = $3 AND g.dropped_us IS NULL"
    );
    tx.query_opt(sql, &[membership.into(), kind.into(), reference.into()])
        .await?
        .as_ref()
        .map(grant_row)
        .transpose()
}

/// The grants of memberships, dropped ones only where asked for, oldest first.
pub async fn of_memberships(
    tx: &mut Tx<'_>,
    memberships: impl IntoIterator<Item = MembershipId>,
    dropped_too: bool,
) -> Result<Vec<GrantRow>, StorageError> {
    let sql = select_grant!(
        "FROM rarray($1) i CROSS JOIN room_grant g ON g.membership_id = i.value
         WHERE $2 = 1 OR g.dropped_us IS NULL ORDER BY g.id"
    );
    tx.query(sql, &[uuids(memberships), dropped_too.into()])
        .await?
        .iter()
        .map(grant_row)
        .collect()
}

/// Adds a grant.
pub async fn insert(tx: &mut Tx<'_>, grant: &GrantRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO room_grant (id, membership_id, kind, reference, label, moved_from, created_us, dropped_us, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            grant.id.into(),
            grant.membership.into(),
            grant.kind.as_str().into(),
            grant.reference.as_str().into(),
            grant.label.as_str().into(),
            grant.moved_from.into(),
            grant.created.into(),
            grant.dropped.into(),
            grant.version.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Gives a grant another label.
pub async fn relabel(tx: &mut Tx<'_>, id: GrantId, label: &str) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE room_grant SET label = $2, version = version + 1 WHERE id = $1",
        &[id.into(), label.into()],
    )
    .await?;
    Ok(())
}

/// Drops grants, or takes the drop back with `None`.
pub async fn set_dropped(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = GrantId>,
    dropped: Option<Timestamp>,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE room_grant SET dropped_us = $2, version = version + 1 WHERE id IN (SELECT value FROM rarray($1))",
        &[uuids(ids), dropped.into()],
    )
    .await?;
    Ok(())
}

/// Hangs grants on another membership.
pub async fn move_to(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = GrantId>,
    membership: MembershipId,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE room_grant SET moved_from = membership_id, membership_id = $2, version = version + 1
         WHERE id IN (SELECT value FROM rarray($1))",
        &[uuids(ids), Value::from(membership)],
    )
    .await?;
    Ok(())
}

fn grant_row(row: &Row) -> Result<GrantRow, StorageError> {
    Ok(GrantRow {
        id: row.get(0)?,
        membership: row.get(1)?,
        kind: row.get(2)?,
        reference: row.get(3)?,
        label: row.get(4)?,
        moved_from: row.get(5)?,
        created: row.get(6)?,
        dropped: row.get(7)?,
        version: row.get(8)?,
    })
}
