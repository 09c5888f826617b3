//! Who may come in: tokens that Usher made, and tokens that customers sign themselves.

mod bearer;
mod issue;
mod jwt;
mod secret;
mod throttle;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::HeaderMap;
use usher_core::{JwtKeyId, Role, SourceName, SourceState, Timestamp, TokenId};
use usher_engine::Engine;
use usher_storage::query::token::TokenRow;
use usher_storage::{SourceKey, StorageError, query};

pub use issue::{
    IssuedToken, KeyRequest, Purpose, TokenRequest, issue_token, register_key, revoke_key, revoke_token,
};
pub use jwt::{JwtKey, JwtKeyError};
pub use secret::{Secret, hash};
use throttle::Throttle;

/// How long something that was read may be used: what another process revokes is refused within a second.
const FRESH: Duration = Duration::from_millis(400);

/// How often one token's last use is written down.
const USE_GRAIN: Duration = Duration::from_secs(60);

/// Checks credentials. Shared by all handlers.
pub struct Access {
    engine: Engine,
    tokens: Fresh<[u8; 32], TokenRow>,
    keys: Fresh<SourceName, Vec<JwtKey>>,
    verified: Fresh<[u8; 32], (JwtKeyId, Timestamp)>,
    failures: Throttle,
    uses: Mutex<HashMap<TokenId, Use>>,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    at: Timestamp,
    written: Option<Timestamp>,
}

/// An identity provider that may push to one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCaller {
    /// The source's row.
    pub key: SourceKey,
    /// The source's name.
    pub name: SourceName,
}

/// A person or program that may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleCaller {
    /// The token.
    pub token: TokenId,
    /// What it may do.
    pub role: Role,
    /// Where it is used, in words; the actor of what it does.
    pub label: String,
    /// Whom it acts for.
    pub subject: Option<String>,
}

/// Why somebody does not come in. The texts never tell whether a source exists.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// There is no credential.
    #[error("send a token in the header Authorization: Bearer <token>")]
    Missing,
    /// The credential is not known.
    #[error("the token is not known here; copy it again, or make a new one with `usher token create`")]
    Unknown,
    /// It was valid once.
    #[error("the token has expired; make a new one with `usher token create`")]
    Expired,
    /// It was revoked.
    #[error("the token was revoked; make a new one with `usher token create`")]
    Revoked,
    /// A signed token that cannot be accepted.
    #[error("the signed token is refused: {0}")]
    Signed(&'static str),
    /// It belongs to another source.
    #[error("the token belongs to another source; use the SCIM URL that it was made for, /scim/{0}/v2")]
    Elsewhere(SourceName),
    /// It is for the API.
    #[error("the token is for the API; make one for this source with `usher token create --source`")]
    NotForSources,
    /// It is for a source.
    #[error(
        "the token is for a source's SCIM endpoint; make one for the API with `usher token create --role`"
    )]
    NotForRoles,
    /// Its source is not listened to.
    #[error(
        "the source is {0}: nothing is taken from it; put it back into the configuration, or remove it here"
    )]
    Silent(SourceState),
    /// Too many credentials of this address were refused.
    #[error("too many tokens from this address were refused; check the token and wait a minute")]
    Throttled,
    /// The database does not answer.
    #[error("the token cannot be checked now; try again later")]
    Unavailable(#[source] StorageError),
}

impl AccessError {
    /// Whether the caller is known and merely in the wrong place: 403 rather than 401.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        matches!(
            self,
            Self::Elsewhere(_) | Self::NotForSources | Self::NotForRoles | Self::Silent(_)
        )
    }
}

impl Access {
    /// Checks credentials against this engine's database.
    #[must_use]
    pub fn new(engine: Engine, failures_per_minute: u32) -> Self {
        Self {
            engine,
            tokens: Fresh::new(),
            keys: Fresh::new(),
            verified: Fresh::new(),
            failures: Throttle::new(failures_per_minute),
            uses: Mutex::default(),
        }
    }

