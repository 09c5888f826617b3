//! Who comes in.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use usher_core::Role;
use usher_engine::{Actor, Cause, EngineError};
use usher_server::access::{KeyRequest, register_key, revoke_key, revoke_token};

use crate::world::{Answer, World, eventually};

/// Keys made for this test alone, by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.
const PRIVATE: &str = include_str!("fixtures/es256.key.pem");
const PUBLIC: &str = include_str!("fixtures/es256.pub.pem");
const OTHER_PRIVATE: &str = include_str!("fixtures/es256-other.key.pem");

async fn come(world: &World, source: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::get(format!("/scim/{source}/v2/Users"));
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    world.send(request.body(Body::empty()).expect("a request")).await
}

fn cause() -> Cause {
    Cause::new(Actor::Operator("test".into()))
}

#[tokio::test]
async fn a_token_comes_in_with_and_without_the_word_bearer() {
    let world = World::new().await;
    for value in [
        world.token.clone(),
        format!("Bearer {}", world.token),
        format!("bearer {}", world.token),
    ] {
        come(&world, "idp", Some(&value)).await.expect(200);
    }
}

#[tokio::test]
async fn without_a_good_token_nobody_comes_in() {
    let world = World::new().await;
    let forged = format!("{}x", world.token);
    for value in [
        None,
        Some("non-token"),
        Some("Bearer"),
        Some("Basic dXNlcjpwYXNz"),
        Some(forged.as_str()),
    ] {
        let answer = come(&world, "idp", value).await;
        assert!(
            answer.header(header::WWW_AUTHENTICATE).starts_with("Bearer"),
            "{value:?}"
        );
        let detail = answer.refused(401, None);
        assert!(!detail.contains(&world.token), "{detail}");
    }
}

#[tokio::test]
async fn a_token_of_another_source_or_of_the_api_is_forbidden() {
    let world = World::new().await;
    let detail = come(&world, "other", Some(&world.token)).await.refused(403, None);
    assert!(detail.contains("/scim/idp/v2"), "{detail}");
    assert_eq!(
        come(&world, "nowhere", Some(&world.token))
            .await
            .refused(403, None),
        detail
    );
    let admin = world.role_token(Role::Admin).await.token;
    come(&world, "idp", Some(&admin)).await.refused(403, None);
}

#[tokio::test]
async fn another_sources_resources_do_not_exist() {
    let world = World::new().await;
    let (user, group) = (world.user("ada").await, world.group("Board", &[]).await);
    let other = world.source_token("other", None).await.token;
    for path in [format!("/Users/{user}"), format!("/Groups/{group}")] {
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let body = match method {
                "PUT" => json!({ "userName": "x", "displayName": "x" }).to_string(),
                "PATCH" => json!({ "Operations": [] }).to_string(),
                _ => String::new(),
            };
            let request = Request::builder()
                .method(method)
                .uri(format!("/scim/other/v2{path}"))
                .header(header::AUTHORIZATION, &other)
                .body(Body::from(body))
                .expect("a request");
            world.send(request).await.refused(404, None);
        }
    }
    let list = come(&world, "other", Some(&other)).await.expect(200).json();
    assert_eq!(list["totalResults"], 0);
}

#[tokio::test]
async fn several_tokens_live_side_by_side_and_expire_alone() {
    let world = World::new().await;
    let short = world
        .source_token("idp", Some("1h".parse().expect("a period")))
        .await
        .token;
    come(&world, "idp", Some(&short)).await.expect(200);
    world.clock.advance(Duration::from_secs(3600));
    assert!(
        come(&world, "idp", Some(&short))
            .await
            .refused(401, None)
            .contains("expired")
    );
    come(&world, "idp", Some(&world.token)).await.expect(200);
}

#[tokio::test]
async fn a_revoked_token_is_refused_within_a_second() {
    let world = World::new().await;
    let token = world.source_token("idp", None).await;
    come(&world, "idp", Some(&token.token)).await.expect(200);
    assert!(
        revoke_token(&world.engine, cause(), token.id)
            .await
            .expect("it is there")
    );
    assert!(
        !revoke_token(&world.engine, cause(), token.id)
            .await
            .expect("it is there")
    );
    let answer = eventually("the token to be refused", Duration::from_secs(1), async || {
        Some(come(&world, "idp", Some(&token.token)).await).filter(|answer| answer.status != 200)
    })
    .await;
    assert!(answer.refused(401, None).contains("revoked"));
}

#[tokio::test]
async fn too_many_refusals_are_answered_429_and_a_good_token_still_passes() {
    let world = World::with("[server]\nauth_failures_per_minute = 3\n").await;
    for _ in 0..3 {
        come(&world, "idp", Some("wrong")).await.refused(401, None);
    }
    let answer = come(&world, "idp", Some("wrong")).await;
    assert_eq!(answer.header(header::RETRY_AFTER), "60");
    answer.refused(429, None);
    come(&world, "idp", Some(&world.token)).await.expect(200);
}

#[tokio::test]
async fn when_a_token_was_used_is_written_down() {
    let world = World::new().await;
    let access = usher_server::access::Access::new(world.engine.clone(), 10, BTreeSet::new());
    let headers = {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, world.token.parse().expect("a header"));
        headers
    };
    access.source("idp", &headers, None).await.expect("a good token");
    access.write_uses().await.expect("a database");
    let rows: Result<Vec<_>, EngineError> = world
        .engine
        .read(|tx| Box::pin(async move { Ok(usher_storage::query::token::all(tx).await?) }))
        .await;
    assert!(rows.expect("rows")[0].last_used.is_some());
}

