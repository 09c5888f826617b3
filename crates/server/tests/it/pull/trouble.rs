//! A source in trouble is shown, and nobody ends because of it.

use std::time::Duration;

use serde_json::json;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};

use super::{Readable, SOON, unauthorised, unavailable};
use crate::api::Api;
use crate::world::eventually;

#[tokio::test]
async fn a_source_in_trouble_is_degraded_and_recovers_by_itself() {
    let hr = Readable::new("degraded", "pull").await;
    let api = Api::admin(&hr.world).await;
    hr.script.group("board", &["ada"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com"]).await;

    hr.expect_runs(2).await;
    hr.script.fail(Some(unauthorised));
    hr.world.clock.advance(Duration::from_secs(301));
    let degraded = eventually("trouble", SOON, async || {
        let source = hr.source().await;
        (!source["pull"]["degraded"].is_null()).then_some(source)
    })
    .await;
    assert_eq!(
        degraded["pull"]["degraded"]["kind"], "unauthorised",
        "{degraded:#}"
    );
    let reason = degraded["pull"]["degraded"]["reason"]
        .as_str()
        .unwrap_or_default();
    assert!(reason.contains("credential was refused"), "{reason}");
    assert_eq!(hr.people("Board").await, ["ada@contoso.com"]);
    let drift = api.get("/sources/hr/drift").await.expect(200);
    assert_eq!(drift.items()[0]["kind"], "unreachable", "{drift:#?}");
    let failed = hr.runs().await[0].clone();
    assert_eq!(
        (&failed["state"], &failed["error"]["kind"]),
        (&json!("failed"), &json!("unauthorised"))
    );

    hr.script.fail(None);
    hr.world.clock.advance(Duration::from_secs(301));
    eventually("recovery", SOON, async || {
        hr.source().await["pull"]["degraded"].is_null().then_some(())
    })
    .await;
    jobs.stop().await;
    let events = hr.health_events().await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].ends_with("source.degraded") && events[1].ends_with("source.recovered"));
}

#[tokio::test]
async fn what_may_be_repeated_is_repeated_sooner_and_sooner_forgotten() {
    let hr = Readable::new("backoff", "pull").await;
    hr.script.group("board", &["ada"]);
    hr.script.fail(Some(unavailable));
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    let failures = async || hr.source().await["pull"]["failures"].as_u64().unwrap_or(0);
    eventually("a first failure", SOON, async || {
        (failures().await >= 1).then_some(())
    })
    .await;
    // Well before the schedule, which comes every five minutes.
    hr.world.clock.advance(Duration::from_secs(31));
    eventually("a further failure", SOON, async || {
        (failures().await >= 2).then_some(())
    })
    .await;
    hr.script.fail(None);
    hr.world.clock.advance(Duration::from_secs(3600));
    hr.expect_people("Board", &["ada@contoso.com"]).await;
    jobs.stop().await;
}

#[tokio::test]
async fn an_expired_checkpoint_leads_to_a_complete_read_and_to_no_trouble() {
    fn expired() -> AdapterError {
        let message = "the checkpoint is too old";
        AdapterError::new(ErrorKind::CheckpointExpired, RetryAdvice::Now, "read", message)
    }
    let hr = Readable::new("expired", "pull").await;
    hr.script.group("board", &["ada"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com"]).await;
    hr.expect_runs(2).await;
    hr.script.fail_once(expired);
    hr.world.clock.advance(Duration::from_secs(301));
    // The one that found out, and the complete one that follows at once.
    hr.expect_runs(4).await;
    jobs.stop().await;
    let runs = hr.runs().await;
    let found_out = runs
        .iter()
        .find(|run| run["error"]["kind"] == "checkpoint_expired");
    assert_eq!(
        found_out.map(|run| run["full"].clone()),
        Some(json!(false)),
        "{runs:#?}"
    );
    let complete = runs
        .iter()
        .filter(|run| run["scope"] == "all" && run["full"] == true);
    assert_eq!(
        complete.filter(|run| run["state"] == "done").count(),
        2,
        "{runs:#?}"
    );
    assert!(hr.health_events().await.is_empty());
}

#[tokio::test]
async fn another_tenant_is_never_read() {
    let hr = Readable::new("tenant", "pull").await;
    hr.script.tenant("contoso");
    hr.script.group("board", &["ada"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com"]).await;
    jobs.stop().await;
    assert_eq!(hr.source().await["tenant"], "contoso");

    // The settings point elsewhere, where nobody of this directory is: a new process finds out.
    let elsewhere = hr.restarted().await;
    elsewhere.script.tenant("fabrikam");
    elsewhere.script.group("board", &[]);
    elsewhere.world.clock.advance(Duration::from_secs(301));
    let jobs = elsewhere.serve();
    let degraded = eventually("trouble", SOON, async || {
        let source = elsewhere.source().await;
        (!source["pull"]["degraded"].is_null()).then_some(source)
    })
    .await;
    jobs.stop().await;
    assert_eq!(
        degraded["pull"]["degraded"]["kind"], "source_tenant_changed",
        "{degraded:#}"
    );
    assert_eq!(elsewhere.people("Board").await, ["ada@contoso.com"]);
    let api = Api::admin(&elsewhere.world).await;
    let checked = api.post("/sources/hr/check", &json!({})).await.expect(200);
    assert_eq!(checked.body["good"], false);
    assert!(
        checked.body["refusal"]
            .as_str()
            .is_some_and(|text| text.contains("fabrikam"))
    );
}
