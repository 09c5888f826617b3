//! A new room: ordered, prepared, its mapping confirmed, people come, and the vendor's set-up user leaves.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Config, Order, Stage};

#[tokio::test]
async fn from_an_order_to_a_room_in_use() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let order = stage.desk.order(&Order::default()).await;
    assert_eq!(stage.desk.state(&order).await, "submitted");
    let room = stage.desk.prepare(&order, &json!({})).await;
    assert_eq!(stage.desk.state(&order).await, "room_ready");
    assert_eq!(
        stage.desk.membership(&room.id, "setup@vendor.example").await["kind"],
        "bootstrap"
    );
    stage.desk.confirm(&order).await;
    assert_eq!(stage.desk.state(&order).await, "mapping_confirmed");

    let ben = stage.idp.create_user("ben@contoso.com");
    let group = stage.idp.create_group("Board members", &[&ben]);
    assert_eq!(stage.desk.state(&order).await, "arriving");
    let arrived = stage.desk.membership(&room.id, "ben@contoso.com").await;
    assert_eq!(
        (&arrived["kind"], &arrived["level"]),
        (&json!("managed"), &json!("restricted_user"))
    );

    let ada = stage.idp.create_user("ada@contoso.com");
    stage.idp.add_members(&group, &[&ada]);
    assert_eq!(stage.desk.state(&order).await, "live");
    let administrator = stage.desk.membership(&room.id, "ada@contoso.com").await;
    assert_eq!(administrator["level"], "user_management");
    assert_eq!(administrator["administrator"], true);
    assert!(
        !stage
            .desk
            .members(&room.id)
            .await
            .contains_key("setup@vendor.example")
    );

    let live = stage.desk.told("room.live").await;
    assert_eq!(live.len(), 1);
    assert_eq!(live[0]["data"]["sso_url"], "https://portal.example/sso/contoso");
    assert_eq!(live[0]["data"]["requester"], "rita@contoso.com");
    let states: Vec<Value> = stage
        .desk
        .told("order.moved")
        .await
        .iter()
        .map(|event| event["data"]["state"].clone())
        .collect();
    assert_eq!(
        states,
        [
            "draft",
            "submitted",
            "accepted",
            "room_ready",
            "mapping_confirmed",
            "arriving",
            "finalising",
            "live"
        ]
    );
}

#[tokio::test]
async fn a_group_that_came_before_its_mapping_is_parked_and_nothing_is_lost() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let users = ["ada@contoso.com", "ben@contoso.com"].map(|name| stage.idp.create_user(name));
    let group = stage.idp.create_group("Board members", &[&users[0], &users[1]]);
    let parked = stage
        .desk
        .it
        .get(&format!("/sources/idp/groups/{group}"))
        .await
        .expect(200);
    assert_eq!(parked.body["parked"], "no_mapping");
    assert_eq!(stage.desk.told("directory.group.parked").await.len(), 1);

    let named_by_id = Order {
        group: &group,
        named_by: "id",
        ..Order::default()
    };
    let order = stage.desk.order(&named_by_id).await;
    let room = stage.desk.prepare(&order, &json!({})).await;
    assert!(
        stage.desk.inside(&room.id).await.is_empty(),
        "a pending mapping lets nobody in"
    );

    let plan = stage.desk.confirm(&order).await;
    assert_eq!(planned(&plan, "joins"), 2, "{plan:#}");
    assert_eq!(stage.desk.inside(&room.id).await, people(&["ada", "ben"]));
    assert_eq!(stage.desk.state(&order).await, "live");
    let group = stage
        .desk
        .it
        .get(&format!("/sources/idp/groups/{group}"))
        .await
        .expect(200);
    assert_eq!(group.body["parked"], Value::Null);
}

#[tokio::test]
async fn exactly_the_plan_that_was_shown_is_confirmed() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let ada = stage.idp.create_user("ada@contoso.com");
    let group = stage.idp.create_group("Board members", &[&ada]);
    let order = stage.desk.order(&Order::default()).await;
    let room = stage.desk.prepare(&order, &json!({})).await;
    let path = format!("/orders/{order}/confirm");
    let old = stage
        .desk
        .support
        .get(&format!("/orders/{order}/plan"))
        .await
        .expect(200);

    let ben = stage.idp.create_user("ben@contoso.com");
    stage.idp.add_members(&group, &[&ben]);
    let refused = stage
        .desk
        .support
        .post(&path, &json!({ "digest": old.text("/digest") }))
        .await
        .refused(409);
    assert_eq!(refused.text("/code"), "plan_changed");
    assert!(
        stage.desk.inside(&room.id).await.is_empty(),
        "nothing was confirmed"
    );

    let shown = json!({ "digest": refused.text("/digest") });
    stage.desk.support.post(&path, &shown).await.expect(200);
    assert_eq!(stage.desk.inside(&room.id).await, people(&["ada", "ben"]));
    stage.desk.support.post(&path, &shown).await.expect(200);
}

