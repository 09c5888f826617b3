//! Access tokens, as things to find by the hash of their secret, to list and to revoke.

use usher_core::{Role, SourceState, Timestamp, TokenId};

use crate::{Row, SourceKey, StorageError, Tx};

/// A token. Its secret is stored nowhere.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// What names it.
    pub id: TokenId,
    /// The source that it pushes to.
    pub source: Option<SourceKey>,
    /// That source's name.
    pub source_name: Option<String>,
    /// Whether that source is listened to.
    pub source_state: Option<SourceState>,
    /// What it may do in the API.
    pub role: Option<Role>,
    /// Where it is used, in words.
    pub label: String,
    /// Whom it acts for.
    pub subject: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// When it was used last, to about a minute.
    pub last_used: Option<Timestamp>,
}

/// A token to add: for a source or for a role.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// What names it.
    pub id: TokenId,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// The source that it pushes to.
    pub source: Option<SourceKey>,
    /// What it may do in the API.
    pub role: Option<Role>,
    /// Where it is used, in words.
    pub label: &'a str,
    /// Whom it acts for.
    pub subject: Option<&'a str>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
}

macro_rules! select_token {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.source_id, s.name, s.state, t.role, t.label, t.subject, t.created_us, t.expires_us,
                    t.revoked_us, t.last_used_us
             FROM token t LEFT JOIN source s ON s.id = t.source_id ",
            $rest
        )
    };
}

/// The token whose secret has this hash, whatever its state.
pub async fn by_hash(tx: &mut Tx<'_>, hash: [u8; 32]) -> Result<Option<TokenRow>, StorageError> {
    let row = tx
        .query_opt(select_token!("WHERE t.hash = $1"), &[hash.into()])
        .await?;
    row.as_ref().map(token_row).transpose()
}

/// The token with an id, whatever its state.
pub async fn by_id(tx: &mut Tx<'_>, id: TokenId) -> Result<Option<TokenRow>, StorageError> {
    let row = tx
        .query_opt(select_token!("WHERE t.id = $1"), &[id.into()])
        .await?;
    row.as_ref().map(token_row).transpose()
}

/// Every token, revoked ones included, oldest first.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<TokenRow>, StorageError> {
    tx.query(select_token!("ORDER BY t.id"), &[])
        .await?
        .iter()
        .map(token_row)
        .collect()
}

/// Whether a token was ever made.
pub async fn any(tx: &mut Tx<'_>) -> Result<bool, StorageError> {
    Ok(tx.query_opt("SELECT 1 FROM token LIMIT 1", &[]).await?.is_some())
}

/// Adds a token.
pub async fn insert(tx: &mut Tx<'_>, token: &NewToken<'_>) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO token (id, hash, source_id, role, label, subject, created_us, expires_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            token.id.into(),
            token.hash.into(),
            token.source.into(),
            token.role.into(),
            token.label.into(),
            token.subject.into(),
            token.created.into(),
            token.expires.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Revokes a token; `false` when it was revoked before or is not there.
pub async fn revoke(tx: &mut Tx<'_>, id: TokenId, now: Timestamp) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE token SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL",
            &[id.into(), now.into()],
        )
        .await?;
    Ok(changed > 0)
}

/// Lets a token end at a moment.
pub async fn expire(tx: &mut Tx<'_>, id: TokenId, at: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE token SET expires_us = $2 WHERE id = $1",
        &[id.into(), at.into()],
    )
    .await?;
    Ok(())
}

/// Writes down when tokens were used last.
pub async fn used(tx: &mut Tx<'_>, uses: &[(TokenId, Timestamp)]) -> Result<(), StorageError> {
    for (id, at) in uses {
        tx.execute(
            "UPDATE token SET last_used_us = $2 WHERE id = $1",
            &[(*id).into(), (*at).into()],
        )
        .await?;
    }
    Ok(())
}

fn token_row(row: &Row) -> Result<TokenRow, StorageError> {
    Ok(TokenRow {
        id: row.get(0)?,
        source: row.get(1)?,
        source_name: row.get(2)?,
        source_state: row.get(3)?,
        role: row.get(4)?,
        label: row.get(5)?,
        subject: row.get(6)?,
        created: row.get(7)?,
        expires: row.get(8)?,
        revoked: row.get(9)?,
        last_used: row.get(10)?,
    })
}
