//! A copy has everything, or the target has nothing and says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use usher_core::Timestamp;
use usher_storage::backup::{Backup, create};
use usher_storage::copy::{CopyError, Progress, copy};
use usher_storage::migrate::{Migration, SQLITE};
use usher_storage::{MigrationError, Storage, StorageConfig, StorageError, TableContent, Value};
use usher_testpg::{Cluster, Database, Databases, Options, is_left_out};
use uuid::Uuid;

/// Where copies go from and to.
struct Place {
    folder: TempDir,
    server: Option<(Database, Option<Cluster>)>,
}

impl Place {
    /// With a database on PostgreSQL; nothing where that was left out by name.
    async fn with_postgres() -> Option<Self> {
        if is_left_out() {
            return None;
        }
        let server = match Databases::given() {
            Some(databases) => (databases.create().await.unwrap(), None),
            None => {
                let cluster = Cluster::start(Options::default()).unwrap();
                (cluster.database().await.unwrap(), Some(cluster))
            }
        };
        Some(Self {
            server: Some(server),
            ..Self::new()
        })
    }

    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            server: None,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sqlite(&self, name: &str) -> String {
        format!("sqlite:{}", self.file(name).display())
    }

    fn postgres(&self) -> String {
        self.server.as_ref().unwrap().0.url()
    }
}

async fn open(url: &str) -> Storage {
    Storage::open(StorageConfig::new(url)).await.unwrap()
}

async fn copied(from: &str, to: &str) -> Result<Vec<TableContent>, CopyError> {
    copy(from, to, Arc::new(|_: Progress<'_>| {})).await
}

async fn number(storage: &Storage, sql: &'static str) -> i64 {
    let read = storage.read(move |tx| Box::pin(async move { tx.query_one(sql, &[]).await?.get(0) }));
    let result: Result<i64, StorageError> = read.await;
    result.unwrap()
}

/// A statement, and the values for the row with a number.
type Statement = (&'static str, fn(u32) -> Vec<Value>);

/// Fills every kind of column, and what is awkward: text in many scripts, empty and long bytes, NULL, people merged into
/// others that come before and after them, numbers with gaps.
async fn fill(storage: &Storage, people: u32) {
    let statements: [Statement; 5] = [
        (
            "INSERT INTO person (id, email, display_name, created_us) VALUES ($1, $2, $3, $4)",
            |n| {
                let name: Value = ["Ännchen", "", "王", "🏛 'quoted\"", "a\\b\n"][n as usize % 5].into();
                let email = n.is_multiple_of(3).then(|| format!("p{n}@contoso.com"));
                vec![id(n).into(), email.into(), name, i64::from(n).into()]
            },
        ),
        (
            "INSERT INTO source_user (id, source_id, person_id, user_name, user_key, active, scope, version, created_us,
                modified_us, resource) VALUES ($1, 7, $1, $2, $2, $3, 'in', 1, 0, $4, $5)",
            |n| {
                let resource = format!("{{\"userName\": \"u{n}\", \"padding\": \"{}\"}}", "x".repeat(n as usize % 300));
                let name = format!("u{n}");
                vec![id(n).into(), name.into(), n.is_multiple_of(2).into(), (-i64::from(n)).into(), resource.into()]
            },
        ),
        (
            "INSERT INTO group_member (group_id, user_id, named_us) VALUES ($1, $2, $3)",
            |n| vec![id(u32::MAX).into(), id(n).into(), i64::MAX.into()],
        ),
        (
            "INSERT INTO event (change_id, kind, at_us, person_id, data) VALUES ($1, 'x', $2, $1, '{}')",
            |n| vec![id(n).into(), i64::MIN.into()],
        ),
        (
            "INSERT INTO keyring (name, secret) VALUES ($1, $2)",
            |n| vec![format!("key {n}").into(), vec![n as u8; n as usize % 33].into()],
        ),
    ];
    let added: Result<(), StorageError> = storage
        .write(move |tx| {
            Box::pin(async move {
                tx.execute(
                    "INSERT INTO source (id, name, kind, mode, state, first_seen_us)
                        VALUES (7, 'idp', 'scim', 'push', 'active', 0)",
                    &[],
                )
                .await?;
                tx.execute(
                    "INSERT INTO source_group (id, source_id, display_name, name_key, version, created_us, modified_us,
                        resource) VALUES ($1, 7, 'all', 'all', 1, 0, 0, '{}')",
                    &[id(u32::MAX).into()],
                )
                .await?;
                for (sql, values) in statements {
                    let rows: Vec<Vec<Value>> = (0..people).map(values).collect();
                    tx.execute_many(sql, &rows).await?;
                }
                let merged: Vec<_> = (0..people.min(40))
                    .map(|n| vec![id(n).into(), id((n * 17 + 5) % people).into()])
                    .collect::<Vec<Vec<Value>>>();
                for pair in &merged {
                    tx.execute("UPDATE person SET merged_into = $2 WHERE id = $1", pair).await?;
                }
                Ok(())
            })
        })
        .await;
    added.unwrap();
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(u128::from(n) << 96 | 0x7000_8000_0000_0000_0000)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_copied_to_postgres_and_back() {
    let Some(place) = Place::with_postgres().await else {
        return;
    };
    let (from, to, back) = (
        place.sqlite("usher.db"),
        place.postgres(),
        place.sqlite("back.db"),
    );
    let storage = open(&from).await;
    fill(&storage, 12_000).await;
    // Numbers that were given to rows which never came, or went.
    let skip = storage.write(|tx| {
        Box::pin(tx.execute(
            "UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'event'",
            &[],
        ))
    });
    let skipped: Result<u64, StorageError> = skip.await;
    skipped.unwrap();
    storage.close().await;

    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let heard = Arc::clone(&heard);
        move |progress: Progress<'_>| {
            heard
                .lock()
                .unwrap()
                .push((progress.checking, progress.done, progress.all));
        }
    };
    let there = copy(&from, &to, Arc::new(listener)).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    let all: u64 = there.iter().map(|table| table.rows).sum();
    assert!(heard.is_sorted(), "{heard:?}");
    assert_eq!(heard.last(), Some(&(true, all, all)));

    let postgres = open(&to).await;
    assert_eq!(
        number(
            &postgres,
            "SELECT count(*) FROM person WHERE merged_into IS NOT NULL"
        )
        .await,
        40
    );
    let add = postgres.write(|tx| {
        Box::pin(async move {
            let sql = "INSERT INTO source (name, kind, mode, state, first_seen_us)
                VALUES ('next', 'scim', 'push', 'active', 0) RETURNING id";
            let source: i64 = tx.query_one(sql, &[]).await?.get(0)?;
            let sql =
                "INSERT INTO event (change_id, kind, at_us, data) VALUES ($1, 'x', 0, '{}') RETURNING seq";
            let event: i64 = tx.query_one(sql, &[id(1).into()]).await?.get(0)?;
            Ok((source, event))
        })
    });
    let added: Result<(i64, i64), StorageError> = add.await;
    assert_eq!(
        added.unwrap(),
        (8, 1_000_001),
        "numbers go on after those that were given"
    );
    let undo = postgres.write(|tx| {
        Box::pin(async move {
            tx.execute("DELETE FROM source WHERE id = 8", &[]).await?;
            tx.execute("DELETE FROM event WHERE seq = 1000001", &[]).await
        })
    });
    let undone: Result<u64, StorageError> = undo.await;
    undone.unwrap();
    postgres.close().await;

    assert_eq!(sorted(copied(&to, &back).await.unwrap()), sorted(there.clone()));
    let again = open(&back).await;
    assert_eq!(
        number(&again, "SELECT seq FROM sqlite_sequence WHERE name = 'event'").await,
        1_000_001
    );
    again.close().await;
}

