//! Two versions on one database: an older server goes on beside a newer one that adds to the schema, and is told to end where it
//! cannot.

use reqwest::Method;
use serde_json::json;
use usher_storage::migrate::{Migration, POSTGRES, SQLITE};
use usher_storage::{MigrationError, Storage, StorageConfig, StorageError};
use usher_testpg::Place;

use crate::harness::{Client, World};

/// What the version after this one adds.
pub const ADDS: (&str, &str) = (
    "nicknames",
    "ALTER TABLE source_user ADD COLUMN nickname TEXT;
     ALTER TABLE membership ADD COLUMN shown INTEGER NOT NULL DEFAULT 1;
     CREATE TABLE nickname (id TEXT PRIMARY KEY, text TEXT NOT NULL);
     CREATE INDEX source_user_nickname ON source_user (nickname);
     CREATE INDEX membership_shown ON membership (room_id) WHERE shown = 0;",
);

/// What the version after that one does, which no longer uses the table.
pub const TAKES_AWAY: (&str, &str) = ("nicknames_gone", "DROP TABLE nickname");

/// Opens the database as a version does whose schema goes on like this: the first adds, the others need that one.
pub async fn newer(url: &str, further: &[(&'static str, &'static str)]) -> Result<Storage, StorageError> {
    let known = if url.starts_with("sqlite:") {
        SQLITE
    } else {
        POSTGRES
    };
    let first = known.last().expect("there are migrations").version + 1;
    let further = (first..).zip(further).map(|(version, (name, sql))| Migration {
        version,
        name,
        sql,
        needs: if version == first { 0 } else { first },
    });
    let migrations: Vec<Migration> = known.iter().copied().chain(further).collect();
    Storage::open(StorageConfig {
        migrations: Vec::leak(migrations),
        ..StorageConfig::new(url)
    })
    .await
}

async fn pushes(scim: &Client, name: &str) {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "active": true,
    });
    scim.send(Method::POST, "/Users", Some(&user)).await.expect(201);
}

async fn users(scim: &Client) -> usize {
    scim.get("/Users?attributes=userName")
        .await
        .expect(200)
        .list("/Resources")
        .len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_server_goes_on_until_a_migration_needs_it_gone() {
    let world = World::new();
    let url = world.place().url();
    let server = world.serve().await;
    let scim = world.scim(&server, "idp");
    pushes(&scim, "before@contoso.com").await;

    let added = newer(&url, &[ADDS]).await.expect("what only adds is applied");
    pushes(&scim, "beside@contoso.com").await;
    added.close().await;
    server.terminate().await;

    // The older version starts again, as when somebody goes back to it.
    let server = world.serve().await;
    let scim = world.scim(&server, "idp");
    pushes(&scim, "again@contoso.com").await;
    assert_eq!(users(&scim).await, 3);

    let refused = newer(&url, &[ADDS, TAKES_AWAY]).await.err();
    assert!(
        matches!(
            refused,
            Some(StorageError::Migration(MigrationError::OldPrograms { .. }))
        ),
        "{refused:?}"
    );
    pushes(&scim, "still@contoso.com").await;
    assert_eq!(users(&scim).await, 4);
    server.terminate().await;

    let taken = newer(&url, &[ADDS, TAKES_AWAY]).await;
    taken.expect("nobody is at work any more").close().await;
    for command in [&["serve"][..], &["source", "list"]] {
        let refused = world.cli(command).refused();
        assert!(refused.stderr.contains("start the newer program"), "{refused}");
        if let Place::Database(database) = world.place() {
            assert!(!refused.stderr.contains(&database.url()), "{refused}");
        }
    }
}
