//! How one kind of identity provider behaves as a SCIM client, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a user's return from `active: false` means for the group member rows written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reactivation {
    /// The rows count again: the provider keeps memberships while a user is inactive and does not send
    /// them again. Microsoft Entra ID does this.
    Restore,
    /// The rows stay without effect until the provider names the member again: it may have left out the
    /// removals of an inactive user. Okta does this.
    Dormant,
}

/// How the credential is spelt in the `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderSpelling {
    /// `Bearer <token>` (RFC 6750 §2.1).
    Bearer,
    /// The token alone, or with the word: some providers send what the administrator typed.
    RawOrBearer,
}

/// What tells an external guest from an employee in a pushed user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestMark {
    /// The user name or an e-mail address contains this text, in any case.
    AddressContains(String),
    /// `userType` equals this text, in any case.
    UserType(String),
}

/// Which id of a group an order should name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupIdentity {
    /// The provider sends the group's immutable id as `externalId`.
    ExternalId,
    /// The provider sends no id of its own before arrival; the name is bound once and pinned then.
    DisplayName,
}

/// How this identity provider's SCIM client behaves.
///
/// A profile never makes the endpoint narrower: whatever any client sends is taken from all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushProfile {
    /// What a reactivation means.
    pub reactivation: Reactivation,
    /// Under [`Reactivation::Restore`], rows of a user inactive for longer than this go dormant.
    pub dormant_after: Duration,
    /// How the credential is spelt.
    pub header: HeaderSpelling,
    /// Whether a soft-deleted user's name arrives prefixed with 32 hexadecimal digits.
    pub tombstone_renames: bool,
    /// What marks a guest.
    pub guest_marks: Vec<GuestMark>,
    /// Whether a user's `externalId` is believed to be immutable.
    pub trusts_external_id: bool,
    /// Whether only a GUID is believed then. Microsoft Entra ID sends what the customer maps to `externalId`: its immutable
    /// object id, which is a GUID, or by default the mail nickname, which may change.
    pub only_guids: bool,
    /// Which id of a group an order should name.
    pub group_identity: GroupIdentity,
    /// Whether `If-Match` is honoured when it is sent.
    pub honours_if_match: bool,
}

impl Default for PushProfile {
    /// The careful reading for a client that nothing is known about.
    fn default() -> Self {
        Self {
            reactivation: Reactivation::Dormant,
            dormant_after: Duration::from_secs(90 * 24 * 3600),
            header: HeaderSpelling::RawOrBearer,
            tombstone_renames: false,
            guest_marks: vec![GuestMark::AddressContains("#EXT#".into())],
            trusts_external_id: false,
            only_guids: false,
            group_identity: GroupIdentity::ExternalId,
            honours_if_match: true,
        }
    }
}