#[tokio::test]
async fn more_people_than_the_order_expected_wait_for_an_approval() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let room = stage
        .desk
        .open(&Order {
            expected: 10,
            ..Order::default()
        })
        .await;
    let mut users = vec![stage.idp.create_user("ada@contoso.com")];
    users.extend((1..14).map(|n| stage.idp.create_user(&format!("member{n}@contoso.com"))));
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    stage.idp.create_group("Board members", &users);

    assert_eq!(
        stage.desk.inside(&room.id).await.len(),
        11,
        "ten, and a margin of ten percent"
    );
    let waiting = stage.desk.waiting(&room.id).await;
    assert_eq!(waiting.len(), 3);
    assert!(
        waiting.values().all(|reason| reason == "beyond_expected"),
        "{waiting:?}"
    );
    let hold = stage.desk.hold(&room.id).await;
    assert_eq!(hold["kind"], "arrivals");
    assert_eq!(hold["people"].as_array().map(Vec::len), Some(3));

    stage.desk.decide(&hold, "approve").await;
    assert_eq!(stage.desk.inside(&room.id).await.len(), 14);
    assert!(stage.desk.waiting(&room.id).await.is_empty());
}

#[tokio::test]
async fn the_set_up_user_stays_until_an_administrator_is_active() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let room = stage.desk.open(&Order::default()).await;
    let ben = stage.idp.create_user("ben@contoso.com");
    stage.idp.create_group("Board members", &[&ben]);
    stage.idp.create_user("ada@contoso.com");

    assert_eq!(stage.desk.state(&room.order).await, "arriving");
    for step in ["end-bootstrap", "go-live", "raise-administrator"] {
        let path = format!("/orders/{}/{step}", room.order);
        stage.desk.support.post(&path, &json!({})).await.refused(409);
    }
    let bootstrap = stage.desk.membership(&room.id, "setup@vendor.example").await;
    let end = format!("/memberships/{}/end", bootstrap["id"].as_str().unwrap());
    let refused = stage.desk.support.post(&end, &json!({})).await.refused(409);
    assert!(
        refused.text("/next").contains("administrator"),
        "{:#}",
        refused.body
    );

    let outsider = json!({ "administrator": "boss@elsewhere.example" });
    let path = format!("/orders/{}/administrator", room.order);
    stage.desk.it.post(&path, &outsider).await.refused(422);
    stage
        .desk
        .it
        .post(&path, &json!({ "administrator": "ben@contoso.com" }))
        .await
        .expect(200);
    assert_eq!(stage.desk.state(&room.order).await, "live");
    assert_eq!(
        stage.desk.membership(&room.id, "ben@contoso.com").await["administrator"],
        true
    );
    assert_eq!(stage.desk.members(&room.id).await.len(), 1);
}

#[tokio::test]
async fn an_administrator_changed_before_arrival_is_the_one_who_is_raised() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let room = stage.desk.open(&Order::default()).await;
    let path = format!("/orders/{}/administrator", room.order);
    stage
        .desk
        .it
        .post(&path, &json!({ "administrator": "eve@contoso.com" }))
        .await
        .expect(200);

    let ada = stage.idp.create_user("ada@contoso.com");
    let group = stage.idp.create_group("Board members", &[&ada]);
    assert_eq!(stage.desk.state(&room.order).await, "arriving");
    assert_eq!(
        stage.desk.membership(&room.id, "ada@contoso.com").await["administrator"],
        false
    );

    let eve = stage.idp.create_user("eve@contoso.com");
    stage.idp.add_members(&group, &[&eve]);
    assert_eq!(stage.desk.state(&room.order).await, "live");
    assert_eq!(
        stage.desk.membership(&room.id, "eve@contoso.com").await["administrator"],
        true
    );
    assert_eq!(
        stage.desk.membership(&room.id, "ada@contoso.com").await["administrator"],
        false
    );
    stage
        .desk
        .it
        .post(&path, &json!({ "administrator": "ada@contoso.com" }))
        .await
        .refused(409);
}

