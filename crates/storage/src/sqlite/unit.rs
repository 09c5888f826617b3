//! A unit of work on its way to a thread and back.

use std::panic::{self, AssertUnwindSafe};
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

use crate::StorageError;
use crate::tx::{Tx, Work};
use crate::unit::{panicked, waited};

/// What is sent to a thread.
pub(super) enum Message {
    Unit(Box<dyn Unit>),
    /// Close the connection and end; the sender is dropped or used after that.
    Close(oneshot::Sender<()>),
}

/// A unit of work with its types erased.
pub(super) trait Unit: Send {
    /// Whether nobody waits for the result any more.
    fn abandoned(&self) -> bool;
    /// Runs the unit and says whether its changes are to be kept. May be called again; the last run counts.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Replaces the result.
    fn fail(&mut self, error: StorageError);
    /// Sends the result to the caller. The first answer counts.
    fn answer(&mut self);
}

/// A unit of work that its caller waits for.
pub(super) struct Pending<W, T, E> {
    work: W,
    result: Option<Result<T, E>>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

impl<W, T, E> Pending<W, T, E>
where
    W: for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E>,
{
    pub(super) fn new(work: W) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                work,
                result: None,
                reply: Some(reply),
            },
            answer,
        )
    }
}

impl<W, T, E> Unit for Pending<W, T, E>
where
    W: for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E> + Send,
    T: Send,
    E: From<StorageError> + Send,
{
    fn abandoned(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.result.insert(run(&self.work, tx)).is_ok()
    }

    fn fail(&mut self, error: StorageError) {
        self.result = Some(Err(error.into()));
    }

    fn answer(&mut self) {
        if let (Some(reply), Some(result)) = (self.reply.take(), self.result.take()) {
            // Nobody may be waiting any more; what was decided stands all the same.
            let _unheard = reply.send(result);
        }
    }
}

/// Runs a unit on this thread. Whatever goes wrong in it is its result.
pub(super) fn run<W, T, E>(work: &W, tx: &mut Tx<'_>) -> Result<T, E>
where
    W: for<'t> Fn(&'t mut Tx<'_>) -> Work<'t, T, E>,
    E: From<StorageError>,
{
    // Whatever a panic leaves half done is in the transaction, and that is rolled back.
    match panic::catch_unwind(AssertUnwindSafe(|| poll_once(work(tx)))) {
        Ok(Poll::Ready(Ok(value))) => match tx.broken() {
            Some(error) => Err(error.clone().into()),
            None => Ok(value),
        },
        Ok(Poll::Ready(Err(error))) => Err(error),
        Ok(Poll::Pending) => Err(waited().into()),
        Err(payload) => Err(panicked(&*payload).into()),
    }
}

/// Every await of a unit is one of its `tx`, which is ready at once: one poll completes it.
fn poll_once<T, E>(mut future: Work<'_, T, E>) -> Poll<Result<T, E>> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
