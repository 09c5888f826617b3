//! The storage: opening, running units of work, closing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::migrate::{self, Migration};
use crate::postgres::{self, Postgres};
use crate::sqlite::{self, Sqlite};
use crate::tx::{Tx, Work};
use crate::unit::{Asked, Unit};
use crate::{LookUp, Row, StorageError, Value};

/// How to open a storage.
#[derive(Clone)]
pub struct StorageConfig {
    /// Where the data is: `sqlite:data/usher.db` or `sqlite:/var/lib/usher/usher.db`, whose folders are made if they do not
    /// exist; or `postgres://usher@db.example/usher?sslmode=verify-full`, a database that exists.
    pub url: String,
    /// SQLite: how many reads run side by side, at least 1.
    pub readers: usize,
    /// PostgreSQL: how many connections there are at most, at least 2. A quarter of them is left to reads.
    pub connections: usize,
    /// How long a unit waits while another process holds what it needs, a connection among that, or while a server is away.
    pub busy_timeout: Duration,
    /// The schema, in ascending order of version.
    pub migrations: &'static [Migration],
}

impl std::fmt::Debug for StorageConfig {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageConfig")
            .field("readers", &self.readers)
            .field("connections", &self.connections)
            .field("busy_timeout", &self.busy_timeout)
            .finish_non_exhaustive()
    }
}

impl StorageConfig {
    /// The settings for production at this address.
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        let migrations = match postgres::is_postgres(&url) {
            true => migrate::POSTGRES,
            false => migrate::SQLITE,
        };
        Self {
            url,
            readers: 3,
            connections: 16,
            busy_timeout: Duration::from_secs(10),
            migrations,
        }
    }
}

/// A database. Cheap to clone; all clones are the same storage.
#[derive(Clone)]
pub struct Storage {
    engine: Arc<Engine>,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

impl Storage {
    /// Opens the database, creates it when it is new, and brings its schema up to date. Safe when several
    /// processes do it at once.
    ///
    /// # Errors
    /// [`StorageError::Url`] for an address that this build cannot open, [`StorageError::Migration`] for a schema
    /// it cannot work with, [`StorageError::Setting`] when a connection does not take a setting that
    /// durability rests on.
    pub async fn open(config: StorageConfig) -> Result<Self, StorageError> {
        let storage = Self::open_unfinished(config).await?;
        let unfinished = storage
            .read(|tx| Box::pin(async move { Ok(tx.query(tx.catalog().is_unfinished, &[]).await?.len()) }));
        let unfinished: Result<usize, StorageError> = unfinished.await;
        match unfinished? {
            0 => Ok(storage),
            _ => {
                storage.close().await;
                Err(StorageError::Unfinished)
            }
        }
    }

    /// As [`open`](Self::open), also where a copy into the database has not ended.
    pub(crate) async fn open_unfinished(config: StorageConfig) -> Result<Self, StorageError> {
        let engine = match postgres::is_postgres(&config.url) {
            true => Engine::Postgres(Box::new(Postgres::open(&config).await?)),
            false => Engine::Sqlite(Sqlite::open(sqlite::path(&config.url)?, &config).await?),
        };
        Ok(Self {
            engine: Arc::new(engine),
        })
    }

    /// Runs a unit of work that may change data, and returns its result after the changes are durable.
    ///
    /// - An `Err` or a panic rolls back this unit alone, and reaches this caller alone.
    /// - The unit may run more than once; only its last run counts. Draw ids and the time before it.
    /// - It awaits nothing but its `tx`; a unit that waits for anything else fails.
    /// - A caller that stops waiting (its future is dropped) leaves a unit that ran as a whole or not at all.
    ///
    /// ```
    /// # use usher_storage::{Storage, StorageError};
    /// # async fn example(storage: &Storage, name: String) -> Result<(), StorageError> {
    /// let renamed = storage
    ///     .write(move |tx| {
    ///         let name = name.clone();
    ///         Box::pin(async move { tx.execute("UPDATE organisation SET name = $1", &[name.into()]).await })
    ///     })
    ///     .await?;
    /// # assert_eq!(renamed, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write<T, E>(
        &self,
        work: impl for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let unit = Arc::new(Asked::new(work));
        self.run(How::Write, Arc::<Asked<_, _, _>>::clone(&unit)).await;
        unit.take()
    }

    /// Runs a unit of work that only reads. All its statements see the database as it was at the first of
    /// them, with everything that was acknowledged before it. It neither waits for writers nor holds them up.
    pub async fn read<T, E>(
        &self,
        work: impl for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let unit = Arc::new(Asked::new(work));
        self.run(How::Read, Arc::<Asked<_, _, _>>::clone(&unit)).await;
        unit.take()
    }

