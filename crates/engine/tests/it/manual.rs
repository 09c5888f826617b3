//! Memberships by hand.

use usher_core::{EndReason, MembershipId, MembershipKind, RoomId, RoomState, StartReason, Timestamp};
use usher_engine::manual::{AddManual, MakeManual};
use usher_engine::person::Who;
use usher_engine::{EngineError, EventKind};
use usher_storage::query::membership::MembershipRow;

use crate::world::{Account, Terms, World, refused, user_data};

impl World {
    async fn add_manual(&self, room: RoomId, who: Who, level: &str) -> Result<MembershipRow, EngineError> {
        self.add_until(room, who, level, None).await
    }

    async fn add_until(
        &self,
        room: RoomId,
        who: Who,
        level: &str,
        until: Option<Timestamp>,
    ) -> Result<MembershipRow, EngineError> {
        let ask = AddManual {
            room,
            who,
            display_name: Some("Gast".into()),
            level: level.into(),
            owner: "olga".into(),
            reason: "minutes".into(),
            until,
        };
        self.hand(move |unit| {
            let ask = ask.clone();
            Box::pin(async move { unit.add_manual(&ask).await })
        })
        .await
    }

    async fn make_manual(&self, id: MembershipId, level: Option<&str>) -> Result<MembershipRow, EngineError> {
        let ask = MakeManual {
            owner: "olga".into(),
            reason: "assistant".into(),
            level: level.map(str::to_owned),
            until: None,
        };
        self.hand(move |unit| {
            let ask = ask.clone();
            Box::pin(async move { unit.make_manual(id, &ask).await })
        })
        .await
    }
}

fn email(address: &str) -> Who {
    Who::Email(address.into())
}

/// Anna in the board room by the group of the same name.
async fn managed() -> (World, RoomId, usher_core::SourceGroupId, Account, MembershipRow) {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let (room, group) = (world.room("Board").await, world.group("Board", &[anna]).await);
    world.map(group, room).await;
    let membership = world.member(room, anna.person).await.unwrap();
    (world, room, group, anna, membership)
}

#[tokio::test]
async fn an_external_person_is_added_with_an_owner_and_a_reason() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let guest = world
        .add_manual(room, email("Gast@Fabrikam.example"), "guest")
        .await
        .unwrap();
    assert_eq!(guest.kind, MembershipKind::Manual);
    assert_eq!(
        (guest.owner.as_deref(), guest.note.as_deref()),
        (Some("olga"), Some("minutes"))
    );
    assert_eq!(world.periods(guest.id).await[0].from_reason, StartReason::ByHand);
    let again = world
        .add_manual(room, email("gast@fabrikam.example"), "guest")
        .await;
    assert_eq!(refused(again), "already_in_room");
    let other = world.room("Audit").await;
    let second = world
        .add_manual(other, email("gast@fabrikam.example"), "guest")
        .await
        .unwrap();
    assert_eq!(second.person, guest.person, "one external person");
}

#[tokio::test]
async fn inside_the_own_domains_people_come_from_the_source() {
    let (world, room, _, _, _) = managed().await;
    let result = world.add_manual(room, email("new@contoso.com"), "guest").await;
    assert_eq!(refused(result), "own_domain");
}

#[tokio::test]
async fn the_address_of_an_account_names_no_external() {
    let world = World::new().await;
    let room = world.room("Board").await;
    world.user("anna").await;
    let result = world.add_manual(room, email("anna@contoso.com"), "guest").await;
    assert_eq!(refused(result), "has_account");
}

#[tokio::test]
async fn an_unclear_request_is_refused_with_what_would_be_right() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let guest = || email("gast@fabrikam.example");
    assert_eq!(
        refused(world.add_manual(room, guest(), "nonsense").await),
        "level_invalid"
    );
    let invalid = world.add_manual(room, email("gast"), "guest").await;
    assert!(
        matches!(invalid, Err(EngineError::Invalid { field: "email", .. })),
        "{invalid:?}"
    );
    let passed = world
        .add_until(room, guest(), "guest", Some(Timestamp::from_micros(1)))
        .await;
    assert!(
        matches!(passed, Err(EngineError::Invalid { field: "until", .. })),
        "{passed:?}"
    );
    world.set_room_state(room, RoomState::Archived).await;
    assert_eq!(
        refused(world.add_manual(room, guest(), "guest").await),
        "room_archived"
    );
}

