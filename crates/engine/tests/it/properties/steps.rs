//! What may happen, done to the engine and to the model alike.

use proptest::prelude::*;
use usher_core::{HoldKind, MappingId, MembershipKind, Reactivation, Rejoin, RestoreState, RoomId};
use usher_engine::grant::GrantData;
use usher_engine::manual::{AddManual, MakeManual};
use usher_engine::person::Who;
use usher_engine::restore::{Choices, SuggestRestore, plan};
use usher_engine::{BrakePolicy, EngineError, MembersChange, Policy};
use usher_storage::query;
use usher_storage::query::hold::HoldRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::restore::RestoreRow;

use super::model::Model;
use crate::world::{Terms, World, named, policy, user_data};

pub(super) const USERS: usize = 5;
pub(super) const GROUPS: usize = 3;
pub(super) const ROOMS: usize = 2;
const LEVELS: [&str; 5] = ["restricted_user", "user", "user_management", "guest", "vanished"];

/// One thing that happens. Numbers pick from what there is at that moment.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Create(usize),
    SetActive(usize, bool),
    SetOwn(usize, bool),
    Delete(usize),
    Add(usize, u8),
    Remove(usize, u8),
    Replace(usize, u8),
    DeleteGroup(usize),
    Map(usize, usize, usize, Rejoin),
    Retire(usize),
    Archive(usize),
    Reopen(usize),
    Level(usize, usize),
    Grant(usize, u8),
    AddManual(usize, usize),
    AddExternal(usize, u8),
    MakeManual(usize),
    End(usize),
    Approve(usize),
    Reject(usize),
    Suggest(usize, usize),
    Restore(usize),
    Undo(usize),
    Wait(u64),
}

/// Steps in about the mix of a busy day, pushes most of all.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    let (group, room, which) = (0..GROUPS, 0..ROOMS, 0..8_usize);
    let rejoin = prop::sample::select(vec![Rejoin::Auto, Rejoin::Ask, Rejoin::Never]);
    prop_oneof![
        4 => user.clone().prop_map(Step::Create),
        3 => (user.clone(), any::<bool>()).prop_map(|(user, active)| Step::SetActive(user, active)),
        1 => (user.clone(), any::<bool>()).prop_map(|(user, own)| Step::SetOwn(user, own)),
        1 => user.clone().prop_map(Step::Delete),
        6 => (group.clone(), any::<u8>()).prop_map(|(group, mask)| Step::Add(group, mask)),
        5 => (group.clone(), any::<u8>()).prop_map(|(group, mask)| Step::Remove(group, mask)),
        2 => (group.clone(), any::<u8>()).prop_map(|(group, mask)| Step::Replace(group, mask)),
        1 => group.clone().prop_map(Step::DeleteGroup),
        3 => (group, room.clone(), 0..3_usize, rejoin).prop_map(|(g, r, l, rejoin)| Step::Map(g, r, l, rejoin)),
        1 => which.clone().prop_map(Step::Retire),
        1 => room.clone().prop_map(Step::Archive),
        2 => room.clone().prop_map(Step::Reopen),
        3 => (which.clone(), 0..LEVELS.len()).prop_map(|(n, level)| Step::Level(n, level)),
        2 => (which.clone(), 0..3_u8).prop_map(|(n, thing)| Step::Grant(n, thing)),
        1 => (room.clone(), user.clone()).prop_map(|(room, user)| Step::AddManual(room, user)),
        1 => (room.clone(), 0..2_u8).prop_map(|(room, n)| Step::AddExternal(room, n)),
        1 => which.clone().prop_map(Step::MakeManual),
        2 => which.clone().prop_map(Step::End),
        1 => which.clone().prop_map(Step::Approve),
        1 => which.clone().prop_map(Step::Reject),
        1 => (room, user).prop_map(|(room, user)| Step::Suggest(room, user)),
        3 => which.clone().prop_map(Step::Restore),
        2 => which.prop_map(Step::Undo),
        2 => (1..30_u64).prop_map(Step::Wait),
    ]
}

/// A deployment and the model of it.
pub(super) struct Play {
    pub(super) world: World,
    pub(super) model: Model,
    pub(super) rooms: Vec<RoomId>,
}

