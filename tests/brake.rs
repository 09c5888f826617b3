//! The brake: many endings are held, whether they come at once or one by one.

use serde_json::{Value, json};

use crate::harness::{Room, Stage};

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

/// A live room with thirty people beside Ada: its id, the group and the thirty accounts.
async fn crowded(stage: &mut Stage) -> (Room, String, Vec<String>) {
    let names: Vec<String> = (1..=30).map(|n| format!("member{n}@contoso.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (room, crowd) = stage.live_room(&names).await;
    (room, crowd.group, crowd.users)
}
