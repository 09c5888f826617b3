//! What is sent, and how answers read.

use serde_json::{Value, json};
use usher_core::{ErrorKind, RetryAdvice};
use usher_outbound::Credentials;

use crate::provider::{Provider, reply};

#[tokio::test]
async fn a_call_shows_the_credential_and_who_calls() {
    let provider = Provider::constant(200, &[], "{}").await;
    let cases = [
        (Credentials::None, None),
        (Credentials::Bearer("t0ken".into()), Some("Bearer t0ken")),
        (
            Credentials::Scheme {
                scheme: "SSWS",
                token: "t0ken".into(),
            },
            Some("SSWS t0ken"),
        ),
        (
            Credentials::Basic {
                username: "ann".into(),
                password: "pässword".into(),
            },
            Some("Basic YW5uOnDDpHNzd29yZA=="),
        ),
    ];
    for (credentials, expected) in cases {
        let client = provider.client(credentials);
        client
            .get("read", &provider.at("/groups?x=1"))
            .send()
            .await
            .unwrap();
        let seen = provider.seen().pop().unwrap();
        assert_eq!(seen.header("authorization"), expected);
        assert_eq!(
            seen.header("user-agent"),
            Some(concat!("usher/", env!("CARGO_PKG_VERSION")))
        );
        assert_eq!(seen.header("accept"), Some("application/json"));
        assert_eq!(seen.uri.to_string(), "/groups?x=1");
        assert_eq!(seen.header("accept-encoding"), None);
    }
}

