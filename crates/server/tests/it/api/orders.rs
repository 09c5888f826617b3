//! From the order to people in the room, by hand and by sync.

use axum::body::Body;
use http::Request;
use serde_json::json;

use super::{Api, send};
use crate::world::World;

#[tokio::test]
async fn an_order_becomes_a_live_room() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let order = api.get("/orders/Board").await.expect(200);
    assert_eq!(order.body["state"], "mapping_confirmed");
    assert_eq!(order.body["status"]["next"], "it");
    assert_eq!(order.body["group_news"]["candidates"], 0);

    let (admin, ada) = (world.user("admin").await, world.user("ada").await);
    world.group("Board", &[&admin, &ada]).await;
    let order = api.get("/orders/Board").await.expect(200);
    assert_eq!(order.body["state"], "live", "{:#}", order.body);
    let room = api.get("/rooms/board").await.expect(200);
    assert_eq!(room.body["state"], "live");
    let admin = api.membership("Board", "admin@contoso.com").await;
    assert_eq!(admin["administrator"], true);
    assert_eq!(
        api.membership("Board", "ada@contoso.com").await["kind"],
        "managed"
    );
}

#[tokio::test]
async fn fields_change_until_the_order_is_accepted_and_on_the_version_that_was_seen() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let order = json!({
        "room_name": "Board", "administrator": "ada@contoso.com", "group": "Board", "expected": 5, "source": "idp",
        "customer": "Contoso AG", "requester": "rita@contoso.com",
    });
    let order = api.post("/orders", &order).await.expect(201);
    let path = format!("/orders/{}", order.id());
    let more = json!({ "expected": 9, "features": ["voting"] });
    let edited = api
        .call("PATCH", &path, Some(&more), &[("if-match", "\"1\"")])
        .await
        .expect(200);
    assert_eq!(
        (&edited.body["expected"], &edited.body["features"]),
        (&json!(9), &json!(["voting"]))
    );
    assert_eq!(edited.body["administrator"], "ada@contoso.com");
    api.call("PATCH", &path, Some(&more), &[("if-match", "\"1\"")])
        .await
        .refused(412, "version_changed");
    let mail = api.get(&format!("{path}/mail")).await.expect(200);
    assert!(
        mail.body["text"]
            .as_str()
            .is_some_and(|text| text.contains("voting"))
    );
    api.post(&format!("{path}/reject"), &json!({}))
        .await
        .refused(422, "invalid");
    let reason = json!({ "reason": "a duplicate" });
    let rejected = api.post(&format!("{path}/reject"), &reason).await.expect(200);
    assert_eq!(rejected.body["closing_reason"], "a duplicate");
    api.post(&format!("{path}/submit"), &json!({}))
        .await
        .refused(409, "order_moved_on");
}

#[tokio::test]
async fn a_logo_is_kept_as_a_download() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    let order = json!({
        "room_name": "Board", "administrator": "ada@contoso.com", "group": "Board", "expected": 5, "source": "idp",
        "customer": "Contoso AG", "requester": "rita@contoso.com",
    });
    let id = api.post("/orders", &order).await.expect(201).id();
    let put = |bytes: Vec<u8>| {
        Request::put(format!("/api/v1/orders/{id}/logo"))
            .header("authorization", format!("Bearer {}", api.token))
            .body(Body::from(bytes))
            .expect("a request")
    };
    send(&world, put(b"GIF89a".to_vec()))
        .await
        .refused(422, "invalid");
    send(&world, put(vec![0; 1024 * 1024 + 1]))
        .await
        .refused(413, "too_large");
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><rect width=\"9\" height=\"9\"/></svg>";
    send(&world, put(svg.to_vec())).await.expect(204);
    let logo = api.get(&format!("/orders/{id}/logo")).await.expect(200);
    assert_eq!(logo.header("content-type"), "image/svg+xml");
    assert_eq!(logo.header("content-disposition"), "attachment");
    assert_eq!(api.get(&format!("/orders/{id}")).await.body["logo"], true);
    api.call("DELETE", &format!("/orders/{id}/logo"), None, &[])
        .await
        .expect(200);
    api.get(&format!("/orders/{id}/logo"))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_plan_that_changed_is_answered_with_the_new_one() {
    let world = World::new().await;
    let api = Api::admin(&world).await;
    api.room("Board").await;
    let body =
        json!({ "room": "Board", "group": "Guests of the board", "source": "idp", "additional": true });
    let mapping = api.post("/mappings", &body).await.expect(201).id();
    let plan = api.get(&format!("/mappings/{mapping}/plan")).await.expect(200);
    assert_eq!(plan.body["people"], json!([]));
    let ada = world.user("ada").await;
    world.group("Guests of the board", &[&ada]).await;
    let confirm = format!("/mappings/{mapping}/confirm");
    let refused = api
        .post(&confirm, &json!({ "digest": plan.body["digest"] }))
        .await
        .refused(409, "plan_changed");
    assert_eq!(refused.body["plan"]["people"][0]["outcome"], "joins");
    assert_eq!(refused.body["plan"]["digest"], refused.body["digest"]);
    let done = api
        .post(&confirm, &json!({ "digest": refused.body["digest"] }))
        .await
        .expect(200);
    assert_eq!(
        (&done.body["state"], &done.body["complete"]),
        (&json!("confirmed"), &json!(true))
    );
    api.membership("Board", "ada@contoso.com").await;

    let replacement = json!({ "group": "Friends", "named_by": "name" });
    api.post(&format!("/mappings/{mapping}/replacement/plan"), &replacement)
        .await
        .refused(409, "group_unknown");
    world.group("Friends", &[&ada]).await;
    let plan = api
        .post(&format!("/mappings/{mapping}/replacement/plan"), &replacement)
        .await
        .expect(200);
    let body = json!({ "group": "Friends", "named_by": "name", "digest": plan.body["digest"] });
    let new = api
        .post(&format!("/mappings/{mapping}/replacement/confirm"), &body)
        .await
        .expect(200)
        .id();
    let plan = api
        .get(&format!("/mappings/{new}/retirement/plan"))
        .await
        .expect(200);
    assert_eq!(plan.body["people"][0]["outcome"], "leaves");
    let digest = json!({ "digest": plan.body["digest"] });
    api.post(&format!("/mappings/{new}/retirement/confirm"), &digest)
        .await
        .expect(200);
    let members = api.get("/rooms/Board/members").await.expect(200);
    assert!(members.items().iter().all(|one| one["kind"] == "bootstrap"));
    assert_eq!(api.get("/mappings?room=Board").await.expect(200).items().len(), 3);
}
