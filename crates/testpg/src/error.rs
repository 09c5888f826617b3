//! What can go wrong with a cluster.

use std::io;
use std::path::PathBuf;

/// Why there is no cluster, or none that does what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine has no PostgreSQL.
    #[error(
        "no PostgreSQL on this machine: looked for initdb, postgres and pg_basebackup in PATH, in the folder that `pg_config \
         --bindir` names and in /usr/lib/postgresql; on Debian, `apt-get install postgresql` brings them"
    )]
    Missing,
    /// The tests run as root, and there is no account to run PostgreSQL as, which refuses to be root.
    #[error(
        "PostgreSQL does not run as root, and /etc/passwd has neither `postgres` nor `nobody`; add one, or run the tests as yourself"
    )]
    NoAccount,
    /// The system refused something.
    #[error("cannot {doing}")]
    Io {
        /// What was attempted.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A tool of PostgreSQL failed.
    #[error("{tool} failed:\n{output}")]
    Tool {
        /// Which one.
        tool: PathBuf,
        /// What it said.
        output: String,
    },
    /// The server ended instead of starting, or did not get ready in time.
    #[error("PostgreSQL {what}; the end of its log:\n{log}")]
    Server {
        /// What it did, or did not do.
        what: &'static str,
        /// The last lines it wrote.
        log: String,
    },
    /// The server refused a statement, or could not be reached.
    #[cfg(feature = "sql")]
    #[error("cannot {doing}")]
    Sql {
        /// What was attempted.
        doing: String,
        /// What the driver said.
        source: tokio_postgres::Error,
    },
    /// What fills a template failed.
    #[cfg(feature = "sql")]
    #[error("cannot fill the template `{name}`: {reason}")]
    Template {
        /// The template.
        name: String,
        /// What the caller's function said.
        reason: String,
    },
    /// The server did something else than was waited for.
    #[cfg(feature = "sql")]
    #[error("waited in vain for {0}")]
    InVain(&'static str),
}

impl Error {
    /// Turns an error of the system into one that says what was attempted.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    #[cfg(feature = "sql")]
    pub(crate) fn sql(doing: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Sql { doing, source }
    }
}
