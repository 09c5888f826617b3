//! What PostgreSQL alone has: nodes beside each other, conflicts, connections that break.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use usher_storage::{MigrationError, Storage, StorageConfig, StorageError, Tx, Work};
use usher_testpg::{Cluster, Options, Place, is_left_out};

use crate::schema;
use crate::world::{COUNT_UP, Gate, World, add, entries};

const COUNT_UP_OTHER: &str = "UPDATE counter SET value = value + 1 WHERE id = 2";

/// More connections than the other tests have.
async fn open(world: &World) -> Storage {
    let config = StorageConfig {
        connections: 8,
        ..world.config()
    };
    Storage::open(config).await.unwrap()
}

async fn values(storage: &Storage) -> Vec<i64> {
    let work = storage.read(|tx| {
        Box::pin(async move {
            let rows = tx.query("SELECT value FROM counter ORDER BY id", &[]).await?;
            rows.iter()
                .map(|row| row.get(0))
                .collect::<Result<Vec<i64>, StorageError>>()
        })
    });
    work.await.unwrap()
}

/// The process of the server that serves this unit.
async fn process(tx: &mut Tx<'_>) -> Result<i64, StorageError> {
    tx.query_one("SELECT pg_backend_pid()", &[]).await?.get(0)
}

/// Ends a process of the server, as an administrator may, and waits until it is gone.
async fn terminate(world: &World, process: i64) {
    let Place::Database(database) = world.place() else {
        panic!("this test is about PostgreSQL");
    };
    let client = database.connect().await.unwrap();
    let process = i32::try_from(process).unwrap();
    let ended = client
        .query_one("SELECT pg_terminate_backend($1, 10000)", &[&process])
        .await
        .unwrap();
    assert!(ended.get::<_, bool>(0));
}

#[tokio::test]
async fn connections_are_set_as_the_promises_need_it() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = world.open().await;
    let settings: HashMap<_, _> = storage.pragmas()[0].values.iter().cloned().collect();
    assert_eq!(settings["application_name"], "usher");
    assert_eq!(settings["search_path"], "public");
    assert_eq!(settings["TimeZone"], "UTC");
    assert_eq!(settings["default_transaction_isolation"], "read committed");
    assert_eq!(settings["jit"], "off");
    for bounded in [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    ] {
        assert_ne!(settings[bounded], "0", "{bounded}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let url = world.place().url();
    let refused = format!("{url}&options=-c%20usher.allow_unsafe%3Doff%20-c%20synchronous_commit%3Doff");
    let error = Storage::open(StorageConfig::new(refused)).await.err().unwrap();
    assert!(
        matches!(
            error,
            StorageError::Setting {
                setting: "synchronous_commit" | "fsync",
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_run_beside_each_other() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    let (gate, news, key) = Gate::new();
    let first = tokio::spawn({
        let storage = storage.clone();
        async move {
            let work = storage.write(move |tx| {
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    tx.execute(COUNT_UP, &[]).await?;
                    gate.pass();
                    Ok::<_, StorageError>(())
                })
            });
            work.await
        }
    });
    news.await.unwrap();
    let other = storage.write(|tx| Box::pin(async move { tx.execute(COUNT_UP_OTHER, &[]).await }));
    let changed: Result<u64, StorageError> = other.await;
    assert_eq!(changed.unwrap(), 1);
    assert_eq!(values(&storage).await, [0, 1]);
    drop(key);
    first.await.unwrap().unwrap();
    assert_eq!(values(&storage).await, [1, 1]);
}

/// Two units that take the same two locks in opposite order: the server ends one of them, which then runs again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_units_that_wait_for_each_other_both_are_done() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    let runs = Arc::new(AtomicU64::new(0));
    let mut gates = Vec::new();
    let mut units = Vec::new();
    for order in [[COUNT_UP, COUNT_UP_OTHER], [COUNT_UP_OTHER, COUNT_UP]] {
        let (gate, news, key) = Gate::new();
        let (storage, runs) = (storage.clone(), Arc::clone(&runs));
        units.push(tokio::spawn(async move {
            let work = storage.write(move |tx| {
                runs.fetch_add(1, Ordering::Relaxed);
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    tx.execute(order[0], &[]).await?;
                    gate.pass();
                    tx.execute(order[1], &[]).await
                })
            });
            let done: Result<u64, StorageError> = work.await;
            done
        }));
        news.await.unwrap();
        gates.push(key);
    }
    drop(gates);
    for unit in units {
        unit.await.unwrap().unwrap();
    }
    assert_eq!(values(&storage).await, [2, 2]);
    assert!(runs.load(Ordering::Relaxed) > 2);
    let stats = storage.stats();
    assert_eq!((stats.committed, stats.rolled_back), (2, 0));
}

