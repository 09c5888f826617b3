//! What a restore would do, shown before it is done; and doing exactly that.

use std::collections::BTreeSet;

use serde_json::json;
use sha2::{Digest, Sha256};
use usher_core::{GrantId, MembershipId, RestoreId, RestoreState, Timestamp};
use usher_storage::query::grant::GrantRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::{Tx, query};

use super::candidates::Candidate;
use super::swap::{Swap, swap};
use super::{Suggestion, suggestion};
use crate::ground::{Freshness, grounds};
use crate::policy::Policy;
use crate::settle::facts::{Suppose, desired};
use crate::unit::Unit;
use crate::{Desired, EngineError, Refusal, level};

/// What a restore would do.
#[derive(Debug, Clone)]
pub struct RestorePlan {
    /// The restore.
    pub restore: RestoreId,
    /// The membership that would end, empty-handed or not.
    pub present: MembershipRow,
    /// The membership that would be in force again, with what it brings back.
    pub candidate: Candidate,
    /// What the person gained since they are back: moved along unless dropped.
    pub gained: Vec<GrantRow>,
    /// The level.
    pub level: LevelPlan,
    /// Why it would be refused now; nothing when it may be applied.
    pub refusal: Option<Refusal>,
    /// How fresh the sources' knowledge is that this rests on.
    pub freshness: Vec<Freshness>,
    /// Names this very plan.
    pub digest: String,
}

/// What becomes of the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelPlan {
    /// The level of the present membership.
    pub present: String,
    /// The level of the former membership.
    pub former: String,
    /// Whether the former level may still be given to a member of this room. If not, one has to be chosen.
    pub valid: bool,
    /// Whether the former level is above the present one and has to be confirmed.
    pub above: bool,
    /// The levels that may be chosen, lowest first.
    pub choices: Vec<String>,
}

/// What a human chose of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Another level than the former one.
    pub level: Option<String>,
    /// Yes to a level above the present one.
    pub confirm_level: bool,
    /// Grants, of either membership, that are not kept.
    pub drop: BTreeSet<GrantId>,
}

/// Shows what restoring a candidate would do at this moment; the best candidate where none is named. What a source that
/// is read said counts only while it is fresh: ask it first, by [`Engine::questions`](crate::Engine::questions).
///
/// # Errors
/// [`EngineError::NotFound`]; refused when the restore is over, when two candidates are so close that one has to
/// be named, and when the one named is none.
pub async fn plan(
    tx: &mut Tx<'_>,
    policy: &Policy,
    now: Timestamp,
    id: RestoreId,
    candidate: Option<MembershipId>,
) -> Result<RestorePlan, EngineError> {
    let suggestion = suggestion(tx, id).await?;
    if suggestion.restore.state != RestoreState::Suggested {
        let reason = suggestion.restore.closing_reason.clone().unwrap_or_default();
        return Err(EngineError::refused(
            "restore_over",
            format!(
                "the restore is {}{}{reason}",
                suggestion.restore.state,
                if reason.is_empty() { "" } else { ": " },
            ),
            "ask for a new suggestion if the person is in the room",
        ));
    }
    let Some(chosen) = candidate.or(suggestion.best) else {
        return Err(EngineError::refused(
            "candidate_not_chosen",
            "several former memberships are equally likely",
            "look at the candidates and name one",
        ));
    };
    let Some(candidate) = suggestion
        .candidates
        .iter()
        .find(|candidate| candidate.membership.id == chosen)
        .cloned()
    else {
        return Err(EngineError::refused(
            "not_a_candidate",
            format!("membership '{chosen}' is no former membership of this person in this room"),
            "name one of the restore's candidates",
        ));
    };
    let gained = query::grant::of_memberships(tx, [suggestion.present.id], false).await?;
    let grounds = grounds(tx, suggestion.room.id, suggestion.person.id).await?;
    let level = level_plan(policy, &suggestion, &candidate);
    let desired = desired(
        tx,
        policy,
        &Suppose::default(),
        &[suggestion.room.id],
        &[suggestion.person.id],
    )
    .await?
    .remove(&(suggestion.room.id, suggestion.person.id));
    let digest = digest(&suggestion, &candidate, &gained, desired.as_ref());
    Ok(RestorePlan {
        restore: id,
        refusal: if suggestion.room.state == usher_core::RoomState::Archived {
            Some(Refusal {
                code: "room_archived",
                message: format!(
                    "room '{}' is archived and nothing in it changes",
                    suggestion.room.name
                ),
                next: "reopen the room first".to_owned(),
            })
        } else if desired.is_none() {
            grounds.refusal()
        } else {
            grounds.stale(now).or_else(|| grounds.doubt())
        },
        present: suggestion.present,
        candidate,
        gained,
        level,
        freshness: grounds.freshness,
        digest,
    })
}

