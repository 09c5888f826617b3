//! A person back, and steps by hand.

use std::time::Duration;

use serde_json::{Value, json};

use super::Api;
use crate::world::World;

async fn members(world: &World, group: &str, op: &str, user: &str) {
    let path = match op {
        "remove" => format!("members[value eq \"{user}\"]"),
        _ => "members".to_owned(),
    };
    let operation = match op {
        "remove" => json!([{ "op": "remove", "path": path }]),
        _ => json!([{ "op": "add", "path": path, "value": [{ "value": user }] }]),
    };
    world.clock.advance(Duration::from_secs(60));
    world
        .patch(&format!("/Groups/{group}"), &operation)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_person_back_gets_grants_and_level_again_and_it_can_be_undone() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let (admin, ada) = (world.user("admin").await, world.user("ada").await);
    let group = world.group("Board", &[&admin, &ada]).await;
    let before = api.membership("Board", "ada@contoso.com").await;
    let former = before["id"].as_str().expect("an id");
    let grant = format!("/memberships/{former}/grants/meeting/m-1");
    api.put(&grant, &json!({ "label": "AGM" })).await.expect(200);
    api.post(
        &format!("/memberships/{former}/level"),
        &json!({ "level": "user" }),
    )
    .await
    .expect(200);

    members(&world, &group, "remove", &ada).await;
    members(&world, &group, "add", &ada).await;
    let open = api.get("/restores").await.expect(200);
    let restore = open.items()[0]["id"].as_str().expect("an id").to_owned();
    let shown = api.get(&format!("/restores/{restore}")).await.expect(200);
    assert_eq!(shown.body["best"], former);
    let plan = api
        .post(&format!("/restores/{restore}/plan"), &json!({}))
        .await
        .expect(200);
    assert_eq!(plan.body["candidate"]["grants"][0]["label"], "AGM");
    assert_eq!(plan.body["level"]["above"], true);
    let apply = |body: Value| {
        let path = format!("/restores/{restore}/apply");
        let api = &api;
        async move { api.post(&path, &body).await }
    };
    let mut body = json!({ "candidate": former, "digest": plan.body["digest"] });
    let refused = apply(body.clone()).await.expect(409);
    assert!(refused.body["next"].is_string(), "{:#}", refused.body);
    body["confirm_level"] = json!(true);
    let restored = apply(body).await.expect(200);
    assert_eq!(
        (&restored.body["id"], &restored.body["level"]),
        (&json!(former), &json!("user"))
    );
    let grants = api
        .get(&format!("/memberships/{former}/grants"))
        .await
        .expect(200);
    assert_eq!(grants.items().len(), 1);
    let history = api
        .get("/rooms/Board/persons/ada@contoso.com/history")
        .await
        .expect(200);
    assert_eq!(history.items()[0]["periods"].as_array().map(Vec::len), Some(2));
    let undone = api
        .post(&format!("/restores/{restore}/undo"), &json!({}))
        .await
        .expect(200);
    assert_eq!(undone.body["present"]["active"], true);
    assert_eq!(undone.body["former"]["active"], false);
}

#[tokio::test]
async fn who_is_not_back_is_not_restored_and_told_why() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let (admin, ada) = (world.user("admin").await, world.user("ada").await);
    let group = world.group("Board", &[&admin, &ada]).await;
    members(&world, &group, "remove", &ada).await;
    let wish = json!({ "room": "Board", "person": "ada@contoso.com" });
    let refused = api.post("/restores", &wish).await.expect(409);
    assert!(
        refused.body["next"]
            .as_str()
            .is_some_and(|next| next.contains("Board")),
        "{:#}",
        refused.body
    );
    let told = api
        .get("/rooms/Board/persons/ada@contoso.com/explanation")
        .await
        .expect(200);
    assert_eq!(told.items()[0]["grounds"][0]["standing"], "not_in_group");
}

#[tokio::test]
async fn what_a_group_asks_for_is_not_ended_by_hand_but_may_be_made_manual() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let (admin, ada) = (world.user("admin").await, world.user("ada").await);
    world.group("Board", &[&admin, &ada]).await;
    let membership = api.membership("Board", "ada@contoso.com").await;
    let path = format!("/memberships/{}", membership["id"].as_str().expect("an id"));
    let refused = api
        .post(&format!("{path}/end"), &json!({}))
        .await
        .refused(409, "desired");
    assert!(
        refused.body["next"]
            .as_str()
            .is_some_and(|next| next.contains("Board"))
    );
    let manual =
        json!({ "owner": "otto@contoso.com", "reason": "assistant of the chair", "level": "assistant" });
    let made = api
        .post(&format!("{path}/make-manual"), &manual)
        .await
        .expect(200);
    assert_eq!(
        (&made.body["kind"], &made.body["level"]),
        (&json!("manual"), &json!("assistant"))
    );
    let path = format!("/memberships/{}", made.id());
    let until = json!({ "until": "2027-01-01T00:00:00Z" });
    let extended = api.post(&format!("{path}/until"), &until).await.expect(200);
    assert_eq!(extended.body["until"], until["until"]);
    let stale = [("if-match", "\"77\"")];
    api.call("POST", &format!("{path}/end"), None, &stale)
        .await
        .refused(409, "conflict");
    let ended = api.post(&format!("{path}/end"), &json!({})).await.expect(200);
    assert_eq!(ended.body["followed_by"]["kind"], "managed");
    world.user("bob").await;
    let bob = api.get("/persons/bob@contoso.com").await.expect(200).id();
    let mut guest = json!({
        "person": "bob@contoso.com", "level": "guest", "owner": "otto@contoso.com", "reason": "an auditor",
        "until": "2027-01-01T00:00:00Z",
    });
    api.post("/rooms/Board/members", &guest)
        .await
        .refused(409, "has_account");
    guest["person"] = json!(bob);
    world.clock.advance(Duration::from_secs(60));
    let before = world.engine.now().to_string();
    world.clock.advance(Duration::from_secs(60));
    api.post("/rooms/Board/members", &guest).await.expect(201);
    let now = api.get("/rooms/Board/members").await.expect(200).items().len();
    let then = api
        .get(&format!("/rooms/Board/members?at={before}"))
        .await
        .expect(200);
    assert_eq!(then.items().len() + 1, now);
}
