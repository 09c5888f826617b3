//! Serving connections, and stopping: the first signal ends intake and lets work finish, a deadline or a second
//! signal drops it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alarm::Alarm;
use crate::lanes::Lanes;
use crate::lenient::Lenient;
use crate::tls::Tls;

/// The address of the client of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// How connections are served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) grace: Duration,
}

/// What answers requests: the whole application, or a test's router.
pub(crate) trait Answering: Clone + Send + 'static {
    /// Answers a request.
    fn answer(self, request: Request<Body>) -> impl Future<Output = Response> + Send;
}

/// Serves until `stopping` is cancelled, then until running requests are done, the grace is over, or `dropping` is
/// cancelled.
pub(crate) async fn serve<S: Answering>(
    listener: TcpListener,
    lanes: &Lanes,
    service: S,
    tls: Option<Tls>,
    limits: Limits,
    stopping: &CancellationToken,
    dropping: &CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
            () = stopping.cancelled() => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: wait for one to come back.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stopping.cancelled() => break,
        };
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let (service, timeout, watcher) = (service.clone(), limits.header_timeout, graceful.watcher());
        let tls = tls.clone();
        let serve = move |stream| async move {
            let _place = place;
            let Some(tls) = tls else {
                return finish(watcher.watch(connection(stream, peer, service, timeout)).await);
            };
            match tokio::time::timeout(timeout, tls.acceptor().accept(stream)).await {
                Ok(Ok(stream)) => finish(watcher.watch(connection(stream, peer, service, timeout)).await),
                Ok(Err(error)) => tracing::debug!(%error, "a connection could not be encrypted"),
                Err(_elapsed) => tracing::debug!("a client took too long to encrypt its connection"),
            }
        };
        if let Err(error) = lanes.spawn(&mut connections, stream, serve) {
            tracing::warn!(%error, "cannot hand over a connection");
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(limits.grace) => tracing::warn!("requests were still running at the deadline"),
        () = dropping.cancelled() => tracing::warn!("running requests are dropped"),
    }
    connections.shutdown().await;
}

/// Errors of single connections are the clients' own: a reset, a malformed head.
fn finish(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn connection<S: Answering>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    service: S,
    header_timeout: Duration,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send + 'static {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        // Most requests have no body, and need no box for it.
        let body = |body: Incoming| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(body),
        };
        let answer = service.clone().answer(request.map(body));
        async { Ok::<_, Infallible>(answer.await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(Alarm::default())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(Lenient::new(stream)), service)
}

/// Cancels `stopping` at the first signal to end and `dropping` at the second.
pub(crate) async fn watch_signals(stopping: CancellationToken, dropping: CancellationToken) {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals; the server ends only by being killed");
            return;
        }
    };
    signals.next().await;
    stopping.cancel();
    tracing::info!("stopping: no new requests are taken; a second signal drops running ones");
    signals.next().await;
    dropping.cancel();
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(test)]
impl Answering for axum::Router {
    async fn answer(self, request: Request<Body>) -> Response {
        let Ok(response) = tower::ServiceExt::oneshot(self, request).await;
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::RawQuery;
    use axum::routing::get;
    use futures_util::{StreamExt, stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    struct Running {
        address: SocketAddr,
        stopping: CancellationToken,
        dropping: CancellationToken,
        server: JoinHandle<()>,
    }

    async fn start(router: Router, grace: Duration) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stopping, dropping) = (CancellationToken::new(), CancellationToken::new());
        let limits = Limits {
            connections: 8,
            header_timeout: Duration::from_secs(10),
            grace,
        };
        let (stop, drop) = (stopping.clone(), dropping.clone());
        let server =
            tokio::spawn(
                async move { serve(listener, &Lanes::none(), router, None, limits, &stop, &drop).await },
            );
        Running {
            address,
            stopping,
            dropping,
            server,
        }
    }

    async fn ask(address: SocketAddr, request: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    const SLOW: &str = "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    /// A route that says when it was entered and answers when it is told to.
    fn slow() -> (Router, Arc<Notify>, Arc<Notify>) {
        let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (enter, wait) = (Arc::clone(&entered), Arc::clone(&release));
        let handler = move || async move {
            enter.notify_one();
            wait.notified().await;
            "done"
        };
        (Router::new().route("/slow", get(handler)), entered, release)
    }

    #[tokio::test]
    async fn raw_quotes_in_a_query_reach_the_handler() {
        let echo = |RawQuery(query): RawQuery| async move { query.unwrap_or_default() };
        let running = start(Router::new().route("/q", get(echo)), Duration::ZERO).await;
        let request = "GET /q?filter=userName+eq+\"x\" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answer = ask(running.address, request).await.expect("an answer");
        assert!(answer.ends_with("filter=userName+eq+%22x%22"), "{answer}");
        running.stopping.cancel();
        running.server.await.expect("the server ends");
    }

    #[tokio::test]
    async fn the_first_signal_ends_intake_and_lets_work_finish() {
        let (router, entered, release) = slow();
        let running = start(router, Duration::from_secs(60)).await;
        let asked = tokio::spawn(ask(running.address, SLOW));
        entered.notified().await;
        running.stopping.cancel();
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        release.notify_one();
        assert!(
            asked
                .await
                .expect("no panic")
                .expect("an answer")
                .ends_with("done")
        );
        running.server.await.expect("the server ends");
    }

    /// A route that sends the begin of its answer, and the rest when it is told to.
    fn in_pieces() -> (Router, Arc<Notify>) {
        let release = Arc::new(Notify::new());
        let wait = Arc::clone(&release);
        let handler = move || async move {
            let rest = stream::once(async move {
                wait.notified().await;
                Ok::<_, Infallible>("done")
            });
            Body::from_stream(stream::iter([Ok("begun")]).chain(rest))
        };
        (Router::new().route("/slow", get(handler)), release)
    }

    #[tokio::test]
    async fn an_answer_under_way_is_sent_to_its_end_or_breaks_off() {
        for is_dropped in [false, true] {
            let (router, release) = in_pieces();
            let running = start(router, Duration::from_secs(60)).await;
            let mut stream = TcpStream::connect(running.address).await.expect("a server");
            stream.write_all(SLOW.as_bytes()).await.expect("a connection");
            let mut answer = Vec::new();
            while !answer.ends_with(b"begun\r\n") {
                answer.push(stream.read_u8().await.expect("a piece"));
            }
            running.stopping.cancel();
            if is_dropped {
                running.dropping.cancel();
            } else {
                release.notify_one();
            }
            let ended = stream.read_to_end(&mut answer).await;
            running.server.await.expect("the server ends");
            let is_whole = ended.is_ok() && answer.ends_with(b"done\r\n0\r\n\r\n");
            assert_eq!(is_whole, !is_dropped, "{}", String::from_utf8_lossy(&answer));
        }
    }

    #[tokio::test]
    async fn the_second_signal_and_the_deadline_drop_work() {
        for (grace, second) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
            let (router, entered, _release) = slow();
            let running = start(router, grace).await;
            let asked = tokio::spawn(ask(running.address, SLOW));
            entered.notified().await;
            running.stopping.cancel();
            if second {
                running.dropping.cancel();
            }
            running.server.await.expect("the server ends");
            assert!(
                asked
                    .await
                    .expect("no panic")
                    .is_ok_and(|answer| answer.is_empty()),
                "nothing was answered"
            );
        }
    }
}
