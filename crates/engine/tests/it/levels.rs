//! Levels belong to the room.

use usher_core::RoomId;
use usher_engine::{EngineError, EventKind};
use usher_storage::query::membership::MembershipRow;

use crate::world::{World, refused};

async fn member() -> (World, RoomId, MembershipRow) {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    let membership = world.member(room, anna.person).await.unwrap();
    (world, room, membership)
}

#[tokio::test]
async fn a_level_is_given_once_and_told_once() {
    let (world, _, membership) = member().await;
    assert_eq!(membership.level, "restricted_user");
    for _ in 0..2 {
        let raised = world.give_level(membership.id, "user").await.unwrap();
        assert_eq!((raised.level.as_str(), raised.version), ("user", 2));
    }
    assert_eq!(world.events(EventKind::MembershipLevelChanged).await.len(), 1);
}

#[tokio::test]
async fn a_level_that_people_give_needs_a_manual_membership() {
    let (world, _, membership) = member().await;
    assert_eq!(
        refused(world.give_level(membership.id, "assistant").await),
        "level_by_hand"
    );
    assert_eq!(
        refused(world.give_level(membership.id, "boss").await),
        "level_invalid"
    );
}

#[tokio::test]
async fn the_last_administrator_is_not_lowered() {
    let (world, room, membership) = member().await;
    world.give_level(membership.id, "user_management").await.unwrap();
    assert_eq!(
        refused(world.give_level(membership.id, "user").await),
        "last_administrator"
    );
    world
        .give_level(membership.id, "user_management_all_content")
        .await
        .unwrap();
    assert_eq!(world.room_row(room).await.no_administrator_since, None);
}

#[tokio::test]
async fn somebody_who_read_an_older_version_changes_nothing() {
    let (world, _, membership) = member().await;
    world.give_level(membership.id, "user").await.unwrap();
    let id = membership.id;
    let result = world
        .hand(move |unit| Box::pin(async move { unit.give_level(id, "group_management", Some(1)).await }))
        .await;
    assert!(matches!(result, Err(EngineError::Conflict(_))), "{result:?}");
    assert_eq!(world.membership(id).await.level, "user");
}

#[tokio::test]
async fn sync_leaves_levels_alone() {
    let (world, room, membership) = member().await;
    world.give_level(membership.id, "group_management").await.unwrap();
    let anna = world.inside(room).await[0].user.unwrap();
    let group = world.group("Audit", &[]).await;
    world.map(group, room).await;
    let account = crate::world::Account {
        id: anna,
        person: membership.person,
    };
    world.add(group, &[account]).await;
    assert_eq!(world.membership(membership.id).await.level, "group_management");
}

#[tokio::test]
async fn an_ended_membership_has_its_last_level_for_ever() {
    let (world, room, membership) = member().await;
    let account = crate::world::Account {
        id: membership.user.unwrap(),
        person: membership.person,
    };
    world.delete_user(account).await;
    assert_eq!(world.inside(room).await, []);
    assert_eq!(
        refused(world.give_level(membership.id, "user").await),
        "membership_over"
    );
}