fn sorted(contents: Vec<TableContent>) -> BTreeMap<String, TableContent> {
    contents
        .into_iter()
        .map(|table| (table.table.clone(), table))
        .collect()
}

/// A table that a migration brings is copied without anybody thinking of it, unless it belongs to the database itself.
#[tokio::test(flavor = "multi_thread")]
async fn no_table_is_forgotten() {
    let place = Place::new();
    let (from, to) = (place.sqlite("usher.db"), place.sqlite("copy.db"));
    let storage = open(&from).await;
    let read = storage.read(|tx| {
        Box::pin(async move {
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
            let rows = tx.query(sql, &[]).await?;
            rows.iter().map(|row| row.get(0)).collect()
        })
    });
    let expected: Result<Vec<String>, StorageError> = read.await;
    let mut expected = expected.unwrap();
    storage.close().await;
    let contents = copied(&from, &to).await.unwrap();
    expected.retain(|table| !["schema_migration", "feed"].contains(&table.as_str()));
    assert_eq!(sorted(contents).into_keys().collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_tables_and_columns() {
    let Some(place) = Place::with_postgres().await else {
        return;
    };
    let (from, to) = (place.sqlite("usher.db"), place.postgres());
    open(&from).await.close().await;
    // Tables that differ are refused.
    let contents = copied(&from, &to).await.unwrap();
    assert!(contents.len() > 25, "{contents:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_rows_is_refused_and_left_alone() {
    let place = Place::new();
    let (from, to) = (place.sqlite("usher.db"), place.sqlite("other.db"));
    for url in [&from, &to] {
        let storage = open(url).await;
        fill(&storage, 10).await;
        storage.close().await;
    }
    let error = copied(&from, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty { .. }), "{error}");
    let other = open(&to).await;
    assert_eq!(number(&other, "SELECT count(*) FROM person").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_somebody_works_on_is_refused_and_a_backup_of_it_is_not() {
    let place = Place::new();
    let (from, to) = (place.sqlite("usher.db"), place.sqlite("copy.db"));
    let storage = open(&from).await;
    fill(&storage, 10).await;
    let error = copied(&from, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::InUse), "{error}");
    assert!(!place.file("copy.db").exists());

    let backup = place.file("backup.db");
    create(
        &Backup::new(&from, &backup, Timestamp::from_micros(0)),
        &mut |_| {},
    )
    .unwrap();
    let before = std::fs::read(&backup).unwrap();
    copied(&place.sqlite("backup.db"), &to).await.unwrap();
    assert_eq!(std::fs::read(&backup).unwrap(), before);
    assert!(!place.file("backup.db.lock").exists() && !place.file("backup.db-wal").exists());

    let mut damaged = before;
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&backup, damaged).unwrap();
    let error = copied(&place.sqlite("backup.db"), &place.sqlite("third.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, CopyError::Source(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_broke_off_is_refused_until_it_is_done_again() {
    let place = Place::new();
    let (from, to) = (place.sqlite("usher.db"), place.sqlite("copy.db"));
    let storage = open(&from).await;
    fill(&storage, 5_000).await;
    storage.close().await;
    // A panic is as near to the end of the process as a test can go and look afterwards.
    let breaks = |progress: Progress<'_>| assert!(progress.done < 6_000, "the cable is pulled");
    let error = copy(&from, &to, Arc::new(breaks)).await.unwrap_err();
    assert!(
        matches!(error, CopyError::Storage(StorageError::Panicked(_))),
        "{error}"
    );

    let error = Storage::open(StorageConfig::new(&to)).await.err().unwrap();
    assert!(matches!(error, StorageError::Unfinished), "{error}");
    copied(&from, &to).await.unwrap();
    let copy = open(&to).await;
    assert_eq!(number(&copy, "SELECT count(*) FROM group_member").await, 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_postgres_that_broke_off_is_refused_until_it_is_done_again() {
    let Some(place) = Place::with_postgres().await else {
        return;
    };
    let (from, to) = (place.sqlite("usher.db"), place.postgres());
    let storage = open(&from).await;
    fill(&storage, 5_000).await;
    storage.close().await;
    let breaks = |progress: Progress<'_>| assert!(progress.done < 6_000, "the cable is pulled");
    let error = copy(&from, &to, Arc::new(breaks)).await.unwrap_err();
    assert!(
        matches!(error, CopyError::Storage(StorageError::Panicked(_))),
        "{error}"
    );

    let error = Storage::open(StorageConfig::new(&to)).await.err().unwrap();
    assert!(matches!(error, StorageError::Unfinished), "{error}");
    copied(&from, &to).await.unwrap();
    let copy = open(&to).await;
    assert_eq!(number(&copy, "SELECT count(*) FROM group_member").await, 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_another_version_is_refused() {
    let place = Place::new();
    let known = SQLITE.len();
    let mut newer = SQLITE.to_vec();
    newer.push(Migration {
        version: SQLITE[known - 1].version + 1,
        name: "next",
        sql: "CREATE INDEX person_next ON person (email)",
        needs: 0,
    });
    let mut refusals = Vec::new();
    for (name, migrations) in [("older.db", &SQLITE[..known - 1]), ("newer.db", newer.leak())] {
        let config = StorageConfig {
            migrations,
            ..StorageConfig::new(place.sqlite(name))
        };
        Storage::open(config).await.unwrap().close().await;
        refusals.push(
            copied(&place.sqlite(name), &place.sqlite("copy.db"))
                .await
                .unwrap_err(),
        );
    }
    assert!(matches!(refusals[0], CopyError::Schema { .. }), "{}", refusals[0]);
    assert!(
        matches!(
            refusals[1],
            CopyError::Storage(StorageError::Migration(MigrationError::Newer { .. }))
        ),
        "{}",
        refusals[1]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused() {
    let place = Place::new();
    let error = copied(&place.sqlite("nothing.db"), &place.sqlite("copy.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, CopyError::Source(_)), "{error}");
    assert!(!place.file("nothing.db").exists() && !place.file("copy.db").exists());
}
