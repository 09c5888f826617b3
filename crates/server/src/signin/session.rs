//! Sessions: begun at sign-in with a new secret, found by its hash, ended by the clock, by their owner or by an administrator.
//! They are in the database, so all nodes know them and none outlives its end anywhere.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use usher_console::{Csrf, Viewer};
use usher_core::{AccountId, Role, SessionId, Timestamp};
use usher_engine::{About, Actor, Cause, Engine, EngineError, EventKind, Unit};
use usher_storage::query::session::{self, InUse, SessionRow};
use usher_storage::{StorageError, Tx};

/// How often it is written down that somebody is still here.
const SEEN_GRAIN: Duration = Duration::from_secs(60);
/// How long sessions that ended are kept, to look back.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// The longest name of a browser that is kept.
const LONGEST_AGENT: usize = 200;

/// How long sessions last, and which are still good.
#[derive(Debug, Clone)]
pub(crate) struct SessionRules {
    pub(super) idle: Duration,
    pub(super) lifetime: Duration,
    /// Whether local administrators may be signed in.
    pub(super) password: bool,
    /// The providers that people may be signed in by.
    pub(super) providers: Vec<String>,
}

/// Somebody who signs in.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// The provider; `None` for a local administrator.
    pub(super) provider: Option<String>,
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) role: Role,
    pub(super) address: Option<IpAddr>,
    pub(super) agent: Option<String>,
}

/// The secret of a session, for its cookie alone. It has no `Debug`.
#[derive(Clone)]
pub(super) struct SessionSecret(String);

