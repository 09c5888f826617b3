//! A person back.

use std::collections::BTreeSet;

use usher_core::{
    EndReason, GrantId, MembershipId, MembershipKind, PersonId, RestoreId, RestoreState, RoomId, RoomState,
    SourceGroupId, StartReason,
};
use usher_engine::grant::GrantData;
use usher_engine::person::Who;
use usher_engine::restore::{Choices, RestorePlan, SuggestRestore, Suggestion, Undone, plan, suggestion};
use usher_engine::{EngineError, EventKind};
use usher_storage::query;
use usher_storage::query::grant::GrantRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::restore::RestoreRow;

use crate::world::{Account, Terms, World, refused, user_data};

/// Anna was in the board room as an ordinary user, was removed, and is back.
pub(crate) struct Return {
    pub(crate) world: World,
    pub(crate) room: RoomId,
    pub(crate) group: SourceGroupId,
    pub(crate) anna: Account,
    pub(crate) former: MembershipRow,
    pub(crate) present: MembershipRow,
}

impl Return {
    async fn new() -> Self {
        Self::with(Terms::default()).await
    }

    pub(crate) async fn with(terms: Terms) -> Self {
        let world = World::new().await;
        let anna = world.user("anna").await;
        let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
        world.map_with(group, room, terms).await;
        let former = world.member(room, anna.person).await.unwrap();
        world.give_level(former.id, "user").await.unwrap();
        world.grant(former.id, "meeting", "m-1").await;
        world.wait(60);
        world.remove(group, &[anna]).await;
        let former = world.membership(former.id).await;
        world.wait(60);
        world.add(group, &[anna]).await;
        let present = world.member(room, anna.person).await.unwrap();
        Self {
            world,
            room,
            group,
            anna,
            former,
            present,
        }
    }

    async fn restore(&self) -> RestoreId {
        self.world
            .suggested(self.room, self.anna.person)
            .await
            .unwrap()
            .id
    }

    fn yes() -> Choices {
        Choices {
            confirm_level: true,
            ..Choices::default()
        }
    }

    async fn restored(&self) -> RestoreId {
        let id = self.restore().await;
        self.world.restore(id, self.former.id, Self::yes()).await.unwrap();
        id
    }
}

impl World {
    async fn grant(&self, membership: MembershipId, kind: &str, reference: &str) -> GrantRow {
        let data = GrantData {
            kind: kind.into(),
            reference: reference.into(),
            label: reference.into(),
        };
        self.hand(move |unit| {
            let data = data.clone();
            Box::pin(async move { unit.write_grant(membership, &data).await })
        })
        .await
        .unwrap()
    }

    pub(crate) async fn grants(&self, membership: MembershipId) -> Vec<String> {
        let grants: Vec<GrantRow> = self
            .read(move |tx| {
                Box::pin(async move { Ok(query::grant::of_memberships(tx, [membership], false).await?) })
            })
            .await;
        grants.into_iter().map(|grant| grant.reference).collect()
    }

    pub(crate) async fn suggested(&self, room: RoomId, person: PersonId) -> Option<RestoreRow> {
        self.read(move |tx| Box::pin(async move { Ok(query::restore::suggested(tx, room, person).await?) }))
            .await
    }

    async fn suggestion(&self, id: RestoreId) -> Suggestion {
        self.read(move |tx| Box::pin(async move { suggestion(tx, id).await }))
            .await
    }

    pub(crate) async fn plan(
        &self,
        id: RestoreId,
        candidate: Option<MembershipId>,
    ) -> Result<RestorePlan, EngineError> {
        let engine = self.engine.clone();
        self.engine
            .read(move |tx| {
                let engine = engine.clone();
                Box::pin(async move {
                    let policy = engine.policy(tx).await?;
                    plan(tx, &policy, engine.now(), id, candidate).await
                })
            })
            .await
    }

    async fn apply(
        &self,
        id: RestoreId,
        candidate: MembershipId,
        choices: Choices,
        digest: String,
    ) -> Result<MembershipRow, EngineError> {
        self.hand(move |unit| {
            let (choices, digest) = (choices.clone(), digest.clone());
            Box::pin(async move { unit.apply_restore(id, candidate, &choices, &digest).await })
        })
        .await
    }

