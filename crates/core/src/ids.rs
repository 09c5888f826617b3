//! Ids as newtypes. Usher's own ids are UUIDv7 and come from [`crate::Draw`]; the ids that a source
//! gave are opaque text. The two never convert into each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that is not the id it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a UUID in its hyphenated form.
    #[error(
        "'{0}' is not an id of this deployment: ids are UUIDs such as 018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f"
    )]
    NotAUuid(String),
    /// A source's id is empty or longer than [`RemoteUserId::MAX_LEN`] bytes.
    #[error("an id given by a source is 1 to 1024 bytes long, this one is {0}")]
    RemoteLength(usize),
}

/// What all of Usher's own ids have in common.
pub trait TypedId: Copy + Ord + fmt::Display {
    /// Wraps a UUID that is known to name this kind of thing.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The UUID inside.
    fn as_uuid(self) -> Uuid;
}

macro_rules! own_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to name this kind of thing.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl TypedId for $name {
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::NotAUuid(text.chars().take(64).collect()))
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )*};
}

own_ids! {
    /// A human, linked to at most one source user per source.
    PersonId,
    /// A closed workspace of the portal.
    RoomId,
    /// Usher's record of a user of a source; for SCIM push it is the resource's `id`.
    SourceUserId,
    /// Usher's record of a group of a source; for SCIM push it is the resource's `id`.
    SourceGroupId,
    /// A source group that gives access to a room.
    MappingId,
    /// One stay of one person in one room.
    MembershipId,
    /// Something in a room that hangs on a membership.
    GrantId,
    /// The request for a new room.
    OrderId,
    /// Several endings that the brake stopped, or arrivals that wait for approval.
    HoldId,
    /// The restoring of one membership in place of another.
    RestoreId,
    /// One unit of work that changed something; ties a request to its events and memberships.
    ChangeId,
    /// An access token, as a thing to list and revoke. It is not the secret.
    TokenId,
    /// A key that a customer registered to sign its own access tokens.
    JwtKeyId,
    /// One read of a source.
    PullRunId,
    /// A process that works on the database, from its start to its end.
    NodeId,
    /// An endpoint that events are delivered to.
    WebhookId,
    /// A secret that deliveries to an endpoint are signed with. It is not the secret's text.
    WebhookSecretId,
    /// Somebody signed in to the console, from sign-in to sign-out. It is not the secret of the cookie.
    SessionId,
    /// Who signs in to the console: a person of a provider, or a local administrator.
    AccountId,
    /// An e-mail to one recipient.
    MailId,
}

macro_rules! remote_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The most bytes that a source's id may have.
            pub const MAX_LEN: usize = 1024;

            /// Takes an id as the source wrote it.
            ///
            /// # Errors
            /// [`IdError::RemoteLength`] when it is empty or longer than [`Self::MAX_LEN`] bytes.
            pub fn new(id: impl Into<String>) -> Result<Self, IdError> {
                let id = id.into();
                match id.len() {
                    1..=Self::MAX_LEN => Ok(Self(id)),
                    other => Err(IdError::RemoteLength(other)),
                }
            }

            /// The id as the source wrote it; compare it byte for byte.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

remote_ids! {
    /// A user's immutable id in its source, as the source wrote it.
    RemoteUserId,
    /// A group's immutable id in its source, as the source wrote it.
    RemoteGroupId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_id_reads_back_what_it_printed() {
        let id = RoomId::from_uuid(Uuid::from_u128(0x018f_6b1e_7d2a_7c44_9f0e_3a5b_6c7d_8e9f));
        assert_eq!(id.to_string().parse::<RoomId>(), Ok(id));
    }

    #[test]
    fn text_that_is_no_uuid_is_refused_with_a_bounded_echo() {
        let error = "x".repeat(5000).parse::<RoomId>().unwrap_err();
        assert!(error.to_string().len() < 250);
    }

    #[test]
    fn a_remote_id_is_neither_empty_nor_endless() {
        assert!(RemoteUserId::new("").is_err());
        assert!(RemoteUserId::new("x".repeat(1025)).is_err());
        assert_eq!(RemoteUserId::new("00u1").unwrap().as_str(), "00u1");
    }
}
