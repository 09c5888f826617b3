//! A source that cannot be read is shown as that everywhere, and nobody ends because of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use usher_fakes::Fault;

use super::{Kind, Rig, Way};

/// What goes wrong, and the word for it.
const TROUBLES: [(Fault, &str); 5] = [
    (Fault::Unauthorised, "unauthorised"),
    (Fault::Forbidden, "forbidden"),
    (Fault::ServerError(500), "unavailable"),
    (Fault::CutConnection, "unavailable"),
    (Fault::TooManyRequests(Some(7200)), "rate_limited"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_in_trouble_is_shown_and_ends_nobody() {
    shown_and_ends_nobody(Kind::Entra).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_in_trouble_is_shown_and_ends_nobody() {
    shown_and_ends_nobody(Kind::Okta).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_provider_in_trouble_is_shown_and_ends_nobody() {
    shown_and_ends_nobody(Kind::Scim).await;
}

async fn shown_and_ends_nobody(kind: Kind) {
    let mut rig = Rig::new(kind, Way::Pull).await.expect("no need");
    let directory = rig.idp.directory.clone();
    let group = directory.add_group("Board members");
    directory.assign(&group, true);
    for name in ["ada", "ben", "cia"] {
        rig.idp.person(name, &[&group]);
    }
    let room = rig.open("Board", &group).await;
    rig.convey().await;
    let everybody: BTreeSet<String> = rig.desk.inside(&room.id).await;
    assert_eq!(everybody.len(), 3);
    assert!(
        rig.metrics()
            .await
            .contains("usher_pull_degraded{source=\"idp\"} 0")
    );

    for (fault, word) in TROUBLES {
        rig.idp.faults.always(kind.api_path(), fault);
        let run = rig.run_of(&json!({ "full": true })).await;
        let unseen = run["not_seen"]
            .as_array()
            .is_some_and(|unseen| !unseen.is_empty());
        assert_eq!(rig.desk.inside(&room.id).await, everybody, "{fault:?}: {run:#}");
        if run["state"] == "done" {
            // What is refused of one group is not seen, and the rest goes on.
            assert!(fault == Fault::Forbidden && unseen, "{fault:?}: {run:#}");
        } else {
            assert_eq!(run["state"], "failed", "{fault:?}: {run:#}");
            assert_eq!(run["error"]["kind"], word, "{fault:?}: {run:#}");
            is_degraded(&rig, word).await;
        }
        rig.idp.faults.clear();
    }
    let degraded = rig.desk.told("source.degraded").await;
    let recovered = rig.desk.told("source.recovered").await;
    assert!(degraded.len() - recovered.len() == 1 || degraded.len() == recovered.len());

    rig.sync_full().await;
    let source = rig.source().await;
    assert_eq!(source["pull"]["degraded"], Value::Null, "{source:#}");
    assert_eq!(source["pull"]["failures"], 0, "{source:#}");
    assert!(
        rig.metrics()
            .await
            .contains("usher_pull_degraded{source=\"idp\"} 0")
    );
    let (degraded, recovered) = (
        rig.desk.told("source.degraded").await,
        rig.desk.told("source.recovered").await,
    );
    assert!(
        !degraded.is_empty() && degraded.len() == recovered.len(),
        "{degraded:#?}\n{recovered:#?}"
    );
    assert_eq!(rig.desk.inside(&room.id).await, everybody);
    let listed = rig.world.cli(&["source", "list"]).succeeded().stdout;
    assert!(!listed.contains("since"), "{listed}");
}

async fn is_degraded(rig: &Rig, word: &str) {
    let source = rig.source().await;
    let degraded = &source["pull"]["degraded"];
    assert_eq!(degraded["kind"], word, "{source:#}");
    assert!(
        degraded["reason"].as_str().is_some_and(|why| why.len() > 10),
        "{source:#}"
    );
    assert!(source["pull"]["failures"].as_u64() > Some(0), "{source:#}");
    assert!(
        rig.metrics()
            .await
            .contains("usher_pull_degraded{source=\"idp\"} 1"),
        "the gauge follows"
    );
    let listed = rig.world.cli(&["source", "list"]).succeeded().stdout;
    assert!(listed.contains("since"), "{listed}");
    let drift = rig.world.cli_json(&["source", "drift", "idp"]);
    let drift = drift.as_array().expect("a list");
    assert!(drift.iter().any(|one| one["kind"] == "unreachable"), "{drift:#?}");
    if word == "unauthorised" {
        let failed = rig.world.cli(&["source", "sync", "idp", "--wait"]).refused();
        assert_eq!(failed.code, Some(1), "{failed}");
    }
}