    async fn restore(
        &self,
        id: RestoreId,
        candidate: MembershipId,
        choices: Choices,
    ) -> Result<MembershipRow, EngineError> {
        let digest = self.plan(id, Some(candidate)).await?.digest;
        self.apply(id, candidate, choices, digest).await
    }

    async fn undo(&self, id: RestoreId) -> Result<Undone, EngineError> {
        self.hand(move |unit| Box::pin(async move { unit.undo_restore(id).await }))
            .await
    }

    pub(crate) async fn suggest(&self, room: RoomId, who: Who) -> Result<Suggestion, EngineError> {
        self.hand(move |unit| {
            let ask = SuggestRestore {
                who: who.clone(),
                room,
                removed: None,
                returned: None,
            };
            Box::pin(async move { unit.suggest_restore(ask).await })
        })
        .await
    }

    async fn restore_row(&self, id: RestoreId) -> RestoreRow {
        let row: Option<RestoreRow> = self
            .read(move |tx| Box::pin(async move { Ok(query::restore::by_id(tx, id).await?) }))
            .await;
        row.unwrap()
    }
}

#[tokio::test]
async fn a_return_suggests_the_former_membership_with_all_that_it_brings_back() {
    let back = Return::new().await;
    let suggestion = back.world.suggestion(back.restore().await).await;
    assert_eq!(suggestion.present.id, back.present.id);
    assert_eq!(suggestion.best, Some(back.former.id));
    let [candidate] = suggestion.candidates.as_slice() else {
        panic!("one candidate")
    };
    assert!(candidate.same_identity);
    assert_eq!(candidate.membership.level, "user");
    assert_eq!(candidate.membership.end_reason, Some(EndReason::Removed));
    assert_eq!(candidate.periods.len(), 1);
    assert_eq!(candidate.grants[0].reference, "m-1");
    assert_eq!(back.world.events(EventKind::RestoreSuggested).await.len(), 1);
}

#[tokio::test]
async fn a_first_arrival_suggests_nothing() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    assert_eq!(world.suggested(room, anna.person).await, None);
}

#[tokio::test]
async fn restoring_swaps_the_two_memberships_in_one_unit_and_one_event() {
    let back = Return::new().await;
    back.world.grant(back.present.id, "task", "t-1").await;
    let before = back.world.all_events().await.len();
    let restored = back
        .world
        .restore(back.restore().await, back.former.id, Return::yes())
        .await
        .unwrap();
    assert_eq!(restored.id, back.former.id);
    assert!(restored.active);
    assert_eq!(restored.kind, MembershipKind::Managed);
    assert_eq!(restored.level, "user");
    assert_eq!(
        back.world.end_reason(back.present.id).await,
        Some(EndReason::Superseded)
    );
    let periods = back.world.periods(back.former.id).await;
    assert_eq!(periods[1].from_reason, StartReason::Restored);
    assert_eq!(back.world.grants(back.former.id).await, ["m-1", "t-1"]);
    let told = back.world.all_events().await.split_off(before);
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, [EventKind::MembershipRestored.as_str()]);
    assert_eq!(back.world.inside(back.room).await.len(), 1);
}

#[tokio::test]
async fn each_item_may_be_dropped() {
    let back = Return::new().await;
    let gained = back.world.grant(back.present.id, "task", "t-1").await;
    back.world.grant(back.present.id, "task", "t-2").await;
    let choices = Choices {
        drop: BTreeSet::from([gained.id]),
        ..Return::yes()
    };
    back.world
        .restore(back.restore().await, back.former.id, choices)
        .await
        .unwrap();
    assert_eq!(back.world.grants(back.former.id).await, ["m-1", "t-2"]);
}

