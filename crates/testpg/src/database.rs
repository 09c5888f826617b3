//! Databases for tests, in a cluster that they may share.

use std::env;
use std::fmt::Display;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::thread;

use tokio_postgres::{Client, NoTls};

use crate::{Cluster, Error};

/// Where a test run says which cluster to test against.
const GIVEN: &str = "USHER_TEST_POSTGRES";

/// Taken by whoever makes a template, so that one process makes it and the others wait.
const LOCK_TEMPLATES: &str = "SELECT pg_advisory_lock(7446523)";

const TEMPLATE_EXISTS: &str = "SELECT FROM pg_database WHERE datname = $1";

/// Names come from the server, so that processes that share it cannot clash. Copying the files takes a quarter of the time of
/// copying by way of the log, but PostgreSQL 14 and older know no other way, nor a word for it.
const CREATE: &str = "SELECT name, 'CREATE DATABASE ' || name || ' TEMPLATE ' || quote_ident($1) ||
        CASE WHEN current_setting('server_version_num')::int >= 150000 THEN ' STRATEGY FILE_COPY' ELSE '' END
    FROM (SELECT 'test_' || replace(gen_random_uuid()::text, '-', '') AS name) drawn";

/// A cluster as somewhere to make databases.
#[derive(Clone, Debug)]
pub struct Databases {
    url: String,
}

/// A database of a test's own, dropped with this.
#[derive(Debug)]
pub struct Database {
    name: String,
    databases: Databases,
}

impl Cluster {
    /// The cluster as somewhere to make databases.
    #[must_use]
    pub fn databases(&self) -> Databases {
        Databases::at(self.first_url())
    }

    /// A new, empty database.
    ///
    /// # Errors
    ///
    /// The cluster does not run.
    pub async fn database(&self) -> Result<Database, Error> {
        self.databases().create().await
    }

    /// A session in the database that every cluster has.
    ///
    /// # Errors
    ///
    /// The cluster does not run.
    pub async fn connect(&self) -> Result<Client, Error> {
        connect(&self.first_url()).await
    }
}

impl Databases {
    /// In the cluster that this run of the tests was told to use, in `USHER_TEST_POSTGRES`; `None` where it was told none.
    #[must_use]
    pub fn given() -> Option<Self> {
        env::var(GIVEN).ok().filter(|url| !url.is_empty()).map(Self::at)
    }

    /// In the cluster of this URL, which names any database of it.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// The URL of a database of the cluster.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        with_database(&self.url, database)
    }

    /// A new, empty database.
    ///
    /// # Errors
    ///
    /// The cluster cannot be reached.
    pub async fn create(&self) -> Result<Database, Error> {
        self.create_from("template1").await
    }

    /// As [`Self::create`], from where nothing can be awaited.
    ///
    /// # Errors
    ///
    /// The cluster cannot be reached.
    pub fn create_now(&self) -> Result<Database, Error> {
        let databases = self.clone();
        apart(async move { databases.create().await })
    }

    /// A new database that begins as a copy of this template.
    ///
    /// # Errors
    ///
    /// The cluster cannot be reached, or has no such template.
    pub async fn create_from(&self, template: &str) -> Result<Database, Error> {
        let doing = || format!("make a database from `{template}`");
        let client = connect(&self.url).await?;
        let drawn = client
            .query_one(CREATE, &[&template])
            .await
            .map_err(Error::sql(doing()))?;
        let (name, statement): (String, String) = (drawn.get(0), drawn.get(1));
        client
            .batch_execute(&statement)
            .await
            .map_err(Error::sql(doing()))?;
        Ok(Database {
            name,
            databases: self.clone(),
        })
    }

    /// The name of a template that `fill` was once given to fill; where there is none yet, it is made now. `fill` must close
    /// every session it opens. Each build of the calling program has templates of its own, so none is ever out of date.
    ///
    /// # Errors
    ///
    /// The cluster cannot be reached, or `fill` failed; then there is no template.
    pub async fn template<E: Display>(
        &self,
        name: &str,
        fill: impl AsyncFnOnce(&str) -> Result<(), E>,
    ) -> Result<String, Error> {
        let doing = || format!("make the template `{name}`");
        let full_name = format!("{name}_{:016x}", this_build());
        let client = connect(&self.url).await?;
        client
            .batch_execute(LOCK_TEMPLATES)
            .await
            .map_err(Error::sql(doing()))?;
        let there = client
            .query_opt(TEMPLATE_EXISTS, &[&full_name])
            .await
            .map_err(Error::sql(doing()))?;
        if there.is_none() {
            let mut database = self.create().await?;
            fill(&database.url()).await.map_err(|error| Error::Template {
                name: name.to_owned(),
                reason: error.to_string(),
            })?;
            // The server waits for sessions that are just ending.
            let rename = format!("ALTER DATABASE {} RENAME TO {full_name}", database.name);
            client.batch_execute(&rename).await.map_err(Error::sql(doing()))?;
            // It is no test's any more: nothing to drop.
            database.name.clear();
        }
        // The lock ends with the session.
        Ok(full_name)
    }
}

impl Database {
    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        self.databases.url(&self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session in it, for what a test looks up by itself.
    ///
    /// # Errors
    ///
    /// The cluster cannot be reached.
    pub async fn connect(&self) -> Result<Client, Error> {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let url = self.databases.url.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A cluster that is gone has taken the database with it.
        let _ = apart(async move {
            let client = connect(&url).await?;
            client
                .batch_execute(&statement)
                .await
                .map_err(Error::sql("drop a database"))
        });
    }
}

/// Waits for this on a thread of its own: ours may be one that runs the tasks of a test, where nothing can be waited for.
fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let thread = thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::io("start a runtime"))?
            .block_on(work)
    });
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A session, ended by dropping the client.
pub(crate) async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .map_err(Error::sql("connect to PostgreSQL"))?;
    // Its error is the client's as well.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

/// `url` with another database in it.
fn with_database(url: &str, database: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(a, q)| (a, Some(q)));
    let authority = address.find("://").map_or(0, |scheme| scheme + 3);
    let path = address[authority..]
        .find('/')
        .map_or(address.len(), |slash| authority + slash);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{database}{query}", &address[..path])
}

/// What is different for each build of the running program.
fn this_build() -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Ok(path) = env::current_exe() {
        path.hash(&mut hasher);
        if let Ok(metadata) = fs::metadata(path) {
            metadata.len().hash(&mut hasher);
            metadata.modified().ok().hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_changed_and_nothing_else() {
        for (url, expected) in [
            ("postgres:///a?host=/t&user=u", "postgres:///b?host=/t&user=u"),
            ("postgres://u:p@127.0.0.1:1/a", "postgres://u:p@127.0.0.1:1/b"),
            ("postgres://h", "postgres://h/b"),
            ("postgres://h?x=/y", "postgres://h/b?x=/y"),
        ] {
            assert_eq!(with_database(url, "b"), expected);
        }
    }
}
