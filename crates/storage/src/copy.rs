//! A whole database, copied into another one, of whatever engine.
//!
//! The source is read as one state, table by table in the order of keys, a page at a time; the target takes the pages in one
//! unit of work, reads its rows back, and keeps them only if they are the same. So a copy is there as a whole or not at all.
//! A table in the target, made before and dropped with the commit, marks a copy that has not ended:
//! [`Storage::open`] refuses such a database.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::block_in_place;

use crate::backup::{BackupError, intact};
use crate::content::{self, Column, Pages, Sum, Table, TableContent};
use crate::occupancy::Occupancy;
use crate::sqlite::{self, Snapshot};
use crate::{MigrationError, Row, Storage, StorageConfig, StorageError, Tx, Value, migrate, postgres};

/// Pages that are read ahead of what is written.
const AHEAD: usize = 2;
/// How long to wait for a lock that another process holds for a moment.
const PATIENCE: Duration = Duration::from_secs(30);

const MARK: &str = "CREATE TABLE unfinished_copy (id INTEGER PRIMARY KEY)";
const UNMARK: &str = "DROP TABLE unfinished_copy";

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The table.
    pub table: &'a str,
    /// Rows that are done, of all tables.
    pub done: u64,
    /// Rows that there are, in all tables.
    pub all: u64,
    /// Whether rows are read back, after all were written.
    pub checking: bool,
}

/// Whom to tell about the progress.
pub type Listener = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// Why nothing was copied. Whatever the variant, the target has no rows.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CopyError {
    /// The source is not there, or is not whole.
    #[error("cannot copy from there: {0}")]
    Source(String),

    /// A server or a command works on the source.
    #[error(
        "another process works on the source: end the server and other commands of usher on it, or copy from a backup"
    )]
    InUse,

    /// The source has not the schema of this program.
    #[error(
        "the source has schema version {found}, this program has {known}: start this program on it once, with `usher migrate`, then copy"
    )]
    Schema {
        /// The source's version.
        found: u32,
        /// This program's version.
        known: u32,
    },

    /// The target is in use, or was.
    #[error("the target is not empty: the table {table} has rows; name an empty database")]
    NotEmpty {
        /// A table with rows.
        table: String,
    },

    /// Source and target do not have the same tables.
    #[error("source and target differ in {0}; both have to be databases of this version of usher")]
    Unlike(String),

    /// What was read back is not what was written.
    #[error("the copy of the table {0} is not like the source; nothing of the copy was kept")]
    Differs(String),

    /// The connection to one of the databases was lost.
    #[error("the copy was interrupted and nothing of it was kept; run it again")]
    Interrupted,

    /// A database said no.
    #[error("{0}")]
    Storage(#[from] StorageError),
}

/// Copies everything from one database into another one, which has to be empty, and checks it. Needs a runtime of several
/// threads.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy(from: &str, to: &str, listener: Listener) -> Result<Vec<TableContent>, CopyError> {
    let source = Source::open(from).await?;
    let target = Storage::open_unfinished(StorageConfig::new(to)).await?;
    let copied = transfer(&source, &target, listener).await;
    target.close().await;
    source.close().await;
    copied
}

async fn transfer(
    source: &Source,
    target: &Storage,
    listener: Listener,
) -> Result<Vec<TableContent>, CopyError> {
    let tables = Arc::new(target.write(|tx| Box::pin(prepare(tx))).await?);
    let (sender, receiver) = sync_channel(AHEAD);
    let written = {
        let (tables, receiver) = (Arc::clone(&tables), once(receiver));
        target.write(move |tx| {
            let (tables, receiver, listener) =
                (Arc::clone(&tables), Arc::clone(&receiver), Arc::clone(&listener));
            Box::pin(async move {
                let pieces = take(&receiver)?;
                let writer = Writer {
                    tx,
                    tables: &tables,
                    listener: &*listener,
                    all: 0,
                    done: 0,
                    later: Vec::new(),
                };
                writer.write(pieces).await
            })
        })
    };
    let (read, written) = tokio::join!(source.read(Arc::clone(&tables), sender), written);
    match (read, written) {
        // Who fails ends the channel, and with it the other one.
        (Err(error), Err(CopyError::Interrupted)) | (Ok(()), Err(error)) => Err(error),
        (Err(CopyError::Interrupted), Err(error)) | (Err(_), Err(error)) => Err(error),
        (_, Ok(contents)) => Ok(contents),
    }
}

/// Marks the target, which has to be empty, and says what tables it has.
async fn prepare(tx: &mut Tx<'_>) -> Result<Vec<Table>, CopyError> {
    let tables = content::of_the_deployment(content::tables(tx).await?);
    empty(tx, &tables).await?;
    if tx.query(tx.catalog().is_unfinished, &[]).await?.is_empty() {
        tx.execute(MARK, &[]).await?;
    }
    Ok(tables)
}

