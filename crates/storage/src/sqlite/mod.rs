//! SQLite: one writer thread that commits in groups, reader threads beside it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::migrate::Migration;
use crate::occupancy::Occupancy;
use crate::storage::Counters;
use crate::unit::Unit;
use crate::{ConnectionSettings, MigrationError, Row, StorageConfig, StorageError, StorageStats, Value};

mod catalog;
mod connection;
mod error;
mod migrate;
mod quiet;
mod reader;
mod session;
mod snapshot;
mod unit;
mod wal;
mod writer;

pub(crate) use catalog::CATALOG;
pub(crate) use session::Session;
pub(crate) use snapshot::{Snapshot, beside, fold, skip_numbers};

use connection::{Access, Opening, Settings};
use quiet::{Bell, Quiet};
use reader::Place;
use unit::{Message, Pending};

/// How many units may wait for the writer, and how many for the readers, before callers wait to queue.
const QUEUE: usize = 1024;

/// A database file with its threads.
pub(crate) struct Sqlite {
    writer: mpsc::Sender<Message>,
    readers: mpsc::Sender<Message>,
    places: Arc<[Place]>,
    quiet: Arc<Quiet>,
    bell: Bell,
    counters: Arc<Counters>,
    settings: Vec<ConnectionSettings>,
    /// Until the storage is closed.
    at_work: Mutex<Option<Occupancy>>,
}

