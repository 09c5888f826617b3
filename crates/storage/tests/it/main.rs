//! The promises of the storage, one named test for each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup;
mod closing;
mod concurrency;
mod copy;
mod counts;
mod durability;
mod errors;
mod feed;
mod isolation;
mod look_up;
mod plans;
mod postgres;
mod schema;
mod snapshots;
mod sqlite;
mod statements;
mod tls;
mod world;
