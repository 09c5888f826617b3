//! Applying decisions: the one place where memberships begin and end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use usher_core::{
    EndReason, HoldId, HoldKind, HoldState, MembershipKind, ParkReason, PersonId, RoomId, RoomState,
    StartReason, Stray,
};
use usher_storage::query::hold::{HoldItem, HoldRow, ParkedRow};
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::person::PersonRow;
use usher_storage::{SourceKey, query};

use super::brake;
use super::decide::{Decision, Desired, Door, decide};
use super::facts::{Batch, Pair};
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind, order, restore};

/// Decisions of a batch, sorted by what is done for them.
#[derive(Default)]
struct Plan {
    starts: Vec<(MembershipRow, Desired)>,
    endings: BTreeMap<EndReason, Vec<MembershipRow>>,
    holds: BTreeMap<(RoomId, SourceKey), Vec<(MembershipRow, EndReason)>>,
    releases: Vec<MembershipRow>,
    kept: Vec<MembershipRow>,
    parks: Vec<(ParkedRow, Option<SourceKey>)>,
    unparks: Vec<ParkedRow>,
}

/// Decides for each pair of a batch and applies all of it.
pub(super) async fn apply(unit: &mut Unit<'_, '_>, mut batch: Batch) -> Result<(), EngineError> {
    brake::weigh(unit, &mut batch).await?;
    let mut plan = Plan::default();
    for pair in std::mem::take(&mut batch.pairs) {
        sort(unit, pair, &mut plan);
    }
    unpark(unit, &plan.unparks).await?;
    release(unit, &plan.releases).await?;
    keep(unit, &plan.kept).await?;
    for ((room, source), endings) in plan.holds {
        hold(unit, room, source, endings).await?;
    }
    for (reason, memberships) in plan.endings {
        let counted = reason == unit.removal.reason && unit.removal.braked;
        if counted {
            let endings: Vec<_> = memberships
                .iter()
                .filter_map(|m| Some((m.room, m.source?, m.id)))
                .collect();
            query::hold::count_endings(unit.tx, &endings, unit.now).await?;
        }
        unit.end_memberships(&memberships, reason).await?;
    }
    park(unit, plan.parks).await?;
    if !plan.starts.is_empty() {
        let (mut memberships, desired): (Vec<_>, Vec<_>) = plan.starts.into_iter().unzip();
        let formers = restore::before_starts(unit, &memberships, batch.formers);
        for membership in &mut memberships {
            membership.started = unit.now;
        }
        unit.start_memberships(&memberships, StartReason::Arrived, &batch.people)
            .await?;
        restore::after_starts(unit, &memberships, &desired, formers, &batch.rooms).await?;
    }
    for room in batch.rooms.values() {
        if room.state == RoomState::Preparing {
            order::after_arrivals(unit, room.id).await?;
        }
    }
    Ok(())
}

fn sort(unit: &mut Unit<'_, '_>, pair: Pair, plan: &mut Plan) {
    let decision = decide(&pair.facts);
    let Pair {
        room,
        person,
        facts,
        membership,
        parked,
    } = pair;
    if !matches!(decision, Decision::Park(_) | Decision::Frozen) {
        plan.unparks.extend(parked.clone());
    }
    match (decision, membership) {
        (Decision::Start(desired), _) => {
            plan.starts.push((managed(unit, room, person, &desired), desired));
        }
        (Decision::Park(door), _) => {
            let (reason, other) = match door {
                Door::SameAddress(other) => (ParkReason::SameAddress, Some(other)),
                Door::BeyondExpected | Door::Open => (ParkReason::BeyondExpected, None),
            };
            if parked.is_none_or(|known| known.reason != reason || known.other != other) {
                let source = facts.desired.map(|desired| desired.source);
                plan.parks.push((
                    ParkedRow {
                        room,
                        person,
                        reason,
                        other,
                        since: unit.now(),
                    },
                    source,
                ));
            }
        }
        (Decision::End(reason), Some(membership)) => plan.endings.entry(reason).or_default().push(membership),
        (Decision::Hold(reason), Some(membership)) => {
            let source = membership.source.unwrap_or(SourceKey(0));
            plan.holds
                .entry((room, source))
                .or_default()
                .push((membership, reason));
        }
        (Decision::Release, Some(membership)) => plan.releases.push(membership),
        (Decision::KeepLastAdministrator, Some(membership)) => plan.kept.push(membership),
        _ => {}
    }
}

fn managed(unit: &mut Unit<'_, '_>, room: RoomId, person: PersonId, desired: &Desired) -> MembershipRow {
    MembershipRow {
        id: unit.id(),
        room,
        person,
        kind: MembershipKind::Managed,
        administrator: unit.policy.levels.is_administrator(&desired.level),
        level: desired.level.clone(),
        active: true,
        source: Some(desired.source),
        user: Some(desired.user),
        mapping: Some(desired.mapping),
        started: unit.now,
        ended: None,
        end_reason: None,
        stray: None,
        stray_since: None,
        hold: None,
        owner: None,
        note: None,
        until: None,
        version: 1,
    }
}

