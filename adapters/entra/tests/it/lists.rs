//! Lists of groups.

use usher_core::{ErrorKind, GroupQuery, ProvisioningAdapter as _};
use usher_fakes::graph::Counts;
use usher_fakes::{Fault, Guest, Life};

use crate::world::{World, group_id};

fn prefix(text: &str, limit: usize) -> GroupQuery {
    GroupQuery {
        name_prefix: Some(text.into()),
        id: None,
        limit,
    }
}

fn by_id(id: &str) -> GroupQuery {
    GroupQuery {
        name_prefix: None,
        id: Some(group_id(id)),
        limit: 1,
    }
}

#[tokio::test]
async fn groups_are_found_by_the_beginning_of_their_name() {
    let world = World::new().await;
    for name in ["Board", "Board of 'B&B' + 100%", "board minutes", "Audit"] {
        world.group(name, &[]);
    }
    let adapter = world.adapter();
    let names = |groups: Vec<usher_core::GroupSummary>| {
        let mut names: Vec<_> = groups.into_iter().map(|group| group.display_name).collect();
        names.sort();
        names
    };
    let found = adapter.list_groups(prefix("Board", 10)).await.expect("a list");
    assert_eq!(names(found), ["Board", "Board of 'B&B' + 100%", "board minutes"]);
    let found = adapter
        .list_groups(prefix("Board of 'B&B' +", 10))
        .await
        .expect("a list");
    assert_eq!(found.len(), 1);
    assert_eq!(adapter.list_groups(prefix("", 3)).await.expect("a list").len(), 3);
    assert_eq!(
        adapter
            .list_groups(prefix("Board", 0))
            .await
            .expect("a list")
            .len(),
        0
    );
}

#[tokio::test]
async fn one_group_comes_with_its_counts_and_its_assignment() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob", "cem", "dana"]);
    let (inner, _) = world.group("Inner", &["eve"]);
    world.directory.add_member(&board, &inner);
    world.directory.assign(&board, true);
    for (id, guest) in people
        .iter()
        .zip([Guest::External, Guest::ExternalMember, Guest::Internal])
    {
        world.directory.edit_user(id, |user| user.guest = guest);
    }
    let groups = world.adapter().list_groups(by_id(&board)).await.expect("a list");
    let [group] = groups.as_slice() else {
        panic!("one group: {groups:?}");
    };
    assert_eq!(
        (group.members, group.guests, group.nested_groups),
        (Some(4), Some(3), Some(1))
    );
    assert_eq!((group.assigned, group.kind.as_str()), (Some(true), "security"));
    let inner = world.adapter().list_groups(by_id(&inner)).await.expect("a list");
    assert_eq!(inner[0].assigned, Some(false));
}

#[tokio::test]
async fn what_is_not_counted_is_not_told() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    world.graph.set(|options| options.counts = Counts::Refused);
    world.graph.grant("Application.Read.All", false);
    let groups = world.adapter().list_groups(by_id(&board)).await.expect("a list");
    let group = &groups[0];
    assert_eq!(
        (group.members, group.guests, group.nested_groups),
        (None, None, None)
    );
    assert_eq!(group.assigned, None);
}

#[tokio::test]
async fn an_unknown_id_is_an_empty_list_and_a_refusal_is_an_error() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let (deleted, _) = world.group("Deleted", &[]);
    world.directory.delete_group(&deleted, Life::SoftDeleted);
    let adapter = world.adapter();
    for id in ["11111111-2222-4333-8444-555555555555", "../users", &deleted] {
        assert!(
            adapter.list_groups(by_id(id)).await.expect("a list").is_empty(),
            "{id}"
        );
    }
    world.graph.grant("GroupMember.Read.All", false);
    for query in [by_id(&board), prefix("B", 5)] {
        let error = adapter.list_groups(query).await.expect_err("forbidden");
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        assert!(error.to_string().contains("GroupMember.Read.All"), "{error}");
    }
}

#[tokio::test]
async fn no_fault_makes_a_list_wrong_about_assignments() {
    for fault in Fault::ALL {
        for number in 0..8 {
            let world = World::new().await;
            let (board, _) = world.group("Board", &["ann"]);
            world.directory.assign(&board, true);
            for other in ["One", "Two", "Three"] {
                let (other, _) = world.group(other, &[]);
                world.directory.assign(&other, true);
            }
            world.faults.at(number, fault);
            if let Ok(groups) = world.adapter().list_groups(by_id(&board)).await {
                assert!(groups.len() <= 1, "{fault:?} {number}");
                assert!(
                    groups.iter().all(|group| group.assigned != Some(false)),
                    "{fault:?} {number}"
                );
            }
        }
    }
}
