//! What is wrong with units of work, whatever the engine.

use std::any::Any;

use crate::StorageError;

/// The error of a unit that waits for something else than its transaction.
pub(crate) fn waited() -> StorageError {
    StorageError::Misuse("a unit of work may await nothing but its transaction".to_owned())
}

/// The error of a unit that panicked.
pub(crate) fn panicked(payload: &(dyn Any + Send)) -> StorageError {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    StorageError::Panicked(text.unwrap_or("no message").to_owned())
}
