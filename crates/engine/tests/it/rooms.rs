//! Rooms: taken over, reported, archived and reopened.

use usher_core::{EndReason, GroupNaming, RoomModel, RoomState};
use usher_engine::room::NewRoom;
use usher_engine::{EngineError, EventKind};

use crate::world::{World, refused};

fn new_room(name: &str) -> NewRoom {
    NewRoom {
        name: name.into(),
        model: RoomModel::Open,
        features: vec!["minutes".into()],
    }
}

#[tokio::test]
async fn a_room_that_the_portal_has_is_taken_over_under_a_name_of_its_own() {
    let world = World::new().await;
    let room = world
        .hand(|unit| Box::pin(async move { unit.create_room(new_room(" Board ")).await }))
        .await
        .unwrap();
    let view = world.engine.room(room.id).await.unwrap();
    assert_eq!((view.name.as_str(), view.state), ("Board", RoomState::Live));
    assert_eq!(view.features, ["minutes"]);
    let double = world
        .hand(|unit| Box::pin(async move { unit.create_room(new_room("BOARD")).await }))
        .await;
    assert_eq!(refused(double), "room_name_taken");
    assert_eq!(world.engine.rooms(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_portal_reports_a_room_with_an_https_address() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let report = |url: &'static str| {
        let world = &world;
        async move {
            world
                .hand(move |unit| Box::pin(async move { unit.room_ready(room, "p-7", url).await }))
                .await
        }
    };
    let wrong = report("http://portal.example/rooms/7").await;
    assert!(matches!(wrong, Err(EngineError::Invalid { field: "url", .. })));
    report("https://portal.example/rooms/7").await.unwrap();
    report("https://portal.example/rooms/7").await.unwrap();
    let view = world.engine.room(room).await.unwrap();
    assert_eq!(view.portal_id.as_deref(), Some("p-7"));
    assert_eq!(world.events(EventKind::RoomReady).await.len(), 1);
}

#[tokio::test]
async fn an_archived_room_keeps_everybody_as_they_are_until_it_is_reopened() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let people = [
        world.user("stays").await,
        world.user("removed").await,
        world.user("inactive").await,
    ];
    let late = world.user("late").await;
    let group = world.group("Board", &people).await;
    world.map(group, room).await;
    world
        .hand(move |unit| Box::pin(async move { unit.archive_room(room).await }))
        .await
        .unwrap();
    world.remove(group, &people[1..2]).await;
    world.set_active(people[2], false).await;
    world.add(group, &[late]).await;
    assert_eq!(world.inside(room).await.len(), 3, "nothing moves");
    let mapping = world
        .propose(room, world.group_ref("Other", GroupNaming::Name))
        .await;
    assert_eq!(refused(mapping), "room_archived");

    let removed = world.member(room, people[1].person).await.unwrap();
    let inactive = world.member(room, people[2].person).await.unwrap();
    world
        .hand(move |unit| Box::pin(async move { unit.reopen_room(room).await }))
        .await
        .unwrap();
    assert_eq!(world.end_reason(removed.id).await, Some(EndReason::Removed));
    assert_eq!(
        world.end_reason(inactive.id).await,
        Some(EndReason::AccountInactive)
    );
    assert!(world.member(room, late.person).await.is_some());
    assert_eq!(world.inside(room).await.len(), 2);
}

#[tokio::test]
async fn a_room_is_not_reopened_beside_another_of_its_name() {
    let world = World::new().await;
    let room = world.room("Board").await;
    world
        .hand(move |unit| Box::pin(async move { unit.archive_room(room).await }))
        .await
        .unwrap();
    world
        .hand(|unit| Box::pin(async move { unit.create_room(new_room("Board")).await }))
        .await
        .unwrap();
    let reopened = world
        .hand(move |unit| Box::pin(async move { unit.reopen_room(room).await }))
        .await;
    assert_eq!(refused(reopened), "room_name_taken");
}

#[tokio::test]
async fn a_room_without_an_administrator_carries_the_mark() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let anna = world.user("anna").await;
    let group = world.group("Board", &[anna]).await;
    world.map(group, room).await;
    let membership = world.member(room, anna.person).await.unwrap();
    world.give_level(membership.id, "user_management").await.unwrap();
    assert_eq!(
        world.engine.room(room).await.unwrap().no_administrator_since,
        None
    );
    world.set_active(anna, false).await;
    let view = world.engine.room(room).await.unwrap();
    assert!(view.no_administrator_since.is_some());
    assert_eq!(world.events(EventKind::RoomWithoutAdministrator).await.len(), 1);
}