impl Unit<'_, '_> {
    /// Begins new memberships and tells it. `people` may hold addresses and names for the events.
    pub(crate) async fn start_memberships(
        &mut self,
        memberships: &[MembershipRow],
        reason: StartReason,
        people: &BTreeMap<PersonId, PersonRow>,
    ) -> Result<(), EngineError> {
        self.begin_memberships(memberships, reason).await?;
        for membership in memberships {
            let person = people.get(&membership.person);
            let data = json!({
                "kind": membership.kind,
                "level": membership.level,
                "reason": reason,
                "email": person.and_then(|person| person.email.as_deref()),
                "user": membership.user,
                "mapping": membership.mapping,
            });
            self.tell(EventKind::MembershipStarted, about(membership), &data);
        }
        self.check_administrators_after(memberships).await
    }

    /// Ends active memberships and tells it.
    pub(crate) async fn end_memberships(
        &mut self,
        memberships: &[MembershipRow],
        reason: EndReason,
    ) -> Result<(), EngineError> {
        self.close_memberships(memberships, reason).await?;
        for membership in memberships {
            let data = json!({ "kind": membership.kind, "level": membership.level, "reason": reason });
            self.tell(EventKind::MembershipEnded, about(membership), &data);
        }
        self.check_administrators_after(memberships).await
    }

    /// Begins new memberships. The caller tells it and looks after the room's administrators.
    pub(crate) async fn begin_memberships(
        &mut self,
        memberships: &[MembershipRow],
        reason: StartReason,
    ) -> Result<(), EngineError> {
        query::membership::insert(self.tx, memberships).await?;
        let periods: Vec<_> = memberships
            .iter()
            .map(|membership| (membership.id, 1, reason))
            .collect();
        query::membership::open_periods(self.tx, &periods, self.now, self.change).await?;
        Ok(())
    }

    /// Ends active memberships: their period is closed, they leave their hold, and suggestions to restore
    /// something in their place close. The caller tells it and looks after the room's administrators.
    pub(crate) async fn close_memberships(
        &mut self,
        memberships: &[MembershipRow],
        reason: EndReason,
    ) -> Result<(), EngineError> {
        for membership in memberships {
            self.not_before(membership.started);
        }
        let ids: Vec<_> = memberships.iter().map(|membership| membership.id).collect();
        query::membership::end(self.tx, &ids, reason, self.now, self.change).await?;
        leave_holds(self, memberships).await?;
        let leavers: Vec<_> = memberships.iter().map(|membership| membership.person).collect();
        let waiting = query::hold::waiting_for(self.tx, leavers).await?;
        restore::after_endings(self, memberships, reason).await?;
        self.freed.extend(self.tx.rows(waiting).await?);
        Ok(())
    }

    /// Asks for a decision, at the unit's end, about those who wait because one of these people is inside with their
    /// address.
    pub(crate) async fn free_waiting_for(&mut self, others: Vec<PersonId>) -> Result<(), EngineError> {
        let waiting = query::hold::waiting_for(self.tx, others).await?;
        self.freed.extend(self.tx.rows(waiting).await?);
        Ok(())
    }

    /// Begins another period of ended memberships, each as its row describes it from now on. The caller tells
    /// it and looks after the room's administrators.
    pub(crate) async fn reopen_memberships(
        &mut self,
        memberships: &[MembershipRow],
        reason: StartReason,
    ) -> Result<(), EngineError> {
        let reopened: Vec<_> = memberships
            .iter()
            .map(|membership| MembershipRow {
                started: self.now,
                administrator: self.policy.levels.is_administrator(&membership.level),
                ..membership.clone()
            })
            .collect();
        query::membership::reopen(self.tx, &reopened).await?;
        let ids = memberships.iter().map(|membership| membership.id);
        let mut places: BTreeMap<_, u32> = BTreeMap::new();
        for period in query::membership::periods(self.tx, ids).await? {
            places.insert(period.membership, period.n);
        }
        let periods: Vec<_> = places.into_iter().map(|(id, n)| (id, n + 1, reason)).collect();
        query::membership::open_periods(self.tx, &periods, self.now, self.change).await?;
        Ok(())
    }

