//! Random secrets that this deployment made for itself.

use crate::{StorageError, Tx};

/// The secret with a name; `fresh` becomes it where there is none yet.
pub async fn get_or_insert(tx: &mut Tx<'_>, name: &str, fresh: [u8; 32]) -> Result<Vec<u8>, StorageError> {
    tx.execute(
        "INSERT INTO keyring (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        &[name.into(), fresh.into()],
    )
    .await?;
    tx.query_one("SELECT secret FROM keyring WHERE name = $1", &[name.into()])
        .await?
        .get(0)
}
