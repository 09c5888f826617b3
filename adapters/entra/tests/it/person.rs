//! One person, asked about on the spot.

use usher_core::{ReadScope, WantedGroup};
use usher_fakes::Fault;
use usher_fakes::graph::Counts;

use crate::world::{Report, World, direct, nested, user_id};

async fn person(world: &World, id: &str, groups: Vec<WantedGroup>) -> Report {
    let scope = ReadScope::Person {
        user: user_id(id),
        groups,
    };
    let (report, outcome) = world.read(scope, None).await.expect("a read");
    assert_eq!(outcome.checkpoint, None);
    report
}

#[tokio::test]
async fn direct_and_nested_memberships_are_told_apart() {
    let world = World::new().await;
    let (outer, ann) = world.group("Outer", &["ann"]);
    let (inner, bob) = world.group("Inner", &["bob"]);
    let (other, _) = world.group("Other", &[]);
    world.directory.add_member(&outer, &inner);
    let asked = || vec![direct(&outer), direct(&inner), direct(&other)];
    let report = person(&world, &ann[0], asked()).await;
    assert_eq!(
        (
            report.added(&outer).len(),
            report.removed(&inner).len(),
            report.removed(&other).len()
        ),
        (1, 1, 1)
    );
    let report = person(&world, &bob[0], asked()).await;
    assert_eq!(report.removed(&outer), bob, "only through another group");
    assert_eq!(report.added(&inner), bob);
    let report = person(&world, &bob[0], vec![nested(&outer)]).await;
    assert_eq!(report.added(&outer), bob);
}

#[tokio::test]
async fn an_index_that_lags_removes_nobody() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob", "cem"]);
    let (inner, _) = world.group("Inner", &[]);
    world.directory.add_member(&board, &inner);
    world.faults.always("microsoft.graph.user", Fault::EmptyPage);
    let report = person(&world, &people[2], vec![direct(&board)]).await;
    assert_eq!(report.added(&board), [people[2].clone()]);
    world.faults.clear();
    world.graph.set(|options| options.counts = Counts::Off(1));
    let (_, dana) = world.group("Elsewhere", &["dana"]);
    world.directory.add_member(&inner, &dana[0]);
    let report = person(&world, &dana[0], vec![direct(&board)]).await;
    assert!(report.removed(&board).is_empty() && report.unknown(&board).is_some());
}

#[tokio::test]
async fn more_groups_than_fit_into_one_question_are_all_answered() {
    let world = World::new().await;
    let (first, ann) = world.group("First", &["ann"]);
    let mut groups = vec![direct(&first), direct("no guid")];
    for number in 0..44 {
        let (id, _) = world.group(&format!("Group {number}"), &[]);
        if number % 2 == 0 {
            world.directory.add_member(&id, &ann[0]);
        }
        groups.push(direct(&id));
    }
    let report = person(&world, &ann[0], groups.clone()).await;
    let answered = |group: &WantedGroup| {
        let id = group.id.as_str();
        report.added(id).len() + report.removed(id).len() + usize::from(report.unknown(id).is_some())
    };
    assert!(groups.iter().all(|group| answered(group) == 1));
    assert!(report.unknown("no guid").is_some());
    let added = groups
        .iter()
        .filter(|group| !report.added(group.id.as_str()).is_empty())
        .count();
    assert_eq!(added, 23);
}

#[tokio::test]
async fn leavers_are_inactive_or_gone_and_strangers_are_gone() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob"]);
    world.directory.soft_delete_user(&people[0]);
    world.directory.delete_user(&people[1]);
    let report = person(&world, &people[0], vec![direct(&board)]).await;
    assert_eq!(report.user(&people[0]), Some((false, false)));
    assert!(report.added(&board).is_empty());
    let report = person(&world, &people[1], vec![direct(&board)]).await;
    assert!(report.user_gone(&people[1]));
}

#[tokio::test]
async fn hidden_groups_are_not_taken_for_groups_without_the_person() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann", "bob"]);
    world.graph.set(|options| options.hidden = [board.clone()].into());
    for reads_empty in [true, false] {
        world
            .graph
            .set(|options| options.hidden_reads_empty = reads_empty);
        let report = person(&world, &people[0], vec![direct(&board)]).await;
        assert!(
            report
                .unknown(&board)
                .is_some_and(|reason| reason.contains("Member.Read.Hidden"))
        );
    }
    world.graph.grant("Member.Read.Hidden", true);
    let report = person(&world, &people[0], vec![direct(&board)]).await;
    assert_eq!(report.added(&board), [people[0].clone()]);
    let eve = world.directory.add_user("eve@contoso.example");
    let report = person(&world, &eve, vec![direct(&board)]).await;
    assert_eq!(report.removed(&board), [eve.to_string()]);
}

#[tokio::test]
async fn without_permission_to_see_users_nothing_is_concluded() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann"]);
    world.graph.grant("User.Read.All", false);
    let report = person(&world, &people[0], vec![direct(&board)]).await;
    assert!(report.user(&people[0]).is_none() && !report.user_gone(&people[0]));
    assert!(report.unknown(&board).is_some());
}

#[tokio::test]
async fn whether_the_groups_are_assigned_is_asked_too() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann"]);
    let (audit, _) = world.group("Audit", &[]);
    world.directory.assign(&board, true);
    let report = person(&world, &people[0], vec![direct(&board), direct(&audit)]).await;
    assert_eq!(
        (report.assigned(&board), report.assigned(&audit)),
        (Some(true), Some(false))
    );
}

#[tokio::test]
async fn no_fault_at_any_request_turns_a_member_into_a_leaver() {
    for fault in Fault::ALL {
        for number in 0..8 {
            let world = World::new().await;
            let (board, people) = world.group("Board", &["ann", "bob", "cem"]);
            let (inner, _) = world.group("Inner", &["dana"]);
            world.directory.add_member(&board, &inner);
            world.faults.at(number, fault);
            let scope = ReadScope::Person {
                user: user_id(&people[1]),
                groups: vec![direct(&board), nested(&board)],
            };
            if let Ok((report, _)) = world.read(scope, None).await {
                assert!(report.removed(&board).is_empty(), "{fault:?} {number}");
                assert!(!report.user_gone(&people[1]), "{fault:?} {number}");
            }
        }
    }
}
