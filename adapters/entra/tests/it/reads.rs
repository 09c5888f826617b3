//! Complete reads.

use usher_core::{Checkpoint, DirectoryChange, ErrorKind, ReadScope};
use usher_fakes::graph::{Counts, MemberSelect};
use usher_fakes::{Fault, Guest, Life};

use crate::world::{World, direct, nested};

const FIVE: [&str; 5] = ["ann", "bob", "cem", "dana", "eve"];

#[tokio::test]
async fn a_group_streams_through_in_pages_and_is_confirmed_by_a_count() {
    let world = World::new().await;
    let (board, mut people) = world.group("Board", &FIVE);
    let (empty, _) = world.group("Empty", &[]);
    world.directory.assign(&board, true);
    people.sort();
    let (report, checkpoint) = world.read_groups(&[direct(&board), direct(&empty)], None).await;
    assert_eq!(report.added(&board), people);
    assert_eq!(report.complete(&board), Some(true));
    assert_eq!(report.complete(&empty), Some(true));
    assert_eq!(
        (report.assigned(&board), report.assigned(&empty)),
        (Some(true), Some(false))
    );
    assert!(checkpoint.is_some());
    let paths = world.graph.served().seen();
    let pages = paths
        .iter()
        .filter(|seen| seen.path.ends_with(&format!("{board}/members")))
        .count();
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn the_order_form_may_write_an_id_in_capitals() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let capitals = board.to_uppercase();
    let (report, checkpoint) = world.read_groups(&[direct(&capitals)], None).await;
    assert_eq!(report.added(&capitals).len(), 1);
    let bob = world.directory.add_user("bob@contoso.example");
    world.directory.add_member(&board, &bob);
    let (report, _) = world.read_groups(&[direct(&capitals)], checkpoint).await;
    assert_eq!(report.added(&capitals), [bob.to_string()]);
}

#[tokio::test]
async fn nested_members_are_members_only_where_that_is_wanted() {
    let world = World::new().await;
    let (outer, ann) = world.group("Outer", &["ann"]);
    let (inner, bob) = world.group("Inner", &["bob"]);
    world.directory.add_member(&outer, &inner);
    world.directory.add_member(&inner, &outer);
    let (report, checkpoint) = world.read_groups(&[direct(&outer)], None).await;
    assert_eq!(report.added(&outer), ann);
    assert_eq!(report.complete(&outer), Some(true));
    let (report, _) = world.read_groups(&[nested(&outer)], checkpoint).await;
    let mut both = [ann, bob].concat();
    both.sort();
    assert_eq!(report.added(&outer), both);
    assert_eq!(report.complete(&outer), Some(true));
}

#[tokio::test]
async fn guests_show_by_each_of_three_signs() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob", "cem", "dana"]);
    for (id, guest) in people
        .iter()
        .zip([Guest::No, Guest::External, Guest::ExternalMember, Guest::Internal])
    {
        world.directory.edit_user(id, |user| user.guest = guest);
    }
    let (report, _) = world.read_groups(&[direct(&board)], None).await;
    let guests: Vec<_> = people
        .iter()
        .map(|id| report.user(id).expect("reported").1)
        .collect();
    assert_eq!(guests, [false, true, true, true]);
}

#[tokio::test]
async fn disabled_accounts_are_members_who_are_not_active() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann"]);
    world.directory.enable(&people[0], false);
    let (report, _) = world.read_groups(&[direct(&board)], None).await;
    assert_eq!(report.added(&board), people);
    assert_eq!(report.user(&people[0]), Some((false, false)));
}

#[tokio::test]
async fn members_in_the_recycle_bin_are_inactive_if_they_are_listed_at_all() {
    for listed in [true, false] {
        let world = World::new().await;
        world.graph.set(|options| options.lists_deleted_members = listed);
        let (board, people) = world.group("Board", &["ann", "bob", "cem"]);
        world.directory.soft_delete_user(&people[1]);
        let (report, _) = world.read_groups(&[direct(&board)], None).await;
        assert_eq!(report.complete(&board), Some(true), "{listed}");
        assert_eq!(
            report.user(&people[1]),
            listed.then_some((false, false)),
            "{listed}"
        );
        assert_eq!(report.user(&people[0]), Some((true, false)), "{listed}");
    }
}

