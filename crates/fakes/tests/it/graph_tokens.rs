//! The token endpoint of the Microsoft identity platform.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use usher_core::{Clock as _, SystemClock};
use usher_fakes::graph::{Graph, Options};
use usher_fakes::{Directory, Faults, IdStyle};

use crate::graph::{post_form, token};

const ASSERTION_TYPE: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);

async fn graph(options: Options) -> Graph {
    Graph::start(Directory::new(IdStyle::Guid), options, Faults::none())
        .await
        .expect("an answer")
}

async fn outcome(graph: &Graph, credential: &[(&str, &str)]) -> (u16, String) {
    let answer = token(&Client::new(), graph, credential).await;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("an answer");
    if status != 200 {
        let code = body["error_codes"][0].as_u64().expect("a number");
        let description = body["error_description"].as_str().expect("text");
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{body}");
    }
    (status, body["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_secret_has_to_be_the_right_one() {
    let graph = graph(Options::default()).await;
    assert_eq!(outcome(&graph, &[("client_secret", "graph-secret")]).await.0, 200);
    let wrong = outcome(&graph, &[("client_secret", "other")]).await;
    assert_eq!(wrong, (401, "invalid_client".into()));
    assert_eq!(outcome(&graph, &[]).await, (400, "invalid_request".into()));
    assert_eq!(graph.issued(), 1);
}

#[tokio::test]
async fn a_scope_of_another_cloud_is_refused() {
    let graph = graph(Options::default()).await;
    let options = graph.options();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", options.client_id.as_str()),
        ("client_secret", "graph-secret"),
        ("scope", "https://graph.microsoft.us/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", graph.url(), options.tenant);
    let answer = post_form(&Client::new(), url, &fields).await;
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"], "invalid_scope");
}

/// One thing that may be wrong with an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Algorithm,
    Thumbprint,
    Audience,
    Issuer,
    Expired,
    LivesTooLong,
    NoId,
    Key,
}

#[tokio::test]
async fn an_assertion_is_checked_in_every_part() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let other_key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let params = CertificateParams::new(vec!["usher.example".into()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let graph = graph(Options {
        certificate_pem: Some(certificate.pem()),
        ..Options::default()
    })
    .await;
    let options = graph.options();
    for (wrong, expected) in [
        (Wrong::Nothing, 200),
        (Wrong::Algorithm, 401),
        (Wrong::Thumbprint, 401),
        (Wrong::Audience, 401),
        (Wrong::Issuer, 401),
        (Wrong::Expired, 401),
        (Wrong::LivesTooLong, 401),
        (Wrong::NoId, 401),
        (Wrong::Key, 401),
    ] {
        let now = SystemClock.now().as_micros() / 1_000_000;
        let audience = format!("{}/{}/oauth2/v2.0/token", graph.url(), options.tenant);
        let mut claims = json!({
            "aud": audience, "iss": options.client_id, "sub": options.client_id, "jti": "1",
            "nbf": now, "iat": now, "exp": now + 300,
        });
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der())));
        match wrong {
            Wrong::Algorithm => header.alg = Algorithm::RS256,
            Wrong::Thumbprint => header.x5t_s256 = Some("AAAA".into()),
            Wrong::Audience => claims["aud"] = graph.url().into(),
            Wrong::Issuer => claims["iss"] = "somebody".into(),
            Wrong::Expired => claims["exp"] = (now - 3600).into(),
            Wrong::LivesTooLong => claims["exp"] = (now + 3600).into(),
            Wrong::NoId => claims["jti"] = "".into(),
            Wrong::Nothing | Wrong::Key => {}
        }
        let pem = if wrong == Wrong::Key { &other_key } else { &key }.serialize_pem();
        let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        let assertion = encode(&header, &claims, &signing).unwrap();
        let (status, _) = outcome(&graph, &[ASSERTION_TYPE, ("client_assertion", &assertion)]).await;
        assert_eq!(status, expected, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_federated_assertion_is_known_or_not() {
    let graph = graph(Options {
        federated_assertion: Some("a.b.c".into()),
        ..Options::default()
    })
    .await;
    assert_eq!(
        outcome(&graph, &[ASSERTION_TYPE, ("client_assertion", "a.b.c")])
            .await
            .0,
        200
    );
    let unknown = outcome(&graph, &[ASSERTION_TYPE, ("client_assertion", "x.y.z")]).await;
    assert_eq!(unknown, (400, "invalid_request".into()));
}
