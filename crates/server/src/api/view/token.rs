//! Tokens. Their secrets are shown once, when they are made.

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use usher_core::Role;
use usher_storage::query::token::TokenRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{self, Time};

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// What names it.
    pub id: Uuid,
    /// Where it is used, in words.
    pub label: String,
    /// The source that it pushes to.
    pub source: Option<String>,
    /// What it may do in the API.
    #[schema(value_type = Option<words::Role>)]
    pub role: Option<Role>,
    /// Whom it acts for.
    pub subject: Option<String>,
    /// When it was made.
    pub created: Time,
    /// When it ends by itself.
    pub expires: Option<Time>,
    /// When it was revoked.
    pub revoked: Option<Time>,
    /// When it was used last, to about a minute.
    pub last_used: Option<Time>,
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id.into(),
            label: row.label,
            source: row.source_name,
            role: row.role,
            subject: row.subject,
            created: row.created.into(),
            expires: row.expires.map(Time),
            revoked: row.revoked.map(Time),
            last_used: row.last_used.map(Time),
        }
    }
}

/// A new token. Its secret is in this answer and nowhere else.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewTokenView {
    /// The secret: what goes into `Authorization: Bearer`.
    #[serde(serialize_with = "expose")]
    #[schema(value_type = String)]
    pub token: SecretString,
    /// The token.
    #[serde(flatten)]
    pub about: TokenView,
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
