//! Calls and credentials go to configured origins only.

use usher_core::{ErrorKind, RetryAdvice};
use usher_outbound::{Client, Credentials};

use crate::provider::{Provider, reply};

fn bearer() -> Credentials {
    Credentials::Bearer("t0ken".into())
}

#[tokio::test]
async fn a_redirect_is_refused_and_names_its_target() {
    let elsewhere = Provider::constant(200, &[], "{}").await;
    let location = format!(
        "http://user:pw@localhost:{}/x?token=1",
        elsewhere.url.port().unwrap()
    );
    let provider = Provider::constant(302, &[("location", &location)], "").await;
    let client = provider.client(bearer());
    let error = client.get("read", &provider.url).send().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.advice()),
        (ErrorKind::Protocol, RetryAdvice::Never)
    );
    let text = error.to_string();
    assert!(text.contains("redirects to localhost;"), "{text}");
    assert!(!text.contains("pw") && !text.contains("token=1"), "{text}");
    assert!(elsewhere.seen().is_empty());

    let own = Provider::constant(307, &[("location", "/other")], "").await;
    let error = own
        .client(bearer())
        .get("read", &own.url)
        .send()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("redirects to 127.0.0.1;"), "{error}");
    assert_eq!(own.seen().len(), 1);
}

#[tokio::test]
async fn links_are_followed_unchanged_on_the_same_origin() {
    let provider = Provider::start(|seen, before| {
        let base = format!("http://{}", seen.header("host").unwrap());
        let own = format!("<{base}/a>; rel=\"self\"");
        let next = format!("<{base}/a?after=%2Bq%2c%3B,;~&limit=2>; rel=\"next\"; title=\"x, y\"");
        match before {
            0 => reply(200, &[("link", &own), ("link", &next)], "{}"),
            1 => reply(200, &[("link", "</a?after=2>; rel=next")], "{}"),
            _ => reply(200, &[], "{}"),
        }
    })
    .await;
    let client = provider.client(bearer());
    let mut answer = client.get("read", &provider.at("/a")).send().await.unwrap();
    let mut queries = Vec::new();
    while let Some(next) = answer.links("next").pop() {
        answer = client.follow("read", &next).unwrap().send().await.unwrap();
        queries.push(provider.seen().pop().unwrap().uri.query().unwrap().to_owned());
    }
    assert_eq!(queries, ["after=%2Bq%2c%3B,;~&limit=2", "after=2"]);
    assert_eq!(provider.seen()[1].header("authorization"), Some("Bearer t0ken"));
}

#[tokio::test]
async fn a_link_to_another_origin_is_refused_without_a_request() {
    let elsewhere = Provider::constant(200, &[], "{}").await;
    let provider = Provider::constant(200, &[], "{}").await;
    let client = provider.client(bearer());
    let port = provider.url.port().unwrap();
    for link in [
        elsewhere.at("/next?after=s3cret").to_string(),
        format!("http://localhost:{port}/next?after=s3cret"),
        format!("https://127.0.0.1:{port}/next?after=s3cret"),
        format!("http://127.0.0.1:{port}@evil.example/next?after=s3cret"),
        format!("http://user:s3cret@127.0.0.1:{port}/next"),
        "http://graph.example/?after=s3cret".to_owned(),
        "/next?after=s3cret".to_owned(),
        "javascript:s3cret".to_owned(),
    ] {
        let error = client.follow("read", &link).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{link}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let error = client.get("read", &elsewhere.url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(elsewhere.seen().is_empty());
    assert!(provider.seen().is_empty());
}

#[test]
fn settings_must_name_https_or_this_machine() {
    let build = |urls: &[&str]| {
        let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
        Client::builder(urls).credentials(bearer()).build()
    };
    for urls in [
        &[][..],
        &["http://graph.example"],
        &["https://graph.example", "http://login.example"],
        &["https://user:s3cret@graph.example"],
        &["ftp://127.0.0.1"],
    ] {
        let error = build(urls).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{urls:?}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert!(build(&["http://127.0.0.1:9", "http://[::1]:9", "http://localhost"]).is_ok());
}
