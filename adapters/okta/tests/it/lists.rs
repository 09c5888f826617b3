//! Lists of groups.

use serde_json::json;
use usher_core::{ErrorKind, GroupQuery, ProvisioningAdapter as _, RemoteGroupId};
use usher_fakes::okta::{Org, Rights};

use crate::world::{TOKEN, World, adapter};

#[tokio::test]
async fn a_list_tells_kind_count_and_assignment() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann", "ben"]);
    let (audit, _) = world.group_of("Board audit", &[]);
    world.org.set_group_type(&audit, "APP_GROUP");
    world.org.directory().assign(&board, true);
    let adapter = adapter(&world.with_token(&json!({"application_id": Org::APPLICATION})));
    for query in [
        GroupQuery {
            limit: 10,
            ..GroupQuery::default()
        },
        GroupQuery {
            limit: 10,
            name_prefix: Some("board".into()),
            ..GroupQuery::default()
        },
    ] {
        let mut groups = adapter.list_groups(query).await.unwrap();
        groups.sort_by(|one, other| one.display_name.cmp(&other.display_name));
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (&*group.display_name, &*group.kind, group.members, group.assigned))
            .collect();
        assert_eq!(
            shown,
            [
                ("Board", "OKTA_GROUP", Some(2), Some(true)),
                ("Board audit", "APP_GROUP", Some(0), Some(false))
            ]
        );
    }
}

#[tokio::test]
async fn an_assignment_that_may_not_be_seen_is_not_guessed() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann"]);
    world
        .org
        .take_api_token(TOKEN, Rights::all().without("okta.apps.read"));
    let adapter = adapter(&world.with_token(&json!({"application_id": Org::APPLICATION})));
    let query = GroupQuery {
        id: Some(RemoteGroupId::new(&*board).unwrap()),
        limit: 1,
        ..GroupQuery::default()
    };
    let groups = adapter.list_groups(query).await.unwrap();
    assert_eq!((groups[0].members, groups[0].assigned), (Some(1), None));
}

#[tokio::test]
async fn a_list_that_is_refused_is_an_error() {
    let world = World::new().await;
    world
        .org
        .take_api_token(TOKEN, Rights::all().without("okta.groups.read"));
    for name_prefix in [None, Some("B".into())] {
        let query = GroupQuery {
            limit: 5,
            name_prefix,
            ..GroupQuery::default()
        };
        let error = world.adapter().list_groups(query).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        assert!(error.to_string().contains("E0000006"), "{error}");
    }
}
