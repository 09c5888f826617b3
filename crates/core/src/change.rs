//! What an adapter reports about its directory.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{AdapterError, RemoteGroupId, RemoteUserId};

/// A user as the source describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRecord {
    /// The immutable id.
    pub id: RemoteUserId,
    /// What this provider's SCIM client sends as `externalId` for this user, where it is known: what was pushed and
    /// what was pulled are the same user when it is equal and trusted.
    pub external_id: Option<String>,
    /// The sign-in name; may change.
    pub user_name: String,
    /// The company address; may change.
    pub email: Option<String>,
    /// The name that people see.
    pub display_name: Option<String>,
    /// Whether the account may be used.
    pub active: bool,
    /// Whether the source marks the account as a guest.
    pub guest: bool,
    /// The user as a SCIM resource, without `id` and `meta` (RFC 7643 §4.1).
    pub resource: Map<String, Value>,
}

/// A group as the source describes it, without its members.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRecord {
    /// The immutable id.
    pub id: RemoteGroupId,
    /// What this provider's SCIM client sends as `externalId` for this group, where it is known.
    pub external_id: Option<String>,
    /// The name; may change and need not be unique.
    pub display_name: String,
    /// The group as a SCIM resource, without `id`, `meta` and `members` (RFC 7643 §4.2).
    pub resource: Map<String, Value>,
}

/// What a group member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    /// A user.
    User,
    /// Another group. It is kept and shown, and gives nobody access.
    Group,
}

/// What the adapter could not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownScope {
    /// One group and its members.
    Group(RemoteGroupId),
    /// One user.
    User(RemoteUserId),
    /// Everything that was not reported.
    Rest,
}

/// One thing that an adapter saw. What it did not see it never reports as absent.
#[derive(Debug, Clone, PartialEq)]
pub enum DirectoryChange {
    /// The user is there, in this state.
    UserUpserted(Box<UserRecord>),
    /// The source said that the user is gone.
    UserGone(RemoteUserId),
    /// The group is there, in this state.
    GroupUpserted(Box<GroupRecord>),
    /// The source said that the group is gone.
    GroupGone(RemoteGroupId),
    /// The user is a member of the group.
    MemberAdded {
        /// The group.
        group: RemoteGroupId,
        /// The member.
        member: RemoteUserId,
    },
    /// The source said that the user is no longer a member of the group.
    MemberRemoved {
        /// The group.
        group: RemoteGroupId,
        /// The member.
        member: RemoteUserId,
    },
    /// All members of the group were reported since its `GroupUpserted`. Only this allows removal by
    /// absence.
    GroupMembersComplete {
        /// The group.
        group: RemoteGroupId,
        /// Whether a count or a second read confirms that there are so many. An empty group counts only
        /// when this is true.
        confirmed: bool,
    },
    /// Whether the group is assigned to the application, as the provider said it just now. A provider that does
    /// not say reports nothing.
    ApplicationAssignment {
        /// The group.
        group: RemoteGroupId,
        /// Whether it is.
        assigned: bool,
    },
    /// Nothing is known about this; nobody ends because of it.
    Unknown {
        /// What was not seen.
        scope: UnknownScope,
        /// Why, for an operator.
        reason: String,
    },
}

/// How far a read came, in a form that only its adapter understands. It holds no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint(pub String);

/// Takes the changes of a read as they are seen.
#[async_trait]
pub trait ChangeSink: Send {
    /// Takes the next changes, in order. It waits while earlier ones are being written, so that a reader
    /// never holds more than one page.
    ///
    /// # Errors
    /// The reader stops and hands the error on.
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), AdapterError>;
}
