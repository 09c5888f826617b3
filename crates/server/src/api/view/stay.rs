//! What was and why: stays with their history, explanations, grants.

use serde::Serialize;
use usher_core::{PersonId, Stray};
use usher_engine::explain::Explanation;
use usher_engine::ground::{Freshness, Ground, Standing};
use usher_engine::history::{Stay, StrayMember};
use usher_engine::{Decision, Door};
use usher_storage::query::grant::GrantRow;
use usher_storage::query::history::LevelChangeRow;
use usher_storage::{StorageError, Tx};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CloudEvent, MembershipView, PeriodView, PersonName, RoomName, memberships};
use crate::api::words::{self, Time};

/// One stay with its history.
#[derive(Debug, Serialize, ToSchema)]
pub struct StayView {
    /// The membership as it is now.
    #[serde(flatten)]
    pub membership: MembershipView,
    /// Its periods, oldest first.
    pub periods: Vec<PeriodView>,
    /// The levels that it was given after its start, oldest first.
    pub levels: Vec<LevelChangeView>,
}

/// A level that was given after the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelChangeView {
    /// When.
    pub at: Time,
    /// The level before.
    pub before: String,
    /// The level since.
    pub level: String,
    /// The unit of work.
    pub change: Uuid,
}

impl From<LevelChangeRow> for LevelChangeView {
    fn from(row: LevelChangeRow) -> Self {
        Self {
            at: row.at.into(),
            before: row.before,
            level: row.level,
            change: row.change.into(),
        }
    }
}

/// Stays with their names.
///
/// # Errors
/// What the database says.
pub async fn stays(tx: &mut Tx<'_>, stays: Vec<Stay>) -> Result<Vec<StayView>, StorageError> {
    let rows = stays.iter().map(|stay| stay.membership.clone()).collect();
    let views = memberships(tx, rows).await?;
    Ok(views
        .into_iter()
        .zip(stays)
        .map(|(membership, stay)| StayView {
            membership,
            periods: stay.periods.into_iter().map(PeriodView::from).collect(),
            levels: stay.levels.into_iter().map(LevelChangeView::from).collect(),
        })
        .collect())
}

/// A membership that no group asks for, and that stays.
#[derive(Debug, Serialize, ToSchema)]
pub struct StrayView {
    /// The membership.
    pub membership: Uuid,
    /// Who.
    pub person: PersonName,
    /// The room.
    pub room: RoomName,
    /// The level.
    pub level: String,
    /// Why it stays.
    #[schema(value_type = words::Stray)]
    pub cause: Stray,
    /// Since when; for a frozen source, when it wrote last.
    pub since: Option<Time>,
    /// The hold that its ending is in.
    pub hold: Option<Uuid>,
}

impl From<StrayMember> for StrayView {
    fn from(stray: StrayMember) -> Self {
        Self {
            membership: stray.membership.id.into(),
            person: stray.person.into(),
            room: RoomName {
                id: stray.room.id.into(),
                name: stray.room.name,
            },
            level: stray.membership.level,
            cause: stray.cause,
            since: stray.since.map(Time),
            hold: stray.membership.hold.map(Into::into),
        }
    }
}

/// Something in a room that hangs on a membership.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantView {
    /// The id.
    pub id: Uuid,
    /// The membership that it hangs on.
    pub membership: Uuid,
    /// What it is, in the portal's words.
    pub kind: String,
    /// The portal's name for it.
    pub reference: String,
    /// What people see.
    pub label: String,
    /// The membership that it hung on before it was moved.
    pub moved_from: Option<Uuid>,
    /// When it was written.
    pub created: Time,
    /// When it was dropped.
    pub dropped: Option<Time>,
    /// Rises with every change.
    pub version: i64,
}

impl From<GrantRow> for GrantView {
    fn from(row: GrantRow) -> Self {
        Self {
            id: row.id.into(),
            membership: row.membership.into(),
            kind: row.kind,
            reference: row.reference,
            label: row.label,
            moved_from: row.moved_from.map(Into::into),
            created: row.created.into(),
            dropped: row.dropped.map(Time),
            version: row.version,
        }
    }
}

/// All that there is to say about one person in one room.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationView {
    /// The room.
    pub room: RoomName,
    /// The person.
    pub person: PersonName,
    /// Who may be the same person.
    pub may_be: Vec<PersonName>,
    /// What it comes to.
    pub summary: String,
    /// What to do to change it.
    pub next: String,
    /// Whether a group asks for the person in the room.
    pub desired: bool,
    /// The decision that follows now: `nothing`, `frozen`, `keep`, `release`, `override`, `start`, `park`, `end`,
    /// `hold` or `keep_last_administrator`.
    pub decision: &'static str,
    /// Why the decision is so, where a word says it.
    pub decision_reason: Option<String>,
    /// What is in force.
    pub membership: Option<MembershipView>,
    /// Since when the person waits at the door.
    pub parked_since: Option<Time>,
    /// Each mapping of the room against each account of the person.
    pub grounds: Vec<GroundView>,
    /// Groups of the person that lead to other rooms.
    pub elsewhere: Vec<ElsewhereView>,
    /// How fresh the sources' knowledge is.
    pub freshness: Vec<FreshnessView>,
    /// What the unit of work told that last began or ended a membership of the person here.
    pub events: Vec<CloudEvent>,
}

