//! Holds, decided as one.

use usher_core::{EndReason, HoldId, HoldKind, HoldState, Stray};
use usher_engine::hold::{EVERYBODY, HoldView, view};
use usher_engine::{EngineError, EventKind};
use usher_storage::query;
use usher_storage::query::hold::HoldRow;

use crate::brake::Crowd;
use crate::world::{World, refused};

impl World {
    async fn hold_view(&self, id: HoldId) -> HoldView {
        self.read(move |tx| Box::pin(async move { view(tx, id, EVERYBODY).await }))
            .await
    }

    async fn approve(&self, id: HoldId, digest: &str) -> Result<HoldRow, EngineError> {
        let digest = digest.to_owned();
        self.hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.approve_hold(id, &digest).await })
        })
        .await
    }

    async fn reject(&self, id: HoldId, digest: &str) -> Result<HoldRow, EngineError> {
        let digest = digest.to_owned();
        self.hand(move |unit| {
            let digest = digest.clone();
            Box::pin(async move { unit.reject_hold(id, &digest).await })
        })
        .await
    }

    async fn apply_due(&self) -> usize {
        self.push(|unit| Box::pin(async move { unit.apply_due_holds(10).await }))
            .await
            .unwrap()
    }
}

/// Four people, all removed, all held.
async fn held() -> (Crowd, HoldView) {
    let crowd = Crowd::of(4).await;
    crowd.world.remove(crowd.group, &crowd.people).await;
    let hold = crowd.hold().await.unwrap();
    let view = crowd.world.hold_view(hold.id).await;
    (crowd, view)
}

#[tokio::test]
async fn a_hold_shows_names_and_a_probable_cause() {
    let (_crowd, view) = held().await;
    let names: Vec<_> = view
        .people
        .iter()
        .filter_map(|held| held.person.display_name.as_deref())
        .collect();
    assert_eq!(names, ["u00", "u01", "u02", "u03"]);
    assert_eq!((view.source.as_str(), view.room.name.as_str()), ("idp", "Board"));
    assert!(!view.hold.cause.is_empty());
}

#[tokio::test]
async fn approving_ends_all_of_them_for_the_reason_they_were_held() {
    let (crowd, view) = held().await;
    let hold = crowd.world.approve(view.hold.id, &view.digest).await.unwrap();
    assert_eq!(hold.state, HoldState::Approved);
    assert_eq!(crowd.inside().await, 0);
    let membership = view.people[0].item.membership.unwrap();
    assert_eq!(crowd.world.end_reason(membership).await, Some(EndReason::Removed));
    let again = crowd.world.approve(view.hold.id, &view.digest).await.unwrap();
    assert_eq!(again.version, hold.version, "approving again changes nothing");
    assert_eq!(crowd.world.events(EventKind::HoldApproved).await.len(), 1);
    assert_eq!(crowd.world.events(EventKind::HoldReleased).await.len(), 0);
}

#[tokio::test]
async fn approved_endings_do_not_count_against_the_brake() {
    let (crowd, view) = held().await;
    crowd.world.approve(view.hold.id, &view.digest).await.unwrap();
    crowd.world.add(crowd.group, &crowd.people).await;
    crowd.world.remove(crowd.group, &crowd.people[..2]).await;
    assert_eq!(crowd.inside().await, 2);
}

#[tokio::test]
async fn a_hold_that_changed_since_it_was_shown_is_not_approved() {
    let (crowd, view) = held().await;
    crowd.world.add(crowd.group, &crowd.people[..1]).await;
    let result = crowd.world.approve(view.hold.id, &view.digest).await;
    let Err(EngineError::PlanChanged { digest }) = result else {
        panic!("{result:?}")
    };
    crowd.world.approve(view.hold.id, &digest).await.unwrap();
    assert_eq!(crowd.inside().await, 1);
}

#[tokio::test]
async fn rejecting_keeps_them_as_strays_until_a_human_or_the_source_decides() {
    let (crowd, view) = held().await;
    let hold = crowd.world.reject(view.hold.id, &view.digest).await.unwrap();
    assert_eq!(hold.state, HoldState::Rejected);
    assert_eq!(crowd.inside().await, 4);
    assert_eq!(
        crowd.stray(crowd.people[0].person).await,
        Some(Stray::HoldRejected)
    );
    let result = crowd.world.approve(view.hold.id, &view.digest).await;
    assert_eq!(refused(result), "hold_decided");
    crowd.world.add(crowd.group, &crowd.people[..1]).await;
    assert_eq!(crowd.stray(crowd.people[0].person).await, None);
    let stray = crowd
        .world
        .member(crowd.room, crowd.people[1].person)
        .await
        .unwrap();
    crowd.world.end(stray.id).await.unwrap();
    assert_eq!(crowd.inside().await, 3);
}

