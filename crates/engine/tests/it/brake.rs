//! Too many endings at once, or one after the other.

use usher_core::{EndReason, HoldKind, PersonId, RoomId, SourceGroupId, Stray};
use usher_engine::{BrakePolicy, EventKind, MembersChange, Policy};
use usher_storage::query;
use usher_storage::query::hold::HoldRow;

use crate::world::{Account, World, named, policy};

/// A room of `people` with a brake that lets 2 endings or 20 % of the room pass within a day.
pub(crate) struct Crowd {
    pub(crate) world: World,
    pub(crate) room: RoomId,
    pub(crate) group: SourceGroupId,
    pub(crate) people: Vec<Account>,
}

impl Crowd {
    pub(crate) async fn of(people: usize) -> Self {
        let world = World::with(Policy {
            brake: BrakePolicy {
                enabled: true,
                endings: 2,
                ..BrakePolicy::default()
            },
            ..policy()
        })
        .await;
        let mut accounts = Vec::new();
        for n in 0..people {
            accounts.push(world.user(&format!("u{n:02}")).await);
        }
        let (room, group) = (world.room("Board").await, world.group("Board", &accounts).await);
        world.map(group, room).await;
        Self {
            world,
            room,
            group,
            people: accounts,
        }
    }

    pub(crate) async fn hold(&self) -> Option<HoldRow> {
        let room = self.room;
        self.world
            .read(move |tx| {
                Box::pin(async move {
                    Ok(query::hold::open_in_room(tx, room, HoldKind::Endings)
                        .await?
                        .pop())
                })
            })
            .await
    }

    pub(crate) async fn stray(&self, person: PersonId) -> Option<Stray> {
        self.world
            .member(self.room, person)
            .await
            .and_then(|member| member.stray)
    }

    pub(crate) async fn inside(&self) -> usize {
        self.world.inside(self.room).await.len()
    }
}

#[tokio::test]
async fn few_endings_pass() {
    let crowd = Crowd::of(5).await;
    crowd.world.remove(crowd.group, &crowd.people[..2]).await;
    assert_eq!(crowd.inside().await, 3);
    assert_eq!(crowd.hold().await, None);
}

#[tokio::test]
async fn a_mass_removal_in_one_change_is_held_and_somebody_is_told() {
    let crowd = Crowd::of(10).await;
    let rest = named(&crowd.people[..1]);
    crowd
        .world
        .members(crowd.group, MembersChange::Replace(rest))
        .await;
    assert_eq!(crowd.inside().await, 10);
    assert_eq!(crowd.stray(crowd.people[9].person).await, Some(Stray::Held));
    assert_eq!(crowd.stray(crowd.people[0].person).await, None);
    let hold = crowd.hold().await.unwrap();
    assert!(hold.cause.contains('9'), "{}", hold.cause);
    assert_eq!(
        hold.due,
        Some(hold.opened.plus(BrakePolicy::default().hold_for()))
    );
    assert_eq!(crowd.world.events(EventKind::HoldOpened).await.len(), 1);
}

#[tokio::test]
async fn an_explicit_removal_of_everybody_is_held() {
    let crowd = Crowd::of(4).await;
    crowd.world.members(crowd.group, MembersChange::RemoveAll).await;
    assert_eq!(crowd.inside().await, 4);
    assert!(crowd.hold().await.is_some());
}

#[tokio::test]
async fn a_deleted_group_is_held_and_says_so() {
    let crowd = Crowd::of(4).await;
    crowd.world.delete_group(crowd.group).await;
    assert_eq!(crowd.inside().await, 4);
    assert!(crowd.hold().await.unwrap().cause.contains("deleted"));
}

#[tokio::test]
async fn a_slow_drip_is_caught_like_a_burst() {
    let crowd = Crowd::of(8).await;
    for person in &crowd.people {
        crowd.world.wait(600);
        crowd.world.remove(crowd.group, &[*person]).await;
    }
    assert_eq!(crowd.inside().await, 6);
    let hold = crowd.hold().await.unwrap();
    assert!(hold.cause.contains("over the last day"), "{}", hold.cause);
}

