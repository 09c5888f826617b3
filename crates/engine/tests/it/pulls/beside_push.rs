//! A source that is pushed and read.

use usher_core::UserRecord;
use usher_engine::pull::Difference;
use usher_engine::{EventKind, MembersChange, UserData};
use usher_storage::query;

use super::*;
use crate::world::{Account, named, user_data};

/// The group `board` as a push brings it.
async fn pushed_board(world: &World, members: &[Account]) -> SourceGroupId {
    let (source, members) = (world.source, named(members));
    world
        .push(move |unit| {
            let data = usher_engine::GroupData {
                display_name: "Board".into(),
                external_id: Some("board".into()),
                resource: "{\"displayName\":\"Board\",\"externalId\":\"board\"}".into(),
            };
            let members = members.clone();
            Box::pin(async move {
                let id = unit.id();
                Ok(unit.create_group(source, id, data, members).await?.id)
            })
        })
        .await
        .unwrap()
}

/// Anna and Ben in the room by a push.
async fn pushed_room(world: &World) -> (RoomId, SourceGroupId, [Account; 2]) {
    let people = [world.user("anna").await, world.user("ben").await];
    let board = pushed_board(world, &people).await;
    let room = world.room("Board").await;
    world.map(board, room).await;
    assert_eq!(inside(world, room).await, ["anna", "ben"]);
    (room, board, people)
}

async fn differences(world: &World) -> Vec<(Difference, Option<String>)> {
    let drifts = world.engine.drift("idp".parse().unwrap(), 100).await.unwrap();
    drifts
        .into_iter()
        .map(|drift| (drift.kind, drift.user_name))
        .collect()
}

#[tokio::test]
async fn what_is_read_joins_what_was_pushed_by_the_trusted_id() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, people) = pushed_room(&world).await;
    reads.board(&["anna", "ben", "carl"], true).await;
    assert_eq!(reads.board_id().await, board);
    assert_eq!(inside(&world, room).await, ["anna", "ben", "carl"]);
    assert_eq!(
        world
            .inside(room)
            .await
            .iter()
            .filter(|member| people.iter().any(|account| account.person == member.person))
            .count(),
        2
    );
    // What only a read saw is no part of what the provider wrote over SCIM.
    let shown = world
        .read(move |tx| Box::pin(async move { Ok(query::group::members(tx, board, None, 10).await?) }))
        .await;
    assert_eq!(shown.len(), 2);
    assert_eq!(
        differences(&world).await,
        [(Difference::MissingPush, Some("carl@contoso.com".into()))]
    );
}

#[tokio::test]
async fn a_push_that_comes_after_the_read_takes_over_what_was_read() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let room = reads.room_of(&["anna", "ben"]).await;
    let before = world.inside(room).await;
    let anna = world.user("anna").await;
    let board = pushed_board(&world, &[anna]).await;
    assert_eq!(board, reads.board_id().await);
    assert_eq!(world.inside(room).await, before);
    let shown = world
        .read(move |tx| Box::pin(async move { Ok(query::group::members(tx, board, None, 10).await?) }))
        .await;
    assert_eq!(
        shown.iter().map(|member| member.user).collect::<Vec<_>>(),
        [anna.id]
    );
}

#[tokio::test]
async fn a_pushed_removal_acts_at_once_and_two_reads_a_settle_time_apart_undo_it() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    world.remove(board, &[anna]).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    for wait in [0, 60] {
        world.wait(wait);
        reads.board(&["anna", "ben"], true).await;
        assert_eq!(inside(&world, room).await, ["ben"], "after {wait} s more");
    }
    world.wait(SETTLE.as_secs());
    reads.board(&["anna", "ben"], true).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    assert_eq!(world.events(EventKind::MembersReinstated).await.len(), 1);
    assert_eq!(differences(&world).await.len(), 1);
}

#[tokio::test]
async fn a_removal_of_somebody_whom_no_read_saw_is_remembered_too() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    world.remove(board, &[anna]).await;
    let late = reads.board(&["anna", "ben"], true).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    assert_eq!(late.read_again, [group("board")]);
    // The next read does not see her: the provider's index had been late.
    reads.board(&["ben"], true).await;
    world.wait(SETTLE.as_secs());
    reads.board(&["ben"], true).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    assert!(differences(&world).await.is_empty());
}

