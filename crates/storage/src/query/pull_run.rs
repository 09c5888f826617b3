//! Reads of sources: where the last one ended, when the next is due, and each run.

use usher_core::{NodeId, PersonId, PullCause, PullRunId, PullRunState, PullScope, RoomId, Timestamp};

use super::or_end;
use crate::{Row, SourceKey, StorageError, Tx};

/// Where reading a source stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullStateRow {
    /// Where the next read starts, in a form that only the adapter understands.
    pub checkpoint: Option<String>,
    /// When the next read is due.
    pub next: Option<Timestamp>,
    /// When the next complete read is due.
    pub full: Option<Timestamp>,
    /// When a read of everything came to its end last.
    pub last_read: Option<Timestamp>,
    /// When a complete read came to its end last.
    pub last_full: Option<Timestamp>,
    /// How many reads failed since one came to its end.
    pub failures: u32,
    /// Since when the source is in trouble, and why.
    pub degraded: Option<Degraded>,
}

/// Since when a source is in trouble, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Degraded {
    /// Since when.
    pub since: Timestamp,
    /// A stable word for programs.
    pub kind: String,
    /// Why, for people.
    pub reason: String,
}

/// One read of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRunRow {
    /// The id.
    pub id: PullRunId,
    /// The source.
    pub source: SourceKey,
    /// What it is about.
    pub scope: PullScope,
    /// Which groups (a JSON array of ids) or which user (an id); empty for everything.
    pub target: String,
    /// Whether it is complete. One that was asked for may become so when it starts.
    pub full: bool,
    /// The person asked about.
    pub person: Option<PersonId>,
    /// How far it is.
    pub state: PullRunState,
    /// Why it was asked for.
    pub cause: PullCause,
    /// Who asked for it.
    pub actor: Option<String>,
    /// When it was asked for.
    pub asked: Timestamp,
    /// When it is to start.
    pub due: Timestamp,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it saw and changed so far.
    pub counts: PullCounts,
    /// What was not seen: a JSON array of pairs of what and why.
    pub not_seen: String,
    /// Why it failed: a stable word and a sentence.
    pub error: Option<(String, String)>,
    /// The process that did it, or does it.
    pub node: Option<NodeId>,
}

/// What a read saw and changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullCounts {
    /// Groups seen.
    pub groups: i64,
    /// Users seen, each time they were.
    pub users: i64,
    /// Members seen.
    pub members: i64,
    /// Users changed.
    pub users_changed: i64,
    /// Members added.
    pub added: i64,
    /// Members removed.
    pub removed: i64,
    /// Members whose absence or presence has to be seen again.
    pub doubted: i64,
}

/// What is known from asking a source about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRow {
    /// The source's name.
    pub source: String,
    /// When it was asked last.
    pub at: Timestamp,
    /// Why it did not answer.
    pub error: Option<String>,
}

/// A group that leads to a room, and an account of a person in its source, both by the source's own ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToAskRow {
    /// The source.
    pub key: SourceKey,
    /// Its name.
    pub source: String,
    /// The account.
    pub user: String,
    /// The group.
    pub group: String,
    /// Whether members of groups inside the group count.
    pub nested: bool,
}