impl Play {
    pub(super) async fn new(reactivation: Reactivation, brake: bool) -> Self {
        let mut rules = Policy {
            brake: BrakePolicy {
                enabled: brake,
                endings: 1,
                ..BrakePolicy::default()
            },
            ..policy()
        };
        for source in rules.sources.values_mut() {
            source.reactivation = reactivation;
        }
        let world = World::with(rules).await;
        let mut rooms = Vec::new();
        for n in 0..ROOMS {
            rooms.push(world.room(&format!("Room {n}")).await);
        }
        let mut model = Model::new(reactivation);
        for n in 0..GROUPS {
            model
                .groups
                .insert(n, world.group(&format!("Group {n}"), &[]).await);
        }
        Self { world, model, rooms }
    }

    /// A deployment in use: all but one of the users are in a group, and each room has one.
    pub(super) async fn busy(reactivation: Reactivation, brake: bool) -> Self {
        let mut play = Self::new(reactivation, brake).await;
        for place in 0..USERS - 1 {
            play.take(&Step::Create(place)).await;
        }
        for step in [
            Step::Add(0, 0b0_0111),
            Step::Add(1, 0b0_1110),
            Step::Map(0, 0, 0, Rejoin::Ask),
            Step::Map(1, 1, 1, Rejoin::Auto),
        ] {
            play.take(&step).await;
        }
        play
    }

    /// Does one step. A refusal is an answer; anything else that goes wrong fails the test.
    pub(super) async fn take(&mut self, step: &Step) {
        match *step {
            Step::Create(place) => self.create(place).await,
            Step::SetActive(place, active) => {
                if let Some(user) = self.model.users.get(&place) {
                    self.world.set_active(user.account, active).await;
                    self.model.set_active(place, active);
                }
            }
            Step::SetOwn(place, own) => {
                if let Some(user) = self.model.users.get(&place) {
                    let domain = if own { "contoso.com" } else { "private.example" };
                    let address = format!("u{place}@{domain}");
                    self.world
                        .change(user.account, move |data| data.emails = vec![address.clone()])
                        .await;
                    self.model.set_own(place, own);
                }
            }
            Step::Delete(place) => {
                if let Some(user) = self.model.users.get(&place) {
                    self.world.delete_user(user.account).await;
                    self.model.deleted(place);
                }
            }
            Step::Add(..) | Step::Remove(..) | Step::Replace(..) | Step::DeleteGroup(_) => {
                self.push_group(step).await;
            }
            Step::Map(place, room, level, rejoin) => self.map(place, room, level, rejoin).await,
            Step::Retire(n) => self.retire(n).await,
            Step::Archive(room) => {
                let room = self.rooms[room];
                answered(
                    self.world
                        .hand(move |unit| Box::pin(async move { unit.archive_room(room).await }))
                        .await,
                );
            }
            Step::Reopen(room) => {
                let room = self.rooms[room];
                answered(
                    self.world
                        .hand(move |unit| Box::pin(async move { unit.reopen_room(room).await }))
                        .await,
                );
            }
            Step::Level(..) | Step::Grant(..) | Step::MakeManual(_) | Step::End(_) => {
                self.by_hand(step).await;
            }
            Step::AddManual(room, place) => {
                if let Some(user) = self.model.users.get(&place) {
                    self.add(room, Who::Person(user.account.person)).await;
                }
            }
            Step::AddExternal(room, n) => {
                self.add(room, Who::Email(format!("guest{n}@fabrikam.example")))
                    .await;
            }
            Step::Approve(n) | Step::Reject(n) => self.decide_hold(n, matches!(step, Step::Approve(_))).await,
            Step::Suggest(room, place) => self.suggest(room, place).await,
            Step::Restore(n) => self.restore(n).await,
            Step::Undo(n) => self.undo(n).await,
            Step::Wait(hours) => {
                self.world.wait(hours * 3600);
                self.world.engine.run_due(100).await.unwrap();
            }
        }
    }

    async fn create(&mut self, place: usize) {
        if self.model.users.contains_key(&place) {
            return;
        }
        let account = self.world.user_of(user_data(&format!("u{place}"))).await;
        self.model.created(place, account);
    }

