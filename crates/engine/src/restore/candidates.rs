//! What may be restored, and which of it is most likely meant.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use usher_core::{EndReason, MembershipId, Timestamp};
use usher_storage::query::grant::GrantRow;
use usher_storage::query::membership::{MembershipRow, PeriodRow};
use usher_storage::{Tx, query};

use crate::EngineError;

/// Two endings nearer to each other than this are not told apart by the times that a human remembers.
const CLOSE: Duration = Duration::from_secs(24 * 3600);

/// Who ended a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The source: the person, the account or the group went.
    Source,
    /// A human, or a date that a human set.
    Hand,
    /// Another membership took its place.
    Swap,
}

impl From<EndReason> for EndedBy {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Removed
            | EndReason::GroupDeleted
            | EndReason::AccountInactive
            | EndReason::AccountGone
            | EndReason::OutOfScope => Self::Source,
            EndReason::MappingRetired
            | EndReason::SourceRetired
            | EndReason::ByHand
            | EndReason::Expired
            | EndReason::RestoreUndone
            | EndReason::SetUpDone => Self::Hand,
            EndReason::Superseded | EndReason::MadeManual => Self::Swap,
        }
    }
}

/// A former membership that may be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The membership.
    pub membership: MembershipRow,
    /// Whether it is of the same person, and not of somebody who may be the same.
    pub same_identity: bool,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// Its periods.
    pub periods: Vec<PeriodRow>,
    /// What hangs on it.
    pub grants: Vec<GrantRow>,
    /// How far its ending is from the times given; nothing where none were.
    pub off: Option<Duration>,
}

/// All former memberships that may be restored in place of `present`, best first: same identity before *may be
/// the same as*, ended by the source before ended by hand, given times before latest.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    present: &MembershipRow,
    removed: Option<Timestamp>,
    returned: Option<Timestamp>,
) -> Result<Vec<Candidate>, EngineError> {
    let formers = query::restore::formers(tx, &[present.room], &[present.person]).await?;
    let ids: Vec<MembershipId> = formers.iter().map(|former| former.membership.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut periods: BTreeMap<MembershipId, Vec<PeriodRow>> = BTreeMap::new();
    for period in query::membership::periods(tx, ids.iter().copied()).await? {
        periods.entry(period.membership).or_default().push(period);
    }
    let mut grants: BTreeMap<MembershipId, Vec<GrantRow>> = BTreeMap::new();
    for grant in query::grant::of_memberships(tx, ids, false).await? {
        grants.entry(grant.membership).or_default().push(grant);
    }
    let mut candidates: Vec<Candidate> = formers
        .into_iter()
        .filter(|former| former.membership.id != present.id)
        .map(|former| Candidate {
            same_identity: former.membership.person == present.person,
            ended_by: former.membership.end_reason.map_or(EndedBy::Hand, EndedBy::from),
            periods: periods.remove(&former.membership.id).unwrap_or_default(),
            grants: grants.remove(&former.membership.id).unwrap_or_default(),
            off: off(former.membership.ended, removed, returned),
            membership: former.membership,
        })
        .collect();
    candidates.sort_by_key(|candidate| {
        let latest_first = candidate
            .membership
            .ended
            .map(|ended| std::cmp::Reverse((ended, candidate.membership.id)));
        (class(candidate), candidate.off, latest_first)
    });
    Ok(candidates)
}

/// The one to take without asking: the first, unless the next is so close that a human has to choose.
pub(super) fn best(candidates: &[Candidate]) -> Option<MembershipId> {
    let first = candidates.first()?;
    let close = candidates
        .get(1)
        .is_some_and(|second| class(first) == class(second) && !told_apart(first.off, second.off));
    (!close).then_some(first.membership.id)
}

fn told_apart(first: Option<Duration>, second: Option<Duration>) -> bool {
    match (first, second) {
        (Some(first), Some(second)) => second.saturating_sub(first) >= CLOSE,
        _ => false,
    }
}

fn class(candidate: &Candidate) -> (bool, EndedBy) {
    (!candidate.same_identity, candidate.ended_by)
}

/// How far an ending is from when the person was removed, else from when they came back.
fn off(
    ended: Option<Timestamp>,
    removed: Option<Timestamp>,
    returned: Option<Timestamp>,
) -> Option<Duration> {
    let given = removed.or(returned)?;
    let ended = ended?;
    Some(given.since(ended).max(ended.since(given)))
}
