//! Domain types as values of statements and of rows.

use usher_core::{
    AccountId, ChangeId, EndReason, GrantId, GroupNaming, HoldId, HoldKind, HoldState, JwtKeyId, MailId,
    MailState, MappingId, MappingState, MembershipId, MembershipKind, NodeId, OrderId, OrderState,
    ParkReason, PersonId, PullCause, PullRunId, PullRunState, PullScope, Rejoin, RestoreId, RestoreState,
    Role, RoomId, RoomModel, RoomState, Scope, SessionId, SourceGroupId, SourceState, SourceUserId,
    StartReason, Stray, Timestamp, TokenId, TypedId, WebhookId, WebhookSecretId, WebhookState,
};
use uuid::Uuid;

use crate::{Cell, FromValue, Value};

/// A source's row number: what other rows point to. It means nothing outside of one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(pub i64);

impl From<SourceKey> for Value {
    fn from(key: SourceKey) -> Self {
        Self::Int(key.0)
    }
}

impl FromValue<'_> for SourceKey {
    fn from_value(cell: &Cell) -> Option<Self> {
        i64::from_value(cell).map(Self)
    }
}

impl From<Timestamp> for Value {
    fn from(timestamp: Timestamp) -> Self {
        Self::Int(timestamp.as_micros())
    }
}

impl FromValue<'_> for Timestamp {
    fn from_value(cell: &Cell) -> Option<Self> {
        i64::from_value(cell).map(Self::from_micros)
    }
}

/// A list of ids for `rarray`.
pub fn uuids<I: TypedId>(ids: impl IntoIterator<Item = I>) -> Value {
    Value::Uuids(ids.into_iter().map(TypedId::as_uuid).collect())
}

macro_rules! ids {
    ($($id:ty),* $(,)?) => {$(
        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                Self::Uuid(id.as_uuid())
            }
        }

        impl FromValue<'_> for $id {
            fn from_value(cell: &Cell) -> Option<Self> {
                Uuid::from_value(cell).map(Self::from_uuid)
            }
        }
    )*};
}

ids!(
    AccountId,
    ChangeId,
    GrantId,
    HoldId,
    JwtKeyId,
    MailId,
    MappingId,
    MembershipId,
    NodeId,
    OrderId,
    PersonId,
    PullRunId,
    RestoreId,
    RoomId,
    SessionId,
    SourceGroupId,
    SourceUserId,
    TokenId,
    WebhookId,
    WebhookSecretId,
);

macro_rules! words {
    ($($word:ty),* $(,)?) => {$(
        impl From<$word> for Value {
            fn from(word: $word) -> Self {
                Self::Text(word.as_str().into())
            }
        }

        impl FromValue<'_> for $word {
            fn from_value(cell: &Cell) -> Option<Self> {
                <&str>::from_value(cell)?.parse().ok()
            }
        }
    )*};
}

words!(
    EndReason,
    GroupNaming,
    HoldKind,
    HoldState,
    MailState,
    MappingState,
    MembershipKind,
    OrderState,
    ParkReason,
    PullCause,
    PullRunState,
    PullScope,
    Rejoin,
    RestoreState,
    Role,
    RoomModel,
    RoomState,
    Scope,
    SourceState,
    StartReason,
    Stray,
    WebhookState,
);
