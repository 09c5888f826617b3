//! A person back: removed from a room, added again, and given back what they had.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Crowd, Order, Room, Stage};

const BEN: &str = "ben@contoso.com";

#[tokio::test]
async fn removed_added_again_and_restored_with_what_they_had() {
    let Some(mut back) = Back::new().await else { return };
    let former = back.former.clone();
    let present = back.present().await;
    assert_ne!(
        present["id"], former["id"],
        "who is added again gets a new membership"
    );
    assert!(back.stage.desk.grants(&present).await.is_empty());
    assert_eq!(
        back.stage.desk.grants(&former).await,
        things(&[("meeting", "7"), ("task", "12")])
    );

    let suggestion = back.suggestion().await;
    let plan = back.plan(&suggestion, &json!({})).await.expect(200);
    assert_eq!(plan.text("/candidate/id"), former["id"].as_str().unwrap());
    assert_eq!(plan.list("/candidate/grants").len(), 2);
    assert!(plan.list("/gained").is_empty());
    let before = back.stage.idp.read("Group", &back.crowd.group).expect(200);
    back.apply(&suggestion, &plan, &json!({})).await.expect(200);

    let restored = back.present().await;
    assert_eq!(restored["id"], former["id"]);
    assert_eq!(restored["kind"], "managed");
    assert_eq!(
        back.stage.desk.grants(&restored).await,
        things(&[("meeting", "7"), ("task", "12")])
    );
    let history = back.history().await;
    assert_eq!(history.len(), 2, "nothing is overwritten: {history:#?}");
    assert_eq!(periods(&history, &restored["id"]), 2);
    let superseded = stay(&history, &present["id"]);
    assert_eq!(superseded["end_reason"], "superseded");
    assert_eq!(back.stage.desk.told("membership.restored").await.len(), 1);
    let after = back.stage.idp.read("Group", &back.crowd.group).expect(200);
    assert_eq!(
        after.body, before.body,
        "a restore never looks like drift to the identity provider"
    );
}

#[tokio::test]
async fn a_restore_is_refused_while_the_person_is_out_of_the_group() {
    let Some(mut back) = Back::new().await else { return };
    let suggestion = back.suggestion().await;
    let plan = back.plan(&suggestion, &json!({})).await.expect(200);
    let ben = back.ben();
    back.stage.idp.remove_members(&back.crowd.group, &[&ben]);

    let refused = back.apply(&suggestion, &plan, &json!({})).await.refused(409);
    assert!(!refused.text("/next").is_empty(), "{:#}", refused.body);
    assert!(
        back.open_suggestions().await.is_empty(),
        "suggestions close by themselves"
    );
    let refused = back.ask().await.refused(409);
    assert_eq!(refused.text("/code"), "not_in_group");
    assert!(
        refused.text("/next").contains("Board members"),
        "{:#}",
        refused.body
    );
    assert!(!back.stage.desk.inside(&back.room.id).await.contains(BEN));
}

#[tokio::test]
async fn a_restore_is_refused_while_the_account_is_inactive() {
    let Some(mut back) = Back::new().await else { return };
    let suggestion = back.suggestion().await;
    let plan = back.plan(&suggestion, &json!({})).await.expect(200);
    let ben = back.ben();
    back.stage.idp.set_active(&ben, false);
    back.apply(&suggestion, &plan, &json!({})).await.refused(409);
    let refused = back.ask().await.refused(409);
    assert_eq!(refused.text("/code"), "account_inactive");

    back.stage.idp.set_active(&ben, true);
    assert!(
        !back.stage.desk.inside(&back.room.id).await.contains(BEN),
        "the old row is distrusted"
    );
    assert_eq!(back.ask().await.refused(409).text("/code"), "dormant");
    back.stage.idp.add_members(&back.crowd.group, &[&ben]);
    assert!(
        back.stage.desk.inside(&back.room.id).await.contains(BEN),
        "named again, it wakes"
    );
}

#[tokio::test]
async fn a_restore_is_refused_while_only_another_rooms_group_has_the_person() {
    let Some(mut back) = Back::new().await else { return };
    let ben = back.ben();
    let other = Order {
        room: "Audit",
        group: "Auditors",
        ..Order::default()
    };
    let audit = back.stage.desk.open(&other).await;
    back.stage.idp.create_group("Auditors", &[&ben]);
    back.stage.idp.remove_members(&back.crowd.group, &[&ben]);

    assert!(back.stage.desk.inside(&audit.id).await.contains(BEN));
    let refused = back.ask().await.refused(409);
    assert_eq!(refused.text("/code"), "other_rooms_group");
    assert!(refused.detail().contains("Auditors"), "{:#}", refused.body);
}

