//! What people do by hand where sync works too: overrides, externals, and the last administrator.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::Stage;

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
    let refused = stage.desk.by_hand(&managed, "end", &json!({})).await.refused(409);
    assert!(
        refused.text("/next").contains("Board members"),
        "it names the group to change: {:#}",
        refused.body
    );

    let why = json!({ "owner": "ada@contoso.com", "reason": "assists the chair", "level": "assistant" });
    stage
        .desk
        .by_hand(&managed, "make-manual", &why)
        .await
        .expect(200);
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
    stage
        .desk
        .by_hand(&managed, "make-manual", &why)
        .await
        .expect(200);
    let manual = stage.desk.membership(&room.id, BEN).await;
    let ended = stage
        .desk
        .by_hand(&manual, "end", &json!({ "reason": "no longer needed" }))
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
    stage.desk.by_hand(&kept, "end", &json!({})).await.refused(409);
    stage
        .desk
        .by_hand(&kept, "level", &json!({ "level": "user" }))
        .await
        .refused(409);
    let strays = stage.desk.all(&format!("/strays?room={}", room.id)).await;
    assert_eq!(strays.len(), 1, "{strays:#?}");

    let ben = stage.desk.membership(&room.id, BEN).await;
    stage
        .desk
        .by_hand(&ben, "level", &json!({ "level": "user_management" }))
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
    stage
        .desk
        .by_hand(&ben, "level", &json!({ "level": "user_management" }))
        .await
        .expect(200);
    assert!(stage.desk.room(&room.id).await["no_administrator_since"].is_null());
}
