//! Making and revoking tokens and keys. Each is an event.

use serde::Serialize;
use serde_json::json;
use usher_core::{JwtKeyId, Role, SourceName, Timestamp, TokenId};
use usher_engine::{About, Cause, Engine, EngineError, EventKind, Unit};
use usher_storage::query;
use usher_storage::query::jwt_key::JwtKeyRow;
use usher_storage::query::source::SourceRow;
use usher_storage::query::token::NewToken;

use super::{JwtKey, Secret};
use crate::config::Period;

/// What a new token is for.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// A source that it pushes to, or a role that it has.
    pub purpose: Purpose,
    /// Where it is used, in words.
    pub label: String,
    /// The e-mail address of the person that it acts for; a requester's token needs one.
    pub subject: Option<String>,
    /// How long it works; without it, until it is revoked.
    pub expires_in: Option<Period>,
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Pushing to this source.
    Source(SourceName),
    /// Using the API.
    Role(Role),
}

/// A new token, secret included. Shown once.
#[derive(Debug, Serialize)]
pub struct IssuedToken {
    /// The secret. Nothing else in this program holds it.
    pub token: String,
    /// What names the token from now on.
    pub id: TokenId,
    /// The source that it pushes to.
    pub source: Option<SourceName>,
    /// The role that it has.
    pub role: Option<Role>,
    /// Where it is used, in words.
    pub label: String,
    /// Whom it acts for.
    pub subject: Option<String>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
}

/// Makes a token.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown source, [`EngineError::Invalid`] for a requester without a subject or an empty
/// label.
pub async fn issue_token(
    engine: &Engine,
    cause: Cause,
    request: TokenRequest,
) -> Result<IssuedToken, EngineError> {
    if request.label.trim().is_empty() {
        return Err(EngineError::invalid("label", "say where the token is used"));
    }
    if request.purpose == Purpose::Role(Role::Requester) && request.subject.is_none() {
        return Err(EngineError::invalid(
            "subject",
            "a requester sees their own orders only: say whose, by e-mail address",
        ));
    }
    let secret = Secret::draw();
    engine
        .write(cause, move |unit| {
            let (request, secret) = (request.clone(), secret.clone());
            Box::pin(async move { issue_in(unit, request, &secret).await })
        })
        .await
}

async fn issue_in(
    unit: &mut Unit<'_, '_>,
    request: TokenRequest,
    secret: &Secret,
) -> Result<IssuedToken, EngineError> {
    let (source, role) = match &request.purpose {
        Purpose::Source(name) => (Some(find_source(unit, name).await?.key), None),
        Purpose::Role(role) => (None, Some(*role)),
    };
    let (id, now) = (unit.id::<TokenId>(), unit.now());
    let expires = request.expires_in.map(|period| now.plus(period.duration()));
    let token = NewToken {
        id,
        hash: secret.hash(),
        source,
        role,
        label: &request.label,
        subject: request.subject.as_deref(),
        created: now,
        expires,
    };
    query::token::insert(unit.tx(), &token).await?;
    let name = match request.purpose {
        Purpose::Source(name) => Some(name),
        Purpose::Role(_) => None,
    };
    let data =
        json!({ "token": id, "source": name, "role": role, "label": request.label, "expires": expires });
    unit.tell(
        EventKind::TokenCreated,
        About {
            source,
            ..About::default()
        },
        &data,
    );
    Ok(IssuedToken {
        token: secret.expose().to_owned(),
        id,
        source: name,
        role,
        label: request.label,
        subject: request.subject,
        expires,
    })
}

/// Revokes a token; whether it worked until now.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown one.
pub async fn revoke_token(engine: &Engine, cause: Cause, id: TokenId) -> Result<bool, EngineError> {
    engine
        .write(cause, move |unit| {
            Box::pin(async move {
                let row = query::token::by_id(unit.tx(), id)
                    .await?
                    .ok_or_else(|| EngineError::not_found("token", id))?;
                let now = unit.now();
                let changed = query::token::revoke(unit.tx(), id, now).await?;
                if changed {
                    let about = About {
                        source: row.source,
                        ..About::default()
                    };
                    unit.tell(
                        EventKind::TokenRevoked,
                        about,
                        &json!({ "token": id, "label": row.label }),
                    );
                }
                Ok(changed)
            })
        })
        .await
}