#[tokio::test]
async fn a_strangers_grant_cannot_be_dropped() {
    let back = Return::new().await;
    let choices = Choices {
        drop: BTreeSet::from([GrantId::from_uuid(back.room.as_uuid())]),
        ..Return::yes()
    };
    let result = back
        .world
        .restore(back.restore().await, back.former.id, choices)
        .await;
    assert!(
        matches!(result, Err(EngineError::Invalid { field: "drop", .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_thing_that_both_memberships_have_is_kept_once() {
    let back = Return::new().await;
    back.world.grant(back.present.id, "meeting", "m-1").await;
    let id = back.restored().await;
    assert_eq!(back.world.grants(back.former.id).await, ["m-1"]);
    back.world.undo(id).await.unwrap();
    assert_eq!(back.world.grants(back.former.id).await, ["m-1"]);
    assert_eq!(back.world.grants(back.present.id).await, ["m-1"]);
}

#[tokio::test]
async fn a_plan_is_refused_when_something_was_gained_since_it_was_shown() {
    let back = Return::new().await;
    let id = back.restore().await;
    let digest = back.world.plan(id, None).await.unwrap().digest;
    back.world.grant(back.present.id, "task", "t-1").await;
    let result = back.world.apply(id, back.former.id, Return::yes(), digest).await;
    let Err(EngineError::PlanChanged { digest }) = result else {
        panic!("{result:?}")
    };
    back.world
        .apply(id, back.former.id, Return::yes(), digest)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_level_above_the_present_one_has_to_be_confirmed() {
    let back = Return::new().await;
    let id = back.restore().await;
    let plan = back.world.plan(id, None).await.unwrap();
    assert!(plan.level.above && plan.level.valid);
    let silent = back.world.restore(id, back.former.id, Choices::default()).await;
    assert_eq!(refused(silent), "level_not_confirmed");
    let lower = Choices {
        level: Some("restricted_user".into()),
        ..Choices::default()
    };
    let restored = back.world.restore(id, back.former.id, lower).await.unwrap();
    assert_eq!(restored.level, "restricted_user");
}

#[tokio::test]
async fn a_level_that_no_longer_exists_is_asked_for() {
    let back = Return::new().await;
    let former = back.former.clone();
    back.world
        .hand(move |unit| {
            let row = MembershipRow {
                level: "vanished".into(),
                ..former.clone()
            };
            Box::pin(async move { Ok(query::membership::update(unit.tx(), &row).await?) })
        })
        .await
        .unwrap();
    let id = back.restore().await;
    assert!(!back.world.plan(id, None).await.unwrap().level.valid);
    let result = back.world.restore(id, back.former.id, Return::yes()).await;
    assert_eq!(refused(result), "level_invalid");
    let valid = Choices {
        level: Some("user".into()),
        ..Return::yes()
    };
    assert_eq!(
        back.world.restore(id, back.former.id, valid).await.unwrap().level,
        "user"
    );
}

/// Takes Anna's claim to the room away while her membership stays, as a rejected hold leaves it, so that only
/// the restore's own guard stands between her and her former membership.
async fn keep_as_stray(back: &Return) {
    let present = back.present.id;
    back.world
        .hand(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let stray = Some(usher_core::Stray::Imported);
                Ok(query::membership::mark_stray(unit.tx(), &[present], stray, None, now).await?)
            })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_is_restored_while_the_person_is_out_of_the_group() {
    let back = Return::new().await;
    let id = back.restore().await;
    let digest = back.world.plan(id, None).await.unwrap().digest;
    keep_as_stray(&back).await;
    back.world.remove(back.group, &[back.anna]).await;
    let plan = back.world.plan(id, None).await.unwrap();
    assert_eq!(plan.refusal.unwrap().code, "not_in_group");
    let result = back.world.apply(id, back.former.id, Return::yes(), digest).await;
    assert_eq!(refused(result), "not_in_group");
}

#[tokio::test]
async fn nothing_is_restored_by_another_rooms_group() {
    let back = Return::new().await;
    let id = back.restore().await;
    let other = back.world.room("Audit").await;
    let group = back.world.group("Audit", &[back.anna]).await;
    back.world.map(group, other).await;
    keep_as_stray(&back).await;
    back.world.remove(back.group, &[back.anna]).await;
    let result = back.world.restore(id, back.former.id, Return::yes()).await;
    assert_eq!(refused(result), "other_rooms_group");
}

#[tokio::test]
async fn an_inactive_person_has_nothing_to_restore() {
    let back = Return::new().await;
    let id = back.restore().await;
    back.world.set_active(back.anna, false).await;
    let closed = back.world.restore_row(id).await;
    assert_eq!(closed.state, RestoreState::Closed);
    let result = back
        .world
        .suggest(back.room, Who::Email("Anna@Contoso.com".into()))
        .await;
    assert_eq!(refused(result), "account_inactive");
    let result = back.world.plan(id, Some(back.former.id)).await;
    assert_eq!(refused(result), "restore_over");
}

#[tokio::test]
async fn the_plan_says_how_fresh_the_knowledge_is() {
    let back = Return::new().await;
    let plan = back.world.plan(back.restore().await, None).await.unwrap();
    assert_eq!(plan.refusal, None);
    let [fresh] = plan.freshness.as_slice() else {
        panic!("one source")
    };
    assert_eq!((fresh.source.as_str(), fresh.mode.as_str()), ("idp", "push"));
    assert_eq!(fresh.group_changed, Some(back.present.started));
}

#[tokio::test]
async fn an_archived_room_restores_nothing() {
    let back = Return::new().await;
    let id = back.restore().await;
    back.world.set_room_state(back.room, RoomState::Archived).await;
    let plan = back.world.plan(id, None).await.unwrap();
    assert_eq!(plan.refusal.unwrap().code, "room_archived");
    let result = back
        .world
        .apply(id, back.former.id, Return::yes(), plan.digest)
        .await;
    assert_eq!(refused(result), "room_archived");
}

#[tokio::test]
async fn with_two_former_memberships_a_human_chooses() {
    let back = Return::new().await;
    back.world.wait(7 * 24 * 3600);
    back.world.remove(back.group, &[back.anna]).await;
    back.world.add(back.group, &[back.anna]).await;
    let id = back.restore().await;
    let suggestion = back.world.suggestion(id).await;
    let found: Vec<_> = suggestion
        .candidates
        .iter()
        .map(|candidate| candidate.membership.id)
        .collect();
    assert_eq!(found, [back.present.id, back.former.id]);
    assert_eq!(suggestion.best, None);
    assert_eq!(refused(back.world.plan(id, None).await), "candidate_not_chosen");
    let removed = back.former.ended;
    let (room, person) = (back.room, back.anna.person);
    let told = back
        .world
        .hand(move |unit| {
            let ask = SuggestRestore {
                who: Who::Person(person),
                room,
                removed,
                returned: None,
            };
            Box::pin(async move { unit.suggest_restore(ask).await })
        })
        .await
        .unwrap();
    assert_eq!(told.restore.id, id);
    assert_eq!(told.best, Some(back.former.id));
    back.world
        .restore(id, back.former.id, Return::yes())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_same_address_with_a_new_id_is_only_a_maybe_and_moves_when_restored() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[old]).await);
    world.map(group, room).await;
    let former = world.member(room, old.person).await.unwrap();
    world.delete_user(old).await;
    let new = world
        .user_of(usher_engine::UserData {
            external_id: Some("another-id".into()),
            ..user_data("anna")
        })
        .await;
    assert_ne!(new.person, old.person);
    world.add(group, &[new]).await;
    let id = world.suggested(room, new.person).await.unwrap().id;
    let suggestion = world.suggestion(id).await;
    assert!(!suggestion.candidates[0].same_identity);
    let restored = world.restore(id, former.id, Choices::default()).await.unwrap();
    assert_eq!((restored.person, restored.user), (new.person, Some(new.id)));
    let undone = world.undo(id).await.unwrap();
    assert_eq!(undone.former.person, old.person);
    assert_eq!(undone.present.unwrap().person, new.person);
}

#[tokio::test]
async fn the_same_immutable_id_is_the_same_person() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[old]).await);
    world.map(group, room).await;
    world.delete_user(old).await;
    let new = world.user("anna").await;
    assert_eq!(new.person, old.person);
    assert_ne!(new.id, old.id);
    world.add(group, &[new]).await;
    let id = world.suggested(room, new.person).await.unwrap().id;
    assert!(world.suggestion(id).await.candidates[0].same_identity);
}

#[tokio::test]
async fn undoing_puts_everything_back() {
    let back = Return::new().await;
    let gained = back.world.grant(back.present.id, "task", "t-1").await;
    let lost = back.world.grant(back.present.id, "task", "t-2").await;
    let id = back.restore().await;
    let choices = Choices {
        drop: BTreeSet::from([lost.id]),
        ..Return::yes()
    };
    back.world.restore(id, back.former.id, choices).await.unwrap();
    back.world.wait(5);
    back.world.grant(back.former.id, "task", "t-3").await;
    let before = back.world.all_events().await.len();
    let undone = back.world.undo(id).await.unwrap();
    let told = back.world.all_events().await.split_off(before);
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, [EventKind::MembershipRestoreUndone.as_str()]);
    assert_eq!(undone.present.unwrap().id, back.present.id);
    assert_eq!(undone.former.end_reason, Some(EndReason::RestoreUndone));
    assert_eq!(back.world.grants(back.former.id).await, ["m-1"]);
    let mut present = back.world.grants(back.present.id).await;
    present.sort();
    assert_eq!(present, ["t-1", "t-2", "t-3"]);
    assert_eq!(gained.membership, back.present.id);
    assert_eq!(refused(back.world.undo(id).await), "restore_not_applied");
    let periods = back.world.periods(back.present.id).await;
    assert_eq!(periods[1].from_reason, StartReason::RestoreUndone);
}

