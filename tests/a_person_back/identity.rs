//! An address is no identity.

use serde_json::json;

use super::{BEN, Back};

#[tokio::test]
async fn the_same_address_with_a_new_id_is_somebody_else_until_a_human_says_otherwise() {
    let Some(mut back) = Back::new().await else { return };
    let person = back.present().await["person"]["id"].clone();
    let ben = back.ben();
    back.stage.idp.delete("User", &ben).expect(204);
    assert!(!back.stage.desk.inside(&back.room.id).await.contains(BEN));

    let found = back
        .stage
        .idp
        .find("User", &format!("userName eq \"{BEN}\""))
        .expect(200);
    assert_eq!(
        found.body["totalResults"], 0,
        "the identity provider finds nobody and creates anew"
    );
    let again = back.stage.idp.create_user(BEN);
    back.stage.idp.add_members(&back.crowd.group, &[&again]);
    let present = back.present().await;
    assert_ne!(present["person"]["id"], person, "an equal address merges nobody");
    assert!(back.stage.desk.grants(&present).await.is_empty());
    let suggestion = back.suggestion().await;
    let id = suggestion["id"].as_str().unwrap();
    let shown = back
        .stage
        .desk
        .support
        .get(&format!("/restores/{id}"))
        .await
        .expect(200);
    for candidate in shown.list("/candidates") {
        assert_eq!(candidate["same_identity"], false, "{candidate:#}");
    }

    let new = present["person"]["id"].as_str().unwrap();
    let link = json!({ "other": person, "reason": "the account was recreated by mistake" });
    let linked = back
        .stage
        .desk
        .it
        .post(&format!("/persons/{new}/link"), &link)
        .await;
    linked.expect(200);
    let shown = back
        .stage
        .desk
        .support
        .get(&format!("/restores/{id}"))
        .await
        .expect(200);
    assert!(
        shown
            .list("/candidates")
            .iter()
            .all(|candidate| candidate["same_identity"] == true)
    );
}

#[tokio::test]
async fn a_second_account_with_the_address_of_somebody_inside_waits_at_the_door() {
    let Some(mut back) = Back::new().await else { return };
    let twin = json!({
        "userName": "ben.two@contoso.com",
        "emails": [{ "value": BEN, "type": "work", "primary": true }],
        "active": true,
    });
    let twin = back.stage.idp.create("User", &twin).expect(201).id();
    back.stage.idp.add_members(&back.crowd.group, &[&twin]);
    assert_eq!(back.stage.desk.waiting(&back.room.id).await[BEN], "same_address");
    assert_eq!(back.stage.desk.told("directory.user.similar").await.len(), 1);

    let ben = back.ben();
    back.stage.idp.remove_members(&back.crowd.group, &[&ben]);
    back.stage.idp.add_members(&back.crowd.group, &[&twin]);
    assert!(
        back.stage.desk.waiting(&back.room.id).await.is_empty(),
        "the door is free"
    );
    assert_eq!(back.present().await["account"], twin);
}