/// The file that a `sqlite:` address names.
pub(crate) fn path(url: &str) -> Result<PathBuf, StorageError> {
    let refuse = |reason: &str| {
        Err(StorageError::Url {
            url: url.to_owned(),
            reason: reason.to_owned(),
        })
    };
    let Some(path) = url.strip_prefix("sqlite:") else {
        return refuse("write sqlite: and the path of the file, like sqlite:data/usher.db");
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.ends_with('/') {
        return refuse("the path of the file is missing");
    }
    if path.starts_with(':') || path.contains('?') {
        return refuse(
            "it has to be a plain path: what is kept in memory or read with options is not durable",
        );
    }
    Ok(PathBuf::from(path))
}

impl Sqlite {
    pub(crate) async fn open(path: PathBuf, config: &StorageConfig) -> Result<Self, StorageError> {
        let at_work = occupy(&path, config)?;
        let counters = Arc::new(Counters::default());
        let mut settings = Vec::new();
        let places: Arc<[Place]> = (0..config.readers.max(1)).map(|_| Place::default()).collect();
        let quiet = Arc::new(Quiet::default());

        let (writer, queue) = mpsc::channel(QUEUE);
        let opening = Opening {
            path,
            busy_timeout: config.busy_timeout,
            access: Access::Write,
        };
        settings.push({
            let (opening, migrations, counters) = (opening.clone(), config.migrations, Arc::clone(&counters));
            let (quiet, places) = (Arc::clone(&quiet), Arc::clone(&places));
            start("writer".to_owned(), move |ready| {
                writer::run(&opening, migrations, (&counters, &quiet, &places), queue, ready);
            })
            .await?
        });
        let at_work = at_work
            .share()
            .map_err(StorageError::opaque)?
            .ok_or(StorageError::Busy)?;

        let (readers, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for (number, place) in places.iter().enumerate() {
            let opening = Opening {
                access: Access::Read,
                ..opening.clone()
            };
            let (counters, queue, place) = (Arc::clone(&counters), Arc::clone(&queue), place.clone());
            let name = format!("reader {number}");
            let run = move |ready| reader::run(&opening, &counters, &queue, &place, ready);
            settings.push(start(name, run).await?);
        }
        Ok(Self {
            writer,
            readers,
            bell: Bell::new(Arc::clone(&places))?,
            places,
            quiet,
            counters,
            settings,
            at_work: Mutex::new(Some(at_work)),
        })
    }

    pub(crate) async fn write(&self, unit: Arc<dyn Unit>) {
        submit(&self.writer, unit).await;
    }

    pub(crate) async fn read(&self, unit: Arc<dyn Unit>) {
        submit(&self.readers, unit).await;
    }

    /// Runs a unit on this thread, if a connection is free.
    pub(crate) fn try_read(&self, unit: &dyn Unit) -> bool {
        let keeping = (&*self.quiet, &self.bell);
        let here = reader::try_read(&self.places, &self.counters, keeping, |tx| unit::run(unit, tx));
        if let Some(Err(error)) = &here {
            unit.fail(error.clone());
        }
        here.is_some()
    }

    /// Runs a query on this thread, if a connection is free.
    pub(crate) fn try_query(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Option<Result<Vec<Row>, StorageError>> {
        let keeping = (&*self.quiet, &self.bell);
        let here = reader::try_read(&self.places, &self.counters, keeping, |tx| {
            unit::at_once(tx.query(sql, params))
        });
        here.map(|rows| rows?)
    }

    /// Stops the readers first: the connection that closes last folds the log into the database file.
    pub(crate) async fn close(&self) {
        for _ in &*self.places {
            stop(&self.readers).await;
        }
        stop(&self.writer).await;
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) fn stats(&self) -> StorageStats {
        let queued = self.writer.max_capacity() - self.writer.capacity();
        self.counters.stats(queued as u64)
    }

    pub(crate) fn settings(&self) -> &[ConnectionSettings] {
        &self.settings
    }
}

/// Whoever puts another file in this place has to have it alone; so does who applies a migration that another program at work
/// may not live with.
fn occupy(path: &Path, config: &StorageConfig) -> Result<Occupancy, StorageError> {
    if needing(path, config)?.is_some() {
        let alone = Occupancy::alone(path).map_err(StorageError::opaque)?;
        match (alone, needing(path, config)?) {
            (Some(alone), _) => return Ok(alone),
            (None, Some(migration)) => {
                let error = MigrationError::OldPrograms {
                    version: migration.version,
                    name: migration.name.to_owned(),
                    needs: migration.needs,
                };
                return Err(error.into());
            }
            // Another program of this version applied it meanwhile.
            (None, None) => {}
        }
    }
    Occupancy::shared(path)
        .map_err(StorageError::opaque)?
        .ok_or(StorageError::Busy)
}

/// The first migration still to apply that needs something of programs that may be at work already.
fn needing<'m>(path: &Path, config: &'m StorageConfig) -> Result<Option<&'m Migration>, StorageError> {
    let mut all = config.migrations.iter();
    if !all.any(|migration| migration.needs > 0) || !path.exists() {
        return Ok(None);
    }
    let applied = Snapshot::open(path, config.busy_timeout)?.applied()?;
    if applied.is_empty() {
        return Ok(None);
    }
    let pending = crate::migrate::pending(config.migrations, &applied)?;
    Ok(pending.iter().find(|migration| migration.needs > 0))
}

/// What a thread reports once it is ready for work, or why it never will be.
type Ready = oneshot::Sender<Result<Settings, StorageError>>;

async fn start(
    connection: String,
    run: impl FnOnce(Ready) + Send + 'static,
) -> Result<ConnectionSettings, StorageError> {
    let (ready, started) = oneshot::channel();
    thread::Builder::new()
        .name(format!("storage {connection}"))
        .spawn(move || run(ready))
        .map_err(StorageError::opaque)?;
    let values = started.await.map_err(|_gone| StorageError::Closed)??;
    Ok(ConnectionSettings { connection, values })
}

/// Has a thread run a unit, and waits until its answer is there. Without an answer the storage was closed before.
async fn submit(queue: &mpsc::Sender<Message>, unit: Arc<dyn Unit>) {
    let (unit, done) = Pending::new(unit);
    if queue.send(Message::Unit(unit)).await.is_ok() {
        let _gone = done.await;
    }
}

/// Lets one thread finish what is queued before this, and waits until its connection is closed.
async fn stop(queue: &mpsc::Sender<Message>) {
    let (closed, wait) = oneshot::channel();
    if queue.send(Message::Close(closed)).await.is_ok() {
        let _gone = wait.await;
    }
}

/// The next message for one of several threads, or nothing when the storage is gone.
fn next(queue: &Mutex<mpsc::Receiver<Message>>) -> Option<Message> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .blocking_recv()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_file() {
        for (url, file) in [
            ("sqlite:data/usher.db", "data/usher.db"),
            ("sqlite:/var/lib/usher.db", "/var/lib/usher.db"),
            ("sqlite:///var/lib/usher.db", "/var/lib/usher.db"),
            ("sqlite:usher.db", "usher.db"),
        ] {
            assert_eq!(path(url).unwrap(), Path::new(file));
        }
        for url in [
            "",
            "usher.db",
            "postgres://localhost/usher",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a?b",
            "sqlite:a/",
        ] {
            assert!(matches!(path(url), Err(StorageError::Url { .. })), "{url}");
        }
    }
}
