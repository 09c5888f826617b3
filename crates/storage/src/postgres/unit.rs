//! Running a unit of work in its caller's task.

use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::StorageError;
use crate::tx::Tx;
use crate::unit::{Run, Unit, panicked, waited};

/// Runs a unit, and says whether its changes are to be kept. Whatever goes wrong in it is its answer. `waiting` says whether a
/// statement is under way: a unit that waits while none is waits for something else.
pub(super) async fn run(unit: &dyn Unit, tx: &mut Tx<'_>, waiting: &AtomicBool) -> bool {
    // Whatever a panic leaves half done is in the transaction, and that is rolled back.
    let lent = &mut *tx;
    let begin = move || {
        let tx = lent;
        unit.run(tx)
    };
    let is_kept = match panic::catch_unwind(AssertUnwindSafe(begin)) {
        Ok(run) => Guarded { run, waiting }.await,
        Err(payload) => Err(panicked(&*payload)),
    };
    let wrong = match (is_kept, tx.broken()) {
        (Ok(true), Some(error)) => error.clone(),
        (Ok(is_kept), _) => return is_kept,
        (Err(error), _) => error,
    };
    unit.fail(wrong);
    false
}

/// A unit under way.
struct Guarded<'u, 'w> {
    run: Run<'u>,
    waiting: &'w AtomicBool,
}

impl Future for Guarded<'_, '_> {
    type Output = Result<bool, StorageError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let run = self.run.as_mut();
        match panic::catch_unwind(AssertUnwindSafe(|| run.poll(cx))) {
            Ok(Poll::Pending) if !self.waiting.load(Ordering::Relaxed) => Poll::Ready(Err(waited())),
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(panicked(&*payload))),
        }
    }
}
