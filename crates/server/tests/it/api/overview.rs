//! What waits for a human, and what an order form asks before there is an order.

use std::time::Duration;

use serde_json::{Value, json};
use usher_core::Role;

use super::Api;
use crate::world::World;

/// The verdicts about a field, in their order.
fn verdicts<'a>(found: &'a Value, field: &str) -> Vec<&'a str> {
    let findings = found["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["field"] == field)
        .filter_map(|finding| finding["verdict"].as_str())
        .collect()
}

#[tokio::test]
async fn what_waits_is_counted() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let before = api.get("/overview").await.expect(200);
    assert_eq!(before.body["orders"]["count"], 0);
    assert_eq!(before.body["expiring"], json!([]));
    world.group("Nobody's", &[]).await;
    api.room("Board").await;
    let soon = json!({ "label": "Push", "source": "idp", "expires_in": "10d" });
    api.post("/tokens", &soon).await.expect(201);
    let far = json!({ "label": "Far", "source": "idp", "expires_in": "90d" });
    api.post("/tokens", &far).await.expect(201);

    let after = api.get("/overview").await.expect(200).body;
    assert_eq!(after["orders"], json!({ "count": 1, "more": false }));
    assert_eq!(after["parked_groups"]["count"], 1);
    assert_eq!(after["expiring"].as_array().map(Vec::len), Some(1));
    assert_eq!(after["expiring"][0]["label"], "Push");
    assert_eq!(after["sources"].as_array().map(Vec::len), Some(2));
    let rita = Api::with_role(&world, Role::Requester, Some("rita@contoso.com")).await;
    rita.get("/overview").await.refused(403, "forbidden");
}

#[tokio::test]
async fn each_field_of_an_order_is_checked_by_itself() {
    let world = World::new().await;
    let api = Api::with_role(&world, Role::Requester, Some("rita@contoso.com")).await;
    let choices = api.get("/order-choices").await.expect(200).body;
    assert_eq!(choices["sources"][0]["name"], "idp");
    Api::admin(&world).await.room("Board").await;
    let user = world.user("admin").await;
    world.group("Council", &[&user]).await;

    let wrong = json!({
        "room_name": "board", "group": "Board", "source": "idp", "administrator": "no address", "expected": 0,
    });
    let found = api.post("/order-check", &wrong).await.expect(200).body;
    assert_eq!(found["good"], false);
    for field in ["room_name", "group", "administrator", "expected"] {
        assert_eq!(verdicts(&found, field), ["bad"], "{field}: {found:#}");
    }

    let right = json!({
        "room_name": "Council", "group": "Council", "source": "idp", "administrator": "admin@contoso.com",
    });
    let found = api.post("/order-check", &right).await.expect(200).body;
    assert_eq!(found["good"], true, "{found:#}");
    for field in ["room_name", "group", "administrator"] {
        assert_eq!(verdicts(&found, field), ["good"], "{field}: {found:#}");
    }
    let unknown = json!({ "group": "Nowhere", "source": "idp", "administrator": "new@contoso.com" });
    let found = api.post("/order-check", &unknown).await.expect(200).body;
    assert_eq!(verdicts(&found, "group"), ["unknown"]);
    assert_eq!(verdicts(&found, "administrator"), ["unknown"]);
    let orders = api.get("/orders").await.expect(200);
    assert_eq!(orders.items().len(), 1, "a check makes no order");
}

#[tokio::test]
async fn orders_come_newest_first_and_open_ones_alone() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let order = |name: &str| {
        json!({
            "room_name": name, "administrator": "admin@contoso.com", "group": name, "expected": 10,
            "source": "idp", "customer": "Contoso AG", "requester": "rita@contoso.com",
        })
    };
    let mut ids = Vec::new();
    for name in ["One", "Two", "Three"] {
        world.clock.advance(Duration::from_secs(60));
        ids.push(api.post("/orders", &order(name)).await.expect(201).id());
    }
    let because = json!({ "reason": "not needed" });
    api.post(&format!("/orders/{}/withdraw", ids[1]), &because)
        .await
        .expect(200);
    let names = |answer: &super::Answer| -> Vec<String> {
        let names = answer
            .items()
            .iter()
            .filter_map(|order| order["room_name"].as_str());
        names.map(str::to_owned).collect()
    };
    let newest = api.get("/orders?newest=true&limit=2").await.expect(200);
    assert_eq!(names(&newest), ["Three", "Two"]);
    let cursor = newest.body["next"].as_str().expect("there is more");
    let rest = api
        .get(&format!("/orders?newest=true&limit=2&cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(names(&rest), ["One"]);
    let open = api.get("/orders?newest=true&open=true").await.expect(200);
    assert_eq!(names(&open), ["Three", "One"]);
    let open = api.get("/orders?open=true").await.expect(200);
    assert_eq!(names(&open), ["One", "Three"]);
    let ritas = api
        .get("/orders?newest=true&open=true&requester=rita@contoso.com")
        .await
        .expect(200);
    assert_eq!(names(&ritas), ["Three", "One"]);
}
