//! Calls of an event hook.

use serde_json::json;
use usher_core::{ErrorKind, Notification, ProvisioningAdapter as _};

use crate::world::{HOOK_SECRET, World, adapter};

fn call(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Notification {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Notification {
        headers: headers.collect(),
        query: Vec::new(),
        body: body.into(),
    }
}

#[tokio::test]
async fn a_call_names_what_to_read_again() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    let before = world.org.directory().sequence();
    world.org.directory().remove_member(&board, &people[0]);
    world.org.set_status(&people[0], "SUSPENDED");
    let body = world.org.event_hook_body(before).to_string();
    let adapter = adapter(&world.with_token(&json!({"event_hook_secret": HOOK_SECRET})));
    assert!(adapter.describe().capabilities.notifications);
    let answer = adapter
        .notification(call(&[("authorization", HOOK_SECRET)], body.clone()))
        .await
        .unwrap();
    assert_eq!(answer.body, None);
    assert_eq!(
        answer.groups.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        [board.as_str()]
    );
    assert_eq!(
        answer.users.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        [people[0].as_str()]
    );
    for secret in ["", "a-secret-of-the-event-hook-012345678", "another"] {
        let refused = adapter
            .notification(call(&[("authorization", secret)], body.clone()))
            .await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unauthorised);
    }
    let refused = adapter.notification(call(&[], body)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unauthorised);
}

#[tokio::test]
async fn the_verification_is_answered_with_its_challenge() {
    let world = World::new().await;
    let adapter = adapter(&world.with_token(&json!({"event_hook_secret": HOOK_SECRET})));
    let challenge = ("x-okta-verification-challenge", "a \"challenge\"");
    // Whether Okta shows the secret in this call is not documented; both are taken.
    for headers in [vec![challenge], vec![challenge, ("authorization", HOOK_SECRET)]] {
        let answer = adapter.notification(call(&headers, "")).await.unwrap();
        let (media_type, body) = answer.body.unwrap();
        assert_eq!(media_type, "application/json");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body, json!({"verification": "a \"challenge\""}));
    }
    let wrong = adapter
        .notification(call(&[challenge, ("authorization", "another")], ""))
        .await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Unauthorised);
    let with_body = adapter.notification(call(&[challenge], "{}")).await;
    assert_eq!(
        with_body.unwrap_err().kind(),
        ErrorKind::Unauthorised,
        "a challenge opens no door"
    );
}

#[tokio::test]
async fn without_a_secret_no_call_is_taken() {
    let world = World::new().await;
    let error = world.adapter().notification(call(&[], "{}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