#[tokio::test]
async fn a_push_that_names_somebody_again_needs_no_read() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    world.remove(board, &[anna]).await;
    world.add(board, &[anna]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    reads.board(&["anna", "ben"], true).await;
    assert!(differences(&world).await.is_empty());
}

#[tokio::test]
async fn a_read_that_began_before_the_push_says_nothing_of_it() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, _) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    for _ in 0..2 {
        let mut session = reads.begin().await;
        let carl = world.user("carl").await;
        world.add(board, &[carl]).await;
        session.take(vec![super::board()]).await.unwrap();
        session.take([seen("anna"), seen("ben")].concat()).await.unwrap();
        session.take(vec![complete()]).await.unwrap();
        session.finish(ReadOutcome::default()).await.unwrap();
        assert_eq!(inside(&world, room).await, ["anna", "ben", "carl"]);
        world.remove(board, &[carl]).await;
        world.delete_user(carl).await;
    }
}

/// A group that counts too few members seems empty to who asks it by the count.
#[tokio::test]
async fn a_deleted_user_takes_from_a_pushed_group_only_what_was_pushed() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    let carl = world.user("carl").await;
    reads.board(&["anna", "ben", "carl"], true).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben", "carl"]);
    for (account, left) in [(carl, 2), (anna, 1)] {
        world.delete_user(account).await;
        let source = world.source;
        let row = world
            .read(move |tx| Box::pin(async move { Ok(query::group::by_id(tx, source, board).await?) }))
            .await;
        assert_eq!(row.expect("a group").member_count, left);
    }
}

#[tokio::test]
async fn who_is_absent_from_two_complete_reads_ends_and_stays_in_what_was_pushed() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    reads.board(&["ben"], true).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    assert_eq!(
        differences(&world).await,
        [(Difference::StalePush, Some("anna@contoso.com".into()))]
    );
    reads.board(&["ben"], true).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    let shown = world
        .read(move |tx| Box::pin(async move { Ok(query::group::members(tx, board, None, 10).await?) }))
        .await;
    assert_eq!(shown.len(), 2, "SCIM shows what was pushed");
    assert_eq!(world.events(EventKind::MembersRefuted).await.len(), 1);
    // The push names her again, which is newer than the reads.
    world.add(board, &[anna]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
}

#[tokio::test]
async fn a_removal_that_a_delta_reports_is_only_the_first_word() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "both").await;
    let (room, ..) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    reads.delta = true;
    let summary = reads.report(vec![vec![removed("anna")]]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    assert_eq!(summary.read_again, [group("board")]);
    reads.delta = false;
    reads.board(&["ben"], true).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
}

#[tokio::test]
async fn a_pushed_user_is_the_same_person_after_a_deletion_though_reads_use_another_id() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let anna = world.user("anna").await;
    let other_id = UserRecord {
        id: user("4711"),
        ..record("anna")
    };
    reads.report(vec![vec![board(), upserted(other_id)]]).await;
    assert_eq!(world.account(anna.id).await.remote_id.as_deref(), Some("4711"));
    world.delete_user(anna).await;
    assert_eq!(world.user("anna").await.person, anna.person);
}

#[tokio::test]
async fn nobody_is_restored_whom_the_last_read_did_not_see() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    world.remove(board, &[anna]).await;
    world.add(board, &[anna]).await;
    let restore = world.suggested(room, anna.person).await.unwrap();
    assert_eq!(world.plan(restore.id, None).await.unwrap().refusal, None);
    reads.delta = true;
    reads.report(vec![vec![removed("anna")]]).await;
    let refusal = world.plan(restore.id, None).await.unwrap().refusal;
    assert_eq!(refusal.unwrap().code, "doubted");
    reads.delta = false;
    reads.board(&["anna", "ben"], true).await;
    assert_eq!(world.plan(restore.id, None).await.unwrap().refusal, None);
}

#[tokio::test]
async fn inactive_on_either_side_wins_until_that_side_takes_it_back() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "both").await;
    let (room, _, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    reads.delta = true;
    let says = |active| {
        vec![vec![upserted(UserRecord {
            active,
            ..record("anna")
        })]]
    };
    reads.report(says(false)).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    assert_eq!(
        differences(&world).await,
        [(Difference::InactiveSide, Some("anna@contoso.com".into()))]
    );
    // The push says nothing new of her being active, so it does not undo what was read.
    world
        .change(anna, |data| data.display_name = Some("Anna".into()))
        .await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    reads.report(says(true)).await;
    assert_eq!(inside(&world, room).await.len(), 2);

    set_pushed_active(&world, anna, false).await;
    reads.report(says(true)).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    set_pushed_active(&world, anna, true).await;
    assert_eq!(inside(&world, room).await.len(), 2);
    reads
        .report(vec![vec![DirectoryChange::UserGone(user("x-anna"))]])
        .await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    assert!(
        differences(&world)
            .await
            .iter()
            .any(|(kind, _)| *kind == Difference::InactiveSide)
    );
}

