//! Restores.

use serde::Serialize;
use usher_core::RestoreState;
use usher_engine::restore::{Candidate, EndedBy, LevelPlan, RestorePlan, Suggestion};
use usher_storage::query::restore::RestoreRow;
use usher_storage::{StorageError, Tx};
use utoipa::ToSchema;
use uuid::Uuid;

use super::membership::room_names;
use super::{FreshnessView, GrantView, MembershipView, PeriodView, PersonName, RoomName, memberships, names};
use crate::api::words::{self, Time};

/// The restoring of one membership in place of another: suggested, done, undone or closed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoreView {
    /// The id.
    pub id: Uuid,
    /// The room.
    pub room: RoomName,
    /// Who is back.
    pub person: PersonName,
    /// How far it is.
    #[schema(value_type = words::RestoreState)]
    pub state: RestoreState,
    /// The membership that the return began.
    pub present: Uuid,
    /// The membership that was restored.
    pub former: Option<Uuid>,
    /// When it was suggested.
    pub opened: Time,
    /// When it was applied, undone or closed.
    pub closed: Option<Time>,
    /// Why it was closed.
    pub closing_reason: Option<String>,
    /// Rises with every change.
    pub version: i64,
}

/// Restores with the names of rooms and people.
///
/// # Errors
/// What the database says.
pub async fn restores(tx: &mut Tx<'_>, rows: Vec<RestoreRow>) -> Result<Vec<RestoreView>, StorageError> {
    let people = names(tx, rows.iter().map(|row| row.person)).await?;
    let rooms = room_names(tx, rows.iter().map(|row| row.room)).await?;
    Ok(rows
        .into_iter()
        .map(|row| RestoreView {
            id: row.id.into(),
            room: RoomName {
                id: row.room.into(),
                name: rooms.get(&row.room).cloned().unwrap_or_default(),
            },
            person: people.get(row.person),
            state: row.state,
            present: row.present.into(),
            former: row.former.map(Into::into),
            opened: row.opened.into(),
            closed: row.closed.map(Time),
            closing_reason: row.closing_reason,
            version: row.version,
        })
        .collect())
}

/// A restore with what may be restored, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoreDetails {
    /// The restore.
    #[serde(flatten)]
    pub restore: RestoreView,
    /// What may be restored, best first.
    pub candidates: Vec<CandidateView>,
    /// The one to take, unless two are so close that a human has to choose.
    pub best: Option<Uuid>,
}

/// A former membership that may be restored.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandidateView {
    /// The membership.
    #[serde(flatten)]
    pub membership: MembershipView,
    /// Whether it is of the same person, and not of somebody who may be the same.
    pub same_identity: bool,
    /// Who ended it: `source`, `hand` or `swap`.
    pub ended_by: &'static str,
    /// Its periods, oldest first.
    pub periods: Vec<PeriodView>,
    /// What hangs on it.
    pub grants: Vec<GrantView>,
}

/// A suggestion with its names.
///
/// # Errors
/// What the database says.
pub async fn suggestion(tx: &mut Tx<'_>, told: Suggestion) -> Result<RestoreDetails, StorageError> {
    let mut views = restores(tx, vec![told.restore]).await?;
    let mut candidates = Vec::with_capacity(told.candidates.len());
    for one in told.candidates {
        candidates.push(candidate(tx, one).await?);
    }
    Ok(RestoreDetails {
        restore: views.pop().expect("there is a view for each row"),
        candidates,
        best: told.best.map(Into::into),
    })
}

async fn candidate(tx: &mut Tx<'_>, told: Candidate) -> Result<CandidateView, StorageError> {
    let mut views = memberships(tx, vec![told.membership]).await?;
    Ok(CandidateView {
        membership: views.pop().expect("there is a view for each row"),
        same_identity: told.same_identity,
        ended_by: match told.ended_by {
            EndedBy::Source => "source",
            EndedBy::Hand => "hand",
            EndedBy::Swap => "swap",
        },
        periods: told.periods.into_iter().map(PeriodView::from).collect(),
        grants: told.grants.into_iter().map(GrantView::from).collect(),
    })
}

/// What a restore would do, and the digest with which exactly this is applied.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestorePlanView {
    /// The restore.
    pub restore: Uuid,
    /// The membership that would end.
    pub present: MembershipView,
    /// The membership that would be in force again, with what it brings back.
    pub candidate: CandidateView,
    /// What the person gained since they are back: moved along unless dropped.
    pub gained: Vec<GrantView>,
    /// What becomes of the level.
    pub level: LevelPlanView,
    /// Why it would be refused now; nothing when it may be applied.
    pub refusal: Option<RefusalView>,
    /// How fresh the sources' knowledge is that this rests on.
    pub freshness: Vec<FreshnessView>,
    /// What to apply.
    pub digest: String,
}

/// What becomes of the level.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelPlanView {
    /// The level of the present membership.
    pub present: String,
    /// The level of the former membership.
    pub former: String,
    /// Whether the former level may still be given. If not, one has to be chosen.
    pub valid: bool,
    /// Whether the former level is above the present one and has to be confirmed.
    pub above: bool,
    /// The levels that may be chosen, lowest first.
    pub choices: Vec<String>,
}

impl From<LevelPlan> for LevelPlanView {
    fn from(plan: LevelPlan) -> Self {
        Self {
            present: plan.present,
            former: plan.former,
            valid: plan.valid,
            above: plan.above,
            choices: plan.choices,
        }
    }
}

/// Why something would be refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalView {
    /// A stable word for programs.
    pub code: &'static str,
    /// What would be refused and why.
    pub message: String,
    /// What to do next.
    pub next: String,
}

/// A plan with its names.
///
/// # Errors
/// What the database says.
pub async fn restore_plan(tx: &mut Tx<'_>, plan: RestorePlan) -> Result<RestorePlanView, StorageError> {
    let mut present = memberships(tx, vec![plan.present]).await?;
    Ok(RestorePlanView {
        restore: plan.restore.into(),
        present: present.pop().expect("there is a view for each row"),
        candidate: candidate(tx, plan.candidate).await?,
        gained: plan.gained.into_iter().map(GrantView::from).collect(),
        level: plan.level.into(),
        refusal: plan.refusal.map(|refusal| RefusalView {
            code: refusal.code,
            message: refusal.message,
            next: refusal.next,
        }),
        freshness: plan.freshness.into_iter().map(FreshnessView::from).collect(),
        digest: plan.digest,
    })
}
