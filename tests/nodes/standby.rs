//! A primary with a synchronous standby: the primary is killed under load, and the standby takes over.

use tokio::time::Instant;
use usher_testpg::Cluster;

use super::rig::Rig;
use super::three_nodes::durable;
use crate::harness::{Client, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_under_load_and_nothing_acknowledged_is_lost() {
    if usher_testpg::is_left_out() {
        return;
    }
    let primary = durable();
    let standby = primary.standby().await.expect("a standby");
    let hosts = [&primary, &standby].map(|cluster| {
        let folder = cluster.folder().display().to_string();
        folder.replace('/', "%2F")
    });
    // The database that every cluster has: nobody has to drop it from one that waits for a standby.
    let url = format!(
        "postgres://postgres@{}/postgres?target_session_attrs=read-write",
        hosts.join(",")
    );
    let mut rig = Rig::new(url).await;
    let nodes: Vec<u32> = (0..rig.fleet.len())
        .map(|node| rig.fleet.server(node).pid())
        .collect();
    rig.begin();
    rig.acknowledged(400).await;
    let primary = kill(primary).await;
    let killed = Instant::now();
    for node in 0..rig.fleet.len() {
        is_ready(&rig, node, false).await;
    }
    let noticed = killed.elapsed();
    standby.promote().await.expect("the standby takes over");
    let promoted = Instant::now();
    for node in 0..rig.fleet.len() {
        is_ready(&rig, node, true).await;
    }
    let ready = promoted.elapsed();
    rig.acknowledged(400).await;
    let after: Vec<u32> = (0..rig.fleet.len())
        .map(|node| rig.fleet.server(node).pid())
        .collect();
    assert_eq!(nodes, after, "no node was started again");

    let verdict = rig.judge(&standby.url("postgres")).await;
    println!("not ready after {noticed:?}, ready again {ready:?} after the promotion: {verdict}");
    verdict.is_fine();
    drop(primary);
}

async fn kill(mut cluster: Cluster) -> Cluster {
    let killing = tokio::task::spawn_blocking(move || {
        cluster.kill().expect("it can be killed");
        cluster
    });
    killing.await.expect("no panic")
}

/// Waits until a node says whether it is ready.
async fn is_ready(rig: &Rig, node: usize, expected: bool) {
    let root = Client::at(rig.fleet.server(node).address());
    eventually("the node to say whether it is ready", || async {
        let status = root.get("/readyz").await.status;
        assert!(matches!(status, 200 | 503), "/readyz answers {status}");
        ((status == 200) == expected).then_some(())
    })
    .await;
}