/// One mapping as it stands to one account.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroundView {
    /// The mapping.
    pub mapping: Uuid,
    /// The source.
    pub source: String,
    /// The group.
    pub group: String,
    /// The account's `userName`.
    pub user_name: Option<String>,
    /// Whether it counts, and if not, why: `counts`, `dormant`, `out_of_scope`, `account_inactive`, `not_in_group`,
    /// `account_gone`, `no_account`, `group_gone`, `group_unknown` or `mapping_pending`.
    pub standing: &'static str,
}

/// A group that leads to another room.
#[derive(Debug, Serialize, ToSchema)]
pub struct ElsewhereView {
    /// The room's name.
    pub room: String,
    /// The group's name.
    pub group: String,
}

/// How fresh the knowledge of a source is. A push source is only as fresh as its last word.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreshnessView {
    /// The source.
    pub source: String,
    /// Push, pull or both.
    pub mode: String,
    /// Whether the source is listened to.
    pub state: String,
    /// When it wrote anything last.
    pub last_write: Option<Time>,
    /// When it changed the person's account last.
    pub account_changed: Option<Time>,
    /// When it changed a group that leads to the room last.
    pub group_changed: Option<Time>,
    /// When it was asked about the person on the spot; only a source that is read can be.
    pub asked: Option<Time>,
    /// Why it did not answer then.
    pub unreachable: Option<String>,
}

impl From<Freshness> for FreshnessView {
    fn from(freshness: Freshness) -> Self {
        Self {
            source: freshness.source,
            mode: freshness.mode,
            state: freshness.state,
            last_write: freshness.last_write.map(Time),
            account_changed: freshness.account_changed.map(Time),
            group_changed: freshness.group_changed.map(Time),
            asked: freshness.asked.map(Time),
            unreachable: freshness.unreachable,
        }
    }
}

impl From<Ground> for GroundView {
    fn from(ground: Ground) -> Self {
        Self {
            mapping: ground.mapping.into(),
            source: ground.source,
            group: ground.group,
            user_name: ground.user_name,
            standing: match ground.standing {
                Standing::Counts => "counts",
                Standing::Dormant => "dormant",
                Standing::Unassigned => "unassigned",
                Standing::OutOfScope => "out_of_scope",
                Standing::AccountInactive => "account_inactive",
                Standing::NotInGroup => "not_in_group",
                Standing::AccountGone => "account_gone",
                Standing::NoAccount => "no_account",
                Standing::GroupGone => "group_gone",
                Standing::GroupUnknown => "group_unknown",
                Standing::MappingPending => "mapping_pending",
            },
        }
    }
}

/// Explanations with their names.
///
/// # Errors
/// What the database says.
pub async fn explanation(tx: &mut Tx<'_>, told: Explanation) -> Result<ExplanationView, StorageError> {
    let membership = memberships(tx, told.effective.into_iter().collect()).await?.pop();
    let (decision, decision_reason) = decision(&told.decision);
    Ok(ExplanationView {
        room: RoomName {
            id: told.room.id.into(),
            name: told.room.name,
        },
        person: told.person.into(),
        may_be: told.similar.into_iter().map(PersonName::from).collect(),
        summary: told.summary,
        next: told.next,
        desired: told.desired,
        decision,
        decision_reason,
        membership,
        parked_since: told.parked.map(|parked| parked.since.into()),
        grounds: told.grounds.grounds.into_iter().map(GroundView::from).collect(),
        elsewhere: told
            .grounds
            .elsewhere
            .into_iter()
            .map(|(room, group)| ElsewhereView { room, group })
            .collect(),
        freshness: told
            .grounds
            .freshness
            .into_iter()
            .map(FreshnessView::from)
            .collect(),
        events: told.events.into_iter().map(CloudEvent::from).collect(),
    })
}

fn decision(decision: &Decision) -> (&'static str, Option<String>) {
    match decision {
        Decision::Nothing => ("nothing", None),
        Decision::Frozen => ("frozen", None),
        Decision::Keep => ("keep", None),
        Decision::Release => ("release", None),
        Decision::Override => ("override", None),
        Decision::Start(desired) => ("start", Some(desired.level.clone())),
        Decision::Park(door) => ("park", Some(door_word(door))),
        Decision::End(reason) => ("end", Some(reason.to_string())),
        Decision::Hold(reason) => ("hold", Some(reason.to_string())),
        Decision::KeepLastAdministrator => ("keep_last_administrator", None),
    }
}

fn door_word(door: &Door) -> String {
    let other = |id: &PersonId| format!("same_address as {id}");
    match door {
        Door::SameAddress(id) => other(id),
        _ => "beyond_expected".to_owned(),
    }
}
