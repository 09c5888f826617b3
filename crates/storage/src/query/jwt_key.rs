//! Keys that customers registered to sign access tokens of their own.

use usher_core::{JwtKeyId, SourceState, Timestamp};

use crate::{Row, SourceKey, StorageError, Tx};

/// A registered public key.
#[derive(Debug, Clone)]
pub struct JwtKeyRow {
    /// What names it.
    pub id: JwtKeyId,
    /// The one source that its tokens may push to.
    pub source: SourceKey,
    /// That source's name.
    pub source_name: String,
    /// Whether that source is listened to.
    pub source_state: SourceState,
    /// Where it is used, in words.
    pub label: String,
    /// The one algorithm that it may be used with, such as `ES256`.
    pub algorithm: String,
    /// The `kid` that its tokens carry, where they do.
    pub key_id: Option<String>,
    /// The `iss` that its tokens carry.
    pub issuer: String,
    /// The `aud` that its tokens carry.
    pub audience: String,
    /// The public key as PEM.
    pub public_key: String,
    /// SHA-256 of the public key, in hexadecimal.
    pub thumbprint: String,
    /// When it was registered.
    pub created: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

macro_rules! select_key {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.source_id, s.name, s.state, k.label, k.algorithm, k.key_id, k.issuer, k.audience,
                    k.public_key, k.thumbprint, k.created_us, k.revoked_us
             FROM jwt_key k JOIN source s ON s.id = k.source_id ",
            $rest
        )
    };
}

/// The keys of a source that are not revoked, oldest first.
pub async fn live(tx: &mut Tx<'_>, source: &str) -> Result<Vec<JwtKeyRow>, StorageError> {
    let sql = select_key!("WHERE s.name = $1 AND k.revoked_us IS NULL ORDER BY k.id");
    tx.query(sql, &[source.into()])
        .await?
        .iter()
        .map(key_row)
        .collect()
}

/// Every key, revoked ones included, oldest first.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<JwtKeyRow>, StorageError> {
    tx.query(select_key!("ORDER BY k.id"), &[])
        .await?
        .iter()
        .map(key_row)
        .collect()
}

/// The key with an id, whatever its state.
pub async fn by_id(tx: &mut Tx<'_>, id: JwtKeyId) -> Result<Option<JwtKeyRow>, StorageError> {
    let row = tx.query_opt(select_key!("WHERE k.id = $1"), &[id.into()]).await?;
    row.as_ref().map(key_row).transpose()
}

/// The key with a thumbprint, whatever its state: a key serves one source, for ever.
pub async fn by_thumbprint(tx: &mut Tx<'_>, thumbprint: &str) -> Result<Option<JwtKeyRow>, StorageError> {
    let row = tx
        .query_opt(select_key!("WHERE k.thumbprint = $1"), &[thumbprint.into()])
        .await?;
    row.as_ref().map(key_row).transpose()
}

/// Adds a key. Its source's name and state are not written.
pub async fn insert(tx: &mut Tx<'_>, key: &JwtKeyRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO jwt_key (id, source_id, label, algorithm, key_id, issuer, audience, public_key, thumbprint,
            created_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            key.id.into(),
            key.source.into(),
            key.label.as_str().into(),
            key.algorithm.as_str().into(),
            key.key_id.as_deref().into(),
            key.issuer.as_str().into(),
            key.audience.as_str().into(),
            key.public_key.as_str().into(),
            key.thumbprint.as_str().into(),
            key.created.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Revokes a key; `false` when it was revoked before or is not there.
pub async fn revoke(tx: &mut Tx<'_>, id: JwtKeyId, now: Timestamp) -> Result<bool, StorageError> {
    let changed = tx
        .execute(
            "UPDATE jwt_key SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL",
            &[id.into(), now.into()],
        )
        .await?;
    Ok(changed > 0)
}

fn key_row(row: &Row) -> Result<JwtKeyRow, StorageError> {
    Ok(JwtKeyRow {
        id: row.get(0)?,
        source: row.get(1)?,
        source_name: row.get(2)?,
        source_state: row.get(3)?,
        label: row.get(4)?,
        algorithm: row.get(5)?,
        key_id: row.get(6)?,
        issuer: row.get(7)?,
        audience: row.get(8)?,
        public_key: row.get(9)?,
        thumbprint: row.get(10)?,
        created: row.get(11)?,
        revoked: row.get(12)?,
    })
}
