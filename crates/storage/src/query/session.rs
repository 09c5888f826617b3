//! Who is signed in to the console, and who may sign in with a password.

use usher_core::{AccountId, Role, SessionId, Timestamp};

use super::or_start;
use crate::{Row, StorageError, Tx};

/// Somebody signed in. The secret of the session is stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// What names it.
    pub id: SessionId,
    /// Who signed in: the same for all sessions of theirs.
    pub account: AccountId,
    /// The provider that they signed in with; `None` for a local administrator.
    pub provider: Option<String>,
    /// Who they are to that provider, or the local administrator's name.
    pub subject: String,
    /// The name that people know them by.
    pub name: String,
    /// Their e-mail address.
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
    /// The address that they signed in from.
    pub address: Option<String>,
    /// The browser, as it calls itself.
    pub agent: Option<String>,
    /// When they signed in.
    pub created: Timestamp,
    /// When they were here last, to about a minute.
    pub seen: Timestamp,
    /// When it ends, however much it is used.
    pub ends: Timestamp,
    /// When it was signed out or revoked.
    pub revoked: Option<Timestamp>,
}

/// A local administrator.
#[derive(Clone)]
pub struct LocalAdministrator {
    /// The name to sign in with.
    pub name: String,
    /// The Argon2 hash of the password, as a PHC string.
    pub hash: String,
    /// When they were made.
    pub created: Timestamp,
    /// When they got their password.
    pub changed: Timestamp,
}

impl std::fmt::Debug for LocalAdministrator {
    /// Without the hash, which can be guessed against.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalAdministrator")
            .field("name", &self.name)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

/// Which sessions are still in use at a moment.
#[derive(Debug, Clone, Copy)]
pub struct InUse {
    /// The moment.
    pub now: Timestamp,
    /// Those who were not here since then are away.
    pub seen_after: Timestamp,
}

macro_rules! select_session {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, provider, subject, name, email, role, address, agent, created_us, seen_us, ends_us,
                    revoked_us
             FROM console_session ",
            $rest
        )
    };
}

/// The session whose secret has this hash, whatever its state.
pub async fn by_hash(tx: &mut Tx<'_>, hash: [u8; 32]) -> Result<Option<SessionRow>, StorageError> {
    let row = tx
        .query_opt(select_session!("WHERE hash = $1"), &[hash.into()])
        .await?;
    row.as_ref().map(session_row).transpose()
}

/// The session with an id, whatever its state.
pub async fn by_id(tx: &mut Tx<'_>, id: SessionId) -> Result<Option<SessionRow>, StorageError> {
    let row = tx
        .query_opt(select_session!("WHERE id = $1"), &[id.into()])
        .await?;
    row.as_ref().map(session_row).transpose()
}

/// The first sessions in use with a greater id, oldest first.
pub async fn page(
    tx: &mut Tx<'_>,
    after: Option<SessionId>,
    in_use: InUse,
    limit: usize,
) -> Result<Vec<SessionRow>, StorageError> {
    tx.query(
        select_session!(
            "WHERE id > $1 AND ends_us > $2 AND seen_us > $3 AND revoked_us IS NULL ORDER BY id LIMIT $4"
        ),
        &[
            or_start(after),
            in_use.now.into(),
            in_use.seen_after.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ],
    )
    .await?
    .iter()
    .map(session_row)
    .collect()
}

/// The first sessions in use of one account with a greater id, oldest first.
pub async fn page_of(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: Option<SessionId>,
    in_use: InUse,
    limit: usize,
) -> Result<Vec<SessionRow>, StorageError> {
    tx.query(
        select_session!(
            "WHERE account_id = $1 AND id > $2 AND ends_us > $3 AND seen_us > $4 AND revoked_us IS NULL
             ORDER BY id LIMIT $5"
        ),
        &[
            account.into(),
            or_start(after),
            in_use.now.into(),
            in_use.seen_after.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ],
    )
    .await?
    .iter()
    .map(session_row)
    .collect()
}

