//! Plans that reach over many rooms: changed rules, and a retired source.

use std::collections::BTreeMap;

use serde::Serialize;
use usher_core::SourceState;
use usher_engine::policy_plan::PolicyPlan;
use usher_engine::source::RetirePlan;
use utoipa::ToSchema;

use super::RoomName;
use super::plan::{TallyView, tallies};
use crate::api::words;

/// What proposed rules would do, and the digest with which exactly this is confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyPlanView {
    /// What changes, in words such as `domains`.
    pub changes: Vec<String>,
    /// Accounts that come into scope.
    pub into_scope: u64,
    /// Accounts that fall out of scope.
    pub out_of_scope: u64,
    /// What would happen to whom.
    pub people: Vec<TallyView>,
    /// Active memberships at levels that would no longer exist, by level.
    pub invalid_levels: BTreeMap<String, i64>,
    /// What to confirm.
    pub digest: String,
}

impl From<PolicyPlan> for PolicyPlanView {
    fn from(plan: PolicyPlan) -> Self {
        Self {
            changes: plan.changes,
            into_scope: plan.into_scope,
            out_of_scope: plan.out_of_scope,
            people: tallies(&plan.people),
            invalid_levels: plan.invalid_levels,
            digest: plan.digest,
        }
    }
}

/// What retiring a source would do, and the digest with which exactly this is confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetirePlanView {
    /// The source.
    pub source: String,
    /// Its state now.
    #[schema(value_type = words::SourceState)]
    pub state: SourceState,
    /// How many mappings would be retired.
    pub mappings: u64,
    /// How many rooms it leads people to.
    pub rooms: u64,
    /// How many memberships would end, over all rooms.
    pub leaves: u64,
    /// The first of the rooms, with what would happen in each.
    pub first: Vec<RoomPlanView>,
    /// What to confirm.
    pub digest: String,
}

/// What would happen in one room.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomPlanView {
    /// The room.
    pub room: RoomName,
    /// What would happen to whom.
    pub people: Vec<TallyView>,
}

impl From<RetirePlan> for RetirePlanView {
    fn from(plan: RetirePlan) -> Self {
        Self {
            source: plan.source,
            state: plan.state,
            mappings: plan.mappings,
            rooms: plan.rooms,
            leaves: plan.leaves,
            first: plan
                .first
                .into_iter()
                .map(|room| RoomPlanView {
                    room: RoomName {
                        id: room.room.into(),
                        name: room.name,
                    },
                    people: tallies(&room.people),
                })
                .collect(),
            digest: plan.digest,
        }
    }
}