#[tokio::test]
async fn an_override_stays_whatever_the_group_says_and_ends_when_the_account_goes() {
    let (world, room, group, anna, _) = managed().await;
    world.remove(group, &[anna]).await;
    let manual = world
        .add_manual(room, Who::Person(anna.person), "guest")
        .await
        .unwrap();
    world.add(group, &[anna]).await;
    assert_eq!(world.member(room, anna.person).await.unwrap().id, manual.id);
    world.remove(group, &[anna]).await;
    assert_eq!(world.member(room, anna.person).await.unwrap().id, manual.id);
    world.set_active(anna, false).await;
    assert_eq!(
        world.end_reason(manual.id).await,
        Some(EndReason::AccountInactive)
    );
    let result = world.add_manual(room, Who::Person(anna.person), "guest").await;
    assert_eq!(refused(result), "account_inactive");
}

#[tokio::test]
async fn an_external_without_an_account_is_never_touched_by_a_source() {
    let (world, room, group, anna, _) = managed().await;
    let guest = world
        .add_manual(room, email("gast@fabrikam.example"), "guest")
        .await
        .unwrap();
    world.delete_user(anna).await;
    world.delete_group(group).await;
    assert!(world.membership(guest.id).await.active);
}

#[tokio::test]
async fn ending_a_desired_managed_membership_names_the_group_to_change() {
    let (world, _, _, _, membership) = managed().await;
    let result = world.end(membership.id).await;
    let Err(EngineError::Refused(refusal)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(refusal.code, "desired");
    assert!(refusal.next.contains("'Board'"), "{refusal:?}");
}

#[tokio::test]
async fn ending_an_override_lets_a_managed_membership_follow_in_the_same_unit() {
    let (world, room, _, anna, membership) = managed().await;
    let manual = world.make_manual(membership.id, Some("assistant")).await.unwrap();
    let ended = world.end(manual.id).await.unwrap();
    let next = ended.followed_by.unwrap();
    assert_eq!(next.kind, MembershipKind::Managed);
    assert_eq!(world.member(room, anna.person).await.unwrap().id, next.id);
    assert_eq!(
        world.periods(next.id).await[0].from_change,
        world.periods(manual.id).await[0].to_change.unwrap()
    );
    assert_eq!(
        world.end(manual.id).await.unwrap().followed_by,
        None,
        "ending again changes nothing"
    );
}

#[tokio::test]
async fn make_manual_swaps_in_one_unit_and_one_event() {
    let (world, room, _, anna, membership) = managed().await;
    let before = world.all_events().await.len();
    let manual = world.make_manual(membership.id, Some("assistant")).await.unwrap();
    let told = world.all_events().await.split_off(before);
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, [EventKind::MembershipMadeManual.as_str()]);
    assert_eq!(manual.level, "assistant");
    assert_eq!(world.end_reason(membership.id).await, Some(EndReason::MadeManual));
    assert_eq!(world.member(room, anna.person).await.unwrap().id, manual.id);
    assert_eq!(refused(world.make_manual(manual.id, None).await), "not_managed");
}

#[tokio::test]
async fn a_manual_membership_ends_on_its_date_and_may_be_extended() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let until = world.engine.now().plus(std::time::Duration::from_secs(100));
    let guest = world
        .add_until(room, email("gast@fabrikam.example"), "guest", Some(until))
        .await
        .unwrap();
    let later = until.plus(std::time::Duration::from_secs(100));
    let extended = world
        .hand(move |unit| Box::pin(async move { unit.extend_manual(guest.id, Some(later), None).await }))
        .await
        .unwrap();
    assert_eq!(extended.until, Some(later));
    world.wait(150);
    assert_eq!(world.end_expired().await, 0);
    world.wait(100);
    assert_eq!(world.end_expired().await, 1);
    assert_eq!(world.end_reason(guest.id).await, Some(EndReason::Expired));
}