#[tokio::test]
async fn of_two_former_memberships_the_human_chooses() {
    let Some(mut back) = Back::new().await else { return };
    let second = back.present().await;
    back.stage.desk.grant(&second, "document", "3").await.expect(200);
    back.leave_and_return();

    let suggestion = back.suggestion().await;
    let id = suggestion["id"].as_str().unwrap();
    let shown = back
        .stage
        .desk
        .support
        .get(&format!("/restores/{id}"))
        .await
        .expect(200);
    let candidates: BTreeSet<String> = shown
        .list("/candidates")
        .iter()
        .map(|candidate| candidate["id"].as_str().unwrap().to_owned())
        .collect();
    let ids = |memberships: [&Value; 2]| {
        BTreeSet::from(memberships.map(|membership| membership["id"].as_str().unwrap().to_owned()))
    };
    assert_eq!(candidates, ids([&back.former, &second]));
    back.plan(&suggestion, &json!({})).await.refused(409);

    let plan = back
        .plan(&suggestion, &json!({ "candidate": back.former["id"] }))
        .await
        .expect(200);
    back.apply(&suggestion, &plan, &json!({})).await.expect(200);
    let restored = back.present().await;
    assert_eq!(restored["id"], back.former["id"]);
    assert_eq!(
        back.stage.desk.grants(&second).await,
        things(&[("document", "3")]),
        "the other keeps what it had"
    );
    assert_eq!(back.history().await.len(), 3);
}

