//! Long bodies, slow answers, connections that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;
use usher_core::{ErrorKind, RetryAdvice};
use usher_outbound::{Client, Credentials, Patience};

use crate::provider::{Provider, eager, reply};

#[tokio::test]
async fn a_body_above_the_limit_is_refused_however_it_comes() {
    let provider = Provider::start(|seen, _| match seen.path() {
        "/exact" => reply(200, &[], "x".repeat(1000)),
        "/told" => reply(200, &[], "x".repeat(1001)),
        _ => {
            let chunks = (0..4).map(|_| Ok::<_, std::io::Error>("x".repeat(300)));
            reply(200, &[], Body::from_stream(futures_util::stream::iter(chunks)))
        }
    })
    .await;
    let client = provider
        .builder(Credentials::None)
        .max_body(1000)
        .build()
        .unwrap();
    let answer = client.get("read", &provider.at("/exact")).send().await.unwrap();
    assert_eq!(answer.body().len(), 1000);
    for path in ["/told", "/streamed"] {
        let error = client.get("read", &provider.at(path)).send().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.advice()),
            (ErrorKind::Protocol, RetryAdvice::Never)
        );
        assert!(error.to_string().contains("longer than 1000 bytes"), "{error}");
    }
}

/// A server that reads a request and hangs up, after `before` if that is not empty; it counts connections.
async fn hangs_up(before: &'static str) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut start = [0; 1024];
            let read = stream.read(&mut start).await.unwrap();
            assert_ne!(read, 0);
            counted.fetch_add(1, Ordering::SeqCst);
            stream.write_all(before.as_bytes()).await.unwrap();
        }
    });
    (url, count)
}

#[tokio::test]
async fn a_cut_connection_is_repeated_once_if_the_call_only_reads() {
    for cut in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"] {
        for (post, patience, expected) in [
            (false, eager(5), 2),
            (false, Patience::none(), 1),
            (true, eager(5), 1),
        ] {
            let (url, count) = hangs_up(cut).await;
            let client = Client::builder(vec![url.clone()])
                .patience(patience)
                .build()
                .unwrap();
            let call = if post {
                client.post_form("write", &url, &[])
            } else {
                client.get("read", &url)
            };
            let error = call.send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(matches!(error.advice(), RetryAdvice::After(_)));
            assert_eq!(count.load(Ordering::SeqCst), expected, "{cut:?} {post}");
        }
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/x?token=1", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let client = Client::builder(vec![url.clone()])
        .patience(Patience::none())
        .build()
        .unwrap();
    let error = client.get("read", &url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!error.to_string().contains("token=1"), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let client = Client::builder(vec![url.clone()])
        .timeout(Duration::from_millis(50))
        .patience(eager(5))
        .build()
        .unwrap();
    let error = client.get("read", &url).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("did not answer in time"), "{error}");
}