#[tokio::test]
async fn a_drip_slower_than_the_window_passes() {
    let crowd = Crowd::of(6).await;
    for person in &crowd.people {
        crowd.world.wait(13 * 3600);
        crowd.world.remove(crowd.group, &[*person]).await;
    }
    assert_eq!(crowd.inside().await, 0);
}

#[tokio::test]
async fn a_share_of_a_large_room_passes() {
    let crowd = Crowd::of(20).await;
    crowd.world.remove(crowd.group, &crowd.people[..4]).await;
    assert_eq!(crowd.inside().await, 16);
    crowd.world.remove(crowd.group, &crowd.people[4..5]).await;
    assert_eq!(crowd.inside().await, 16, "the fifth of twenty is beyond 20 %");
}

#[tokio::test]
async fn inactive_and_gone_accounts_always_pass() {
    let crowd = Crowd::of(6).await;
    for person in &crowd.people[..3] {
        crowd.world.set_active(*person, false).await;
    }
    for person in &crowd.people[3..] {
        crowd.world.delete_user(*person).await;
    }
    assert_eq!(crowd.inside().await, 0);
    assert_eq!(crowd.hold().await, None);
}

#[tokio::test]
async fn a_held_person_whom_the_source_names_again_is_released() {
    let crowd = Crowd::of(4).await;
    crowd.world.remove(crowd.group, &crowd.people).await;
    let before = crowd
        .world
        .member(crowd.room, crowd.people[0].person)
        .await
        .unwrap();
    crowd.world.add(crowd.group, &crowd.people[..1]).await;
    let after = crowd
        .world
        .member(crowd.room, crowd.people[0].person)
        .await
        .unwrap();
    assert_eq!((after.id, after.stray), (before.id, None));
    crowd.world.add(crowd.group, &crowd.people).await;
    assert_eq!(crowd.hold().await, None, "an empty hold closes");
    assert_eq!(crowd.world.events(EventKind::HoldReleased).await.len(), 1);
}

#[tokio::test]
async fn a_held_person_whose_account_becomes_inactive_ends_at_once() {
    let crowd = Crowd::of(4).await;
    crowd.world.remove(crowd.group, &crowd.people).await;
    let held = crowd
        .world
        .member(crowd.room, crowd.people[0].person)
        .await
        .unwrap();
    crowd.world.set_active(crowd.people[0], false).await;
    assert_eq!(
        crowd.world.end_reason(held.id).await,
        Some(EndReason::AccountInactive)
    );
    assert_eq!(crowd.inside().await, 3);
}

#[tokio::test]
async fn starts_are_never_braked() {
    let crowd = Crowd::of(3).await;
    crowd.world.remove(crowd.group, &crowd.people).await;
    let ben = crowd.world.user("ben").await;
    crowd.world.add(crowd.group, &[ben]).await;
    assert_eq!(crowd.inside().await, 4);
}

#[tokio::test]
async fn administrators_who_are_held_need_nobody_to_stay_for_them() {
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
    for person in &crowd.people {
        assert_eq!(crowd.stray(person.person).await, Some(Stray::Held));
    }
    assert_eq!(crowd.world.events(EventKind::MembershipKept).await.len(), 0);
}

#[tokio::test]
async fn an_administrator_by_hand_lets_the_managed_one_go() {
    let crowd = Crowd::of(2).await;
    let chair = crowd
        .world
        .member(crowd.room, crowd.people[0].person)
        .await
        .unwrap();
    crowd.world.give_level(chair.id, "user_management").await.unwrap();
    let ask = usher_engine::manual::AddManual {
        room: crowd.room,
        who: usher_engine::person::Who::Email("deputy@fabrikam.example".into()),
        display_name: None,
        level: "user_management".into(),
        owner: "olga".into(),
        reason: "stands in".into(),
        until: None,
    };
    crowd
        .world
        .hand(move |unit| {
            let ask = ask.clone();
            Box::pin(async move { unit.add_manual(&ask).await })
        })
        .await
        .unwrap();
    crowd.world.remove(crowd.group, &crowd.people).await;
    assert_eq!(crowd.world.end_reason(chair.id).await, Some(EndReason::Removed));
}
