//! Groups and their members.

use http::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn members_are_shown_with_reference_type_and_name() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let group = world.group("Board", &[&ada, "somebody-unknown"]).await;
    let shown = world.get(&format!("/Groups/{group}")).await.json();
    assert_eq!(
        shown["members"],
        json!([
            {
                "value": ada, "type": "User", "$ref": format!("https://usher.example/scim/idp/v2/Users/{ada}"),
            },
            { "value": "somebody-unknown" },
        ])
    );
    let named = world
        .get(&format!("/Groups/{group}?attributes=members.display"))
        .await
        .json();
    assert_eq!(
        named["members"],
        json!([{ "display": "ada" }]),
        "names are returned on request"
    );
    let ids = world
        .get(&format!("/Groups/{group}?attributes=members.value"))
        .await
        .json();
    assert_eq!(
        ids["members"],
        json!([{ "value": ada }, { "value": "somebody-unknown" }])
    );
    let without = world
        .get(&format!("/Groups/{group}?excludedAttributes=members"))
        .await
        .json();
    assert!(without.get("members").is_none() && without["displayName"] == "Board");
}

#[tokio::test]
async fn an_unknown_member_becomes_one_when_its_user_comes() {
    let world = World::new().await;
    let group = world.group("Board", &["x-ada"]).await;
    let ada = world.user("ada").await;
    assert_eq!(world.members(&group).await, [ada]);
}

#[tokio::test]
async fn patch_adds_removes_and_replaces_members() {
    let world = World::new().await;
    let (ada, bob, eve) = (
        world.user("ada").await,
        world.user("bob").await,
        world.user("eve").await,
    );
    let group = world.group("Board", &[]).await;
    let path = format!("/Groups/{group}");
    let expect = async |operations: Value, members: &[&String]| {
        world.patch(&path, &operations).await.expect(200);
        let mut members: Vec<String> = members.iter().map(ToString::to_string).collect();
        members.sort_unstable();
        assert_eq!(world.members(&group).await, members, "{operations}");
    };
    let add = |ids: &[&String]| {
        let values: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
        json!([{ "op": "add", "path": "members", "value": values }])
    };
    expect(add(&[&ada, &bob]), &[&ada, &bob]).await;
    expect(add(&[&ada]), &[&ada, &bob]).await;
    expect(
        json!([{ "op": "remove", "path": format!("members[value eq \"{ada}\"]") }]),
        &[&bob],
    )
    .await;
    expect(
        json!([{ "op": "remove", "path": format!("members[value eq \"{ada}\"]") }]),
        &[&bob],
    )
    .await;
    expect(
        json!([{ "op": "replace", "path": "members", "value": [{ "value": eve }] }]),
        &[&eve],
    )
    .await;
    expect(
        json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": eve }] }]),
        &[],
    )
    .await;
    expect(add(&[&ada, &bob, &eve]), &[&ada, &bob, &eve]).await;
    expect(
        json!([{ "op": "remove", "path": "members[display eq \"bob\"]" }]),
        &[&ada, &eve],
    )
    .await;
    expect(
        json!([{ "op": "replace", "value": { "displayName": "Council" } }]),
        &[&ada, &eve],
    )
    .await;
    expect(json!([{ "op": "remove", "path": "members" }]), &[]).await;
    expect(add(&[&ada]), &[&ada]).await;
    expect(
        json!([{ "op": "replace", "value": { "id": group, "members": [] } }]),
        &[],
    )
    .await;
}

#[tokio::test]
async fn a_repeated_add_changes_no_version() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let group = world.group("Board", &[&ada]).await;
    let path = format!("/Groups/{group}");
    let before = world.get(&path).await.json();
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ada }] }]);
    assert_eq!(world.patch(&path, &add).await.expect(200).json(), before);
}

