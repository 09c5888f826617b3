//! Both kinds of 429.

use std::time::Duration;

use usher_adapter_okta::{OktaAdapter, OktaConfig};
use usher_core::{ErrorKind, RetryAdvice};
use usher_fakes::okta::Busy;
use usher_outbound::Patience;

use crate::world::{World, groups, read};

#[tokio::test]
async fn without_patience_the_advice_is_what_okta_asks_for() {
    let world = World::new().await;
    let (board, _) = world.group_of("Board", &["ann"]);
    world.org.refuse(&[Busy::Rate { seconds: 20 }]);
    let error = read(&world.adapter(), groups(&[&board]))
        .await
        .outcome
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let RetryAdvice::After(wait) = error.advice() else {
        panic!("{error}");
    };
    assert!((15..=25).contains(&wait.as_secs()), "{wait:?}");
    world.org.refuse(&[Busy::Concurrency]);
    let error = read(&world.adapter(), groups(&[&board]))
        .await
        .outcome
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(
        matches!(error.advice(), RetryAdvice::After(wait) if wait < Duration::from_secs(60)),
        "the reset is only an estimate"
    );
}

#[tokio::test]
async fn with_patience_the_read_goes_on() {
    let world = World::new().await;
    let (board, people) = world.group_of("Board", &["ann"]);
    world.org.refuse(&[Busy::Concurrency]);
    let config: OktaConfig = serde_json::from_value(world.with_token(&serde_json::json!({}))).unwrap();
    let adapter = OktaAdapter::tuned(&config, |builder| {
        builder.patience(Patience {
            tries: 3,
            longest_wait: Duration::from_millis(20),
            total: Duration::from_secs(5),
        })
    });
    let report = read(&adapter.unwrap(), groups(&[&board])).await;
    assert_eq!(report.members(&board), people);
}