impl World {
    async fn end_expired(&self) -> usize {
        self.push(|unit| Box::pin(async move { unit.end_expired(10).await }))
            .await
            .unwrap()
    }

    async fn vendor_user(&self, room: RoomId) -> MembershipRow {
        self.hand(move |unit| {
            Box::pin(async move {
                unit.start_bootstrap(room, "setup@vendor.example", Some("Set-up"), "user_management")
                    .await
            })
        })
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn the_last_administrator_is_not_ended_by_hand() {
    let world = World::new().await;
    let room = world.room("Board").await;
    let chair = world
        .add_manual(room, email("chair@fabrikam.example"), "user_management")
        .await
        .unwrap();
    assert_eq!(refused(world.end(chair.id).await), "last_administrator");
    world
        .add_manual(room, email("deputy@fabrikam.example"), "user_management")
        .await
        .unwrap();
    world.end(chair.id).await.unwrap();
    assert_eq!(world.inside(room).await.len(), 1);
}

#[tokio::test]
async fn the_set_up_user_leaves_only_when_an_administrator_is_active() {
    let (world, room, _, anna, membership) = managed().await;
    let bootstrap = world.vendor_user(room).await;
    assert_eq!(world.vendor_user(room).await.id, bootstrap.id);
    assert_eq!(refused(world.end(bootstrap.id).await), "no_administrator_yet");
    world.give_level(membership.id, "user_management").await.unwrap();
    world.end(bootstrap.id).await.unwrap();
    assert_eq!(world.end_reason(bootstrap.id).await, Some(EndReason::SetUpDone));
    assert_eq!(world.inside(room).await[0].person, anna.person);
}

#[tokio::test]
async fn the_last_administrator_removed_from_the_group_stays_until_there_is_another() {
    let world = World::new().await;
    let (anna, ben) = (world.user("anna").await, world.user("ben").await);
    let (room, group) = (
        world.room("Board").await,
        world.group("Board", &[anna, ben]).await,
    );
    world
        .map_with(
            group,
            room,
            Terms {
                level: "user",
                ..Terms::default()
            },
        )
        .await;
    let chair = world.member(room, anna.person).await.unwrap();
    world.give_level(chair.id, "user_management").await.unwrap();
    world.remove(group, &[anna]).await;
    assert_eq!(
        world.membership(chair.id).await.stray,
        Some(usher_core::Stray::LastAdministrator)
    );
    assert_eq!(world.events(EventKind::MembershipKept).await.len(), 1);
    let deputy = world.member(room, ben.person).await.unwrap();
    world.give_level(deputy.id, "user_management").await.unwrap();
    assert_eq!(world.end_reason(chair.id).await, Some(EndReason::Removed));
}

#[tokio::test]
async fn the_last_administrator_deactivated_leaves_and_the_room_is_marked() {
    let (world, room, _, anna, membership) = managed().await;
    world.give_level(membership.id, "user_management").await.unwrap();
    assert_eq!(world.room_row(room).await.no_administrator_since, None);
    world.set_active(anna, false).await;
    assert_eq!(
        world.end_reason(membership.id).await,
        Some(EndReason::AccountInactive)
    );
    assert!(world.room_row(room).await.no_administrator_since.is_some());
    assert_eq!(world.events(EventKind::RoomWithoutAdministrator).await.len(), 1);
}

#[tokio::test]
async fn a_guest_or_a_private_address_in_the_group_gets_no_access() {
    let (world, room, group, _, _) = managed().await;
    let private = world
        .user_of(usher_engine::UserData {
            emails: vec!["ben@private.example".into()],
            ..user_data("ben")
        })
        .await;
    let guest = world
        .user_of(usher_engine::UserData {
            user_name: "eva_fabrikam.example#EXT#@contoso.com".into(),
            ..user_data("eva")
        })
        .await;
    world.add(group, &[private, guest]).await;
    assert_eq!(world.inside(room).await.len(), 1);
}
