//! Finding rooms, people, members and what happened; files for spreadsheets; credentials that are replaced.

use std::time::Duration;

use serde_json::{Value, json};
use usher_core::Role;

use super::Api;
use crate::world::{World, eventually};

/// A room `Board` with two members from a group, and one who left it.
async fn board(world: &World, api: &Api<'_>) -> (String, String) {
    api.room("Board").await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let cyd = world.user("cyd").await;
    let group = world.group("Board", &[&ada, &bob, &cyd]).await;
    world.clock.advance(Duration::from_secs(60));
    let removal = json!([{ "op": "remove", "path": format!("members[value eq \"{cyd}\"]") }]);
    world.patch(&format!("/Groups/{group}"), &removal).await;
    let room = api.get("/rooms/Board").await.expect(200).id();
    (room, group)
}

/// The events of a list, once they are there: the feed shows an event when no earlier one can still come.
async fn audit(api: &Api<'_>, query: &str, least: usize) -> Vec<Value> {
    eventually(query, Duration::from_secs(20), async || {
        let found = api.get(&format!("/audit?{query}")).await.expect(200);
        (found.items().len() >= least).then(|| found.items().clone())
    })
    .await
}

#[tokio::test]
async fn rooms_are_listed_by_name_with_what_they_hold() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    board(&world, &api).await;
    for name in ["Audit", "Council", "Äbte"] {
        api.post("/rooms", &json!({ "name": name })).await.expect(201);
    }
    let first = api
        .get("/rooms?by_name=true&counts=true&limit=2")
        .await
        .expect(200);
    let names = |items: &[Value]| -> Vec<String> {
        let name = |item: &Value| item["name"].as_str().expect("a name").to_owned();
        items.iter().map(name).collect()
    };
    assert_eq!(names(first.items()), ["Audit", "Board"]);
    let counts = &first.items()[1]["counts"];
    assert_eq!(
        counts["members"], 3,
        "two of the group and the set-up user: {counts}"
    );
    assert_eq!(
        (&counts["mappings_confirmed"], &counts["strays"]),
        (&json!(1), &json!(0))
    );
    let next = first.body["next"].as_str().expect("another page");
    let second = api
        .get(&format!("/rooms?by_name=true&limit=2&cursor={next}"))
        .await
        .expect(200);
    assert_eq!(names(second.items()), ["Council", "Äbte"]);
    let found = api.get("/rooms?search=%C3%84BT").await.expect(200);
    assert_eq!(names(found.items()), ["Äbte"]);
    let one = api.get("/rooms/Board?counts=true").await.expect(200);
    assert_eq!(one.body["counts"]["administrators"], 1);
    assert_eq!(
        api.get("/rooms?state=archived").await.expect(200).items().len(),
        0
    );
}

#[tokio::test]
async fn members_are_found_by_name_and_the_former_ones_by_when_they_left() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let (room, _) = board(&world, &api).await;
    let emails = |items: &[Value]| -> Vec<String> {
        let email = |item: &Value| item["person"]["email"].as_str().unwrap_or_default().to_owned();
        items.iter().map(email).collect()
    };
    let path = format!("/rooms/{room}/members");
    let found = api.get(&format!("{path}?search=BO")).await.expect(200);
    assert_eq!(emails(found.items()), ["bob@contoso.com"]);
    let former = api.get(&format!("{path}?former=true")).await.expect(200);
    assert_eq!(emails(former.items()), ["cyd@contoso.com"]);
    let administrators = api.get(&format!("{path}?administrators=true")).await.expect(200);
    assert_eq!(emails(administrators.items()), ["setup@vendor.example"]);
    api.get(&format!("{path}?search=a&former=true"))
        .await
        .refused(400, "malformed");
    let stays = api
        .get(&format!("/rooms/{room}/stays?former=true"))
        .await
        .expect(200);
    assert_eq!(stays.items()[0]["periods"][0]["to_reason"], "removed");
    let now = api.get(&format!("/rooms/{room}/stays?limit=1")).await.expect(200);
    assert_eq!(now.items().len(), 1);
    assert!(now.body["next"].is_string());
}

