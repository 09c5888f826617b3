//! What `docs/operations/backup.md` says of PostgreSQL, done as it says.

use std::path::Path;
use std::process::Command;

use usher_testpg::{Cluster, Options, is_left_out};

use super::{Deployment, keep_data_at};
use crate::harness::eventually;

/// As the documentation has it: after a restore numbers go on higher than any reader of the feed has seen.
const SKIP_NUMBERS: &str =
    "SELECT setval(pg_get_serial_sequence('event', 'seq'), (SELECT max(seq) FROM event) + 10000000)";

/// Transactions, so that ids of the cluster are ahead of those of a new one.
const BURN: &str = "DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";

fn run(program: &Path, args: &[&str]) {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    assert!(
        output.status.success(),
        "{} {args:?}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_is_restored_into_a_new_cluster_and_everything_goes_on() {
    if is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).expect("a cluster");
    let database = cluster.database().await.expect("a database");
    let client = database.connect().await.expect("the cluster runs");
    client.batch_execute(BURN).await.expect("transactions");
    drop(client);
    let deployment = Deployment::at(&database.url()).await;
    let server = deployment.world.serve().await;
    let before = deployment.answers(&server).await;

    // Beside the running server.
    let dump = deployment.world.folder().join("usher.dump");
    let dump = dump.to_str().expect("the folder's name is text");
    let file = format!("--file={dump}");
    let from = format!("--dbname={}", database.url());
    run(
        &cluster.program("pg_dump"),
        &["--format=custom", "--no-owner", &file, &from],
    );
    deployment.goes_on(&server, "lost").await;
    server.terminate().await;

    let new = Cluster::start(Options::default()).expect("a new cluster");
    let restored = new.database().await.expect("an empty database");
    let into = format!("--dbname={}", restored.url());
    let restore = [
        "--no-owner",
        "--exit-on-error",
        "--single-transaction",
        &into,
        dump,
    ];
    run(&new.program("pg_restore"), &restore);
    let client = restored.connect().await.expect("the cluster runs");
    client.batch_execute(SKIP_NUMBERS).await.expect("as documented");
    drop(client);

    keep_data_at(&deployment.world, &restored.url());
    let server = deployment.world.serve().await;
    deployment.answers(&server).await.are_those_of(&before);
    deployment.goes_on(&server, "frida").await;
    deployment.goes_on(&server, "gina").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_brought_back_to_the_moment_before_the_mistake() {
    if is_left_out() {
        return;
    }
    // Beside the data; the server makes it.
    let archive = "test ! -f ../archive/%f && mkdir -p ../archive && cp %p ../archive/%f";
    let options = Options {
        settings: vec![
            ("archive_mode".to_owned(), "on".to_owned()),
            ("archive_command".to_owned(), archive.to_owned()),
        ],
        ..Options::default()
    };
    let cluster = Cluster::start(options).expect("a cluster");
    let url = cluster.first_url();
    let deployment = Deployment::at(&url).await;
    let base = cluster.base_backup().expect("a base backup");

    let server = deployment.world.serve().await;
    deployment.goes_on(&server, "kept").await;
    let before = deployment.answers(&server).await;
    let client = cluster.connect().await.expect("the cluster runs");
    let asked = client.query_one("SELECT clock_timestamp()::text", &[]).await;
    let moment: String = asked.expect("the time").get(0);
    // The mistake: the room empties.
    for user in 0..4 {
        deployment.change_member(&server, "remove", user).await;
    }
    deployment.goes_on(&server, "afterwards").await;
    server.terminate().await;
    let asked = client
        .query_one("SELECT pg_walfile_name(pg_switch_wal())", &[])
        .await;
    let last: String = asked.expect("the log's name").get(0);
    eventually("the logs to be archived", || async {
        let query = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver";
        let archived: String = client.query_one(query, &[]).await.expect("the archiver").get(0);
        (archived >= last).then_some(())
    })
    .await;

    let recovered = base
        .recover(&cluster.folder().join("archive"), &moment)
        .await
        .expect("the cluster as it was");
    let url = recovered.first_url();
    let client = recovered.connect().await.expect("the cluster runs");
    client.batch_execute(SKIP_NUMBERS).await.expect("as documented");
    drop(client);
    keep_data_at(&deployment.world, &url);
    let server = deployment.world.serve().await;
    deployment.answers(&server).await.are_those_of(&before);
    deployment.goes_on(&server, "frida").await;
}
