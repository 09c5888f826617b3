//! Reads that are one statement.

use crate::tx::has_nul;
use crate::{Row, StorageError, Value};

/// One statement that finds a few rows by their keys, and how they are read. See [`Storage::look_up`](crate::Storage::look_up).
#[derive(Debug)]
#[must_use]
pub struct LookUp<T> {
    pub(crate) sql: &'static str,
    pub(crate) params: Vec<Value>,
    pub(crate) read: fn(Vec<Row>) -> Result<T, StorageError>,
}

impl<T> LookUp<T> {
    /// A statement with its parameters, as [`Tx::query`](crate::Tx::query) takes them, and how its rows are read.
    pub const fn new(
        sql: &'static str,
        params: Vec<Value>,
        read: fn(Vec<Row>) -> Result<T, StorageError>,
    ) -> Self {
        Self { sql, params, read }
    }

    pub(crate) fn check(&self) -> Result<(), StorageError> {
        match self.params.iter().any(has_nul) {
            true => Err(StorageError::NulInText),
            false => Ok(()),
        }
    }
}
