//! E-mails that wait, were sent, or were given up.

use usher_core::{MailId, MailState, Timestamp};

use crate::{Row, StorageError, Tx, Value};

/// An e-mail to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRow {
    /// What names it, also to mail servers.
    pub id: MailId,
    /// The event that it tells of; less than 1 where there is none.
    pub seq: i64,
    /// What it tells.
    pub notice: String,
    /// The address.
    pub recipient: String,
    /// The language's code.
    pub language: String,
    /// The subject.
    pub subject: String,
    /// The plain text; empty once it is sent.
    pub body: String,
    /// The same as HTML; empty once it is sent.
    pub html: String,
    /// How far it is.
    pub state: MailState,
    /// How many attempts were begun.
    pub attempts: u32,
    /// When it was written.
    pub created: Timestamp,
    /// Since when it is tried.
    pub since: Timestamp,
    /// When it is tried next.
    pub due: Timestamp,
    /// When it was sent or given up.
    pub ended: Option<Timestamp>,
    /// How the last attempt failed.
    pub error: Option<String>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempted {
    /// The mail server took it.
    Sent,
    /// It is tried again.
    Later {
        /// When.
        due: Timestamp,
        /// Why it failed.
        error: String,
    },
    /// It is given up.
    Dead {
        /// Why it failed.
        error: String,
    },
}

macro_rules! select_mail {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.seq, m.notice, m.recipient, m.language, m.subject, m.body, m.html, m.state, m.attempts,
                    m.created_us, m.since_us, m.due_us, m.ended_us, m.error ",
            $rest
        )
    };
}

/// How far in the feed events were looked at; `None` until [`begin`].
pub async fn place(tx: &mut Tx<'_>) -> Result<Option<i64>, StorageError> {
    tx.query_opt("SELECT p.place FROM mail_place p WHERE p.id = 1", &[])
        .await?
        .map(|row| row.get(0))
        .transpose()
}

/// Begins at a place of the feed, unless somebody has begun.
pub async fn begin(tx: &mut Tx<'_>, place: i64) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO mail_place (id, place) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
        &[place.into()],
    )
    .await?;
    Ok(())
}

