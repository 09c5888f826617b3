//! Where a test keeps its data: in the engine that this run of the tests is about.

use std::fmt::Display;

use tempfile::TempDir;

use crate::{Database, Databases, Error};

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
