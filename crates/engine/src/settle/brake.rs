//! Which endings must not happen by themselves: those of a room's last administrator, and those beyond the
//! brake.

use std::collections::BTreeMap;

use usher_core::{HoldKind, MembershipId, RoomId, Stray};
use usher_storage::{SourceKey, Tx, query};

use super::decide::{Decision, decide};
use super::facts::{Batch, Pair};
use crate::EngineError;
use crate::unit::Unit;

/// Fills in what of the facts depends on everything that would end together.
pub(super) async fn weigh(unit: &mut Unit<'_, '_>, batch: &mut Batch) -> Result<(), EngineError> {
    let rooms = batch.pairs.iter().filter(|pair| concerns_others(unit, pair));
    unit.lock_rooms(rooms.map(|pair| pair.room).collect()).await?;
    // The brake comes first: an administrator whose ending is held is still there, and nobody has to stay for
    // their sake.
    if unit.removal.braked && unit.policy.brake.enabled {
        pull_brake(unit, batch).await?;
    }
    guard_last_administrators(unit.tx, batch).await
}

/// Whether what is decided of a pair depends on others in the room, or others depend on it.
fn concerns_others(unit: &Unit<'_, '_>, pair: &Pair) -> bool {
    let is_member_of_weight = pair
        .membership
        .as_ref()
        .is_some_and(|membership| membership.administrator || membership.hold.is_some());
    match decide(&pair.facts) {
        Decision::Start(desired) => unit.policy.levels.is_administrator(&desired.level),
        Decision::End(reason) => {
            is_member_of_weight || (unit.removal.braked && reason == unit.removal.reason)
        }
        Decision::Hold(_) | Decision::Release | Decision::KeepLastAdministrator => true,
        _ => is_member_of_weight,
    }
}

/// Marks the one administrator who has to stay where all of a room's would leave. Whoever stays for that reason
/// already goes on staying, even where the brake would hold the ending.
pub(crate) async fn guard_last_administrators(tx: &mut Tx<'_>, batch: &mut Batch) -> Result<(), EngineError> {
    let mut leaving: BTreeMap<RoomId, Vec<usize>> = BTreeMap::new();
    for (index, pair) in batch.pairs.iter().enumerate() {
        let Some(membership) = pair
            .membership
            .as_ref()
            .filter(|membership| membership.administrator)
        else {
            continue;
        };
        let kept = pair.facts.desired.is_none() && membership.stray == Some(Stray::LastAdministrator);
        if kept || matches!(decide(&pair.facts), Decision::End(_)) {
            leaving.entry(pair.room).or_default().push(index);
        }
    }
    for (room, indices) in leaving {
        let present = query::membership::administrators(tx, room).await?;
        let is_leaving = |id: MembershipId| {
            indices.iter().any(|index| {
                batch.pairs[*index]
                    .membership
                    .as_ref()
                    .is_some_and(|m| m.id == id)
            })
        };
        if present.iter().any(|administrator| !is_leaving(administrator.id)) {
            continue;
        }
        // Accounts that are over lose access whatever it costs; among the others the longest-serving stays.
        let mut removable: Vec<usize> = indices
            .into_iter()
            .filter(|index| {
                let mut facts = batch.pairs[*index].facts.clone();
                facts.last_administrator = true;
                matches!(decide(&facts), Decision::KeepLastAdministrator | Decision::Keep)
            })
            .collect();
        removable.sort_by_key(|index| {
            batch.pairs[*index]
                .membership
                .as_ref()
                .map(|membership| (membership.started, membership.id))
        });
        if let Some(index) = removable.first() {
            batch.pairs[*index].facts.last_administrator = true;
        }
    }
    Ok(())
}

/// Closes the brake for the endings of a source in a room that together are too many.
async fn pull_brake(unit: &mut Unit<'_, '_>, batch: &mut Batch) -> Result<(), EngineError> {
    let mut endings: BTreeMap<(RoomId, SourceKey), Vec<usize>> = BTreeMap::new();
    for (index, pair) in batch.pairs.iter().enumerate() {
        if let (Some(membership), Decision::End(reason)) = (&pair.membership, decide(&pair.facts))
            && reason == unit.removal.reason
            && let Some(source) = membership.source
        {
            endings.entry((pair.room, source)).or_default().push(index);
        }
    }
    for ((room, source), indices) in endings {
        if !passes(unit, room, source, indices.len()).await? {
            for index in indices {
                batch.pairs[index].facts.brake_passes = false;
            }
        }
    }
    Ok(())
}

/// Whether so many more endings of a source in a room are few enough. The work is bounded by the number of
/// endings, not by the size of the room.
async fn passes(
    unit: &mut Unit<'_, '_>,
    room: RoomId,
    source: SourceKey,
    more: usize,
) -> Result<bool, EngineError> {
    let brake = unit.policy.brake;
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    let since = unit.now.minus(brake.window());
    let open = query::hold::open_later(unit.tx, room, source, HoldKind::Endings).await?;
    query::hold::forget_endings(unit.tx, room, source, since).await?;
    let before = query::hold::endings_since_later(unit.tx, room, source, since, i64::from(u32::MAX)).await?;
    if !unit.tx.rows(open).await?.is_empty() {
        return Ok(false);
    }
    let before = unit.tx.rows(before).await?.pop().unwrap_or(0);
    let endings = before.saturating_add(more);
    if endings <= i64::from(brake.endings) {
        return Ok(true);
    }
    let percent = i64::from(brake.percent.max(1));
    let enough = endings.saturating_mul(100) / percent + 1;
    let members = query::membership::count_managed_of(unit.tx, room, source, enough).await?;
    Ok(endings.saturating_mul(100) <= percent.saturating_mul(members.saturating_add(before)))
}
