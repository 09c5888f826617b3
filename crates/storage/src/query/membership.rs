//! Memberships and their periods. Only the engine's apply step writes them.

use usher_core::{
    ChangeId, EndReason, HoldId, MappingId, MembershipId, MembershipKind, PersonId, RoomId, SourceUserId,
    StartReason, Stray, Timestamp,
};

use super::or_start;
use crate::{Later, Row, SourceKey, StorageError, Tx, Value, uuids};

/// One stay of one person in one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRow {
    /// The id.
    pub id: MembershipId,
    /// The room.
    pub room: RoomId,
    /// The person.
    pub person: PersonId,
    /// Who owns it.
    pub kind: MembershipKind,
    /// What it may do.
    pub level: String,
    /// Whether the level administers the room.
    pub administrator: bool,
    /// Whether it is in force.
    pub active: bool,
    /// For managed ones: the source.
    pub source: Option<SourceKey>,
    /// For managed ones: the account.
    pub user: Option<SourceUserId>,
    /// For managed ones: the mapping that it started by.
    pub mapping: Option<MappingId>,
    /// When its present or last period began.
    pub started: Timestamp,
    /// When its last period ended.
    pub ended: Option<Timestamp>,
    /// Why its last period ended.
    pub end_reason: Option<EndReason>,
    /// Why it stays though it is not desired.
    pub stray: Option<Stray>,
    /// Since when it stays so.
    pub stray_since: Option<Timestamp>,
    /// The hold that its ending is in.
    pub hold: Option<HoldId>,
    /// For manual ones: the human who answers for it.
    pub owner: Option<String>,
    /// For manual ones: why.
    pub note: Option<String>,
    /// For manual ones: until when.
    pub until: Option<Timestamp>,
    /// Rises with every change.
    pub version: i64,
}

/// A span of time in which a membership was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodRow {
    /// The membership.
    pub membership: MembershipId,
    /// Its place among the membership's periods, from 1.
    pub n: u32,
    /// When it began.
    pub from: Timestamp,
    /// Why it began.
    pub from_reason: StartReason,
    /// The unit of work that began it.
    pub from_change: ChangeId,
    /// When it ended.
    pub to: Option<Timestamp>,
    /// Why it ended.
    pub to_reason: Option<EndReason>,
    /// The unit of work that ended it.
    pub to_change: Option<ChangeId>,
}

macro_rules! select_membership {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.room_id, m.person_id, m.kind, m.level, m.administrator, m.active, m.source_id, m.user_id,
                    m.mapping_id, m.started_us, m.ended_us, m.end_reason, m.stray, m.stray_since_us, m.hold_id,
                    m.owner, m.note, m.until_us, m.version ",
            $rest
        )
    };
}

/// The membership with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: MembershipId) -> Result<Option<MembershipRow>, StorageError> {
    let row = tx
        .query_opt(
            select_membership!("FROM membership m WHERE m.id = $1"),
            &[id.into()],
        )
        .await?;
    row.as_ref().map(membership_row).transpose()
}

/// Memberships by id; unknown ids are left out.
pub async fn by_ids(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = MembershipId>,
) -> Result<Vec<MembershipRow>, StorageError> {
    many(
        tx,
        select_membership!("FROM rarray($1) i CROSS JOIN membership m ON m.id = i.value"),
        &[uuids(ids)],
    )
    .await
}