#[tokio::test]
async fn the_same_address_with_a_new_id_is_somebody_else_until_a_human_says_otherwise() {
    let Some(mut back) = Back::new().await else { return };
    let person = back.present().await["person"]["id"].clone();
    let ben = back.ben();
    back.stage.idp.delete("User", &ben).expect(204);
    assert!(!back.stage.desk.inside(&back.room.id).await.contains(BEN));

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

#[tokio::test]
async fn what_was_gained_meanwhile_is_kept_or_dropped_item_by_item() {
    let Some(mut back) = Back::new().await else { return };
    let present = back.present().await;
    back.stage.desk.grant(&present, "document", "3").await.expect(200);
    back.stage.desk.grant(&present, "task", "99").await.expect(200);
    back.stage.desk.grant(&present, "meeting", "7").await.expect(200);

    let suggestion = back.suggestion().await;
    let plan = back.plan(&suggestion, &json!({})).await.expect(200);
    assert_eq!(plan.list("/gained").len(), 3);
    let id_of = |list: &str, kind: &str| {
        let found = plan.list(list).into_iter().find(|grant| grant["kind"] == kind);
        found.map(|grant| grant["id"].clone()).unwrap()
    };
    let drop = json!([id_of("/gained", "task"), id_of("/candidate/grants", "task")]);
    back.apply(&suggestion, &plan, &json!({ "drop": drop }))
        .await
        .expect(200);
    let restored = back.present().await;
    let kept = things(&[("meeting", "7"), ("document", "3")]);
    assert_eq!(
        back.stage.desk.grants(&restored).await,
        kept,
        "a thing that both had is kept once"
    );

    back.undo(&suggestion).await.expect(200);
    let again = back.present().await;
    assert_eq!(again["id"], present["id"]);
    let gained = things(&[("document", "3"), ("task", "99"), ("meeting", "7")]);
    assert_eq!(
        back.stage.desk.grants(&again).await,
        gained,
        "undoing hangs everything back"
    );
    assert_eq!(
        back.stage.desk.grants(&restored).await,
        things(&[("meeting", "7"), ("task", "12")])
    );
}

#[tokio::test]
async fn a_level_above_the_present_one_is_confirmed_explicitly() {
    let Some(mut back) = Back::new_at("user").await else {
        return;
    };
    let suggestion = back.suggestion().await;
    let plan = back.plan(&suggestion, &json!({})).await.expect(200);
    let refused = back.apply(&suggestion, &plan, &json!({})).await.refused(409);
    assert_eq!(refused.text("/code"), "level_not_confirmed");
    assert_eq!(back.present().await["level"], "restricted_user");
    back.apply(&suggestion, &plan, &json!({ "confirm_level": true }))
        .await
        .expect(200);
    assert_eq!(back.present().await["level"], "user");
}

#[tokio::test]
async fn an_undo_after_the_person_was_removed_again_lets_nobody_in() {
    let Some(mut back) = Back::new().await else { return };
    let suggestion = back.suggestion().await;
    let plan = back.plan(&suggestion, &json!({})).await.expect(200);
    back.apply(&suggestion, &plan, &json!({})).await.expect(200);
    let ben = back.ben();
    back.stage.idp.remove_members(&back.crowd.group, &[&ben]);
    assert!(
        !back.stage.desk.inside(&back.room.id).await.contains(BEN),
        "sync ends a restored membership"
    );
    let history = back.history().await;
    assert_eq!(stay(&history, &back.former["id"])["end_reason"], "removed");

    back.undo(&suggestion).await.expect(200);
    assert!(!back.stage.desk.inside(&back.room.id).await.contains(BEN));
    assert_eq!(back.stage.desk.told("membership.restore_undone").await.len(), 1);
}

#[tokio::test]
async fn a_mapping_may_bring_people_back_by_itself_or_never() {
    for (terms, restored, suggested) in [
        (json!({ "rejoin": "auto", "rejoin_days": 30 }), true, 0),
        (json!({ "rejoin": "never" }), false, 0),
    ] {
        let Some(mut back) = Back::with(&terms, None).await else {
            return;
        };
        let same = back.present().await["id"] == back.former["id"];
        assert_eq!(same, restored, "{terms}");
        assert_eq!(back.open_suggestions().await.len(), suggested, "{terms}");
    }
}

/// Ben was in the room, with things that hang on his membership; he was removed and added again.
struct Back {
    stage: Stage,
    room: Room,
    crowd: Crowd,
    /// The membership that ended.
    former: Value,
}

impl Back {
    async fn new() -> Option<Self> {
        Self::with(&json!({}), None).await
    }

    /// Ben had this level.
    async fn new_at(level: &str) -> Option<Self> {
        Self::with(&json!({}), Some(level)).await
    }

    async fn with(terms: &Value, level: Option<&str>) -> Option<Self> {
        let mut stage = Stage::new().await?;
        let (room, crowd) = stage.live_room_with(&[BEN], terms).await;
        let former = stage.desk.membership(&room.id, BEN).await;
        stage.desk.grant(&former, "meeting", "7").await.expect(200);
        stage.desk.grant(&former, "task", "12").await.expect(200);
        if let Some(level) = level {
            let path = format!("/memberships/{}/level", former["id"].as_str().unwrap());
            stage
                .desk
                .support
                .post(&path, &json!({ "level": level }))
                .await
                .expect(200);
        }
        let mut back = Self {
            stage,
            room,
            crowd,
            former,
        };
        back.leave_and_return();
        Some(back)
    }

    fn leave_and_return(&mut self) {
        let ben = self.ben();
        self.stage.idp.remove_members(&self.crowd.group, &[&ben]);
        self.stage.idp.add_members(&self.crowd.group, &[&ben]);
    }

    fn ben(&self) -> String {
        self.crowd.users[0].clone()
    }

    async fn present(&mut self) -> Value {
        self.stage.desk.membership(&self.room.id, BEN).await
    }

    async fn history(&self) -> Vec<Value> {
        self.stage.desk.history(&self.room.id, BEN).await
    }

    async fn open_suggestions(&self) -> Vec<Value> {
        let mut restores = self.stage.desk.all("/restores").await;
        restores.retain(|restore| restore["state"] == "suggested");
        restores
    }

    async fn suggestion(&self) -> Value {
        let mut open = self.open_suggestions().await;
        assert_eq!(open.len(), 1, "{open:#?}");
        open.remove(0)
    }

    /// Asks for a restore by address and room, as a human does who was told of it.
    async fn ask(&self) -> Answer {
        let ask = json!({ "person": BEN, "room": self.room.id });
        self.stage.desk.support.post("/restores", &ask).await
    }

    async fn plan(&self, suggestion: &Value, choices: &Value) -> Answer {
        let id = suggestion["id"].as_str().unwrap();
        self.stage
            .desk
            .support
            .post(&format!("/restores/{id}/plan"), choices)
            .await
    }

    async fn apply(&self, suggestion: &Value, plan: &Answer, choices: &Value) -> Answer {
        let id = suggestion["id"].as_str().unwrap();
        let mut body = json!({
            "candidate": plan.body["candidate"]["id"],
            "digest": plan.body["digest"],
        });
        for (key, value) in choices.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.stage
            .desk
            .support
            .post(&format!("/restores/{id}/apply"), &body)
            .await
    }

    async fn undo(&self, suggestion: &Value) -> Answer {
        let id = suggestion["id"].as_str().unwrap();
        self.stage
            .desk
            .support
            .post(&format!("/restores/{id}/undo"), &json!({}))
            .await
    }
}

fn things(things: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    let own = |(kind, reference): &(&str, &str)| ((*kind).to_owned(), (*reference).to_owned());
    things.iter().map(own).collect()
}

fn stay<'a>(history: &'a [Value], id: &Value) -> &'a Value {
    history.iter().find(|stay| stay["id"] == *id).unwrap()
}

fn periods(history: &[Value], id: &Value) -> usize {
    stay(history, id)["periods"].as_array().map_or(0, Vec::len)
}
