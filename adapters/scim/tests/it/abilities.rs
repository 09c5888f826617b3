//! What the client may do, and what it never does.

use serde_json::json;
use usher_core::{
    DirectoryChange, ErrorKind, GroupQuery, PermissionState, ProvisioningAdapter as _, UnknownScope,
};
use usher_fakes::Fault;
use usher_fakes::scim::{Discovery, Habits, MembersShown};

use crate::world::{World, company, read};

/// The state of each ability, in their order: `works`, `missing` or `unknown`.
async fn checked(world: &World) -> Vec<&'static str> {
    let report = world.adapter(&json!({})).check().await.expect("a report");
    let words = report.permissions.iter().map(|check| match &check.state {
        PermissionState::Works => "works",
        PermissionState::Missing(what) => {
            assert!(what.len() > 20, "it says what breaks: {what}");
            "missing"
        }
        PermissionState::Unknown(_) => "unknown",
    });
    words.collect()
}

#[tokio::test]
async fn each_ability_is_found_missing_in_turn() {
    type Change = fn(&mut Habits);
    let cases: [(Change, [&str; 5]); 5] = [
        (|_| {}, ["works"; 5]),
        (
            |habits| habits.discovery = Discovery::Missing,
            ["works", "missing", "works", "works", "works"],
        ),
        (
            |habits| habits.users_readable = false,
            ["works", "works", "missing", "works", "works"],
        ),
        (
            |habits| habits.groups_readable = false,
            ["works", "works", "works", "missing", "works"],
        ),
        (
            |habits| {
                habits.members = MembersShown::LeftOut;
                habits.groups_on_users = false;
            },
            ["works", "works", "works", "works", "unknown"],
        ),
    ];
    for (change, expected) in cases {
        let world = World::new(company().0, Habits::default()).await;
        world.server.change(change);
        assert_eq!(checked(&world).await, expected);
    }
}

#[tokio::test]
async fn a_refused_credential_is_missing_and_hides_the_rest() {
    let world = World::new(company().0, Habits::default()).await;
    world.server.revoke();
    assert_eq!(
        checked(&world).await,
        ["missing", "unknown", "unknown", "unknown", "unknown"]
    );
    let (_, outcome) = read(&world, &json!({}), vec![], None).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unauthorised);
}

#[tokio::test]
async fn users_that_may_not_be_read_leave_their_groups_unknown() {
    let (directory, board, _) = company();
    let world = World::new(directory, Habits::default()).await;
    world.server.change(|habits| habits.users_readable = false);
    let (changes, outcome) = read(&world, &json!({}), vec![&board], None).await;
    outcome.expect("the read itself worked");
    assert!(
        changes.iter().any(|change| matches!(
            change,
            DirectoryChange::Unknown { scope: UnknownScope::Group(id), reason } if id.as_str() == &*board && reason.contains("403")
        )),
        "{changes:?}"
    );
}

#[tokio::test]
async fn hidden_members_never_confirm_that_a_group_is_empty() {
    let (directory, board, _) = company();
    let hidden = Habits {
        members: MembersShown::LeftOut,
        groups_on_users: false,
        ..Habits::default()
    };
    let world = World::new(directory, hidden).await;
    let (changes, outcome) = read(&world, &json!({}), vec![&board], None).await;
    assert_eq!(outcome.expect("the read itself worked").checkpoint, None);
    let unconfirmed = |change: &DirectoryChange| {
        matches!(
            change,
            DirectoryChange::GroupMembersComplete { confirmed: false, .. }
        )
    };
    assert!(changes.iter().any(unconfirmed), "{changes:?}");
}

#[tokio::test]
async fn no_address_that_the_provider_names_is_called() {
    let (directory, board, audit) = company();
    let (other, ..) = company();
    let decoy = World::new(other, Habits::default()).await;
    let habits = Habits {
        decoy: Some(decoy.server.base_url().to_owned()),
        cursor: true,
        max_results: 2,
        ..Habits::default()
    };
    let world = World::new(directory, habits).await;
    let (changes, outcome) = read(&world, &json!({}), vec![&board, &audit], None).await;
    outcome.expect("a read");
    assert!(changes.len() > 4);
    world.adapter(&json!({})).check().await.expect("a report");
    assert_eq!(decoy.server.served().seen(), []);
}

#[tokio::test]
async fn tokens_come_from_the_token_endpoint_and_are_renewed() {
    let (directory, ..) = company();
    let world = World::new(directory, Habits::default()).await;
    for authentication in ["body", "basic"] {
        let adapter = world.adapter_with_oauth(authentication);
        let query = || GroupQuery {
            limit: 10,
            ..GroupQuery::default()
        };
        assert_eq!(
            adapter.list_groups(query()).await.expect("a list").len(),
            2,
            "{authentication}"
        );
        world.server.revoke();
        assert_eq!(adapter.list_groups(query()).await.expect("a new token").len(), 2);
    }
}

#[tokio::test]
async fn an_address_without_encryption_is_refused_elsewhere_than_on_this_machine() {
    let settings = json!({"pull": {"base_url": "http://idp.example/scim/v2", "bearer_token": "t"}});
    let config = serde_json::from_value(settings).expect("known settings");
    let error = usher_adapter_scim::ScimAdapter::new(&config).expect_err("plain http");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn the_list_of_groups_says_when_it_could_not_see_all() {
    let (directory, ..) = company();
    let world = World::new(
        directory,
        Habits {
            max_results: 1,
            ..Habits::default()
        },
    )
    .await;
    world.faults.once("/Groups", 1, Fault::LostPage);
    let query = GroupQuery {
        limit: 10,
        ..GroupQuery::default()
    };
    let error = world
        .adapter(&json!({}))
        .list_groups(query)
        .await
        .expect_err("a page was lost");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
