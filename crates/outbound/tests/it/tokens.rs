//! Access tokens: how they are asked for, kept, renewed and refused.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use usher_core::{ErrorKind, RetryAdvice};
use usher_outbound::{Client, ClientAuthentication, ClientCredentials, Credentials, Dpop};

use crate::provider::{Provider, Seen, clock, eager, reply, secret, token, token_error};

/// Gives out `token-1`, `token-2` and so on, and answers everything else with 200.
fn numbered(lifetime: u64) -> impl Fn(&Seen, usize) -> crate::provider::Reply {
    let given = std::sync::atomic::AtomicUsize::new(0);
    move |seen, _| {
        if seen.path() == "/token" {
            let number = given.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            token("Bearer", &format!("token-{number}"), lifetime)
        } else {
            reply(200, &[], "{}")
        }
    }
}

async fn read(client: &Client, provider: &Provider) {
    let answer = client.get("read", &provider.at("/read")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

fn shown(provider: &Provider) -> Vec<String> {
    let seen = provider.seen_at("/read").into_iter();
    seen.map(|one| one.header("authorization").unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_it_expires() {
    let provider = Provider::start(numbered(3600)).await;
    let clock = clock();
    let credentials = provider.oauth(secret(), Dpop::Never);
    let client = provider
        .builder(credentials)
        .clock(Arc::clone(&clock) as _)
        .build()
        .unwrap();
    read(&client, &provider).await;
    read(&client.clone(), &provider).await;
    clock.advance(Duration::from_secs(3600 - 301));
    read(&client, &provider).await;
    clock.advance(Duration::from_secs(1));
    read(&client, &provider).await;
    assert_eq!(
        shown(&provider),
        [
            "Bearer token-1",
            "Bearer token-1",
            "Bearer token-1",
            "Bearer token-2"
        ]
    );
}

#[tokio::test]
async fn a_short_token_is_renewed_a_tenth_before_its_end() {
    let provider = Provider::start(numbered(60)).await;
    let clock = clock();
    let credentials = provider.oauth(secret(), Dpop::Never);
    let client = provider
        .builder(credentials)
        .clock(Arc::clone(&clock) as _)
        .build()
        .unwrap();
    for seconds in [0, 53, 1] {
        clock.advance(Duration::from_secs(seconds));
        read(&client, &provider).await;
    }
    assert_eq!(
        shown(&provider),
        ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    );
}

#[tokio::test]
async fn one_token_is_asked_for_while_the_others_wait() {
    let provider = Provider::start(numbered(3600)).await;
    let client = provider.client(provider.oauth(secret(), Dpop::WhenAsked));
    let calls = (0..12).map(|_| client.get("read", &provider.at("/read")).send());
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(provider.seen_at("/token").len(), 1);
    assert_eq!(provider.seen_at("/read").len(), 12);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let provider = Provider::start(|seen, before| match (seen.path(), seen.header("authorization")) {
        ("/token", _) => token("Bearer", &format!("token-{before}"), 3600),
        (_, Some("Bearer token-2")) => reply(200, &[], "{}"),
        _ => reply(401, &[], "{}"),
    })
    .await;
    let client = provider.client(provider.oauth(secret(), Dpop::Never));
    read(&client, &provider).await;
    assert_eq!(shown(&provider), ["Bearer token-0", "Bearer token-2"]);
    read(&client, &provider).await;
    assert_eq!(provider.seen_at("/token").len(), 2);
}

#[tokio::test]
async fn a_second_refusal_is_the_answer() {
    let provider = Provider::start(|seen, before| {
        if seen.path() == "/token" {
            token("Bearer", &format!("token-{before}"), 3600)
        } else {
            reply(
                401,
                &[],
                r#"{"error": {"code": "InvalidAuthenticationToken", "message": "no"}}"#,
            )
        }
    })
    .await;
    let client = provider.client(provider.oauth(secret(), Dpop::Never));
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    assert!(
        error.to_string().contains("InvalidAuthenticationToken: no"),
        "{error}"
    );
    assert_eq!(provider.seen_at("/token").len(), 2);
    assert_eq!(provider.seen_at("/read").len(), 2);
}

#[tokio::test]
async fn a_secret_goes_into_the_body_or_the_header() {
    let provider = Provider::start(numbered(3600)).await;
    read(&provider.client(provider.oauth(secret(), Dpop::Never)), &provider).await;
    let basic = ClientAuthentication::SecretBasic("a:b c".into());
    read(&provider.client(provider.oauth(basic, Dpop::Never)), &provider).await;
    let seen = provider.seen_at("/token");
    assert_eq!(seen[0].method, "POST");
    assert_eq!(
        seen[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    for (field, value) in [
        ("grant_type", "client_credentials"),
        ("scope", "groups.read users.read"),
        ("client_id", "client-1"),
        ("client_secret", "client-secret"),
    ] {
        assert_eq!(seen[0].form(field).as_deref(), Some(value), "{field}");
    }
    assert_eq!(seen[0].header("authorization"), None);
    // Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
    let pair = format!("Basic {}", STANDARD.encode("client-1:a%3Ab+c"));
    assert_eq!(seen[1].header("authorization"), Some(&*pair));
    assert_eq!(seen[1].form("client_secret"), None);
}

#[tokio::test]
async fn an_access_token_does_not_go_to_the_token_endpoint() {
    let login = Provider::start(numbered(3600)).await;
    let provider = Provider::constant(200, &[], "{}").await;
    let client = provider.client(login.oauth(secret(), Dpop::Never));
    read(&client, &provider).await;
    let error = client.get("read", &login.at("/read")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert_eq!(login.seen().len(), 1);
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_say_what_to_do() {
    let later = |seconds| RetryAdvice::After(Duration::from_secs(seconds));
    let cases = [
        (
            401,
            "invalid_client",
            "bad",
            ErrorKind::Unauthorised,
            RetryAdvice::Never,
        ),
        (
            400,
            "unauthorized_client",
            "AADSTS700016: Application not found",
            ErrorKind::Unauthorised,
            RetryAdvice::Never,
        ),
        (
            400,
            "invalid_request",
            "AADSTS90002: Tenant not found",
            ErrorKind::Unauthorised,
            RetryAdvice::Never,
        ),
        (
            400,
            "invalid_scope",
            "One or more scopes",
            ErrorKind::InvalidConfig,
            RetryAdvice::Never,
        ),
        (
            400,
            "invalid_client",
            "AADSTS70021: No matching federated identity record",
            ErrorKind::Unavailable,
            later(60),
        ),
        (
            400,
            "invalid_dpop_proof",
            "The DPoP proof JWT header is missing.",
            ErrorKind::InvalidConfig,
            RetryAdvice::Never,
        ),
        (
            400,
            "temporarily_unavailable",
            "AADSTS90033: A transient error",
            ErrorKind::Unavailable,
            later(30),
        ),
        (500, "server_error", "oops", ErrorKind::Unavailable, later(30)),
    ];
    for (status, error, description, kind, advice) in cases {
        let provider = Provider::start(move |_, _| token_error(status, &[], error, description)).await;
        let client = provider.client(provider.oauth(secret(), Dpop::Never));
        let found = client
            .get("read", &provider.at("/read"))
            .send()
            .await
            .unwrap_err();
        assert_eq!((found.kind(), found.advice()), (kind, advice), "{error}: {found}");
        assert_eq!(found.operation(), "token");
        let text = found.to_string();
        assert!(text.contains(&format!("(error {error})")), "{text}");
        assert!(text.contains(&format!("(description {description})")), "{text}");
        assert!(provider.seen_at("/read").is_empty());
    }
}

#[tokio::test]
async fn a_description_is_shown_in_short() {
    let long = format!("AADSTS7000215: bad\r\n{}", "word ".repeat(1000));
    let provider = Provider::start(move |_, _| token_error(401, &[], "invalid_client", &long)).await;
    let client = provider.client(provider.oauth(secret(), Dpop::Never));
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.len() < 700 && text.contains("AADSTS7000215: bad word"),
        "{text}"
    );
    assert!(!text.contains('\n'), "{text}");
}

#[tokio::test]
async fn what_is_no_token_response_is_a_protocol_error() {
    let cases = [
        (200, "<html>sign in</html>", ErrorKind::Protocol),
        (200, "", ErrorKind::Protocol),
        (200, r#"{"token_type": "Bearer"}"#, ErrorKind::Protocol),
        (
            200,
            r#"{"token_type": "mac", "access_token": "t0ken"}"#,
            ErrorKind::Protocol,
        ),
        (
            200,
            r#"{"token_type": "DPoP", "access_token": "t0ken"}"#,
            ErrorKind::Protocol,
        ),
        (
            200,
            r#"{"token_type": "Bearer", "access_token": "t0\nken"}"#,
            ErrorKind::Protocol,
        ),
        (404, "<html>not found</html>", ErrorKind::Protocol),
        (404, "", ErrorKind::Protocol),
        (502, "<html>", ErrorKind::Unavailable),
    ];
    for (status, body, kind) in cases {
        let provider = Provider::constant(status, &[], body).await;
        let client = provider.client(provider.oauth(secret(), Dpop::Never));
        let error = client
            .get("read", &provider.at("/read"))
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert!(
            !error.to_string().contains("ken\"") && !error.to_string().contains("t0"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_token_endpoint_is_waited_for_as_well() {
    let provider = Provider::start(|seen, before| match before {
        0 => reply(429, &[("retry-after", "0")], ""),
        1 => reply(503, &[], ""),
        2 => reply(502, &[], ""),
        _ if seen.path() == "/token" => token("bearer", "token-1", 3600),
        _ => reply(200, &[], "{}"),
    })
    .await;
    let credentials = provider.oauth(secret(), Dpop::Never);
    let client = provider.builder(credentials).patience(eager(5)).build().unwrap();
    read(&client, &provider).await;
    assert_eq!(provider.seen_at("/token").len(), 4);

    let provider = Provider::constant(429, &[("retry-after", "600")], "").await;
    let client = provider.client(provider.oauth(secret(), Dpop::Never));
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.advice(), RetryAdvice::After(Duration::from_secs(600)));

    let provider = Provider::constant(302, &[("location", "https://evil.example/x")], "").await;
    let client = provider.client(provider.oauth(secret(), Dpop::Never));
    let error = client
        .get("read", &provider.at("/read"))
        .send()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("redirects to evil.example"), "{error}");
}

#[tokio::test]
async fn client_credentials_that_cannot_work_are_refused_at_once() {
    let provider = Provider::constant(200, &[], "").await;
    let good = ClientCredentials {
        token_url: provider.at("/token"),
        client_id: "client-1".into(),
        scopes: Vec::new(),
        authentication: secret(),
        dpop: Dpop::Never,
    };
    let cases = [
        ClientCredentials {
            token_url: "http://login.example/token".parse().unwrap(),
            ..good.clone()
        },
        ClientCredentials {
            client_id: String::new(),
            ..good.clone()
        },
        ClientCredentials {
            authentication: ClientAuthentication::SecretInBody("".into()),
            ..good.clone()
        },
    ];
    for credentials in cases {
        let error = provider
            .builder(Credentials::OAuth(credentials))
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }
    assert!(provider.builder(Credentials::OAuth(good)).build().is_ok());
}
