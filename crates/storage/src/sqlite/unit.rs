//! A unit of work on its way to a thread and back.

use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

use crate::StorageError;
use crate::tx::Tx;
use crate::unit::{Run, Unit, panicked, waited};

/// What is sent to a thread.
pub(super) enum Message {
    Unit(Pending),
    /// Close the connection and end; the sender is dropped or used after that.
    Close(oneshot::Sender<()>),
}

/// A unit of work that its caller waits for.
pub(super) struct Pending {
    unit: Arc<dyn Unit>,
    done: Option<oneshot::Sender<()>>,
}

impl Pending {
    /// The unit, and what tells when its answer is there.
    pub(super) fn new(unit: Arc<dyn Unit>) -> (Self, oneshot::Receiver<()>) {
        let (done, wait) = oneshot::channel();
        let pending = Self {
            unit,
            done: Some(done),
        };
        (pending, wait)
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.done.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Runs the unit and says whether its changes are to be kept. May be called again; the last run counts.
    pub(super) fn run(&self, tx: &mut Tx<'_>) -> bool {
        run(&*self.unit, tx)
    }

    /// Replaces the answer.
    pub(super) fn fail(&self, error: StorageError) {
        self.unit.fail(error);
    }

    /// Tells the caller that the answer is there. The first time counts.
    pub(super) fn answer(&mut self) {
        if let Some(done) = self.done.take() {
            // Nobody may be waiting any more; what was decided stands all the same.
            let _unheard = done.send(());
        }
    }
}

/// Runs a unit on this thread, and says whether its changes are to be kept. Whatever goes wrong in it is its answer.
pub(super) fn run(unit: &dyn Unit, tx: &mut Tx<'_>) -> bool {
    // Whatever a panic leaves half done is in the transaction, and that is rolled back.
    let wrong = match panic::catch_unwind(AssertUnwindSafe(|| poll_once(unit.run(tx)))) {
        Ok(Poll::Ready(true)) => match tx.broken() {
            Some(error) => error.clone(),
            None => return true,
        },
        Ok(Poll::Ready(false)) => return false,
        Ok(Poll::Pending) => waited(),
        Err(payload) => panicked(&*payload),
    };
    unit.fail(wrong);
    false
}

/// The outcome of a statement, which waits for nothing.
pub(super) fn at_once<T>(
    statement: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    match pin!(statement).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(waited()),
    }
}

/// Every await of a unit is one of its `tx`, which is ready at once: one poll completes it.
fn poll_once(mut run: Run<'_>) -> Poll<bool> {
    run.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
