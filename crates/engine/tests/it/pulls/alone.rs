//! A source that is only read.

use usher_core::{DirectoryChange, EndReason, Scope, UnknownScope, UserRecord};
use usher_storage::query;

use super::*;
use usher_engine::EventKind;

#[tokio::test]
async fn people_come_by_a_read_and_end_by_a_complete_one_that_a_count_confirms() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna", "ben", "carl"]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben", "carl"]);
    let summary = reads.board(&["anna", "carl"], true).await;
    assert_eq!(
        (summary.members, summary.removed, summary.users_changed),
        (2, 1, 0)
    );
    assert_eq!(inside(&world, room).await, ["anna", "carl"]);
    let ended = world.events(EventKind::MembershipEnded).await;
    assert!(
        ended[0].data.contains(EndReason::Removed.as_str()),
        "{}",
        ended[0].data
    );
}

#[tokio::test]
async fn an_absence_that_nothing_confirms_counts_at_the_second_read() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna", "ben"]).await;
    let summary = reads.board(&[], false).await;
    assert_eq!((summary.removed, summary.doubted), (0, 2));
    assert_eq!(summary.read_again, [group("board")]);
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    reads.board(&["ben"], false).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    // Ben was seen in between, so this is a first absence again.
    reads.board(&[], false).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    reads.board(&[], false).await;
    assert_eq!(inside(&world, room).await, [""; 0]);
}

#[tokio::test]
async fn a_half_read_group_and_an_unknown_one_end_nobody() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna", "ben"]).await;
    let half = vec![vec![board()], seen("anna").to_vec()];
    reads.report(half.clone()).await;
    let unknown = DirectoryChange::Unknown {
        scope: UnknownScope::Group(group("board")),
        reason: "403".into(),
    };
    let complete = DirectoryChange::GroupMembersComplete {
        group: group("board"),
        confirmed: true,
    };
    let mut pages = half;
    pages.push(vec![unknown, complete.clone()]);
    let summary = reads.report(pages).await;
    assert_eq!(summary.unknown.len(), 2, "{:?}", summary.unknown);
    reads.report(vec![vec![complete]]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
}

#[tokio::test]
async fn a_read_that_is_broken_off_keeps_what_it_wrote_and_the_old_checkpoint() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let session = reads.begin().await;
    session.finish(checkpoint("first")).await.unwrap();
    let mut session = reads.begin().await;
    session.take(vec![board()]).await.unwrap();
    session.take(seen("anna").to_vec()).await.unwrap();
    session.take(seen("ben").to_vec()).await.unwrap();
    drop(session);
    let (source, stored) = (world.source, |text: &'static str| text.to_owned());
    let state = world
        .read(move |tx| Box::pin(async move { Ok(query::pull_run::state(tx, source).await?) }))
        .await;
    assert_eq!(state.checkpoint, Some(stored("first")));
    let room = reads.room_of(&["anna", "ben"]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
}

#[tokio::test]
async fn reading_the_same_again_writes_nothing() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna", "ben", "carl"]).await;
    let events = world.all_events().await.len();
    let session = reads.begin().await;
    let rows = world.engine.storage().stats().rows;
    let summary = report(session, board_pages(&["anna", "ben", "carl"], true)).await;
    assert_eq!(world.engine.storage().stats().rows, rows);
    assert_eq!(world.all_events().await.len(), events);
    assert_eq!((summary.members, summary.users_changed, summary.added), (3, 0, 0));
    assert_eq!(inside(&world, room).await.len(), 3);
}

#[tokio::test]
async fn names_that_were_swapped_follow_their_owners() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna", "ben"]).await;
    let swapped = |name: &str, other: &str| UserRecord {
        user_name: format!("{other}@contoso.com"),
        ..record(name)
    };
    reads
        .report(vec![vec![
            upserted(swapped("anna", "ben")),
            upserted(swapped("ben", "anna")),
        ]])
        .await;
    let source = world.source;
    for (name, owner) in [("anna@contoso.com", "x-ben"), ("ben@contoso.com", "x-anna")] {
        let row = world
            .read(move |tx| Box::pin(async move { Ok(query::user::by_name(tx, source, name).await?) }))
            .await;
        assert_eq!(row.unwrap().remote_id.as_deref(), Some(owner));
    }
    // One after the other works as well, and so does a name that two users have for a while.
    reads.report(vec![vec![upserted(record("anna"))]]).await;
    reads.report(vec![vec![upserted(record("ben"))]]).await;
    let newcomers = ["dora", "emil"].map(|name| upserted(swapped(name, "anna")));
    reads.report(vec![newcomers.to_vec()]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
}

