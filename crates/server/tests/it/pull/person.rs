//! A restore asks the source on the spot.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use usher_engine::{Actor, Cause};

use super::stub::Gate;
use super::{Readable, SOON, unavailable};
use crate::api::{Answer, Api};
use crate::world::eventually;

/// Ada was in the room, was removed, and is back; the id of the open suggestion.
async fn back(hr: &Readable) -> String {
    hr.script.group("board", &["ada", "bob"]);
    hr.room("Board", "board").await;
    let jobs = hr.serve();
    hr.expect_people("Board", &["ada@contoso.com", "bob@contoso.com"])
        .await;
    hr.expect_runs(2).await;
    for people in [&["bob"][..], &["ada", "bob"]] {
        hr.script.group("board", people);
        hr.world.clock.advance(Duration::from_secs(120));
        hr.sync(&json!({ "group": "board" })).await;
    }
    jobs.stop().await;
    assert_eq!(hr.people("Board").await.len(), 2);
    let api = Api::admin(&hr.world).await;
    let open = api.get("/restores").await.expect(200);
    open.items()[0]["id"].as_str().expect("an id").to_owned()
}

async fn plan(hr: &Readable, restore: &str) -> Answer {
    let api = Api::admin(&hr.world).await;
    api.post(&format!("/restores/{restore}/plan"), &json!({})).await
}

async fn apply(hr: &Readable, restore: &str, plan: &Value) -> Answer {
    let api = Api::admin(&hr.world).await;
    let body = json!({ "candidate": plan["candidate"]["id"], "digest": plan["digest"] });
    api.post(&format!("/restores/{restore}/apply"), &body).await
}

#[tokio::test]
async fn a_restore_rests_on_what_the_source_says_now() {
    let hr = Readable::new("restore", "pull").await;
    let restore = back(&hr).await;
    hr.world.clock.advance(Duration::from_secs(3600));
    let shown = plan(&hr, &restore).await.expect(200).body;
    assert!(shown["refusal"].is_null(), "{shown:#}");
    let known = &shown["freshness"][0];
    assert_eq!(
        (&known["source"], &known["unreachable"]),
        (&json!("hr"), &Value::Null),
        "{shown:#}"
    );
    assert!(known["asked"].is_string(), "{shown:#}");
    // The plan was looked at for a while; what counts is what the source says when it is applied.
    hr.world.clock.advance(Duration::from_secs(3600));
    let restored = apply(&hr, &restore, &shown).await.expect(200);
    assert_eq!(restored.body["active"], true);
    let api = Api::admin(&hr.world).await;
    let feed = api.events().await;
    let told = feed.iter().find(|event| {
        event["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("membership.restored"))
    });
    let told = told.expect("an event").clone();
    assert_eq!(told["data"]["asked_seconds_ago"]["hr"], 0, "{told:#}");
    let asked = hr.runs().await;
    assert!(
        asked
            .iter()
            .any(|run| run["cause"] == "restore" && run["state"] == "done"),
        "{asked:#?}"
    );
}

#[tokio::test]
async fn who_left_the_group_a_moment_ago_is_not_restored() {
    let hr = Readable::new("left", "pull").await;
    let restore = back(&hr).await;
    let shown = plan(&hr, &restore).await.expect(200).body;
    hr.script.group("board", &["bob"]);
    let refused = apply(&hr, &restore, &shown).await;
    assert_eq!(refused.status, 409, "{:#}", refused.body);
    assert!(refused.body["next"].is_string(), "{:#}", refused.body);
    assert_eq!(hr.people("Board").await, ["bob@contoso.com"]);
}

#[tokio::test]
async fn a_source_that_cannot_be_asked_stops_a_restore_with_the_next_step() {
    let hr = Readable::new("unasked", "pull").await;
    let restore = back(&hr).await;
    hr.script.fail(Some(unavailable));
    hr.world.clock.advance(Duration::from_secs(3600));
    let shown = plan(&hr, &restore).await.expect(200).body;
    assert_eq!(shown["refusal"]["code"], "source_not_asked", "{shown:#}");
    assert!(
        shown["refusal"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("does not answer"))
    );
    let refused = apply(&hr, &restore, &shown)
        .await
        .refused(409, "source_not_asked");
    assert!(
        refused.body["next"]
            .as_str()
            .is_some_and(|next| next.contains("usher source check hr"))
    );
    hr.script.fail(None);
    hr.world.clock.advance(Duration::from_secs(1));
    apply(&hr, &restore, &shown).await.expect(200);
}

#[tokio::test]
async fn a_person_is_asked_about_beside_a_read_that_goes_on_in_this_process() {
    let hr = Readable::new("beside", "pull").await;
    let restore = back(&hr).await;
    let gate = Arc::new(Gate::default());
    *hr.script.gate.lock().expect("no panic") = Some(Arc::clone(&gate));
    hr.world.clock.advance(Duration::from_secs(400));
    let jobs = hr.serve();
    gate.reached.notified().await;
    let shown = plan(&hr, &restore).await.expect(200).body;
    assert!(shown["refusal"].is_null(), "{shown:#}");
    assert_eq!(shown["freshness"][0]["unreachable"], Value::Null, "{shown:#}");
    *hr.script.gate.lock().expect("no panic") = None;
    gate.open.notify_one();
    // The read that was under way is none the worse for it.
    let runs = eventually("the end of all reads", SOON, async || {
        let runs = hr.runs().await;
        runs.iter().all(|run| !run["ended"].is_null()).then_some(runs)
    })
    .await;
    jobs.stop().await;
    assert!(runs.iter().all(|run| run["state"] == "done"), "{runs:#?}");
}

#[tokio::test]
async fn a_question_waits_for_its_turn_while_another_process_reads() {
    let hr = Readable::new("turn", "pull").await;
    let restore = back(&hr).await;
    let (other, lease) = hr.taken_over().await;
    let end = other.give_lease_back(lease, Cause::new(Actor::Usher("reads".into())));
    let (shown, ended) = tokio::join!(plan(&hr, &restore), end);
    ended.expect("a database");
    let shown = shown.expect(200).body;
    assert!(shown["refusal"].is_null(), "{shown:#}");
}
