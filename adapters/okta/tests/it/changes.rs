//! Reads from a checkpoint.

use serde_json::json;
use usher_core::{DirectoryChange, ErrorKind, ReadRequest, ReadScope};
use usher_fakes::Fault;
use usher_fakes::directory::Life;
use usher_fakes::okta::{Org, Rights};

use crate::world::{Report, TOKEN, World, adapter, groups, groups_since, read};

fn all(checkpoint: Option<usher_core::Checkpoint>) -> ReadRequest {
    ReadRequest {
        scope: ReadScope::AllGroups,
        checkpoint,
    }
}

fn gone(report: &Report, group: &str) -> bool {
    report
        .changes
        .iter()
        .any(|change| matches!(change, DirectoryChange::GroupGone(id) if id.as_str() == group))
}

#[tokio::test]
async fn a_group_that_changed_is_read_completely_and_others_are_not() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann", "ben"]);
    let (audit, _) = world.group_of("Audit", &["cy"]);
    let adapter = world.adapter();
    let checkpoint = read(&adapter, groups(&[&board, &audit])).await.checkpoint();
    let dan = world.org.directory().add_user("dan@contoso.example");
    world.org.directory().add_member(&audit, &dan);
    let report = read(&adapter, groups_since(&[&board, &audit], &checkpoint)).await;
    assert_eq!(report.complete(&audit), Some(true));
    assert_eq!(
        (report.members(&audit).len(), report.members(&board).len()),
        (2, 0)
    );
    let report = read(&adapter, groups_since(&[&board, &audit], &report.checkpoint())).await;
    assert_eq!(
        report.members(&audit),
        [""; 0],
        "what was read just now is not read again"
    );
}

#[tokio::test]
async fn search_is_never_asked_for_changes() {
    for many_ids in [true, false] {
        let world = World::new().await;
        world
            .org
            .behave(|behaviour| behaviour.filter_takes_many_ids = many_ids);
        let (board, _) = world.group_of("Board", &["ann", "ben"]);
        let adapter = world.adapter();
        let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
        let dan = world.org.directory().add_user("dan@contoso.example");
        world.org.directory().add_member(&board, &dan);
        let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
        assert_eq!(report.members(&board).len(), 3, "a search would not show it yet");
        assert!(
            world
                .served
                .seen()
                .iter()
                .all(|request| !request.query.contains("search="))
        );
    }
}

#[tokio::test]
async fn many_groups_are_found_by_the_list_of_changes() {
    let world = World::new().await;
    let ids: Vec<String> = (0..101)
        .map(|number| world.group_of(&format!("Group {number}"), &[]).0)
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let adapter = world.adapter();
    let checkpoint = read(&adapter, groups(&ids)).await.checkpoint();
    let ann = world.org.directory().add_user("ann@contoso.example");
    world.org.directory().add_member(ids[70], &ann);
    world.served.forget();
    let report = read(&adapter, groups_since(&ids, &checkpoint)).await;
    assert_eq!(report.members(ids[70]), [&*ann]);
    let seen = world.served.seen();
    assert!(
        seen.iter()
            .any(|request| request.query.contains("lastMembershipUpdated+gt"))
    );
    assert!(seen.len() < 6, "{} requests", seen.len());
}

#[tokio::test]
async fn every_time_in_a_checkpoint_is_one_that_okta_returned() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann"]);
    let settings = world.with_token(&json!({"system_log": true}));
    let adapter = adapter(&settings);
    let first = read(&adapter, groups(&[&board])).await.checkpoint();
    let second = read(&adapter, groups_since(&[&board], &first))
        .await
        .checkpoint()
        .unwrap();
    // The fake's time stands in January 2026.
    let now = world.org.directory().now().to_string();
    let state: serde_json::Value = serde_json::from_str(&second.0).unwrap();
    for name in ["groups_since", "users_since"] {
        assert!(state[name].as_str().unwrap() <= now.as_str(), "{state}");
    }
    assert!(
        state["log"].as_str().unwrap().contains("/api/v1/logs?after="),
        "{state}"
    );
    assert!(!second.0.contains(TOKEN));
}

#[tokio::test]
async fn a_group_is_gone_when_the_log_says_so() {
    for system_log in [true, false] {
        let world = World::new().await;
        let (board, _) = world.group_of("Board", &["ann"]);
        let adapter = adapter(&world.with_token(&json!({"system_log": system_log})));
        let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
        world.org.directory().delete_group(&board, Life::Deleted);
        let delta = read(&adapter, groups_since(&[&board], &checkpoint)).await;
        assert!(gone(&delta, &board), "a delta with system_log = {system_log}");
        assert!(gone(&read(&adapter, groups(&[&board])).await, &board));
    }
}

