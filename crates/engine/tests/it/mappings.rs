//! Mappings: shown as a plan, confirmed as exactly that plan, replaced and retired.

use usher_core::{
    EndReason, GroupNaming, MappingId, MappingState, MemberKind, Rejoin, RoomId, SourceGroupId, Stray,
};
use usher_engine::mapping::{Complete, GroupRef, MappingChange, MappingPlan, NewMapping, Settled, Terms};
use usher_engine::plan::Outcome;
use usher_engine::{EngineError, EventKind, GroupData, MemberName, MembersChange, UserData};
use usher_storage::query::mapping::MappingRow;

use crate::world::{Account, World, by_hand, named, refused, user_data};

impl World {
    pub(crate) fn group_ref(&self, group: &(impl ToString + ?Sized), named_by: GroupNaming) -> GroupRef {
        GroupRef {
            source: self.source,
            group: group.to_string(),
            named_by,
        }
    }

    pub(crate) async fn propose(&self, room: RoomId, group: GroupRef) -> Result<MappingRow, EngineError> {
        self.propose_with(room, group, Terms::default(), false).await
    }

    async fn propose_with(
        &self,
        room: RoomId,
        group: GroupRef,
        terms: Terms,
        additional: bool,
    ) -> Result<MappingRow, EngineError> {
        self.hand(move |unit| {
            let new = NewMapping {
                room,
                group: group.clone(),
                terms: terms.clone(),
                additional,
            };
            Box::pin(async move { unit.create_mapping(new).await })
        })
        .await
    }

    pub(crate) async fn show(&self, mapping: MappingId) -> MappingPlan {
        self.engine.plan_mapping(mapping).await.unwrap()
    }

    pub(crate) async fn confirm_plan(
        &self,
        mapping: MappingId,
        digest: &str,
    ) -> Result<Settled, EngineError> {
        let digest = digest.to_owned();
        self.hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.confirm_mapping(mapping, &digest).await })
        })
        .await
    }

    async fn retire(&self, mapping: MappingId, digest: &str) -> Result<Settled, EngineError> {
        let digest = digest.to_owned();
        self.hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.retire_mapping(mapping, &digest).await })
        })
        .await
    }

    async fn replace(
        &self,
        mapping: MappingId,
        group: GroupRef,
        digest: &str,
    ) -> Result<Settled, EngineError> {
        let digest = digest.to_owned();
        self.hand(move |unit| {
            let (digest, group) = (digest.clone(), group.clone());
            Box::pin(async move {
                unit.replace_mapping(mapping, group, Terms::default(), &digest)
                    .await
            })
        })
        .await
    }

    async fn bind(&self, mapping: MappingId, group: SourceGroupId) -> Result<MappingRow, EngineError> {
        self.hand(move |unit| Box::pin(async move { unit.bind_mapping(mapping, group).await }))
            .await
    }
}

fn changed_digest(result: Result<Settled, EngineError>) -> String {
    match result {
        Err(EngineError::PlanChanged { digest }) => digest,
        other => panic!("expected a changed plan, got {other:?}"),
    }
}

