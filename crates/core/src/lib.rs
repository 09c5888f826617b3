#![doc = include_str!("../README.md")]

mod adapter_error;
mod change;
mod clock;
mod domain;
mod draw;
mod ids;
mod level;
mod profile;
mod provisioning;
mod registry;
mod source;

pub use adapter_error::{AdapterError, ErrorKind, RetryAdvice};
pub use change::{
    ChangeSink, Checkpoint, DirectoryChange, GroupRecord, MemberKind, UnknownScope, UserRecord,
};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use domain::{
    EndReason, GroupNaming, HoldKind, HoldState, MailState, MappingState, MembershipKind, OrderState,
    ParkReason, PullCause, PullRunState, PullScope, Rejoin, RestoreState, Role, RoomState, Scope,
    SourceState, StartReason, Stray, UnknownWord, WebhookState,
};
pub use draw::{Draw, Ids};
pub use ids::{
    AccountId, ChangeId, GrantId, HoldId, IdError, JwtKeyId, MailId, MappingId, MembershipId, NodeId,
    OrderId, PersonId, PullRunId, RemoteGroupId, RemoteUserId, RestoreId, RoomId, SessionId, SourceGroupId,
    SourceUserId, TokenId, TypedId, WebhookId, WebhookSecretId,
};
pub use level::{Level, LevelError, Levels, RoomModel};
pub use profile::{GroupIdentity, GuestMark, HeaderSpelling, PushProfile, Reactivation};
pub use provisioning::{
    AdapterDescription, Capabilities, CheckReport, GroupQuery, GroupSummary, Mode, Notification,
    NotificationAnswer, Permission, PermissionCheck, PermissionState, ProvisioningAdapter, ReadOutcome,
    ReadRequest, ReadScope, WantedGroup,
};
pub use registry::{Factory, Registry, Settings};
pub use source::{SourceName, SourceNameError};