async fn empty(tx: &mut Tx<'_>, tables: &[Table]) -> Result<(), CopyError> {
    match content::first_filled(tx, tables).await? {
        None => Ok(()),
        Some(table) => Err(CopyError::NotEmpty {
            table: table.to_owned(),
        }),
    }
}

/// What the source sends.
enum Piece {
    /// First: how many rows there are.
    All(u64),
    /// Rows of the table with this number.
    Rows(usize, Vec<Row>),
    /// Last: what was sent, and up to where numbers were given.
    End(Vec<TableContent>, Vec<(String, i64)>),
}

/// Where the rows come from.
enum Source {
    Sqlite {
        path: PathBuf,
        /// Held until the copy is done.
        _alone: Option<Occupancy>,
    },
    Postgres(Storage),
}

impl Source {
    async fn open(url: &str) -> Result<Self, CopyError> {
        if postgres::is_postgres(url) {
            return Ok(Self::Postgres(Storage::open(StorageConfig::new(url)).await?));
        }
        let path = sqlite::path(url)?;
        if !path.is_file() {
            return Err(CopyError::Source(format!(
                "there is no database at {}",
                path.display()
            )));
        }
        // Nobody works on a backup, and its folder may be one to read only.
        let occupancy = match is_backup(&path)? {
            true => None,
            false => Some(
                Occupancy::alone(&path)
                    .map_err(|error| CopyError::Source(error.to_string()))?
                    .ok_or(CopyError::InUse)?,
            ),
        };
        Ok(Self::Sqlite {
            path,
            _alone: occupancy,
        })
    }

    async fn close(self) {
        if let Self::Postgres(storage) = self {
            storage.close().await;
        }
    }

    /// Sends everything, as one state.
    async fn read(&self, tables: Arc<Vec<Table>>, sender: SyncSender<Piece>) -> Result<(), CopyError> {
        match self {
            Self::Sqlite { path, .. } => {
                let path = path.clone();
                let read = move || {
                    let mut snapshot = Snapshot::open(&path, PATIENCE)?;
                    let applied = snapshot.applied()?;
                    let known = migrate::version(migrate::SQLITE);
                    migrate::pending(migrate::SQLITE, &applied).map_err(StorageError::from)?;
                    match applied.last().map_or(0, |migration| migration.version) {
                        found if found < known => return Err(CopyError::Schema { found, known }),
                        found if found > known => {
                            let newer = MigrationError::Newer { found, known };
                            return Err(StorageError::from(newer).into());
                        }
                        _ => {}
                    }
                    snapshot.read(async |tx| send(tx, &tables, sender).await)
                };
                let read = tokio::task::spawn_blocking(read).await;
                read.unwrap_or(Err(CopyError::Interrupted))
            }
            Self::Postgres(storage) => {
                let sender = once(sender);
                let read = storage.read(move |tx| {
                    let (tables, sender) = (Arc::clone(&tables), Arc::clone(&sender));
                    Box::pin(async move { send(tx, &tables, take(&sender)?).await })
                });
                read.await
            }
        }
    }
}

/// Whether a file is a backup, and then a whole one.
fn is_backup(path: &Path) -> Result<bool, CopyError> {
    match intact(path) {
        Ok(_) => Ok(true),
        Err(BackupError::Missing { .. }) => Ok(false),
        Err(error) => Err(CopyError::Source(error.to_string())),
    }
}

/// Something that a unit of work may take once: if it has to run again, the rows that it took before are gone.
fn once<T>(value: T) -> Arc<Mutex<Option<T>>> {
    Arc::new(Mutex::new(Some(value)))
}

fn take<T>(once: &Mutex<Option<T>>) -> Result<T, CopyError> {
    let mut once = once.lock().unwrap_or_else(PoisonError::into_inner);
    once.take().ok_or(CopyError::Interrupted)
}