/// A public key to register.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// The source that tokens signed with it may push to.
    pub source: SourceName,
    /// Where it is used, in words.
    pub label: String,
    /// The one algorithm that it is used with, such as `ES256`.
    pub algorithm: String,
    /// The key as PEM.
    pub public_key: String,
    /// The `iss` that the tokens carry.
    pub issuer: String,
    /// The `aud` that the tokens carry.
    pub audience: String,
    /// The `kid` that the tokens carry, where they do.
    pub key_id: Option<String>,
}

/// Registers a key.
///
/// # Errors
/// [`EngineError::Invalid`] for something that is no fit public key, [`EngineError::Conflict`] for a key that was
/// registered before, for whatever source: a key serves one source.
pub async fn register_key(
    engine: &Engine,
    cause: Cause,
    request: KeyRequest,
) -> Result<JwtKeyRow, EngineError> {
    let thumbprint = JwtKey::thumbprint(&request.algorithm, &request.public_key)
        .map_err(|error| EngineError::invalid("public_key", error.to_string()))?;
    engine
        .write(cause, move |unit| {
            let (request, thumbprint) = (request.clone(), thumbprint.clone());
            Box::pin(async move {
                let source = find_source(unit, &request.source).await?;
                if let Some(other) = query::jwt_key::by_thumbprint(unit.tx(), &thumbprint).await? {
                    return Err(EngineError::Conflict(format!(
                        "this key was registered before, for source '{}': a key serves one source, make a new one",
                        other.source_name
                    )));
                }
                let key = JwtKeyRow {
                    id: unit.id(),
                    source: source.key,
                    source_name: source.name,
                    source_state: source.state,
                    label: request.label,
                    algorithm: request.algorithm,
                    key_id: request.key_id,
                    issuer: request.issuer,
                    audience: request.audience,
                    public_key: request.public_key,
                    thumbprint,
                    created: unit.now(),
                    revoked: None,
                };
                query::jwt_key::insert(unit.tx(), &key).await?;
                tell_key(unit, EventKind::KeyRegistered, &key);
                Ok(key)
            })
        })
        .await
}

/// Revokes a key; whether it worked until now.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown one, or one of another source than the given one.
pub async fn revoke_key(
    engine: &Engine,
    cause: Cause,
    id: JwtKeyId,
    source: Option<SourceName>,
) -> Result<bool, EngineError> {
    engine
        .write(cause, move |unit| {
            let source = source.clone();
            Box::pin(async move {
                let key = query::jwt_key::by_id(unit.tx(), id)
                    .await?
                    .filter(|key| {
                        source
                            .as_ref()
                            .is_none_or(|source| source.as_str() == key.source_name)
                    })
                    .ok_or_else(|| EngineError::not_found("key", id))?;
                let now = unit.now();
                let changed = query::jwt_key::revoke(unit.tx(), id, now).await?;
                if changed {
                    tell_key(unit, EventKind::KeyRevoked, &key);
                }
                Ok(changed)
            })
        })
        .await
}

async fn find_source(unit: &mut Unit<'_, '_>, name: &SourceName) -> Result<SourceRow, EngineError> {
    query::source::by_name(unit.tx(), name.as_str())
        .await?
        .ok_or_else(|| EngineError::not_found("source", name))
}

fn tell_key(unit: &mut Unit<'_, '_>, kind: EventKind, key: &JwtKeyRow) {
    let about = About {
        source: Some(key.source),
        ..About::default()
    };
    let data = json!({
        "key": key.id, "source": key.source_name, "label": key.label, "algorithm": key.algorithm,
        "issuer": key.issuer, "audience": key.audience, "thumbprint": key.thumbprint,
    });
    unit.tell(kind, about, &data);
}
