//! Each permission missing in turn: what the check says, and what a read does without it.

use serde_json::json;
use usher_core::{ErrorKind, PermissionState, ProvisioningAdapter as _};
use usher_fakes::okta::{Org, Rights, Ungranted};

use crate::world::{TOKEN, World, adapter, groups, groups_since, read};

const SCOPES: [&str; 4] = [
    "okta.groups.read",
    "okta.users.read",
    "okta.apps.read",
    "okta.logs.read",
];

fn everything() -> serde_json::Value {
    json!({"application_id": Org::APPLICATION, "system_log": true})
}

#[tokio::test]
async fn a_check_names_the_scope_that_is_missing_and_what_breaks() {
    for ungranted in [Ungranted::LeftOut, Ungranted::Refused] {
        for missing in SCOPES {
            let world = World::new().await;
            world.org.behave(|behaviour| behaviour.ungranted = ungranted);
            world.group_of("Board", &["ann"]);
            world.take_app(Rights::all().without(missing), true);
            let report = adapter(&world.with_app(&everything())).check().await.unwrap();
            assert_eq!(report.tenant.as_deref(), Some(Org::ID));
            for found in &report.permissions {
                let name = found.permission.name.as_str();
                match &found.state {
                    PermissionState::Works => assert_ne!(name, missing),
                    // A token request for this scope alone is refused as a whole.
                    PermissionState::Missing(what) => {
                        assert_eq!(name, missing, "{what}");
                        let grant = format!("grant the scope {missing} to the application");
                        assert!(what.contains("invalid_scope") && what.contains(&grant), "{what}");
                    }
                    PermissionState::Unknown(what) => panic!("{missing}: {what}"),
                }
            }
            assert_eq!(report.permissions.len(), SCOPES.len());
        }
    }
}

#[tokio::test]
async fn a_check_with_an_api_token_says_which_role_is_needed() {
    let world = World::new().await;
    world.group_of("Board", &["ann"]);
    for missing in SCOPES {
        world.org.take_api_token(TOKEN, Rights::all().without(missing));
        let report = adapter(&world.with_token(&everything())).check().await.unwrap();
        for found in &report.permissions {
            match &found.state {
                PermissionState::Works => assert_ne!(found.permission.name, missing),
                PermissionState::Missing(what) => {
                    assert_eq!(found.permission.name, missing);
                    assert!(what.contains("Read-only administrator"), "{what}");
                }
                PermissionState::Unknown(what) => panic!("{missing}: {what}"),
            }
        }
    }
}

#[tokio::test]
async fn a_check_tells_an_application_that_does_not_exist_and_a_role_without_groups() {
    let world = World::new().await;
    world.group_of("Board", &["ann"]);
    let settings = world.with_token(&json!({"application_id": "0oanosuchapp"}));
    let report = adapter(&settings).check().await.unwrap();
    let state = &report.permissions.last().unwrap().state;
    assert!(
        matches!(state, PermissionState::Missing(what) if what.contains("no such application")),
        "{state:?}"
    );
    world.org.take_api_token(TOKEN, Rights::all().only_groups(&[]));
    let report = world.adapter().check().await.unwrap();
    let state = &report.permissions[0].state;
    assert!(
        matches!(state, PermissionState::Missing(what) if what.contains("resource set")),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_check_fails_only_when_nothing_at_all_was_found_out() {
    let world = World::new().await;
    let wrong = adapter(&world.with_token(&json!({"api_token": "another"})));
    let report = wrong.check().await.unwrap();
    assert_eq!(
        report.tenant.as_deref(),
        Some(Org::ID),
        "the org tells its id to anybody"
    );
    assert!(
        report
            .permissions
            .iter()
            .all(|found| matches!(found.state, PermissionState::Unknown(_)))
    );
    world.faults.always("", usher_fakes::Fault::ServerError(503));
    let error = wrong.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn without_groups_every_group_is_unknown() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann"]);
    world
        .org
        .take_api_token(TOKEN, Rights::all().without("okta.groups.read"));
    let report = read(&world.adapter(), groups(&[&board])).await;
    let reason = report.unknown_group(&board).unwrap();
    assert!(reason.contains("okta.groups.read"), "{reason}");
    assert_eq!(report.complete(&board), None);
}

#[tokio::test]
async fn without_the_others_groups_are_read_and_the_rest_is_unknown() {
    for missing in &SCOPES[1..] {
        let world = World::new().await;
        let (board, people) = world.group_of("Board", &["ann"]);
        let settings = world.with_token(&everything());
        let checkpoint = read(&adapter(&settings), groups(&[&board])).await.checkpoint();
        world.org.take_api_token(TOKEN, Rights::all().without(missing));
        world
            .org
            .directory()
            .add_member(&board, &world.org.directory().add_user("ben@contoso.example"));
        let report = read(&adapter(&settings), groups_since(&[&board], &checkpoint)).await;
        assert!(report.outcome.is_ok());
        assert_eq!(report.members(&board).len(), people.len() + 1, "{missing}");
        let reason = report.unknown_rest().unwrap_or_else(|| panic!("{missing}"));
        assert!(reason.contains(missing), "{reason}");
    }
}

#[tokio::test]
async fn a_group_administrator_sees_groups_but_not_everyone() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    let (everyone, _) = world.group_of("Everyone", &[]);
    world.org.set_group_type(&everyone, "BUILT_IN");
    world.org.take_api_token(TOKEN, Rights::group_administrator());
    let report = read(&world.adapter(), groups(&[&board, &everyone])).await;
    assert_eq!(report.members(&board), people);
    let reason = report.unknown_group(&everyone).unwrap();
    assert!(reason.contains("role does not cover it"), "{reason}");
}
