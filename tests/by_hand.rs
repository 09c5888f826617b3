//! What people do by hand, and where sync and people meet: overrides, last administrators, the brake, and rooms
//! whose groups change.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Desk, Room, Stage};

const BEN: &str = "ben@contoso.com";

#[tokio::test]
async fn an_override_stays_without_its_group_and_ends_with_its_account() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let ben = crowd.users[0].clone();
    let managed = stage.desk.membership(&room.id, BEN).await;
    stage.desk.grant(&managed, "task", "1").await.expect(200);
    let refused = step(&stage.desk, &managed, "end", &json!({})).await.refused(409);
    assert!(
        refused.text("/next").contains("Board members"),
        "it names the group to change: {:#}",
        refused.body
    );

    let why = json!({ "owner": "ada@contoso.com", "reason": "assists the chair", "level": "assistant" });
    step(&stage.desk, &managed, "make-manual", &why).await.expect(200);
    let manual = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(
        (&manual["kind"], &manual["level"]),
        (&json!("manual"), &json!("assistant"))
    );
    assert_eq!(
        stage.desk.grants(&manual).await.len(),
        1,
        "what hung on it goes along"
    );

    stage.idp.remove_members(&crowd.group, &[&ben]);
    assert_eq!(stage.desk.membership(&room.id, BEN).await["id"], manual["id"]);
    stage.idp.add_members(&crowd.group, &[&ben]);
    assert_eq!(
        stage.desk.membership(&room.id, BEN).await["id"],
        manual["id"],
        "an override: the manual one stays"
    );

    stage.idp.set_active(&ben, false);
    assert!(!stage.desk.inside(&room.id).await.contains(BEN));
    let history = stage.desk.history(&room.id, BEN).await;
    let ended = history.iter().find(|stay| stay["id"] == manual["id"]).unwrap();
    assert_eq!(ended["end_reason"], "account_inactive");
}

#[tokio::test]
async fn ending_an_override_lets_the_managed_membership_follow() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, _) = stage.live_room(&[BEN]).await;
    let managed = stage.desk.membership(&room.id, BEN).await;
    let why = json!({ "owner": "ada@contoso.com", "reason": "for a while" });
    step(&stage.desk, &managed, "make-manual", &why).await.expect(200);
    let manual = stage.desk.membership(&room.id, BEN).await;
    let ended = step(
        &stage.desk,
        &manual,
        "end",
        &json!({ "reason": "no longer needed" }),
    )
    .await
    .expect(200);
    let now = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(ended.body["followed_by"]["id"], now["id"]);
    assert_eq!(now["kind"], "managed");
}

#[tokio::test]
async fn an_external_person_is_never_touched_by_sync() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let members = format!("/rooms/{}/members", room.id);
    let mut who = json!({
        "person": "auditor@partner.example", "name": "An Auditor", "level": "guest",
        "owner": "ada@contoso.com", "reason": "audits the year",
    });
    stage.desk.support.post(&members, &who).await.expect(201);
    stage.desk.support.post(&members, &who).await.refused(409);
    who["person"] = json!("nobody@contoso.com");
    let refused = stage.desk.support.post(&members, &who).await.refused(409);
    assert!(
        !refused.text("/next").is_empty(),
        "who belongs to the organisation comes by a group"
    );

    stage.idp.remove_members(&crowd.group, &[&crowd.users[0]]);
    stage.idp.delete("Group", &crowd.group).expect(204);
    let external = stage.desk.membership(&room.id, "auditor@partner.example").await;
    assert_eq!(external["kind"], "manual");
}