#[tokio::test]
async fn a_failed_operation_undoes_those_before_it() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let group = world.group("Board", &[&ada]).await;
    let before = world.everything().await;
    let operations = json!([
        { "op": "remove", "path": "members" },
        { "op": "replace", "path": "displayName", "value": "x" },
        { "op": "replace", "path": "entitlements[value eq \"none\" and display co \"x\"].type", "value": "y" },
    ]);
    let answer = world.patch(&format!("/Groups/{group}"), &operations).await;
    assert_eq!(
        answer.status,
        StatusCode::BAD_REQUEST,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn a_patch_on_a_large_group_is_answered_204_unless_a_body_is_asked_for() {
    let world = World::new().await;
    let ids: Vec<String> = (0..101).map(|n| format!("pending-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let group = world.group("Everybody", &ids).await;
    let path = format!("/Groups/{group}");
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": "one-more" }] }]);
    let answer = world.patch(&path, &add).await.expect(204);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header(http::header::ETAG), "W/\"2\"");
    let remove = json!([{ "op": "remove", "path": "members", "value": [{ "value": "one-more" }] }]);
    let shown = world
        .patch(&format!("{path}?attributes=displayName"), &remove)
        .await
        .expect(200)
        .json();
    assert!(shown["displayName"] == "Everybody" && shown.get("members").is_none());
    assert_eq!(world.members(&group).await.len(), 101);
}

#[tokio::test]
async fn put_replaces_members_where_it_names_them() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let group = world.group("Board", &[&ada]).await;
    let path = format!("/Groups/{group}");
    world
        .put(&path, &json!({ "displayName": "Council" }))
        .await
        .expect(200);
    assert_eq!(
        world.members(&group).await,
        std::slice::from_ref(&ada),
        "a rename empties no group"
    );
    let body = json!({ "displayName": "Council", "members": [{ "value": bob }] });
    let shown = world.put(&path, &body).await.expect(200).json();
    assert_eq!(shown["members"][0]["value"], bob);
    world
        .put(&path, &json!({ "displayName": "Council", "members": [] }))
        .await
        .expect(200);
    assert!(world.members(&group).await.is_empty());
}

#[tokio::test]
async fn ten_thousand_members_come_by_one_put_and_go_by_one_patch() {
    let world = World::new().await;
    let group = world.group("Everybody", &[]).await;
    let members: Vec<Value> = (0..10_000)
        .map(|n| json!({ "value": format!("member-{n}") }))
        .collect();
    let path = format!("/Groups/{group}?excludedAttributes=members");
    world
        .put(&path, &json!({ "displayName": "Everybody", "members": members }))
        .await
        .expect(200);
    assert_eq!(world.members(&group).await.len(), 10_000);
    world
        .patch(
            &path,
            &json!([{ "op": "replace", "path": "members", "value": [] }]),
        )
        .await
        .expect(200);
    assert!(world.members(&group).await.is_empty());
}

#[tokio::test]
async fn namesakes_are_refused_only_where_both_carry_different_ids() {
    let world = World::new().await;
    let create = async |name: &str, external_id: Option<&str>| {
        world
            .post(
                "/Groups",
                &json!({ "displayName": name, "externalId": external_id }),
            )
            .await
    };
    create("Board", Some("g-1")).await.expect(201);
    create("Board", None).await.expect(201);
    create("board", Some("g-2"))
        .await
        .refused(409, Some("uniqueness"));
    create("Council", Some("g-1"))
        .await
        .refused(409, Some("uniqueness"));
    create("Board", None).await.expect(201);
}

#[tokio::test]
async fn a_deleted_group_is_gone() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let group = world.group("Board", &[&ada]).await;
    world.delete(&format!("/Groups/{group}")).await.expect(204);
    world.get(&format!("/Groups/{group}")).await.refused(404, None);
    assert!(
        world
            .get(&format!("/Users/{ada}"))
            .await
            .json()
            .get("groups")
            .is_none()
    );
    assert_eq!(world.get("/Groups").await.json()["totalResults"], 0);
}
