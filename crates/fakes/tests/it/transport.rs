//! Faults of the transport, as a client sees them.

use axum::Router;
use axum::routing::get;
use usher_fakes::{Fault, Faults, Served};

async fn served(faults: &Faults) -> Served {
    let router = Router::new().route("/thing", get(|| async { "hello" }));
    Served::start(router, faults.clone()).await.expect("a free port")
}

#[tokio::test]
async fn faults_are_acted_out_one_after_the_other_and_requests_are_remembered() {
    let faults = Faults::none();
    let served = served(&faults).await;
    faults.at(0, Fault::TooManyRequests(Some(7)));
    faults.at(1, Fault::ServerError(502));
    faults.at(2, Fault::CutConnection);
    let client = reqwest::Client::new();
    let url = format!("{}/thing?a=b", served.url());
    let first = client.get(&url).send().await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(client.get(&url).send().await.unwrap().status(), 502);
    let cut = client.get(&url).send().await;
    let body = match cut {
        Ok(answer) => answer.text().await,
        Err(error) => Err(error),
    };
    assert!(body.is_err(), "the body was cut");
    assert_eq!(
        client.get(&url).send().await.unwrap().text().await.unwrap(),
        "hello"
    );
    let seen = served.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!((seen[0].path.as_str(), seen[0].query.as_str()), ("/thing", "a=b"));
}

#[tokio::test]
async fn a_server_that_nobody_holds_takes_no_more_connections() {
    let served = served(&Faults::none()).await;
    let url = format!("{}/thing", served.url());
    let client = reqwest::Client::new();
    assert!(client.get(&url).send().await.is_ok());
    drop(served);
    let mut refused = false;
    for _ in 0..1000 {
        // The task ends when the runtime next gets to it.
        tokio::task::yield_now().await;
        refused = reqwest::Client::new().get(&url).send().await.is_err();
        if refused {
            break;
        }
    }
    assert!(refused, "the server still answers");
}
