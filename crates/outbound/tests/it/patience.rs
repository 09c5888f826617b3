//! What happens when the provider says "later".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use usher_core::{ErrorKind, RetryAdvice};
use usher_outbound::{Credentials, Patience};

use crate::provider::{Provider, Reply, eager, reply};

/// Answers `refusal` so many times, then 200.
async fn busy(times: usize, refusal: impl Fn() -> Reply + Send + Sync + 'static) -> Provider {
    Provider::start(move |_, before| {
        if before < times {
            refusal()
        } else {
            reply(200, &[], "{}")
        }
    })
    .await
}

fn later(status: u16, after: &'static str) -> impl Fn() -> Reply {
    move || reply(status, &[("retry-after", after)], "")
}

#[tokio::test]
async fn a_refusal_is_waited_for_within_the_tries() {
    for status in [429, 503] {
        for patience in [eager(3), eager(5)] {
            let provider = busy(2, later(status, "0")).await;
            let client = provider
                .builder(Credentials::None)
                .patience(patience)
                .build()
                .unwrap();
            let answer = client.get("read", &provider.url).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(provider.seen().len(), 3);
        }
    }
}

#[tokio::test]
async fn a_refused_post_is_repeated_with_its_body() {
    let provider = busy(1, later(429, "0")).await;
    let client = provider
        .builder(Credentials::None)
        .patience(eager(2))
        .build()
        .unwrap();
    let call = client.post_json("batch", &provider.url, &[1, 2]);
    assert_eq!(call.send().await.unwrap().status(), 200);
    let bodies: Vec<_> = provider.seen().into_iter().map(|one| one.body).collect();
    assert_eq!(bodies, ["[1,2]", "[1,2]"]);
}

#[tokio::test]
async fn patience_ends_with_the_time_asked_as_advice() {
    let provider = busy(9, later(429, "0")).await;
    let client = provider
        .builder(Credentials::None)
        .patience(eager(3))
        .build()
        .unwrap();
    let error = client.get("read", &provider.url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.advice(), RetryAdvice::After(Duration::ZERO));
    assert_eq!(provider.seen().len(), 3);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_not_begun() {
    let cases = [
        (later(429, "86400"), ErrorKind::RateLimited, 86_400),
        (later(503, "120"), ErrorKind::Unavailable, 120),
        (later(429, "18446744073709551615"), ErrorKind::RateLimited, 86_400),
    ];
    for (refusal, kind, seconds) in cases {
        let provider = busy(1, refusal).await;
        let client = provider
            .builder(Credentials::None)
            .patience(Patience::default())
            .build()
            .unwrap();
        let error = client.get("read", &provider.url).send().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.advice(), RetryAdvice::After(Duration::from_secs(seconds)));
        assert_eq!(provider.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_without_a_time_is_waited_for_all_the_same() {
    let provider = busy(1, || reply(503, &[], "")).await;
    let client = provider
        .builder(Credentials::None)
        .patience(eager(2))
        .build()
        .unwrap();
    assert!(
        client
            .get("read", &provider.url)
            .send()
            .await
            .unwrap()
            .is_success()
    );

    let provider = busy(1, || reply(503, &[], "")).await;
    let client = provider.client(Credentials::None);
    let error = client.get("read", &provider.url).send().await.unwrap_err();
    assert!(matches!(error.advice(), RetryAdvice::After(time) if !time.is_zero()));
}

#[tokio::test]
async fn a_failure_of_the_provider_is_repeated_once_if_the_call_only_reads() {
    for status in [500, 502, 504] {
        let provider = busy(1, move || reply(status, &[], "")).await;
        let client = provider
            .builder(Credentials::None)
            .patience(eager(5))
            .build()
            .unwrap();
        let answer = client.get("read", &provider.url).send().await.unwrap();
        assert_eq!(answer.status(), 200);

        let provider = busy(9, move || reply(status, &[], "")).await;
        let client = provider
            .builder(Credentials::None)
            .patience(eager(5))
            .build()
            .unwrap();
        let answer = client.get("read", &provider.url).send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(provider.seen().len(), 2);
        let answer = client
            .post_form("write", &provider.url, &[])
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(provider.seen().len(), 3);
    }
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_allowed() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    // The provider has a call in its hands until the body was read, which the stream notices.
    let provider = Provider::start(move |_, _| {
        let now = Arc::clone(&now);
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let end = futures_util::stream::once(async move {
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>("{}")
        });
        reply(200, &[], axum::body::Body::from_stream(end))
    })
    .await;
    let client = provider.builder(Credentials::None).in_flight(2).build().unwrap();
    let calls = (0..20).map(|_| client.get("read", &provider.url).send());
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert!(most.load(Ordering::SeqCst) <= 2);
    assert_eq!(running.load(Ordering::SeqCst), 0);
}
