//! The schema: applied once, never guessed at.

use usher_storage::migrate::{Migration, POSTGRES, SQLITE};
use usher_storage::{MigrationError, Storage, StorageConfig, StorageError};

use crate::world::{World, add, entries};

const SECOND: Migration = Migration {
    version: 2,
    name: "second",
    sql: "ALTER TABLE entry ADD COLUMN note TEXT; UPDATE entry SET note = text",
    needs: 0,
};
/// Programs that know the second may live with it.
const THIRD: Migration = Migration {
    version: 3,
    name: "third",
    sql: "ALTER TABLE entry RENAME COLUMN text TO former_text",
    needs: 2,
};
const BROKEN: Migration = Migration {
    version: 2,
    name: "broken",
    sql: "CREATE TABLE half (id INTEGER); SELECT nonsense",
    needs: 0,
};
/// What a schema looked like before a migration could need something.
const BEFORE_NEEDS: &str = "ALTER TABLE schema_migration DROP COLUMN needs";

/// The schema and one more migration.
fn and(world: &World, next: Migration) -> &'static [Migration] {
    Vec::leak(vec![world.schema()[0], next])
}

/// The schema and two more.
pub(crate) fn all_three(world: &World) -> &'static [Migration] {
    Vec::leak(vec![world.schema()[0], SECOND, THIRD])
}

pub(crate) async fn open(world: &World, migrations: &'static [Migration]) -> Result<Storage, StorageError> {
    Storage::open(StorageConfig {
        migrations,
        ..world.config()
    })
    .await
}

async fn refused(world: &World, migrations: &'static [Migration]) -> MigrationError {
    match open(world, migrations).await {
        Err(StorageError::Migration(error)) => error,
        Err(error) => panic!("refused for another reason: {error}"),
        Ok(_) => panic!("opened"),
    }
}

async fn count(storage: &Storage, sql: &'static str) -> i64 {
    let work = storage.read(move |tx| Box::pin(async move { tx.query_one(sql, &[]).await?.get(0) }));
    let result: Result<i64, StorageError> = work.await;
    result.unwrap()
}

#[tokio::test]
async fn the_products_schema_applies_to_a_new_database() {
    let world = World::new();
    let migrations = world.choose(SQLITE, POSTGRES);
    let storage = open(&world, migrations).await.unwrap();
    let applied = count(
        &storage,
        "SELECT count(*) FROM schema_migration WHERE applied_us > 0",
    )
    .await;
    assert_eq!(applied, migrations.len() as i64);
}

#[tokio::test]
async fn migrations_run_once() {
    let world = World::new();
    let both = and(&world, SECOND);
    let storage = open(&world, world.schema()).await.unwrap();
    add(&storage, "kept").await.unwrap();
    storage.close().await;
    for _ in 0..2 {
        let storage = open(&world, both).await.unwrap();
        assert_eq!(count(&storage, "SELECT count(*) FROM schema_migration").await, 2);
        assert_eq!(
            count(&storage, "SELECT count(*) FROM entry WHERE note = 'kept'").await,
            1
        );
        storage.close().await;
    }
}

#[tokio::test]
async fn a_program_goes_on_beside_a_newer_one_that_adds_to_the_schema() {
    let world = World::new();
    let old = world.open().await;
    add(&old, "before").await.unwrap();
    let new = open(&world, and(&world, SECOND)).await.unwrap();
    add(&old, "by the old one").await.unwrap();
    add(&new, "by the new one").await.unwrap();
    new.close().await;
    old.close().await;
    // Started again, on what is newer than itself.
    let old = world.open().await;
    add(&old, "after").await.unwrap();
    let all = ["before", "by the old one", "by the new one", "after"];
    assert_eq!(entries(&old).await, all);
    assert_eq!(
        count(&old, "SELECT count(*) FROM entry WHERE note = 'before'").await,
        1
    );
}

#[tokio::test]
async fn a_migration_waits_for_the_end_of_programs_that_cannot_live_with_it() {
    let world = World::new();
    let (two, three) = (and(&world, SECOND), all_three(&world));
    let oldest = world.open().await;
    let second = open(&world, two).await.unwrap();
    let expected = MigrationError::OldPrograms {
        version: 3,
        name: "third".into(),
        needs: 2,
    };
    let error = refused(&world, three).await;
    assert_eq!(error, expected);
    assert!(
        error
            .to_string()
            .contains("end the servers and commands of older versions"),
        "{error}"
    );
    add(&oldest, "goes on").await.unwrap();
    oldest.close().await;
    if !world.is_postgres() {
        // A file has to be left by everybody.
        second.close().await;
    }
    open(&world, three).await.unwrap().close().await;

    let newer = MigrationError::Newer { found: 3, known: 1 };
    assert_eq!(refused(&world, world.schema()).await, newer);
    assert!(newer.to_string().contains("start the newer program"), "{newer}");
    let second = open(&world, two).await.unwrap();
    assert_eq!(
        count(
            &second,
            "SELECT count(*) FROM entry WHERE former_text = 'goes on'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn a_database_made_before_migrations_needed_anything_is_taken_as_it_is() {
    let world = World::new();
    let storage = world.open().await;
    add(&storage, "kept").await.unwrap();
    let change = storage.write(|tx| Box::pin(async move { tx.execute(BEFORE_NEEDS, &[]).await }));
    let changed: Result<u64, StorageError> = change.await;
    changed.unwrap();
    storage.close().await;
    let storage = world.open().await;
    assert_eq!(entries(&storage).await, ["kept"]);
    storage.close().await;
    open(&world, all_three(&world)).await.unwrap().close().await;
    let newer = MigrationError::Newer { found: 3, known: 1 };
    assert_eq!(refused(&world, world.schema()).await, newer);
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    const EDITED: &[Migration] = &[Migration {
        sql: "CREATE TABLE other (id INTEGER)",
        version: 1,
        name: "initial",
        needs: 0,
    }];
    let world = World::new();
    open(&world, world.schema()).await.unwrap().close().await;
    let expected = MigrationError::Changed {
        version: 1,
        name: "initial".into(),
    };
    assert_eq!(refused(&world, EDITED).await, expected);
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let world = World::new();
    let error = refused(&world, and(&world, BROKEN)).await;
    assert!(
        matches!(&error, MigrationError::Failed { version: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("nonsense"), "{error}");

    let storage = open(&world, world.schema()).await.unwrap();
    assert_eq!(count(&storage, "SELECT count(*) FROM schema_migration").await, 1);
    storage.close().await;
    // The table that the broken one began with can be made.
    let whole = Migration {
        sql: "CREATE TABLE half (id INTEGER)",
        ..BROKEN
    };
    assert!(open(&world, and(&world, whole)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storages_that_start_together_on_a_new_database_all_open() {
    for _ in 0..5 {
        let world = World::new();
        let starts: Vec<_> = (0..6)
            .map(|_| tokio::spawn(Storage::open(world.config())))
            .collect();
        for start in starts {
            let storage = start.await.unwrap().unwrap();
            add(&storage, "here").await.unwrap();
        }
        let storage = world.open().await;
        assert_eq!(entries(&storage).await.len(), 6);
        assert_eq!(count(&storage, "SELECT count(*) FROM schema_migration").await, 1);
    }
}

#[tokio::test]
async fn an_address_of_no_engine_is_refused() {
    let error = Storage::open(StorageConfig::new("mysql://localhost/usher"))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, StorageError::Url { .. }), "{error}");
}
