//! Reads of one person.

use usher_core::{DirectoryChange, ErrorKind};
use usher_fakes::Fault;
use usher_fakes::okta::Rights;

use crate::world::{Report, TOKEN, World, person, read};

fn removed(report: &Report, group: &str) -> bool {
    report.changes.iter().any(
        |change| matches!(change, DirectoryChange::MemberRemoved { group: id, .. } if id.as_str() == group),
    )
}

#[tokio::test]
async fn a_person_is_in_a_group_or_not() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.page_size = 1);
    let (board, people) = world.group_of("Board", &["ann"]);
    let (audit, _) = world.group_of("Audit", &["ben"]);
    let (risk, _) = world.group_of("Risk", &[]);
    world.org.directory().add_member(&risk, &people[0]);
    let report = read(&world.adapter(), person(&people[0], &[&board, &audit, &risk])).await;
    assert_eq!(report.active(&people[0]), Some(true));
    assert_eq!(
        (report.members(&board).len(), report.members(&risk).len()),
        (1, 1)
    );
    assert!(removed(&report, &audit));
    assert_eq!(report.checkpoint(), None);
}

#[tokio::test]
async fn an_absence_counts_when_it_was_seen_twice() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    world.faults.once("/groups", 0, Fault::EmptyPage);
    let report = read(&world.adapter(), person(&people[0], &[&board])).await;
    assert_eq!(report.members(&board).len(), 1);
    world.org.directory().remove_member(&board, &people[0]);
    assert!(removed(
        &read(&world.adapter(), person(&people[0], &[&board])).await,
        &board
    ));
}

#[tokio::test]
async fn a_group_out_of_sight_is_unknown() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    world.org.take_api_token(TOKEN, Rights::all().only_groups(&[]));
    let report = read(&world.adapter(), person(&people[0], &[&board])).await;
    assert!(report.unknown_group(&board).is_some() && !removed(&report, &board));
}

#[tokio::test]
async fn a_person_who_was_deleted_is_gone_and_one_who_never_was_is_unknown() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    world.org.directory().delete_user(&people[0]);
    let report = read(&world.adapter(), person(&people[0], &[&board])).await;
    assert!(matches!(&report.changes[0], DirectoryChange::UserGone(id) if id.as_str() == people[0]));
    assert!(removed(&report, &board));
    let report = read(&world.adapter(), person("00unobody00000000000", &[&board])).await;
    let reason = report.unknown_user("00unobody00000000000").unwrap();
    assert!(reason.contains("does not show the user"), "{reason}");
    assert!(report.unknown_group(&board).is_some() && !removed(&report, &board));
}

#[tokio::test]
async fn without_the_scope_nothing_is_known_of_the_person() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    world
        .org
        .take_api_token(TOKEN, Rights::all().without("okta.users.read"));
    let report = read(&world.adapter(), person(&people[0], &[&board])).await;
    assert!(
        report
            .unknown_user(&people[0])
            .unwrap()
            .contains("okta.users.read")
    );
    assert!(report.unknown_group(&board).unwrap().contains("okta.users.read"));
    world.faults.always("/users/", Fault::ServerError(503));
    let report = read(&world.adapter(), person(&people[0], &[&board])).await;
    assert_eq!(report.outcome.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_login_is_no_id() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    let report = read(&world.adapter(), person("ann@contoso.example", &[&board])).await;
    assert!(report.unknown_user("ann@contoso.example").is_some());
    assert_eq!(report.active(&people[0]), None);
}
