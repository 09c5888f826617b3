//! What a receiver gets, and what its answers mean.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use standardwebhooks::Webhook;
use usher_core::{Clock as _, SystemClock};
use usher_webhook::{Guard, Limits, Message, Outcome, Sender, SigningSecret};

use crate::receiver::Receiver;

fn sender(networks: &[&str]) -> Sender {
    let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
    let limits = Limits {
        timeout: Duration::from_secs(60),
        extra_ca: None,
    };
    Sender::new(Guard::new(networks, true), &limits).unwrap()
}

fn message() -> Message {
    Message {
        id: "evt_1_018f6b1e7d2a7c449f0e3a5b6c7d8e9f".into(),
        at: SystemClock.now().as_micros() / 1_000_000,
        body: r#"{"specversion":"1.0","id":"1"}"#.into(),
    }
}

async fn answered(status: u16, header: Option<(&'static str, &'static str)>) -> (Outcome, Receiver) {
    let receiver = Receiver::new(move || {
        let mut response = Response::builder().status(status);
        if let Some((name, value)) = header {
            response = response.header(name, value);
        }
        response.body(Body::empty()).unwrap()
    })
    .await;
    let url = format!("http://{}/hook", receiver.address);
    let outcome = sender(&["127.0.0.0/8"])
        .send(&url, &[SigningSecret::draw()], &message())
        .await;
    (outcome, receiver)
}

#[tokio::test]
async fn the_reference_implementation_accepts_what_either_secret_signed() {
    let receiver = Receiver::new(|| Response::new(Body::empty())).await;
    let secrets = [SigningSecret::draw(), SigningSecret::draw()];
    let url = format!("http://{}/hook", receiver.address);
    let outcome = sender(&["127.0.0.0/8"]).send(&url, &secrets, &message()).await;
    assert_eq!(outcome, Outcome::Delivered);
    let received = receiver.received().remove(0);
    assert_eq!(
        received.headers["content-type"],
        "application/cloudevents+json; charset=utf-8"
    );
    for secret in &secrets {
        let webhook = Webhook::new(&secret.expose()).unwrap();
        webhook.verify(&received.body, &received.headers).unwrap();
    }
    let stranger = Webhook::new(&SigningSecret::draw().expose()).unwrap();
    assert!(stranger.verify(&received.body, &received.headers).is_err());
}

#[tokio::test]
async fn only_a_success_is_one() {
    for status in [200, 202, 204, 299] {
        assert_eq!(answered(status, None).await.0, Outcome::Delivered, "{status}");
    }
    for status in [400, 401, 404, 500, 503] {
        let refused = Outcome::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
        };
        assert_eq!(answered(status, None).await.0, refused, "{status}");
    }
    assert_eq!(answered(410, None).await.0, Outcome::Gone);
}

#[tokio::test]
async fn a_receiver_may_ask_for_time() {
    let (outcome, _) = answered(429, Some(("retry-after", "90"))).await;
    let refused = Outcome::Refused {
        status: StatusCode::TOO_MANY_REQUESTS,
        retry_after: Some(Duration::from_secs(90)),
    };
    assert_eq!(outcome, refused);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (outcome, receiver) = answered(307, Some(("location", "/elsewhere"))).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    let paths: Vec<_> = receiver.received().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/hook"]);
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let endless = || {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 4096]));
        Response::new(Body::from_stream(chunks))
    };
    let receiver = Receiver::new(endless).await;
    let url = format!("http://{}/", receiver.address);
    let outcome = sender(&["127.0.0.0/8"])
        .send(&url, &[SigningSecret::draw()], &message())
        .await;
    assert_eq!(outcome, Outcome::Delivered);
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_allowed() {
    let receiver = Receiver::new(|| Response::new(Body::empty())).await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001"] {
        let url = format!("http://{host}:{port}/");
        let outcome = sender(&["10.0.0.0/8"])
            .send(&url, &[SigningSecret::draw()], &message())
            .await;
        let Outcome::Unreachable(why) = outcome else {
            panic!("{host}: {outcome:?}");
        };
        assert!(why.contains("this machine"), "{host}: {why}");
    }
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let outcome = sender(&["127.0.0.0/8"])
        .send(&url, &[SigningSecret::draw()], &message())
        .await;
    let Outcome::Unreachable(why) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.starts_with("cannot connect: "), "{why}");
}
