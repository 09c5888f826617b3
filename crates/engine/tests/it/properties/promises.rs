//! After every step of a random history, the promises hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use usher_core::{HoldState, MembershipId, Reactivation, RestoreState, Stray};
use usher_storage::query;
use usher_storage::query::membership::{MembershipRow, PeriodRow};

use super::steps::{Play, managed, step};
use super::{cases, run};
use crate::world::by_hand;

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn every_history_keeps_the_promises(
        steps in prop::collection::vec(step(), 1..45),
        dormant in any::<bool>(),
        brake in any::<bool>(),
    ) {
        run(async move {
            let reactivation = if dormant { Reactivation::Dormant } else { Reactivation::Restore };
            let mut play = Play::busy(reactivation, brake).await;
            let mut past = Past::default();
            for step in &steps {
                play.take(step).await;
                play.check(&mut past).await;
            }
            play.decides_nothing_more().await;
        });
    }
}

/// What was seen before, to see that nothing of it is lost or rewritten.
#[derive(Default)]
struct Past {
    closed: BTreeMap<(MembershipId, u32), PeriodRow>,
    memberships: BTreeSet<MembershipId>,
}

impl Play {
    async fn check(&self, past: &mut Past) {
        let all = self.memberships().await;
        self.check_history(&all, past).await;
        for room in &self.rooms {
            self.check_room(*room, &all).await;
        }
        self.check_restores(&all).await;
    }

    async fn memberships(&self) -> Vec<MembershipRow> {
        let mut all = Vec::new();
        for room in &self.rooms {
            let room = *room;
            all.extend(self.world.inside(room).await);
            all.extend(
                self.world
                    .read(move |tx| {
                        Box::pin(async move { Ok(query::history::ended(tx, room, None, 10_000).await?) })
                    })
                    .await,
            );
        }
        all
    }

    /// Memberships are kept, closed periods are never rewritten, and periods are well formed.
    async fn check_history(&self, all: &[MembershipRow], past: &mut Past) {
        let ids: Vec<MembershipId> = all.iter().map(|membership| membership.id).collect();
        let now: BTreeSet<_> = ids.iter().copied().collect();
        assert!(past.memberships.is_subset(&now), "a membership was lost");
        past.memberships = now;
        let periods: Vec<PeriodRow> = self
            .world
            .read(move |tx| {
                let ids = ids.clone();
                Box::pin(async move { Ok(query::membership::periods(tx, ids).await?) })
            })
            .await;
        let mut by_membership: BTreeMap<MembershipId, Vec<&PeriodRow>> = BTreeMap::new();
        for period in &periods {
            by_membership.entry(period.membership).or_default().push(period);
        }
        for (key, period) in &past.closed {
            let kept = periods
                .iter()
                .find(|now| (now.membership, now.n) == *key)
                .expect("a period was lost");
            assert_eq!(kept, period, "a closed period was rewritten");
        }
        for membership in all {
            let periods = &by_membership[&membership.id];
            for (index, period) in periods.iter().enumerate() {
                assert_eq!(usize::try_from(period.n).unwrap(), index + 1);
                let last = index + 1 == periods.len();
                assert_eq!(period.to.is_none(), last && membership.active, "{membership:?}");
                assert_eq!(period.to.is_some(), period.to_reason.is_some());
                assert_eq!(period.to.is_some(), period.to_change.is_some());
                assert!(period.to.is_none_or(|to| to >= period.from));
                if let Some(next) = periods.get(index + 1) {
                    assert!(period.to.is_some_and(|to| to <= next.from));
                }
            }
            let last = periods.last().expect("a membership has a period");
            assert_eq!((last.from, last.to), (membership.started, membership.ended));
            assert_eq!(last.to_reason, membership.end_reason);
            assert!(membership.active || (membership.stray.is_none() && membership.hold.is_none()));
        }
        past.closed = periods
            .into_iter()
            .filter(|period| period.to.is_some())
            .map(|period| ((period.membership, period.n), period))
            .collect();
    }

