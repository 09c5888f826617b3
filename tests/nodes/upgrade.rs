//! A rolling upgrade: a newer version comes to the database while nodes of this one work on it under load.

use usher_storage::{MigrationError, StorageError};
use usher_testpg::{Cluster, Options};

use super::rig::Rig;
use crate::upgrade::{ADDS, TAKES_AWAY, newer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_version_adds_to_the_schema_under_load_and_nothing_is_lost() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options {
        max_connections: 200,
        ..Options::default()
    })
    .expect("PostgreSQL starts");
    let database = cluster.database().await.expect("a database");
    let mut rig = Rig::new(database.url()).await;
    rig.begin();
    rig.acknowledged(100).await;
    let added = newer(&database.url(), &[ADDS]).await;
    let added = added.expect("what only adds is applied beside nodes at work");
    rig.acknowledged(100).await;

    // One of the older version is killed, and starts on what is newer than itself.
    rig.fleet.kill(0);
    rig.acknowledged(20).await;
    rig.fleet.start(0).await;
    rig.acknowledged(100).await;

    // As long as one of them works, nothing is taken away from it.
    let refused = newer(&database.url(), &[ADDS, TAKES_AWAY]).await.err();
    assert!(
        matches!(
            refused,
            Some(StorageError::Migration(MigrationError::OldPrograms { .. }))
        ),
        "{refused:?}"
    );
    rig.acknowledged(50).await;

    // The others end as an upgrade ends them.
    for node in [1, 2] {
        rig.fleet.stop(node).await;
        rig.acknowledged(20).await;
    }
    added.close().await;
    let verdict = rig.judge(&database.url()).await;
    println!("{verdict}");
    verdict.is_fine();

    // Now that none is left, it is.
    let taken = newer(&database.url(), &[ADDS, TAKES_AWAY]).await;
    taken.expect("nobody is at work any more").close().await;
}
