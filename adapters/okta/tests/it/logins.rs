//! Ways to authenticate.

use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::json;
use usher_core::ErrorKind;
use usher_fakes::okta::{Rights, ServiceApp};

use crate::world::{CLIENT, TOKEN, World, adapter, groups, read};

#[tokio::test]
async fn an_api_token_is_sent_after_its_own_word() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann", "ben"]);
    let report = read(&world.adapter(), groups(&[&board])).await;
    assert_eq!(report.members(&board), people);
    assert_eq!(report.complete(&board), Some(true));
    for request in world.served.seen() {
        assert_eq!(request.headers["authorization"], format!("SSWS {TOKEN}"));
        assert!(
            request.headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("usher/")
        );
    }
}

#[tokio::test]
async fn a_service_application_reads_with_a_plain_token() {
    let world = World::new().await;
    world.take_app(Rights::all(), false);
    let (board, people) = world.group_of("Board", &["ann", "ben"]);
    let report = read(&adapter(&world.with_app(&json!({}))), groups(&[&board])).await;
    assert_eq!(report.members(&board), people);
    let seen = world.served.seen();
    let tokens = seen.iter().filter(|request| request.path == "/oauth2/v1/token");
    assert_eq!(tokens.count(), 1, "one token serves a whole read");
    assert!(seen.iter().all(|request| !request.headers.contains_key("dpop")));
}

#[tokio::test]
async fn bound_tokens_are_used_when_okta_asks_for_them_and_from_the_start_when_told_so() {
    for (dpop, requests) in [("when_asked", 3), ("always", 2)] {
        let world = World::new().await;
        world.take_app(Rights::all(), true);
        let (board, people) = world.group_of("Board", &["ann", "ben"]);
        let adapter = adapter(&world.with_app(&json!({"dpop": dpop})));
        let report = read(&adapter, groups(&[&board])).await;
        assert_eq!(report.members(&board), people, "{dpop}");
        let seen = world.served.seen();
        let tokens = seen.iter().filter(|request| request.path == "/oauth2/v1/token");
        assert_eq!(
            tokens.count(),
            requests,
            "{dpop}: one to be told of the nonce, and one with it"
        );
        for request in seen.iter().filter(|request| request.path.starts_with("/api/")) {
            let field = request.headers["authorization"].to_str().unwrap();
            assert!(field.starts_with("DPoP ") && request.headers.contains_key("dpop"));
        }
    }
}

#[tokio::test]
async fn a_nonce_that_was_renewed_is_taken_up() {
    let world = World::new().await;
    world.take_app(Rights::all(), true);
    let (board, people) = world.group_of("Board", &["ann"]);
    let adapter = adapter(&world.with_app(&json!({})));
    read(&adapter, groups(&[&board])).await.outcome.unwrap();
    world
        .org
        .behave(|behaviour| behaviour.dpop_nonce = Some("another-nonce".into()));
    world.org.expire_access_tokens();
    let report = read(&adapter, groups(&[&board])).await;
    assert_eq!(report.members(&board), people);
}

#[tokio::test]
async fn without_bound_tokens_an_application_that_needs_them_is_refused_with_the_reason() {
    let world = World::new().await;
    world.take_app(Rights::all(), true);
    let (board, _) = world.group_of("Board", &["ann"]);
    let adapter = adapter(&world.with_app(&json!({"dpop": "never"})));
    let error = read(&adapter, groups(&[&board])).await.outcome.unwrap_err();
    assert!(error.to_string().contains("invalid_dpop_proof"), "{error}");
}

#[tokio::test]
async fn a_token_that_expired_is_asked_for_again() {
    let world = World::new().await;
    world.take_app(Rights::all(), false);
    let (board, people) = world.group_of("Board", &["ann"]);
    let adapter = adapter(&world.with_app(&json!({})));
    read(&adapter, groups(&[&board])).await.outcome.unwrap();
    world.org.expire_access_tokens();
    let report = read(&adapter, groups(&[&board])).await;
    assert_eq!(report.members(&board), people);
}

#[tokio::test]
async fn an_rsa_key_signs_too() {
    let world = World::new().await;
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    world.org.take_service_app(ServiceApp {
        client_id: CLIENT.into(),
        public_key_pem: key.public_key_pem(),
        key_id: None,
        rights: Rights::all(),
        dpop: false,
    });
    let (board, people) = world.group_of("Board", &["ann"]);
    let settings = world.with_app(&json!({"private_key": key.serialize_pem(), "algorithm": "RS256"}));
    let report = read(&adapter(&settings), groups(&[&board])).await;
    assert_eq!(report.members(&board), people);
}

#[tokio::test]
async fn a_wrong_credential_fails_the_read_and_reports_nothing() {
    let world = World::new().await;
    world.take_app(Rights::all(), false);
    let (board, _) = world.group_of("Board", &["ann"]);
    let another = KeyPair::generate().unwrap().serialize_pem();
    for settings in [
        world.with_token(&json!({"api_token": "another"})),
        world.with_app(&json!({"private_key": another})),
        world.with_app(&json!({"key_id": "another"})),
        world.with_app(&json!({"client_id": "0oaanother"})),
    ] {
        let report = read(&adapter(&settings), groups(&[&board])).await;
        assert_eq!(report.outcome.unwrap_err().kind(), ErrorKind::Unauthorised);
        assert_eq!(report.changes, []);
    }
}
