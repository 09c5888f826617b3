//! A standby has what was acknowledged, and takes over.

use usher_testpg::{Cluster, Options};

#[tokio::test]
async fn a_standby_has_every_acknowledged_commit_and_takes_over() {
    if usher_testpg::is_left_out() {
        return;
    }
    for tcp in [false, true] {
        let mut primary = Cluster::start(Options {
            durable: true,
            tcp,
            ..Options::default()
        })
        .unwrap();
        let standby = primary.standby().await.unwrap();
        assert_ne!(standby.first_url(), primary.first_url());
        let client = primary.connect().await.unwrap();
        client
            .batch_execute("CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('a')")
            .await
            .unwrap();
        primary.kill().unwrap();

        let refused = standby.connect().await.unwrap();
        assert!(refused.batch_execute("DELETE FROM note").await.is_err());
        standby.promote().await.unwrap();
        let client = standby.connect().await.unwrap();
        let row = client
            .query_one("DELETE FROM note RETURNING text", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), "a");
    }
}

#[tokio::test]
async fn a_primary_is_not_promoted() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).unwrap();
    assert!(cluster.promote().await.is_err());
}
