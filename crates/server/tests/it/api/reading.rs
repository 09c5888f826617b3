//! Sources, directory, people, rules, tokens and the feed.

use std::time::Duration;

use serde_json::json;
use usher_core::Role;

use super::Api;
use crate::world::World;

#[tokio::test]
async fn the_directory_shows_what_is_parked_and_why() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let ada = world.user("ada").await;
    let board = world.group("Board", &[&ada]).await;
    let other = world.group("Choir", &[&ada]).await;
    let groups = api.get("/sources/idp/groups").await.expect(200);
    let parked: Vec<_> = groups
        .items()
        .iter()
        .map(|group| group["parked"].as_str())
        .collect();
    assert_eq!(parked, [None, Some("no_mapping")]);
    let group = api.get(&format!("/sources/idp/groups/{board}")).await.expect(200);
    assert_eq!(group.body["rooms"][0]["name"], "Board");
    api.get(&format!("/sources/other/groups/{other}"))
        .await
        .refused(404, "not_found");
    let members = api
        .get(&format!("/sources/idp/groups/{other}/members"))
        .await
        .expect(200);
    assert_eq!(members.items()[0]["user"], ada);
    let user = api.get(&format!("/sources/idp/users/{ada}")).await.expect(200);
    assert_eq!(user.body["resource"]["userName"], "ada");
    let person = api.get("/persons/ada@contoso.com").await.expect(200);
    assert_eq!(person.body["accounts"][0]["id"], ada);
    assert_eq!(person.body["memberships"][0]["room"]["name"], "Board");
    assert_eq!(
        api.get("/persons?email=ADA@contoso.com")
            .await
            .expect(200)
            .items()
            .len(),
        1
    );
    let source = api.get("/sources/idp").await.expect(200);
    assert_eq!(
        (&source.body["users"], &source.body["groups"]),
        (&json!(1), &json!(2))
    );
    assert!(source.body["last_write"].is_string());
    assert_eq!(api.get("/sources").await.expect(200).items().len(), 2);
    assert!(api.get("/policy").await.expect(200).body["active"]["domains"].is_array());
}

#[tokio::test]
async fn lists_come_in_pages_that_miss_nobody() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(world.user(&format!("u{n}")).await);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(&format!("/sources/idp/users?limit=2{cursor}"))
            .await
            .expect(200);
        assert!(page.items().len() <= 2);
        seen.extend(
            page.items()
                .iter()
                .map(|user| user["id"].as_str().expect("an id").to_owned()),
        );
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn two_people_are_linked_with_a_reason() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let person = async |name: &str| {
        world.user(name).await;
        let found = api.get(&format!("/persons/{name}@contoso.com")).await.expect(200);
        found.id()
    };
    let (ada, ida) = (person("ada").await, person("ida").await);
    let path = format!("/persons/{ada}/link");
    api.post(&path, &json!({ "other": ida }))
        .await
        .refused(422, "invalid");
    let refused = api
        .post(&path, &json!({ "other": ida, "reason": "HR says so" }))
        .await
        .expect(409);
    assert!(
        refused.body["next"].is_string(),
        "two live accounts of one source are two people"
    );
}

#[tokio::test]
async fn tokens_show_their_secret_once_and_end_when_revoked() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let body = json!({ "label": "dashboard", "role": "viewer", "expires_in": "90d" });
    let made = api.post("/tokens", &body).await.expect(201);
    let secret = made.body["token"].as_str().expect("a secret").to_owned();
    let viewer = Api {
        world: &world,
        token: secret.clone(),
    };
    viewer.get("/rooms").await.expect(200);
    for path in ["/tokens".to_owned(), format!("/tokens/{}", made.id())] {
        let shown = api.get(&path).await.expect(200);
        assert!(!shown.body.to_string().contains(&secret), "{path}");
    }
    let revoked = api
        .post(&format!("/tokens/{}/revoke", made.id()), &json!({}))
        .await
        .expect(200);
    assert!(revoked.body["revoked"].is_string());
}

