//! What the tests share: a database of their own, and the one place that knows which engine it is.

use std::sync::{Arc, Mutex, mpsc};

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
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
        CREATE TABLE door (
            id INTEGER PRIMARY KEY,
            room_id BLOB NOT NULL REFERENCES room (id)
        ) STRICT;
        CREATE TABLE promise (
            id INTEGER PRIMARY KEY,
            room_id BLOB NOT NULL REFERENCES room (id) DEFERRABLE INITIALLY DEFERRED
        ) STRICT;
        CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT) STRICT;
        CREATE TABLE label (text TEXT) STRICT;
        CREATE UNIQUE INDEX label_by_folded_text ON label (lower(text));
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

    /// The names of the database's files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.folder.path().join("data")).unwrap();
        let mut names: Vec<_> = folder
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
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

/// Holds a thread of the storage inside a unit until it is told to go on: a test decides what happens meanwhile.
pub(crate) struct Gate {
    entered: Mutex<Option<oneshot::Sender<()>>>,
    open: Mutex<mpsc::Receiver<()>>,
}

impl Gate {
    /// The gate, the news that a unit stands at it, and its key.
    pub(crate) fn new() -> (Arc<Self>, oneshot::Receiver<()>, mpsc::Sender<()>) {
        let (entered, news) = oneshot::channel();
        let (key, open) = mpsc::channel();
        (
            Arc::new(Self {
                entered: Mutex::new(Some(entered)),
                open: Mutex::new(open),
            }),
            news,
            key,
        )
    }

    /// Stands at the gate until the key is used or dropped. Later passages are free.
    pub(crate) fn pass(&self) {
        if let Some(entered) = self.entered.lock().unwrap().take() {
            entered.send(()).unwrap();
            let _opened = self.open.lock().unwrap().recv();
        }
    }
}

/// Keeps the writer busy until it is released, so that units queue behind it and share a batch.
pub(crate) struct Occupied {
    storage: Storage,
    key: mpsc::Sender<()>,
    holder: JoinHandle<Result<(), StorageError>>,
}

impl Occupied {
    /// The writer has begun its unit, holds the lock of the database and waits.
    pub(crate) async fn new(storage: &Storage) -> Self {
        let (gate, news, key) = Gate::new();
        let holder = tokio::spawn({
            let storage = storage.clone();
            async move { storage.write(move |tx| stand_at(tx, Arc::clone(&gate))).await }
        });
        news.await.unwrap();
        Self {
            storage: storage.clone(),
            key,
            holder,
        }
    }

    /// Waits until so many units are queued behind it.
    pub(crate) async fn with_queued(&self, units: u64) {
        while self.storage.stats().queued < units {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn release(self) {
        drop(self.key);
        self.holder.await.unwrap().unwrap();
    }
}

/// A unit of work that does nothing but stand at a gate.
pub(crate) fn stand_at<'t>(_tx: &'t mut Tx<'_>, gate: Arc<Gate>) -> Work<'t, ()> {
    Box::pin(async move {
        gate.pass();
        Ok(())
    })
}

/// Starts adding one entry.
pub(crate) fn spawn_add(storage: &Storage, text: &'static str) -> JoinHandle<Result<u64, StorageError>> {
    let storage = storage.clone();
    tokio::spawn(async move { add(&storage, text).await })
}
