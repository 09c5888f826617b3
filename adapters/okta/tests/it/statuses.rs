//! Statuses of users.

use serde_json::json;
use usher_core::ErrorKind;

use crate::world::{World, adapter, groups, groups_since, person, read};

const STATUSES: [(&str, bool); 8] = [
    ("ACTIVE", true),
    ("LOCKED_OUT", true),
    ("PASSWORD_EXPIRED", true),
    ("RECOVERY", true),
    ("PROVISIONED", false),
    ("STAGED", false),
    ("SUSPENDED", false),
    ("DEPROVISIONED", false),
];

#[tokio::test]
async fn each_status_is_judged_by_the_policy() {
    let world = World::new().await;
    world
        .org
        .behave(|behaviour| behaviour.deprovisioned_stay_members = true);
    let (board, people) = world.group_of("Board", &["ann"]);
    for (status, active) in STATUSES {
        world.org.set_status(&people[0], status);
        let report = read(&world.adapter(), groups(&[&board])).await;
        assert_eq!(report.active(&people[0]), Some(active), "{status}");
        let wider =
            adapter(&world.with_token(&json!({"active_statuses": ["ACTIVE", "STAGED", "PROVISIONED"]})));
        let expected = matches!(status, "ACTIVE" | "STAGED" | "PROVISIONED");
        let report = read(&wider, groups(&[&board])).await;
        assert_eq!(report.active(&people[0]), Some(expected), "{status}");
    }
}

#[tokio::test]
async fn a_status_that_nobody_knows_changes_nothing() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann", "ben"]);
    world.org.set_status(&people[0], "ACTIVATING");
    let report = read(&world.adapter(), groups(&[&board])).await;
    assert_eq!(report.active(&people[0]), None);
    assert!(report.unknown_user(&people[0]).unwrap().contains("ACTIVATING"));
    assert_eq!(report.members(&board), people, "they are a member all the same");
    assert_eq!(report.complete(&board), Some(true));
    let report = read(&world.adapter(), person(&people[0], &[&board])).await;
    assert!(report.unknown_user(&people[0]).is_some());
    assert_eq!(report.members(&board), [people[0].as_str()]);
}

#[tokio::test]
async fn a_suspension_is_seen_though_no_group_changed() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann", "ben"]);
    let adapter = world.adapter();
    let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
    world.org.set_status(&people[1], "SUSPENDED");
    let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
    assert_eq!(report.active(&people[1]), Some(false));
    assert_eq!(report.members(&board), [""; 0], "the group was not read again");
    world.org.set_status(&people[1], "ACTIVE");
    let report = read(&adapter, groups_since(&[&board], &report.checkpoint())).await;
    assert_eq!(report.active(&people[1]), Some(true));
}

#[tokio::test]
async fn counts_that_hold_people_who_are_not_shown_are_not_taken_for_a_lost_page_when_told_so() {
    let world = World::new().await;
    world
        .org
        .behave(|behaviour| behaviour.count_includes_deprovisioned = true);
    let (board, people) = world.group_of("Board", &["ann", "ben"]);
    world.org.set_status(&people[0], "DEPROVISIONED");
    let report = read(&world.adapter(), groups(&[&board])).await;
    let reason = report.unknown_group(&board).unwrap();
    assert!(
        reason.contains("counts 2 members and showed 1") && reason.contains("check_counts"),
        "{reason}"
    );
    let uncounted = adapter(&world.with_token(&json!({"check_counts": false})));
    let report = read(&uncounted, groups(&[&board])).await;
    assert_eq!(report.complete(&board), Some(true));
    assert_eq!(report.members(&board), [people[1].as_str()]);
    assert_eq!(
        report.outcome.map_err(|error| error.kind()).map(|_| ()),
        Ok::<(), ErrorKind>(())
    );
}
