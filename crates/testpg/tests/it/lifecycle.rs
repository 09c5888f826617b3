//! Clusters are started, stopped, killed, and started again on what they had.

use usher_testpg::{Cluster, Options};

fn durable() -> Options {
    Options {
        durable: true,
        ..Options::default()
    }
}

async fn note(cluster: &Cluster, text: &str) {
    let client = cluster.connect().await.unwrap();
    client
        .batch_execute("CREATE TABLE IF NOT EXISTS note (text TEXT)")
        .await
        .unwrap();
    client
        .execute("INSERT INTO note VALUES ($1)", &[&text])
        .await
        .unwrap();
}

async fn notes(cluster: &Cluster) -> Vec<String> {
    let client = cluster.connect().await.unwrap();
    let rows = client.query("SELECT text FROM note ORDER BY text", &[]).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_was_committed_survives_a_stop_and_a_kill() {
    if usher_testpg::is_left_out() {
        return;
    }
    let mut cluster = Cluster::start(durable()).unwrap();
    note(&cluster, "a").await;
    cluster.stop().unwrap();
    assert_eq!(cluster.server(), None);
    assert!(cluster.connect().await.is_err());
    cluster.restart().unwrap();
    note(&cluster, "b").await;
    cluster.kill().unwrap();
    assert!(cluster.connect().await.is_err());
    cluster.restart().unwrap();
    assert_eq!(notes(&cluster).await, ["a", "b"]);
    // And one that runs is stopped first.
    let before = cluster.server();
    cluster.restart().unwrap();
    assert_ne!(cluster.server(), before);
    assert_eq!(notes(&cluster).await, ["a", "b"]);
}

#[tokio::test]
async fn a_kill_reaches_a_session_in_the_middle_of_its_work() {
    if usher_testpg::is_left_out() {
        return;
    }
    let mut cluster = Cluster::start(durable()).unwrap();
    let client = cluster.connect().await.unwrap();
    let backend: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    // Busy without ever waiting, so it would not notice by itself that the server is gone.
    let endless = "DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$";
    let work = tokio::spawn(async move { client.batch_execute(endless).await });
    let looking = cluster.connect().await.unwrap();
    let begun = "SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active'";
    while looking.query_opt(begun, &[&backend]).await.unwrap().is_none() {}
    cluster.kill().unwrap();
    assert!(work.await.unwrap().is_err());
    // It was killed; the system takes a moment to take it away.
    while crate::runs(backend) {
        tokio::task::yield_now().await;
    }
    cluster.restart().unwrap();
}

#[tokio::test]
async fn settings_are_the_servers() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options {
        max_connections: 17,
        settings: vec![("work_mem".to_owned(), "5MB".to_owned())],
        ..Options::default()
    })
    .unwrap();
    let client = cluster.connect().await.unwrap();
    for (name, expected) in [("max_connections", "17"), ("work_mem", "5MB"), ("fsync", "off")] {
        let shown: String = client
            .query_one(&format!("SHOW {name}"), &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(shown, expected, "{name}");
    }
}

#[tokio::test]
async fn a_port_is_opened_where_asked_for_and_asks_for_the_password() {
    if usher_testpg::is_left_out() {
        return;
    }
    let mut cluster = Cluster::start(Options {
        tcp: true,
        ..durable()
    })
    .unwrap();
    let url = cluster.first_url();
    assert!(url.contains("@127.0.0.1:"), "{url}");
    note(&cluster, "a").await;
    let address = &url[url.find('@').unwrap()..];
    let wrong = format!("postgres://postgres:wrong{address}");
    assert!(
        tokio_postgres::connect(&wrong, tokio_postgres::NoTls)
            .await
            .is_err()
    );
    cluster.kill().unwrap();
    cluster.restart().unwrap();
    assert_eq!(cluster.first_url(), url);
    assert_eq!(notes(&cluster).await, ["a"]);
}

#[test]
fn a_setting_that_the_server_refuses_is_shown_with_its_log() {
    if usher_testpg::is_left_out() {
        return;
    }
    let error = Cluster::start(Options {
        settings: vec![("work_mem".to_owned(), "much".to_owned())],
        ..Options::default()
    })
    .unwrap_err();
    assert!(error.to_string().contains("work_mem"), "{error}");
}
