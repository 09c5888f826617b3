//! Threads that serve connections, each with a runtime of its own.
//!
//! A connection that stays on one thread wakes no other: neither its socket nor what it has in memory moves between processors.
//! With SQLite, what most requests need runs on that thread too. With PostgreSQL the thread's own connections to the server bring
//! it the answers.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The threads, if there are any. They end when this is dropped, and what runs on them is dropped with them.
pub(crate) struct Lanes(Vec<Lane>);

/// One thread.
struct Lane {
    runtime: Handle,
    /// Held by each of its connections.
    place: Arc<()>,
    ending: CancellationToken,
}

impl Lanes {
    /// None: connections are served by the runtime that accepts them.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// A thread for each processor; where most of the work is a server's, for every second one.
    ///
    /// # Errors
    /// What the system says when it gives no thread, or none of what a runtime needs.
    pub(crate) fn start(reads_here: bool) -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let count = if reads_here {
            processors
        } else {
            processors.div_ceil(2)
        };
        (0..count).map(Lane::start).collect::<io::Result<_>>().map(Self)
    }

    /// Serves a connection on the thread that has the fewest, as one of `connections`.
    ///
    /// # Errors
    /// What the system says when the connection cannot be handed over.
    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        connections: &mut JoinSet<()>,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> io::Result<()> {
        let Some(lane) = self.0.iter().min_by_key(|lane| Arc::strong_count(&lane.place)) else {
            connections.spawn(serve(stream));
            return Ok(());
        };
        let place = Arc::clone(&lane.place);
        // A socket belongs to the runtime that it was made on.
        let stream = stream.into_std()?;
        let serving = async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "cannot take over a connection"),
            }
            drop(place);
        };
        connections.spawn_on(serving, &lane.runtime);
        Ok(())
    }
}

impl Lane {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let lane = Self {
            runtime: runtime.handle().clone(),
            place: Arc::new(()),
            ending: CancellationToken::new(),
        };
        let ending = lane.ending.clone();
        thread::Builder::new()
            .name(format!("lane {number}"))
            .spawn(move || runtime.block_on(ending.cancelled()))?;
        Ok(lane)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    use super::*;

    /// Serves a connection: the thread that it is on, and what ends it.
    async fn served(lanes: &Lanes, connections: &mut JoinSet<()>) -> (ThreadId, oneshot::Sender<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (began, begin) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let serve = |stream| async move {
            let _ = began.send(thread::current().id());
            let _gone = ended.await;
            drop(stream);
        };
        lanes.spawn(connections, far.unwrap().0, serve).unwrap();
        (begin.await.unwrap(), end)
    }

    #[tokio::test]
    async fn connections_are_spread_over_the_threads() {
        let lanes = Lanes(vec![Lane::start(0).unwrap(), Lane::start(1).unwrap()]);
        let mut connections = JoinSet::new();
        let (first, _stays) = served(&lanes, &mut connections).await;
        let (second, leaves) = served(&lanes, &mut connections).await;
        assert_ne!(first, second);
        assert!(![first, second].contains(&thread::current().id()));
        leaves.send(()).unwrap();
        connections.join_next().await.unwrap().unwrap();
        assert_eq!(served(&lanes, &mut connections).await.0, second);
    }

    #[tokio::test]
    async fn without_them_the_runtime_that_accepts_serves() {
        let mut connections = JoinSet::new();
        let (thread, _stays) = served(&Lanes::none(), &mut connections).await;
        assert_eq!(thread, thread::current().id());
    }
}
