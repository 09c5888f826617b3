//! Three nodes on one PostgreSQL under load: nodes are killed all the time, the one that reads sleeps for longer than its
//! lease, and the database dies once.

use tokio::time::Instant;
use usher_testpg::{Cluster, Options};

use super::pause::Asleep;
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
    let crowd = rig.open_crowd().await;
    let begun = Instant::now();
    rig.begin_reading();
    let mut asleep = Some(Asleep::begin(&mut rig, &database.url()).await);
    rig.begin_clients();
    println!("{:?}: a node sleeps", begun.elapsed());
    let (mut kills, mut holders, mut restarted) = (0, 0, false);
    while begun.elapsed() < length() || kills < 4 || !restarted || holders == 0 || asleep.is_some() {
        let more = rig.chance.between(BETWEEN_KILLS.0, BETWEEN_KILLS.1);
        rig.acknowledged(more).await;
        if let Some(one) = &asleep {
            if one.is_taken_over(&mut rig, &database.url()).await
                && let Some(one) = asleep.take()
            {
                println!("{:?}: node {} wakes up", begun.elapsed(), one.node);
                one.end(&mut rig).await;
                println!("{:?}: and has noticed", begun.elapsed());
            }
        } else if !restarted && begun.elapsed() > length() / 2 {
            cluster = restart(cluster).await;
            restarted = true;
            println!("{:?}: the database is back", begun.elapsed());
            continue;
        }
        let sleeps = asleep.as_ref().map(|one| one.node);
        let holder = match kills % 2 {
            1 if holders == 0 && sleeps.is_none() => Some(some_holder(&rig, &database.url()).await),
            1 => holder(&rig, &database.url()).await,
            _ => None,
        };
        let holder = holder.filter(|node| Some(*node) != sleeps);
        holders += usize::from(holder.is_some());
        let node = holder.unwrap_or_else(|| awake(&mut rig, sleeps));
        // While nodes die, the provider removes nearly everybody from a room, and later a human lets them go.
        let beside = match kills {
            0 => Some(tokio::spawn(
                crowd.clone().remove(rig.scim(), rig.journal.clone()),
            )),
            3 => Some(tokio::spawn(crowd.clone().release(rig.api()))),
            _ => None,
        };
        rig.fleet.kill(node);
        kills += 1;
        println!("{:?}: node {node} is killed", begun.elapsed());
        let more = rig.chance.between(1, 20);
        rig.acknowledged(more).await;
        rig.fleet.start(node).await;
        if let Some(beside) = beside {
            beside.await.expect("it is answered");
        }
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

/// A node that does not sleep.
fn awake(rig: &mut Rig, sleeps: Option<usize>) -> usize {
    let nodes: Vec<usize> = (0..rig.fleet.len())
        .filter(|node| Some(*node) != sleeps)
        .collect();
    *rig.chance.one(&nodes)
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