#[tokio::test]
async fn a_plan_shows_who_joins_and_who_is_parked_and_why() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let anna = world.user("anna").await;
    let external = world
        .user_of(UserData {
            emails: vec!["eve@fabrikam.example".into()],
            ..user_data("eve")
        })
        .await;
    let private = world
        .user_of(UserData {
            emails: vec!["paul@gmail.example".into()],
            ..user_data("paul")
        })
        .await;
    let guest = world
        .user_of(UserData {
            user_name: "gus_fabrikam.com#EXT#@contoso.com".into(),
            ..user_data("gus")
        })
        .await;
    let no_address = world
        .user_of(UserData {
            user_name: "robot".into(),
            emails: Vec::new(),
            ..user_data("robot")
        })
        .await;
    let inactive = world.user("ina").await;
    let twin = world
        .user_of(UserData {
            user_name: "anna2".into(),
            external_id: None,
            ..user_data("anna")
        })
        .await;
    let everybody = [anna, external, private, guest, no_address, inactive, twin];
    let group = world.group("Board", &everybody).await;
    world.set_active(inactive, false).await;
    let nested = world.group("Nested", &[]).await;
    let strangers = vec![
        MemberName {
            value: "not-known-yet".into(),
            kind: None,
        },
        MemberName {
            value: nested.to_string(),
            kind: Some(MemberKind::Group),
        },
    ];
    world.members(group, MembersChange::Add(strangers)).await;

    let mapping = world
        .propose(room, world.group_ref(&group, GroupNaming::Id))
        .await
        .unwrap();
    assert_eq!(
        (mapping.group, mapping.state),
        (Some(group), MappingState::Pending)
    );
    let plan = world.show(mapping.id).await;
    let count = |outcome| plan.people.count(outcome);
    assert_eq!(count(Outcome::Joins), 1);
    assert_eq!(count(Outcome::ForeignDomain), 2);
    assert_eq!(count(Outcome::Guest), 1);
    assert_eq!(count(Outcome::NoAddress), 1);
    assert_eq!(count(Outcome::Inactive), 1);
    assert_eq!(count(Outcome::SameAddress), 1);
    assert_eq!(plan.people.parked(), 6);
    assert_eq!(plan.people.first(Outcome::Guest)[0].person, guest.person);
    let news = plan.group.as_ref().unwrap();
    assert_eq!((news.pending, news.nested_groups, news.members), (1, 1, 9));
    assert_eq!((news.guests, news.out_of_scope, news.inactive), (1, 3, 1));

    let settled = world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    assert_eq!(settled.complete, Complete::Now);
    assert_eq!(settled.mapping.state, MappingState::Confirmed);
    let inside = world.inside(room).await;
    assert_eq!(inside.len(), 1);
    assert_eq!(inside[0].person, plan.people.first(Outcome::Joins)[0].person);
}

#[tokio::test]
async fn a_plan_that_the_directory_overtook_is_not_confirmed() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let (anna, bob) = (world.user("anna").await, world.user("bob").await);
    let group = world.group("Board", &[anna]).await;
    let mapping = world
        .propose(room, world.group_ref(&group, GroupNaming::Id))
        .await
        .unwrap();
    let shown = world.show(mapping.id).await;
    world.add(group, &[bob]).await;
    let digest = changed_digest(world.confirm_plan(mapping.id, &shown.digest).await);
    assert!(world.inside(room).await.is_empty());
    let now = world.show(mapping.id).await;
    assert_eq!(digest, now.digest);
    assert_eq!(now.people.count(Outcome::Joins), 2);
    world.confirm_plan(mapping.id, &digest).await.unwrap();
    assert_eq!(world.inside(room).await.len(), 2);
    world.confirm_plan(mapping.id, "whatever").await.unwrap();
    assert_eq!(
        world.inside(room).await.len(),
        2,
        "confirming again changes nothing"
    );
}

#[tokio::test]
async fn a_change_that_changes_nothing_for_the_plan_leaves_its_digest() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let anna = world.user("anna").await;
    let group = world.group("Board", &[anna]).await;
    let mapping = world
        .propose(room, world.group_ref(&group, GroupNaming::Id))
        .await
        .unwrap();
    let shown = world.show(mapping.id).await;
    world
        .change(anna, |data| data.display_name = Some("Anna A.".into()))
        .await;
    world.user("unrelated").await;
    world.confirm_plan(mapping.id, &shown.digest).await.unwrap();
    assert_eq!(world.inside(room).await.len(), 1);
}

