//! What Usher promises: one test each, short, from the outside. The stories and the crates' own tests go deeper.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Config, Source, Stage, World};

const BEN: &str = "ben@contoso.com";

/// 1. A success leaves after the commit, never before. See `durability` for kills under load.
#[tokio::test]
async fn acknowledged_is_durable() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[]).await;
    let ben = stage.idp.create_user(BEN);
    stage.idp.add_members(&crowd.group, &[&ben]);
    stage.server.kill();
    let server = stage.world.serve().await;
    let desk = stage.desk.moved_to(server.address());
    assert!(desk.inside(&room.id).await.contains(BEN));
}

/// 2. Any push and any write of the API may be repeated.
#[tokio::test]
async fn repeating_changes_nothing() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let before = stage.desk.members(&room.id).await;
    let group = stage.idp.read("Group", &crowd.group).expect(200);
    stage.idp.add_members(&crowd.group, &[&crowd.users[0]]);
    stage.idp.set_active(&crowd.users[0], true);
    assert_eq!(
        stage.idp.read("Group", &crowd.group).expect(200).body["meta"],
        group.body["meta"]
    );
    assert_eq!(stage.desk.members(&room.id).await, before);

    let member = json!({
        "person": "ext@partner.example", "level": "guest", "owner": "ada@contoso.com", "reason": "visits",
    });
    let path = format!("/rooms/{}/members", room.id);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let body = Some(member.to_string().into_bytes());
        let key = [("idempotency-key", "one-visit")];
        answers.push(
            stage
                .desk
                .support
                .send_raw(Method::POST, &path, &key, body)
                .await
                .expect(201)
                .body,
        );
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(stage.desk.members(&room.id).await.len(), 3);
}

/// 3. Nobody leaves because something was not mentioned; an explicit empty list is a removal, and the brake applies.
#[tokio::test]
async fn absence_is_not_removal() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let people: Vec<String> = (0..12).map(|n| format!("member{n}@contoso.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let (room, crowd) = stage.live_room(&people).await;
    let scim = stage.scim();
    let group = format!("/Groups/{}", crowd.group);
    let renamed = json!([{ "op": "replace", "value": { "displayName": "Board members (renamed)" } }]);
    scim.patch(&group, &patch(&renamed)).await.expect(200);
    for odd in [
        json!([null]),
        json!([{}]),
        json!([{ "value": null }]),
        json!("[{\"value\": null}]"),
        json!({ "everybody": true }),
        json!(7),
    ] {
        let odd = json!([{ "op": "replace", "path": "members", "value": odd }]);
        let answer = scim.patch(&group, &patch(&odd)).await;
        let is_kept =
            stage.desk.inside(&room.id).await.len() == 13 && stage.desk.holds(&room.id).await.is_empty();
        assert!(is_kept, "{odd} was answered {} and moved somebody", answer.status);
    }
    let none = json!([{ "op": "replace", "path": "members", "value": [] }]);
    scim.patch(&group, &patch(&none)).await.expect(200);
    assert_eq!(stage.desk.inside(&room.id).await.len(), 13);
    assert_eq!(stage.desk.hold(&room.id).await["kind"], "endings");
}

/// 4. Two groups, a manual membership and a repeated push never make two memberships. See `races` too.
#[tokio::test]
async fn at_most_one_active_membership() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let second = stage
        .idp
        .create_group("Secretariat", &[&crowd.users[0], &crowd.ada]);
    let new = json!({ "room": room.id, "group": second, "named_by": "id", "additional": true });
    let id = stage.desk.it.post("/mappings", &new).await.expect(201).id();
    let plan = stage
        .desk
        .support
        .get(&format!("/mappings/{id}/plan"))
        .await
        .expect(200);
    let confirmed = json!({ "digest": plan.text("/digest") });
    stage
        .desk
        .support
        .post(&format!("/mappings/{id}/confirm"), &confirmed)
        .await
        .expect(200);
    let by_hand = json!({ "person": BEN, "level": "user", "owner": "ada@contoso.com", "reason": "twice" });
    stage
        .desk
        .support
        .post(&format!("/rooms/{}/members", room.id), &by_hand)
        .await
        .refused(409);
    // `members` fails when somebody is in the room twice.
    assert_eq!(stage.desk.members(&room.id).await.len(), 2);
    assert_eq!(stage.desk.history(&room.id, BEN).await.len(), 1);
}

