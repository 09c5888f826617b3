//! What happens by itself when people come in and leave. Statements do not grow with the number of people:
//! one finds that nobody was here before, and a first sync of thousands ends there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use usher_core::{EndReason, PersonId, Rejoin, RoomId, RoomModel};
use usher_storage::query;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::restore::Former;
use usher_storage::query::room::RoomRow;

use super::candidates::EndedBy;
use super::swap::{Swap, swap};
use super::{Record, fresh, tell_suggested};
use crate::unit::{About, Unit};
use crate::{Desired, EngineError, EventKind, level};

/// The ended memberships of people, and of those who may be the same, by room and person.
pub(crate) type Formers = BTreeMap<(RoomId, PersonId), Vec<MembershipRow>>;

/// Sorts the former memberships of people who are about to come in. From here on the unit's moment is after the end of
/// each: the unit may have been drawn before, and have waited for the one that ended it.
pub(crate) fn before_starts(
    unit: &mut Unit<'_, '_>,
    starting: &[MembershipRow],
    known: Vec<Former>,
) -> Formers {
    let starting: BTreeSet<_> = starting
        .iter()
        .map(|present| (present.room, present.person))
        .collect();
    let mut formers = Formers::new();
    for Former { person, membership } in known {
        if !starting.contains(&(membership.room, person)) {
            continue;
        }
        if let Some(ended) = membership.ended.filter(|_| membership.person == person) {
            unit.not_before(ended);
        }
        formers
            .entry((membership.room, person))
            .or_default()
            .push(membership);
    }
    formers
}

/// What becomes of former memberships of people who just came in: restores one where the mapping says so and every guard
/// allows it, else opens a suggestion.
pub(crate) async fn after_starts(
    unit: &mut Unit<'_, '_>,
    memberships: &[MembershipRow],
    desired: &[Desired],
    mut formers: Formers,
    rooms: &BTreeMap<RoomId, RoomRow>,
) -> Result<(), EngineError> {
    let asking: Vec<(&MembershipRow, &Desired)> = memberships
        .iter()
        .zip(desired)
        .filter(|(_, desired)| desired.rejoin != Rejoin::Never)
        .collect();
    if asking.is_empty() || formers.is_empty() {
        return Ok(());
    }
    let (mut swaps, mut restores) = (Vec::new(), Vec::new());
    for (present, desired) in asking {
        let Some(formers) = formers.remove(&(present.room, present.person)) else {
            continue;
        };
        let restore = fresh(unit, present, &Record::default());
        let model = rooms.get(&present.room).map(|room| room.model);
        match returning(unit, present, desired, &formers, model) {
            Some(former) => swaps.push(Swap {
                restore,
                present: present.clone(),
                level: former.level.clone(),
                former: former.clone(),
                desired: desired.clone(),
                moved: Vec::new(),
                dropped: Vec::new(),
                asked: Vec::new(),
                suggested: false,
            }),
            None => {
                tell_suggested(unit, &restore, formers.len());
                restores.push(restore);
            }
        }
    }
    if !restores.is_empty() {
        query::restore::insert(unit.tx, &restores).await?;
    }
    if !swaps.is_empty() {
        swap(unit, swaps).await?;
    }
    Ok(())
}

/// The former membership that a mapping with `auto` brings back without asking anybody.
fn returning<'f>(
    unit: &Unit<'_, '_>,
    present: &MembershipRow,
    desired: &Desired,
    formers: &'f [MembershipRow],
    model: Option<RoomModel>,
) -> Option<&'f MembershipRow> {
    let days = desired.rejoin_days.filter(|_| desired.rejoin == Rejoin::Auto)?;
    let levels = &unit.policy.levels;
    // What another membership took the place of lives on in that one.
    let mut candidates = formers.iter().filter(|former| {
        former
            .end_reason
            .is_none_or(|reason| EndedBy::from(reason) != EndedBy::Swap)
    });
    let (Some(former), None) = (candidates.next(), candidates.next()) else {
        return None;
    };
    let by_source = former
        .end_reason
        .is_some_and(|reason| EndedBy::from(reason) == EndedBy::Source);
    let within = Duration::from_secs(u64::from(days) * 24 * 3600);
    let in_time = former.ended.is_some_and(|ended| unit.now.since(ended) <= within);
    let rank = |level: &str| levels.get(level).map(|level| level.rank);
    let not_above = rank(&former.level).is_some_and(|was| Some(was) <= rank(&desired.level));
    let fits = model.is_some_and(|model| level::fits(levels, &former.level, model, present.kind));
    let keeps_administrator = levels.is_administrator(&former.level) || !present.administrator;
    (former.person == present.person && by_source && in_time && not_above && fits && keeps_administrator)
        .then_some(former)
}

/// Closes suggestions whose present membership ended.
pub(crate) async fn after_endings(
    unit: &mut Unit<'_, '_>,
    memberships: &[MembershipRow],
    reason: EndReason,
) -> Result<(), EngineError> {
    let ids: Vec<_> = memberships.iter().map(|membership| membership.id).collect();
    let why = format!("the membership ended: {reason}");
    let closed = query::restore::close_for(unit.tx, &ids, &why, unit.now).await?;
    for (restore, room, person, membership) in unit.tx.rows(closed).await? {
        let about = About {
            room: Some(room),
            person: Some(person),
            membership: Some(membership),
            ..About::default()
        };
        unit.tell(
            EventKind::RestoreClosed,
            about,
            &json!({ "restore": restore, "reason": why }),
        );
    }
    Ok(())
}