#[tokio::test]
async fn properties_are_selected_in_whatever_way_graph_lets() {
    for select in [
        MemberSelect::Honoured,
        MemberSelect::Ignored,
        MemberSelect::Refused,
    ] {
        let world = World::new().await;
        world.graph.set(|options| options.member_select = select);
        let (board, mut people) = world.group("Board", &FIVE);
        let (inner, _) = world.group("Inner", &[]);
        world.directory.add_member(&board, &inner);
        people.sort();
        let (report, _) = world.read_groups(&[direct(&board)], None).await;
        assert_eq!(report.added(&board), people, "{select:?}");
        assert_eq!(report.complete(&board), Some(true), "{select:?}");
    }
}

#[tokio::test]
async fn a_count_that_differs_or_is_missing_confirms_nothing() {
    for (counts, board_is, empty_is) in [
        (Counts::Off(1), None, None),
        (Counts::Off(-1), None, Some(true)),
        (Counts::Refused, Some(true), Some(false)),
    ] {
        let world = World::new().await;
        world.graph.set(|options| options.counts = counts);
        let (board, _) = world.group("Board", &FIVE);
        let (empty, _) = world.group("Empty", &[]);
        world.directory.assign(&board, true);
        let (report, _) = world.read_groups(&[direct(&board), direct(&empty)], None).await;
        assert_eq!(report.assigned(&board), Some(true), "{counts:?}");
        assert_eq!(report.complete(&board), board_is, "{counts:?}");
        assert_eq!(report.complete(&empty), empty_is, "{counts:?}");
        assert_eq!(report.unknown(&board).is_some(), board_is.is_none(), "{counts:?}");
        assert_eq!(
            report.assigned(&empty).is_some(),
            counts == Counts::Refused,
            "{counts:?}"
        );
    }
}

#[tokio::test]
async fn a_group_that_was_not_seen_completely_is_read_again_next_time() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &FIVE);
    world.graph.set(|options| options.counts = Counts::Off(1));
    let (report, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    assert_eq!(report.complete(&board), None);
    world.graph.set(|options| options.counts = Counts::Right);
    let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert_eq!(report.complete(&board), Some(true));
    let (report, _) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert_eq!(report.complete(&board), None, "it is followed by its changes now");
}

