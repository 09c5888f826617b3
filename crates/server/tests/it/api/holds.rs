//! The brake's holds, and strays.

use serde_json::json;

use super::Api;
use crate::world::World;

#[tokio::test]
async fn a_mass_removal_is_held_shown_and_decided_as_one() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let admin = world.user("admin").await;
    let mut users = vec![admin.clone()];
    for n in 0..14 {
        users.push(world.user(&format!("u{n}")).await);
    }
    let ids: Vec<&str> = users.iter().map(String::as_str).collect();
    let group = world.group("Board", &ids).await;
    let keep = json!([{ "op": "replace", "path": "members", "value": [{ "value": admin }] }]);
    world.patch(&format!("/Groups/{group}"), &keep).await.expect(200);

    let holds = api.get("/holds").await.expect(200);
    let hold = holds.items()[0]["id"].as_str().expect("an id").to_owned();
    let shown = api.get(&format!("/holds/{hold}")).await.expect(200);
    assert_eq!(shown.body["people"].as_array().map(Vec::len), Some(14));
    let mut seen = Vec::new();
    let mut path = format!("/holds/{hold}?limit=5");
    for length in [5, 5, 4] {
        let page = api.get(&path).await.expect(200).body;
        let people = page["people"].as_array().expect("a list");
        assert_eq!((people.len(), &page["count"]), (length, &json!(14)));
        assert_eq!(
            page["digest"], shown.body["digest"],
            "it is about all, whoever is shown"
        );
        seen.extend(people.iter().map(|held| held["person"]["id"].to_string()));
        let next = page["next"].as_str().unwrap_or_default();
        path = format!("/holds/{hold}?limit=5&cursor={next}");
    }
    assert!(path.ends_with("cursor="), "there is no fourth page");
    let once = shown.body["people"].as_array().expect("a list").iter();
    let once: Vec<_> = once.map(|held| held["person"]["id"].to_string()).collect();
    assert_eq!(seen, once);
    api.get(&format!("/holds/{hold}?cursor=made-up"))
        .await
        .expect(400);
    assert_eq!(api.get("/strays?room=Board").await.expect(200).items().len(), 14);
    let stale = json!({ "digest": "0000" });
    let refused = api
        .post(&format!("/holds/{hold}/approve"), &stale)
        .await
        .refused(409, "plan_changed");
    assert_eq!(refused.body["digest"], shown.body["digest"]);
    let digest = json!({ "digest": shown.body["digest"] });
    let approved = api
        .post(&format!("/holds/{hold}/approve"), &digest)
        .await
        .expect(200);
    assert_eq!(approved.body["state"], "approved");
    assert!(api.get("/strays").await.expect(200).items().is_empty());
    assert!(api.get("/holds").await.expect(200).items().is_empty());
    assert_eq!(api.get("/holds?all=true").await.expect(200).items().len(), 1);
    api.post(&format!("/holds/{hold}/reject"), &digest)
        .await
        .expect(409);
}
