//! Deliveries to a receiver over real connections.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod receiver;
mod sending;