/// Moves on from a place; `false` when somebody else has moved on from there.
pub async fn advance(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE mail_place SET place = $2 WHERE id = 1 AND place = $1",
            &[from.into(), to.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// Puts e-mails down to be sent. Of one event, a recipient gets one.
pub async fn insert(tx: &mut Tx<'_>, mails: &[MailRow]) -> Result<(), StorageError> {
    let rows: Vec<[Value; 13]> = mails
        .iter()
        .map(|mail| {
            [
                mail.id.into(),
                mail.seq.into(),
                mail.notice.as_str().into(),
                mail.recipient.as_str().into(),
                mail.language.as_str().into(),
                mail.subject.as_str().into(),
                mail.body.as_str().into(),
                mail.html.as_str().into(),
                mail.state.into(),
                mail.attempts.into(),
                mail.created.into(),
                mail.since.into(),
                mail.due.into(),
            ]
        })
        .collect();
    tx.execute_many(
        "INSERT INTO mail (id, seq, notice, recipient, language, subject, body, html, state, attempts, created_us, since_us,
            due_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (seq, recipient) DO NOTHING",
        &rows,
    )
    .await?;
    Ok(())
}

/// Whether an e-mail can be tried by now.
pub async fn is_due(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, StorageError> {
    let row = tx
        .query_opt(
            "SELECT 1 FROM mail m WHERE m.state = 'waiting' AND m.due_us <= $1 LIMIT 1",
            &[now.into()],
        )
        .await?;
    Ok(row.is_some())
}

/// Takes the e-mail that waits longest for an attempt, which has to be over by `until`: nobody else takes it before.
pub async fn claim(
    tx: &mut Tx<'_>,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<MailRow>, StorageError> {
    let found = tx
        .query_opt(
            "SELECT m.id FROM mail m WHERE m.state = 'waiting' AND m.due_us <= $1 ORDER BY m.due_us, m.id LIMIT 1
             /*pg FOR UPDATE SKIP LOCKED */",
            &[now.into()],
        )
        .await?;
    let Some(id) = found.map(|row| row.get::<MailId>(0)).transpose()? else {
        return Ok(None);
    };
    tx.execute(
        "UPDATE mail SET attempts = attempts + 1, due_us = $2 WHERE id = $1",
        &[id.into(), until.into()],
    )
    .await?;
    tx.query_opt(select_mail!("FROM mail m WHERE m.id = $1"), &[id.into()])
        .await?
        .as_ref()
        .map(mail_row)
        .transpose()
}

/// Writes down what came of an attempt; `false` when a later one was begun meanwhile.
pub async fn record(
    tx: &mut Tx<'_>,
    id: MailId,
    attempt: u32,
    attempted: &Attempted,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let changed = match attempted {
        Attempted::Sent => {
            tx.execute(
                "UPDATE mail SET state = 'sent', body = '', html = '', ended_us = $3, error = NULL
                 WHERE id = $1 AND attempts = $2 AND state = 'waiting'",
                &[id.into(), attempt.into(), now.into()],
            )
            .await?
        }
        Attempted::Later { due, error } => {
            tx.execute(
                "UPDATE mail SET due_us = $3, error = $4 WHERE id = $1 AND attempts = $2 AND state = 'waiting'",
                &[id.into(), attempt.into(), (*due).into(), error.as_str().into()],
            )
            .await?
        }
        Attempted::Dead { error } => {
            tx.execute(
                "UPDATE mail SET state = 'dead', ended_us = $3, error = $4
                 WHERE id = $1 AND attempts = $2 AND state = 'waiting'",
                &[id.into(), attempt.into(), now.into(), error.as_str().into()],
            )
            .await?
        }
    };
    Ok(changed > 0)
}

/// Lets an e-mail that was given up be tried again from the beginning; `false` when it was not given up.
pub async fn wake(tx: &mut Tx<'_>, id: MailId, now: Timestamp) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE mail SET state = 'waiting', since_us = $2, due_us = $2, ended_us = NULL
             WHERE id = $1 AND state = 'dead'",
            &[id.into(), now.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// How many wait, no further than `limit`, and since when the oldest of them.
pub async fn waiting(tx: &mut Tx<'_>, limit: u32) -> Result<(i64, Option<Timestamp>), StorageError> {
    let row = tx
        .query_one(
            "SELECT count(*), min(c.since_us) FROM (SELECT m.since_us FROM mail m WHERE m.state = 'waiting' AND m.due_us > 0
                ORDER BY m.due_us, m.id LIMIT $1) c",
            &[limit.into()],
        )
        .await?;
    Ok((row.get(0)?, row.get(1)?))
}

/// How many were given up, no further than `limit`.
pub async fn count_dead(tx: &mut Tx<'_>, limit: u32) -> Result<i64, StorageError> {
    tx.query_one(
        "SELECT count(*) FROM (SELECT 1 FROM mail m/*lite*/ INDEXED BY mail_dead/*pg */ WHERE m.state = 'dead' AND m.ended_us > 0 LIMIT $1) c",
        &[limit.into()],
    )
    .await?
    .get(0)
}

/// The e-mails that are tried next.
pub async fn next(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<MailRow>, StorageError> {
    let sql = select_mail!(
        "FROM mail m WHERE m.state = 'waiting' AND m.due_us > 0 ORDER BY m.due_us, m.id LIMIT $1"
    );
    many(tx, sql, limit).await
}

/// The e-mails that were given up, newest first.
pub async fn dead(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<MailRow>, StorageError> {
    let sql = select_mail!(
        "FROM mail m/*lite*/ INDEXED BY mail_dead/*pg */ WHERE m.state = 'dead' AND m.ended_us > 0 ORDER BY m.ended_us DESC LIMIT $1"
    );
    many(tx, sql, limit).await
}

/// The e-mails that were sent or given up, last first.
pub async fn last_ended(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<MailRow>, StorageError> {
    let sql = select_mail!("FROM mail m WHERE m.ended_us > 0 ORDER BY m.ended_us DESC LIMIT $1");
    many(tx, sql, limit).await
}

/// Forgets e-mails that were sent or given up before a moment.
pub async fn forget(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, StorageError> {
    tx.execute(
        "DELETE FROM mail WHERE ended_us IS NOT NULL AND ended_us < $1",
        &[before.into()],
    )
    .await
}

async fn many(tx: &mut Tx<'_>, sql: &'static str, limit: u32) -> Result<Vec<MailRow>, StorageError> {
    tx.query(sql, &[limit.into()])
        .await?
        .iter()
        .map(mail_row)
        .collect()
}

fn mail_row(row: &Row) -> Result<MailRow, StorageError> {
    Ok(MailRow {
        id: row.get(0)?,
        seq: row.get(1)?,
        notice: row.get(2)?,
        recipient: row.get(3)?,
        language: row.get(4)?,
        subject: row.get(5)?,
        body: row.get(6)?,
        html: row.get(7)?,
        state: row.get(8)?,
        attempts: row.get(9)?,
        created: row.get(10)?,
        since: row.get(11)?,
        due: row.get(12)?,
        ended: row.get(13)?,
        error: row.get(14)?,
    })
}
