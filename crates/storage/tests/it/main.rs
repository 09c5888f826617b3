//! The promises of the storage, one named test for each.

mod durability;
mod schema;
mod world;