/// 5. Ending closes a period; coming back is a new membership, and the past can be read.
#[tokio::test]
async fn memberships_are_kept() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let first = stage.desk.membership(&room.id, BEN).await;
    for _ in 0..2 {
        stage.idp.remove_members(&crowd.group, &[&crowd.users[0]]);
        stage.idp.add_members(&crowd.group, &[&crowd.users[0]]);
    }
    let history = stage.desk.history(&room.id, BEN).await;
    let ids: BTreeSet<&str> = history.iter().filter_map(|stay| stay["id"].as_str()).collect();
    assert_eq!(ids.len(), 3);
    let past = first["started"].as_str().unwrap();
    let then = stage
        .desk
        .all(&format!("/rooms/{}/members?at={past}", room.id))
        .await;
    assert!(then.iter().any(|member| member["id"] == first["id"]), "{then:#?}");
}

/// 6. A source owns the presence of its people; levels and grants belong to the room, manual memberships to people.
#[tokio::test]
async fn sync_touches_what_it_owns() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let ben = stage.desk.membership(&room.id, BEN).await;
    stage.desk.grant(&ben, "task", "1").await.expect(200);
    let level = json!({ "level": "group_management" });
    stage.desk.by_hand(&ben, "level", &level).await.expect(200);
    let external = json!({
        "person": "ext@partner.example", "level": "guest", "owner": "ada@contoso.com", "reason": "visits",
    });
    stage
        .desk
        .support
        .post(&format!("/rooms/{}/members", room.id), &external)
        .await
        .expect(201);

    let all = json!({
        "id": crowd.group, "displayName": "Board members", "members": [{ "value": crowd.users[0] }, { "value": crowd.ada }],
    });
    stage.idp.replace("Group", &all).expect(200);
    let after = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(
        (&after["id"], &after["level"]),
        (&ben["id"], &json!("group_management"))
    );
    assert_eq!(stage.desk.grants(&after).await.len(), 1);
    assert!(stage.desk.inside(&room.id).await.contains("ext@partner.example"));
}

/// 7. What is not understood is an error that helps; what is true already is a success.
#[tokio::test]
async fn no_200_without_effect() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let scim = stage.scim();
    let group = format!("/Groups/{}", crowd.group);
    for operations in [
        json!([{ "op": "remove", "path": "members", "value": [] }]),
        json!([{ "op": "erase", "path": "members" }]),
        json!([{ "op": "add", "path": "members", "value": [{ "id": crowd.ada }] }]),
        json!([{ "op": "remove", "path": "members[value eq" }]),
        json!([{ "op": "replace", "path": "members[value eq \"x\"].value", "value": "y" }]),
        json!([{ "path": "members", "value": [] }]),
        json!("remove everybody"),
    ] {
        println!("{operations}");
        let refused = scim.patch(&group, &patch(&operations)).await.refused(400);
        assert_eq!(
            refused.body["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"])
        );
    }
    let nobody = "0198c0de-0000-7000-8000-000000000000";
    stage.idp.remove_members(&crowd.group, &[nobody]);
    assert_eq!(stage.desk.inside(&room.id).await.len(), 2);
}

/// 8. Holds, overrides and restores never look like drift to the identity provider.
#[tokio::test]
async fn scim_reads_show_what_the_idp_wrote() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let ben = stage.desk.membership(&room.id, BEN).await;
    let why = json!({ "owner": "ada@contoso.com", "reason": "stays" });
    stage.desk.by_hand(&ben, "make-manual", &why).await.expect(200);
    stage
        .idp
        .remove_members(&crowd.group, &[&crowd.users[0], &crowd.ada]);

    assert_eq!(
        stage.desk.inside(&room.id).await.len(),
        2,
        "one by hand, one as the last administrator"
    );
    let group = stage.idp.read("Group", &crowd.group).expect(200);
    assert!(
        group.body["members"].as_array().is_none_or(Vec::is_empty),
        "{:#}",
        group.body
    );
    let ben = stage.idp.read("User", &crowd.users[0]).expect(200);
    assert!(
        ben.body["groups"].as_array().is_none_or(Vec::is_empty),
        "{:#}",
        ben.body
    );
}