#[tokio::test]
async fn one_group_leads_to_one_room_unless_said_otherwise() {
    let world = World::new().await;
    let (board, audit) = (world.room("Board").await, world.room("Audit").await);
    let anna = world.user("anna").await;
    let group = world.group("Board", &[anna]).await;
    let other = world.group("Other", &[anna]).await;
    let by_id = world.group_ref(&group, GroupNaming::Id);
    let first = world.propose(board, by_id.clone()).await.unwrap();
    assert_eq!(refused(world.propose(audit, by_id.clone()).await), "group_mapped");
    let by_name = world.group_ref("board", GroupNaming::Name);
    assert_eq!(refused(world.propose(audit, by_name).await), "group_mapped");
    let second = world.group_ref(&other, GroupNaming::Id);
    assert_eq!(refused(world.propose(board, second.clone()).await), "room_mapped");

    // Two groups for one room: the lowest starting level wins, and leaving one group ends nothing.
    let plan = world.show(first.id).await;
    world.confirm_plan(first.id, &plan.digest).await.unwrap();
    let terms = Terms {
        level: Some("user".into()),
        ..Terms::default()
    };
    let additional = world.propose_with(board, second, terms, true).await.unwrap();
    let plan = world.show(additional.id).await;
    assert_eq!(plan.people.count(Outcome::Inside), 1);
    world.confirm_plan(additional.id, &plan.digest).await.unwrap();
    world.remove(group, &[anna]).await;
    assert_eq!(
        world.member(board, anna.person).await.unwrap().level,
        "restricted_user"
    );
    world.remove(other, &[anna]).await;
    assert!(world.member(board, anna.person).await.is_none());
}

#[tokio::test]
async fn a_name_is_bound_at_the_first_arrival_and_pinned() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let mapping = world
        .propose(room, world.group_ref("Board", GroupNaming::Name))
        .await
        .unwrap();
    assert_eq!(mapping.group, None);
    let plan = world.show(mapping.id).await;
    world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    let (anna, bob) = (world.user("anna").await, world.user("bob").await);
    let first = world.group("BOARD", &[anna]).await;
    assert_eq!(world.inside(room).await.len(), 1);
    world.group("Board", &[bob]).await;
    assert_eq!(world.inside(room).await.len(), 1, "the namesake is parked");
    let view = world.engine.mapping(mapping.id).await.unwrap();
    assert_eq!(
        (view.group, view.group_name.as_deref()),
        (Some(first), Some("BOARD"))
    );
}

#[tokio::test]
async fn a_human_says_which_of_two_namesakes_is_meant() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let (anna, bob) = (world.user("anna").await, world.user("bob").await);
    world.group("Board", &[anna]).await;
    let second = world.group("Board", &[bob]).await;
    let mapping = world
        .propose(room, world.group_ref("Board", GroupNaming::Name))
        .await
        .unwrap();
    assert_eq!(mapping.group, None);
    assert_eq!(world.show(mapping.id).await.group.unwrap().candidates, 2);
    world.bind(mapping.id, second).await.unwrap();
    let plan = world.show(mapping.id).await;
    assert_eq!(plan.people.first(Outcome::Joins)[0].person, bob.person);
    let free = world
        .hand(move |unit| Box::pin(async move { unit.unbind_mapping(mapping.id).await }))
        .await
        .unwrap();
    assert_eq!(free.group, None);
    assert!(changed_digest(world.confirm_plan(mapping.id, &plan.digest).await) != plan.digest);
    let plan = world.show(mapping.id).await;
    world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    assert!(world.inside(room).await.is_empty());
    world.bind(mapping.id, second).await.unwrap();
    assert!(
        world.member(room, bob.person).await.is_some(),
        "bound when in force"
    );
    let late = world
        .hand(move |unit| Box::pin(async move { unit.unbind_mapping(mapping.id).await }))
        .await;
    assert_eq!(refused(late), "mapping_confirmed");
}

#[tokio::test]
async fn a_group_that_is_renamed_into_its_mapping_brings_its_members() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let anna = world.user("anna").await;
    let group = world.group("Bored", &[anna]).await;
    let mapping = world
        .propose(room, world.group_ref("Board", GroupNaming::Name))
        .await
        .unwrap();
    let plan = world.show(mapping.id).await;
    world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    let source = world.source;
    world
        .push(move |unit| {
            Box::pin(async move {
                let row = usher_storage::query::group::by_id(unit.tx(), source, group)
                    .await?
                    .unwrap();
                let data = GroupData {
                    display_name: "Board".into(),
                    external_id: None,
                    resource: "{\"displayName\":\"Board\"}".into(),
                };
                unit.update_group(&row, data).await
            })
        })
        .await
        .unwrap();
    assert!(world.member(room, anna.person).await.is_some());
}

