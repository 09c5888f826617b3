//! Reads from a checkpoint.

use std::time::Duration;

use usher_core::{DirectoryChange, ErrorKind, ReadScope, RetryAdvice, UnknownScope};
use usher_fakes::graph::Expiry;
use usher_fakes::{Fault, Life};

use crate::world::{World, direct, nested, user_id};

#[tokio::test]
async fn only_what_changed_is_reported() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob", "cem"]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert!(report.added(&board).is_empty() && report.complete(&board).is_none());
    let dana = world.directory.add_user("dana@contoso.example");
    world.directory.add_member(&board, &dana);
    world.directory.remove_member(&board, &people[0]);
    world.directory.enable(&people[1], false);
    world.directory.rename_group(&board, "Board of directors");
    let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert_eq!(report.added(&board), [dana.to_string()]);
    assert_eq!(report.removed(&board), [people[0].clone()]);
    assert_eq!(report.user(&people[1]), Some((false, false)));
    let renamed = |change: &DirectoryChange| matches!(change, DirectoryChange::GroupUpserted(group) if group.display_name == "Board of directors");
    assert!(report.0.iter().any(renamed));
    let (report, _) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert!(report.added(&board).is_empty() && report.removed(&board).is_empty());
}

#[tokio::test]
async fn a_change_during_a_complete_read_is_told_by_the_next() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob", "cem"]);
    // The links are taken first; what happens then is in both reads.
    let mut sink = Meddler {
        world: &world,
        board: board.clone(),
        person: people[2].clone(),
        done: false,
    };
    let request = usher_core::ReadRequest::of_groups(vec![direct(&board)]);
    let adapter = world.adapter();
    let outcome = usher_core::ProvisioningAdapter::read(&adapter, request, &mut sink)
        .await
        .expect("a read");
    let (report, _) = world.read_groups(&[direct(&board)], outcome.checkpoint).await;
    assert_eq!(report.removed(&board), [people[2].clone()]);
}

struct Meddler<'a> {
    world: &'a World,
    board: String,
    person: String,
    done: bool,
}

#[async_trait::async_trait]
impl usher_core::ChangeSink for Meddler<'_> {
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), usher_core::AdapterError> {
        let members = changes
            .iter()
            .any(|change| matches!(change, DirectoryChange::MemberAdded { .. }));
        if members && !std::mem::replace(&mut self.done, true) {
            self.world.directory.remove_member(&self.board, &self.person);
        }
        Ok(())
    }
}

#[tokio::test]
async fn leavers_are_seen_in_the_recycle_bin_and_after_it() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob"]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    world.directory.soft_delete_user(&people[0]);
    let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert_eq!(report.user(&people[0]), Some((false, false)));
    assert!(
        report.removed(&board).is_empty(),
        "memberships are kept in the recycle bin"
    );
    let same_name = |change: &DirectoryChange| matches!(change, DirectoryChange::UserUpserted(user) if user.user_name == "ann@contoso.example");
    assert!(report.0.iter().any(same_name), "the name without the id in front");
    world.directory.undelete_user(&people[0]);
    let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert_eq!(report.user(&people[0]), Some((true, false)));
    world.directory.delete_user(&people[0]);
    let (report, _) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert!(report.user_gone(&people[0]));
    assert_eq!(report.removed(&board), [people[0].clone()]);
}

#[tokio::test]
async fn a_deleted_group_is_gone_and_read_completely_when_it_comes_back() {
    for with_members in [true, false] {
        let world = World::new().await;
        world
            .graph
            .set(|options| options.restored_with_members = with_members);
        let (board, people) = world.group("Board", &["ann"]);
        let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
        world.directory.delete_group(&board, Life::SoftDeleted);
        let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
        assert!(report.group_gone(&board), "{with_members}");
        world.directory.delete_group(&board, Life::Live);
        let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
        assert_eq!(report.added(&board), people, "{with_members}");
        assert_eq!(report.complete(&board), Some(true), "{with_members}");
        world.directory.delete_group(&board, Life::Deleted);
        let (report, _) = world.read_groups(&[direct(&board)], checkpoint).await;
        assert!(report.group_gone(&board), "{with_members}");
    }
}