#[tokio::test]
async fn posts_carry_json_or_a_form() {
    let provider = Provider::constant(200, &[], "{}").await;
    let client = provider.client(Credentials::None);
    let url = provider.at("/batch");
    client
        .post_json("batch", &url, &json!({"a": 1}))
        .send()
        .await
        .unwrap();
    client
        .post_form("form", &url, &[("a", "1 & 2"), ("b", "ü")])
        .send()
        .await
        .unwrap();
    let seen = provider.seen();
    assert_eq!(seen[0].method, "POST");
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(&seen[0].body[..], br#"{"a":1}"#);
    assert_eq!(
        seen[1].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(&seen[1].body[..], b"a=1+%26+2&b=%C3%BC");
}

#[tokio::test]
async fn header_fields_are_the_callers_but_for_those_of_the_client() {
    let provider = Provider::constant(200, &[], "{}").await;
    let client = provider.client(Credentials::Bearer("t0ken".into()));
    let call = || client.get("read", &provider.url);
    call()
        .header("ConsistencyLevel", "eventual")
        .header("Accept", "application/scim+json")
        .send()
        .await
        .unwrap();
    let seen = provider.seen().pop().unwrap();
    assert_eq!(seen.header("consistencylevel"), Some("eventual"));
    assert_eq!(seen.header("accept"), Some("application/scim+json"));
    for (name, value) in [
        ("Authorization", "x"),
        ("dpop", "x"),
        ("x", "a\r\nb: c"),
        ("a b", "x"),
    ] {
        let error = call().header(name, value).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unexpected, "{name}");
    }
    assert_eq!(provider.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_reads_as_json_or_says_where_it_does_not() {
    let provider = Provider::start(|seen, _| {
        let body = match seen.path() {
            "/good" => r#"{"value": [1]}"#,
            "/short" => r#"{"value": ["#,
            "/other" => r#"{"value": "person@contoso.example"}"#,
            _ => "<html>",
        };
        reply(200, &[("x-ms-resource-unit", "3")], body)
    })
    .await;
    let client = provider.client(Credentials::None);
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Page {
        value: Vec<u32>,
    }
    let answer = client.get("read", &provider.at("/good")).send().await.unwrap();
    assert_eq!(answer.json::<Page>().unwrap(), Page { value: vec![1] });
    assert_eq!(answer.header("X-MS-Resource-Unit"), Some("3"));
    assert!(answer.is_success());
    for (path, message) in [
        ("/short", "read: the answer ends too early, at line 1 column 11"),
        (
            "/other",
            "read: the answer is not what the provider documents, at line 1 column 34",
        ),
        ("/html", "read: the answer is not JSON, at line 1 column 1"),
    ] {
        let answer = client.get("read", &provider.at(path)).send().await.unwrap();
        let error = answer.json::<Page>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(!error.to_string().contains("contoso"), "{error}");
    }
}

#[tokio::test]
async fn refusals_map_to_kinds_and_say_what_the_provider_said() {
    let provider = Provider::start(|seen, _| {
        let status = seen.path()[1..].parse().unwrap();
        let body = match status {
            400 => json!({"error": {"code": "Request_BadRequest", "message": "Invalid filter 'x'", "innerError": {}}}),
            403 => json!({"errorCode": "E0000006", "errorSummary": "You do not have permission", "errorCauses": []}),
            404 => json!({"schemas": [], "scimType": "noTarget", "detail": "no such group", "status": "404"}),
            410 => json!({"error": {"code": "syncStateNotFound"}}),
            _ => Value::Null,
        };
        reply(status, &[], body.to_string())
    })
    .await;
    let client = provider.client(Credentials::None);
    let cases = [
        (
            400,
            ErrorKind::Protocol,
            Some("Request_BadRequest: Invalid filter 'x'"),
        ),
        (
            403,
            ErrorKind::Forbidden,
            Some("E0000006: You do not have permission"),
        ),
        (404, ErrorKind::NotFound, Some("noTarget: no such group")),
        (409, ErrorKind::Protocol, None),
        (410, ErrorKind::CheckpointExpired, Some("syncStateNotFound")),
        (500, ErrorKind::Unavailable, None),
        (501, ErrorKind::Unavailable, None),
        (204, ErrorKind::Protocol, None),
    ];
    for (status, kind, said) in cases {
        let url = provider.at(&format!("/{status}?secret=1"));
        let answer = client.get("read", &url).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let error = answer.refused("list_groups");
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(error.operation(), "list_groups");
        let fact = |name| {
            let mut facts = error.context().iter();
            facts.find(|(key, _)| *key == name).map(|(_, value)| &**value)
        };
        assert_eq!(fact("answer"), said, "{status}");
        assert_eq!(fact("status"), Some(&*status.to_string()));
        assert_eq!(
            fact("url"),
            Some(&*provider.at(&format!("/{status}")).to_string())
        );
        let advised = matches!(error.advice(), RetryAdvice::After(_));
        assert_eq!(advised, status >= 500, "{status}");
    }
}

#[tokio::test]
async fn a_401_is_an_error_that_shows_the_challenge() {
    let challenge = "Bearer realm=\"x\", error=\"invalid_token\", error_description=\"it has expired\"";
    let provider = Provider::constant(401, &[("www-authenticate", challenge)], "").await;
    let client = provider.client(Credentials::Bearer("t0ken".into()));
    let error = client.get("read", &provider.url).send().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.advice()),
        (ErrorKind::Unauthorised, RetryAdvice::Never)
    );
    assert!(error.to_string().contains("it has expired"), "{error}");
    assert_eq!(
        provider.seen().len(),
        1,
        "the same token again would be refused again"
    );
}

#[tokio::test]
async fn credentials_that_cannot_be_sent_are_refused_at_once() {
    let provider = Provider::constant(200, &[], "").await;
    for credentials in [
        Credentials::Bearer(String::new().into()),
        Credentials::Bearer("t0ken\n".into()),
        Credentials::Basic {
            username: "a:b".into(),
            password: "c".into(),
        },
    ] {
        let error = provider.builder(credentials).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(!error.to_string().contains("t0ken"), "{error}");
    }
}

#[tokio::test]
async fn a_call_may_move_between_threads() {
    let provider = Provider::constant(200, &[], "{}").await;
    let call = provider.client(Credentials::None).get("read", &provider.url);
    let answer = tokio::spawn(call.send()).await.unwrap().unwrap();
    assert_eq!(answer.body(), b"{}");
}