    /// As [`read`](Self::read), for a unit that reads a few rows by their keys: it runs on the caller's thread if it
    /// can, which spares the way to another thread and back. A unit that may take longer than a moment would hold up
    /// whatever else that thread does.
    ///
    /// It sees everything that this storage and its clones acknowledged before. What another process, or another storage
    /// on the same file, committed in the last 5 ms may be missing: several of these units share a snapshot.
    pub async fn read_few<T, E>(
        &self,
        work: impl for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let unit = Arc::new(Asked::new(work));
        if !self.is_read_here(&*unit) {
            self.run(How::Read, Arc::<Asked<_, _, _>>::clone(&unit)).await;
        }
        unit.take()
    }

    /// What one statement finds, seen as by [`read_few`](Self::read_few). On PostgreSQL it has no transaction of its own, and
    /// several that are asked for on one runtime at the same time go to the server together.
    ///
    /// # Errors
    /// What the database says.
    pub async fn look_up<T>(&self, look_up: LookUp<T>) -> Result<T, StorageError> {
        look_up.check()?;
        let LookUp { sql, params, read } = look_up;
        let rows = match &*self.engine {
            Engine::Sqlite(sqlite) => match sqlite.try_query(sql, &params) {
                Some(rows) => rows?,
                None => self.query(sql, params).await?,
            },
            Engine::Postgres(postgres) => Box::pin(postgres.look_up(sql, params)).await?,
        };
        read(rows)
    }

    /// One statement on a thread that reads.
    fn query(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Row>, StorageError>> + Send + '_>> {
        let params = Arc::new(params);
        Box::pin(self.read(move |tx| {
            let params = Arc::clone(&params);
            Box::pin(async move { tx.query(sql, &params).await })
        }))
    }

    /// Runs a unit up to its answer. Boxed here, so that its code is not made again by each caller.
    fn run(&self, how: How, unit: Arc<dyn Unit>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            match (&*self.engine, how) {
                (Engine::Sqlite(sqlite), How::Write) => sqlite.write(unit).await,
                (Engine::Sqlite(sqlite), How::Read) => sqlite.read(unit).await,
                (Engine::Postgres(postgres), How::Write) => postgres.write(&*unit).await,
                (Engine::Postgres(postgres), How::Read) => postgres.read(&*unit).await,
            }
        })
    }

    /// Whether reads of a few rows run on the thread that asks for them, and not on a connection to a server.
    #[must_use]
    pub fn reads_here(&self) -> bool {
        matches!(*self.engine, Engine::Sqlite(_))
    }

    /// Runs a unit on this thread, if that does not have to wait for anything.
    fn is_read_here(&self, unit: &dyn Unit) -> bool {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.try_read(unit),
            Engine::Postgres(_) => false,
        }
    }

    /// Finishes what was queued, then lets go of the database. Later units, of any clone, get
    /// [`StorageError::Closed`].
    pub async fn close(self) {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }

    /// What happened since the storage was opened.
    pub fn stats(&self) -> StorageStats {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.stats(),
            Engine::Postgres(postgres) => postgres.stats(),
        }
    }

    /// The settings of every connection, as each one reported them back when it was opened.
    pub fn pragmas(&self) -> &[ConnectionSettings] {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.settings(),
            Engine::Postgres(postgres) => postgres.settings(),
        }
    }
}

/// How a unit is run.
#[derive(Debug, Clone, Copy)]
enum How {
    Write,
    Read,
}

/// The settings one connection reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Which connection this is: `writer`, `reader 0`, …
    pub connection: String,
    /// Setting and value, as the database spells them.
    pub values: Vec<(&'static str, String)>,
}

/// Counts since the storage was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageStats {
    /// Units that changed data, or could have, and were committed.
    pub committed: u64,
    /// Units of [`write`](Storage::write) that were rolled back.
    pub rolled_back: u64,
    /// Commits: several units that queue together share one.
    pub commits: u64,
    /// Rows that committed units inserted, changed or deleted; what a unit rolled back to a savepoint is counted too.
    pub rows: u64,
    /// Units of [`read`](Storage::read).
    pub reads: u64,
    /// Statements, of reads and writes.
    pub statements: u64,
    /// Units of [`write`](Storage::write) that wait for their turn now.
    pub queued: u64,
}

/// The counters behind [`StorageStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) committed: AtomicU64,
    pub(crate) rolled_back: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) statements: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, queued: u64) -> StorageStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StorageStats {
            committed: load(&self.committed),
            rolled_back: load(&self.rolled_back),
            commits: load(&self.commits),
            rows: load(&self.rows),
            reads: load(&self.reads),
            statements: load(&self.statements),
            queued,
        }
    }
}
