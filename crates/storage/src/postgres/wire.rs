//! What is said to the server, and how its answers are read (PostgreSQL 16, chapter 55: frontend/backend protocol).
//!
//! Requests are put into a buffer and sent in one go, with one `Sync` behind all of them, so that the server answers them in
//! one go as well. The task that waits for the answer reads the socket itself: a task for each connection would mean a switch
//! to it and back for every request. While nobody waits nothing is read.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};
use tokio::task::unconstrained;
use tokio_postgres::types::{ToSql, Type};

use super::error::{Again, Fault};
use super::socket::Socket;
use crate::StorageError;

/// Room for what is read at once.
const READ: usize = 8 << 10;
/// A buffer that grew beyond this is given back after use.
const KEEP: usize = 256 << 10;

/// One connection.
pub(super) struct Wire {
    socket: Socket,
    output: BytesMut,
    input: BytesMut,
    /// How many requests were made whose answers nobody waits for.
    owed: usize,
    /// Why it can be used no more.
    lost: Option<Fault>,
    waiting: Arc<AtomicBool>,
}

/// Takes the messages of an answer.
pub(super) trait Hear {
    /// A message's kind and what it says.
    fn hear(&mut self, kind: u8, said: &[u8]);
}

impl Wire {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            output: BytesMut::with_capacity(READ),
            input: BytesMut::with_capacity(READ),
            owed: 0,
            lost: None,
            waiting: Arc::default(),
        }
    }

    /// Whether a request is under way now.
    pub(super) fn waiting(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waiting)
    }

    /// Puts the question what a statement is, under a name: `1`, `t` and `T` or `n` answer it.
    pub(super) fn put_parse(&mut self, name: &str, text: &str, types: &[Type]) -> Result<(), Fault> {
        self.put(|output| {
            frontend::parse(name, text, types.iter().map(Type::oid), output)?;
            Ok(frontend::describe(b'S', name, output)?)
        })
    }

    /// Puts an execution of a named statement: `2`, `D` for each row, and `C` or `I` answer it.
    pub(super) fn put_run<'p>(
        &mut self,
        name: &str,
        types: &[Type],
        params: impl Iterator<Item = &'p (dyn ToSql + Sync)>,
    ) -> Result<(), Fault> {
        let to_sql = |(value, kind): (&'p (dyn ToSql + Sync), &Type), output: &mut BytesMut| {
            Ok(match value.to_sql_checked(kind, output)? {
                tokio_postgres::types::IsNull::Yes => postgres_protocol::IsNull::Yes,
                tokio_postgres::types::IsNull::No => postgres_protocol::IsNull::No,
            })
        };
        self.put(|output| {
            let values = params.zip(types);
            frontend::bind("", name, [BINARY], values, to_sql, [BINARY], output).map_err(
                |error| match error {
                    frontend::BindError::Conversion(error) => error,
                    frontend::BindError::Serialization(error) => error.into(),
                },
            )?;
            Ok(frontend::execute("", 0, output)?)
        })
    }

    /// Puts that a named statement is needed no more: `3` answers it.
    pub(super) fn put_close(&mut self, name: &str) -> Result<(), Fault> {
        self.put(|output| Ok(frontend::close(b'S', name, output)?))
    }

    fn put(
        &mut self,
        put: impl FnOnce(&mut BytesMut) -> Result<(), Box<dyn std::error::Error + Sync + Send>>,
    ) -> Result<(), Fault> {
        let before = self.output.len();
        put(&mut self.output).map_err(|error| {
            self.output.truncate(before);
            // Values that cannot be sent: an error in the calling code.
            Fault::new(StorageError::Misuse(error.to_string()), Again::No)
        })
    }

    /// Forgets what was put and not sent.
    pub(super) fn forget(&mut self) {
        self.output.clear();
    }

    /// Sends what was put, and hands on every message of the answer. A future that is dropped before leaves the connection in
    /// the middle of it: [`Self::is_waiting`] says so from then on.
    pub(super) async fn ask(&mut self, on: &mut impl Hear) -> Result<(), Fault> {
        frontend::sync(&mut self.output);
        self.exchange(on).await
    }

    /// Runs a script of several statements by itself, and hands on every message of the answer.
    pub(super) async fn script(&mut self, sql: &str, on: &mut impl Hear) -> Result<(), Fault> {
        self.put(|output| Ok(frontend::query(sql, output)?))?;
        self.exchange(on).await
    }

    async fn exchange(&mut self, on: &mut impl Hear) -> Result<(), Fault> {
        if let Some(fault) = &self.lost {
            return Err(fault.clone());
        }
        self.waiting.store(true, Ordering::Relaxed);
        let answer = poll_fn(|cx| self.poll_answer(cx, on)).await;
        self.waiting.store(false, Ordering::Relaxed);
        answer
    }

    /// Sends what was put without waiting for an answer; the next request reads past it.
    ///
    /// All of it is sent now or the connection is given up: what is left in the buffer could be forgotten, and then an
    /// answer is owed that never comes.
    pub(super) fn tell(&mut self) {
        frontend::sync(&mut self.output);
        self.owed += 1;
        let sent = at_once(|cx| Poll::Ready(self.poll_send(cx)));
        match sent {
            Poll::Ready(Err(fault)) => self.lost = Some(fault),
            _ if !self.output.is_empty() => self.lost = Some(Fault::lost("the server takes no more")),
            _ => {}
        }
    }

    /// Whether a request was given up in the middle.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether the server, as far as was heard, is still there.
    pub(super) fn is_open(&mut self) -> bool {
        while self.lost.is_none() {
            self.read_past();
            match at_once(|cx| self.poll_read(cx)) {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(fault)) => self.lost = Some(fault),
            }
        }
        false
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        if self.lost.is_none() {
            self.output.clear();
            frontend::terminate(&mut self.output);
            let _gone = self.socket.write_all(&self.output).await;
            let _gone = self.socket.shutdown().await;
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, on: &mut impl Hear) -> Poll<Result<(), Fault>> {
        let answered = loop {
            if let Err(fault) = self.poll_send(cx) {
                break Err(fault);
            }
            if self.take_messages(on) {
                break Ok(());
            }
            if let Err(fault) = ready!(self.poll_read(cx)) {
                break Err(fault);
            }
        };
        self.shrink();
        if let Err(fault) = &answered {
            self.lost = Some(fault.clone());
        }
        Poll::Ready(answered)
    }

    /// Sends what can be sent now.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if self.output.is_empty() {
            return Ok(());
        }
        while !self.output.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.output) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(closed()),
                Poll::Ready(Ok(sent)) => self.output.advance(sent),
                Poll::Ready(Err(error)) => {
                    return Err(Fault::lost(format!(
                        "error communicating with the server: {error}"
                    )));
                }
            }
        }
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(Fault::lost(format!(
                "error communicating with the server: {error}"
            ))),
            _ => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.input.reserve(READ);
        let read = ready!(pin!(self.socket.read_buf(&mut self.input)).poll(cx));
        Poll::Ready(match read {
            Ok(0) => Err(closed()),
            Ok(_) => Ok(()),
            Err(error) => Err(Fault::lost(format!(
                "error communicating with the server: {error}"
            ))),
        })
    }

    /// Hands on the messages that are there; whether the answer is at its end.
    fn take_messages(&mut self, on: &mut impl Hear) -> bool {
        let mut place = 0;
        let mut ended = false;
        while !ended && let Some(length) = length(&self.input[place..]) {
            let message = &self.input[place..place + length];
            match message[0] {
                // What the server says without being asked: notices, notifications, changes of its parameters.
                b'N' | b'A' | b'S' => {}
                b'Z' if self.owed > 0 => self.owed -= 1,
                b'Z' => ended = true,
                _ if self.owed > 0 => {}
                kind => on.hear(kind, &message[HEADER..]),
            }
            place += length;
        }
        self.input.advance(place);
        ended
    }

    /// Drops answers that nobody waits for.
    fn read_past(&mut self) {
        self.take_messages(&mut Nobody);
    }

    fn shrink(&mut self) {
        for buffer in [&mut self.output, &mut self.input] {
            if buffer.is_empty() && buffer.capacity() > KEEP {
                *buffer = BytesMut::with_capacity(READ);
            }
        }
    }
}

