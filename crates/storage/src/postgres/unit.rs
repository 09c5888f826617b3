//! Running a unit of work in its caller's task.

use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::StorageError;
use crate::tx::{Tx, Work};
use crate::unit::{panicked, waited};

/// Runs a unit. Whatever goes wrong in it is its result. `waiting` says whether a statement is under way: a unit that waits
/// while none is waits for something else.
pub(super) async fn run<W, T, E>(work: &W, tx: &mut Tx<'_>, waiting: &AtomicBool) -> Result<T, E>
where
    W: for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E>,
    E: From<StorageError>,
{
    // Whatever a panic leaves half done is in the transaction, and that is rolled back.
    let lent = &mut *tx;
    let begin = move || {
        let tx = lent;
        work(tx)
    };
    let result = match panic::catch_unwind(AssertUnwindSafe(begin)) {
        Ok(future) => Guarded { future, waiting }.await,
        Err(payload) => Err(panicked(&*payload).into()),
    };
    match (result, tx.broken()) {
        (Ok(_), Some(error)) => Err(error.clone().into()),
        (result, _) => result,
    }
}

/// A unit under way.
struct Guarded<'t, 'w, T, E> {
    future: Work<'t, T, E>,
    waiting: &'w AtomicBool,
}

impl<T, E: From<StorageError>> Future for Guarded<'_, '_, T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut();
        match panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) if !self.waiting.load(Ordering::Relaxed) => Poll::Ready(Err(waited().into())),
            Ok(poll) => poll,
            Err(payload) => Poll::Ready(Err(panicked(&*payload).into())),
        }
    }
}