/// Reads all rows of the source and sends them, tables in the order in which the target wants them.
async fn send(tx: &mut Tx<'_>, wanted: &[Table], sender: SyncSender<Piece>) -> Result<(), CopyError> {
    // A blocked thread gives the others of the runtime their work back first.
    let send = |piece| block_in_place(|| sender.send(piece)).map_err(|_| CopyError::Interrupted);
    let there = content::of_the_deployment(content::tables(tx).await?);
    if let Some(table) = there
        .iter()
        .find(|table| wanted.iter().all(|other| other.name != table.name))
    {
        return Err(CopyError::Unlike(format!("the table {}", table.name)));
    }
    let mut tables = Vec::with_capacity(wanted.len());
    for table in wanted {
        let same = |other: &&Table| {
            let names = |table: &Table| {
                table
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .collect::<Vec<_>>()
            };
            other.name == table.name && names(other) == names(table) && other.key == table.key
        };
        let found = there.iter().find(same);
        tables.push(found.ok_or_else(|| CopyError::Unlike(format!("the table {}", table.name)))?);
    }
    send(Piece::All(content::count(tx, &there).await?))?;
    let mut contents = Vec::with_capacity(tables.len());
    for (number, table) in tables.into_iter().enumerate() {
        let (mut pages, mut sum) = (Pages::of(table), Sum::of(table));
        while let Some(rows) = pages.next(tx).await? {
            rows.iter().for_each(|row| sum.add(row));
            send(Piece::Rows(number, rows))?;
        }
        contents.push(sum.finish());
    }
    let given = tx.query(tx.catalog().numbers_given, &[]).await?;
    let given = given.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
    send(Piece::End(contents, given.collect::<Result<_, StorageError>>()?))
}

/// Writes what comes, inside the target's unit of work.
struct Writer<'w, 'c> {
    tx: &'w mut Tx<'c>,
    tables: &'w [Table],
    listener: &'w (dyn Fn(Progress<'_>) + Send + Sync),
    all: u64,
    done: u64,
    /// Rows that refer to later ones of their own table: the table, its column, the key, and what to put there.
    later: Vec<(usize, usize, Vec<Value>)>,
}

impl Writer<'_, '_> {
    async fn write(mut self, pieces: Receiver<Piece>) -> Result<Vec<TableContent>, CopyError> {
        content::lock(self.tx, self.tables).await?;
        empty(self.tx, self.tables).await?;
        loop {
            // A blocked thread gives the others of the runtime their work back first.
            match block_in_place(|| pieces.recv()).map_err(|_| CopyError::Interrupted)? {
                Piece::All(all) => self.all = all,
                Piece::Rows(number, rows) => self.add(number, &rows).await?,
                Piece::End(contents, given) => {
                    self.refer_to_later_rows().await?;
                    self.check(&contents).await?;
                    content::go_on_after(self.tx, self.tables, &given).await?;
                    self.tx.execute(UNMARK, &[]).await?;
                    return Ok(contents);
                }
            }
        }
    }

    async fn add(&mut self, number: usize, rows: &[Row]) -> Result<(), CopyError> {
        let table = &self.tables[number];
        let own = |column: &Column| column.nullable && column.refers_to.as_ref() == Some(&table.name);
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            let mut row_values = Vec::with_capacity(table.columns.len());
            for (place, (cell, column)) in row.cells().iter().zip(&table.columns).enumerate() {
                let value = content::value(cell, column.kind)?;
                if own(column) && value != Value::Null {
                    let mut params = table.key_of(row)?;
                    params.push(value);
                    self.later.push((number, place, params));
                    row_values.push(Value::Null);
                } else {
                    row_values.push(value);
                }
            }
            values.push(row_values);
        }
        self.tx.execute_many(content::insertion(table), &values).await?;
        self.done += rows.len() as u64;
        self.tell(&table.name, self.done, false);
        Ok(())
    }

    /// A row may refer to one of its own table that comes after it, so these columns are written when all rows are there.
    async fn refer_to_later_rows(&mut self) -> Result<(), CopyError> {
        for (number, place, params) in std::mem::take(&mut self.later) {
            let sql = content::reference(&self.tables[number], place);
            self.tx.execute(sql, &params).await?;
        }
        Ok(())
    }

    /// Reads everything back.
    async fn check(&mut self, expected: &[TableContent]) -> Result<(), CopyError> {
        let (all, listener) = (self.all, self.listener);
        let (mut before, mut last, mut name) = (0, 0, String::new());
        let tell = |table: &Table, rows: u64| {
            if table.name != name {
                before += last;
                name.clone_from(&table.name);
            }
            last = rows;
            listener(Progress {
                table: &table.name,
                done: before + rows,
                all,
                checking: true,
            });
            Ok::<(), CopyError>(())
        };
        let found = content::summarise(self.tx, self.tables, tell).await?;
        let mut pairs = expected.iter().zip(&found);
        match pairs.find(|(expected, found)| expected != found) {
            Some((table, _)) => Err(CopyError::Differs(table.table.clone())),
            None => Ok(()),
        }
    }

    fn tell(&self, table: &str, done: u64, checking: bool) {
        let all = self.all;
        (self.listener)(Progress {
            table,
            done,
            all,
            checking,
        });
    }
}
