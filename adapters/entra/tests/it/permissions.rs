//! Every permission missing in turn, and what the check says about it.

use usher_core::{
    CheckReport, DirectoryChange, ErrorKind, PermissionState, ProvisioningAdapter as _, ReadScope,
    UnknownScope,
};
use usher_fakes::Fault;

use crate::world::{World, direct};

fn state<'a>(report: &'a CheckReport, name: &str) -> &'a PermissionState {
    let mut found = report
        .permissions
        .iter()
        .filter(|check| check.permission.name == name);
    let state = &found.next().expect("in the report").state;
    assert!(found.next().is_none(), "once");
    state
}

#[tokio::test]
async fn everything_granted_works() {
    let world = World::new().await;
    world.group("Board", &["ann"]);
    let report = world.adapter().check().await.expect("a report");
    let states: Vec<_> = report.permissions.iter().map(|check| &check.state).collect();
    assert_eq!(states, [&PermissionState::Works; 3]);
    assert_eq!(report.tenant, Some(world.graph.options().tenant), "as configured");
    assert!(
        report
            .guidance
            .iter()
            .any(|step| step.contains("aadOptscim062020"))
    );
    assert!(report.guidance.iter().any(|step| step.contains("objectId")));
}

#[tokio::test]
async fn the_tenants_id_is_asked_for_where_that_is_allowed() {
    let world = World::new().await;
    world
        .graph
        .set(|options| options.tenant = "contoso.onmicrosoft.example".into());
    assert_eq!(
        world.adapter().check().await.expect("a report").tenant,
        None,
        "a domain is no id"
    );
    world.graph.grant("Organization.Read.All", true);
    let tenant = world.adapter().check().await.expect("a report").tenant;
    assert_eq!(
        tenant.as_deref(),
        Some("contoso.onmicrosoft.example"),
        "what the organisation says"
    );
}

#[tokio::test]
async fn a_missing_permission_is_named_with_what_breaks() {
    for name in ["GroupMember.Read.All", "User.Read.All", "Application.Read.All"] {
        let world = World::new().await;
        world.group("Board", &["ann"]);
        world.graph.grant(name, false);
        let report = world.adapter().check().await.expect("a report");
        for check in &report.permissions {
            let missing = matches!(&check.state, PermissionState::Missing(text) if text.contains(name));
            assert_eq!(missing, check.permission.name == name, "{check:?}");
        }
    }
}

#[tokio::test]
async fn an_application_that_is_not_there_is_not_a_missing_permission() {
    let world = World::new().await;
    let mut settings = world.settings();
    settings["application_id"] = "99999999-0000-4000-8000-000000000000".into();
    let report = crate::world::adapter(settings).check().await.expect("a report");
    let state = state(&report, "Application.Read.All");
    assert!(
        matches!(state, PermissionState::Unknown(text) if text.contains("application_id")),
        "{state:?}"
    );
}

#[tokio::test]
async fn without_a_token_nothing_can_be_found_out() {
    let world = World::new().await;
    world.graph.set(|options| options.secret = None);
    let mut settings = world.settings();
    settings["client_secret"] = "other".into();
    let error = crate::world::adapter(settings)
        .check()
        .await
        .expect_err("no token");
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
}

#[tokio::test]
async fn check_survives_faults_and_never_calls_a_fault_a_missing_permission() {
    for fault in Fault::ALL.into_iter().filter(|fault| *fault != Fault::Forbidden) {
        for number in 0..6 {
            let world = World::new().await;
            world.group("Board", &["ann"]);
            world.faults.at(number, fault);
            if let Ok(report) = world.adapter().check().await {
                let missing =
                    |check: &usher_core::PermissionCheck| matches!(check.state, PermissionState::Missing(_));
                assert!(!report.permissions.iter().any(missing), "{fault:?} {number}");
            }
        }
    }
}

#[tokio::test]
async fn members_without_names_end_nobody() {
    let world = World::new().await;
    let (board, people) = world.group("Board", &["ann"]);
    let (_, checkpoint) = world.read_groups(&[direct(&board)], None).await;
    world.graph.grant("User.Read.All", false);
    // The users' delta needs the permission: a read from the beginning says so.
    let error = world
        .read(ReadScope::Groups(vec![direct(&board)]), None)
        .await
        .err()
        .expect("forbidden");
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains("User.Read.All"), "{error}");
    let error = world
        .read(ReadScope::Groups(vec![direct(&board)]), checkpoint)
        .await
        .err()
        .expect("forbidden");
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(people.len(), 1);
}

#[tokio::test]
async fn without_the_applications_permission_assignments_are_unknown() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    world.directory.assign(&board, true);
    world.graph.grant("Application.Read.All", false);
    let (report, _) = world.read_groups(&[direct(&board)], None).await;
    assert_eq!(report.complete(&board), Some(true));
    assert_eq!(report.assigned(&board), None);
    let said = |change: &DirectoryChange| matches!(change, DirectoryChange::Unknown { scope: UnknownScope::Rest, reason } if reason.contains("Application.Read.All"));
    assert!(report.0.iter().any(said));
}

#[tokio::test]
async fn without_an_application_nothing_is_said_about_assignments() {
    let world = World::new().await;
    let (board, _) = world.group("Board", &["ann"]);
    let mut settings = world.settings();
    settings
        .as_object_mut()
        .expect("a table")
        .remove("application_id");
    let adapter = crate::world::adapter(settings);
    let capabilities = adapter.describe().capabilities;
    assert!(!capabilities.application_assignments);
    assert_eq!(capabilities.permissions.len(), 2);
    let mut report = crate::world::Report::default();
    let request = usher_core::ReadRequest::of_groups(vec![direct(&board)]);
    adapter.read(request, &mut report).await.expect("a read");
    assert_eq!(
        (report.complete(&board), report.assigned(&board)),
        (Some(true), None)
    );
}

#[tokio::test]
async fn assignments_in_pages_are_all_seen_and_a_lost_page_denies_nothing() {
    for fault in [
        None,
        Some(Fault::LostPage),
        Some(Fault::EmptyPage),
        Some(Fault::RepeatedPage),
    ] {
        let world = World::new().await;
        let groups: Vec<_> = (0..5)
            .map(|number| world.group(&format!("Group {number}"), &[]).0)
            .collect();
        for group in &groups[..4] {
            world.directory.assign(group, true);
        }
        if let Some(fault) = fault {
            world.faults.once("appRoleAssignedTo", 0, fault);
        }
        let wanted: Vec<_> = groups.iter().map(|id| direct(id)).collect();
        let (report, _) = world.read_groups(&wanted, None).await;
        for group in &groups[..4] {
            assert_ne!(report.assigned(group), Some(false), "{fault:?}");
        }
        assert_eq!(
            report.assigned(&groups[4]).is_some(),
            fault.is_none(),
            "{fault:?}"
        );
    }
}
