//! The directory: what sources say of their users and groups, kept exactly, and what follows from a change.

mod groups;
mod members;
pub(crate) mod scope;
pub(crate) mod users;

pub(crate) use scope::stored_scope;

use usher_core::MemberKind;

/// What a source says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData {
    /// `userName`.
    pub user_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// All e-mail addresses, the primary or work one first.
    pub emails: Vec<String>,
    /// `displayName`.
    pub display_name: Option<String>,
    /// `active`; absent means true.
    pub active: bool,
    /// `userType`.
    pub user_type: Option<String>,
    /// Whether the source said in another way that the user is a guest.
    pub guest: bool,
    /// The SCIM resource as JSON, without `id`, `meta`, `groups` and `password`.
    pub resource: String,
}

/// What a source says of a group, without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupData {
    /// `displayName`.
    pub display_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// The SCIM resource as JSON, without `id`, `meta` and `members`.
    pub resource: String,
}

/// A member as a source names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName {
    /// `value`: an id, most likely one that Usher gave.
    pub value: String,
    /// `type`, where it was sent.
    pub kind: Option<MemberKind>,
}

/// One step of a change of a group's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembersChange {
    /// These are members too.
    Add(Vec<MemberName>),
    /// These are no members.
    Remove(Vec<String>),
    /// Nobody is a member.
    RemoveAll,
    /// These are the members, and nobody else.
    Replace(Vec<MemberName>),
}