fn signed(world: &World, claims: &serde_json::Value, key: &str, kid: Option<&str>) -> String {
    let now = world.engine.now().as_micros() / 1_000_000;
    let mut all = json!({ "iss": "https://idp.example", "aud": "usher", "iat": now, "exp": now + 600 });
    for (name, value) in claims.as_object().expect("claims") {
        all[name] = match value.as_i64() {
            Some(offset) => json!(now + offset),
            None => value.clone(),
        };
    }
    let header = Header {
        kid: kid.map(str::to_owned),
        ..Header::new(Algorithm::ES256)
    };
    let key = EncodingKey::from_ec_pem(key.as_bytes()).expect("a private key");
    jsonwebtoken::encode(&header, &all, &key).expect("a token")
}

fn key_request(source: &str) -> KeyRequest {
    KeyRequest {
        source: source.parse().expect("a name"),
        label: "test".into(),
        algorithm: "ES256".into(),
        public_key: PUBLIC.into(),
        issuer: "https://idp.example".into(),
        audience: "usher".into(),
        key_id: Some("k1".into()),
    }
}

#[tokio::test]
async fn a_token_signed_with_a_registered_key_comes_in() {
    let world = World::new().await;
    let key = register_key(&world.engine, cause(), key_request("idp"))
        .await
        .expect("a good key");
    for kid in [None, Some("k1")] {
        let token = signed(&world, &json!({}), PRIVATE, kid);
        come(&world, "idp", Some(&format!("Bearer {token}")))
            .await
            .expect(200);
        come(&world, "idp", Some(&token)).await.expect(200);
    }
    let token = signed(&world, &json!({}), PRIVATE, None);
    come(&world, "other", Some(&token)).await.refused(401, None);
    assert!(
        revoke_key(&world.engine, cause(), key.id, None)
            .await
            .expect("it is there")
    );
    eventually("the key to be refused", Duration::from_secs(1), async || {
        (come(&world, "idp", Some(&token)).await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn signed_tokens_that_break_a_rule_are_refused() {
    let world = World::new().await;
    register_key(&world.engine, cause(), key_request("idp"))
        .await
        .expect("a good key");
    let none = "eyJhbGciOiJub25lIn0.e30.".to_owned();
    let symmetric = {
        let header = Header::new(Algorithm::HS256);
        let now = world.engine.now().as_micros() / 1_000_000;
        let claims = json!({ "iss": "https://idp.example", "aud": "usher", "iat": now, "exp": now + 600 });
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(PUBLIC.as_bytes())).expect("a token")
    };
    for (what, token) in [
        (
            "expired",
            signed(&world, &json!({ "iat": -1000, "exp": -100 }), PRIVATE, None),
        ),
        (
            "lives too long",
            signed(&world, &json!({ "exp": 3601 }), PRIVATE, None),
        ),
        (
            "from the future",
            signed(&world, &json!({ "iat": 300 }), PRIVATE, None),
        ),
        ("not yet", signed(&world, &json!({ "nbf": 300 }), PRIVATE, None)),
        (
            "wrong issuer",
            signed(&world, &json!({ "iss": "https://evil.example" }), PRIVATE, None),
        ),
        (
            "wrong audience",
            signed(&world, &json!({ "aud": "else" }), PRIVATE, None),
        ),
        (
            "no issue time",
            signed(&world, &json!({ "iat": null }), PRIVATE, None),
        ),
        ("wrong key id", signed(&world, &json!({}), PRIVATE, Some("k2"))),
        (
            "another key",
            signed(&world, &json!({}), OTHER_PRIVATE, Some("k1")),
        ),
        ("no algorithm", none),
        ("the public key as a secret", symmetric),
        ("three dots of nothing", "a.b.c".into()),
    ] {
        let answer = come(&world, "idp", Some(&format!("Bearer {token}"))).await;
        assert_eq!(answer.status, 401, "{what}");
        answer.refused(401, None);
    }
}

#[tokio::test]
async fn no_key_serves_two_sources_and_no_private_key_is_taken() {
    let world = World::new().await;
    let key = register_key(&world.engine, cause(), key_request("idp"))
        .await
        .expect("a good key");
    for source in ["idp", "other"] {
        let error = register_key(&world.engine, cause(), key_request(source))
            .await
            .expect_err("a second time");
        assert!(matches!(error, EngineError::Conflict(_)), "{error}");
    }
    let private = KeyRequest {
        public_key: PRIVATE.into(),
        ..key_request("other")
    };
    let error = register_key(&world.engine, cause(), private)
        .await
        .expect_err("a private key");
    assert!(error.to_string().contains("private key"), "{error}");
    let unfit = KeyRequest {
        algorithm: "HS256".into(),
        ..key_request("other")
    };
    assert!(register_key(&world.engine, cause(), unfit).await.is_err());
    let elsewhere = revoke_key(
        &world.engine,
        cause(),
        key.id,
        Some("other".parse().expect("a name")),
    )
    .await;
    assert!(matches!(elsewhere, Err(EngineError::NotFound { .. })));
}