    /// Gives an active membership another level. Guards are the caller's.
    pub(crate) async fn set_level(
        &mut self,
        membership: &MembershipRow,
        level: &str,
    ) -> Result<(), EngineError> {
        if membership.level == level {
            return Ok(());
        }
        let raised = MembershipRow {
            administrator: self.policy.levels.is_administrator(level),
            level: level.to_owned(),
            ..membership.clone()
        };
        query::membership::update(self.tx, &raised).await?;
        query::membership::note_level(
            self.tx,
            membership.id,
            &membership.level,
            level,
            self.now,
            self.change,
        )
        .await?;
        let data = json!({ "before": membership.level, "level": level });
        self.tell(EventKind::MembershipLevelChanged, about(membership), &data);
        if membership.administrator != raised.administrator {
            self.check_administrators(membership.room).await?;
        }
        Ok(())
    }

    /// [`Unit::check_administrators`] for the rooms of those of the memberships that administer one.
    pub(crate) async fn check_administrators_after(
        &mut self,
        memberships: &[MembershipRow],
    ) -> Result<(), EngineError> {
        let rooms = memberships.iter().filter(|membership| membership.administrator);
        for room in rooms.map(|membership| membership.room).collect::<BTreeSet<_>>() {
            self.check_administrators(room).await?;
        }
        Ok(())
    }

    /// Keeps the room's mark *no administrator* true, and lets a kept last administrator go when there is
    /// another.
    pub(crate) async fn check_administrators(&mut self, room: RoomId) -> Result<(), EngineError> {
        self.lock_rooms(BTreeSet::from([room])).await?;
        let administrators = query::membership::administrators(self.tx, room).await?;
        let Some(mut row) = query::room::by_id(self.tx, room).await? else {
            return Ok(());
        };
        let about = About {
            room: Some(room),
            ..About::default()
        };
        match (administrators.is_empty(), row.no_administrator_since) {
            (true, None) => {
                row.no_administrator_since = Some(self.now);
                query::room::update(self.tx, &row).await?;
                self.tell(
                    EventKind::RoomWithoutAdministrator,
                    about,
                    &json!({ "room": row.name }),
                );
            }
            (false, Some(_)) => {
                row.no_administrator_since = None;
                query::room::update(self.tx, &row).await?;
                self.tell(
                    EventKind::RoomAdministratorFound,
                    about,
                    &json!({ "room": row.name }),
                );
            }
            _ => {}
        }
        if administrators.len() > 1 {
            for kept in administrators
                .iter()
                .filter(|m| m.stray == Some(Stray::LastAdministrator))
            {
                self.touch(room, kept.person);
            }
        }
        Ok(())
    }
}

/// What an event about a membership is about.
pub(crate) fn about(membership: &MembershipRow) -> About {
    About {
        source: membership.source,
        room: Some(membership.room),
        person: Some(membership.person),
        membership: Some(membership.id),
    }
}

async fn release(unit: &mut Unit<'_, '_>, memberships: &[MembershipRow]) -> Result<(), EngineError> {
    if memberships.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = memberships.iter().map(|membership| membership.id).collect();
    query::membership::mark_stray(unit.tx, &ids, None, None, unit.now).await?;
    for membership in memberships {
        unit.tell(
            EventKind::MembershipReleased,
            about(membership),
            &json!({ "was": membership.stray }),
        );
    }
    leave_holds(unit, memberships).await
}

async fn keep(unit: &mut Unit<'_, '_>, memberships: &[MembershipRow]) -> Result<(), EngineError> {
    for membership in memberships {
        let stray = Some(Stray::LastAdministrator);
        query::membership::mark_stray(unit.tx, &[membership.id], stray, None, unit.now).await?;
        let next = "name another administrator of the room; this membership then ends by itself";
        unit.tell(
            EventKind::MembershipKept,
            about(membership),
            &json!({ "next": next }),
        );
    }
    Ok(())
}

/// Puts endings into the open hold of the room and source, or opens one.
async fn hold(
    unit: &mut Unit<'_, '_>,
    room: RoomId,
    source: SourceKey,
    endings: Vec<(MembershipRow, EndReason)>,
) -> Result<(), EngineError> {
    let cause = match (endings.len(), unit.removal.reason) {
        (_, EndReason::GroupDeleted) => "the group was deleted at the source".to_owned(),
        (1, _) => "many people were removed from the group over the last day".to_owned(),
        (n, _) => format!("{n} people were removed from the group at once"),
    };
    let due = unit.now.plus(unit.policy.brake.hold_for());
    let hold = open_hold(unit, HoldKind::Endings, room, source, cause, Some(due)).await?;
    let ids: Vec<_> = endings.iter().map(|(membership, _)| membership.id).collect();
    query::membership::mark_stray(unit.tx, &ids, Some(Stray::Held), Some(hold), unit.now).await?;
    let items: Vec<_> = endings
        .iter()
        .map(|(membership, reason)| HoldItem {
            hold,
            person: membership.person,
            membership: Some(membership.id),
            reason: reason.as_str().to_owned(),
            at: unit.now,
        })
        .collect();
    query::hold::add_items(unit.tx, &items).await?;
    for (membership, reason) in &endings {
        unit.tell(
            EventKind::MembershipHeld,
            about(membership),
            &json!({ "hold": hold, "reason": reason }),
        );
    }
    Ok(())
}

