//! Tests that share a cluster have databases of their own in it.

use usher_testpg::{Cluster, Databases, Options};

const COUNT: &str = "SELECT count(*) FROM pg_database WHERE datname LIKE 'test\\_%'";

async fn count(cluster: &Cluster) -> i64 {
    let client = cluster.connect().await.unwrap();
    client.query_one(COUNT, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn each_database_is_its_own_and_goes_with_its_handle() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).unwrap();
    let first = cluster.database().await.unwrap();
    let second = cluster.database().await.unwrap();
    assert_ne!(first.url(), second.url());
    let client = first.connect().await.unwrap();
    client.batch_execute("CREATE TABLE note ()").await.unwrap();
    let other = second.connect().await.unwrap();
    assert!(other.batch_execute("TABLE note").await.is_err());
    assert_eq!(count(&cluster).await, 2);
    // Also with a session still in it.
    drop(first);
    assert!(client.batch_execute("TABLE note").await.is_err());
    assert_eq!(count(&cluster).await, 1);
}

#[tokio::test]
async fn a_template_is_filled_once_and_copied_often() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).unwrap();
    let databases = Databases::at(cluster.first_url());
    let fill = async |url: &str| {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute("CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('in the template')")
            .await
    };
    // At the same time, as the processes of a test run do.
    let (name, same) = tokio::join!(
        databases.template("schema", fill),
        databases.template("schema", fill)
    );
    let name = name.unwrap();
    assert_eq!(name, same.unwrap());
    for _ in 0..2 {
        let database = databases.create_from(&name).await.unwrap();
        let client = database.connect().await.unwrap();
        let row = client
            .query_one("DELETE FROM note RETURNING text", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), "in the template");
    }
    assert_eq!(count(&cluster).await, 0);
}

#[tokio::test]
async fn a_template_that_cannot_be_filled_is_not_there() {
    if usher_testpg::is_left_out() {
        return;
    }
    let cluster = Cluster::start(Options::default()).unwrap();
    let databases = cluster.databases();
    let error = databases
        .template("schema", async |_: &str| Err("no such table"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no such table"), "{error}");
    assert_eq!(count(&cluster).await, 0);
    let name = databases
        .template("schema", async |_: &str| Ok::<_, String>(()))
        .await;
    databases.create_from(&name.unwrap()).await.unwrap();
}
