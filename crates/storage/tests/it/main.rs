//! The promises of the storage, one named test for each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup;
mod closing;
mod concurrency;
mod copy;
mod durability;
mod errors;
mod isolation;
mod plans;
mod schema;
mod settings;
mod snapshots;
mod statements;
mod world;
