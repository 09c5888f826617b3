//! The pass on PostgreSQL: which tests it has, and the one cluster that they share.

use anyhow::{Context as _, Result};
use usher_testpg::{Cluster, Options};

use super::selection::{Leave, Selection};
use crate::workspace::heading;

/// Tells the tests where the cluster is; without, they work on SQLite.
pub(crate) const VARIABLE: &str = "USHER_TEST_POSTGRES";

/// The suites that keep data: package and test target. The others are the same on both.
const SUITES: &[(&str, &str)] = &[
    ("usher-storage", "it"),
    ("usher-engine", "it"),
    ("usher-server", "it"),
    ("usher-server", "e2e"),
];

/// Tests of these suites that this pass would not learn anything from, each with the reason. A name may stand for a module.
const SQLITE_ONLY: &[Leave] = &[
    Leave {
        suite: ("usher-storage", "it"),
        name: "sqlite::",
        reason: "looks into the file",
    },
    Leave {
        suite: ("usher-server", "e2e"),
        name: "durability::the_disk_has_a_change_before_its_answer_leaves",
        reason: "traces the syncs to disk of the server's own process",
    },
    Leave {
        suite: ("usher-server", "e2e"),
        name: "durability::a_build_that_acknowledges_before_it_commits_is_found_out",
        reason: "the fault is seeded in the writer of SQLite",
    },
    Leave {
        suite: ("usher-server", "e2e"),
        name: "cli_beside_server::without_a_file_the_server_says_once_how_to_try_it_out",
        reason: "begins without a config file, which is on SQLite",
    },
    Leave {
        suite: ("usher-server", "e2e"),
        name: "nodes::",
        reason: "starts clusters of its own, and did so in the first pass",
    },
    Leave {
        suite: ("usher-server", "e2e"),
        name: "browser::",
        reason: "looks at pages, which are the same on both",
    },
];

/// The tests of this pass.
pub(crate) const SELECTION: Selection = Selection {
    suites: SUITES,
    leave: SQLITE_ONLY,
};

/// The suites and tests that this pass goes without, each with the reason.
pub(crate) fn left_out() -> impl Iterator<Item = (String, String)> {
    let tests = SQLITE_ONLY.iter().map(|leave| {
        let (package, target) = leave.suite;
        (
            format!("on PostgreSQL, {package}::{target} {}", leave.name),
            leave.reason.to_owned(),
        )
    });
    let suites = (
        "on PostgreSQL, the other suites".to_owned(),
        "they keep no data".to_owned(),
    );
    std::iter::once(suites).chain(tests)
}

/// A cluster for tests, and what to tell them.
pub(crate) struct Given {
    cluster: Cluster,
}

impl Given {
    /// Starts a cluster that is as quick as it can be, and need not survive anything.
    pub(crate) fn start() -> Result<Self> {
        let settings = [
            // Hundreds of databases come and go, each for a second.
            ("autovacuum", "off"),
            ("checkpoint_timeout", "1h"),
            ("max_wal_size", "4GB"),
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
        ];
        let cluster = Cluster::start(Options {
            max_connections: 400,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Options::default()
        })
        .context("cannot start PostgreSQL for the tests")?;
        Ok(Self { cluster })
    }

    /// The variable for the tests.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        (VARIABLE, self.cluster.first_url())
    }
}

/// `cargo xtask postgres`: a cluster to run single tests against, until its end is asked for.
pub(crate) fn hold() -> Result<()> {
    let given = Given::start()?;
    let (variable, url) = given.variable();
    heading("a PostgreSQL for tests");
    println!("  export {variable}='{url}'\n\nends with this command: press Enter");
    std::io::stdin()
        .read_line(&mut String::new())
        .context("cannot wait for the end")?;
    Ok(())
}
