//! Clusters, made of the PostgreSQL of the machine that the tests run on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod databases;
mod ending;
mod lifecycle;
mod places;
mod replication;

/// Whether this process of PostgreSQL still does anything.
fn runs(process: impl std::fmt::Display) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.contains("(postgres)") && !stat.contains(") Z ")
}