#[tokio::test]
async fn who_is_desired_before_and_after_a_replacement_keeps_the_membership() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let stays = world.user("stays").await;
    let leaves = world.user("leaves").await;
    let comes = world.user("comes").await;
    let old = world.group("Old", &[stays, leaves]).await;
    let new = world.group("New", &[stays, comes]).await;
    let mapping = world
        .propose(room, world.group_ref(&old, GroupNaming::Id))
        .await
        .unwrap();
    let plan = world.show(mapping.id).await;
    world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    let before = world.member(room, stays.person).await.unwrap();
    let left = world.member(room, leaves.person).await.unwrap();

    let to = world.group_ref(&new, GroupNaming::Id);
    let plan = world
        .engine
        .plan_replace_mapping(mapping.id, to.clone(), Terms::default())
        .await
        .unwrap();
    assert_eq!(plan.people.count(Outcome::Inside), 1);
    assert_eq!(plan.people.first(Outcome::Leaves)[0].person, leaves.person);
    assert_eq!(plan.people.first(Outcome::Joins)[0].person, comes.person);
    world.remove(new, &[comes]).await;
    changed_digest(world.replace(mapping.id, to.clone(), &plan.digest).await);
    world.add(new, &[comes]).await;
    let settled = world.replace(mapping.id, to, &plan.digest).await.unwrap();

    let after = world.member(room, stays.person).await.unwrap();
    assert_eq!((after.id, after.started), (before.id, before.started));
    assert_eq!(after.mapping, Some(settled.mapping.id));
    assert_eq!(world.periods(before.id).await.len(), 1);
    assert_eq!(world.end_reason(left.id).await, Some(EndReason::MappingRetired));
    assert!(world.member(room, comes.person).await.is_some());
    let old = world.engine.mapping(mapping.id).await.unwrap();
    assert_eq!(old.state, MappingState::Retired);
    let unknown = world.group_ref("nobody", GroupNaming::Name);
    let refusal = world
        .engine
        .plan_replace_mapping(settled.mapping.id, unknown, Terms::default())
        .await;
    assert_eq!(refused(refusal), "group_unknown");
}

#[tokio::test]
async fn retiring_ends_exactly_what_the_plan_showed_and_no_brake_stops_it() {
    let mut policy = crate::world::policy();
    policy.brake.enabled = true;
    let world = World::with(policy).await;
    let room = world.room("Board").await;
    let mut people = Vec::new();
    for n in 0..30 {
        people.push(world.user(&format!("user{n}")).await);
    }
    let group = world.group("Board", &people).await;
    let mapping = world
        .propose(room, world.group_ref(&group, GroupNaming::Id))
        .await
        .unwrap();
    let plan = world.show(mapping.id).await;
    world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    let administrator = world.member(room, people[7].person).await.unwrap();
    world
        .give_level(administrator.id, "user_management")
        .await
        .unwrap();

    let plan = world.engine.plan_retire_mapping(mapping.id).await.unwrap();
    assert_eq!(plan.people.count(Outcome::Leaves), 29);
    let kept = plan.people.first(Outcome::KeptLastAdministrator);
    assert_eq!(kept[0].person, people[7].person);
    world.set_active(people[3], false).await;
    changed_digest(world.retire(mapping.id, &plan.digest).await);
    let plan = world.engine.plan_retire_mapping(mapping.id).await.unwrap();
    world.retire(mapping.id, &plan.digest).await.unwrap();
    let inside = world.inside(room).await;
    assert_eq!(inside.len(), 1);
    assert_eq!(inside[0].stray, Some(Stray::LastAdministrator));
    assert_eq!(world.events(EventKind::HoldOpened).await.len(), 0);
    let again = world.retire(mapping.id, "whatever").await.unwrap();
    assert_eq!(again.mapping.state, MappingState::Retired);
    let fresh = world
        .propose(room, world.group_ref(&group, GroupNaming::Id))
        .await;
    assert!(fresh.is_ok(), "the group is free again");
}