#[tokio::test]
async fn the_feed_goes_on_where_it_ended_and_the_portal_sees_its_part() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let ada = world.user("ada").await;
    world.group("Board", &[&ada]).await;
    let feed = api.get("/events?limit=1000").await.expect(200);
    assert!(feed.items().iter().all(|event| event["specversion"] == "1.0"));
    let types: Vec<_> = feed
        .items()
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert!(types.contains(&"usher.membership.started") && types.contains(&"usher.directory.user.created"));
    let next = feed.body["next"].as_str().expect("a place");
    assert!(
        api.get(&format!("/events?after={next}"))
            .await
            .expect(200)
            .items()
            .is_empty()
    );
    let portal = Api::with_role(&world, Role::App, None).await;
    let seen = portal.get("/events?limit=1000").await.expect(200);
    assert!(!seen.items().is_empty());
    for event in seen.items() {
        let kind = event["type"].as_str().expect("a type");
        let word = kind.trim_start_matches("usher.");
        assert!(
            ["membership.", "room.", "grant."]
                .iter()
                .any(|part| word.starts_with(part)),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn who_waits_for_an_event_is_woken_by_it() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let feed = api.get("/events?limit=1000").await.expect(200);
    let next = feed.body["next"].as_str().expect("a place").to_owned();
    let path = format!("/events?wait=30&after={next}");
    let (woken, _user) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(20), api.get(&path)),
        world.user("ada")
    );
    let woken = woken.expect("long before the wait is over").expect(200);
    assert_eq!(woken.items()[0]["type"], "usher.directory.user.created");
}

#[tokio::test]
async fn retiring_a_source_is_planned_first() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let plan = api.get("/sources/other/retirement/plan").await.expect(200);
    assert_eq!(plan.body["leaves"], 0);
    let confirm = "/sources/other/retirement/confirm";
    api.post(confirm, &json!({ "digest": "0" }))
        .await
        .refused(409, "plan_changed");
    let done = api
        .post(confirm, &json!({ "digest": plan.body["digest"] }))
        .await
        .expect(200);
    assert_eq!(done.body["state"], "retired");
}

#[tokio::test]
async fn a_room_that_the_portal_has_is_taken_over_and_mapped() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let room = api
        .post("/rooms", &json!({ "name": "Council", "model": "open" }))
        .await
        .expect(201);
    assert_eq!(
        (&room.body["state"], &room.body["model"]),
        (&json!("live"), &json!("open"))
    );
    api.post("/rooms", &json!({ "name": "COUNCIL" }))
        .await
        .refused(409, "room_name_taken");
    let group = world.group("Council", &[]).await;
    let mapping = json!({ "room": "council", "source": "idp", "group": group, "rejoin": "never" });
    let mapping = api.post("/mappings", &mapping).await.expect(201);
    assert_eq!(mapping.body["group"], group);
    let path = format!("/mappings/{}", mapping.id());
    let stale = [("if-match", "\"9\"")];
    let change = json!({ "level": "user" });
    api.call("PATCH", &path, Some(&change), &stale)
        .await
        .refused(412, "version_changed");
    let changed = api
        .call("PATCH", "/mappings/Council", Some(&change), &[])
        .await
        .expect(200);
    assert_eq!(
        (&changed.body["level"], &changed.body["rejoin"]),
        (&json!("user"), &json!("never"))
    );
    let unbound = api.post(&format!("{path}/unbind"), &json!({})).await.expect(200);
    assert_eq!(unbound.body["group"], json!(null));
    let bound = api
        .post(&format!("{path}/bind"), &json!({ "group": group }))
        .await
        .expect(200);
    assert_eq!(bound.body["group_name"], "Council");
}

#[tokio::test]
async fn rooms_are_archived_and_reopened() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let id = api.get("/rooms/Board").await.expect(200).id();
    let archived = api
        .post("/rooms/Board/archive", &json!({ "reason": "the board is gone" }))
        .await
        .expect(200);
    assert_eq!(archived.body["state"], "archived");
    api.get("/rooms/Board").await.refused(404, "not_found");
    let reopened = api
        .post(&format!("/rooms/{id}/reopen"), &json!({}))
        .await
        .expect(200);
    assert_eq!(reopened.body["state"], "live");
    assert!(
        api.get(&format!("/rooms/{id}/parked"))
            .await
            .expect(200)
            .items()
            .is_empty()
    );
}
