//! Nothing is left of a cluster, however its test ends.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use usher_testpg::{Cluster, Options};

use crate::runs;

/// Tells this program, started by itself, to be a test that is killed.
const ROLE: &str = "USHER_TESTPG_VICTIM";

/// Waits until the server and its folder are gone.
async fn gone(server: u32, folder: &Path) {
    let mut glances = tokio::time::interval(Duration::from_millis(20));
    let looking = async {
        while runs(server) || folder.exists() {
            glances.tick().await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(60), looking).await;
    assert!(outcome.is_ok(), "still there: {server} or {}", folder.display());
}

#[test]
fn a_dropped_cluster_leaves_nothing() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).unwrap();
    let (server, folder) = (cluster.server().unwrap(), cluster.folder().to_owned());
    assert!(runs(server) && folder.exists());
    drop(cluster);
    assert!(!runs(server) && !folder.exists());
}

#[test]
fn a_killed_cluster_leaves_nothing() {
    if usher_testpg::is_left_out() {
        return;
    }
    let mut cluster = Cluster::start(Options::default()).unwrap();
    let folder = cluster.folder().to_owned();
    cluster.kill().unwrap();
    assert!(folder.exists());
    drop(cluster);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_killed_test_leaves_nothing() {
    if usher_testpg::is_left_out() {
        return;
    }
    if std::env::var_os(ROLE).is_some() {
        be_killed();
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ending::a_killed_test_leaves_nothing", "--no-capture"])
        .env(ROLE, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let started = lines
        .map(Result::unwrap)
        .find_map(|line| line.split_once("victim: ").map(|(_, rest)| rest.to_owned()))
        .expect("the victim starts a cluster");
    let (server, folder) = started.split_once(' ').unwrap();
    let server = server.parse().unwrap();
    assert!(runs(server));
    victim.kill().unwrap();
    victim.wait().unwrap();
    gone(server, Path::new(folder)).await;
}

/// Starts a cluster, says where, and waits for the end.
#[expect(
    clippy::print_stdout,
    reason = "how the victim speaks to the test that kills it"
)]
fn be_killed() -> ! {
    let cluster = Cluster::start(Options::default()).unwrap();
    println!(
        "victim: {} {}",
        cluster.server().unwrap(),
        cluster.folder().display()
    );
    std::io::stdin().read_line(&mut String::new()).unwrap();
    panic!("the pipe was closed instead");
}
