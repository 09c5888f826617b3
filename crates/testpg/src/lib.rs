#![doc = include_str!("../README.md")]

mod account;
mod binaries;
mod cluster;
#[cfg(feature = "sql")]
mod database;
mod error;
mod guard;
mod log;
#[cfg(feature = "sql")]
mod place;
#[cfg(feature = "sql")]
mod recovery;
#[cfg(feature = "sql")]
mod replication;

pub use cluster::{Certificate, Cluster, Options};
#[cfg(feature = "sql")]
pub use database::{Database, Databases};
pub use error::Error;
#[cfg(feature = "sql")]
pub use place::Place;
#[cfg(feature = "sql")]
pub use recovery::BaseBackup;

/// Where a test run says what it goes without, by name and with commas between.
const LEFT_OUT: &str = "USHER_TEST_WITHOUT";

/// Whether PostgreSQL was left out of this run of the tests, by name; then says so where the test's result is shown. A test
/// that starts a cluster asks this first. Where PostgreSQL is missing without being left out, the test fails.
#[must_use]
#[expect(
    clippy::print_stdout,
    reason = "a test that does not run says so where its result is shown"
)]
pub fn is_left_out() -> bool {
    let names = std::env::var(LEFT_OUT).unwrap_or_default();
    let left_out = names.split(',').any(|name| name.trim() == "postgres");
    if left_out {
        println!("not run: postgres was left out");
    }
    left_out
}

/// Whether this machine has a PostgreSQL to make clusters of.
#[must_use]
pub fn is_installed() -> bool {
    binaries::Binaries::find().is_ok()
}
