//! What a restore brings back, and how it is chosen.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Back, stay, things};

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

fn periods(history: &[Value], id: &Value) -> usize {
    stay(history, id)["periods"].as_array().map_or(0, Vec::len)
}
