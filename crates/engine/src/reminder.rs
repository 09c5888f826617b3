//! Telling people of what ends soon while they can still act: holds that nobody decided, and tokens.

use std::time::Duration;

use serde_json::json;
use usher_core::{HoldId, Timestamp, TokenId};
use usher_storage::query::reminder::Notice;
use usher_storage::{Tx, query};

use crate::policy::Policy;
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// People are told of a hold when this part of its time is left.
const LEFT: u64 = 4;

/// When people are told of a token's end.
const TOKENS: Notice = Notice {
    first: Duration::from_secs(14 * DAY.as_secs()),
    last: Duration::from_secs(3 * DAY.as_secs()),
};

/// What to tell people of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reminder {
    /// A hold that is soon applied.
    Hold(HoldId),
    /// A token that soon ends.
    Token(TokenId),
}

/// What people are to be told of by now.
pub(crate) async fn due(
    tx: &mut Tx<'_>,
    policy: &Policy,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Reminder>, EngineError> {
    let until = now.plus(Duration::from_secs(policy.brake.hold_for_secs / LEFT).min(DAY));
    let holds = query::reminder::holds(tx, now, until, limit).await?;
    let tokens = query::reminder::tokens(tx, now, TOKENS, limit).await?;
    let holds = holds.into_iter().map(Reminder::Hold);
    Ok(holds.chain(tokens.into_iter().map(Reminder::Token)).collect())
}

impl Unit<'_, '_> {
    /// Tells people of something, unless they were told, or it is over.
    pub(crate) async fn remind(&mut self, reminder: Reminder) -> Result<bool, EngineError> {
        match reminder {
            Reminder::Hold(id) => self.remind_of_hold(id).await,
            Reminder::Token(id) => self.remind_of_token(id).await,
        }
    }

    async fn remind_of_hold(&mut self, id: HoldId) -> Result<bool, EngineError> {
        if !query::reminder::told_of_hold(self.tx, id, self.now).await? {
            return Ok(false);
        }
        let Some(hold) = query::hold::by_id(self.tx, id).await? else {
            return Ok(false);
        };
        let about = About {
            source: Some(hold.source),
            room: Some(hold.room),
            ..About::default()
        };
        let data = json!({ "hold": hold.id, "kind": hold.kind, "cause": hold.cause, "due": hold.due });
        self.tell(EventKind::HoldDueSoon, about, &data);
        Ok(true)
    }

    async fn remind_of_token(&mut self, id: TokenId) -> Result<bool, EngineError> {
        if !query::reminder::told_of_token(self.tx, id, self.now, TOKENS).await? {
            return Ok(false);
        }
        let Some(token) = query::token::by_id(self.tx, id).await? else {
            return Ok(false);
        };
        let about = About {
            source: token.source,
            ..About::default()
        };
        let data = json!({
            "token": token.id, "label": token.label, "source": token.source_name, "role": token.role,
            "expires": token.expires, "last_used": token.last_used,
        });
        self.tell(EventKind::TokenExpiring, about, &data);
        Ok(true)
    }
}