    async fn push_group(&mut self, step: &Step) {
        let (Step::Add(place, _)
        | Step::Remove(place, _)
        | Step::Replace(place, _)
        | Step::DeleteGroup(place)) = *step
        else {
            return;
        };
        let Some(group) = self.model.groups.get(&place).copied() else {
            return;
        };
        match *step {
            Step::Add(_, mask) => {
                let picked = self.model.picked(mask);
                self.world.add(group, &picked).await;
                self.model.added(group, &picked);
            }
            Step::Remove(_, mask) => {
                let picked = self.model.picked(mask);
                self.world.remove(group, &picked).await;
                self.model.removed(group, &picked);
            }
            Step::Replace(_, mask) => {
                let picked = self.model.picked(mask);
                self.world
                    .members(group, MembersChange::Replace(named(&picked)))
                    .await;
                self.model.replaced(group, &picked);
            }
            _ => {
                self.world.delete_group(group).await;
                self.model.group_deleted(place);
            }
        }
    }

    async fn map(&mut self, place: usize, room: usize, level: usize, rejoin: Rejoin) {
        let Some(group) = self.model.groups.get(&place).copied() else {
            return;
        };
        let room = self.rooms[room];
        let mapped = self.model.mappings.values().any(|known| *known == (group, room));
        if mapped || self.archived(room).await {
            return;
        }
        let terms = Terms {
            level: LEVELS[level],
            rejoin,
            days: Some(3),
        };
        let mapping = self.world.map_with(group, room, terms).await;
        self.model.mappings.insert(mapping, (group, room));
    }

    async fn retire(&mut self, n: usize) {
        let Some(mapping) = pick(
            &self.model.mappings.keys().copied().collect::<Vec<MappingId>>(),
            n,
        ) else {
            return;
        };
        let digest = self
            .world
            .engine
            .plan_retire_mapping(mapping)
            .await
            .map(|plan| plan.digest);
        let Some(digest) = answered(digest) else { return };
        let done = self
            .world
            .hand(move |unit| {
                let digest = digest.clone();
                Box::pin(async move { unit.retire_mapping(mapping, &digest).await })
            })
            .await;
        if answered(done).is_some() {
            self.model.mappings.remove(&mapping);
        }
    }

    async fn by_hand(&self, step: &Step) {
        let mut active = Vec::new();
        for room in &self.rooms {
            active.extend(self.world.inside(*room).await);
        }
        match *step {
            Step::Level(n, level) => {
                if let Some(membership) = pick(&active, n) {
                    answered(self.world.give_level(membership.id, LEVELS[level]).await);
                }
            }
            Step::Grant(n, thing) => {
                if let Some(MembershipRow { id, .. }) = pick(&active, n) {
                    let data = GrantData {
                        kind: "meeting".into(),
                        reference: format!("m-{thing}"),
                        label: "Meeting".into(),
                    };
                    let result = self.world.hand(move |unit| {
                        let data = data.clone();
                        Box::pin(async move { unit.write_grant(id, &data).await })
                    });
                    answered(result.await);
                }
            }
            Step::MakeManual(n) => {
                if let Some(MembershipRow { id, .. }) = pick(&active, n) {
                    let ask = MakeManual {
                        owner: "olga".into(),
                        reason: "assistant".into(),
                        level: None,
                        until: None,
                    };
                    let result = self.world.hand(move |unit| {
                        let ask = ask.clone();
                        Box::pin(async move { unit.make_manual(id, &ask).await })
                    });
                    answered(result.await);
                }
            }
            _ => {
                let Step::End(n) = *step else { return };
                if let Some(membership) = pick(&active, n) {
                    answered(self.world.end(membership.id).await);
                }
            }
        }
    }

    async fn add(&self, room: usize, who: Who) {
        let until = self
            .world
            .engine
            .now()
            .plus(std::time::Duration::from_secs(20 * 3600));
        let ask = AddManual {
            room: self.rooms[room],
            who,
            display_name: None,
            level: "guest".into(),
            owner: "olga".into(),
            reason: "advice".into(),
            until: (room == 0).then_some(until),
        };
        let result = self.world.hand(move |unit| {
            let ask = ask.clone();
            Box::pin(async move { unit.add_manual(&ask).await })
        });
        answered(result.await);
    }

