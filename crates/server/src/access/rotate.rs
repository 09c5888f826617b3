//! A new secret in the place of a token's, while the old one still works for a while.

use serde_json::json;
use usher_core::{Timestamp, TokenId};
use usher_engine::{About, Cause, Engine, EngineError, EventKind, Unit};
use usher_storage::query;
use usher_storage::query::token::{NewToken, TokenRow};

use super::Secret;
use crate::config::Period;

/// A token to put another one in the place of.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// The token that is replaced.
    pub token: TokenId,
    /// How long it still works, if it does not end before.
    pub overlap: Period,
    /// How long the new one works; as long as the old one did when left out.
    pub expires_in: Option<Period>,
}

/// Makes a token for the same purpose as another one, which ends after the overlap. The new one's id and secret.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown token; refused for one that does not work any more.
pub async fn rotate_token(
    engine: &Engine,
    cause: Cause,
    rotation: Rotation,
) -> Result<(TokenId, Secret), EngineError> {
    let secret = Secret::draw();
    let drawn = secret.clone();
    let id = engine
        .write(cause, move |unit| {
            let secret = drawn.clone();
            Box::pin(async move { rotate(unit, rotation, &secret).await })
        })
        .await?;
    Ok((id, secret))
}

async fn rotate(
    unit: &mut Unit<'_, '_>,
    rotation: Rotation,
    secret: &Secret,
) -> Result<TokenId, EngineError> {
    let old = query::token::by_id(unit.tx(), rotation.token)
        .await?
        .ok_or_else(|| EngineError::not_found("token", rotation.token))?;
    let now = unit.now();
    if old.revoked.is_some() || old.expires.is_some_and(|expires| expires <= now) {
        return Err(EngineError::refused(
            "token_ended",
            format!("token '{}' does not work any more", old.label),
            "make a new one",
        ));
    }
    let id = unit.id::<TokenId>();
    let end = now.plus(rotation.overlap.duration());
    let old_ends = old.expires.map_or(end, |expires| expires.min(end));
    let token = NewToken {
        id,
        hash: secret.hash(),
        source: old.source,
        role: old.role,
        label: &old.label,
        subject: old.subject.as_deref(),
        created: now,
        expires: new_end(&old, rotation.expires_in, now),
    };
    query::token::insert(unit.tx(), &token).await?;
    query::token::expire(unit.tx(), old.id, old_ends).await?;
    let data = json!({
        "token": id, "source": old.source_name, "role": old.role, "label": old.label, "expires": token.expires,
        "replaces": old.id, "replaced_until": old_ends,
    });
    let about = About {
        source: old.source,
        ..About::default()
    };
    unit.tell(EventKind::TokenCreated, about, &data);
    Ok(id)
}

/// When the new token ends: after the time given, else after as long as the old one was made for.
fn new_end(old: &TokenRow, expires_in: Option<Period>, now: Timestamp) -> Option<Timestamp> {
    if let Some(period) = expires_in {
        return Some(now.plus(period.duration()));
    }
    let life = old.expires?.as_micros() - old.created.as_micros();
    Some(Timestamp::from_micros(
        now.as_micros().saturating_add(life.max(0)),
    ))
}
