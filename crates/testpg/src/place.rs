//! Where a test keeps its data: in the engine that this run of the tests is about.

use std::fmt::Display;
use std::path::Path;
use std::{fs, io};

use tempfile::TempDir;

use crate::{Database, Databases, Error};

/// Bytes that are text are shown as such.
const READABLE_BYTES: &str = "SET bytea_output = 'escape'";

const READ_EACH_TABLE: &str = "SELECT format('SELECT r::text FROM %s r', oid::regclass) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";

/// A place for the data of one test, gone with it: a file of SQLite, or a database where `USHER_TEST_POSTGRES` names a cluster.
#[derive(Debug)]
pub enum Place {
    /// A folder for a file of SQLite.
    File(TempDir),
    /// A database of PostgreSQL.
    Database(Database),
}

impl Place {
    /// An empty place, also from where nothing can be awaited.
    ///
    /// # Errors
    ///
    /// There is no temporary folder, or the cluster cannot be reached.
    pub fn new() -> Result<Self, Error> {
        match Databases::given() {
            Some(databases) => databases.create_now().map(Self::Database),
            None => Self::file(),
        }
    }

    /// A place with the schema in it, where the engine has templates: the first that asks has `fill` make one (see
    /// [`Databases::template`]). A file of SQLite is empty, because there the schema takes less time than a copy.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], or `fill` failed.
    pub async fn with_schema<E: Display>(
        fill: impl AsyncFnOnce(&str) -> Result<(), E>,
    ) -> Result<Self, Error> {
        match Databases::given() {
            Some(databases) => {
                let template = databases.template("schema", fill).await?;
                databases.create_from(&template).await.map(Self::Database)
            }
            None => Self::file(),
        }
    }

    /// Everything that is kept here, as text: whatever a test looks for in vain is nowhere in it.
    ///
    /// # Errors
    ///
    /// The folder or the database cannot be read.
    pub async fn raw_text(&self) -> Result<String, Error> {
        match self {
            Self::File(folder) => {
                text_of_files(folder.path()).map_err(Error::io("read the files of the database"))
            }
            Self::Database(database) => text_of_tables(database).await,
        }
    }

    fn file() -> Result<Self, Error> {
        tempfile::tempdir()
            .map(Self::File)
            .map_err(Error::io("make a temporary folder"))
    }

    /// The address to open.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::File(folder) => format!("sqlite:{}", folder.path().join("usher.db").display()),
            Self::Database(database) => database.url(),
        }
    }
}

fn text_of_files(folder: &Path) -> io::Result<String> {
    let mut text = String::new();
    for file in fs::read_dir(folder)? {
        text.push_str(&String::from_utf8_lossy(&fs::read(file?.path())?));
    }
    Ok(text)
}

async fn text_of_tables(database: &Database) -> Result<String, Error> {
    let doing = || Error::sql("read all tables");
    let client = database.connect().await?;
    client.batch_execute(READABLE_BYTES).await.map_err(doing())?;
    let statements = client.query(READ_EACH_TABLE, &[]).await.map_err(doing())?;
    let mut text = String::new();
    for statement in statements {
        let rows = client
            .query(statement.get::<_, &str>(0), &[])
            .await
            .map_err(doing())?;
        for row in rows {
            text.push_str(row.get(0));
            text.push('\n');
        }
    }
    Ok(text)
}