async fn open_hold(
    unit: &mut Unit<'_, '_>,
    kind: HoldKind,
    room: RoomId,
    source: SourceKey,
    cause: String,
    due: Option<usher_core::Timestamp>,
) -> Result<HoldId, EngineError> {
    if let Some(hold) = query::hold::open(unit.tx, room, source, kind).await? {
        return Ok(hold.id);
    }
    let hold = HoldRow {
        id: unit.id(),
        kind,
        room,
        source,
        state: HoldState::Open,
        cause,
        opened: unit.now,
        due,
        closed: None,
        version: 1,
    };
    query::hold::insert(unit.tx, &hold).await?;
    let about = About {
        source: Some(source),
        room: Some(room),
        ..About::default()
    };
    unit.tell(
        EventKind::HoldOpened,
        about,
        &json!({ "hold": hold.id, "kind": kind, "cause": hold.cause, "due": due }),
    );
    Ok(hold.id)
}

/// Takes memberships that ended or are desired again out of their holds; an empty hold closes.
async fn leave_holds(unit: &mut Unit<'_, '_>, memberships: &[MembershipRow]) -> Result<(), EngineError> {
    let mut by_hold: BTreeMap<HoldId, Vec<PersonId>> = BTreeMap::new();
    for membership in memberships {
        if let Some(hold) = membership.hold {
            by_hold.entry(hold).or_default().push(membership.person);
        }
    }
    for (hold, persons) in by_hold {
        leave_hold(unit, hold, persons).await?;
    }
    Ok(())
}

async fn leave_hold(
    unit: &mut Unit<'_, '_>,
    hold: HoldId,
    persons: Vec<PersonId>,
) -> Result<(), EngineError> {
    let Some(row) = query::hold::by_id(unit.tx, hold)
        .await?
        .filter(|row| row.state == HoldState::Open)
    else {
        return Ok(());
    };
    if query::hold::remove_items(unit.tx, hold, persons).await? == 0 {
        query::hold::close(unit.tx, hold, HoldState::Released, unit.now).await?;
        let about = About {
            source: Some(row.source),
            room: Some(row.room),
            ..About::default()
        };
        unit.tell(EventKind::HoldReleased, about, &json!({ "hold": hold }));
    }
    Ok(())
}

async fn park(
    unit: &mut Unit<'_, '_>,
    parks: Vec<(ParkedRow, Option<SourceKey>)>,
) -> Result<(), EngineError> {
    if parks.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = parks.iter().map(|(row, _)| row.clone()).collect();
    query::hold::park(unit.tx, &rows).await?;
    let mut beyond: BTreeMap<(RoomId, SourceKey), Vec<PersonId>> = BTreeMap::new();
    for (row, source) in parks {
        let about = About {
            source,
            room: Some(row.room),
            person: Some(row.person),
            ..About::default()
        };
        unit.tell(
            EventKind::PersonParked,
            about,
            &json!({ "reason": row.reason, "other": row.other }),
        );
        if let (ParkReason::BeyondExpected, Some(source)) = (row.reason, source) {
            beyond.entry((row.room, source)).or_default().push(row.person);
        }
    }
    for ((room, source), persons) in beyond {
        let cause = "more people are in the group than the order expected".to_owned();
        let hold = open_hold(unit, HoldKind::Arrivals, room, source, cause, None).await?;
        let items: Vec<_> = persons
            .into_iter()
            .map(|person| HoldItem {
                hold,
                person,
                membership: None,
                reason: ParkReason::BeyondExpected.as_str().to_owned(),
                at: unit.now,
            })
            .collect();
        query::hold::add_items(unit.tx, &items).await?;
    }
    Ok(())
}

async fn unpark(unit: &mut Unit<'_, '_>, parked: &[ParkedRow]) -> Result<(), EngineError> {
    if parked.is_empty() {
        return Ok(());
    }
    let pairs: Vec<_> = parked.iter().map(|row| (row.room, row.person)).collect();
    query::hold::unpark(unit.tx, &pairs).await?;
    let mut arrivals: BTreeMap<RoomId, Vec<PersonId>> = BTreeMap::new();
    for row in parked {
        let about = About {
            room: Some(row.room),
            person: Some(row.person),
            ..About::default()
        };
        unit.tell(EventKind::PersonUnparked, about, &json!({ "reason": row.reason }));
        if row.reason == ParkReason::BeyondExpected {
            arrivals.entry(row.room).or_default().push(row.person);
        }
    }
    for (room, persons) in arrivals {
        for hold in query::hold::open_in_room(unit.tx, room, HoldKind::Arrivals).await? {
            leave_hold(unit, hold.id, persons.clone()).await?;
        }
    }
    Ok(())
}
