//! Pages, links, and answers that are not what they should be.

use axum::Router;
use serde_json::json;
use usher_core::{ErrorKind, ReadRequest, WantedGroup};
use usher_fakes::{Fault, Faults, Served};

use crate::world::{World, adapter, groups, read, wanted};

#[tokio::test]
async fn links_are_followed_as_they_are() {
    for in_one_field in [false, true] {
        let world = World::new().await;
        world.org.behave(|behaviour| {
            behaviour.page_size = 2;
            behaviour.links_in_one_field = in_one_field;
        });
        let (board, mut people) = world.group_of("Board", &["a", "b", "c", "d", "e"]);
        people.sort();
        let report = read(&world.adapter(), groups(&[&board])).await;
        assert_eq!(report.members(&board), people);
        assert_eq!(report.complete(&board), Some(true));
        let seen = world.served.seen();
        let cursors: Vec<_> = seen
            .iter()
            .filter(|request| request.query.contains("after="))
            .collect();
        assert_eq!(cursors.len(), 2);
        // A cursor in base64 has an encoded sign in it, and stays so.
        assert!(
            cursors
                .iter()
                .all(|request| request.query.contains("%3D") || request.query.contains("after=K"))
        );
    }
}

#[tokio::test]
async fn a_link_to_another_host_gets_no_request() {
    let elsewhere = Served::start(Router::new(), Faults::none())
        .await
        .expect("a free port");
    let world = World::new().await;
    world.org.behave(|behaviour| {
        behaviour.page_size = 2;
        behaviour.links_lead_to = Some(elsewhere.url().into());
    });
    let (board, _) = world.group_of("Board", &["a", "b", "c"]);
    let (audit, people) = world.group_of("Audit", &["d"]);
    let report = read(&world.adapter(), groups(&[&board, &audit])).await;
    assert_eq!(elsewhere.seen(), []);
    let reason = report.unknown_group(&board).unwrap();
    assert!(reason.contains("not called"), "{reason}");
    assert_eq!(report.complete(&board), None);
    assert_eq!(report.members(&audit), people, "the next group is read");
}

#[tokio::test]
async fn a_list_that_goes_in_a_circle_ends() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.page_size = 2);
    let (board, _) = world.group_of("Board", &["a", "b", "c"]);
    world
        .faults
        .always(&format!("/groups/{board}/users"), Fault::RepeatedPage);
    let report = read(&world.adapter(), groups(&[&board])).await;
    let reason = report.unknown_group(&board).unwrap();
    assert!(reason.contains("leads back"), "{reason}");
    assert!(world.served.seen().len() < 10);
    assert_eq!(report.members(&board).len(), 2, "nobody is reported twice");
}

#[tokio::test]
async fn a_page_that_takes_okta_too_long_is_asked_for_in_smaller_ones() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.slow_above = Some(50));
    let (board, mut people) = world.group_of("Board", &["a", "b", "c"]);
    people.sort();
    let report = read(&world.adapter(), groups(&[&board])).await;
    assert_eq!(report.members(&board), people);
    assert_eq!(report.complete(&board), Some(true));
    world.org.behave(|behaviour| behaviour.slow_above = Some(49));
    let report = read(&world.adapter(), groups(&[&board])).await;
    assert_eq!(
        report.outcome.unwrap_err().kind(),
        ErrorKind::Unavailable,
        "once and no more"
    );
}

#[tokio::test]
async fn a_group_is_confirmed_by_its_count_and_unknown_when_the_count_differs() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.page_size = 2);
    let (board, _) = world.group_of("Board", &["a", "b", "c"]);
    let (empty, _) = world.group_of("Empty", &[]);
    let report = read(&world.adapter(), groups(&[&board, &empty])).await;
    assert_eq!(
        (report.complete(&board), report.complete(&empty)),
        (Some(true), Some(true))
    );
    world.faults.once("/users", 1, Fault::LostPage);
    let report = read(&world.adapter(), groups(&[&board])).await;
    let reason = report.unknown_group(&board).unwrap();
    assert!(reason.contains("counts 3 members and showed 2"), "{reason}");
    assert_eq!(report.complete(&board), None);
}

#[tokio::test]
async fn an_empty_group_without_a_count_is_not_confirmed() {
    let world = World::new().await;
    world.org.behave(|behaviour| {
        behaviour.one_group_has_stats = false;
        behaviour.lists_have_stats = false;
    });
    let (board, _) = world.group_of("Board", &["a"]);
    let (empty, _) = world.group_of("Empty", &[]);
    let report = read(&world.adapter(), groups(&[&board, &empty])).await;
    assert_eq!(
        (report.complete(&board), report.complete(&empty)),
        (Some(true), Some(false))
    );
}

#[tokio::test]
async fn nested_groups_are_unknown() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["a"]);
    let nested = WantedGroup {
        nested: true,
        ..wanted(&board)
    };
    let report = read(&world.adapter(), ReadRequest::of_groups(vec![nested])).await;
    assert!(
        report
            .unknown_group(&board)
            .unwrap()
            .contains("no groups inside groups")
    );
}

#[tokio::test]
async fn a_group_id_is_no_path() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["a"]);
    for id in ["../users", "x/users?q=", "00g1\" or id sw \"00g"] {
        let report = read(&world.adapter(), groups(&[id])).await;
        assert!(
            report.outcome.is_ok() && report.unknown_group(id).is_some(),
            "{id}"
        );
        assert_eq!(report.members(&board), [""; 0]);
    }
    let paths = world.served.seen();
    assert!(
        paths
            .iter()
            .all(|request| request.path.starts_with("/api/v1/groups") || request.path == "/api/v1/logs")
    );
}

#[tokio::test]
async fn assignments_come_with_the_group() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["a"]);
    let (audit, _) = world.group_of("Audit", &["b"]);
    world.org.directory().assign(&board, true);
    let settings = world.with_token(&json!({"application_id": usher_fakes::okta::Org::APPLICATION}));
    // A page of the application's list that is lost takes no assignment away.
    world.faults.once("/apps", 0, Fault::EmptyPage);
    let report = read(&adapter(&settings), groups(&[&board, &audit])).await;
    let assigned: Vec<_> = report
        .changes
        .iter()
        .filter_map(|change| match change {
            usher_core::DirectoryChange::ApplicationAssignment { group, assigned } => {
                Some((group.as_str(), *assigned))
            }
            _ => None,
        })
        .collect();
    assert_eq!(assigned, [(board.as_str(), true), (audit.as_str(), false)]);
}
