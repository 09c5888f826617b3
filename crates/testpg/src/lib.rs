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
mod replication;

pub use cluster::{Cluster, Options};
#[cfg(feature = "sql")]
pub use database::{Database, Databases};
pub use error::Error;
