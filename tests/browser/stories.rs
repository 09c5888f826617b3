//! Both stories by clicking only: with scripts, without, and with nothing but a keyboard.

use serde_json::{Value, json};

use super::{Console, Manner};
use crate::harness::Config;

#[tokio::test]
async fn a_new_room_by_clicking() {
    a_new_room(Manner::Clicking).await;
}

#[tokio::test]
async fn a_new_room_without_script() {
    a_new_room(Manner::WithoutScript).await;
}

#[tokio::test]
async fn a_new_room_by_keyboard() {
    a_new_room(Manner::Keyboard).await;
}

/// Ordered by a requester, accepted and set up by support, filled by the identity provider, finished step by step.
async fn a_new_room(manner: Manner) {
    let guided = Config {
        more: "[orders]\nfinalise = \"guided\"\n".to_owned(),
        ..Config::default()
    };
    let Some(mut console) = Console::with(guided).await else {
        return;
    };
    console.sign_in("rita", manner);
    console.sign_in("sven", manner);
    let Console { stage, browser, .. } = &mut console;

    let order = json!({
        "room": "Supervisory board", "customer": "Contoso AG", "administrator": "ada@contoso.com",
        "group": "Board members", "expected": "2",
    });
    let path = browser.step("rita", "order.place", &order);
    let id = path.as_str().and_then(|path| path.rsplit('/').next());
    let id = id.expect("the order has a page of its own").to_owned();
    assert_eq!(stage.desk.state(&id).await, "submitted");

    let set_up =
        json!({ "room": "Supervisory board", "name": "Vendor set-up", "email": "setup@vendor.example" });
    browser.step("sven", "order.accept", &set_up);
    let portal = json!({ "id": "r-17", "url": "https://portal.example/rooms/17" });
    browser.step("sven", "order.ready", &portal);
    assert_eq!(stage.desk.state(&id).await, "room_ready");
    browser.step("sven", "order.confirm", &Value::Null);
    assert_eq!(stage.desk.state(&id).await, "mapping_confirmed");

    browser.step("rita", "tab.visit", &json!({ "path": path }));
    browser.step(
        "rita",
        "order.see",
        &json!({ "text": "Add the group to the application now" }),
    );
    let ben = stage.idp.create_user("ben@contoso.com");
    let group = stage.idp.create_group("Board members", &[&ben]);
    browser.step("rita", "order.see", &json!({ "text": "1 of 2 expected" }));
    browser.step("sven", "tab.visit", &json!({ "path": path }));
    let raise = json!({ "step": "1. Raise the administrator" });
    let refused = browser.step("sven", "order.finish_early", &raise);
    assert!(
        refused.as_str().unwrap_or_default().contains("What to do"),
        "{refused:#}"
    );

    let ada = stage.idp.create_user("ada@contoso.com");
    stage.idp.add_members(&group, &[&ada]);
    browser.step("rita", "order.see", &json!({ "text": "2 of 2 expected" }));
    browser.step("sven", "tab.visit", &json!({ "path": path }));
    for step in [
        "1. Raise the administrator",
        "2. End the set-up user",
        "3. Go live",
    ] {
        browser.step("sven", "order.finish", &json!({ "step": step }));
    }
    browser.step("rita", "order.see", &json!({ "text": "The room is live" }));

    assert_eq!(stage.desk.state(&id).await, "live");
    let order = stage.desk.it.get(&format!("/orders/{id}")).await.expect(200);
    let members = stage.desk.members(&order.text("/room")).await;
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(names, ["ada@contoso.com", "ben@contoso.com"]);
    assert_eq!(members["ada@contoso.com"]["level"], "user_management_all_content");
}

#[tokio::test]
async fn a_person_back_by_clicking() {
    a_person_back(Manner::Clicking).await;
}

#[tokio::test]
async fn a_person_back_without_script() {
    a_person_back(Manner::WithoutScript).await;
}

#[tokio::test]
async fn a_person_back_by_keyboard() {
    a_person_back(Manner::Keyboard).await;
}

/// Removed by the identity provider, not restored while outside of the group, then given back what they had, and undone.
async fn a_person_back(manner: Manner) {
    const BEN: &str = "ben@contoso.com";
    let Some(mut console) = Console::new().await else {
        return;
    };
    let (room, crowd) = console.stage.live_room(&[BEN]).await;
    console.sign_in("sven", manner);
    let Console { stage, browser, .. } = &mut console;
    let ben = [crowd.users[0].as_str()];
    let former = stage.desk.membership(&room.id, BEN).await;
    stage.desk.grant(&former, "meeting", "7").await.expect(200);
    stage.desk.grant(&former, "task", "12").await.expect(200);

    stage.idp.remove_members(&crowd.group, &ben);
    let asked = json!({ "person": BEN, "room": "Board" });
    let refused = browser.step("sven", "restore.ask_in_vain", &asked);
    let refused = refused.as_str().unwrap_or_default();
    assert!(
        refused.contains("What to do") && refused.contains("Board members"),
        "{refused}"
    );

    stage.idp.add_members(&crowd.group, &ben);
    let shown = browser.step("sven", "restore.open", &json!({ "person": "ben" }));
    let shown = shown["text"].as_str().unwrap_or_default();
    assert!(
        shown.contains("It can be restored") && shown.contains("meeting 7"),
        "{shown}"
    );
    let choice = json!({ "drop": ["task 12"], "reason": "removed by mistake" });
    browser.step("sven", "restore.apply", &choice);
    let present = stage.desk.membership(&room.id, BEN).await;
    assert_eq!(
        present["id"], former["id"],
        "the former membership is in force again"
    );
    let grants = stage.desk.grants(&present).await;
    assert_eq!(grants, [("meeting".to_owned(), "7".to_owned())].into());

    browser.step(
        "sven",
        "restore.undo",
        &json!({ "reason": "it was somebody else" }),
    );
    let present = stage.desk.membership(&room.id, BEN).await;
    assert_ne!(
        present["id"], former["id"],
        "the membership of the return is in force again"
    );
    assert!(stage.desk.grants(&present).await.is_empty());
}