#[tokio::test]
async fn undoing_after_the_person_was_removed_again_brings_nobody_in() {
    let back = Return::new().await;
    let id = back.restored().await;
    back.world.remove(back.group, &[back.anna]).await;
    assert_eq!(
        back.world.end_reason(back.former.id).await,
        Some(EndReason::Removed)
    );
    let undone = back.world.undo(id).await.unwrap();
    assert_eq!(undone.present, None);
    assert_eq!(back.world.inside(back.room).await, []);
    assert_eq!(back.world.restore_row(id).await.state, RestoreState::Undone);
}

#[tokio::test]
async fn undoing_while_nobody_asks_for_the_person_ends_both() {
    let back = Return::new().await;
    let id = back.restored().await;
    let former = back.former.id;
    back.world
        .hand(move |unit| {
            Box::pin(async move {
                let now = unit.now();
                let stray = Some(usher_core::Stray::HoldRejected);
                Ok(query::membership::mark_stray(unit.tx(), &[former], stray, None, now).await?)
            })
        })
        .await
        .unwrap();
    back.world.remove(back.group, &[back.anna]).await;
    assert!(back.world.membership(former).await.active);
    let undone = back.world.undo(id).await.unwrap();
    assert_eq!(undone.present, None);
    assert_eq!(undone.former.end_reason, Some(EndReason::RestoreUndone));
    assert_eq!(back.world.inside(back.room).await, []);
}

