//! Who is who.

use usher_core::{ParkReason, PersonId};
use usher_engine::person::{PersonView, Who, view};
use usher_engine::{Actor, Cause, EngineError, UserData};
use usher_storage::query;
use usher_storage::query::person::PersonRow;

use crate::brake::Crowd;
use crate::world::{World, refused, user_data};

impl World {
    async fn link(&self, person: PersonId, other: PersonId) -> Result<PersonRow, EngineError> {
        self.hand(move |unit| Box::pin(async move { unit.link_people(person, other).await }))
            .await
    }

    async fn view(&self, who: Who) -> Vec<PersonView> {
        self.read(move |tx| {
            let who = who.clone();
            Box::pin(async move { view(tx, &who).await })
        })
        .await
    }
}

/// Anna's account under another immutable id.
fn newcomer(name: &str) -> UserData {
    UserData {
        user_name: format!("{name}.new@contoso.com"),
        external_id: Some(format!("new-{name}")),
        emails: vec![format!("{name}@contoso.com")],
        ..user_data(name)
    }
}

#[tokio::test]
async fn an_equal_address_is_shown_and_links_nobody() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let new = world.user_of(newcomer("anna")).await;
    assert_ne!(old.person, new.person);
    let found = world.view(Who::Email("ANNA@contoso.com".into())).await;
    assert_eq!(found.len(), 2);
    for (person, other) in [(&found[0], new.person), (&found[1], old.person)] {
        assert_eq!(person.similar[0].id, other);
        assert_eq!(person.accounts.len(), 1);
    }
}

#[tokio::test]
async fn a_newcomer_with_the_address_of_a_member_waits_at_the_door() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[old]).await);
    world.map(group, room).await;
    let new = world.user_of(newcomer("anna")).await;
    world.add(group, &[new]).await;
    assert_eq!(world.member(room, new.person).await, None);
    let parked = world
        .read(move |tx| Box::pin(async move { Ok(query::hold::parked_in(tx, room, None, 10).await?) }))
        .await;
    assert_eq!(parked[0].reason, ParkReason::SameAddress);
    assert_eq!(
        (parked[0].person, parked[0].other),
        (new.person, Some(old.person))
    );
}

#[tokio::test]
async fn linking_brings_accounts_and_history_together() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[old]).await);
    world.map(group, room).await;
    let membership = world.member(room, old.person).await.unwrap();
    world.delete_user(old).await;
    let new = world.user_of(newcomer("anna")).await;
    let kept = world.link(new.person, old.person).await.unwrap();
    assert_eq!(kept.id, new.person);
    assert_eq!(world.membership(membership.id).await.person, new.person);
    let view = world.view(Who::Person(old.person)).await;
    assert_eq!(view[0].person.id, new.person, "the old id still finds them");
    assert_eq!(view[0].accounts.len(), 2);
    assert_eq!(view[0].similar, []);
    assert_eq!(world.link(new.person, old.person).await.unwrap(), kept);
}

#[tokio::test]
async fn linking_with_a_manual_member_lets_the_newcomer_override_nothing() {
    let world = World::new().await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[]).await);
    world.map(group, room).await;
    let external = world
        .hand(move |unit| {
            Box::pin(async move {
                let ask = usher_engine::manual::AddManual {
                    room,
                    who: Who::Email("eva@fabrikam.example".into()),
                    display_name: None,
                    level: "guest".into(),
                    owner: "olga".into(),
                    reason: "advice".into(),
                    until: None,
                };
                unit.add_manual(&ask).await
            })
        })
        .await
        .unwrap();
    let eva = world.user("eva").await;
    world.add(group, &[eva]).await;
    let result = world.link(eva.person, external.person).await;
    assert_eq!(refused(result), "both_in_room");
    world.remove(group, &[eva]).await;
    world.link(eva.person, external.person).await.unwrap();
    world.add(group, &[eva]).await;
    assert_eq!(world.member(room, eva.person).await.unwrap().id, external.id);
}

#[tokio::test]
async fn two_live_accounts_of_one_source_are_two_people() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let new = world.user_of(newcomer("anna")).await;
    assert_eq!(refused(world.link(new.person, old.person).await), "two_accounts");
}

#[tokio::test]
async fn linking_needs_a_reason() {
    let world = World::new().await;
    let old = world.user("anna").await;
    let new = world.user_of(newcomer("anna")).await;
    world.delete_user(old).await;
    let result = world
        .engine
        .write(Cause::new(Actor::Operator("olga".into())), move |unit| {
            Box::pin(async move { unit.link_people(new.person, old.person).await })
        })
        .await;
    assert!(
        matches!(result, Err(EngineError::Invalid { field: "reason", .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_new_address_is_a_rename() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    let membership = world.member(room, anna.person).await.unwrap();
    world
        .change(anna, |data| data.emails = vec!["anna.berg@contoso.com".into()])
        .await;
    let found = world.view(Who::Email("anna.berg@contoso.com".into())).await;
    assert_eq!(found[0].person.id, anna.person);
    assert_eq!(world.member(room, anna.person).await.unwrap().id, membership.id);
}

#[tokio::test]
async fn two_people_of_one_decided_hold_are_linked_like_any_others() {
    let crowd = Crowd::of(4).await;
    crowd.world.remove(crowd.group, &crowd.people).await;
    let id = crowd.hold().await.unwrap().id;
    crowd
        .world
        .hand(move |unit| {
            Box::pin(async move {
                let digest = usher_engine::hold::view(unit.tx(), id, usher_engine::hold::EVERYBODY)
                    .await?
                    .digest;
                unit.approve_hold(id, &digest).await
            })
        })
        .await
        .unwrap();
    crowd.world.delete_user(crowd.people[1]).await;
    let (kept, other) = (crowd.people[0].person, crowd.people[1].person);
    assert_eq!(crowd.world.link(kept, other).await.unwrap().id, kept);
    crowd.world.add(crowd.group, &crowd.people[..1]).await;
    let (room, person) = (crowd.room, kept);
    let stays = crowd
        .world
        .read(move |tx| Box::pin(async move { usher_engine::history::of_pair(tx, room, person).await }))
        .await;
    assert_eq!(stays.len(), 3, "both former stays and the new one");
}