#[tokio::test]
async fn the_terms_of_a_mapping_hold_for_those_who_come_later() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let (anna, bob) = (world.user("anna").await, world.user("bob").await);
    let group = world.group("Board", &[anna]).await;
    let mapping = world
        .propose(room, world.group_ref(&group, GroupNaming::Id))
        .await
        .unwrap();
    let plan = world.show(mapping.id).await;
    world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    let change = |level: &'static str, rejoin, rejoin_days| {
        let world = &world;
        async move {
            let change = MappingChange {
                level: Some(level.into()),
                rejoin,
                rejoin_days,
                nested: None,
            };
            world
                .hand(move |unit| {
                    let change = change.clone();
                    Box::pin(async move { unit.change_mapping(mapping.id, change).await })
                })
                .await
        }
    };
    let changed = change("user", Some(Rejoin::Auto), Some(30)).await.unwrap();
    assert_eq!((changed.rejoin, changed.rejoin_days), (Rejoin::Auto, Some(30)));
    world.add(group, &[bob]).await;
    let level = |account: Account| {
        let world = &world;
        async move { world.member(room, account.person).await.unwrap().level }
    };
    assert_eq!(level(anna).await, "restricted_user");
    assert_eq!(level(bob).await, "user");
    for (level, rejoin, days) in [
        ("guest", None, None),
        ("boss", None, None),
        ("user", Some(Rejoin::Auto), Some(0)),
        ("user", Some(Rejoin::Never), Some(3)),
    ] {
        let wrong = change(level, rejoin, days).await;
        assert!(
            matches!(wrong, Err(EngineError::Invalid { .. })),
            "{level} {rejoin:?}"
        );
    }
}

#[tokio::test]
async fn a_large_group_comes_in_steps_that_survive_a_crash() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let source = world.source;
    let people: Vec<Account> = world
        .push(move |unit| {
            Box::pin(async move {
                let mut people = Vec::new();
                for n in 0..2500 {
                    let id = unit.id();
                    let row = unit.create_user(source, id, user_data(&format!("u{n}"))).await?;
                    people.push(Account {
                        id: row.id,
                        person: row.person,
                    });
                }
                Ok(people)
            })
        })
        .await
        .unwrap();
    let group = world.group("Board", &people).await;
    let mapping = world
        .propose(room, world.group_ref(&group, GroupNaming::Id))
        .await
        .unwrap();
    let plan = world.show(mapping.id).await;
    assert_eq!(plan.people.count(Outcome::Joins), 2500);
    assert_eq!(plan.people.first(Outcome::Joins).len(), usher_engine::plan::NAMED);
    let settled = world.confirm_plan(mapping.id, &plan.digest).await.unwrap();
    assert_eq!(settled.complete, Complete::InSteps);
    assert!(world.inside(room).await.is_empty());
    let first = world.engine.run_due(1).await.unwrap();
    assert!(first.more);
    assert_eq!(world.inside(room).await.len(), 1000);
    // Another process takes over: nothing but the database is known to it.
    let clock = std::sync::Arc::clone(&world.clock) as std::sync::Arc<dyn usher_core::Clock>;
    let other = usher_engine::Engine::new(world.engine.storage().clone(), clock);
    let rest = other.run_due(100).await.unwrap();
    assert_eq!((rest.units, rest.more), (2, false));
    assert_eq!(world.inside(room).await.len(), 2500);
    let started = world.events(EventKind::MembershipStarted).await;
    assert_eq!(started.len(), 2500);
    assert!(
        started
            .iter()
            .all(|event| event.actor == by_hand().actor.parts().1)
    );

    let plan = world.engine.plan_retire_mapping(mapping.id).await.unwrap();
    assert_eq!(plan.people.count(Outcome::Leaves), 2500);
    let settled = world.retire(mapping.id, &plan.digest).await.unwrap();
    assert_eq!(settled.complete, Complete::InSteps);
    world.engine.run_due(100).await.unwrap();
    assert!(world.inside(room).await.is_empty());
    let ended = world.events(EventKind::MembershipEnded).await;
    assert!(
        ended.iter().all(|event| event.data.contains("mapping_retired")),
        "{:?}",
        ended[0]
    );
    assert_eq!(named(&people).len(), 2500);
}
