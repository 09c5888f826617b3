//! Who may come in: tokens that Usher made, and tokens that customers sign themselves.

mod bearer;
mod issue;
mod jwt;
mod rotate;
mod secret;
mod throttle;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::HeaderMap;
use usher_core::{JwtKeyId, Role, SessionId, SourceName, SourceState, Timestamp, TokenId};
use usher_engine::Engine;
use usher_storage::query::token::TokenRow;
use usher_storage::{SourceKey, StorageError, query};
use uuid::Uuid;

pub use issue::{
    IssuedToken, KeyRequest, Purpose, TokenRequest, issue_token, register_key, revoke_key, revoke_token,
};
pub use jwt::{JwtKey, JwtKeyError};
pub use rotate::{Rotation, rotate_token};
pub use secret::{Secret, hash};
use throttle::Throttle;

/// How long something that was read may be used: what another process revokes is refused within a second.
const FRESH: Duration = Duration::from_millis(400);

/// How often one token's last use is written down.
const USE_GRAIN: Duration = Duration::from_secs(60);

/// Checks credentials. Shared by all handlers.
pub struct Access {
    engine: Engine,
    sources: BTreeSet<String>,
    tokens: Fresh<[u8; 32], Arc<Known>>,
    keys: Fresh<SourceName, Vec<JwtKey>>,
    verified: Fresh<[u8; 32], (JwtKeyId, Timestamp)>,
    failures: Throttle,
    uses: Mutex<HashMap<TokenId, Arc<Use>>>,
}

/// A token as it was read.
struct Known {
    row: TokenRow,
    /// The name of its source.
    source: Option<SourceName>,
    uses: Arc<Use>,
}

/// When a token was used last and what is written of that, in microseconds since 1970; [`NEVER`] for neither.
struct Use {
    at: AtomicI64,
    written: AtomicI64,
}

const NEVER: i64 = i64::MIN;

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
    /// What they came with.
    pub credential: Credential,
    /// What it may do.
    pub role: Role,
    /// Where it is used, in words; the actor of what it does.
    pub label: String,
    /// Whom it acts for.
    pub subject: Option<String>,
}

/// What a caller of the API came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A token of their own.
    Token(TokenId),
    /// A session of the console.
    Session(SessionId),
}

impl Credential {
    /// Whose the idempotency keys are that a caller sends.
    #[must_use]
    pub const fn owner(self) -> Uuid {
        match self {
            Self::Token(id) => id.as_uuid(),
            Self::Session(id) => id.as_uuid(),
        }
    }
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
    /// Checks credentials against this engine's database. Refusals are counted for each of these sources by itself.
    #[must_use]
    pub fn new(engine: Engine, failures_per_minute: u32, sources: BTreeSet<String>) -> Self {
        Self {
            engine,
            sources,
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
        self.count(result, self.sources.get(name).map(String::as_str), peer)
    }

    /// Who uses the API.
    ///
    /// # Errors
    /// [`AccessError`] says what to do about it.
    pub async fn role(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<RoleCaller, AccessError> {
        let result = self.check_role(headers).await;
        self.count(result, None, peer)
    }

    async fn check_source(&self, name: &str, headers: &HeaderMap) -> Result<SourceCaller, AccessError> {
        let credential = bearer::credential(headers)?;
        if jwt::looks_signed(credential) {
            return self.check_signed(name, credential).await;
        }
        let now = self.engine.now();
        let token = self.token(credential, now).await?;
        let Some(key) = token.row.source else {
            return Err(AccessError::NotForSources);
        };
        let own = token.source.as_ref().ok_or(AccessError::Unknown)?;
        if own.as_str() != name {
            return Err(AccessError::Elsewhere(own.clone()));
        }
        listened_to(token.row.source_state)?;
        token.uses.note(now);
        Ok(SourceCaller {
            key,
            name: own.clone(),
        })
    }

    async fn check_role(&self, headers: &HeaderMap) -> Result<RoleCaller, AccessError> {
        let now = self.engine.now();
        let token = self.token(bearer::credential(headers)?, now).await?;
        let role = token.row.role.ok_or(AccessError::NotForRoles)?;
        token.uses.note(now);
        Ok(RoleCaller {
            credential: Credential::Token(token.row.id),
            role,
            label: token.row.label.clone(),
            subject: token.row.subject.clone(),
        })
    }

    async fn token(&self, secret: &str, now: Timestamp) -> Result<Arc<Known>, AccessError> {
        let hash = hash(secret);
        let token = match self.tokens.get(&hash) {
            Some(token) => token,
            None => {
                let row: Result<Option<TokenRow>, StorageError> = self
                    .engine
                    .read(move |tx| Box::pin(query::token::by_hash(tx, hash)))
                    .await;
                let row = row
                    .map_err(AccessError::Unavailable)?
                    .ok_or(AccessError::Unknown)?;
                let token = Arc::new(self.known(row));
                self.tokens.put(hash, Arc::clone(&token));
                token
            }
        };
        if token.row.revoked.is_some() {
            return Err(AccessError::Revoked);
        }
        if token.row.expires.is_some_and(|expires| expires <= now) {
            return Err(AccessError::Expired);
        }
        Ok(token)
    }

    fn known(&self, row: TokenRow) -> Known {
        let mut uses = self.uses.lock().expect("no holder of this lock panics");
        let uses = uses.entry(row.id).or_insert_with(|| {
            Arc::new(Use {
                at: AtomicI64::new(NEVER),
                written: AtomicI64::new(row.last_used.map_or(NEVER, Timestamp::as_micros)),
            })
        });
        Known {
            source: row.source_name.as_deref().and_then(|name| name.parse().ok()),
            uses: Arc::clone(uses),
            row,
        }
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
    /// passes, so that nobody behind a shared address is locked out by another's mistake. `place` is a source of the
    /// configuration: names that a caller makes up have no counts of their own.
    fn count<T>(
        &self,
        result: Result<T, AccessError>,
        place: Option<&str>,
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
        tracing::warn!(source.name = place, reason = %error, "a credential was refused");
        Err(error)
    }

    /// Writes down which tokens were used since the last time. Called now and then and before the end.
    ///
    /// # Errors
    /// What the database says; the uses are written the next time.
    pub async fn write_uses(&self) -> Result<(), StorageError> {
        let due: Vec<(TokenId, Timestamp)> = {
            let uses = self.uses.lock().expect("no holder of this lock panics");
            uses.iter()
                .filter_map(|(id, one)| Some((*id, one.due()?)))
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
        let uses = self.uses.lock().expect("no holder of this lock panics");
        for (id, at) in due {
            if let Some(one) = uses.get(&id) {
                one.written.store(at.as_micros(), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl Use {
    fn note(&self, now: Timestamp) {
        self.at.store(now.as_micros(), Ordering::Relaxed);
    }

    /// The last use, if it is worth writing down.
    fn due(&self) -> Option<Timestamp> {
        let (at, written) = (
            self.at.load(Ordering::Relaxed),
            self.written.load(Ordering::Relaxed),
        );
        if at == NEVER {
            return None;
        }
        let at = Timestamp::from_micros(at);
        let is_due = written == NEVER || at.since(Timestamp::from_micros(written)) >= USE_GRAIN;
        is_due.then_some(at)
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
