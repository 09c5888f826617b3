//! Every role at every endpoint.

use serde_json::json;
use usher_core::Role;
use usher_server::api::ROLES;

use super::Api;
use crate::world::World;

/// What an endpoint of the table is called with: ids of nothing.
fn concrete(path: &str) -> String {
    let nothing = "018f6b1e-7d2a-7c44-9f0e-3a5b6c7d8e9f";
    path.split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                nothing
            } else {
                segment
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn each_role_may_do_exactly_what_the_table_says() {
    let world = World::new().await;
    for role in Role::ALL {
        let api = Api::with_role(&world, *role, Some("rita@contoso.com")).await;
        for (method, path, allowed) in ROLES {
            let body = json!({ "no_such_field": true });
            let body = (*method != "GET").then_some(&body);
            let answer = api.call(method, &concrete(path), body, &[]).await;
            if allowed.contains(role) {
                assert_ne!(answer.status, 403, "{role} {method} {path}");
                assert_ne!(answer.status, 401, "{role} {method} {path}");
            } else {
                let answer = answer.refused(403, "forbidden");
                assert!(answer.body["next"].is_string(), "{role} {method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_requester_sees_their_own_orders_only() {
    let world = World::new().await;
    let admin = Api::admin(&world).await;
    let order = |room: &str, requester: &str| {
        json!({
            "room_name": room, "administrator": "ada@contoso.com", "group": room, "expected": 5, "source": "idp",
            "customer": "Contoso AG", "requester": requester,
        })
    };
    let others = admin
        .post("/orders", &order("Board", "otto@contoso.com"))
        .await
        .expect(201)
        .id();
    let rita = Api::with_role(&world, Role::Requester, Some("Rita@contoso.com")).await;
    // Whoever else is named, a requester orders for themselves.
    let own = rita
        .post("/orders", &order("Council", "otto@contoso.com"))
        .await
        .expect(201);
    assert_eq!(own.body["requester"], "rita@contoso.com");
    let list = rita.get("/orders?requester=otto@contoso.com").await.expect(200);
    let rooms: Vec<_> = list.items().iter().map(|order| &order["room_name"]).collect();
    assert_eq!(rooms, ["Council"]);
    for path in ["", "/mail"] {
        rita.get(&format!("/orders/{others}{path}"))
            .await
            .refused(404, "not_found");
    }
    rita.post(
        &format!("/orders/{others}/withdraw"),
        &json!({ "reason": "mine" }),
    )
    .await
    .refused(404, "not_found");
    rita.get(&format!("/orders/{}", own.id())).await.expect(200);
}

#[tokio::test]
async fn tokens_that_are_none_or_for_sources_are_refused() {
    let world = World::new().await;
    let mut api = Api::admin(&world).await;
    api.token = world.token.clone();
    api.get("/rooms").await.refused(403, "elsewhere");
    for token in ["", "usher_forged"] {
        api.token = token.to_owned();
        let answer = api.get("/rooms").await.refused(401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
}