impl Unit<'_, '_> {
    /// Restores a candidate, exactly as the plan with this digest showed it. The present membership ends as
    /// superseded, and the former one gets a new period as a managed membership of the person's present
    /// identity and mapping: sync can end it.
    ///
    /// # Errors
    /// Refused, with the next step, unless the person is desired in the room in this very unit, and when the
    /// level has to be chosen or confirmed; [`EngineError::PlanChanged`] when something moved since.
    pub async fn apply_restore(
        &mut self,
        id: RestoreId,
        candidate: MembershipId,
        choices: &Choices,
        digest: &str,
    ) -> Result<MembershipRow, EngineError> {
        let policy = std::sync::Arc::clone(&self.policy);
        let suggested = query::restore::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("restore", id))?;
        self.usable_room(suggested.room).await?;
        let plan = plan(self.tx, &policy, self.now, id, Some(candidate)).await?;
        if let Some(refusal) = plan.refusal {
            return Err(EngineError::Refused(Box::new(refusal)));
        }
        if plan.digest != digest {
            return Err(EngineError::PlanChanged { digest: plan.digest });
        }
        let pair = (plan.present.room, plan.present.person);
        let wanted = desired(self.tx, &policy, &Suppose::default(), &[pair.0], &[pair.1])
            .await?
            .remove(&pair)
            .expect("a plan without a refusal is of somebody desired");
        let asked = plan.freshness.iter().filter_map(|known| {
            let at = known.asked.filter(|_| known.unreachable.is_none())?;
            Some((known.source.clone(), self.now.since(at).as_secs()))
        });
        let asked = asked.collect();
        let level = chosen_level(&policy, &plan.level, choices)?;
        if plan.present.administrator && !policy.levels.is_administrator(&level) {
            self.refuse_last_administrator(&plan.present).await?;
        }
        let (moved, dropped) = sort_grants(&plan.candidate.grants, &plan.gained, &choices.drop)?;
        swap(
            self,
            vec![Swap {
                restore: suggested,
                present: plan.present,
                former: plan.candidate.membership,
                level,
                desired: wanted,
                moved,
                dropped,
                asked,
                suggested: true,
            }],
        )
        .await?;
        self.touch(pair.0, pair.1);
        query::membership::by_id(self.tx, candidate)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", candidate))
    }
}

fn level_plan(policy: &Policy, suggestion: &Suggestion, candidate: &Candidate) -> LevelPlan {
    let (present, former) = (&suggestion.present.level, &candidate.membership.level);
    let kind = usher_core::MembershipKind::Managed;
    let choices: Vec<String> = policy
        .levels
        .iter()
        .filter(|level| level::fits(&policy.levels, &level.key, suggestion.room.model, kind))
        .map(|level| level.key.clone())
        .collect();
    LevelPlan {
        valid: choices.contains(former),
        above: level::is_above(&policy.levels, former, present),
        present: present.clone(),
        former: former.clone(),
        choices,
    }
}

fn chosen_level(policy: &Policy, plan: &LevelPlan, choices: &Choices) -> Result<String, EngineError> {
    let level = choices.level.as_ref().unwrap_or(&plan.former);
    if !plan.choices.contains(level) {
        return Err(EngineError::refused(
            "level_invalid",
            format!("level '{level}' cannot be given to a member of this room any more"),
            format!("choose one of {}", plan.choices.join(", ")),
        ));
    }
    if level::is_above(&policy.levels, level, &plan.present) && !choices.confirm_level {
        return Err(EngineError::refused(
            "level_not_confirmed",
            format!("level '{level}' is above the present level '{}'", plan.present),
            "confirm the level explicitly, or choose a lower one",
        ));
    }
    Ok(level.clone())
}

/// What goes along and what is dropped. A thing that both memberships have is kept once.
fn sort_grants(
    former: &[GrantRow],
    gained: &[GrantRow],
    drop: &BTreeSet<GrantId>,
) -> Result<(Vec<GrantId>, Vec<GrantId>), EngineError> {
    let known: BTreeSet<GrantId> = former.iter().chain(gained).map(|grant| grant.id).collect();
    if let Some(stranger) = drop.difference(&known).next() {
        return Err(EngineError::invalid(
            "drop",
            format!(
                "grant '{stranger}' is in neither membership of the plan; name grants that the plan shows"
            ),
        ));
    }
    let kept: BTreeSet<(&str, &str)> = former
        .iter()
        .filter(|grant| !drop.contains(&grant.id))
        .map(|grant| (grant.kind.as_str(), grant.reference.as_str()))
        .collect();
    let mut dropped: Vec<GrantId> = drop.iter().copied().collect();
    let mut moved = Vec::new();
    for grant in gained.iter().filter(|grant| !drop.contains(&grant.id)) {
        if kept.contains(&(grant.kind.as_str(), grant.reference.as_str())) {
            dropped.push(grant.id);
        } else {
            moved.push(grant.id);
        }
    }
    Ok((moved, dropped))
}

/// Everything that a human saw and that may change. Two plans with one digest do the same.
fn digest(
    suggestion: &Suggestion,
    candidate: &Candidate,
    gained: &[GrantRow],
    desired: Option<&Desired>,
) -> String {
    let of_grants = |grants: &[GrantRow]| {
        grants
            .iter()
            .map(|grant| json!([grant.id, grant.version]))
            .collect::<Vec<_>>()
    };
    let seen = json!([
        suggestion.restore.id,
        suggestion.present.id,
        suggestion.present.version,
        candidate.membership.id,
        candidate.membership.version,
        of_grants(&candidate.grants),
        of_grants(gained),
        desired.map(|desired| json!([desired.mapping, desired.user])),
    ]);
    hex(&Sha256::digest(seen.to_string()))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text takes everything");
        text
    })
}