#[tokio::test]
async fn a_token_that_is_too_old_asks_for_a_new_beginning() {
    for expiry in [Expiry::Gone, Expiry::NotFound, Expiry::BadRequest] {
        let world = World::new().await;
        world.graph.set(|options| options.expiry = expiry);
        let (board, _) = world.group("Board", &["ann"]);
        let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
        world.graph.expire_delta_tokens();
        let error = world
            .read(ReadScope::Groups(vec![direct(&board)]), checkpoint)
            .await;
        let error = error.err().expect("too old");
        assert_eq!(error.kind(), ErrorKind::CheckpointExpired, "{expiry:?} {error}");
        assert_eq!(error.advice(), RetryAdvice::Now);
    }
}

#[tokio::test]
async fn groups_that_come_and_go_among_the_wanted_are_read_once_completely() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let (audit, bob) = world.group("Audit", &["bob"]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    let both = [direct(&board), direct(&audit)];
    let (report, checkpoint) = world.read_groups(&both, checkpoint).await;
    assert_eq!(
        (report.complete(&board), report.complete(&audit)),
        (None, Some(true))
    );
    let (_, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    world.directory.remove_member(&audit, &bob[0]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    let (report, _) = world.read_groups(&both, checkpoint).await;
    assert_eq!(
        report.complete(&audit),
        Some(true),
        "its changes were passed over meanwhile"
    );
    assert!(report.added(&audit).is_empty());
}

#[tokio::test]
async fn many_groups_are_followed_in_streams_of_fifty() {
    let world = World::new().await;
    world.graph.set(|options| options.page_size = None);
    let groups: Vec<_> = (0..120)
        .map(|number| world.group(&format!("Group {number}"), &[]).0)
        .collect();
    let wanted: Vec<_> = groups.iter().map(|id| direct(id)).collect();
    let (_, checkpoint) = world.read_groups(&wanted, None).await;
    let streams = |text: &str| text.matches("\"link\"").count();
    assert_eq!(
        checkpoint.as_ref().map(|checkpoint| streams(&checkpoint.0)),
        Some(3)
    );
    let ann = world.directory.add_user("ann@contoso.example");
    for group in [&groups[3], &groups[77], &groups[119]] {
        world.directory.add_member(group, &ann);
    }
    let (report, _) = world.read_groups(&wanted, checkpoint).await;
    for group in [&groups[3], &groups[77], &groups[119]] {
        assert_eq!(report.added(group), [ann.to_string()]);
    }
}

#[tokio::test]
async fn streams_of_single_groups_are_put_together_again() {
    let world = World::new().await;
    let groups: Vec<_> = (0..8)
        .map(|number| world.group(&format!("Group {number}"), &[]).0)
        .collect();
    let mut checkpoint = None;
    for count in 1..=groups.len() {
        let wanted: Vec<_> = groups[..count].iter().map(|id| direct(id)).collect();
        (_, checkpoint) = world.read_groups(&wanted, checkpoint).await;
    }
    let ann = world.directory.add_user("ann@contoso.example");
    world.directory.add_member(&groups[0], &ann);
    let wanted: Vec<_> = groups.iter().map(|id| direct(id)).collect();
    let (report, checkpoint) = world.read_groups(&wanted, checkpoint).await;
    assert_eq!(
        report.added(&groups[0]),
        [ann.to_string()],
        "old streams are read to their end first"
    );
    let text = checkpoint.expect("a checkpoint").0;
    assert!(text.matches("\"link\"").count() <= 5, "{text}");
}

#[tokio::test]
async fn groups_are_split_replayed_and_repeated_without_harm() {
    let world = World::new().await;
    world.graph.set(|options| options.delta_members = 2);
    let (board, _) = world.group("Board", &["ann", "bob"]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    let names: Vec<String> = (0..7).map(|number| format!("person{number}")).collect();
    let mut came: Vec<String> = Vec::new();
    for name in &names {
        let id = world.directory.add_user(&format!("{name}@contoso.example"));
        world.directory.add_member(&board, &id);
        came.push(id.to_string());
    }
    came.sort();
    for fault in [Fault::Replay, Fault::RepeatedPage] {
        world.faults.once("/groups/delta", 0, fault);
        let (report, _) = world.read_groups(&[direct(&board)], checkpoint.clone()).await;
        let mut added = report.added(&board);
        added.dedup();
        assert_eq!(added, came, "{fault:?}");
        assert!(report.removed(&board).is_empty());
    }
}

#[tokio::test]
async fn a_change_inside_a_nested_group_is_seen_by_reading_it_completely() {
    let world = World::new().await;
    let (outer, _) = world.group("Outer", &["ann"]);
    let (inner, bob) = world.group("Inner", &["bob"]);
    world.directory.add_member(&outer, &inner);
    let (_, checkpoint) = world.read_groups(&[nested(&outer)], None).await;
    world.directory.remove_member(&inner, &bob[0]);
    let (report, _) = world.read_groups(&[nested(&outer)], checkpoint).await;
    assert_eq!(report.complete(&outer), Some(true));
    assert_eq!(report.added(&outer).len(), 1);
}

#[tokio::test]
async fn patience_asked_for_inside_a_batch_ends_the_read() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    let bob = world.directory.add_user("bob@contoso.example");
    world.directory.add_member(&board, &bob);
    world.graph.set(|options| options.throttled_in_batch = 1);
    let scope = || ReadScope::Groups(vec![direct(&board)]);
    let error = world
        .read(scope(), checkpoint.clone())
        .await
        .err()
        .expect("throttled");
    assert_eq!(error.advice(), RetryAdvice::After(Duration::from_secs(7)));
    let (report, _) = world
        .read(scope(), checkpoint)
        .await
        .expect("repeated from the same place");
    assert_eq!(report.added(&board), [bob.to_string()]);
}

#[tokio::test]
async fn a_new_member_who_cannot_be_seen_is_unknown_until_the_group_is_read_again() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    let bob = world.directory.add_user("bob@contoso.example");
    world.directory.add_member(&board, &bob);
    world.directory.soft_delete_user(&bob);
    let (report, checkpoint) = world.read_groups(&[direct(&board)], checkpoint).await;
    let unknown = |change: &DirectoryChange| matches!(change, DirectoryChange::Unknown { scope: UnknownScope::User(user), .. } if *user == user_id(&bob));
    assert!(report.0.iter().any(unknown));
    assert!(report.added(&board).is_empty());
    world.directory.undelete_user(&bob);
    let (report, _) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert_eq!(report.complete(&board), Some(true));
    assert!(report.added(&board).contains(&bob.to_string()));
}

#[tokio::test]
async fn without_a_newest_token_the_first_round_is_walked_over() {
    let world = World::new().await;
    world.graph.set(|options| options.latest_refused = true);
    let (board, people) = world.group("Board", &["ann", "bob", "cem"]);
    let (report, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    assert_eq!(report.complete(&board), Some(true));
    world.directory.remove_member(&board, &people[0]);
    let (report, _) = world.read_groups(&[direct(&board)], checkpoint).await;
    assert_eq!(report.removed(&board), [people[0].clone()]);
    assert!(report.added(&board).is_empty());
}

#[tokio::test]
async fn an_id_that_cannot_be_followed_harms_no_other_group() {
    let world = World::new().await;
    world.graph.set(|options| options.refuses_unknown_ids = true);
    let (board, people) = world.group("Board", &["ann"]);
    let (audit, _) = world.group("Audit", &["bob"]);
    let absent = "11111111-2222-4333-8444-555555555555";
    let wanted = [direct(&board), direct(absent), direct(&audit)];
    let (report, checkpoint) = world.read_groups(&wanted, None).await;
    assert_eq!(
        (report.complete(&board), report.complete(&audit)),
        (Some(true), Some(true))
    );
    assert!(report.unknown(absent).is_some());
    world.directory.remove_member(&board, &people[0]);
    let (report, _) = world.read_groups(&wanted, checkpoint).await;
    assert_eq!(report.removed(&board), people);
    assert!(report.unknown(absent).is_some());
}