#[tokio::test]
async fn files_hold_everybody_and_nothing_that_a_spreadsheet_runs() {
    let world = World::of_contoso().await;
    let api = Api::admin(&world).await;
    let (room, _) = board(&world, &api).await;
    let guest = json!({
        "person": "eve@elsewhere.example", "name": "=HYPERLINK(\"http://x\")", "level": "guest", "owner": "Ada",
        "reason": "helps",
    });
    api.post(&format!("/rooms/{room}/members"), &guest)
        .await
        .expect(201);
    let file = api
        .get(&format!("/rooms/{room}/members/export"))
        .await
        .expect(200);
    assert!(file.header("content-type").starts_with("text/csv"));
    let text = file.body.as_str().expect("text");
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains("\"'=HYPERLINK(\"\"http://x\"\")\""), "{text}");
    audit(&api, "kind=membership.started", 4).await;
    let file = api.get("/audit/export?kind=membership.started").await.expect(200);
    let text = file.body.as_str().expect("text");
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.contains("usher.membership.started")),
        "{text}"
    );
    Api::with_role(&world, Role::App, None)
        .await
        .get(&format!("/rooms/{room}/members/export"))
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn what_happened_is_found_by_what_it_is_about() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let (room, _) = board(&world, &api).await;
    let left = audit(&api, "person=cyd@contoso.com&kind=membership.ended", 1).await;
    assert_eq!(left[0]["room_name"]["name"], "Board");
    assert_eq!(left[0]["person_name"]["email"], "cyd@contoso.com");
    let all = audit(&api, "limit=500", 10).await;
    let numbers: Vec<i64> = all
        .iter()
        .map(|event| event["id"].as_str().expect("an id").parse().expect("a number"))
        .collect();
    assert!(
        numbers.is_sorted_by(|a, b| a > b),
        "the newest comes first: {numbers:?}"
    );
    for query in [
        format!("room={room}"),
        "source=idp".to_owned(),
        "actor=source:idp".to_owned(),
        "actor=adm".to_owned(),
        "kind=membership.*,mapping.confirmed".to_owned(),
        format!("room={room}&kind=membership.*&source=idp"),
    ] {
        let whole = audit(&api, &format!("{query}&limit=500"), 1).await;
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api
                .get(&format!("/audit?{query}&limit=2{cursor}"))
                .await
                .expect(200);
            assert!(page.items().len() <= 2, "{query}");
            paged.extend(page.items().clone());
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{query}");
    }
    let late = audit(&api, "since=2026-02-01T09:00:30Z&source=idp", 1).await;
    assert!(
        late.iter().any(|event| event["type"] == "usher.membership.ended"),
        "{late:?}"
    );
    let early = audit(&api, "before=2026-02-01T09:00:30Z&source=idp", 1).await;
    assert!(
        early
            .iter()
            .all(|event| event["type"] != "usher.membership.ended")
    );
    api.get("/audit?kind=membership.vanished")
        .await
        .refused(400, "malformed");
    api.get("/audit?room=Nowhere").await.refused(404, "not_found");
    api.get("/audit?cursor=2").await.refused(400, "malformed");
}

#[tokio::test]
async fn people_are_found_by_how_they_are_called() {
    let world = World::of_contoso().await;
    let api = Api::admin(&world).await;
    let (room, _) = board(&world, &api).await;
    let guest = json!({
        "person": "o@elsewhere.example", "name": "Ümit Özdemir", "level": "guest", "owner": "Ada", "reason": "helps",
    });
    api.post(&format!("/rooms/{room}/members"), &guest)
        .await
        .expect(201);
    for text in ["o@else", "%C3%BCmit", "%C3%B6zd", "%C3%96ZDEMIR"] {
        let found = api.get(&format!("/persons?search={text}")).await.expect(200);
        assert_eq!(found.items().len(), 1, "{text}");
        assert_eq!(found.items()[0]["rooms"], 1);
    }
    let all = api.get("/persons?limit=2").await.expect(200);
    assert_eq!(
        all.items()[0]["email"],
        "o@elsewhere.example",
        "whoever came last is first"
    );
    assert!(all.body["next"].is_string());
    let stays = api.get("/persons/cyd@contoso.com/stays").await.expect(200);
    assert_eq!(stays.items()[0]["room"]["name"], "Board");
}

#[tokio::test]
async fn a_token_is_replaced_without_a_gap() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let made = api
        .post("/tokens", &json!({ "label": "dashboard", "role": "viewer" }))
        .await
        .expect(201);
    let with = |answer: &super::Answer| Api {
        world: &world,
        token: answer.body["token"].as_str().expect("a secret").to_owned(),
    };
    let path = format!("/tokens/{}/rotate", made.id());
    let rotated = api.post(&path, &json!({ "overlap": "1h" })).await.expect(201);
    assert_eq!(rotated.body["label"], "dashboard");
    with(&made).get("/rooms").await.expect(200);
    with(&rotated).get("/rooms").await.expect(200);
    let old = api.get(&format!("/tokens/{}", made.id())).await.expect(200);
    assert_eq!(old.body["expires"], "2026-02-01T10:00:00Z");
    world.clock.advance(Duration::from_secs(3601));
    with(&made).get("/rooms").await.refused(401, "unauthenticated");
    with(&rotated).get("/rooms").await.expect(200);
    api.post(&path, &json!({})).await.refused(409, "token_ended");
}

#[tokio::test]
async fn keys_are_registered_listed_and_revoked() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let key = json!({
        "source": "idp", "label": "their signer", "algorithm": "ES256", "issuer": "https://idp.example",
        "audience": "usher", "public_key": include_str!("../fixtures/es256.pub.pem"),
    });
    let made = api.post("/keys", &key).await.expect(201);
    assert_eq!(made.body["source"], "idp");
    assert_eq!(api.get("/keys?source=other").await.expect(200).items().len(), 0);
    api.post(&format!("/keys/{}/revoke", made.id()), &json!({}))
        .await
        .expect(204);
    let keys = api.get("/keys?source=idp").await.expect(200);
    assert!(keys.items()[0]["revoked"].is_string());
}

#[tokio::test]
async fn what_is_entered_at_a_provider_is_told() {
    let world = World::new().await;
    let viewer = Api::with_role(&world, Role::Viewer, None).await;
    let setup = viewer.get("/sources/idp/setup").await.expect(200);
    assert_eq!(setup.body["scim_url"], "https://usher.example/scim/idp/v2");
    assert_eq!(setup.body["hook_url"], Value::Null);
    let organisation = viewer.get("/organisation").await.expect(200);
    assert_eq!(organisation.body["sources"], json!(["idp", "other"]));
}