#[tokio::test]
async fn a_group_that_is_out_of_sight_is_not_gone() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann"]);
    let (audit, _) = world.group_of("Audit", &["ben"]);
    let adapter = world.adapter();
    let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
    world
        .org
        .take_api_token(TOKEN, Rights::all().only_groups(&[&audit]));
    for request in [groups(&[&board]), groups_since(&[&board], &checkpoint)] {
        let report = read(&adapter, request).await;
        assert!(!gone(&report, &board));
        let reason = report.unknown_group(&board).unwrap();
        assert!(reason.contains("role does not cover it"), "{reason}");
    }
    // Deleted, but the log may not be read.
    world.org.directory().delete_group(&board, Life::Deleted);
    world
        .org
        .take_api_token(TOKEN, Rights::all().without("okta.logs.read"));
    let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
    let reason = report.unknown_group(&board).unwrap();
    assert!(
        !gone(&report, &board) && reason.contains("okta.logs.read"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_group_that_was_unknown_is_read_by_the_next_delta() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    let adapter = world.adapter();
    world
        .faults
        .once(&format!("/groups/{board}/users"), 0, Fault::Forbidden);
    let report = read(&adapter, groups(&[&board])).await;
    assert!(report.unknown_group(&board).is_some());
    let report = read(&adapter, groups_since(&[&board], &report.checkpoint())).await;
    assert_eq!(report.members(&board), people);
}

#[tokio::test]
async fn events_point_at_groups_that_show_no_change() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann"]);
    let adapter = adapter(&world.with_token(&json!({"system_log": true})));
    let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
    let checkpoint = read(&adapter, groups_since(&[&board], &checkpoint))
        .await
        .checkpoint();
    let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
    assert_eq!(report.complete(&board), None, "no event, no change");
    let ben = world.org.directory().add_user("ben@contoso.example");
    world.org.directory().add_member(&board, &ben);
    world.org.directory().remove_member(&board, &ben);
    let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
    assert_eq!(report.complete(&board), Some(true));
}

#[tokio::test]
async fn a_log_that_lags_hides_nothing() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.log_lag = 1000);
    let (board, _) = world.group_of("Board", &["ann"]);
    let adapter = adapter(&world.with_token(&json!({"system_log": true})));
    let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
    let ben = world.org.directory().add_user("ben@contoso.example");
    world.org.directory().add_member(&board, &ben);
    let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
    assert_eq!(report.members(&board).len(), 2);
}

#[tokio::test]
async fn a_link_into_the_log_that_has_expired_is_begun_anew() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann"]);
    let adapter = adapter(&world.with_token(&json!({"system_log": true})));
    let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
    let checkpoint = read(&adapter, groups_since(&[&board], &checkpoint))
        .await
        .checkpoint();
    world.faults.once("/logs", 0, Fault::ExpiredCheckpoint);
    let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
    let text = report.checkpoint().unwrap().0;
    assert!(!text.contains("\"log\""), "{text}");
    let next = read(&adapter, groups_since(&[&board], &report.checkpoint())).await;
    assert!(next.checkpoint().unwrap().0.contains("\"log\""));
}

#[tokio::test]
async fn a_user_who_was_deleted_is_gone_when_the_log_says_so() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann", "ben"]);
    let adapter = adapter(&world.with_token(&json!({"system_log": true})));
    let checkpoint = read(&adapter, groups(&[&board])).await.checkpoint();
    world.org.directory().delete_user(&people[0]);
    let report = read(&adapter, groups_since(&[&board], &checkpoint)).await;
    let gone = |change: &DirectoryChange| matches!(change, DirectoryChange::UserGone(id) if id.as_str() == people[0]);
    assert!(report.changes.iter().any(gone));
    assert_eq!(report.members(&board), [people[1].as_str()]);
}

#[tokio::test]
async fn every_group_is_read_and_then_what_changed() {
    for application in [false, true] {
        let world = World::new().await;
        world.org.behave(|behaviour| behaviour.page_size = 1);
        let (board, people) = world.group_of("Board", &["ann"]);
        let (audit, _) = world.group_of("Audit", &["ben"]);
        world.org.directory().assign(&board, true);
        let more = if application {
            json!({"application_id": Org::APPLICATION})
        } else {
            json!({})
        };
        let adapter = adapter(&world.with_token(&more));
        let report = read(&adapter, all(None)).await;
        assert_eq!(report.members(&board), people);
        assert_eq!(
            report.complete(&audit).is_some(),
            !application,
            "only groups of the application"
        );
        let checkpoint = report.checkpoint();
        let (new, _) = world.group_of("New", &["cy"]);
        world.org.directory().assign(&new, true);
        let report = read(&adapter, all(checkpoint.clone())).await;
        assert_eq!(report.complete(&new), Some(true));
        let (other, _) = world.group_of("Other", &["dan"]);
        let report = read(&adapter, all(checkpoint)).await;
        assert_eq!(report.complete(&other).is_some(), !application);
    }
}

#[tokio::test]
async fn a_group_that_stayed_unknown_among_all_is_read_by_the_next_delta() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.page_size = 1);
    let (board, people) = world.group_of("Board", &["ann"]);
    world.group_of("Audit", &["ben"]);
    let adapter = world.adapter();
    let path = format!("/groups/{board}/users");
    world.faults.once(&path, 0, Fault::Forbidden);
    let report = read(&adapter, all(None)).await;
    assert!(report.unknown_group(&board).is_some());
    world.org.directory().advance(jiff::SignedDuration::from_hours(1));
    let (new, _) = world.group_of("New", &["cy"]);
    let report = read(&adapter, all(report.checkpoint())).await;
    assert_eq!(report.members(&board), people);
    assert_eq!(report.complete(&new), Some(true));
    let report = read(&adapter, all(report.checkpoint())).await;
    assert_eq!(report.complete(&board), None, "it is known now");
}

#[tokio::test]
async fn a_list_of_changes_that_breaks_off_is_begun_anew() {
    let world = World::new().await;
    world.org.behave(|behaviour| behaviour.page_size = 1);
    world.group_of("Board", &["ann"]);
    world.group_of("Audit", &["ben"]);
    let adapter = world.adapter();
    let checkpoint = read(&adapter, all(None)).await.checkpoint();
    world.faults.once("/api/v1/groups", 0, Fault::Forbidden);
    let error = read(&adapter, all(checkpoint.clone())).await.outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    world.faults.always("/api/v1/groups", Fault::ExpiredCheckpoint);
    let error = read(&adapter, all(checkpoint)).await.outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckpointExpired);
}
