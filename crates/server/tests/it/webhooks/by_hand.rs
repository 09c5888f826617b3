//! Endpoints by hand: what is taken, what is refused, what is shown.

use serde_json::json;
use usher_storage::query;

use super::receiver::Receiver;
use super::{add, deliver, feed, world};
use crate::api::Api;
use crate::world::World;

#[tokio::test]
async fn addresses_that_only_this_machine_should_reach_are_refused() {
    let world = world().await;
    let api = Api::admin(&world).await;
    for url in [
        "http://10.0.0.1/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:8080/",
        "http://192.168.1.1/",
        "https://ada:secret@hooks.example/",
        "ftp://127.0.0.1/",
        "http://127.0.0.1:22/",
        "nonsense",
    ] {
        let answer = api.post("/webhooks", &json!({ "url": url })).await;
        assert_eq!(answer.refused(422, "invalid").body["field"], "url", "{url}");
    }
    let plain = World::with(&format!("[webhooks]\nkey = \"{}\"\n", super::KEY)).await;
    let api = Api::admin(&plain).await;
    for url in [
        "http://hooks.example/",
        "https://127.0.0.1/",
        "https://localhost/",
    ] {
        let answer = api.post("/webhooks", &json!({ "url": url })).await;
        assert_eq!(answer.refused(422, "invalid").body["field"], "url", "{url}");
    }
}

#[tokio::test]
async fn without_a_key_there_is_no_webhook() {
    let world = World::with("[webhooks]\nallow_networks = [\"127.0.0.0/8\"]\n").await;
    let api = Api::admin(&world).await;
    let answer = api
        .post("/webhooks", &json!({ "url": "https://127.0.0.1/" }))
        .await
        .refused(409, "no_webhook_key");
    let next = answer.body["next"].as_str().expect("a next step");
    assert!(next.contains("webhooks.key"), "{next}");
}

#[tokio::test]
async fn secrets_are_shown_once_and_sealed_in_the_database() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({})).await;
    assert!(hook.secret.starts_with("whsec_"));
    let (id, now) = (hook.id, world.engine.now());
    let rows: Vec<query::webhook::SecretRow> = world
        .engine
        .read(move |tx| Box::pin(query::webhook::secrets(tx, id, now)))
        .await
        .map_err(|error: usher_storage::StorageError| error)
        .expect("a database");
    let secret = usher_webhook::SigningSecret::parse(&hook.secret).expect("a secret");
    assert_eq!(rows.len(), 1);
    let holds = |needle: &[u8]| {
        rows[0]
            .sealed
            .windows(needle.len())
            .any(|window| window == needle)
    };
    assert!(!holds(secret.bytes()) && !holds(hook.secret.as_bytes()));
    for path in ["/webhooks", &hook.path, "/events?limit=1000"] {
        let text = api.get(path).await.expect(200).body.to_string();
        assert!(!text.contains(&hook.secret[6..]), "{path}");
    }
    let keyed = api
        .call(
            "POST",
            &format!("{}/rotate", hook.path),
            Some(&json!({})),
            &[("idempotency-key", "a")],
        )
        .await;
    keyed.refused(400, "malformed");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_field() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    for (body, status, field) in [
        (json!({ "events": ["memberships.*"] }), 422, "events"),
        (json!({ "role": "app", "events": ["directory.*"] }), 422, "events"),
        (json!({ "role": "requester" }), 422, "role"),
        (json!({ "description": "x".repeat(201) }), 422, "description"),
    ] {
        let mut all = json!({ "url": receiver.url() });
        for (key, value) in body.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        let answer = api.post("/webhooks", &all).await.expect(status);
        assert_eq!(answer.body["field"], field, "{body}");
    }
    for body in [json!({ "rooms": ["Nowhere"] }), json!({ "sources": ["nobody"] })] {
        let mut all = json!({ "url": receiver.url() });
        for (key, value) in body.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        api.post("/webhooks", &all).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn an_endpoint_is_changed_paused_skipped_and_removed() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({ "description": "the portal" })).await;
    let narrow = json!({ "events": ["directory.user.created"], "description": "people only" });
    let changed = api
        .call("PATCH", &hook.path, Some(&narrow), &[("if-match", "\"1\"")])
        .await;
    let changed = changed.expect(200).body;
    assert_eq!(changed["events"], json!(["directory.user.created"]));
    assert_eq!(
        (&changed["version"], &changed["role"]),
        (&json!(2), &json!("admin"))
    );
    api.call("PATCH", &hook.path, Some(&narrow), &[("if-match", "\"1\"")])
        .await
        .expect(412);

    let paused = api
        .post(&format!("{}/pause", hook.path), &json!({ "reason": "moving" }))
        .await;
    assert_eq!(paused.expect(200).body["state_reason"], "moving");
    world.user("ada").await;
    deliver(&world, &hook).await;
    assert_eq!(receiver.taken(), Vec::<i64>::new());
    let resumed = api
        .post(&format!("{}/resume", hook.path), &json!({ "skip": true }))
        .await;
    assert_eq!(resumed.expect(200).body["state"], "active");
    world.user("ben").await;
    deliver(&world, &hook).await;
    assert_eq!(
        receiver.taken(),
        feed(&api, "directory.user.created", None).await[1..]
    );

    api.call("DELETE", &hook.path, None, &[]).await.expect(204);
    api.get(&hook.path).await.refused(404, "not_found");
    assert_eq!(api.get("/webhooks").await.expect(200).items().len(), 0);
    for kind in ["created", "changed", "paused", "resumed", "removed"] {
        let told = feed(&api, &format!("webhook.{kind}"), None).await;
        assert_eq!(told.len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn a_test_is_sent_at_once_and_says_how_it_went() {
    let world = world().await;
    let (api, receiver) = (Api::admin(&world).await, Receiver::new().await);
    let hook = add(&api, &receiver, &json!({})).await;
    let test = format!("{}/test", hook.path);
    assert_eq!(
        api.post(&test, &json!({})).await.expect(200).body["delivered"],
        true
    );
    assert_eq!(receiver.received()[0].event["type"], "usher.webhook.test");
    receiver.answer(|_| (302, None));
    let refused = api.post(&test, &json!({})).await.expect(200).body;
    assert_eq!(refused["delivered"], false);
    assert_eq!(
        refused["error"],
        "the receiver answered 302 Found: redirects are not followed"
    );
}
