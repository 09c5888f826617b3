//! Work that is done later, in steps, and what is due by the clock.

use usher_core::{RoomId, Timestamp};

use crate::{Row, StorageError, Tx};

/// A piece of work and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// The id.
    pub id: i64,
    /// What kind of work it is.
    pub kind: String,
    /// What it is done to; there is one job of a kind for it.
    pub key: String,
    /// Where it goes on, as JSON.
    pub state: String,
    /// How many rows it has dealt with.
    pub done: i64,
    /// When it is to go on.
    pub due: Timestamp,
    /// When it was asked for.
    pub created: Timestamp,
}

macro_rules! select_job {
    ($rest:literal) => {
        concat!(
            "SELECT j.id, j.kind, j.key, j.state, j.done, j.due_us, j.created_us ",
            $rest
        )
    };
}

/// Asks for a piece of work. One that is known starts again from the beginning.
pub async fn put(
    tx: &mut Tx<'_>,
    kind: &'static str,
    key: &str,
    state: String,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO job (kind, key, state, due_us, created_us) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state, done = 0, due_us = excluded.due_us",
        &[kind.into(), key.into(), state.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// The job with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<Option<JobRow>, StorageError> {
    tx.query_opt(select_job!("FROM job j WHERE j.id = $1"), &[id.into()])
        .await?
        .as_ref()
        .map(job_row)
        .transpose()
}

/// Takes a job that is to go on by now until this unit ends; nothing when it is done, rests, or another process has it.
pub async fn claim(tx: &mut Tx<'_>, id: i64, now: Timestamp) -> Result<Option<JobRow>, StorageError> {
    tx.query_opt(
        select_job!("FROM job j WHERE j.id = $1 AND j.due_us <= $2 /*pg FOR UPDATE SKIP LOCKED*/"),
        &[id.into(), now.into()],
    )
    .await?
    .as_ref()
    .map(job_row)
    .transpose()
}

/// Jobs that are to go on by now, those that wait longest first.
pub async fn due(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<JobRow>, StorageError> {
    tx.query(
        select_job!("FROM job j WHERE j.due_us <= $1 ORDER BY j.due_us, j.id LIMIT $2"),
        &[now.into(), limit.into()],
    )
    .await?
    .iter()
    .map(job_row)
    .collect()
}

/// Writes where a job goes on.
pub async fn advance(tx: &mut Tx<'_>, id: i64, state: String, done: i64) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE job SET state = $2, done = $3 WHERE id = $1",
        &[id.into(), state.into(), done.into()],
    )
    .await?;
    Ok(())
}

/// Lets a job go on later.
pub async fn postpone(tx: &mut Tx<'_>, id: i64, due: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE job SET due_us = $2 WHERE id = $1",
        &[id.into(), due.into()],
    )
    .await?;
    Ok(())
}

/// Forgets a job that is done.
pub async fn remove(tx: &mut Tx<'_>, id: i64) -> Result<(), StorageError> {
    tx.execute("DELETE FROM job WHERE id = $1", &[id.into()]).await?;
    Ok(())
}

macro_rules! needlessly_limited {
    ($rest:literal) => {
        concat!(
            "SELECT r.id FROM room r WHERE r.arrival_limit IS NOT NULL AND r.state = 'live' AND NOT EXISTS (
                SELECT 1 FROM hold h WHERE h.room_id = r.id AND h.kind = 'arrivals' AND h.state = 'open')
               AND NOT EXISTS (SELECT 1 FROM parked k WHERE k.room_id = r.id AND k.reason = 'beyond_expected') ",
            $rest
        )
    };
}

/// Rooms in use that still limit arrivals though nobody waits at their door for it any more.
pub async fn needlessly_limited_rooms(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<RoomId>, StorageError> {
    let rows = tx
        .query(needlessly_limited!("ORDER BY r.id LIMIT $1"), &[limit.into()])
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whether a room is one of them.
pub async fn is_needlessly_limited(tx: &mut Tx<'_>, room: RoomId) -> Result<bool, StorageError> {
    let row = tx
        .query_opt(needlessly_limited!("AND r.id = $1"), &[room.into()])
        .await?;
    Ok(row.is_some())
}

fn job_row(row: &Row) -> Result<JobRow, StorageError> {
    Ok(JobRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        key: row.get(2)?,
        state: row.get(3)?,
        done: row.get(4)?,
        due: row.get(5)?,
        created: row.get(6)?,
    })
}