/// Polls once, for whoever does not come back: neither woken later nor put off because the task had its turn (a socket is
/// never ready to a task that used up its budget, and then wakes it).
fn at_once<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(unconstrained(poll_fn(poll))).poll(&mut cx)
}

/// Hears nothing.
struct Nobody;

impl Hear for Nobody {
    fn hear(&mut self, _kind: u8, _said: &[u8]) {}
}

/// Values are sent and read in the binary form.
const BINARY: i16 = 1;

/// The kind of a message and its length, which counts itself.
const HEADER: usize = 5;

/// How long the message is that begins here; nothing while it is not there as a whole.
fn length(input: &[u8]) -> Option<usize> {
    let length = input.get(1..HEADER)?.try_into().ok()?;
    let length = (u32::from_be_bytes(length) as usize).max(HEADER - 1) + 1;
    (input.len() >= length).then_some(length)
}

fn closed() -> Fault {
    Fault::lost("the server closed the connection")
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::task::{consume_budget, coop};

    use super::*;

    const READY: [u8; 6] = [b'Z', 0, 0, 0, 5, b'I'];

    #[tokio::test]
    async fn what_is_told_is_sent_by_a_task_that_had_its_turn() {
        let (here, mut there) = duplex(1 << 10);
        let mut wire = Wire::new(Socket::new(here));
        while coop::has_budget_remaining() {
            consume_budget().await;
        }
        wire.put_close("s1").unwrap();
        wire.tell();
        wire.forget();
        let mut told = BytesMut::new();
        frontend::close(b'S', "s1", &mut told).unwrap();
        frontend::sync(&mut told);
        let mut heard = vec![0; told.len()];
        there.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, told);

        there.write_all(&READY).await.unwrap();
        there.write_all(&READY).await.unwrap();
        wire.ask(&mut Nobody).await.unwrap();
        assert!(wire.is_open() && wire.owed == 0);
    }

    #[tokio::test]
    async fn what_cannot_be_told_at_once_ends_the_connection() {
        let (here, _there) = duplex(4);
        let mut wire = Wire::new(Socket::new(here));
        wire.put_close("s1").unwrap();
        wire.tell();
        assert!(!wire.is_open());
        assert!(wire.ask(&mut Nobody).await.is_err());
    }

    #[tokio::test]
    async fn a_server_that_left_is_noticed_by_a_task_that_had_its_turn() {
        let (here, there) = duplex(1 << 10);
        let mut wire = Wire::new(Socket::new(here));
        drop(there);
        while coop::has_budget_remaining() {
            consume_budget().await;
        }
        assert!(!wire.is_open());
    }
}