#[tokio::test]
async fn a_guest_gets_into_no_room_and_stays_one_when_the_rules_are_read_again() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let guest = UserRecord {
        guest: true,
        ..record("gina")
    };
    reads
        .report(vec![vec![board(), upserted(guest), added("gina")]])
        .await;
    let room = world.room("Board").await;
    world.map(reads.board_id().await, room).await;
    assert_eq!(inside(&world, room).await, [""; 0]);
    let source = world.source;
    let row = world
        .read(move |tx| {
            Box::pin(async move { Ok(query::user::by_name(tx, source, "gina@contoso.com").await?) })
        })
        .await
        .unwrap();
    assert_eq!(row.scope, Scope::Guest);
}

#[tokio::test]
async fn what_the_provider_says_in_a_delta_is_so_at_once() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna", "ben"]).await;
    reads.delta = true;
    let stranger = upserted(record("zoe"));
    reads
        .report(vec![vec![
            stranger,
            removed("anna"),
            upserted(record("carl")),
            added("carl"),
        ]])
        .await;
    assert_eq!(inside(&world, room).await, ["ben", "carl"]);
    let source = world.source;
    let zoe = world
        .read(move |tx| {
            Box::pin(async move { Ok(query::user::by_name(tx, source, "zoe@contoso.com").await?) })
        })
        .await;
    assert!(zoe.is_none(), "whom nobody knows and no group names is left out");
    // Added and removed in one page: the last word counts.
    reads.report(vec![vec![added("anna"), removed("anna")]]).await;
    reads.report(vec![vec![removed("ben"), added("ben")]]).await;
    assert_eq!(inside(&world, room).await, ["ben", "carl"]);
}

#[tokio::test]
async fn a_disabled_account_ends_and_comes_back_with_its_groups() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna"]).await;
    reads.delta = true;
    let disabled = UserRecord {
        active: false,
        ..record("anna")
    };
    reads.report(vec![vec![upserted(disabled)]]).await;
    assert_eq!(inside(&world, room).await, [""; 0]);
    reads.report(vec![vec![upserted(record("anna"))]]).await;
    assert_eq!(inside(&world, room).await, ["anna"]);
}

#[tokio::test]
async fn who_is_gone_and_comes_back_with_the_same_id_is_the_same_person() {
    let world = World::new().await;
    let reads = Reads::new(&world, "pull").await;
    let room = reads.room_of(&["anna"]).await;
    let before = world.inside(room).await[0].person;
    reads
        .report(vec![vec![DirectoryChange::UserGone(user("x-anna"))]])
        .await;
    assert_eq!(inside(&world, room).await, [""; 0]);
    reads.board(&["anna"], true).await;
    assert_eq!(world.inside(room).await[0].person, before);
    reads
        .report(vec![vec![DirectoryChange::GroupGone(group("board"))]])
        .await;
    assert_eq!(inside(&world, room).await, [""; 0]);
}

#[tokio::test]
async fn nobody_gets_in_before_the_group_is_assigned_to_the_application() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "pull").await;
    reads.require_assignment = true;
    let room = reads.room_of(&["anna", "ben"]).await;
    assert_eq!(inside(&world, room).await, [""; 0]);
    let person = world
        .read(move |tx| {
            Box::pin(async move { Ok(query::person::by_email(tx, "anna@contoso.com").await?.pop()) })
        })
        .await
        .unwrap()
        .id;
    let grounds = world
        .read(move |tx| Box::pin(usher_engine::ground::grounds(tx, room, person)))
        .await;
    assert_eq!(grounds.refusal().unwrap().code, "unassigned");
    let assignment = |assigned| {
        vec![vec![DirectoryChange::ApplicationAssignment {
            group: group("board"),
            assigned,
        }]]
    };
    reads.report(assignment(true)).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    reads.report(assignment(false)).await;
    assert_eq!(inside(&world, room).await, [""; 0]);
}

#[tokio::test]
async fn a_member_whom_nobody_knows_comes_in_when_the_account_becomes_known() {
    let world = World::new().await;
    let mut reads = Reads::new(&world, "pull").await;
    let unseen = DirectoryChange::Unknown {
        scope: UnknownScope::User(user("x-anna")),
        reason: "a status that nobody knows".into(),
    };
    let complete = DirectoryChange::GroupMembersComplete {
        group: group("board"),
        confirmed: true,
    };
    for _ in 0..2 {
        let page = [vec![unseen.clone(), added("anna")], seen("ben").to_vec()].concat();
        reads
            .report(vec![vec![board()], page, vec![complete.clone()]])
            .await;
    }
    let room = world.room("Board").await;
    world.map(reads.board_id().await, room).await;
    assert_eq!(inside(&world, room).await, ["ben"]);
    reads.delta = true;
    reads.report(vec![vec![upserted(record("anna"))]]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
    // Who was awaited and is not named any more is a stranger again.
    reads.delta = false;
    let carl = [vec![added("carl")], seen("ben").to_vec(), seen("anna").to_vec()].concat();
    reads.report(vec![vec![board()], carl, vec![complete]]).await;
    reads.board(&["anna", "ben"], true).await;
    reads.delta = true;
    reads.report(vec![vec![upserted(record("carl"))]]).await;
    assert_eq!(inside(&world, room).await, ["anna", "ben"]);
}
