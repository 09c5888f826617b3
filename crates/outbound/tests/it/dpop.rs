//! Proofs of possession (RFC 9449), verified with the key they bring.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use usher_core::ErrorKind;
use usher_outbound::{Credentials, Dpop};

use crate::provider::{Provider, START_SECONDS, Seen, clock, part, reply, secret, token, token_error};

/// Checks the proof of a request as a server has to (§4.3), and answers with its key and claims.
fn verified(provider: &Provider, seen: &Seen) -> (Value, Value) {
    let proof = seen.header("dpop").expect("a proof");
    let header = part(proof, 0);
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("dpop+jwt"), &json!("ES256"))
    );
    let jwk = header["jwk"].clone();
    let names: Vec<_> = jwk.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["kty", "crv", "x", "y"], "no private part");
    let public = DecodingKey::from_jwk(&serde_json::from_value(jwk.clone()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Value>(proof, &public, &validation)
        .unwrap()
        .claims;
    assert_eq!(claims["htm"], seen.method.as_str());
    assert_eq!(claims["htu"], provider.at(seen.path()).as_str());
    assert_eq!(claims["iat"], START_SECONDS);
    (jwk, claims)
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        token.as_bytes(),
    ))
}

/// Insists on proofs with the nonce `n-login` at its token endpoint, and with `n-api` elsewhere if `api_nonce`.
async fn insistent(api_nonce: bool) -> Provider {
    Provider::start(move |seen, _| {
        let nonce = seen.header("dpop").map(|_| seen.proof()["nonce"].clone());
        match (seen.path(), nonce) {
            ("/token", None) => token_error(
                400,
                &[],
                "invalid_dpop_proof",
                "The DPoP proof JWT header is missing.",
            ),
            ("/token", Some(nonce)) if nonce != "n-login" => token_error(
                400,
                &[("DPoP-Nonce", "n-login")],
                "use_dpop_nonce",
                "needs a nonce",
            ),
            ("/token", Some(_)) => token("DPoP", "bound-token", 3600),
            (_, Some(nonce)) if api_nonce && nonce != "n-api" => reply(
                401,
                &[
                    (
                        "www-authenticate",
                        "DPoP error=\"use_dpop_nonce\", error_description=\"x\"",
                    ),
                    ("dpop-nonce", "n-api"),
                ],
                "",
            ),
            (_, Some(_)) => reply(200, &[], "{}"),
            (_, None) => reply(400, &[], "{}"),
        }
    })
    .await
}

#[tokio::test]
async fn a_provider_that_insists_gets_proofs_with_its_nonces() {
    for (policy, token_requests) in [(Dpop::WhenAsked, 3), (Dpop::Always, 2)] {
        let provider = insistent(true).await;
        let credentials = provider.oauth(secret(), policy);
        let client = provider.builder(credentials).clock(clock()).build().unwrap();
        let answer = client
            .get("read", &provider.at("/read?x=1#y"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        client
            .post_form("write", &provider.at("/read"), &[])
            .send()
            .await
            .unwrap();

        let asked = provider.seen_at("/token");
        assert_eq!(asked.len(), token_requests, "{policy:?}");
        let (key, claims) = verified(&provider, asked.last().unwrap());
        assert_eq!(
            (&claims["nonce"], &claims["ath"]),
            (&json!("n-login"), &Value::Null)
        );

        let read = provider.seen_at("/read");
        assert_eq!(read.len(), 3, "one refusal for the nonce");
        let mut names = vec![claims["jti"].clone()];
        for (seen, nonce) in read.iter().zip([Value::Null, json!("n-api"), json!("n-api")]) {
            assert_eq!(seen.header("authorization"), Some("DPoP bound-token"));
            let (same, claims) = verified(&provider, seen);
            assert_eq!(same, key);
            assert_eq!(claims["ath"], hash("bound-token"));
            assert_eq!(claims["nonce"], nonce);
            names.push(claims["jti"].clone());
        }
        names.sort_by_key(Value::to_string);
        names.dedup();
        assert_eq!(names.len(), 4, "no proof is used twice");
    }
}

#[tokio::test]
async fn two_clients_have_two_keys() {
    let provider = insistent(false).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let credentials = provider.oauth(secret(), Dpop::Always);
        let client = provider.builder(credentials).clock(clock()).build().unwrap();
        client.get("read", &provider.at("/read")).send().await.unwrap();
        keys.push(verified(&provider, &provider.seen_at("/read").pop().unwrap()).0);
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_provider_that_does_not_ask_gets_no_proof() {
    for policy in [Dpop::Never, Dpop::WhenAsked] {
        let provider = Provider::start(|seen, _| match seen.path() {
            "/token" => token("Bearer", "token-1", 3600),
            _ => reply(200, &[], "{}"),
        })
        .await;
        let client = provider.client(provider.oauth(secret(), policy));
        client.get("read", &provider.at("/read")).send().await.unwrap();
        assert!(provider.seen().iter().all(|seen| seen.header("dpop").is_none()));
        assert_eq!(
            provider.seen_at("/read")[0].header("authorization"),
            Some("Bearer token-1")
        );
    }
}

#[tokio::test]
async fn a_token_that_is_not_bound_is_refused_where_binding_is_demanded() {
    let provider = Provider::start(|_, _| token("Bearer", "token-1", 3600)).await;
    let client = provider.client(provider.oauth(secret(), Dpop::Always));
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(provider.seen_at("/read").is_empty());
}

#[tokio::test]
async fn a_provider_is_not_asked_again_and_again() {
    // Never content with a nonce, at neither endpoint.
    let provider = Provider::start(|_, _| {
        token_error(400, &[("dpop-nonce", "again")], "use_dpop_nonce", "needs a nonce")
    })
    .await;
    let client = provider.client(provider.oauth(secret(), Dpop::WhenAsked));
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert_eq!(provider.seen().len(), 3);

    let provider = Provider::start(|seen, _| match seen.path() {
        "/token" => token("DPoP", "bound-token", 3600),
        _ => reply(
            401,
            &[
                ("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
                ("dpop-nonce", "again"),
            ],
            "",
        ),
    })
    .await;
    let client = provider.client(provider.oauth(secret(), Dpop::Always));
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    // The first, the one with the nonce, the one with another token.
    assert_eq!(provider.seen_at("/read").len(), 3);
}

#[tokio::test]
async fn nonces_renew_themselves_with_any_answer() {
    let provider = Provider::start(|seen, before| match seen.path() {
        "/token" => token("DPoP", "bound-token", 3600),
        _ => reply(200, &[("dpop-nonce", &format!("n-{before}"))], "{}"),
    })
    .await;
    let credentials: Credentials = provider.oauth(secret(), Dpop::Always);
    let client = provider
        .builder(credentials)
        .clock(Arc::clone(&clock()) as _)
        .build()
        .unwrap();
    for _ in 0..3 {
        client.get("read", &provider.at("/read")).send().await.unwrap();
    }
    let nonces: Vec<_> = provider
        .seen_at("/read")
        .iter()
        .map(|seen| seen.proof()["nonce"].clone())
        .collect();
    assert_eq!(nonces, [Value::Null, json!("n-1"), json!("n-2")]);
}
