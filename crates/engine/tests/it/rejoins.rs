//! A person back, by a mapping that says what happens then.

use usher_core::Rejoin;
use usher_engine::EventKind;
use usher_engine::person::Who;

use crate::restores::Return;
use crate::world::{Terms, World, user_data};

#[tokio::test]
async fn the_rejoin_policy_never_suggests_nothing_but_a_human_may_ask() {
    let back = Return::with(Terms {
        rejoin: Rejoin::Never,
        ..Terms::default()
    })
    .await;
    assert_eq!(back.world.suggested(back.room, back.anna.person).await, None);
    let suggestion = back
        .world
        .suggest(back.room, Who::Person(back.anna.person))
        .await
        .unwrap();
    assert_eq!(suggestion.best, Some(back.former.id));
}

fn auto(level: &'static str, days: u32) -> Terms {
    Terms {
        level,
        rejoin: Rejoin::Auto,
        days: Some(days),
    }
}

#[tokio::test]
async fn the_rejoin_policy_auto_restores_in_the_unit_of_the_return() {
    let back = Return::with(auto("user", 1)).await;
    assert_eq!(back.present.id, back.former.id);
    assert_eq!(back.world.suggested(back.room, back.anna.person).await, None);
    assert_eq!(back.world.grants(back.former.id).await, ["m-1"]);
    assert_eq!(back.world.events(EventKind::MembershipRestored).await.len(), 1);
    // And again: what the first return began is no second candidate.
    back.world.remove(back.group, &[back.anna]).await;
    back.world.add(back.group, &[back.anna]).await;
    let present = back.world.member(back.room, back.anna.person).await.unwrap();
    assert_eq!(present.id, back.former.id);
    assert_eq!(back.world.periods(back.former.id).await.len(), 3);
}

#[tokio::test]
async fn auto_asks_when_the_former_level_is_above_the_mappings() {
    let back = Return::with(auto("restricted_user", 1)).await;
    assert_ne!(back.present.id, back.former.id);
    assert!(back.world.suggested(back.room, back.anna.person).await.is_some());
}

#[tokio::test]
async fn auto_asks_when_it_was_too_long_ago() {
    let back = Return::with(auto("user", 1)).await;
    back.world.remove(back.group, &[back.anna]).await;
    back.world.wait(25 * 3600);
    back.world.add(back.group, &[back.anna]).await;
    let present = back.world.member(back.room, back.anna.person).await.unwrap();
    assert_ne!(present.id, back.former.id);
    assert!(back.world.suggested(back.room, back.anna.person).await.is_some());
}

#[tokio::test]
async fn auto_asks_for_somebody_who_only_may_be_the_same() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[old]).await);
    world.map_with(group, room, auto("user", 10)).await;
    world.delete_user(old).await;
    let new = world
        .user_of(usher_engine::UserData {
            external_id: Some("another-id".into()),
            ..user_data("anna")
        })
        .await;
    world.add(group, &[new]).await;
    assert!(world.suggested(room, new.person).await.is_some());
    assert_eq!(world.events(EventKind::MembershipRestored).await.len(), 0);
}

#[tokio::test]
async fn thousands_coming_back_cost_the_same_statements_as_a_few() {
    async fn statements(people: usize) -> u64 {
        let world = World::new().await;
        let mut accounts = Vec::new();
        for n in 0..people {
            accounts.push(world.user(&format!("u{n}")).await);
        }
        let (room, group) = (world.room("Board").await, world.group("Board", &accounts).await);
        world.map_with(group, room, auto("restricted_user", 10)).await;
        world.remove(group, &accounts).await;
        let before = world.engine.storage().stats().statements;
        world.add(group, &accounts).await;
        let after = world.engine.storage().stats().statements;
        assert_eq!(world.events(EventKind::MembershipRestored).await.len(), people);
        after - before
    }
    assert_eq!(statements(3).await, statements(40).await);
}
