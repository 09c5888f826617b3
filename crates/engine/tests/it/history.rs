//! What was.

use usher_core::{MembershipId, RoomId, Stray, Timestamp};
use usher_engine::EngineError;
use usher_engine::history::{MemberAt, Stay, StrayMember, members_at, of_pair, of_person, strays};
use usher_storage::StorageError;

use crate::brake::Crowd;
use crate::world::World;

impl World {
    async fn at(&self, room: RoomId, at: Timestamp) -> Vec<MemberAt> {
        self.read(move |tx| Box::pin(async move { members_at(tx, room, at, None, 100).await }))
            .await
    }

    async fn strays(&self, after: Option<MembershipId>, limit: u32) -> Vec<StrayMember> {
        self.read(move |tx| Box::pin(async move { strays(tx, after, limit).await }))
            .await
    }
}

#[tokio::test]
async fn a_room_is_read_as_it_was_at_a_moment() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    let before = world.engine.now();
    world.map(group, room).await;
    let started = world.engine.now();
    world.wait(60);
    let membership = world.member(room, anna.person).await.unwrap();
    world.give_level(membership.id, "user").await.unwrap();
    let raised = world.engine.now();
    world.wait(60);
    world.remove(group, &[anna]).await;
    let ended = world.engine.now();
    world.wait(60);
    world.add(group, &[anna]).await;

    assert_eq!(world.at(room, before).await, []);
    let levels = [(started, "restricted_user"), (raised, "user")];
    for (moment, level) in levels {
        let members = world.at(room, moment).await;
        assert_eq!(members[0].membership.id, membership.id);
        assert_eq!(members[0].level, level);
        assert_eq!(members[0].person.email.as_deref(), Some("anna@contoso.com"));
    }
    assert_eq!(
        world.at(room, ended).await,
        [],
        "a period ends before its last moment"
    );
    let now = world.at(room, world.engine.now()).await;
    assert_ne!(
        now[0].membership.id, membership.id,
        "a return is a new membership"
    );
}

#[tokio::test]
async fn a_persons_stays_keep_their_periods_and_levels() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    let first = world.member(room, anna.person).await.unwrap();
    world.give_level(first.id, "user").await.unwrap();
    world.remove(group, &[anna]).await;
    world.add(group, &[anna]).await;
    let stays: Vec<Stay> = world
        .read(move |tx| Box::pin(async move { of_person(tx, anna.person).await }))
        .await;
    assert_eq!(stays.len(), 2);
    assert!(stays[0].membership.active);
    assert_eq!(stays[1].membership.id, first.id);
    assert_eq!(stays[1].periods.len(), 1);
    assert_eq!(stays[1].levels[0].level, "user");
    let pair: Vec<Stay> = world
        .read(move |tx| Box::pin(async move { of_pair(tx, room, anna.person).await }))
        .await;
    assert_eq!(pair, stays);
}

#[tokio::test]
async fn strays_are_listed_with_cause_and_age_page_by_page() {
    let crowd = Crowd::of(4).await;
    crowd.world.remove(crowd.group, &crowd.people).await;
    let held_at = crowd.world.engine.now();
    let first = crowd.world.strays(None, 3).await;
    assert_eq!(first.len(), 3);
    assert!(
        first
            .iter()
            .all(|stray| stray.cause == Stray::Held && stray.since == Some(held_at))
    );
    let rest = crowd.world.strays(Some(first[2].membership.id), 3).await;
    assert_eq!(rest.len(), 1);
}

#[tokio::test]
async fn members_of_a_frozen_source_are_strays() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    assert_eq!(world.strays(None, 10).await, []);
    world
        .hand(|unit| {
            Box::pin(async move {
                let now = unit.now();
                let frozen = usher_core::SourceState::Frozen;
                usher_storage::query::source::put(unit.tx(), "idp", "scim", "push", frozen, now).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let strays = world.strays(None, 10).await;
    assert_eq!(strays[0].cause, Stray::FrozenSource);
    assert_eq!(strays[0].room.id, room);
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_active_membership() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    let first = world.member(room, anna.person).await.unwrap();
    let result = world
        .hand(move |unit| {
            let second = usher_storage::query::membership::MembershipRow {
                id: unit.id(),
                ..first.clone()
            };
            Box::pin(async move { Ok(usher_storage::query::membership::insert(unit.tx(), &[second]).await?) })
        })
        .await;
    assert!(
        matches!(result, Err(EngineError::Storage(StorageError::Unique { .. }))),
        "{result:?}"
    );
    assert_eq!(world.inside(room).await.len(), 1);
}

#[tokio::test]
async fn repeating_a_push_changes_nothing() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    let before = world.all_events().await.len();
    world.add(group, &[anna]).await;
    world.set_active(anna, true).await;
    world.remove(group, &[]).await;
    assert_eq!(world.all_events().await.len(), before);
    assert_eq!(world.inside(room).await.len(), 1);
}

#[tokio::test]
async fn stays_follow_each_other_though_a_units_moment_was_drawn_before_the_other_unit_ended() {
    let mut world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[]).await);
    world.map(group, room).await;
    let behind = world.behind(3600);
    world.add(group, &[anna]).await;
    let first = world.member(room, anna.person).await.unwrap();
    // Whoever waited while somebody was added removes them, and the other way round.
    world.engine = behind;
    world.remove(group, &[anna]).await;
    world.add(group, &[anna]).await;
    let second = world.member(room, anna.person).await.unwrap();
    let (first, second) = (world.periods(first.id).await, world.periods(second.id).await);
    assert!(first[0].to >= Some(first[0].from), "{first:?}");
    assert!(Some(second[0].from) >= first[0].to, "{first:?}, {second:?}");
}