/// Where reading a source stands; nothing was read yet when there is no row.
pub async fn state(tx: &mut Tx<'_>, source: SourceKey) -> Result<PullStateRow, StorageError> {
    let row = tx
        .query_opt(
            "SELECT checkpoint, next_us, full_us, last_read_us, last_full_us, failures, degraded_us, degraded_kind, degraded
             FROM pull_state WHERE source_id = $1",
            &[source.into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(PullStateRow::default());
    };
    let degraded = match row.get(6)? {
        Some(since) => Some(Degraded {
            since,
            kind: row.get(7)?,
            reason: row.get(8)?,
        }),
        None => None,
    };
    Ok(PullStateRow {
        checkpoint: row.get(0)?,
        next: row.get(1)?,
        full: row.get(2)?,
        last_read: row.get(3)?,
        last_full: row.get(4)?,
        failures: row.get(5)?,
        degraded,
    })
}

/// Writes where reading a source stands, all but the checkpoint.
pub async fn put_state(tx: &mut Tx<'_>, source: SourceKey, state: &PullStateRow) -> Result<(), StorageError> {
    let degraded = state.degraded.as_ref();
    tx.execute(
        "INSERT INTO pull_state (source_id, next_us, full_us, last_read_us, last_full_us, failures, degraded_us,
            degraded_kind, degraded)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (source_id) DO UPDATE SET next_us = excluded.next_us, full_us = excluded.full_us,
            last_read_us = excluded.last_read_us, last_full_us = excluded.last_full_us, failures = excluded.failures,
            degraded_us = excluded.degraded_us, degraded_kind = excluded.degraded_kind, degraded = excluded.degraded",
        &[
            source.into(),
            state.next.into(),
            state.full.into(),
            state.last_read.into(),
            state.last_full.into(),
            state.failures.into(),
            degraded.map(|degraded| degraded.since).into(),
            degraded.map(|degraded| degraded.kind.as_str()).into(),
            degraded.map(|degraded| degraded.reason.as_str()).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes where the next read starts; with nothing, from the beginning.
pub async fn put_checkpoint(
    tx: &mut Tx<'_>,
    source: SourceKey,
    checkpoint: Option<&str>,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO pull_state (source_id, checkpoint) VALUES ($1, $2)
         ON CONFLICT (source_id) DO UPDATE SET checkpoint = excluded.checkpoint",
        &[source.into(), checkpoint.into()],
    )
    .await?;
    Ok(())
}

macro_rules! select_run {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.source_id, r.scope, r.target, r.is_full, r.person_id, r.state, r.cause, r.actor, r.asked_us,
                    r.due_us, r.started_us, r.ended_us, r.groups_seen, r.users_seen, r.members_seen, r.users_changed,
                    r.members_added, r.members_removed, r.members_doubted, r.not_seen, r.error_kind, r.error, r.node ",
            $rest
        )
    };
}

/// The run with an id.
pub async fn by_id(tx: &mut Tx<'_>, id: PullRunId) -> Result<Option<PullRunRow>, StorageError> {
    let row = tx
        .query_opt(select_run!("FROM pull_run r WHERE r.id = $1"), &[id.into()])
        .await?;
    row.as_ref().map(run_row).transpose()
}

/// Runs of a source, the newest first.
pub async fn page(
    tx: &mut Tx<'_>,
    source: SourceKey,
    before: Option<PullRunId>,
    limit: u32,
) -> Result<Vec<PullRunRow>, StorageError> {
    let sql = select_run!("FROM pull_run r WHERE r.source_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3");
    let rows = tx
        .query(sql, &[source.into(), or_end(before), limit.into()])
        .await?;
    rows.iter().map(run_row).collect()
}

/// Runs of a source that wait or go on, those due first.
pub async fn open(tx: &mut Tx<'_>, source: SourceKey) -> Result<Vec<PullRunRow>, StorageError> {
    let sql = select_run!(
        "FROM pull_run r WHERE r.source_id = $1 AND r.state IN ('waiting', 'running') ORDER BY r.due_us, r.id"
    );
    tx.query(sql, &[source.into()])
        .await?
        .iter()
        .map(run_row)
        .collect()
}

