//! What the tests share: a database of their own, and the one place that knows which engine it is.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use usher_storage::migrate::Migration;
use usher_storage::{Storage, StorageConfig, StorageError, Tx, Work};

/// A small schema with one of each: a unique index, a foreign key, a check, a foreign key checked at commit.
pub(crate) const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "initial",
    sql: "
        CREATE TABLE room (
            id BLOB PRIMARY KEY,
            slug TEXT NOT NULL CONSTRAINT slug_is_set CHECK (slug <> ''),
            size INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE UNIQUE INDEX room_by_slug ON room (slug);
        CREATE UNIQUE INDEX room_by_folded_slug ON room (lower(slug));
        CREATE TABLE door (
            id INTEGER PRIMARY KEY,
            room_id BLOB NOT NULL REFERENCES room (id)
        ) STRICT;
        CREATE TABLE promise (
            id INTEGER PRIMARY KEY,
            room_id BLOB NOT NULL REFERENCES room (id) DEFERRABLE INITIALLY DEFERRED
        ) STRICT;
        CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT) STRICT;
        CREATE TABLE anything (id INTEGER PRIMARY KEY, value ANY) STRICT;
    ",
}];

/// A database in a folder of its own, gone with it.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The engine under test. A second engine is plugged in here.
    pub(crate) fn config(&self) -> StorageConfig {
        let path = self.folder.path().join("data").join("usher.db");
        StorageConfig {
            migrations: SCHEMA,
            readers: 2,
            ..StorageConfig::new(format!("sqlite:{}", path.display()))
        }
    }

    /// A storage with a long enough wait for a busy machine.
    pub(crate) async fn open(&self) -> Storage {
        Storage::open(self.config()).await.unwrap()
    }

    /// A storage that gives up soon when another one holds the database.
    pub(crate) async fn open_impatient(&self) -> Storage {
        let config = StorageConfig {
            busy_timeout: Duration::from_millis(50),
            ..self.config()
        };
        Storage::open(config).await.unwrap()
    }
}

/// A storage of its own for a test that needs one only.
pub(crate) async fn fresh() -> (World, Storage) {
    let world = World::new();
    let storage = world.open().await;
    (world, storage)
}

/// Adds one entry.
pub(crate) async fn add(storage: &Storage, text: &str) -> Result<u64, StorageError> {
    let text: Arc<str> = text.into();
    storage.write(move |tx| insert(tx, Arc::clone(&text))).await
}

/// The unit of work that adds one entry.
pub(crate) fn insert<'t>(tx: &'t mut Tx<'_>, text: Arc<str>) -> Work<'t, u64> {
    Box::pin(async move {
        tx.execute("INSERT INTO entry (text) VALUES ($1)", &[(&*text).into()])
            .await
    })
}

/// All entries, in the order they were added.
pub(crate) async fn entries(storage: &Storage) -> Vec<String> {
    storage
        .read(|tx| {
            Box::pin(async move {
                let rows = tx.query("SELECT text FROM entry ORDER BY id", &[]).await?;
                rows.iter()
                    .map(|row| row.get(0))
                    .collect::<Result<_, StorageError>>()
            })
        })
        .await
        .unwrap()
}
