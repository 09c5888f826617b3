//! The provisioning trait: what Usher asks of an adapter for one kind of identity provider.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{AdapterError, ChangeSink, Checkpoint, PushProfile, RemoteGroupId, RemoteUserId};

/// Who starts a change: the identity provider, Usher, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The identity provider sends SCIM requests.
    Push,
    /// Usher reads the identity provider.
    Pull,
    /// Both, on one source.
    Both,
}

impl Mode {
    /// Whether the SCIM endpoint of the source takes requests.
    #[must_use]
    pub const fn pushes(self) -> bool {
        matches!(self, Self::Push | Self::Both)
    }

    /// Whether Usher reads the source.
    #[must_use]
    pub const fn pulls(self) -> bool {
        matches!(self, Self::Pull | Self::Both)
    }
}

/// A permission that an adapter needs at the identity provider, and what breaks without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// The provider's own name of it.
    pub name: String,
    /// What it is used for.
    pub why: String,
}

/// What an adapter can do, asked before acting. A call outside of it answers
/// [`crate::ErrorKind::Unsupported`]; it never half works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// A read from a checkpoint reports only what changed.
    pub delta_reads: bool,
    /// Members of groups inside groups can be reported as members.
    pub nested_groups: bool,
    /// The provider tells whether an account is disabled.
    pub disabled_users: bool,
    /// Ids survive renames.
    pub stable_ids: bool,
    /// The provider tells which groups are assigned to the application.
    pub application_assignments: bool,
    /// One person can be read without reading whole groups.
    pub person_reads: bool,
    /// The provider can call Usher to say that something changed.
    pub notifications: bool,
    /// The most groups that one read may name.
    pub max_groups_per_read: Option<usize>,
    /// What the adapter needs at the provider.
    pub permissions: Vec<Permission>,
}

/// What an adapter is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdapterDescription {
    /// The word used in configuration.
    pub kind: &'static str,
    /// The modes it offers.
    pub modes: Vec<Mode>,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// How a permission was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "detail")]
pub enum PermissionState {
    /// A real call that needs it worked.
    Works,
    /// It is missing; the text says what will not work.
    Missing(String),
    /// It could not be found out; the text says why.
    Unknown(String),
}

/// One permission and how it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionCheck {
    /// The permission.
    pub permission: Permission,
    /// How it was found.
    pub state: PermissionState,
}

/// What [`ProvisioningAdapter::check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Each permission.
    pub permissions: Vec<PermissionCheck>,
    /// What the customer sets up at the provider, step by step.
    pub guidance: Vec<String>,
    /// The provider's id of the tenant or organisation that answered; pinned at first use.
    pub tenant: Option<String>,
}

/// Which groups to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupQuery {
    /// Only groups whose name begins so.
    pub name_prefix: Option<String>,
    /// Only this group.
    pub id: Option<RemoteGroupId>,
    /// At most so many.
    pub limit: usize,
}

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupSummary {
    /// The immutable id.
    pub id: RemoteGroupId,
    /// The name.
    pub display_name: String,
    /// The provider's word for the kind of group.
    pub kind: String,
    /// How many members, where the provider tells without a full read.
    pub members: Option<u64>,
    /// How many of them are guests, where the provider tells without a full read.
    pub guests: Option<u64>,
    /// How many groups are members of it, where the provider tells without a full read.
    pub nested_groups: Option<u64>,
    /// Whether the group is assigned to the application, where the provider tells.
    pub assigned: Option<bool>,
}

/// A group to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedGroup {
    /// The immutable id.
    pub id: RemoteGroupId,
    /// Whether members of groups inside it count as its members. An adapter without
    /// [`Capabilities::nested_groups`] answers such a group as unknown.
    pub nested: bool,
}

/// What a read is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadScope {
    /// These groups and their members.
    Groups(Vec<WantedGroup>),
    /// Every group that the adapter may see, direct members only.
    AllGroups,
    /// One person: the account, and whether it is in each of these groups now.
    Person {
        /// The person's account.
        user: RemoteUserId,
        /// The groups asked about.
        groups: Vec<WantedGroup>,
    },
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    /// What it is about.
    pub scope: ReadScope,
    /// Where the last read of the same groups ended; `None` means from the beginning. An adapter copes with a
    /// checkpoint that was made for other groups: it reads those that are new to it completely.
    pub checkpoint: Option<Checkpoint>,
}

