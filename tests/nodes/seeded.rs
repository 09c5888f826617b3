//! The judge is shown a fault: a build that acknowledges before the commit is safe, on a database that loses what is not.

use usher_testpg::{Cluster, Options};

use super::checker::{self, Finding, State};
use super::rig::{Rig, connect};
use crate::harness::{eventually, seeded_binary};

/// What was acknowledged just before may have been written down by chance, or be written again by the client it was lost to.
const KILLS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_acknowledges_before_it_commits_is_found_out_on_postgres() {
    if usher_testpg::is_left_out() {
        return;
    }
    let Some(seeded) = seeded_binary() else { return };
    // What nobody waits for is written late, so that the kill surely comes before.
    let late = ["wal_writer_delay", "wal_writer_flush_after"].map(str::to_owned);
    let mut cluster = Cluster::start(Options {
        durable: true,
        max_connections: 200,
        settings: late
            .into_iter()
            .zip(["10s".to_owned(), "1GB".to_owned()])
            .collect(),
        ..Options::default()
    })
    .expect("PostgreSQL starts");
    let database = cluster.database().await.expect("a database");
    let mut rig = Rig::new(database.url()).await;
    rig.run_by(seeded).await;
    rig.begin_clients();
    for _kill in 0..KILLS {
        rig.acknowledged(200).await;
        cluster = tokio::task::spawn_blocking(move || {
            cluster.kill().expect("it can be killed");
            cluster.restart().expect("it comes back");
            cluster
        })
        .await
        .expect("no panic");
    }
    rig.finish().await;

    let entries = rig.journal.entries();
    let mut client = eventually("the database", || async { Some(connect(&database.url()).await) }).await;
    let wrong = checker::directory(&entries, &State::read(&mut client).await.facts());
    assert!(
        wrong
            .iter()
            .any(|finding| matches!(finding, Finding::Lost { .. })),
        "of {} operations nothing is lost that the judge notices",
        entries.len()
    );
    drop(cluster);
}
