//! Units of work with their types erased, and what is wrong with one whatever the engine.
//!
//! There are hundreds of units, each of a type of its own. What runs them knows none of these types, so it is compiled once.

use std::any::Any;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use crate::StorageError;
use crate::tx::{Tx, Work};

/// A run of a unit, up to whether its changes are to be kept.
pub(crate) type Run<'u> = Pin<Box<dyn Future<Output = bool> + Send + 'u>>;

/// A unit of work that keeps what it answers.
pub(crate) trait Unit: Send + Sync {
    /// Runs the unit from its beginning. What it answers takes the place of what was answered before.
    fn run<'u>(&'u self, tx: &'u mut Tx<'_>) -> Run<'u>;

    /// Makes this error the answer.
    fn fail(&self, error: StorageError);
}

/// A unit of work, and what it answered last.
pub(crate) struct Asked<W, T, E> {
    work: W,
    answer: Mutex<Option<Result<T, E>>>,
}

impl<W, T, E> Asked<W, T, E>
where
    W: for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E>,
    E: From<StorageError>,
{
    pub(crate) fn new(work: W) -> Self {
        Self {
            work,
            answer: Mutex::new(None),
        }
    }

    /// What the unit answered; that the storage is closed where it never ran.
    pub(crate) fn take(&self) -> Result<T, E> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.unwrap_or_else(|| Err(StorageError::Closed.into()))
    }

    fn put(&self, answer: Result<T, E>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl<W, T, E> Unit for Asked<W, T, E>
where
    W: for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E> + Send + Sync,
    T: Send,
    E: From<StorageError> + Send,
{
    fn run<'u>(&'u self, tx: &'u mut Tx<'_>) -> Run<'u> {
        let work = (self.work)(tx);
        Box::pin(async move {
            let answer = work.await;
            let is_kept = answer.is_ok();
            self.put(answer);
            is_kept
        })
    }

    fn fail(&self, error: StorageError) {
        self.put(Err(error.into()));
    }
}

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