    async fn decide_hold(&self, n: usize, approve: bool) {
        let rooms = self.rooms.clone();
        let open: Vec<HoldRow> = self
            .world
            .read(move |tx| {
                let rooms = rooms.clone();
                Box::pin(async move {
                    let mut open = Vec::new();
                    for room in rooms {
                        open.extend(query::hold::open_in_room(tx, room, HoldKind::Endings).await?);
                    }
                    Ok(open)
                })
            })
            .await;
        let Some(HoldRow { id, .. }) = pick(&open, n) else {
            return;
        };
        let view = self
            .world
            .read(move |tx| {
                Box::pin(async move { usher_engine::hold::view(tx, id, usher_engine::hold::EVERYBODY).await })
            })
            .await;
        let result = self.world.hand(move |unit| {
            let digest = view.digest.clone();
            Box::pin(async move {
                if approve {
                    unit.approve_hold(id, &digest).await
                } else {
                    unit.reject_hold(id, &digest).await
                }
            })
        });
        answered(result.await);
    }

    async fn suggest(&self, room: usize, place: usize) {
        let Some(user) = self.model.users.get(&place) else {
            return;
        };
        let (room, person) = (self.rooms[room], user.account.person);
        let result = self.world.hand(move |unit| {
            let ask = SuggestRestore {
                who: Who::Person(person),
                room,
                removed: None,
                returned: None,
            };
            Box::pin(async move { unit.suggest_restore(ask).await })
        });
        answered(result.await);
    }

    pub(super) async fn restores(&self) -> Vec<RestoreRow> {
        self.world
            .read(|tx| Box::pin(async move { Ok(query::restore::page(tx, false, None, 1000).await?) }))
            .await
    }

    async fn restore(&self, n: usize) {
        let mut open = self.restores().await;
        open.retain(|restore| restore.state == RestoreState::Suggested);
        let Some(RestoreRow { id, .. }) = pick(&open, n) else {
            return;
        };
        let suggestion = self
            .world
            .read(move |tx| Box::pin(async move { usher_engine::restore::suggestion(tx, id).await }))
            .await;
        let Some(candidate) = pick(&suggestion.candidates, n) else {
            return;
        };
        let (candidate, engine) = (candidate.membership.id, self.world.engine.clone());
        let shown = self
            .world
            .engine
            .read(move |tx| {
                let engine = engine.clone();
                Box::pin(async move {
                    let policy = engine.policy(tx).await?;
                    plan(tx, &policy, engine.now(), id, Some(candidate)).await
                })
            })
            .await;
        let Some(shown) = answered(shown) else { return };
        let choices = Choices {
            level: (!shown.level.valid).then(|| "restricted_user".to_owned()),
            confirm_level: true,
            drop: shown.gained.iter().take(n % 2).map(|grant| grant.id).collect(),
        };
        let result = self.world.hand(move |unit| {
            let (choices, digest) = (choices.clone(), shown.digest.clone());
            Box::pin(async move { unit.apply_restore(id, candidate, &choices, &digest).await })
        });
        answered(result.await);
    }

    async fn undo(&self, n: usize) {
        let mut applied = self.restores().await;
        applied.retain(|restore| restore.state == RestoreState::Applied);
        let Some(RestoreRow { id, .. }) = pick(&applied, n) else {
            return;
        };
        let result = self
            .world
            .hand(move |unit| Box::pin(async move { unit.undo_restore(id).await }));
        answered(result.await);
    }

    pub(super) async fn archived(&self, room: RoomId) -> bool {
        self.world.room_row(room).await.state == usher_core::RoomState::Archived
    }

    /// Everybody who may be in a room: those with accounts, and those who are in one.
    pub(super) async fn people(&self) -> Vec<usher_core::PersonId> {
        let mut people = self.model.known.clone();
        for room in &self.rooms {
            people.extend(self.world.inside(*room).await.iter().map(|member| member.person));
        }
        people.into_iter().collect()
    }
}

/// The result of a step; a refusal is an answer too.
fn answered<T>(result: Result<T, EngineError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(EngineError::Storage(error)) => panic!("the database failed: {error}"),
        Err(_) => None,
    }
}

fn pick<T: Clone>(from: &[T], n: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[n % from.len()].clone())
}

/// Whether a source owns the membership's presence.
pub(super) fn managed(membership: &MembershipRow) -> bool {
    membership.kind == MembershipKind::Managed
}