#[tokio::test]
async fn a_read_with_nested_groups_never_fights_a_pushed_removal() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    reads.nested = true;
    reads.board(&["anna", "ben", "carl"], true).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben", "carl"]);
    world.remove(board, &[anna]).await;
    for _ in 0..3 {
        world.wait(SETTLE.as_secs());
        reads.board(&["anna", "ben", "carl"], true).await;
        assert_eq!(inside(&world, room).await, ["ben", "carl"]);
    }
}

#[tokio::test]
async fn a_group_that_reads_call_gone_is_read_as_empty_twice() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, ..) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    let gone = || vec![vec![DirectoryChange::GroupGone(group("board"))]];
    reads.report(gone()).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    reads.report(gone()).await;
    assert_eq!(inside(&world, room).await, [""; 0]);
}

#[tokio::test]
async fn an_equal_name_joins_only_where_nothing_hangs_on_it() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let without_id = |name: &str| UserData {
        external_id: None,
        ..user_data(name)
    };
    let free = world.user_of(without_id("free")).await;
    let bound = world.user_of(without_id("bound")).await;
    let board = pushed_board(&world, &[bound]).await;
    let room = world.room("Board").await;
    world.map(board, room).await;
    reads.board(&["free", "bound"], true).await;
    assert_eq!(world.account(free.id).await.remote_id.as_deref(), Some("x-free"));
    assert_eq!(world.account(bound.id).await.remote_id, None);
    assert_eq!(world.events(EventKind::UserNotJoined).await.len(), 1);
    assert!(
        differences(&world)
            .await
            .contains(&(Difference::NotJoined, Some("bound@contoso.com".into())))
    );

    let source = world.source;
    let joined = world
        .hand(move |unit| {
            Box::pin(async move {
                let source = query::source::by_key(unit.tx(), source)
                    .await?
                    .expect("configured");
                unit.join_user(&source, "x-bound").await
            })
        })
        .await
        .unwrap();
    assert_eq!(joined, bound.id);
    reads.board(&["free", "bound"], true).await;
    assert!(
        differences(&world)
            .await
            .iter()
            .all(|(kind, _)| *kind != Difference::NotJoined)
    );
    world.members(board, MembersChange::Add(named(&[free]))).await;
    assert_eq!(inside(&world, room).await, ["bound", "free"]);
}

/// What late reads bring after a push took somebody away: nobody, until two of them a settle time apart agree.
async fn comes_back_after_a_settle_time(reads: &Reads<'_>, room: RoomId, at_once: &[&str]) {
    for wait in [0, 60] {
        reads.world.wait(wait);
        let late = reads.board(&["anna", "ben"], true).await;
        assert_eq!(inside(reads.world, room).await, at_once, "after {wait} s more");
        assert_eq!(late.read_again, [group("board")]);
    }
    reads.world.wait(SETTLE.as_secs());
    reads.board(&["anna", "ben"], true).await;
    assert_eq!(inside(reads.world, room).await, ["anna", "ben"]);
}

#[tokio::test]
async fn a_late_read_lets_nobody_in_whose_account_a_push_deleted() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, _, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    world.delete_user(anna).await;
    comes_back_after_a_settle_time(&reads, room, &["ben"]).await;
    let back = world.inside(room).await;
    assert!(
        back.iter().any(|member| member.person == anna.person),
        "the same id is the same person"
    );
}

#[tokio::test]
async fn a_late_delta_lets_nobody_in_whose_account_a_push_deleted() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "both").await;
    let (room, _, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    world.delete_user(anna).await;
    reads.delta = true;
    let summary = reads.report(vec![seen("anna").to_vec()]).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    assert_eq!(summary.read_again, [group("board")]);
    // The provider's index comes to itself: the deletion stands, and nothing is left of it.
    reads
        .report(vec![vec![DirectoryChange::UserGone(user("x-anna"))]])
        .await;
    reads.report(vec![seen("anna").to_vec()]).await;
    assert_eq!(inside(&world, room).await, ["ben"], "it says this and that");
    reads.delta = false;
    reads.board(&["ben"], true).await;
    world.wait(SETTLE.as_secs());
    reads.board(&["ben"], true).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
}