/// A unit that finds no row and adds it meets another one that did the same: it runs again, and finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_row_that_came_meanwhile_is_seen_by_the_next_run() {
    fn find_or_add<'t>(tx: &'t mut Tx<'_>, gate: Option<Arc<Gate>>) -> Work<'t, bool> {
        Box::pin(async move {
            let found = tx
                .query_opt("SELECT 1 FROM label WHERE lower(text) = 'a'", &[])
                .await?;
            if let Some(gate) = gate {
                gate.pass();
            }
            if found.is_none() {
                tx.execute("INSERT INTO label (text) VALUES ('A')", &[]).await?;
            }
            Ok(found.is_some())
        })
    }
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    let (gate, news, key) = Gate::new();
    let slow = tokio::spawn({
        let storage = storage.clone();
        async move {
            storage
                .write(move |tx| find_or_add(tx, Some(Arc::clone(&gate))))
                .await
        }
    });
    news.await.unwrap();
    assert!(!storage.write(|tx| find_or_add(tx, None)).await.unwrap());
    drop(key);
    assert!(slow.await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unit_whose_connection_is_ended_runs_again() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    let (gate, news, key) = Gate::new();
    let (tell, told) = std::sync::mpsc::channel();
    let unit = tokio::spawn({
        let storage = storage.clone();
        async move {
            let work = storage.write(move |tx| {
                let (gate, tell) = (Arc::clone(&gate), tell.clone());
                Box::pin(async move {
                    tell.send(process(tx).await?).unwrap();
                    tx.execute("INSERT INTO entry (text) VALUES ('one')", &[]).await?;
                    gate.pass();
                    tx.execute("INSERT INTO entry (text) VALUES ('two')", &[]).await
                })
            });
            let done: Result<u64, StorageError> = work.await;
            done
        }
    });
    news.await.unwrap();
    terminate(&world, told.recv().unwrap()).await;
    drop(key);
    unit.await.unwrap().unwrap();
    assert_eq!(entries(&storage).await, ["one", "two"]);
    let stats = storage.stats();
    assert_eq!((stats.committed, stats.rolled_back), (1, 0));
}

#[tokio::test]
async fn a_connection_that_was_ended_while_nobody_used_it_is_not_used_again() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    for text in ["one", "two", "three"] {
        let work = storage.read(|tx| Box::pin(async move { process(tx).await }));
        let process: Result<i64, StorageError> = work.await;
        terminate(&world, process.unwrap()).await;
        add(&storage, text).await.unwrap();
    }
    assert_eq!(entries(&storage).await, ["one", "two", "three"]);
}

/// A node that was cut off from the database while it changed under it.
#[tokio::test]
async fn a_program_that_connects_again_is_refused_what_it_cannot_live_with() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let old = open(&world).await;
    let work = old.read(|tx| Box::pin(async move { process(tx).await }));
    let process: Result<i64, StorageError> = work.await;
    terminate(&world, process.unwrap()).await;
    schema::open(&world, schema::all_three(&world)).await.unwrap();
    let error = add(&old, "never").await.unwrap_err();
    assert!(
        matches!(
            error,
            StorageError::Migration(MigrationError::Newer { found: 3, known: 1 })
        ),
        "{error:?}"
    );
}

/// A dump has all tables until it is done; who waits for one of them holds up whoever comes after.
#[tokio::test]
async fn a_migration_that_waits_for_a_table_lets_others_pass() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let old = open(&world).await;
    add(&old, "before").await.unwrap();
    let Place::Database(database) = world.place() else {
        panic!("this test is about PostgreSQL");
    };
    let mut client = database.connect().await.unwrap();
    let dump = client.transaction().await.unwrap();
    dump.query("SELECT FROM entry", &[]).await.unwrap();
    let migrations = schema::all_three(&world);
    let config = StorageConfig {
        migrations: &migrations[..2],
        ..world.config()
    };
    let migrating = tokio::spawn(Storage::open(config));
    for text in ["one", "two", "three"] {
        add(&old, text).await.unwrap();
    }
    assert!(!migrating.is_finished());
    dump.commit().await.unwrap();
    migrating.await.unwrap().unwrap();
    assert_eq!(entries(&old).await, ["before", "one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_go_away_leave_nothing_half_done_and_no_lock() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let storage = open(&world).await;
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move {
                let work = storage.write(|tx| {
                    Box::pin(async move {
                        tx.execute(COUNT_UP, &[]).await?;
                        tx.execute(COUNT_UP_OTHER, &[]).await
                    })
                });
                let done: Result<u64, StorageError> = work.await;
                done
            })
        })
        .collect();
    for (number, caller) in callers.iter().enumerate() {
        if number % 2 == 0 {
            caller.abort();
        }
        tokio::task::yield_now().await;
    }
    let mut done = 0;
    for caller in callers {
        if let Ok(result) = caller.await {
            result.unwrap();
            done += 1;
        }
    }
    let counted = values(&storage).await;
    assert_eq!(counted[0], counted[1]);
    assert!(counted[0] >= done, "{counted:?}, {done} acknowledged");
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_and_then_reported() {
    if is_left_out() {
        return;
    }
    let mut cluster = Cluster::start(Options::default()).unwrap();
    let database = cluster.database().await.unwrap();
    let config = StorageConfig {
        migrations: crate::world::POSTGRES_SCHEMA,
        busy_timeout: Duration::from_millis(300),
        ..StorageConfig::new(database.url())
    };
    let storage = Storage::open(config).await.unwrap();
    add(&storage, "before").await.unwrap();
    cluster.stop().unwrap();
    let error = add(&storage, "never").await.unwrap_err();
    assert!(
        matches!(
            error,
            StorageError::Unavailable {
                outcome_unknown: false,
                ..
            }
        ),
        "{error:?}"
    );
    cluster.restart().unwrap();
    add(&storage, "after").await.unwrap();
    assert_eq!(entries(&storage).await, ["before", "after"]);
}

#[tokio::test]
async fn a_wrong_name_of_the_database_is_reported_without_the_password() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let url = world.place().url();
    let (before, query) = url.split_once('?').unwrap();
    let (server, _name) = before.rsplit_once('/').unwrap();
    let config = StorageConfig::new(format!("{server}/nowhere?{query}&password=hunter2"));
    let error = Storage::open(config).await.err().unwrap();
    assert!(matches!(error, StorageError::Url { .. }), "{error:?}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
