//! What a source that is read says of a group when a room is ordered or mapped.

use serde_json::json;

use super::{Readable, unavailable};
use crate::api::Api;

fn order(group: &str) -> serde_json::Value {
    json!({ "room_name": "Board", "administrator": "ada@contoso.com", "group": group, "expected": 5,
        "source": "hr", "customer": "Contoso AG", "requester": "rita@contoso.com", "submit": true })
}

#[tokio::test]
async fn an_order_shows_what_the_source_says_of_its_group() {
    let hr = Readable::new("says", "pull").await;
    hr.script.group("board", &["ada"]);
    let api = Api::admin(&hr.world).await;
    let made = api.post("/orders", &order("board")).await.expect(201);
    let says = &made.body["source_says"];
    assert_eq!(
        (&says["group"]["id"], &says["group"]["members"]),
        (&json!("board"), &json!(1)),
        "{says:#}"
    );
    let warnings = says["warnings"].to_string();
    for word in ["guests", "groups are members", "assigned"] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
    hr.script.fail(Some(unavailable));
    let shown = api.get(&format!("/orders/{}", made.id())).await.expect(200);
    let warnings = shown.body["source_says"]["warnings"].to_string();
    assert!(warnings.contains("could not be asked"), "{warnings}");
}

#[tokio::test]
async fn an_accepted_order_asks_for_a_read_so_that_its_plan_shows_who_would_come() {
    let hr = Readable::new("accepted", "pull").await;
    hr.script.group("board", &["ada", "bob"]);
    let api = Api::admin(&hr.world).await;
    let order = api.post("/orders", &order("board")).await.expect(201).id();
    let bootstrap = json!({ "bootstrap": { "name": "Set-up", "email": "setup@vendor.example" } });
    api.post(&format!("/orders/{order}/accept"), &bootstrap)
        .await
        .expect(200);
    let waiting = hr.runs().await;
    assert_eq!(
        (&waiting[0]["cause"], &waiting[0]["targets"]),
        (&json!("order"), &json!(["board"])),
        "{waiting:#?}"
    );
    let jobs = hr.serve();
    hr.sync(&json!({})).await;
    jobs.stop().await;
    let plan = api.get(&format!("/orders/{order}/plan")).await.expect(200);
    assert_eq!(plan.body["group"]["members"], 2, "{:#}", plan.body);
}

#[tokio::test]
async fn nested_groups_are_refused_where_nobody_can_tell_who_is_in_them() {
    let hr = Readable::new("nested", "pull").await;
    let api = Api::admin(&hr.world).await;
    api.post("/rooms", &json!({ "name": "Board", "model": "closed" }))
        .await
        .expect(201);
    for source in ["hr", "idp"] {
        let mapping = json!({ "room": "Board", "source": source, "group": "board", "nested": true });
        let refused = api
            .post("/mappings", &mapping)
            .await
            .refused(409, "nested_not_read");
        assert!(refused.body["next"].is_string());
    }
    let mapping = json!({ "room": "Board", "source": "hr", "group": "board", "nested": false });
    let made = api.post("/mappings", &mapping).await.expect(201);
    assert_eq!(made.body["nested"], false);
}