#[tokio::test]
async fn the_last_administrator_stays_when_removed_and_leaves_when_another_is_named() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    stage.idp.remove_members(&crowd.group, &[&crowd.ada]);
    let kept = stage.desk.membership(&room.id, "ada@contoso.com").await;
    assert_eq!(kept["stray"], "last_administrator");
    assert_eq!(
        stage.desk.told("membership.kept_last_administrator").await.len(),
        1
    );
    step(&stage.desk, &kept, "end", &json!({})).await.refused(409);
    step(&stage.desk, &kept, "level", &json!({ "level": "user" }))
        .await
        .refused(409);
    let strays = stage.desk.all(&format!("/strays?room={}", room.id)).await;
    assert_eq!(strays.len(), 1, "{strays:#?}");

    let ben = stage.desk.membership(&room.id, BEN).await;
    step(&stage.desk, &ben, "level", &json!({ "level": "user_management" }))
        .await
        .expect(200);
    assert_eq!(
        stage.desk.inside(&room.id).await,
        BTreeSet::from([BEN.to_owned()])
    );
}

#[tokio::test]
async fn the_last_administrator_who_is_deactivated_loses_access_and_support_is_alerted() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    stage.idp.set_active(&crowd.ada, false);
    assert_eq!(
        stage.desk.inside(&room.id).await,
        BTreeSet::from([BEN.to_owned()])
    );
    assert!(stage.desk.room(&room.id).await["no_administrator_since"].is_string());
    assert_eq!(stage.desk.told("room.without_administrator").await.len(), 1);

    let ben = stage.desk.membership(&room.id, BEN).await;
    step(&stage.desk, &ben, "level", &json!({ "level": "user_management" }))
        .await
        .expect(200);
    assert!(stage.desk.room(&room.id).await["no_administrator_since"].is_null());
}

#[tokio::test]
async fn a_mass_removal_is_held_and_ends_when_approved() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, group, users) = crowded(&mut stage).await;
    let removed: Vec<&str> = users[..12].iter().map(String::as_str).collect();
    stage.idp.remove_members(&group, &removed);

    assert_eq!(
        stage.desk.inside(&room.id).await.len(),
        31,
        "everybody keeps access"
    );
    let members = stage.idp.read("Group", &group).expect(200).list("/members");
    assert_eq!(members.len(), 19, "the identity provider reads what it wrote");
    let hold = stage.desk.hold(&room.id).await;
    assert_eq!(
        (hold["kind"].as_str(), hold["people"].as_array().unwrap().len()),
        (Some("endings"), 12)
    );
    assert!(hold["cause"].as_str().unwrap().contains("12"), "{hold:#}");
    assert_eq!(stage.desk.told("hold.opened").await.len(), 1);

    stage.idp.set_active(&users[0], false);
    assert_eq!(
        stage.desk.inside(&room.id).await.len(),
        30,
        "an inactive account always passes the brake"
    );
    let stale = json!({ "digest": hold["digest"] });
    let path = format!("/holds/{}/approve", hold["id"].as_str().unwrap());
    assert_eq!(
        stage.desk.it.post(&path, &stale).await.refused(409).text("/code"),
        "plan_changed"
    );

    stage
        .desk
        .decide(&stage.desk.hold(&room.id).await, "approve")
        .await;
    assert_eq!(stage.desk.inside(&room.id).await.len(), 19);
    assert!(stage.desk.holds(&room.id).await.is_empty());
}

#[tokio::test]
async fn a_slow_drip_is_caught_like_a_burst_and_can_be_rejected() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, group, users) = crowded(&mut stage).await;
    for user in &users[..12] {
        stage.idp.remove_members(&group, &[user]);
    }
    assert_eq!(
        stage.desk.inside(&room.id).await.len(),
        31 - 10,
        "ten pass, the eleventh and twelfth are held"
    );
    let hold = stage.desk.hold(&room.id).await;
    assert_eq!(hold["people"].as_array().map(Vec::len), Some(2), "{hold:#}");

    stage.desk.decide(&hold, "reject").await;
    let strays = stage.desk.all(&format!("/strays?room={}", room.id)).await;
    let causes: Vec<&Value> = strays.iter().map(|stray| &stray["cause"]).collect();
    assert_eq!(causes, ["hold_rejected", "hold_rejected"]);
    assert_eq!(stage.desk.inside(&room.id).await.len(), 21);
}

