//! Reading sources: how it stands, each run, what a check found, what differs.

use serde::Serialize;
use usher_core::{GroupSummary, PermissionState, PullCause, PullRunState, PullScope};
use usher_engine::pull::{Difference, Drift, Said};
use usher_storage::query::pull_run::{PullCounts, PullRunRow, PullStateRow};
use usher_storage::{StorageError, Tx};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::name;
use crate::api::words::{self, Time};
use crate::pull::{Checked, SourceSays};

/// How reading a source stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PullView {
    /// When a read of everything came to its end last.
    pub last_read: Option<Time>,
    /// When a complete one did.
    pub last_full_read: Option<Time>,
    /// When the next read is due.
    pub next_read: Option<Time>,
    /// When the next complete one is due.
    pub next_full_read: Option<Time>,
    /// How many reads failed since one came to its end.
    pub failures: u32,
    /// Since when the source is in trouble, and why; nothing when it is well. Nobody ends because of it.
    pub degraded: Option<DegradedView>,
}

/// Since when a source is in trouble, and why.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DegradedView {
    /// Since when.
    pub since: Time,
    /// A stable word for programs, such as `unauthorised` or `unavailable`.
    pub kind: String,
    /// Why, for people.
    pub reason: String,
}

impl From<PullStateRow> for PullView {
    fn from(row: PullStateRow) -> Self {
        Self {
            last_read: row.last_read.map(Time),
            last_full_read: row.last_full.map(Time),
            next_read: row.next.map(Time),
            next_full_read: row.full.map(Time),
            failures: row.failures,
            degraded: row.degraded.map(|degraded| DegradedView {
                since: degraded.since.into(),
                kind: degraded.kind,
                reason: degraded.reason,
            }),
        }
    }
}

/// One read of a source.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PullRunView {
    /// The id.
    pub id: Uuid,
    /// The source.
    pub source: String,
    /// What it is about: everything, some groups, one person.
    #[schema(value_type = words::PullScope)]
    pub scope: PullScope,
    /// The groups or the person, by the provider's ids.
    pub targets: Vec<String>,
    /// Whether it is complete, and not of what changed alone.
    pub full: bool,
    /// How far it is.
    #[schema(value_type = words::PullRunState)]
    pub state: PullRunState,
    /// Why it was asked for.
    #[schema(value_type = words::PullCause)]
    pub cause: PullCause,
    /// Who asked for it.
    pub actor: Option<String>,
    /// When it was asked for.
    pub asked: Time,
    /// When it is to start.
    pub due: Time,
    /// When it started.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// What it saw and changed so far.
    pub counts: CountsView,
    /// What it could not see, and why: nobody ends because of it.
    pub not_seen: Vec<NotSeenView>,
    /// Why it failed.
    pub error: Option<RunErrorView>,
}

/// What a read saw and changed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct CountsView {
    /// Groups seen.
    pub groups: i64,
    /// Users seen, in each group anew.
    pub users: i64,
    /// Members seen.
    pub members: i64,
    /// Users who were new or changed.
    pub users_changed: i64,
    /// Members who came.
    pub added: i64,
    /// Members who went.
    pub removed: i64,
    /// Members whose coming or going has to be seen twice.
    pub doubted: i64,
}

/// What could not be seen, and why.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotSeenView {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// Why a read failed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunErrorView {
    /// A stable word for programs.
    pub kind: String,
    /// For people.
    pub reason: String,
}

impl From<PullCounts> for CountsView {
    fn from(counts: PullCounts) -> Self {
        Self {
            groups: counts.groups,
            users: counts.users,
            members: counts.members,
            users_changed: counts.users_changed,
            added: counts.added,
            removed: counts.removed,
            doubted: counts.doubted,
        }
    }
}

/// Runs with the names of their sources.
///
/// # Errors
/// What the database says.
pub async fn runs(tx: &mut Tx<'_>, rows: Vec<PullRunRow>) -> Result<Vec<PullRunView>, StorageError> {
    let sources = name::sources(tx).await?;
    let views = rows.into_iter().map(|row| {
        let not_seen: Vec<(String, String)> = serde_json::from_str(&row.not_seen).unwrap_or_default();
        PullRunView {
            id: row.id.into(),
            source: sources.get(&row.source).cloned().unwrap_or_default(),
            scope: row.scope,
            targets: match row.scope {
                PullScope::All => Vec::new(),
                PullScope::Groups => serde_json::from_str(&row.target).unwrap_or_default(),
                PullScope::Person => vec![row.target],
            },
            full: row.full,
            state: row.state,
            cause: row.cause,
            actor: row.actor,
            asked: row.asked.into(),
            due: row.due.into(),
            started: row.started.map(Time),
            ended: row.ended.map(Time),
            counts: row.counts.into(),
            not_seen: not_seen
                .into_iter()
                .map(|(what, reason)| NotSeenView { what, reason })
                .collect(),
            error: row.error.map(|(kind, reason)| RunErrorView { kind, reason }),
        }
    });
    Ok(views.collect())
}

/// One run with the name of its source.
///
/// # Errors
/// What the database says.
pub async fn run(tx: &mut Tx<'_>, row: PullRunRow) -> Result<PullRunView, StorageError> {
    let mut views = runs(tx, vec![row]).await?;
    Ok(views.pop().expect("there is a view for each row"))
}

