//! Three nodes on one PostgreSQL under load: nodes are killed all the time, and the database once.

use tokio::time::Instant;
use usher_testpg::{Cluster, Options};

use super::rig::{Rig, connect, length};
use crate::harness::eventually;

/// After so many acknowledged operations another node is killed.
const BETWEEN_KILLS: (usize, usize) = (30, 90);

/// A cluster that survives being killed.
pub fn durable() -> Cluster {
    Cluster::start(Options {
        durable: true,
        max_connections: 200,
        ..Options::default()
    })
    .expect("PostgreSQL starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_and_the_database_are_killed_and_nothing_is_lost_doubled_or_skipped() {
    if usher_testpg::is_left_out() {
        return;
    }
    let mut cluster = durable();
    let database = cluster.database().await.expect("a database");
    let mut rig = Rig::new(database.url()).await;
    rig.begin();
    let begun = Instant::now();
    let (mut kills, mut holders, mut restarted) = (0, 0, false);
    while begun.elapsed() < length() || kills < 4 || !restarted {
        let more = rig.chance.between(BETWEEN_KILLS.0, BETWEEN_KILLS.1);
        rig.acknowledged(more).await;
        if !restarted && begun.elapsed() > length() / 2 {
            cluster = restart(cluster).await;
            restarted = true;
            println!("{:?}: the database is back", begun.elapsed());
            continue;
        }
        let holder = match kills % 2 {
            1 if holders == 0 => Some(some_holder(&rig, &database.url()).await),
            1 => holder(&rig, &database.url()).await,
            _ => None,
        };
        holders += usize::from(holder.is_some());
        let node = holder.unwrap_or_else(|| rig.chance.below(rig.fleet.len()));
        rig.fleet.kill(node);
        kills += 1;
        println!("{:?}: node {node} is killed", begun.elapsed());
        let more = rig.chance.between(1, 20);
        rig.acknowledged(more).await;
        rig.fleet.start(node).await;
    }
    println!("{:?}: the load ends", begun.elapsed());
    let verdict = rig.judge(&database.url()).await;
    println!(
        "{kills} kills, {holders} of them of the node that read, in {:?}: {verdict}",
        begun.elapsed()
    );
    verdict.is_fine();
    assert!(
        restarted && holders > 0,
        "{holders} nodes were killed while they read"
    );
    assert!(verdict.acknowledged > 300, "{verdict}");
    drop(cluster);
}

/// The database is gone as by a power cut, and comes back.
async fn restart(mut cluster: Cluster) -> Cluster {
    let restarting = tokio::task::spawn_blocking(move || {
        cluster.kill().expect("it can be killed");
        cluster.restart().expect("it comes back");
        cluster
    });
    restarting.await.expect("no panic")
}

/// The node that holds the lease, as soon as one does: the provider is read all the time.
async fn some_holder(rig: &Rig, database: &str) -> usize {
    eventually("a node to read", || holder(rig, database)).await
}

/// The node that holds the lease of the source that is read.
async fn holder(rig: &Rig, database: &str) -> Option<usize> {
    let client = connect(database).await;
    let row = client
        .query_opt("SELECT owner::text FROM pull_lease WHERE owner IS NOT NULL", &[])
        .await
        .expect("the database runs")?;
    let owner: String = row.get(0);
    (0..rig.fleet.len()).find(|node| rig.fleet.server(*node).output().contains(&owner))
}