#[tokio::test]
async fn who_is_named_again_is_released_from_the_hold() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, group, users) = crowded(&mut stage).await;
    let removed: Vec<&str> = users[..12].iter().map(String::as_str).collect();
    stage.idp.remove_members(&group, &removed);
    let before = stage.desk.membership(&room.id, "member1@contoso.com").await;
    assert_eq!(before["stray"], "held");

    stage.idp.add_members(&group, &removed[..2]);
    assert_eq!(
        stage.desk.hold(&room.id).await["people"].as_array().map(Vec::len),
        Some(10)
    );
    let after = stage.desk.membership(&room.id, "member1@contoso.com").await;
    assert_eq!((&after["id"], &after["stray"]), (&before["id"], &Value::Null));
    stage.idp.add_members(&group, &removed);
    assert!(stage.desk.holds(&room.id).await.is_empty());
    assert_eq!(stage.desk.told("hold.released").await.len(), 1);
    assert!(
        stage
            .desk
            .told("membership.ended")
            .await
            .iter()
            .all(|event| event["data"]["kind"] == "bootstrap")
    );
}

#[tokio::test]
async fn who_is_in_both_groups_keeps_the_membership_when_a_mapping_is_replaced() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN, "cleo@contoso.com"]).await;
    let dan = stage.idp.create_user("dan@contoso.com");
    let group = stage
        .idp
        .create_group("Board 2027", &[&crowd.ada, &crowd.users[0], &dan]);
    let before = stage.desk.membership(&room.id, BEN).await;

    let replacement = json!({ "source": "idp", "group": group, "named_by": "id" });
    let path = format!("/mappings/{}/replacement", mapping(&stage.desk, &room).await);
    let plan = stage
        .desk
        .support
        .post(&format!("{path}/plan"), &replacement)
        .await
        .expect(200);
    assert_eq!(
        outcomes(&plan.body),
        [("inside", 2), ("joins", 1), ("leaves", 1)]
            .map(|(o, n)| (o.to_owned(), n))
            .into()
    );
    let mut confirmed = replacement.clone();
    confirmed["digest"] = plan.body["digest"].clone();
    stage
        .desk
        .support
        .post(&format!("{path}/confirm"), &confirmed)
        .await
        .expect(200);

    let names = ["ada", "ben", "dan"].map(|name| format!("{name}@contoso.com"));
    assert_eq!(stage.desk.inside(&room.id).await, names.into());
    let after = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(
        (&after["id"], &after["started"]),
        (&before["id"], &before["started"])
    );
    stage.idp.remove_members(&crowd.group, &[&crowd.users[0]]);
    assert!(
        stage.desk.inside(&room.id).await.contains(BEN),
        "the old group leads nowhere"
    );
    stage.idp.remove_members(&group, &[&crowd.users[0]]);
    assert!(
        !stage.desk.inside(&room.id).await.contains(BEN),
        "the new one does"
    );
}

#[tokio::test]
async fn a_retired_mapping_ends_exactly_what_its_plan_showed() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, _) = stage.live_room(&[BEN]).await;
    let path = format!("/mappings/{}/retirement", mapping(&stage.desk, &room).await);
    let plan = stage.desk.support.get(&format!("{path}/plan")).await.expect(200);
    assert_eq!(
        outcomes(&plan.body),
        [("leaves", 1), ("kept_last_administrator", 1)]
            .map(|(o, n)| (o.to_owned(), n))
            .into()
    );
    let digest = json!({ "digest": plan.body["digest"] });
    stage
        .desk
        .support
        .post(&format!("{path}/confirm"), &digest)
        .await
        .expect(200);
    assert_eq!(
        stage.desk.inside(&room.id).await,
        BTreeSet::from(["ada@contoso.com".to_owned()])
    );
    let history = stage.desk.history(&room.id, BEN).await;
    assert_eq!(history[0]["end_reason"], "mapping_retired");
}