#[tokio::test]
async fn the_last_administrator_stays_when_a_hold_is_approved() {
    let crowd = Crowd::of(4).await;
    for person in &crowd.people[..2] {
        let member = crowd.world.member(crowd.room, person.person).await.unwrap();
        crowd
            .world
            .give_level(member.id, "user_management")
            .await
            .unwrap();
    }
    crowd.world.remove(crowd.group, &crowd.people).await;
    let hold = crowd.hold().await.unwrap();
    let view = crowd.world.hold_view(hold.id).await;
    crowd.world.approve(hold.id, &view.digest).await.unwrap();
    let inside = crowd.world.inside(crowd.room).await;
    let [kept] = inside.as_slice() else {
        panic!("{inside:?}")
    };
    assert!(kept.administrator);
    assert_eq!(kept.stray, Some(Stray::LastAdministrator));
}

#[tokio::test]
async fn a_hold_that_nobody_decides_is_applied_when_its_time_has_come() {
    let (crowd, view) = held().await;
    crowd.world.wait(4 * 3600 - 60);
    assert_eq!(crowd.world.apply_due().await, 0);
    crowd.world.wait(60);
    assert_eq!(crowd.world.apply_due().await, 1);
    assert_eq!(
        crowd.world.hold_view(view.hold.id).await.hold.state,
        HoldState::Applied
    );
    assert_eq!(crowd.inside().await, 0);
    assert_eq!(crowd.world.apply_due().await, 0);
}

#[tokio::test]
async fn an_archived_room_lets_its_holds_rest() {
    let (crowd, view) = held().await;
    crowd
        .world
        .set_room_state(crowd.room, usher_core::RoomState::Archived)
        .await;
    crowd.world.wait(5 * 3600);
    assert_eq!(crowd.world.apply_due().await, 0);
    let result = crowd.world.approve(view.hold.id, &view.digest).await;
    assert_eq!(refused(result), "room_archived");
}

#[tokio::test]
async fn arrivals_beyond_the_expected_number_wait_for_an_approval() {
    let world = World::new().await;
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(world.user(&format!("u{n}")).await);
    }
    let room = world.room_for("Board", Some(2)).await;
    let group = world.group("Board", &people).await;
    world.map(group, room).await;
    assert_eq!(world.inside(room).await.len(), 2);
    let hold: Option<HoldRow> = world
        .read(move |tx| {
            Box::pin(async move {
                Ok(query::hold::open_in_room(tx, room, HoldKind::Arrivals)
                    .await?
                    .pop())
            })
        })
        .await;
    let view = world.hold_view(hold.unwrap().id).await;
    assert_eq!(view.people.len(), 3);
    world.approve(view.hold.id, &view.digest).await.unwrap();
    assert_eq!(world.inside(room).await.len(), 5);
    assert_eq!(world.room_row(room).await.arrival_limit, Some(5));
    let late = world.user("late").await;
    world.add(group, &[late]).await;
    assert_eq!(world.inside(room).await.len(), 5, "the next one waits again");
}

#[tokio::test]
async fn rejected_arrivals_keep_waiting() {
    let world = World::new().await;
    let people = [world.user("anna").await, world.user("ben").await];
    let room = world.room_for("Board", Some(1)).await;
    let group = world.group("Board", &people).await;
    world.map(group, room).await;
    let hold: Option<HoldRow> = world
        .read(move |tx| {
            Box::pin(async move {
                Ok(query::hold::open_in_room(tx, room, HoldKind::Arrivals)
                    .await?
                    .pop())
            })
        })
        .await;
    let view = world.hold_view(hold.unwrap().id).await;
    world.reject(view.hold.id, &view.digest).await.unwrap();
    assert_eq!(world.inside(room).await.len(), 1);
    let parked = world
        .read(move |tx| Box::pin(async move { Ok(query::hold::parked_in(tx, room, None, 10).await?) }))
        .await;
    assert_eq!(parked.len(), 1);
}
