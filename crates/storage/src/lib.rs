#![doc = include_str!("../README.md")]

mod error;
pub mod migrate;
pub mod query;
mod row;
mod sqlite;
mod storage;
mod tx;
mod typed;
mod value;

pub use error::{MigrationError, StorageError};
pub use row::{Cell, FromValue, Row};
pub use storage::{ConnectionSettings, Storage, StorageConfig, StorageStats};
pub use tx::{Tx, Work};
pub use typed::{SourceKey, uuids};
pub use value::Value;