/// Adds a session, found from now on by the hash of its secret.
pub async fn insert(tx: &mut Tx<'_>, session: &SessionRow, hash: [u8; 32]) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO console_session (id, hash, account_id, provider, subject, name, email, role, address, agent,
            created_us, seen_us, ends_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        &[
            session.id.into(),
            hash.into(),
            session.account.into(),
            session.provider.as_deref().unwrap_or_default().into(),
            session.subject.as_str().into(),
            session.name.as_str().into(),
            session.email.as_deref().into(),
            session.role.into(),
            session.address.as_deref().into(),
            session.agent.as_deref().into(),
            session.created.into(),
            session.seen.into(),
            session.ends.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes down that somebody is still here.
pub async fn seen(tx: &mut Tx<'_>, id: SessionId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE console_session SET seen_us = $2 WHERE id = $1 AND seen_us < $2",
        &[id.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Revokes a session; `false` when it was revoked before or is not there.
pub async fn revoke(tx: &mut Tx<'_>, id: SessionId, now: Timestamp) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE console_session SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL",
            &[id.into(), now.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// Revokes all sessions of an account; how many worked until now.
pub async fn revoke_all(tx: &mut Tx<'_>, account: AccountId, now: Timestamp) -> Result<u64, StorageError> {
    tx.execute(
        "UPDATE console_session SET revoked_us = $2 WHERE account_id = $1 AND revoked_us IS NULL AND ends_us > $2",
        &[account.into(), now.into()],
    )
    .await
}

/// Forgets sessions that ended before a moment.
pub async fn forget(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), StorageError> {
    tx.execute("DELETE FROM console_session WHERE ends_us < $1", &[before.into()])
        .await?;
    Ok(())
}

/// Notes that a sign-in came back from its provider; `false` when it had before. What was noted until `now` alone is
/// forgotten.
pub async fn came_back(
    tx: &mut Tx<'_>,
    state: [u8; 32],
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, StorageError> {
    tx.execute("DELETE FROM sign_in_return WHERE until_us < $1", &[now.into()])
        .await?;
    let added = tx
        .execute(
            "INSERT INTO sign_in_return (state, until_us) VALUES ($1, $2) ON CONFLICT (state) DO NOTHING",
            &[state.into(), until.into()],
        )
        .await?;
    Ok(added > 0)
}

/// The local administrator with a name.
pub async fn administrator(tx: &mut Tx<'_>, name: &str) -> Result<Option<LocalAdministrator>, StorageError> {
    let row = tx
        .query_opt(
            "SELECT name, hash, created_us, changed_us FROM local_administrator WHERE name = $1",
            &[name.into()],
        )
        .await?;
    row.map(|row| {
        Ok(LocalAdministrator {
            name: row.get(0)?,
            hash: row.get(1)?,
            created: row.get(2)?,
            changed: row.get(3)?,
        })
    })
    .transpose()
}

/// Whether there is a local administrator.
pub async fn any_administrator(tx: &mut Tx<'_>) -> Result<bool, StorageError> {
    Ok(tx
        .query_opt("SELECT 1 FROM local_administrator LIMIT 1", &[])
        .await?
        .is_some())
}

/// Adds a local administrator, or gives the one with this name another password.
pub async fn set_administrator(
    tx: &mut Tx<'_>,
    name: &str,
    hash: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO local_administrator (name, hash, created_us, changed_us) VALUES ($1, $2, $3, $3)
         ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, changed_us = excluded.changed_us",
        &[name.into(), hash.into(), now.into()],
    )
    .await?;
    Ok(())
}

fn session_row(row: &Row) -> Result<SessionRow, StorageError> {
    Ok(SessionRow {
        id: row.get(0)?,
        account: row.get(1)?,
        provider: Some(row.get::<String>(2)?).filter(|provider| !provider.is_empty()),
        subject: row.get(3)?,
        name: row.get(4)?,
        email: row.get(5)?,
        role: row.get(6)?,
        address: row.get(7)?,
        agent: row.get(8)?,
        created: row.get(9)?,
        seen: row.get(10)?,
        ends: row.get(11)?,
        revoked: row.get(12)?,
    })
}
