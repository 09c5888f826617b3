//! What callers want changed, with its types erased.
//!
//! There are hundreds of changes, each of a type of its own. What runs them knows none of these types, so it is compiled once.

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use usher_storage::StorageError;

use crate::EngineError;
use crate::unit::Unit;

/// A change that keeps what it answers.
pub(crate) trait Change: Send + Sync {
    /// Runs the change from its beginning. What it answers takes the place of what was answered before.
    fn run<'a>(&'a self, unit: &'a mut Unit<'_, '_>) -> BoxFuture<'a, Result<(), Stop>>;
}

/// Why a change was not done.
pub(crate) enum Stop {
    /// It says so itself; its answer holds the reason.
    Itself,
    /// What follows from it cannot be decided.
    Engine(EngineError),
    /// It cannot be stored.
    Storage(StorageError),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// A change, and what it answered last.
pub(crate) struct Asked<W, T, E> {
    work: W,
    answer: Mutex<Option<Result<T, E>>>,
}

impl<W, T, E> Asked<W, T, E>
where
    W: for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, E>>,
    E: From<EngineError> + From<StorageError>,
{
    pub(crate) fn new(work: W) -> Self {
        Self {
            work,
            answer: Mutex::new(None),
        }
    }

    /// What it answered, after it was `done` or was not.
    pub(crate) fn take(&self, done: Result<(), Stop>) -> Result<T, E> {
        match done {
            Ok(()) | Err(Stop::Itself) => {
                let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
                answer.unwrap_or_else(|| Err(StorageError::Closed.into()))
            }
            Err(Stop::Engine(error)) => Err(error.into()),
            Err(Stop::Storage(error)) => Err(error.into()),
        }
    }
}

impl<W, T, E> Change for Asked<W, T, E>
where
    W: for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, E>> + Send + Sync,
    T: Send,
    E: Send,
{
    fn run<'a>(&'a self, unit: &'a mut Unit<'_, '_>) -> BoxFuture<'a, Result<(), Stop>> {
        let work = (self.work)(unit);
        Box::pin(async move {
            let answer = work.await;
            let done = answer.as_ref().map_or(Err(Stop::Itself), |_| Ok(()));
            *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            done
        })
    }
}
