//! The swap: the present membership ends and the former one gets a new period, in one unit and one event.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde_json::json;
use usher_core::{EndReason, GrantId, MembershipKind, RestoreState, StartReason};
use usher_storage::query;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::restore::RestoreRow;

use super::{Record, Was};
use crate::unit::{About, Unit};
use crate::{Desired, EngineError, EventKind};

/// One restore, decided in all its parts.
pub(super) struct Swap {
    pub(super) restore: RestoreRow,
    pub(super) present: MembershipRow,
    pub(super) former: MembershipRow,
    /// The level from now on.
    pub(super) level: String,
    pub(super) desired: Desired,
    /// Grants of the present membership that go along.
    pub(super) moved: Vec<GrantId>,
    /// Grants of either that are dropped.
    pub(super) dropped: Vec<GrantId>,
    /// The sources that were asked about the person, and how many seconds ago.
    pub(super) asked: Vec<(String, u64)>,
    /// Whether the restore is written down already, as a suggestion.
    pub(super) suggested: bool,
}

/// Does restores. Guards are the caller's. Boxed for the reason that [`crate::settle::settle`] is.
pub(super) fn swap<'a>(
    unit: &'a mut Unit<'_, '_>,
    swaps: Vec<Swap>,
) -> BoxFuture<'a, Result<(), EngineError>> {
    Box::pin(do_all(unit, swaps))
}

async fn do_all(unit: &mut Unit<'_, '_>, swaps: Vec<Swap>) -> Result<(), EngineError> {
    write_down(unit, &swaps).await?;
    let presents: Vec<_> = swaps.iter().map(|swap| swap.present.clone()).collect();
    unit.close_memberships(&presents, EndReason::Superseded).await?;
    let restored: Vec<_> = swaps
        .iter()
        .map(|swap| bound_to_the_present(unit, swap))
        .collect();
    unit.reopen_memberships(&restored, StartReason::Restored).await?;
    for (swap, restored) in swaps.iter().zip(&restored) {
        if swap.former.level != swap.level {
            let (before, after) = (&swap.former.level, &swap.level);
            query::membership::note_level(unit.tx, restored.id, before, after, unit.now, unit.change).await?;
        }
        if !swap.dropped.is_empty() {
            query::grant::set_dropped(unit.tx, swap.dropped.iter().copied(), Some(unit.now)).await?;
        }
        if !swap.moved.is_empty() {
            query::grant::move_to(unit.tx, swap.moved.iter().copied(), restored.id).await?;
        }
        let about = About {
            source: restored.source,
            room: Some(restored.room),
            person: Some(restored.person),
            membership: Some(restored.id),
        };
        let data = json!({
            "restore": swap.restore.id,
            "superseded": swap.present.id,
            "level": swap.level,
            "level_before": swap.present.level,
            "person_before": (swap.former.person != restored.person).then_some(swap.former.person),
            "grants_moved": swap.moved,
            "grants_dropped": swap.dropped,
            "asked_seconds_ago": swap.asked.iter().cloned().collect::<BTreeMap<_, _>>(),
        });
        unit.tell(EventKind::MembershipRestored, about, &data);
    }
    let touched: Vec<_> = presents.into_iter().chain(restored).collect();
    unit.check_administrators_after(&touched).await
}

/// Says that the restores are applied, before anything ends: an ending closes suggestions that are open.
async fn write_down(unit: &mut Unit<'_, '_>, swaps: &[Swap]) -> Result<(), EngineError> {
    let mut fresh = Vec::new();
    for swap in swaps {
        let record = Record {
            was: Some(Was::of(&swap.former)),
            moved: swap.moved.clone(),
            dropped: swap.dropped.clone(),
            ..Record::read(&swap.restore)?
        };
        let applied = RestoreRow {
            former: Some(swap.former.id),
            state: RestoreState::Applied,
            closed: Some(unit.now),
            data: record.write(),
            ..swap.restore.clone()
        };
        if swap.suggested {
            query::restore::update(unit.tx, &applied).await?;
        } else {
            fresh.push(applied);
        }
    }
    if !fresh.is_empty() {
        query::restore::insert(unit.tx, &fresh).await?;
    }
    Ok(())
}

/// The former membership as it goes on: managed, and of the person's present identity and mapping.
fn bound_to_the_present(unit: &Unit<'_, '_>, swap: &Swap) -> MembershipRow {
    MembershipRow {
        person: swap.present.person,
        kind: MembershipKind::Managed,
        level: swap.level.clone(),
        administrator: unit.policy.levels.is_administrator(&swap.level),
        source: Some(swap.desired.source),
        user: Some(swap.desired.user),
        mapping: Some(swap.desired.mapping),
        owner: None,
        note: None,
        until: None,
        ..swap.former.clone()
    }
}
