//! The promises of the storage, one named test for each.

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