#[tokio::test]
async fn a_deleted_account_that_is_pushed_again_needs_no_read() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    world.delete_user(anna).await;
    reads.board(&["anna", "ben"], true).await;
    let again = world.user("anna").await;
    world.add(board, &[again]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    assert_eq!(again.person, anna.person);
}

#[tokio::test]
async fn a_late_read_lets_nobody_in_whose_account_a_push_deactivated() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, _, [anna, _]) = pushed_room(&world).await;
    reads.board(&["anna", "ben"], true).await;
    set_pushed_active(&world, anna, false).await;
    for _ in 0..3 {
        world.wait(SETTLE.as_secs());
        reads.board(&["anna", "ben"], true).await;
        assert_eq!(inside(&world, room).await, ["ben"]);
    }
}

#[tokio::test]
async fn a_late_read_lets_nobody_in_by_a_group_that_a_push_deleted() {
    let world = World::new().await;
    let reads = Reads::new(&world, "both").await;
    let (room, board, _) = pushed_room(&world).await;
    // The mapping names the group by the provider's id, so that the group that comes back is the same.
    world
        .hand(|unit| {
            let sql = "UPDATE mapping SET group_ref = 'board', group_key = 'board'";
            Box::pin(async move { Ok(unit.tx().execute(sql, &[]).await?) })
        })
        .await
        .unwrap();
    reads.board(&["anna", "ben"], true).await;
    delete_group(&world, board).await;
    assert_eq!(inside(&world, room).await, [""; 0]);
    comes_back_after_a_settle_time(&reads, room, &[]).await;
}

#[tokio::test]
async fn a_read_with_nested_groups_brings_back_who_left_with_an_account_and_not_who_was_removed() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "both").await;
    let (room, board, [anna, ben]) = pushed_room(&world).await;
    reads.nested = true;
    reads.board(&["anna", "ben"], true).await;
    world.delete_user(anna).await;
    world.remove(board, &[ben]).await;
    for _ in 0..3 {
        world.wait(SETTLE.as_secs());
        reads.board(&["anna", "ben"], true).await;
    }
    assert_eq!(inside(&world, room).await, ["anna"]);
}

/// One SCIM request, or one page of a read, asks for the same number of statements whatever the number of people on it.
#[tokio::test]
async fn what_is_heard_of_many_pushed_people_costs_as_many_statements_as_of_few() {
    let mut costs = Vec::new();
    for people in [2, 20] {
        let world = World::new().await;
        let reads = Reads::new(&world, "both").await;
        let names: Vec<String> = (0..people).map(|number| format!("p{number}")).collect();
        let mut accounts = Vec::new();
        for name in &names {
            accounts.push(world.user(name).await);
        }
        pushed_board(&world, &accounts).await;
        let page = || -> Vec<DirectoryChange> { names.iter().flat_map(|name| seen(name)).collect() };
        reads.report(vec![vec![board()], page()]).await;
        let before = world.engine.storage().stats().statements;
        let renamed = names.iter().map(|name| {
            upserted(UserRecord {
                display_name: Some(format!("{name} of Contoso")),
                ..record(name)
            })
        });
        reads.report(vec![renamed.collect()]).await;
        costs.push(world.engine.storage().stats().statements - before);
    }
    assert_eq!(costs[0], costs[1]);
}

/// As the push says it.
async fn delete_group(world: &World, group: SourceGroupId) {
    let source = world.source;
    world
        .push(move |unit| {
            Box::pin(async move {
                let row = query::group::by_id(unit.tx(), source, group).await?;
                unit.delete_group(&row.expect("it is there")).await
            })
        })
        .await
        .unwrap();
}

/// As a provider says it over SCIM: in the resource, too.
async fn set_pushed_active(world: &World, account: Account, active: bool) {
    world
        .change(account, move |data| {
            data.active = active;
            data.resource = format!("{{\"active\":{active}}}");
        })
        .await;
}

fn complete() -> DirectoryChange {
    DirectoryChange::GroupMembersComplete {
        group: group("board"),
        confirmed: true,
    }
}
