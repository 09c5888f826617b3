//! One connection, driven by whoever waits for it.
//!
//! The driver wants its `Connection` to be polled by a task of its own. That would be a switch to another task and back for
//! every statement, so the task that waits for an answer reads the socket itself. While nobody waits nothing is read.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio_postgres::{Client, Connection, Error, Socket};

use super::error::{self, Fault};
use super::tls::Stream;

/// The two halves of a connection.
pub(super) struct Wire {
    pub(super) client: Client,
    line: Line,
}

/// The half that reads and writes.
struct Line {
    connection: Connection<Socket, Stream<Socket>>,
    /// Why it can be used no more.
    lost: Option<Fault>,
    waiting: Arc<AtomicBool>,
}

impl Wire {
    pub(super) fn new((client, connection): (Client, Connection<Socket, Stream<Socket>>)) -> Self {
        Self {
            client,
            line: Line {
                connection,
                lost: None,
                waiting: Arc::default(),
            },
        }
    }

    /// Whether a request is under way now.
    pub(super) fn waiting(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.line.waiting)
    }

    /// Makes requests and waits for their answers. A future that is dropped before leaves the connection in the middle of
    /// them: [`Self::is_waiting`] says so from then on.
    pub(super) async fn ask<'c, T, F>(&'c mut self, ask: impl FnOnce(&'c Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Self { client, line } = self;
        if let Some(fault) = &line.lost {
            return Err(fault.clone());
        }
        let mut request = pin!(ask(client));
        line.waiting.store(true, Ordering::Relaxed);
        let answer = poll_fn(|cx| {
            if let Poll::Ready(answer) = request.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            let over = line.poll(cx);
            // What was read just now may be the answer.
            match request.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending if over => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        line.waiting.store(false, Ordering::Relaxed);
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) if error.is_closed() => {
                Err(line.lost.clone().unwrap_or_else(|| error::fault(&error)))
            }
            Some(Err(error)) => Err(error::fault(&error)),
            None => Err(line
                .lost
                .clone()
                .unwrap_or_else(|| Fault::lost("the connection ended"))),
        }
    }

    /// Sends a request whose answer nobody waits for; the next one reads past it.
    pub(super) fn tell<'c, T, F>(&'c mut self, ask: impl FnOnce(&'c Client) -> F)
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Self { client, line } = self;
        let mut cx = Context::from_waker(Waker::noop());
        if pin!(ask(client)).poll(&mut cx).is_pending() {
            line.poll(&mut cx);
        }
    }

    /// Whether a request was given up in the middle.
    pub(super) fn is_waiting(&self) -> bool {
        self.line.waiting.load(Ordering::Relaxed)
    }

    /// Whether the server, as far as was heard, is still there.
    pub(super) fn is_open(&mut self) -> bool {
        self.line.lost.is_none() && !self.line.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        let Self { client, mut line } = self;
        drop(client);
        if line.lost.is_none() {
            let _closed = (&mut line.connection).await;
        }
    }
}

impl Line {
    /// Reads and writes what can be; whether the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        match Pin::new(&mut self.connection).poll(cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => self.lost = Some(Fault::lost("the server closed the connection")),
            Poll::Ready(Err(error)) => self.lost = Some(Fault::lost(error::reason(&error))),
        }
        true
    }
}
