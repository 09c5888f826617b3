//! The schemas of words, times and pages that the domain defines.

use serde::Serialize;
use usher_core::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! words {
    ($($name:ident),* $(,)?) => {$(
        /// The words of the domain's set of this name, for the API's description.
        #[derive(Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = usher_core::$name::ALL.iter().map(|word| word.as_str());
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {}
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
    RoomState,
    Scope,
    SourceState,
    StartReason,
    Stray,
    WebhookState,
);

/// How a room treats its people.
#[derive(Debug)]
pub enum RoomModel {}

impl PartialSchema for RoomModel {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["open", "closed"]))
            .into()
    }
}

impl ToSchema for RoomModel {}

/// A moment in UTC, as RFC 3339 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Time(pub Timestamp);

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Time {}

impl From<Timestamp> for Time {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl std::fmt::Display for Time {
    /// To the second, for people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        match text.split_once('.') {
            Some((seconds, _)) => write!(f, "{seconds}Z"),
            None => f.write_str(&text),
        }
    }
}
