#![doc = include_str!("../README.md")]

pub mod backup;
mod content;
pub mod copy;
mod dialect;
mod error;
mod look_up;
pub mod migrate;
mod occupancy;
mod postgres;
pub mod query;
mod row;
mod sqlite;
mod storage;
mod tx;
mod typed;
mod unit;
mod value;

pub use content::TableContent;
pub use error::{MigrationError, StorageError};
pub use look_up::LookUp;
pub use row::{Cell, FromValue, Row};
pub use storage::{ConnectionSettings, Storage, StorageConfig, StorageStats};
pub use tx::{Later, Tx, Work};
pub use typed::{SourceKey, uuids};
pub use value::Value;
