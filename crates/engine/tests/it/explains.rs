//! Why somebody is, or is not, in a room.

use usher_core::RoomId;
use usher_engine::explain::{Explanation, explain};
use usher_engine::ground::Standing;
use usher_engine::person::Who;
use usher_engine::{Decision, EventKind};

use crate::brake::Crowd;
use crate::world::{Account, World};

impl World {
    async fn explain(&self, room: RoomId, who: Who) -> Explanation {
        let engine = self.engine.clone();
        self.read(move |tx| {
            let (engine, who) = (engine.clone(), who.clone());
            Box::pin(async move {
                let policy = engine.policy(tx).await?;
                Ok(explain(tx, &policy, room, &who).await?.remove(0))
            })
        })
        .await
    }
}

async fn member() -> (World, RoomId, usher_core::SourceGroupId, Account) {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (
        world.room("Board").await,
        world.group("Board members", &[anna]).await,
    );
    world.map(group, room).await;
    (world, room, group, anna)
}

#[tokio::test]
async fn a_member_is_explained_by_the_group_and_the_change_that_began_it() {
    let (world, room, _, _) = member().await;
    let told = world.explain(room, Who::Email("anna@contoso.com".into())).await;
    assert!(told.desired);
    assert_eq!(told.decision, Decision::Keep);
    assert_eq!(told.grounds.grounds[0].standing, Standing::Counts);
    assert!(told.summary.contains("'Board members'"), "{}", told.summary);
    assert!(told.next.contains("'Board members'"), "{}", told.next);
    let started = told
        .events
        .iter()
        .find(|event| event.kind == EventKind::MembershipStarted.as_str())
        .unwrap();
    assert_eq!(
        (started.actor_kind.as_str(), started.actor.as_str()),
        ("operator", "olga")
    );
    assert!(started.reason.is_some());
}

#[tokio::test]
async fn everybody_outside_is_told_why_and_what_to_do() {
    let (world, room, group, anna) = member().await;
    let check = async |standing: Standing, code: &str, next: &str| {
        let told = world.explain(room, Who::Person(anna.person)).await;
        assert!(!told.desired);
        assert_eq!(told.effective, None);
        assert_eq!(told.decision, Decision::Nothing);
        assert_eq!(told.grounds.grounds[0].standing, standing);
        assert_eq!(told.grounds.refusal().unwrap().code, code);
        assert!(told.next.contains(next), "{}", told.next);
    };
    world.set_active(anna, false).await;
    check(Standing::AccountInactive, "account_inactive", "activate").await;
    world.set_active(anna, true).await;
    world.remove(group, &[anna]).await;
    check(Standing::NotInGroup, "not_in_group", "add the person to group").await;
    world.add(group, &[anna]).await;
    world
        .change(anna, |data| data.emails = vec!["anna@private.example".into()])
        .await;
    check(Standing::OutOfScope, "out_of_scope", "company address").await;
    world.delete_user(anna).await;
    check(Standing::AccountGone, "account_gone", "provide the account again").await;
}

#[tokio::test]
async fn a_held_member_is_explained_by_the_hold() {
    let crowd = Crowd::of(4).await;
    crowd.world.remove(crowd.group, &crowd.people).await;
    let told = crowd
        .world
        .explain(crowd.room, Who::Person(crowd.people[0].person))
        .await;
    assert!(!told.desired);
    assert_eq!(told.decision, Decision::Keep);
    assert!(told.summary.contains("the brake holds"), "{}", told.summary);
    assert_eq!(told.next, "approve or reject the hold");
}

#[tokio::test]
async fn the_last_administrator_is_explained_as_such() {
    let (world, room, group, anna) = member().await;
    let chair = world.member(room, anna.person).await.unwrap();
    world.give_level(chair.id, "user_management").await.unwrap();
    world.remove(group, &[anna]).await;
    let told = world.explain(room, Who::Person(anna.person)).await;
    assert_eq!(told.decision, Decision::Keep);
    assert!(told.summary.contains("last administrator"), "{}", told.summary);
}

#[tokio::test]
async fn a_room_without_a_group_says_so() {
    let (world, _, _, anna) = member().await;
    let empty = world.room("Audit").await;
    let told = world.explain(empty, Who::Person(anna.person)).await;
    assert_eq!(told.grounds.refusal().unwrap().code, "no_mapping");
}

#[tokio::test]
async fn a_distrusted_row_is_explained_and_wakes_when_the_source_names_the_member_again() {
    let mut rules = crate::world::policy();
    for source in rules.sources.values_mut() {
        source.reactivation = usher_core::Reactivation::Dormant;
    }
    let world = World::with(rules).await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    world.set_active(anna, false).await;
    world.set_active(anna, true).await;
    let told = world.explain(room, Who::Person(anna.person)).await;
    assert_eq!(told.grounds.grounds[0].standing, Standing::Dormant);
    assert_eq!(told.grounds.refusal().unwrap().code, "dormant");
    world.add(group, &[anna]).await;
    assert!(world.member(room, anna.person).await.is_some());
}