    /// What is in force is what is desired, but for what is recorded as otherwise.
    async fn check_room(&self, room: usher_core::RoomId, all: &[MembershipRow]) {
        let archived = self.archived(room).await;
        let row = self.world.room_row(room).await;
        let inside: Vec<&MembershipRow> = all
            .iter()
            .filter(|membership| membership.active && membership.room == room)
            .collect();
        let administrators = inside
            .iter()
            .filter(|membership| membership.administrator)
            .count();
        assert!(
            row.no_administrator_since.is_none() || administrators == 0,
            "{row:?}"
        );
        for person in self.people().await {
            let active: Vec<_> = inside
                .iter()
                .filter(|membership| membership.person == person)
                .collect();
            assert!(active.len() <= 1, "two memberships of one person: {active:?}");
            let wanted = self.model.desired(room, person);
            self.check_desired(room, person, wanted).await;
            if archived {
                continue;
            }
            match active.first() {
                None if wanted => {
                    let parked = self
                        .world
                        .read(move |tx| {
                            Box::pin(async move { Ok(query::hold::parked(tx, &[room], &[person]).await?) })
                        })
                        .await;
                    assert!(!parked.is_empty(), "desired, and neither in the room nor parked");
                }
                None => {}
                Some(membership) if managed(membership) && wanted => assert_eq!(membership.stray, None),
                Some(membership) if managed(membership) => {
                    assert!(
                        !self.model.is_over(person) && !self.model.is_foreign(person),
                        "{membership:?}"
                    );
                    self.check_stray(membership, administrators).await;
                }
                Some(membership) => {
                    assert_eq!(membership.stray, None);
                    assert!(!self.model.is_over(person), "{membership:?}");
                }
            }
        }
    }

    /// A membership that nobody asks for is recorded as such, with a cause that is true.
    async fn check_stray(&self, membership: &MembershipRow, administrators: usize) {
        match membership.stray {
            Some(Stray::LastAdministrator) => {
                assert!(membership.administrator && administrators == 1, "{membership:?}");
            }
            Some(Stray::Held) => {
                let (id, person) = (membership.hold.expect("held in a hold"), membership.person);
                let (hold, items) = self
                    .world
                    .read(move |tx| {
                        Box::pin(async move {
                            Ok((
                                query::hold::by_id(tx, id).await?,
                                query::hold::items(tx, id).await?,
                            ))
                        })
                    })
                    .await;
                assert_eq!(hold.map(|hold| hold.state), Some(HoldState::Open));
                assert!(items.iter().any(|item| item.person == person));
            }
            Some(Stray::HoldRejected) => assert_eq!(membership.hold, None),
            other => panic!("{other:?}: {membership:?}"),
        }
    }

    /// The engine and the model agree on what is asked for.
    async fn check_desired(&self, room: usher_core::RoomId, person: usher_core::PersonId, wanted: bool) {
        let grounds = self
            .world
            .read(move |tx| Box::pin(async move { usher_engine::ground::grounds(tx, room, person).await }))
            .await;
        assert_eq!(grounds.desired(), wanted, "{grounds:?}");
        let backings = self
            .world
            .read(move |tx| {
                Box::pin(async move { Ok(query::facts::backings(tx, &[room], &[person]).await?) })
            })
            .await;
        assert_eq!(backings.iter().any(query::facts::Backing::counts), wanted);
    }

    /// Open suggestions are about people who are in the room; applied ones say what they restored.
    async fn check_restores(&self, all: &[MembershipRow]) {
        for restore in self.restores().await {
            let present = all.iter().find(|membership| membership.id == restore.present);
            match restore.state {
                RestoreState::Suggested => {
                    assert!(present.is_some_and(|present| present.active), "{restore:?}");
                }
                RestoreState::Applied | RestoreState::Undone => assert!(restore.former.is_some()),
                RestoreState::Closed => assert!(restore.closing_reason.is_some()),
            }
        }
    }

    /// Deciding about everybody again tells nothing new.
    async fn decides_nothing_more(&self) {
        self.world.engine.run_due(100).await.unwrap();
        let before = self.world.all_events().await.len();
        let (rooms, people) = (self.rooms.clone(), self.people().await);
        let decided: Result<(), usher_engine::EngineError> = self
            .world
            .engine
            .write(by_hand(), move |unit| {
                for room in &rooms {
                    for person in &people {
                        unit.touch(*room, *person);
                    }
                }
                Box::pin(async move { Ok(()) })
            })
            .await;
        decided.unwrap();
        let told = self.world.all_events().await.split_off(before);
        assert!(told.is_empty(), "{told:?}");
    }
}