impl SessionSecret {
    /// 256 bits of the operating system's randomness.
    fn draw() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl SessionRules {
    /// Which sessions are in use at a moment.
    pub(crate) fn in_use(&self, now: Timestamp) -> InUse {
        InUse {
            now,
            seen_after: now.minus(self.idle),
        }
    }

    fn is_good(&self, row: &SessionRow, now: Timestamp) -> bool {
        let in_use = self.in_use(now);
        let may_be = match &row.provider {
            Some(provider) => self.providers.contains(provider),
            None => self.password,
        };
        may_be && row.revoked.is_none() && row.ends > in_use.now && row.seen > in_use.seen_after
    }

    /// Begins a session in place of the one that the browser had before, whose secret may be known to others.
    pub(super) async fn begin(
        &self,
        engine: &Engine,
        arrival: Arrival,
        before: Option<&str>,
        request_id: Option<String>,
    ) -> Result<SessionSecret, EngineError> {
        let secret = SessionSecret::draw();
        let (hash, before, lifetime) = (hash(secret.expose()), before.map(hash), self.lifetime);
        let cause = Cause {
            request_id,
            ..Cause::new(Actor::Console(label(&arrival.name, arrival.email.as_deref())))
        };
        engine
            .write(cause, move |unit| {
                let arrival = arrival.clone();
                Box::pin(async move {
                    let now = unit.now();
                    if let Some(before) = before
                        && let Some(row) = session::by_hash(unit.tx(), before).await?
                    {
                        session::revoke(unit.tx(), row.id, now).await?;
                    }
                    session::forget(unit.tx(), now.minus(KEPT)).await?;
                    let row = arrival.into_row(unit.id(), now, lifetime);
                    session::insert(unit.tx(), &row, hash).await?;
                    tell(unit, EventKind::SessionStarted, &row);
                    Ok::<_, EngineError>(())
                })
            })
            .await?;
        Ok(secret)
    }

    /// The session that a secret is for, if it is still good. That its owner is here is written down now and then.
    pub(super) async fn find(
        &self,
        engine: &Engine,
        secret: &str,
    ) -> Result<Option<SessionRow>, StorageError> {
        let hash = hash(secret);
        let row: Result<_, StorageError> = engine
            .storage()
            .read_few(move |tx| Box::pin(session::by_hash(tx, hash)))
            .await;
        let now = engine.now();
        let Some(row) = row?.filter(|row| self.is_good(row, now)) else {
            return Ok(None);
        };
        if now.since(row.seen) >= SEEN_GRAIN {
            let id = row.id;
            let written: Result<(), StorageError> = engine
                .storage()
                .write(move |tx| Box::pin(session::seen(tx, id, now)))
                .await;
            if let Err(error) = written {
                tracing::warn!(error = %crate::logging::chain(&error), "cannot write down that somebody is still here");
            }
        }
        Ok(Some(row))
    }
}

impl Arrival {
    fn into_row(self, id: SessionId, now: Timestamp, lifetime: Duration) -> SessionRow {
        let agent = self.agent.map(|agent| {
            let letters = agent.chars().filter(|c| !c.is_control());
            letters.take(LONGEST_AGENT).collect()
        });
        SessionRow {
            id,
            account: account(self.provider.as_deref(), &self.subject),
            provider: self.provider,
            subject: self.subject,
            name: self.name,
            email: self.email,
            role: self.role,
            address: self.address.map(|address| address.to_canonical().to_string()),
            agent,
            created: now,
            seen: now,
            ends: now.plus(lifetime),
            revoked: None,
        }
    }
}

/// Ends one session, unless it has ended before.
///
/// # Errors
/// What the database says.
pub(crate) async fn end(unit: &mut Unit<'_, '_>, row: &SessionRow) -> Result<bool, StorageError> {
    let now = unit.now();
    let ended = session::revoke(unit.tx(), row.id, now).await?;
    if ended {
        tell(unit, EventKind::SessionEnded, row);
    }
    Ok(ended)
}

/// Ends all sessions of an account; how many there were.
///
/// # Errors
/// What the database says.
pub(crate) async fn end_all(unit: &mut Unit<'_, '_>, account: AccountId) -> Result<u64, StorageError> {
    const MOST: usize = 1000;
    let in_use = InUse {
        now: unit.now(),
        seen_after: Timestamp::from_micros(i64::MIN),
    };
    for row in session::page_of(unit.tx(), account, None, in_use, MOST).await? {
        tell(unit, EventKind::SessionEnded, &row);
    }
    session::revoke_all(unit.tx(), account, in_use.now).await
}

/// The session with an id, whatever its state.
pub(crate) async fn by_id(tx: &mut Tx<'_>, id: SessionId) -> Result<Option<SessionRow>, StorageError> {
    session::by_id(tx, id).await
}

/// Who somebody is in all of their sessions: the same provider and subject are the same account (RFC 9562 §5.8).
pub(crate) fn account(provider: Option<&str>, subject: &str) -> AccountId {
    let mut digest = Sha256::new();
    digest.update(provider.unwrap_or_default());
    digest.update([0]);
    digest.update(subject);
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    AccountId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// The viewer of pages of a session.
pub(super) fn viewer(row: &SessionRow, secret: &str) -> Viewer {
    // Known to who knows the cookie, and stored nowhere.
    let mut digest = Sha256::new();
    digest.update(b"the forms of this session\0");
    digest.update(secret);
    Viewer {
        name: row.name.clone(),
        email: row.email.clone(),
        role: row.role,
        session: row.id.as_uuid(),
        csrf: Csrf::new(URL_SAFE_NO_PAD.encode(digest.finalize())),
        provider: row.provider.clone(),
    }
}

/// How somebody is named as the actor of what they do.
pub(crate) fn label(name: &str, email: Option<&str>) -> String {
    match email {
        Some(email) if email != name => format!("{name} <{email}>"),
        _ => name.to_owned(),
    }
}

fn hash(secret: &str) -> [u8; 32] {
    crate::access::hash(secret)
}

fn tell(unit: &mut Unit<'_, '_>, kind: EventKind, row: &SessionRow) {
    let data = json!({
        "session": row.id, "account": row.account, "provider": row.provider, "name": row.name, "email": row.email,
        "role": row.role, "address": row.address,
    });
    unit.tell(kind, About::default(), &data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_one_person_of_one_provider() {
        let ada = account(Some("entra"), "ada");
        assert_eq!(ada, account(Some("entra"), "ada"));
        for other in [
            account(Some("okta"), "ada"),
            account(Some("entra"), "bob"),
            account(None, "ada"),
            account(Some("entraa"), "da"),
        ] {
            assert_ne!(ada, other);
        }
        assert_eq!(ada.as_uuid().get_version_num(), 8);
    }

    #[test]
    fn an_actor_has_a_name_and_an_address() {
        assert_eq!(label("Ada", Some("ada@x.example")), "Ada <ada@x.example>");
        assert_eq!(label("ada@x.example", Some("ada@x.example")), "ada@x.example");
        assert_eq!(label("admin", None), "admin");
    }
}