    /// Who pushes to the source named in the URL.
    ///
    /// # Errors
    /// [`AccessError`] says what to do about it.
    pub async fn source(
        &self,
        name: &str,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<SourceCaller, AccessError> {
        let result = self.check_source(name, headers).await;
        self.count(result, name, peer)
    }

    /// Who uses the API.
    ///
    /// # Errors
    /// [`AccessError`] says what to do about it.
    pub async fn role(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<RoleCaller, AccessError> {
        let result = self.check_role(headers).await;
        self.count(result, "", peer)
    }

    async fn check_source(&self, name: &str, headers: &HeaderMap) -> Result<SourceCaller, AccessError> {
        let credential = bearer::credential(headers)?;
        if jwt::looks_signed(credential) {
            return self.check_signed(name, credential).await;
        }
        let token = self.token(credential).await?;
        let (Some(key), Some(own)) = (token.source, token.source_name.as_deref()) else {
            return Err(AccessError::NotForSources);
        };
        let own: SourceName = own.parse().map_err(|_| AccessError::Unknown)?;
        if own.as_str() != name {
            return Err(AccessError::Elsewhere(own));
        }
        listened_to(token.source_state)?;
        self.note_use(&token);
        Ok(SourceCaller { key, name: own })
    }

    async fn check_role(&self, headers: &HeaderMap) -> Result<RoleCaller, AccessError> {
        let token = self.token(bearer::credential(headers)?).await?;
        let role = token.role.ok_or(AccessError::NotForRoles)?;
        self.note_use(&token);
        Ok(RoleCaller {
            token: token.id,
            role,
            label: token.label,
            subject: token.subject,
        })
    }

    async fn token(&self, secret: &str) -> Result<TokenRow, AccessError> {
        let hash = hash(secret);
        let token = match self.tokens.get(&hash) {
            Some(token) => token,
            None => {
                let row: Result<Option<TokenRow>, StorageError> = self
                    .engine
                    .read(move |tx| Box::pin(query::token::by_hash(tx, hash)))
                    .await;
                let token = row
                    .map_err(AccessError::Unavailable)?
                    .ok_or(AccessError::Unknown)?;
                self.tokens.put(hash, token.clone());
                token
            }
        };
        if token.revoked.is_some() {
            return Err(AccessError::Revoked);
        }
        if token.expires.is_some_and(|expires| expires <= self.engine.now()) {
            return Err(AccessError::Expired);
        }
        Ok(token)
    }

    async fn check_signed(&self, name: &str, credential: &str) -> Result<SourceCaller, AccessError> {
        let name: SourceName = name.parse().map_err(|_| AccessError::Unknown)?;
        let keys = match self.keys.get(&name) {
            Some(keys) => keys,
            None => {
                let wanted = name.clone();
                let rows: Result<Vec<_>, StorageError> = self
                    .engine
                    .read(move |tx| {
                        let wanted = wanted.clone();
                        Box::pin(async move { query::jwt_key::live(tx, wanted.as_str()).await })
                    })
                    .await;
                let rows = rows.map_err(AccessError::Unavailable)?;
                let keys: Vec<JwtKey> = rows.iter().filter_map(|row| JwtKey::from_row(row).ok()).collect();
                self.keys.put(name.clone(), keys.clone());
                keys
            }
        };
        let now = self.engine.now();
        let hash = hash(credential);
        let known = self.verified.get(&hash).filter(|(_, expires)| *expires > now);
        let key = match known.and_then(|(id, _)| keys.iter().find(|key| key.id == id)) {
            Some(key) => key,
            None => {
                let (key, expires) = jwt::verify(credential, &keys, now)?;
                self.verified.put(hash, (key.id, expires));
                key
            }
        };
        listened_to(Some(key.source_state))?;
        Ok(SourceCaller {
            key: key.source,
            name,
        })
    }

    /// A refusal counts against the address; beyond the limit it is answered as such. A valid credential always
    /// passes, so that nobody behind a shared address is locked out by another's mistake.
    fn count<T>(
        &self,
        result: Result<T, AccessError>,
        place: &str,
        peer: Option<IpAddr>,
    ) -> Result<T, AccessError> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if matches!(error, AccessError::Missing | AccessError::Unavailable(_)) {
            return Err(error);
        }
        metrics::counter!("usher_refused_credentials_total").increment(1);
        if self.failures.is_too_many(peer, place) {
            return Err(AccessError::Throttled);
        }
        tracing::warn!(source.name = place.get(..64).unwrap_or(place), reason = %error, "a credential was refused");
        Err(error)
    }

    fn note_use(&self, token: &TokenRow) {
        let now = self.engine.now();
        let mut uses = self.uses.lock().expect("no holder of this lock panics");
        let entry = uses.entry(token.id).or_insert(Use {
            at: now,
            written: token.last_used,
        });
        entry.at = now;
    }

    /// Writes down which tokens were used since the last time. Called now and then and before the end.
    ///
    /// # Errors
    /// What the database says; the uses are written the next time.
    pub async fn write_uses(&self) -> Result<(), StorageError> {
        let due: Vec<(TokenId, Timestamp)> = {
            let uses = self.uses.lock().expect("no holder of this lock panics");
            let is_due = |one: &Use| {
                one.written
                    .is_none_or(|written| one.at.since(written) >= USE_GRAIN)
            };
            uses.iter()
                .filter(|(_, one)| is_due(one))
                .map(|(id, one)| (*id, one.at))
                .collect()
        };
        if due.is_empty() {
            return Ok(());
        }
        let rows = due.clone();
        self.engine
            .storage()
            .write(move |tx| {
                let rows = rows.clone();
                Box::pin(async move { query::token::used(tx, &rows).await })
            })
            .await?;
        let mut uses = self.uses.lock().expect("no holder of this lock panics");
        for (id, at) in due {
            if let Some(one) = uses.get_mut(&id) {
                one.written = Some(at);
            }
        }
        Ok(())
    }
}

fn listened_to(state: Option<SourceState>) -> Result<(), AccessError> {
    match state {
        Some(SourceState::Active) => Ok(()),
        Some(other) => Err(AccessError::Silent(other)),
        None => Err(AccessError::Unknown),
    }
}

/// Keeps what was read for a moment.
struct Fresh<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Fresh<K, V> {
    const MOST: usize = 4096;

    fn new() -> Self {
        Self {
            entries: Mutex::default(),
        }
    }

    fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().expect("no holder of this lock panics");
        entries
            .get(key)
            .filter(|(read, _)| read.elapsed() < FRESH)
            .map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V) {
        let mut entries = self.entries.lock().expect("no holder of this lock panics");
        if entries.len() >= Self::MOST {
            entries.retain(|_, (read, _)| read.elapsed() < FRESH);
        }
        if entries.len() < Self::MOST {
            entries.insert(key, (Instant::now(), value));
        }
    }
}