/// The active memberships of these people in these rooms.
pub async fn active(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Vec<MembershipRow>, StorageError> {
    let asked = active_later(tx, rooms, persons).await?;
    tx.rows(asked).await
}

/// As [`active`], for later.
pub async fn active_later(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Later<MembershipRow>, StorageError> {
    let sql = select_membership!(
        "FROM rarray($1) r CROSS JOIN rarray($2) p
         CROSS JOIN membership m ON m.room_id = r.value AND m.person_id = p.value AND m.active = 1"
    );
    tx.query_later(
        sql,
        &[uuids(rooms.iter().copied()), uuids(persons.iter().copied())],
        membership_row,
    )
    .await
}

/// The ended memberships of these people in these rooms, newest ending first.
pub async fn former(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Vec<MembershipRow>, StorageError> {
    let sql = select_membership!(
        "FROM rarray($2) p CROSS JOIN rarray($1) r
         CROSS JOIN membership m ON m.person_id = p.value AND m.room_id = r.value
         WHERE m.active = 0 ORDER BY m.ended_us DESC, m.id DESC"
    );
    many(
        tx,
        sql,
        &[uuids(rooms.iter().copied()), uuids(persons.iter().copied())],
    )
    .await
}

/// All memberships of a person, active and ended, newest first.
pub async fn of_person(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<MembershipRow>, StorageError> {
    let sql =
        select_membership!("FROM membership m WHERE m.person_id = $1 ORDER BY m.started_us DESC, m.id DESC");
    many(tx, sql, &[person.into()]).await
}

/// Active memberships of a room, by person.
pub async fn page_active(
    tx: &mut Tx<'_>,
    room: RoomId,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<MembershipRow>, StorageError> {
    let sql = select_membership!(
        "FROM membership m WHERE m.room_id = $1 AND m.person_id > $2 AND m.active = 1 ORDER BY m.person_id LIMIT $3"
    );
    many(tx, sql, &[room.into(), or_start(after), limit.into()]).await
}

/// People with an active managed membership of a room, in order.
pub async fn page_managed(
    tx: &mut Tx<'_>,
    room: RoomId,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<PersonId>, StorageError> {
    let rows = tx
        .query(
            "SELECT m.person_id FROM membership m
             WHERE m.room_id = $1 AND m.person_id > $2 AND m.active = 1 AND m.kind = 'managed'
             ORDER BY m.person_id LIMIT $3",
            &[room.into(), or_start(after), limit.into()],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// The active administrators of a room, the vendor's bootstrap user included.
pub async fn administrators(tx: &mut Tx<'_>, room: RoomId) -> Result<Vec<MembershipRow>, StorageError> {
    let sql = select_membership!(
        "FROM membership m WHERE m.room_id = $1 AND m.active = 1 AND m.administrator = 1 ORDER BY m.started_us, m.id"
    );
    many(tx, sql, &[room.into()]).await
}

/// Active memberships whose end date has passed, in rooms that are not archived.
pub async fn expired(
    tx: &mut Tx<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<MembershipRow>, StorageError> {
    let sql = select_membership!(
        "FROM membership m JOIN room r ON r.id = m.room_id
         WHERE m.active = 1 AND m.until_us IS NOT NULL AND m.until_us <= $1 AND r.state <> 'archived'
         ORDER BY m.until_us LIMIT $2"
    );
    many(tx, sql, &[now.into(), limit.into()]).await
}

/// How many active managed members a room has, counted no further than `limit`.
pub async fn count_managed(tx: &mut Tx<'_>, room: RoomId, limit: i64) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 FROM membership WHERE room_id = $1 AND active = 1 AND kind = 'managed' LIMIT $2) c",
        &[room.into(), limit.into()],
    )
    .await?
    .get(0)
}

/// How many active managed members of one source a room has, counted no further than `limit`.
pub async fn count_managed_of(
    tx: &mut Tx<'_>,
    room: RoomId,
    source: SourceKey,
    limit: i64,
) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 FROM membership
            WHERE room_id = $1 AND active = 1 AND kind = 'managed' AND source_id = $2 LIMIT $3) c",
        &[room.into(), source.into(), limit.into()],
    )
    .await?
    .get(0)
}

/// Adds memberships.
pub async fn insert(tx: &mut Tx<'_>, memberships: &[MembershipRow]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 20]> = memberships.iter().map(values).collect();
    tx.execute_many_later(
        "INSERT INTO membership (id, room_id, person_id, kind, level, administrator, active, source_id, user_id,
            mapping_id, started_us, ended_us, end_reason, stray, stray_since_us, hold_id, owner, note, until_us, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        &rows,
    )
    .await?;
    Ok(())
}

/// Writes all that may change of a membership and raises its version.
pub async fn update(tx: &mut Tx<'_>, membership: &MembershipRow) -> Result<(), StorageError> {
    let mut params = values(membership).to_vec();
    params.pop();
    tx.execute(
        "UPDATE membership SET room_id = $2, person_id = $3, kind = $4, level = $5, administrator = $6, active = $7,
            source_id = $8, user_id = $9, mapping_id = $10, started_us = $11, ended_us = $12, end_reason = $13,
            stray = $14, stray_since_us = $15, hold_id = $16, owner = $17, note = $18, until_us = $19,
            version = version + 1
         WHERE id = $1",
        &params,
    )
    .await?;
    Ok(())
}

/// Brings ended memberships back into force, each as the row given describes it.
pub async fn reopen(tx: &mut Tx<'_>, memberships: &[MembershipRow]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 12]> = memberships
        .iter()
        .map(|membership| {
            [
                membership.id.into(),
                membership.person.into(),
                membership.kind.into(),
                membership.level.as_str().into(),
                membership.administrator.into(),
                membership.source.into(),
                membership.user.into(),
                membership.mapping.into(),
                membership.started.into(),
                membership.owner.as_deref().into(),
                membership.note.as_deref().into(),
                membership.until.into(),
            ]
        })
        .collect();
    tx.execute_many(
        "UPDATE membership SET person_id = v.column2, kind = v.column3, level = v.column4, administrator = v.column5,
            active = 1, source_id = v.column6, user_id = v.column7, mapping_id = v.column8, started_us = v.column9,
            ended_us = NULL, end_reason = NULL, owner = v.column10, note = v.column11, until_us = v.column12,
            version = version + 1
         FROM (VALUES ($1/*pg ::uuid*/, $2/*pg ::uuid*/, $3, $4, $5/*pg ::bigint*/, $6/*pg ::bigint*/, $7/*pg ::uuid*/,
            $8/*pg ::uuid*/, $9/*pg ::bigint*/, $10, $11, $12/*pg ::bigint*/)) v WHERE id = v.column1",
        &rows,
    )
    .await?;
    Ok(())
}

/// Ends memberships for one reason.
pub async fn end(
    tx: &mut Tx<'_>,
    ids: &[MembershipId],
    reason: EndReason,
    now: Timestamp,
    change: ChangeId,
) -> Result<(), StorageError> {
    let ids = uuids(ids.iter().copied());
    tx.execute_later(
        "UPDATE membership SET active = 0, ended_us = $2, end_reason = $3, stray = NULL, stray_since_us = NULL,
            hold_id = NULL, version = version + 1
         WHERE id IN (SELECT value FROM rarray($1))",
        &[ids.clone(), now.into(), reason.into()],
    )
    .await?;
    tx.execute_later(
        "UPDATE period SET to_us = $2, to_reason = $3, to_change = $4
         WHERE membership_id IN (SELECT value FROM rarray($1)) AND to_us IS NULL",
        &[ids, now.into(), reason.into(), change.into()],
    )
    .await?;
    Ok(())
}

/// Marks active memberships as staying though not desired, or takes the mark away.
pub async fn mark_stray(
    tx: &mut Tx<'_>,
    ids: &[MembershipId],
    stray: Option<Stray>,
    hold: Option<HoldId>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute_later(
        "UPDATE membership SET stray = $2, stray_since_us = $3, hold_id = $4, version = version + 1
         WHERE id IN (SELECT value FROM rarray($1))",
        &[
            uuids(ids.iter().copied()),
            stray.into(),
            stray.map(|_| now).into(),
            hold.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Adds first or further periods: membership, place, reason.
pub async fn open_periods(
    tx: &mut Tx<'_>,
    periods: &[(MembershipId, u32, StartReason)],
    now: Timestamp,
    change: ChangeId,
) -> Result<(), StorageError> {
    let rows: Vec<[Value; 5]> = periods
        .iter()
        .map(|(membership, n, reason)| {
            [
                (*membership).into(),
                (*n).into(),
                now.into(),
                (*reason).into(),
                change.into(),
            ]
        })
        .collect();
    tx.execute_many_later(
        "INSERT INTO period (membership_id, n, from_us, from_reason, from_change) VALUES ($1, $2, $3, $4, $5)",
        &rows,
    )
    .await?;
    Ok(())
}

/// The periods of memberships, by membership and place.
pub async fn periods(
    tx: &mut Tx<'_>,
    ids: impl IntoIterator<Item = MembershipId>,
) -> Result<Vec<PeriodRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT p.membership_id, p.n, p.from_us, p.from_reason, p.from_change, p.to_us, p.to_reason, p.to_change
             FROM rarray($1) i CROSS JOIN period p ON p.membership_id = i.value ORDER BY p.membership_id, p.n",
            &[uuids(ids)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(PeriodRow {
                membership: row.get(0)?,
                n: row.get(1)?,
                from: row.get(2)?,
                from_reason: row.get(3)?,
                from_change: row.get(4)?,
                to: row.get(5)?,
                to_reason: row.get(6)?,
                to_change: row.get(7)?,
            })
        })
        .collect()
}

/// Writes down that a level was given after the start.
pub async fn note_level(
    tx: &mut Tx<'_>,
    membership: MembershipId,
    before: &str,
    level: &str,
    now: Timestamp,
    change: ChangeId,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO level_change (membership_id, n, at_us, level_before, level, change_id)
         SELECT $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5 FROM level_change WHERE membership_id = $1",
        &[
            membership.into(),
            now.into(),
            before.into(),
            level.into(),
            change.into(),
        ],
    )
    .await?;
    Ok(())
}

async fn many(
    tx: &mut Tx<'_>,
    sql: &'static str,
    params: &[Value],
) -> Result<Vec<MembershipRow>, StorageError> {
    tx.query(sql, params).await?.iter().map(membership_row).collect()
}

fn values(membership: &MembershipRow) -> [Value; 20] {
    [
        membership.id.into(),
        membership.room.into(),
        membership.person.into(),
        membership.kind.into(),
        membership.level.as_str().into(),
        membership.administrator.into(),
        membership.active.into(),
        membership.source.into(),
        membership.user.into(),
        membership.mapping.into(),
        membership.started.into(),
        membership.ended.into(),
        membership.end_reason.into(),
        membership.stray.into(),
        membership.stray_since.into(),
        membership.hold.into(),
        membership.owner.as_deref().into(),
        membership.note.as_deref().into(),
        membership.until.into(),
        membership.version.into(),
    ]
}

/// Reads the columns of [`MembershipRow`], in the order of its fields, from the front of a row.
pub(super) fn membership_row(row: &Row) -> Result<MembershipRow, StorageError> {
    Ok(MembershipRow {
        id: row.get(0)?,
        room: row.get(1)?,
        person: row.get(2)?,
        kind: row.get(3)?,
        level: row.get(4)?,
        administrator: row.get(5)?,
        active: row.get(6)?,
        source: row.get(7)?,
        user: row.get(8)?,
        mapping: row.get(9)?,
        started: row.get(10)?,
        ended: row.get(11)?,
        end_reason: row.get(12)?,
        stray: row.get(13)?,
        stray_since: row.get(14)?,
        hold: row.get(15)?,
        owner: row.get(16)?,
        note: row.get(17)?,
        until: row.get(18)?,
        version: row.get(19)?,
    })
}
