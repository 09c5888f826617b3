//! Sockets to the server, and the beginning of what is said over them.
//!
//! The driver does what comes first: encryption, passwords, the server's greeting. After that the socket is taken back, and
//! [`Wire`](super::wire::Wire) speaks over it: the driver sends and awaits each statement by itself.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::address::{Address, CONNECT_AT_MOST};
use super::error::{self, Again, Fault};
use super::tls;
use crate::StorageError;

/// The port where the address names none.
const PORT: u16 = 5432;

/// One server of an address.
pub(super) struct Server {
    /// Its name, which a certificate has to be for; none for a socket in the file system.
    name: Option<String>,
    target: Target,
}

enum Target {
    Addresses(Vec<SocketAddr>),
    File(std::path::PathBuf),
}

/// The servers of an address, in the order in which they are tried. One whose name nobody knows is a fault in the list.
pub(super) async fn servers(config: &Config) -> Vec<Result<Server, Fault>> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let mut servers = Vec::new();
    for place in 0..hosts.len().max(addresses.len()) {
        let port = ports
            .get(place)
            .or_else(|| ports.first())
            .copied()
            .unwrap_or(PORT);
        let server = match (hosts.get(place), addresses.get(place)) {
            (Some(Host::Unix(folder)), None) => Ok(Server {
                name: None,
                target: Target::File(folder.join(format!(".s.PGSQL.{port}"))),
            }),
            (host, Some(address)) => Ok(Server {
                name: host.and_then(name),
                target: Target::Addresses(vec![SocketAddr::new(*address, port)]),
            }),
            (Some(Host::Tcp(host)), None) => match lookup_host((host.clone(), port)).await {
                Ok(addresses) => Ok(Server {
                    name: Some(host.clone()),
                    target: Target::Addresses(addresses.collect()),
                }),
                Err(error) => Err(not_connected(&error)),
            },
            (None, None) => continue,
        };
        servers.push(server);
    }
    servers
}

fn name(host: &Host) -> Option<String> {
    match host {
        Host::Tcp(name) => Some(name.clone()),
        Host::Unix(_) => None,
    }
}

/// Connects to a server and tells it who is there.
pub(super) async fn connect(address: &Address, server: &Server) -> Result<Socket, Fault> {
    let connecting = async {
        let socket = Shared::new(socket(&address.config, &server.target).await?);
        let connector = address
            .tls
            .connector(server.name.as_deref())
            .map_err(|error| Fault::lost(error.to_string()))?;
        let encrypted = connector.made();
        let greeted = address
            .config
            .connect_raw(socket.clone(), connector)
            .await
            .map_err(|error| refused(address, &error))?;
        drop(greeted);
        Ok(match encrypted.get() {
            Some(encrypted) => Socket::new(encrypted.clone()),
            None => Socket::new(socket),
        })
    };
    time::timeout(2 * CONNECT_AT_MOST, connecting)
        .await
        .map_err(|_elapsed| Fault::lost("the server does not answer"))?
}

async fn socket(config: &Config, target: &Target) -> Result<Socket, Fault> {
    let addresses = match target {
        Target::File(path) => {
            return within(UnixStream::connect(path)).await.map(Socket::new);
        }
        Target::Addresses(addresses) => addresses,
    };
    let mut fault = Fault::lost("error connecting to server: its name has no address");
    for address in addresses {
        match within(TcpStream::connect(address)).await {
            Ok(stream) => {
                return set_up(config, &stream)
                    .map(|()| Socket::new(stream))
                    .map_err(|error| not_connected(&error));
            }
            Err(other) => fault = other,
        }
    }
    Err(fault)
}

async fn within<T>(connect: impl Future<Output = io::Result<T>>) -> Result<T, Fault> {
    time::timeout(CONNECT_AT_MOST, connect)
        .await
        .unwrap_or_else(|_elapsed| Err(io::Error::new(io::ErrorKind::TimedOut, "connection timed out")))
        .map_err(|error| not_connected(&error))
}

/// A server that went away without a word is noticed.
fn set_up(config: &Config, stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(config.get_tcp_user_timeout().copied())?;
    if config.get_keepalives() {
        let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
        if let Some(interval) = config.get_keepalives_interval() {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(retries) = config.get_keepalives_retries() {
            keepalive = keepalive.with_retries(retries);
        }
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}

fn not_connected(error: &io::Error) -> Fault {
    Fault::lost(format!("error connecting to server: {error}"))
}

/// The server, or the way to it, refused.
fn refused(address: &Address, error: &tokio_postgres::Error) -> Fault {
    if let Some(reason) = tls::refusal(error) {
        // Waiting does not mend a certificate; another server of the address may have a good one.
        return Fault::new(Fault::lost(reason).error, Again::No);
    }
    let reason = error::reason(error);
    // What is wrong with the name, the password or the database stays wrong.
    let stays = error
        .code()
        .is_some_and(|code| ["28", "3D"].iter().any(|class| code.code().starts_with(class)));
    match stays {
        true => {
            let url = address.shown.clone();
            Fault::new(StorageError::Url { url, reason }, Again::No)
        }
        false => Fault::lost(reason),
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A socket in the network or in the file system, encrypted or not.
pub(super) struct Socket(Box<dyn Duplex>);

impl Socket {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }
}

/// A stream that the driver is lent. Nobody else uses it meanwhile.
pub(super) struct Shared<S>(Arc<Mutex<S>>);

impl<S> Shared<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Shared<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Shared<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