#[tokio::test]
async fn lost_and_repeated_pages_are_noticed() {
    for fault in [Fault::LostPage, Fault::EmptyPage, Fault::RepeatedPage] {
        for page in 0..3 {
            let world = World::new().await;
            let (board, people) = world.group("Board", &FIVE);
            world.faults.once(&format!("{board}/members"), page, fault);
            let (report, _) = world.read_groups(&[direct(&board)], None).await;
            if fault == Fault::RepeatedPage {
                assert_eq!(report.added(&board).len(), people.len(), "{fault:?} {page}");
                assert_eq!(report.complete(&board), Some(true), "{fault:?} {page}");
            } else {
                assert!(report.unknown(&board).is_some(), "{fault:?} {page}");
                assert_eq!(report.complete(&board), None, "{fault:?} {page}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_never_ends_fails_the_read() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &FIVE);
    world.graph.set(|options| options.page_size = Some(2));
    world.faults.always(&format!("{board}/members"), Fault::EmptyPage);
    let (report, _) = world.read_groups(&[direct(&board)], None).await;
    assert_eq!(report.complete(&board), None);
    assert!(report.unknown(&board).is_some());
}

#[tokio::test]
async fn one_group_that_is_refused_does_not_keep_the_others_from_being_read() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let (audit, _) = world.group("Audit", &["bob"]);
    world
        .faults
        .always(&format!("groups/{board}/members"), Fault::Forbidden);
    let wanted = [direct(&board), direct("no guid"), direct(&audit)];
    let (report, _) = world.read_groups(&wanted, None).await;
    assert!(
        report
            .unknown(&board)
            .is_some_and(|reason| reason.contains("GroupMember.Read.All"))
    );
    assert!(report.unknown("no guid").is_some());
    assert_eq!(report.complete(&audit), Some(true));
}

#[tokio::test]
async fn a_missing_group_is_gone_only_when_the_recycle_bin_shows_it() {
    let absent = "11111111-2222-4333-8444-555555555555";
    for granted in [true, false] {
        let world = World::new().await;
        world.graph.grant("Group.Read.All", granted);
        let (deleted, _) = world.group("Deleted", &["ann"]);
        world.directory.delete_group(&deleted, Life::SoftDeleted);
        let (report, _) = world.read_groups(&[direct(&deleted), direct(absent)], None).await;
        assert_eq!(report.group_gone(&deleted), granted);
        assert_eq!(report.unknown(&deleted).is_none(), granted);
        assert!(!report.group_gone(absent) && report.unknown(absent).is_some());
    }
}

#[tokio::test]
async fn hidden_members_are_unknown_without_the_permission() {
    for reads_empty in [true, false] {
        let world = World::new().await;
        let (board, people) = world.group("Board", &["ann"]);
        world.graph.set(|options| {
            options.hidden.insert(board.clone());
            options.hidden_reads_empty = reads_empty;
        });
        let (report, _) = world.read_groups(&[direct(&board)], None).await;
        assert_eq!(report.complete(&board), None, "{reads_empty}");
        assert!(report.unknown(&board).is_some(), "{reads_empty}");
        world.graph.grant("Member.Read.Hidden", true);
        let (report, _) = world.read_groups(&[direct(&board)], None).await;
        assert_eq!(report.added(&board), people, "{reads_empty}");
        assert_eq!(report.complete(&board), Some(true), "{reads_empty}");
    }
}

#[tokio::test]
async fn every_group_is_read_where_all_are_asked_for() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &FIVE);
    let (audit, _) = world.group("Audit", &["finn"]);
    let (other, _) = world.group("Other", &[]);
    world.directory.assign(&audit, true);
    let (report, outcome) = world.read(ReadScope::AllGroups, None).await.expect("a read");
    for group in [&board, &audit, &other] {
        assert_eq!(report.complete(group), Some(true));
    }
    assert_eq!(
        (report.assigned(&audit), report.assigned(&board)),
        (Some(true), Some(false))
    );
    world.directory.remove_member(&board, &people[0]);
    let (new, grace) = world.group("New", &["grace"]);
    world.directory.delete_group(&other, Life::Deleted);
    let (report, _) = world
        .read(ReadScope::AllGroups, outcome.checkpoint)
        .await
        .expect("a read");
    assert_eq!(report.removed(&board), [people[0].clone()]);
    assert_eq!(report.added(&new), grace);
    assert!(report.group_gone(&other));
    assert_eq!(report.complete(&board), None);
}

#[tokio::test]
async fn a_checkpoint_of_another_form_starts_from_the_beginning() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let scope = || ReadScope::Groups(vec![direct(&board)]);
    let error = world.read(scope(), Some(Checkpoint("{\"v\":0}".into()))).await;
    assert_eq!(error.err().expect("refused").kind(), ErrorKind::CheckpointExpired);
    let (_, outcome) = world.read(ReadScope::AllGroups, None).await.expect("a read");
    let (report, _) = world.read(scope(), outcome.checkpoint).await.expect("a read");
    assert_eq!(
        report.complete(&board),
        Some(true),
        "the checkpoint was for all groups"
    );
}

#[tokio::test]
async fn users_are_reported_before_they_are_members() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &FIVE);
    let (report, _) = world.read_groups(&[direct(&board)], None).await;
    let mut known = Vec::new();
    for change in &report.0 {
        match change {
            DirectoryChange::UserUpserted(user) => {
                assert_eq!(user.external_id.as_deref(), Some(user.id.as_str()));
                known.push(user.id.clone());
            }
            DirectoryChange::MemberAdded { member, .. } => assert!(known.contains(member)),
            _ => {}
        }
    }
    assert_eq!(known.len(), FIVE.len());
}
