//! A new room: from the order to people at work.

use serde_json::{Value, json};

use super::{ADA, BEN};
use crate::providers::{Kind, Rig, Way};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_entra_pushed() {
    from_the_order_to_a_room_in_use(Kind::Entra, Way::Push).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_entra_pulled() {
    from_the_order_to_a_room_in_use(Kind::Entra, Way::Pull).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_okta_pushed() {
    from_the_order_to_a_room_in_use(Kind::Okta, Way::Push).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_okta_pulled() {
    from_the_order_to_a_room_in_use(Kind::Okta, Way::Pull).await;
}

async fn from_the_order_to_a_room_in_use(kind: Kind, way: Way) {
    let mut rig = Rig::new(kind, way)
        .await
        .expect("nothing is needed for these kinds");
    let directory = rig.idp.directory.clone();
    let group = directory.add_group("Board members");
    rig.idp.person("ben", &[&group]);
    let order = rig.order("Board", &group).await;
    let says = rig.desk.order_now(&order).await.body["source_says"].clone();
    if way == Way::Pull {
        assert_eq!(says["group"]["display_name"], "Board members", "{says:#}");
        assert_eq!(says["group"]["members"], 1, "{says:#}");
        assert_eq!(says["group"]["assigned"], false, "{says:#}");
    } else {
        assert_eq!(
            says,
            Value::Null,
            "a source that is only pushed to cannot be asked"
        );
    }

    let room = rig.desk.prepare(&order, &json!({})).await;
    assert_eq!(
        rig.desk.membership(&room.id, "setup@vendor.example").await["kind"],
        "bootstrap"
    );
    rig.quiet().await;
    let plan = rig.desk.confirm(&order).await;
    rig.convey().await;
    assert!(
        rig.desk.inside(&room.id).await.is_empty(),
        "nobody comes before the group is given to the application: {plan:#}"
    );
    assert_eq!(rig.desk.state(&order).await, "mapping_confirmed");

    directory.assign(&group, true);
    rig.push_group(&group);
    rig.convey().await;
    let state = rig.desk.state(&order).await;
    assert_eq!(state, "arriving", "after {}", rig.story().await);
    let arrived = rig.desk.membership(&room.id, BEN).await;
    assert_eq!(
        (&arrived["kind"], &arrived["level"]),
        (&json!("managed"), &json!("restricted_user"))
    );

    rig.idp.person("ada", &[&group]);
    rig.convey().await;
    assert_eq!(rig.desk.state(&order).await, "live");
    let administrator = rig.desk.membership(&room.id, ADA).await;
    assert_eq!(administrator["level"], "user_management");
    assert_eq!(administrator["administrator"], true);
    let members = rig.desk.members(&room.id).await;
    assert!(!members.contains_key("setup@vendor.example"), "{members:#?}");
    let live = rig.desk.told("room.live").await;
    assert_eq!(live.len(), 1);
    assert_eq!(live[0]["data"]["sso_url"], "https://portal.example/sso/contoso");
    let moved = rig.desk.told("order.moved").await;
    let states: Vec<&Value> = moved.iter().map(|event| &event["data"]["state"]).collect();
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