#[tokio::test]
async fn undoing_is_refused_when_the_person_left_and_came_back_since() {
    let back = Return::new().await;
    let id = back.restored().await;
    back.world.remove(back.group, &[back.anna]).await;
    back.world.add(back.group, &[back.anna]).await;
    assert_eq!(refused(back.world.undo(id).await), "came_back_since");
}

#[tokio::test]
async fn sync_ends_a_restored_membership() {
    let back = Return::new().await;
    back.restored().await;
    back.world.remove(back.group, &[back.anna]).await;
    let ended = back.world.membership(back.former.id).await;
    assert!(!ended.active);
    assert_eq!(ended.end_reason, Some(EndReason::Removed));
    assert_eq!(back.world.periods(back.former.id).await.len(), 2);
}

#[tokio::test]
async fn a_suggestion_closes_when_the_person_is_removed_again() {
    let back = Return::new().await;
    let id = back.restore().await;
    back.world.remove(back.group, &[back.anna]).await;
    let row = back.world.restore_row(id).await;
    assert_eq!(row.state, RestoreState::Closed);
    assert_eq!(
        row.closing_reason.as_deref(),
        Some("the membership ended: removed")
    );
    assert_eq!(back.world.events(EventKind::RestoreClosed).await.len(), 1);
}

#[tokio::test]
async fn a_suggestion_nobody_wants_is_closed_by_hand_once() {
    let back = Return::new().await;
    let id = back.restore().await;
    for _ in 0..2 {
        let row = back
            .world
            .hand(move |unit| Box::pin(async move { unit.close_restore(id).await }))
            .await
            .unwrap();
        assert_eq!(row.state, RestoreState::Closed);
    }
    assert_eq!(back.world.events(EventKind::RestoreClosed).await.len(), 1);
}

#[tokio::test]
async fn somebody_who_was_never_here_has_nothing_to_restore() {
    let back = Return::new().await;
    let ben = back.world.user("ben").await;
    back.world.add(back.group, &[ben]).await;
    let result = back.world.suggest(back.room, Who::Person(ben.person)).await;
    assert_eq!(refused(result), "no_former_membership");
}