/// 9. A new address is a rename; equal addresses never merge two identities.
#[tokio::test]
async fn identity_is_the_sources_immutable_id() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let before = stage.desk.membership(&room.id, BEN).await;
    let new = "benjamin@contoso.com";
    let rename = json!([
        { "op": "replace", "path": "userName", "value": new },
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": new },
    ]);
    stage.idp.modify("User", &crowd.users[0], &rename).expect(200);
    let after = stage.desk.membership(&room.id, new).await;
    assert_eq!(
        (&after["id"], &after["person"]["id"]),
        (&before["id"], &before["person"]["id"])
    );

    let other = stage.idp.create_user(BEN);
    stage.idp.add_members(&crowd.group, &[&other]);
    let other = stage.desk.membership(&room.id, BEN).await;
    assert_ne!(other["person"]["id"], before["person"]["id"]);
}

/// 10. Neither a removal from the group nor any step by hand takes a room's last administrator.
#[tokio::test]
async fn a_room_keeps_an_administrator() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    stage.idp.delete("Group", &crowd.group).expect(204);
    let ada = stage.desk.membership(&room.id, "ada@contoso.com").await;
    assert_eq!(ada["administrator"], true);
    for (verb, body) in [("end", json!({})), ("level", json!({ "level": "user" }))] {
        let path = format!("/memberships/{}/{verb}", ada["id"].as_str().unwrap());
        stage.desk.support.post(&path, &body).await.refused(409);
    }
    stage.idp.delete("User", &crowd.ada).expect(204);
    assert!(
        stage.desk.room(&room.id).await["no_administrator_since"].is_string(),
        "an account that is gone loses access"
    );
}

/// 11. Each change names who did it, in which request, and the human's reason; each refusal says what to do next.
#[tokio::test]
async fn everything_has_a_why() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, _) = stage.live_room(&[BEN]).await;
    let ben = stage.desk.membership(&room.id, BEN).await;
    let path = format!("/memberships/{}/level", ben["id"].as_str().unwrap());
    let why = json!({ "level": "user", "reason": "takes over the minutes" });
    stage.desk.support.post(&path, &why).await.expect(200);

    let started = stage.desk.told("membership.started").await;
    let by_source = started
        .iter()
        .find(|event| event["membership"] == ben["id"])
        .unwrap();
    assert_eq!(by_source["actor"], "source:idp");
    let created = stage.desk.told("directory.group.created").await;
    assert_eq!(
        by_source["change"], created[0]["change"],
        "the event that caused it is of the same change"
    );
    assert!(by_source["requestid"].is_string(), "{by_source:#}");
    let changed = &stage.desk.told("membership.level_changed").await;
    let by_hand = changed
        .iter()
        .find(|event| event["membership"] == ben["id"])
        .unwrap();
    assert_eq!(by_hand["reason"], "takes over the minutes");
    assert!(
        by_hand["actor"].as_str().unwrap().starts_with("token:"),
        "{by_hand:#}"
    );
    let history = stage.desk.history(&room.id, BEN).await;
    assert_eq!(history[0]["periods"][0]["from_change"], by_source["change"]);
    let refused = stage
        .desk
        .support
        .post(&path.replace("/level", "/end"), &json!({}))
        .await
        .refused(409);
    assert!(!refused.text("/next").is_empty());
}

/// 12. Tokens are kept hashed and shown nowhere; what belongs to another source does not exist.
#[tokio::test]
async fn nothing_leaks() {
    let two = Config {
        sources: vec![Source::named("idp"), Source::named("other")],
        ..Config::default()
    };
    let world = World::with(&two);
    let server = world.serve().await;
    let token = world.source_token("idp");
    let (idp, other) = (
        Client::scim(server.address(), "idp", &token),
        world.scim(&server, "other"),
    );
    let user = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": BEN });
    let id = idp.post("/Users", &user).await.expect(201).id();
    other.get(&format!("/Users/{id}")).await.refused(404);
    other.delete(&format!("/Users/{id}")).await.refused(404);
    let stranger = Client::scim(server.address(), "other", &token)
        .get("/Users")
        .await;
    assert!(matches!(stranger.status, 401 | 403 | 404), "{stranger:?}");
    let wrong = Client::scim(server.address(), "idp", &format!("{token}x"))
        .get("/Users")
        .await
        .refused(401);
    idp.patch(&format!("/Users/{id}"), &json!({ "password": "hunter2hunter2" }))
        .await
        .refused(400);
    let (_, output) = server.terminate().await;

    assert!(
        [wrong, stranger]
            .iter()
            .all(|answer| !answer.body.to_string().contains(&token))
    );
    assert!(!output.contains(&token) && !output.contains("hunter2hunter2"));
    let data = world.place().raw_text().await.expect("the data can be read");
    assert!(
        !data.is_empty() && !data.contains(&token),
        "the token is in the database"
    );
}

fn patch(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}
