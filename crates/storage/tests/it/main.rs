//! The promises of the storage, one named test for each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod closing;
mod concurrency;
mod durability;
mod errors;
mod isolation;
mod schema;
mod settings;
mod snapshots;
mod statements;
mod world;