#[tokio::test]
async fn an_archived_room_freezes_decisions_and_a_reopened_one_decides_afresh() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let rooms = |verb: &str| format!("/rooms/{}/{verb}", room.id);
    stage
        .desk
        .support
        .post(&rooms("archive"), &json!({ "reason": "the year is over" }))
        .await
        .expect(200);
    let before = stage.desk.members(&room.id).await;
    stage.idp.remove_members(&crowd.group, &[&crowd.users[0]]);
    let cleo = stage.idp.create_user("cleo@contoso.com");
    stage.idp.add_members(&crowd.group, &[&cleo]);
    assert_eq!(
        stage.desk.members(&room.id).await,
        before,
        "nothing moves in an archived room"
    );
    step(&stage.desk, &before[BEN], "end", &json!({}))
        .await
        .refused(409);

    stage
        .desk
        .support
        .post(&rooms("reopen"), &json!({}))
        .await
        .expect(200);
    let names = ["ada", "cleo"].map(|name| format!("{name}@contoso.com"));
    assert_eq!(stage.desk.inside(&room.id).await, names.into());
}

#[tokio::test]
async fn of_two_groups_for_one_room_the_last_one_to_let_go_ends_the_membership() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let (room, crowd) = stage.live_room(&[BEN]).await;
    let ben = crowd.users[0].clone();
    let second = stage.idp.create_group("Secretariat", &[&ben]);
    let mut new =
        json!({ "room": room.id, "source": "idp", "group": second, "named_by": "id", "level": "user" });
    stage.desk.it.post("/mappings", &new).await.refused(409);
    new["additional"] = json!(true);
    let id = stage.desk.it.post("/mappings", &new).await.expect(201).id();
    let plan = stage
        .desk
        .support
        .get(&format!("/mappings/{id}/plan"))
        .await
        .expect(200);
    let digest = json!({ "digest": plan.body["digest"] });
    stage
        .desk
        .support
        .post(&format!("/mappings/{id}/confirm"), &digest)
        .await
        .expect(200);

    let before = stage.desk.membership(&room.id, BEN).await;
    stage.idp.remove_members(&crowd.group, &[&ben]);
    let after = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(after["id"], before["id"], "the other group still asks for him");
    stage.idp.remove_members(&second, &[&ben]);
    assert!(!stage.desk.inside(&room.id).await.contains(BEN));
    stage.idp.add_members(&second, &[&ben]);
    assert_eq!(stage.desk.membership(&room.id, BEN).await["level"], "user");
    stage.idp.add_members(&crowd.group, &[&ben]);
    assert_eq!(
        stage.desk.membership(&room.id, BEN).await["level"],
        "user",
        "a level belongs to the room"
    );
    let room_of_two = stage
        .desk
        .it
        .get(&format!("/rooms/{}/persons/{BEN}/explanation", room.id))
        .await
        .expect(200);
    assert_eq!(room_of_two.list("/items/0/grounds").len(), 2);
}

/// A live room with thirty people beside Ada: its id, the group and the thirty accounts.
async fn crowded(stage: &mut Stage) -> (Room, String, Vec<String>) {
    let names: Vec<String> = (1..=30).map(|n| format!("member{n}@contoso.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (room, crowd) = stage.live_room(&names).await;
    (room, crowd.group, crowd.users)
}

async fn step(desk: &Desk, membership: &Value, verb: &str, body: &Value) -> Answer {
    let id = membership["id"].as_str().unwrap();
    desk.support
        .post(&format!("/memberships/{id}/{verb}"), body)
        .await
}

async fn mapping(desk: &Desk, room: &Room) -> String {
    desk.order_now(&room.order).await.text("/mapping")
}

/// What a plan does to how many.
fn outcomes(plan: &Value) -> BTreeSet<(String, u64)> {
    let tallies = plan["people"].as_array().into_iter().flatten();
    let outcome = |tally: &Value| {
        (
            tally["outcome"].as_str().unwrap().to_owned(),
            tally["count"].as_u64().unwrap(),
        )
    };
    tallies.map(outcome).collect()
}