/// Adds a run.
pub async fn insert(tx: &mut Tx<'_>, run: &PullRunRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO pull_run (id, source_id, scope, target, is_full, person_id, state, cause, actor, asked_us, due_us,
            started_us, ended_us, groups_seen, users_seen, members_seen, users_changed, members_added, members_removed,
            members_doubted, not_seen, error_kind, error, node)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
        &[
            run.id.into(),
            run.source.into(),
            run.scope.into(),
            run.target.as_str().into(),
            run.full.into(),
            run.person.into(),
            run.state.into(),
            run.cause.into(),
            run.actor.as_deref().into(),
            run.asked.into(),
            run.due.into(),
            run.started.into(),
            run.ended.into(),
            run.counts.groups.into(),
            run.counts.users.into(),
            run.counts.members.into(),
            run.counts.users_changed.into(),
            run.counts.added.into(),
            run.counts.removed.into(),
            run.counts.doubted.into(),
            run.not_seen.as_str().into(),
            run.error.as_ref().map(|(kind, _)| kind.as_str()).into(),
            run.error.as_ref().map(|(_, text)| text.as_str()).into(),
            run.node.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes all that changes of a run while it waits, goes on and ends.
pub async fn update(tx: &mut Tx<'_>, run: &PullRunRow) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE pull_run SET is_full = $2, state = $3, due_us = $4, started_us = $5, ended_us = $6, groups_seen = $7,
            users_seen = $8, members_seen = $9, users_changed = $10, members_added = $11, members_removed = $12,
            members_doubted = $13, not_seen = $14, error_kind = $15, error = $16, node = $17
         WHERE id = $1",
        &[
            run.id.into(),
            run.full.into(),
            run.state.into(),
            run.due.into(),
            run.started.into(),
            run.ended.into(),
            run.counts.groups.into(),
            run.counts.users.into(),
            run.counts.members.into(),
            run.counts.users_changed.into(),
            run.counts.added.into(),
            run.counts.removed.into(),
            run.counts.doubted.into(),
            run.not_seen.as_str().into(),
            run.error.as_ref().map(|(kind, _)| kind.as_str()).into(),
            run.error.as_ref().map(|(_, text)| text.as_str()).into(),
            run.node.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what a run that goes on saw and changed so far.
pub async fn put_counts(tx: &mut Tx<'_>, id: PullRunId, counts: PullCounts) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE pull_run SET groups_seen = $2, users_seen = $3, members_seen = $4, users_changed = $5,
            members_added = $6, members_removed = $7, members_doubted = $8
         WHERE id = $1 AND state = 'running'",
        &[
            id.into(),
            counts.groups.into(),
            counts.users.into(),
            counts.members.into(),
            counts.users_changed.into(),
            counts.added.into(),
            counts.removed.into(),
            counts.doubted.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Forgets the runs of a source that are over, but the newest so many.
pub async fn forget(tx: &mut Tx<'_>, source: SourceKey, keep: u32) -> Result<u64, StorageError> {
    tx.execute(
        "DELETE FROM pull_run WHERE source_id = $1 AND state NOT IN ('waiting', 'running') AND id <= (
            SELECT r.id FROM pull_run r WHERE r.source_id = $1 ORDER BY r.id DESC LIMIT 1 OFFSET $2)",
        &[source.into(), keep.into()],
    )
    .await
}

/// When each source was asked about a person last, and whether it answered.
pub async fn asked_about(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<AskedRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT s.name, r.ended_us, r.error FROM pull_run r JOIN source s ON s.id = r.source_id
             WHERE r.person_id = $1 AND r.id = (
                SELECT n.id FROM pull_run n
                WHERE n.person_id = r.person_id AND n.source_id = r.source_id AND n.ended_us IS NOT NULL
                ORDER BY n.id DESC LIMIT 1)",
            &[person.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AskedRow {
                source: row.get(0)?,
                at: row.get(1)?,
                error: row.get(2)?,
            })
        })
        .collect()
}

/// What sources that are read can be asked about a person in a room: an account whose id at the provider is not known
/// cannot be asked about.
pub async fn to_ask(tx: &mut Tx<'_>, room: RoomId, person: PersonId) -> Result<Vec<ToAskRow>, StorageError> {
    let rows = tx
        .query(
            "SELECT s.id, s.name, u.remote_id, coalesce(g.remote_id, g.external_id), m.nested
             FROM mapping m JOIN source s ON s.id = m.source_id JOIN source_group g ON g.id = m.group_id
             JOIN source_user u ON u.person_id = $2 AND /*lite*/+/*pg */u.source_id = m.source_id AND u.gone_us IS NULL
             WHERE m.room_id = $1 AND m.state = 'confirmed' AND s.state = 'active' AND s.mode <> 'push'
               AND g.gone_us IS NULL AND u.remote_id IS NOT NULL
               AND coalesce(g.remote_id, g.external_id) IS NOT NULL
             ORDER BY m.id, u.id",
            &[room.into(), person.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ToAskRow {
                key: row.get(0)?,
                source: row.get(1)?,
                user: row.get(2)?,
                group: row.get(3)?,
                nested: row.get(4)?,
            })
        })
        .collect()
}

fn run_row(row: &Row) -> Result<PullRunRow, StorageError> {
    let kind: Option<String> = row.get(21)?;
    let text: Option<String> = row.get(22)?;
    Ok(PullRunRow {
        id: row.get(0)?,
        source: row.get(1)?,
        scope: row.get(2)?,
        target: row.get(3)?,
        full: row.get(4)?,
        person: row.get(5)?,
        state: row.get(6)?,
        cause: row.get(7)?,
        actor: row.get(8)?,
        asked: row.get(9)?,
        due: row.get(10)?,
        started: row.get(11)?,
        ended: row.get(12)?,
        counts: PullCounts {
            groups: row.get(13)?,
            users: row.get(14)?,
            members: row.get(15)?,
            users_changed: row.get(16)?,
            added: row.get(17)?,
            removed: row.get(18)?,
            doubted: row.get(19)?,
        },
        not_seen: row.get(20)?,
        error: kind.zip(text),
        node: row.get(23)?,
    })
}