/// A group as its provider shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RemoteGroupView {
    /// The immutable id: what an order or a mapping names.
    pub id: String,
    /// The name.
    pub display_name: String,
    /// The provider's word for the kind of group.
    pub kind: String,
    /// How many members it has, where the provider tells.
    pub members: Option<u64>,
    /// How many of them are guests, where the provider tells.
    pub guests: Option<u64>,
    /// How many groups are members of it, where the provider tells.
    pub nested_groups: Option<u64>,
    /// Whether it is assigned to the application, where the provider tells.
    pub assigned: Option<bool>,
}

impl From<GroupSummary> for RemoteGroupView {
    fn from(group: GroupSummary) -> Self {
        Self {
            id: group.id.to_string(),
            display_name: group.display_name,
            kind: group.kind,
            members: group.members,
            guests: group.guests,
            nested_groups: group.nested_groups,
            assigned: group.assigned,
        }
    }
}

/// What a source says of a group just now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceSaysView {
    /// When it was asked.
    pub asked: Time,
    /// The group, when there is one and only one.
    pub group: Option<RemoteGroupView>,
    /// What to know before going on, in a sentence each.
    pub warnings: Vec<String>,
}

impl From<SourceSays> for SourceSaysView {
    fn from(says: SourceSays) -> Self {
        Self {
            asked: says.asked.into(),
            group: says.group.map(RemoteGroupView::from),
            warnings: says.warnings,
        }
    }
}

/// What a check of a source found.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckView {
    /// The source.
    pub source: String,
    /// Whether everything that is needed works.
    pub good: bool,
    /// The provider's tenant or organisation that answered.
    pub tenant: Option<String>,
    /// Each permission that is needed.
    pub permissions: Vec<PermissionView>,
    /// What the customer sets up at the provider, step by step.
    pub guidance: Vec<String>,
    /// Why the source is not read though the connection works.
    pub refusal: Option<String>,
}

/// A permission at the provider, and how it was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct PermissionView {
    /// The provider's own name of it: what to grant.
    pub name: String,
    /// What it is used for.
    pub why: String,
    /// `works`, `missing` or `unknown`.
    pub state: &'static str,
    /// What does not work without it, or why it could not be found out.
    pub detail: Option<String>,
}

impl CheckView {
    /// What a check of a source found.
    pub(crate) fn new(source: String, checked: Checked) -> Self {
        let report = checked.report;
        let permissions: Vec<PermissionView> = report
            .permissions
            .into_iter()
            .map(|check| {
                let (state, detail) = match check.state {
                    PermissionState::Works => ("works", None),
                    PermissionState::Missing(detail) => ("missing", Some(detail)),
                    PermissionState::Unknown(detail) => ("unknown", Some(detail)),
                };
                PermissionView {
                    name: check.permission.name,
                    why: check.permission.why,
                    state,
                    detail,
                }
            })
            .collect();
        Self {
            source,
            good: checked.refusal.is_none() && permissions.iter().all(|one| one.state == "works"),
            tenant: report.tenant,
            permissions,
            guidance: report.guidance,
            refusal: checked.refusal.map(|error| error.to_string()),
        }
    }
}

/// Where what was pushed, what was read and what is in effect differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftView {
    /// What differs: `missing_push`, `stale_push`, `inactive_side`, `not_joined`, `override` or `unreachable`.
    pub kind: String,
    /// The group.
    pub group: Option<Uuid>,
    /// The group's name.
    pub group_name: Option<String>,
    /// The account.
    pub user: Option<Uuid>,
    /// The account's name.
    pub user_name: Option<String>,
    /// The provider's id of the account.
    pub remote_id: Option<String>,
    /// The room, for an override.
    pub room: Option<Uuid>,
    /// What was pushed.
    pub pushed: Option<SaidView>,
    /// What was read.
    pub read: Option<SaidView>,
    /// Whether people are let in because of it or kept out.
    pub in_effect: Option<bool>,
    /// What to do.
    pub next: String,
}

/// What one side said, and since when.
#[derive(Debug, Serialize, ToSchema)]
pub struct SaidView {
    /// What it said, in a word.
    pub what: String,
    /// Since when, where it is known.
    pub at: Option<Time>,
}

impl From<Said> for SaidView {
    fn from(said: Said) -> Self {
        Self {
            what: said.what,
            at: said.at.map(Time),
        }
    }
}

impl From<Drift> for DriftView {
    fn from(drift: Drift) -> Self {
        Self {
            kind: word(drift.kind).to_owned(),
            group: drift.group.map(Into::into),
            group_name: drift.group_name,
            user: drift.user.map(Into::into),
            user_name: drift.user_name,
            remote_id: drift.remote_id,
            room: drift.room.map(Into::into),
            pushed: drift.pushed.map(SaidView::from),
            read: drift.read.map(SaidView::from),
            in_effect: drift.in_effect,
            next: drift.next,
        }
    }
}

const fn word(kind: Difference) -> &'static str {
    match kind {
        Difference::MissingPush => "missing_push",
        Difference::StalePush => "stale_push",
        Difference::InactiveSide => "inactive_side",
        Difference::NotJoined => "not_joined",
        Difference::Override => "override",
        Difference::Unreachable => "unreachable",
    }
}
