//! Tokens of the Okta org: what a client has to prove, and what it may not do twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use usher_core::{Clock as _, SystemClock};
use usher_fakes::okta::{Org, Rights, ServiceApp};
use usher_fakes::{Directory, Faults, IdStyle, Served};

struct Client {
    served: Served,
    key: EncodingKey,
    proof_key: EncodingKey,
}

async fn client(dpop: bool) -> (Org, Client) {
    let org = Org::new(Directory::new(IdStyle::Okta));
    let served = org.serve(Faults::none()).await.expect("a free port");
    let pair = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key pair");
    let (key, proof_key) = (pair(), pair());
    org.take_service_app(ServiceApp {
        client_id: "0oaclient".into(),
        public_key_pem: key.public_key_pem(),
        key_id: None,
        rights: Rights::of(&["okta.groups.read"]),
        dpop,
    });
    let signer =
        |pair: &KeyPair| EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a signer");
    let client = Client {
        served,
        key: signer(&key),
        proof_key: signer(&proof_key),
    };
    (org, client)
}

fn now() -> i64 {
    SystemClock.now().as_micros() / 1_000_000
}

impl Client {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.served.url())
    }

    fn claims(&self, jti: &str) -> Value {
        json!({
            "iss": "0oaclient", "sub": "0oaclient", "aud": self.url("/oauth2/v1/token"),
            "exp": now() + 300, "iat": now(), "jti": jti,
        })
    }

    fn assertion(&self, claims: &Value) -> String {
        encode(&Header::new(Algorithm::ES256), claims, &self.key).expect("signed")
    }

    fn proof(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("dpop+jwt".into());
        header.jwk = Some(Jwk::from_encoding_key(&self.proof_key, Algorithm::ES256).expect("a public key"));
        encode(&header, claims, &self.proof_key).expect("signed")
    }

    async fn token(&self, assertion: &str, scope: &str, proof: Option<&str>) -> (u16, Option<String>, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "client_credentials"),
                ("scope", scope),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", assertion),
            ])
            .finish();
        let mut call = reqwest::Client::new()
            .post(self.url("/oauth2/v1/token"))
            .body(body);
        if let Some(proof) = proof {
            call = call.header("dpop", proof);
        }
        let answer = call.send().await.expect("an answer");
        let nonce = answer
            .headers()
            .get("dpop-nonce")
            .map(|nonce| nonce.to_str().expect("text").to_owned());
        (
            answer.status().as_u16(),
            nonce,
            answer.json().await.expect("JSON"),
        )
    }

    async fn groups(&self, authorization: &str, proof: Option<&str>) -> u16 {
        let call = reqwest::Client::new().get(self.url("/api/v1/groups"));
        let mut call = call.header("authorization", authorization);
        if let Some(proof) = proof {
            call = call.header("dpop", proof);
        }
        call.send().await.expect("an answer").status().as_u16()
    }
}

#[tokio::test]
async fn an_assertion_is_good_once() {
    let (_org, client) = client(false).await;
    let assertion = client.assertion(&client.claims("1"));
    let (status, _, token) = client
        .token(&assertion, "okta.groups.read okta.users.read", None)
        .await;
    assert_eq!(
        (status, &token["token_type"], &token["scope"]),
        (200, &json!("Bearer"), &json!("okta.groups.read"))
    );
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    assert_eq!(client.groups(&bearer, None).await, 200);
    let (status, _, error) = client.token(&assertion, "okta.groups.read", None).await;
    assert_eq!((status, &error["error"]), (401, &json!("invalid_client")));
    let (status, _, error) = client
        .token(&client.assertion(&client.claims("2")), "okta.users.read", None)
        .await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_scope")));
}

#[tokio::test]
async fn an_assertion_that_says_something_else_is_refused() {
    let (_org, client) = client(false).await;
    for (name, value) in [
        ("iss", json!("0oaanother")),
        ("sub", json!("0oaanother")),
        ("aud", json!("https://elsewhere.example/oauth2/v1/token")),
        ("exp", json!(now() - 600)),
        ("exp", json!(now() + 7200)),
    ] {
        let mut claims = client.claims(name);
        claims[name] = value.clone();
        let (status, ..) = client
            .token(&client.assertion(&claims), "okta.groups.read", None)
            .await;
        assert_eq!(status, 401, "{name} = {value}");
    }
}

#[tokio::test]
async fn a_bound_token_needs_a_nonce_first_and_a_proof_with_each_request() {
    let (_org, client) = client(true).await;
    let token_url = client.url("/oauth2/v1/token");
    let proof = |jti: &str, nonce: Option<&str>| {
        let mut claims = json!({"htm": "POST", "htu": token_url, "iat": now(), "jti": jti});
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        client.proof(&claims)
    };
    let ask = |jti: &str| client.assertion(&client.claims(jti));
    let (status, _, error) = client.token(&ask("1"), "okta.groups.read", None).await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_dpop_proof")));
    let (status, nonce, error) = client
        .token(&ask("2"), "okta.groups.read", Some(&proof("a", None)))
        .await;
    assert_eq!((status, &error["error"]), (400, &json!("use_dpop_nonce")));
    let with_nonce = proof("b", nonce.as_deref());
    let (status, _, token) = client
        .token(&ask("3"), "okta.groups.read", Some(&with_nonce))
        .await;
    assert_eq!((status, &token["token_type"]), (200, &json!("DPoP")));
    let (status, _, error) = client
        .token(&ask("4"), "okta.groups.read", Some(&with_nonce))
        .await;
    assert_eq!(
        (status, &error["error"]),
        (400, &json!("invalid_dpop_proof")),
        "a proof is good once"
    );

    let token = token["access_token"].as_str().unwrap();
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    let good =
        json!({"htm": "GET", "htu": client.url("/api/v1/groups"), "iat": now(), "jti": "c", "ath": hash});
    let field = format!("DPoP {token}");
    assert_eq!(client.groups(&field, Some(&client.proof(&good))).await, 200);
    for (name, value) in [
        ("jti", json!("c")),
        ("htm", json!("POST")),
        ("htu", json!(client.url("//api/v1/groups"))),
        ("iat", json!(now() - 3600)),
        ("ath", json!("another")),
    ] {
        let mut claims = good.clone();
        claims["jti"] = name.into();
        claims[name] = value;
        assert_eq!(
            client.groups(&field, Some(&client.proof(&claims))).await,
            401,
            "{name}"
        );
    }
    assert_eq!(client.groups(&field, None).await, 401);
    assert_eq!(client.groups(&format!("Bearer {token}"), None).await, 401);
}
