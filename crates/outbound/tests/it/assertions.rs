//! Assertions: signed with the client's own key, or read from a file.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, RsaKeySize};
use serde_json::{Value, json};
use usher_core::ErrorKind;
use usher_outbound::{ClientAuthentication, Dpop, PrivateKeyJwt, SigningAlgorithm};

use crate::provider::{Provider, START_SECONDS, clock, part, reply, token, token_error};

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

fn key(algorithm: SigningAlgorithm, pem: String) -> PrivateKeyJwt {
    PrivateKeyJwt {
        algorithm,
        key_pem: pem.into(),
        key_id: None,
        certificate_pem: None,
        lifetime: Duration::from_secs(300),
        audience: None,
    }
}

/// A provider that gives a token to everybody; the assertions it was shown are in its log.
async fn provider() -> Provider {
    Provider::start(|seen, _| match seen.path() {
        "/token" => token("Bearer", "token-1", 1),
        _ => reply(200, &[], "{}"),
    })
    .await
}

/// The assertion of the one token request that a call makes.
async fn assertion(provider: &Provider, authentication: ClientAuthentication) -> String {
    let credentials = provider.oauth(authentication, Dpop::Never);
    let client = provider.builder(credentials).clock(clock()).build().unwrap();
    client.get("read", &provider.at("/read")).send().await.unwrap();
    let seen = provider.seen_at("/token").pop().unwrap();
    assert_eq!(
        seen.form("client_assertion_type").as_deref(),
        Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    );
    assert_eq!(seen.form("client_id").as_deref(), Some("client-1"));
    assert_eq!(seen.form("client_secret"), None);
    assert_eq!(seen.header("authorization"), None);
    seen.form("client_assertion").unwrap()
}

/// Checks the signature with another library, and answers with the claims.
fn verified(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Value {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(token, key, &validation)
        .unwrap()
        .claims
}

#[tokio::test]
async fn a_certificate_signs_as_entra_wants_it() {
    let provider = provider().await;
    let pair = rsa();
    let certificate = CertificateParams::new(vec!["usher".into()])
        .unwrap()
        .self_signed(&pair)
        .unwrap();
    let authentication = ClientAuthentication::PrivateKeyJwt(PrivateKeyJwt {
        // Exported files hold certificate and key one after the other.
        key_pem: format!("{}\n{}", certificate.pem(), pair.serialize_pem()).into(),
        certificate_pem: Some(certificate.pem()),
        ..key(SigningAlgorithm::Ps256, String::new())
    });
    let token = assertion(&provider, authentication.clone()).await;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
    assert_eq!(
        part(&token, 0),
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(digest)})
    );
    let public = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap();
    let mut claims = verified(&token, Algorithm::PS256, &public);
    let name = claims["jti"].take();
    assert!(name.as_str().unwrap().len() >= 16);
    assert_eq!(
        claims,
        json!({
            "aud": provider.at("/token").as_str(),
            "iss": "client-1",
            "sub": "client-1",
            "jti": null,
            "iat": START_SECONDS,
            "nbf": START_SECONDS,
            "exp": START_SECONDS + 300,
        })
    );
    let another = assertion(&provider, authentication).await;
    assert_ne!(part(&another, 1)["jti"], name);
}

#[tokio::test]
async fn every_algorithm_signs_what_another_library_verifies() {
    let provider = provider().await;
    let pair = rsa();
    let public = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap();
    for (algorithm, name) in [
        (SigningAlgorithm::Rs256, Algorithm::RS256),
        (SigningAlgorithm::Rs384, Algorithm::RS384),
        (SigningAlgorithm::Rs512, Algorithm::RS512),
        (SigningAlgorithm::Ps256, Algorithm::PS256),
    ] {
        let key = PrivateKeyJwt {
            key_id: Some("kid-1".into()),
            audience: Some("https://org.example/oauth2/v1/token".into()),
            ..key(algorithm, pair.serialize_pem())
        };
        let token = assertion(&provider, ClientAuthentication::PrivateKeyJwt(key)).await;
        assert_eq!(
            part(&token, 0),
            json!({"alg": format!("{name:?}"), "typ": "JWT", "kid": "kid-1"})
        );
        assert_eq!(
            verified(&token, name, &public)["aud"],
            "https://org.example/oauth2/v1/token"
        );
    }
    for (algorithm, curve, name) in [
        (
            SigningAlgorithm::Es256,
            &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::ES256,
        ),
        (
            SigningAlgorithm::Es384,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            Algorithm::ES384,
        ),
    ] {
        let pair = KeyPair::generate_for(curve).unwrap();
        let key = key(algorithm, pair.serialize_pem());
        let token = assertion(&provider, ClientAuthentication::PrivateKeyJwt(key)).await;
        let public = DecodingKey::from_ec_pem(pair.public_key_pem().as_bytes()).unwrap();
        assert_eq!(verified(&token, name, &public)["iss"], "client-1");
    }
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let key = key(SigningAlgorithm::Es512, pair.serialize_pem());
    let token = assertion(&provider, ClientAuthentication::PrivateKeyJwt(key)).await;
    assert_eq!(part(&token, 0)["alg"], "ES512");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, pair.der_bytes())
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
}

fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

#[tokio::test]
async fn keys_in_older_files_are_read_as_well() {
    let provider = provider().await;
    let pair = rsa();
    // PKCS #8 puts 26 bytes before the PKCS #1 key of this size.
    let pkcs1 = pem("RSA PRIVATE KEY", &pair.serialize_der()[26..]);
    let signed = key(SigningAlgorithm::Rs256, pkcs1);
    let token = assertion(&provider, ClientAuthentication::PrivateKeyJwt(signed)).await;
    let public = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).unwrap();
    assert_eq!(verified(&token, Algorithm::RS256, &public)["sub"], "client-1");

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let sec1 = pem("EC PRIVATE KEY", pair.private_key().as_der().unwrap().as_ref());
    let signed = key(SigningAlgorithm::Es256, sec1);
    let token = assertion(&provider, ClientAuthentication::PrivateKeyJwt(signed)).await;
    let public = DecodingKey::from_ec_der(pair.public_key().as_ref());
    assert_eq!(verified(&token, Algorithm::ES256, &public)["sub"], "client-1");
}

#[tokio::test]
async fn keys_that_cannot_work_are_refused_at_once() {
    let provider = provider().await;
    let (rsa, other) = (rsa(), rsa());
    let curve = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::new(vec!["usher".into()])
        .unwrap()
        .self_signed(&other)
        .unwrap();
    let good = key(SigningAlgorithm::Rs256, rsa.serialize_pem());
    let cases = [
        (
            key(SigningAlgorithm::Es256, rsa.serialize_pem()),
            "does not fit the algorithm ES256",
        ),
        (
            key(SigningAlgorithm::Rs256, curve.serialize_pem()),
            "does not fit the algorithm RS256",
        ),
        (
            key(SigningAlgorithm::Es384, curve.serialize_pem()),
            "does not fit the algorithm ES384",
        ),
        (
            key(SigningAlgorithm::Rs256, rsa.public_key_pem()),
            "there is no private key",
        ),
        (
            key(SigningAlgorithm::Rs256, pem("ENCRYPTED PRIVATE KEY", b"x")),
            "is encrypted",
        ),
        (
            key(SigningAlgorithm::Rs256, pem("PRIVATE KEY", b"x")),
            "does not fit",
        ),
        (
            PrivateKeyJwt {
                certificate_pem: Some(certificate.pem()),
                ..good.clone()
            },
            "the certificate is not that of the private key",
        ),
        (
            PrivateKeyJwt {
                certificate_pem: Some("x".into()),
                ..good.clone()
            },
            "there is no certificate",
        ),
        (
            PrivateKeyJwt {
                lifetime: Duration::ZERO,
                ..good.clone()
            },
            "the lifetime of assertions",
        ),
        (
            PrivateKeyJwt {
                lifetime: Duration::from_secs(3601),
                ..good
            },
            "the lifetime of assertions",
        ),
    ];
    for (key, message) in cases {
        let credentials = provider.oauth(ClientAuthentication::PrivateKeyJwt(key), Dpop::Never);
        let error = provider.builder(credentials).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn a_federated_token_is_read_for_each_request() {
    let provider = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let credentials = provider.oauth(
        ClientAuthentication::FederatedTokenFile(file.clone()),
        Dpop::Never,
    );
    let clock = clock();
    let client = provider
        .builder(credentials)
        .clock(Arc::clone(&clock) as _)
        .build()
        .unwrap();
    for text in ["eyJh.eyJp.c2ln", "eyJh.eyJp.c2xn\n"] {
        std::fs::write(&file, text).unwrap();
        client.get("read", &provider.at("/read")).send().await.unwrap();
        let seen = provider.seen_at("/token").pop().unwrap();
        assert_eq!(seen.form("client_assertion").as_deref(), Some(text.trim()));
        clock.advance(Duration::from_secs(1));
    }
    for (text, message) in [
        (Some("not a token"), "does not hold a JSON web token"),
        (Some(""), "does not hold a JSON web token"),
        (None, "is not there"),
    ] {
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let error = client
            .get("read", &provider.at("/read"))
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    }
    assert_eq!(provider.seen_at("/token").len(), 2);
}

#[tokio::test]
async fn an_assertion_is_not_shown_twice() {
    let provider = Provider::start(|seen, before| match (seen.path(), before) {
        ("/token", 0) => reply(503, &[("retry-after", "0")], ""),
        ("/token", _) => token_error(
            401,
            &[],
            "invalid_client",
            &seen.form("client_assertion").unwrap(),
        ),
        _ => reply(200, &[], "{}"),
    })
    .await;
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = key(SigningAlgorithm::Es256, pair.serialize_pem());
    let credentials = provider.oauth(ClientAuthentication::PrivateKeyJwt(key), Dpop::Never);
    let patience = crate::provider::eager(2);
    let client = provider.builder(credentials).patience(patience).build().unwrap();
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    let shown: Vec<_> = provider
        .seen_at("/token")
        .iter()
        .map(|seen| seen.form("client_assertion").unwrap())
        .collect();
    assert_eq!(shown.len(), 2);
    assert_ne!(shown[0], shown[1]);
    assert!(!error.to_string().contains("eyJ"), "{error}");
}