impl ReadRequest {
    /// A complete read of these groups.
    #[must_use]
    pub const fn of_groups(groups: Vec<WantedGroup>) -> Self {
        Self {
            scope: ReadScope::Groups(groups),
            checkpoint: None,
        }
    }
}

/// How a read ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Where the next read starts; stored in the same unit of work as the last changes.
    pub checkpoint: Option<Checkpoint>,
}

/// An adapter for one kind of identity provider, held as `Arc<dyn ProvisioningAdapter>`.
///
/// An adapter translates and reports. It has no retry loop, no rate limiter and no metrics of its own:
/// these wrap the trait. It keeps no directory state.
#[async_trait]
pub trait ProvisioningAdapter: Send + Sync + Debug {
    /// Kind, modes and capabilities. No I/O; the same answer every time.
    fn describe(&self) -> AdapterDescription;

    /// How this provider's SCIM client behaves. No I/O; the same answer every time.
    fn push_profile(&self) -> PushProfile;

    /// Calls the provider as a real read would.
    ///
    /// # Behaviour
    /// - every permission in [`Capabilities::permissions`] is in the report once;
    /// - nothing is changed at the provider;
    /// - a push-only adapter reports its guidance and no permission.
    ///
    /// # Errors
    /// Only when nothing at all could be found out.
    async fn check(&self) -> Result<CheckReport, AdapterError>;

    /// Lists groups, for the order form and for mappings.
    ///
    /// # Behaviour
    /// - each group appears once, whatever the provider's page size;
    /// - at most [`GroupQuery::limit`] groups are answered;
    /// - an unknown id answers an empty list.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] without pull.
    async fn list_groups(&self, query: GroupQuery) -> Result<Vec<GroupSummary>, AdapterError>;

    /// Reads the directory into `sink`.
    ///
    /// # Behaviour
    /// - a user is reported before the first change that names it as a member;
    /// - without a checkpoint each group wanted is reported as `GroupUpserted`, its members, `GroupMembersComplete`,
    ///   and the next group begins after that; or as `Unknown`;
    /// - with a checkpoint only what changed is reported, in any order; a group may be reported again as without one;
    /// - with a checkpoint users may be reported who are in no group wanted: who is unknown and not named as a member in
    ///   the same call of the sink is left out;
    /// - each member of a group is reported once, whatever the provider's page size;
    /// - a group's completeness is reported only after all of its members were;
    /// - what could not be seen is reported as unknown, never as gone;
    /// - a failed read may be repeated from the same checkpoint;
    /// - a change that is reported twice is the same change;
    /// - no more than one page is held in memory;
    /// - a read of a person reports the user (`UserUpserted`, `UserGone` or `Unknown`) and for each group asked
    ///   about `MemberAdded`, `MemberRemoved` or `Unknown`; never completeness, and no checkpoint.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] without pull; [`crate::ErrorKind::CheckpointExpired`] when the
    /// caller has to start again without a checkpoint.
    async fn read(
        &self,
        request: ReadRequest,
        sink: &mut dyn ChangeSink,
    ) -> Result<ReadOutcome, AdapterError>;

    /// Takes a call by which the provider says that something changed. It is a hint to read, never the truth.
    ///
    /// # Behaviour
    /// - a call whose secret is wrong is refused;
    /// - nothing is read and nothing is remembered.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] without [`Capabilities::notifications`];
    /// [`crate::ErrorKind::Unauthorised`] for a wrong secret; [`crate::ErrorKind::Protocol`] for a body that is not
    /// understood.
    async fn notification(&self, _notification: Notification) -> Result<NotificationAnswer, AdapterError> {
        Err(AdapterError::unsupported(
            "notification",
            "a source of this kind takes no calls beside SCIM",
        ))
    }
}

/// A call of the provider that is not SCIM.
#[derive(Clone)]
pub struct Notification {
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The query of the URL, decoded.
    pub query: Vec<(String, String)>,
    /// The body; empty for GET.
    pub body: Vec<u8>,
}

impl Notification {
    /// The first value of a header field, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Header fields and body may hold a secret, so only their sizes are shown.
impl Debug for Notification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notification")
            .field("headers", &self.headers.len())
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What to answer to a [`Notification`], and what to read again because of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationAnswer {
    /// The body to answer 200 with, as its media type and text; without one the answer is 204.
    pub body: Option<(&'static str, String)>,
    /// Groups to read again.
    pub groups: Vec<RemoteGroupId>,
    /// People to read again.
    pub users: Vec<RemoteUserId>,
}
