//! Moving up: a deployment that has lived on SQLite goes on on PostgreSQL, and nobody notices.

use usher_testpg::{Cluster, Options, is_left_out};

use crate::backup::{Deployment, keep_data_at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_goes_on_on_postgres_as_it_was() {
    if is_left_out() {
        return;
    }
    let deployment = Deployment::at("sqlite:usher.db").await;
    let world = &deployment.world;
    let cluster = Cluster::start(Options::default()).expect("a cluster");
    let database = cluster.database().await.expect("an empty database");
    let copy = [
        "storage",
        "copy",
        "--from",
        "sqlite:usher.db",
        "--to",
        &database.url(),
    ];

    let server = world.serve().await;
    let before = deployment.answers(&server).await;
    let refused = world.cli(&copy).refused();
    assert_eq!(refused.code, Some(4), "{refused}");
    server.terminate().await;

    let copied = world.cli_json(&copy);
    assert!(
        copied["rows"].as_u64().is_some_and(|rows| rows > 50),
        "{copied:#}"
    );
    let again = world.cli(&copy).refused();
    assert_eq!(again.code, Some(4), "{again}");

    keep_data_at(world, &database.url());
    let server = world.serve().await;
    deployment.answers(&server).await.are_those_of(&before);
    deployment.goes_on(&server, "frida").await;
    deployment.goes_on(&server, "gina").await;
    server.terminate().await;

    // And back again.
    let back = [
        "storage",
        "copy",
        "--from",
        &database.url(),
        "--to",
        "sqlite:back.db",
    ];
    world.cli_json(&back);
    keep_data_at(world, "sqlite:back.db");
    let server = world.serve().await;
    deployment.goes_on(&server, "hanna").await;
}

#[tokio::test]
async fn one_database_is_not_copied_onto_itself() {
    let world = crate::harness::World::new();
    let copy = ["storage", "copy", "--from", "sqlite:a.db", "--to", "sqlite:a.db"];
    let refused = world.cli(&copy).refused();
    assert_eq!(refused.code, Some(2), "{refused}");
}