#[tokio::test]
async fn externals_guests_and_private_addresses_stay_outside() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let order = stage.desk.order(&Order::default()).await;
    let room = stage.desk.prepare(&order, &json!({})).await;
    let ada = stage.idp.create_user("ada@contoso.com");
    let external = stage.idp.create_user("ext@partner.example");
    let private = stage.idp.create_user("ida@mail.example");
    let guest = json!({
        "userName": "gus_partner.example#EXT#@contoso.onmicrosoft.com",
        "active": true,
        "emails": [{ "value": "gus@contoso.com", "type": "work", "primary": true }],
    });
    let guest = stage.idp.create("User", &guest).expect(201).id();
    let group = stage
        .idp
        .create_group("Board members", &[&ada, &external, &private, &guest]);

    let plan = stage.desk.confirm(&order).await;
    assert_eq!(planned(&plan, "joins"), 1, "{plan:#}");
    assert_eq!(planned(&plan, "guest"), 1, "{plan:#}");
    assert_eq!(planned(&plan, "foreign_domain"), 2, "{plan:#}");
    assert_eq!(stage.desk.inside(&room.id).await, people(&["ada"]));
    let path = format!("/rooms/{}/persons/ext@partner.example/explanation", room.id);
    let explained = stage.desk.it.get(&path).await.expect(200);
    assert!(
        explained
            .text("/items/0/summary")
            .contains("outside the organisation's domains"),
        "{:#}",
        explained.body
    );

    let members = stage.idp.read("Group", &group).expect(200).list("/members");
    assert_eq!(members.len(), 4, "the identity provider reads what it wrote");

    let company =
        json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "ida@contoso.com" }]);
    stage.idp.modify("User", &private, &company).expect(200);
    assert_eq!(
        stage.desk.inside(&room.id).await,
        people(&["ada", "ida"]),
        "a company address opens the door"
    );
}

#[tokio::test]
async fn a_guided_order_takes_each_step_when_a_person_asks_and_in_their_order() {
    let guided = Config {
        more: "[orders]\nfinalise = \"guided\"\n".to_owned(),
        ..Config::default()
    };
    let Some(mut stage) = Stage::with(&guided).await else {
        return;
    };
    let room = stage.desk.open(&Order::default()).await;
    let ada = stage.idp.create_user("ada@contoso.com");
    stage.idp.create_group("Board members", &[&ada]);
    assert_eq!(stage.desk.state(&room.order).await, "finalising");
    assert_eq!(
        stage.desk.membership(&room.id, "ada@contoso.com").await["administrator"],
        false
    );

    let step = |step: &str| format!("/orders/{}/{step}", room.order);
    let support = &stage.desk.support;
    support
        .post(&step("end-bootstrap"), &json!({}))
        .await
        .refused(409);
    support.post(&step("go-live"), &json!({})).await.refused(409);
    support
        .post(&step("raise-administrator"), &json!({}))
        .await
        .expect(200);
    let refused = support.post(&step("go-live"), &json!({})).await.refused(409);
    assert_eq!(refused.text("/code"), "bootstrap_inside");
    support.post(&step("end-bootstrap"), &json!({})).await.expect(200);
    support.post(&step("go-live"), &json!({})).await.expect(200);
    support.post(&step("go-live"), &json!({})).await.expect(200);
    assert_eq!(stage.desk.state(&room.order).await, "live");
    assert_eq!(stage.desk.room(&room.id).await["state"], "live");
    assert_eq!(stage.desk.told("room.live").await.len(), 1);
}

#[tokio::test]
async fn a_second_order_for_the_same_room_or_group_is_refused() {
    let Some(stage) = Stage::new().await else { return };
    stage.desk.order(&Order::default()).await;
    for (room, group) in [("board", "Another group"), ("Another room", "board members")] {
        let again = json!({
            "customer": "Contoso AG", "room_name": room, "administrator": "ada@contoso.com", "all_content": true,
            "model": "open", "features": [], "source": "idp", "group": group, "named_by": "name", "expected": 5,
            "requester": "rita@contoso.com",
        });
        let refused = stage.desk.it.post("/orders", &again).await.refused(409);
        assert!(!refused.text("/next").is_empty());
    }
}

/// How many people a plan has with this outcome.
fn planned(plan: &Value, outcome: &str) -> u64 {
    let tallies = plan["people"].as_array().into_iter().flatten();
    let mut found = tallies.filter(|tally| tally["outcome"] == outcome);
    found
        .next()
        .and_then(|tally| tally["count"].as_u64())
        .unwrap_or_default()
}

fn people(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("{name}@contoso.com")).collect()
}
