//! What a restore does not do: nobody is in a room by it whom no group wants there.

use serde_json::json;

use super::{BEN, Back, stay};
use crate::harness::Order;

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
