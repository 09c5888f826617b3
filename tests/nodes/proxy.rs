//! A proxy on the loopback between nodes and the database, which breaks a connection at the commit of one change.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Where a connection breaks. Whoever is at its other end cannot tell one from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The server never hears of the commit.
    Before,
    /// The server has committed, and its answer is lost.
    After,
}

/// A proxy, gone with this.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Default)]
struct Shared {
    /// What the change to break has among its parameters, and where.
    plan: Mutex<Option<(Vec<u8>, Break)>>,
    broken: AtomicUsize,
}

impl Proxy {
    /// To a server on this port of the loopback.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::<Shared>::default();
        let all = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&all);
                tokio::spawn(async move {
                    // Either end may go away at any time; the other one notices.
                    let server = TcpStream::connect(("127.0.0.1", server)).await?;
                    between(client, server, &shared).await
                });
            }
        });
        Self {
            port,
            shared,
            task: task.abort_handle(),
        }
    }

    /// Where it listens on the loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The next change with these bytes among its parameters is cut off at its commit.
    pub fn break_at(&self, marker: &[u8], how: Break) {
        let mut plan = self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner);
        *plan = Some((marker.to_vec(), how));
    }

    /// How many connections were broken.
    pub fn broken(&self) -> usize {
        self.shared.broken.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Where to break the commit of a change that has what is looked for.
    fn planned(&self) -> Option<Break> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.take().map(|(_, how)| how)
    }

    fn is_marked(&self, said: &[u8]) -> bool {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let found = |(marker, _): &(Vec<u8>, Break)| said.windows(marker.len()).any(|part| part == marker);
        plan.as_ref().is_some_and(found)
    }

    fn count(&self) {
        self.broken.fetch_add(1, Ordering::SeqCst);
    }
}

/// Carries messages both ways until either end goes away or the connection is to break.
async fn between(mut client: TcpStream, mut server: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // The exchange whose commit is not to be answered; 0 where there is none.
    let silent = AtomicUsize::new(0);
    tokio::select! {
        ended = requests(from_client, to_server, shared, &silent) => ended,
        ended = answers(from_server, to_client, shared, &silent) => ended,
    }
}

/// What a client says (PostgreSQL 15, 55.7: message formats).
async fn requests(
    client: impl AsyncRead + Unpin,
    mut server: impl AsyncWrite + Unpin,
    shared: &Shared,
    silent: &AtomicUsize,
) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let greeting = body(&mut client).await?;
    server.write_all(&framed(&greeting)).await?;
    let mut statements = HashMap::new();
    // The greeting is answered like a request.
    let mut exchanges = 1;
    let (mut is_marked, mut writes) = (false, false);
    loop {
        let kind = client.read_u8().await?;
        let said = body(&mut client).await?;
        match kind {
            b'P' => {
                let mut texts = said.split(|byte| *byte == 0);
                let (name, sql) = (texts.next(), texts.next());
                statements.insert(text(name), text(sql));
            }
            b'B' => {
                let name = text(said.split(|byte| *byte == 0).nth(1));
                let sql = statements.get(&name).map_or("", String::as_str);
                match sql.split_whitespace().next() {
                    Some("BEGIN") => (is_marked, writes) = (false, false),
                    Some("INSERT" | "UPDATE" | "DELETE") => writes = true,
                    _ => {}
                }
                is_marked |= shared.is_marked(&said);
                if sql == "COMMIT" && is_marked && writes {
                    match shared.planned() {
                        Some(Break::Before) => {
                            shared.count();
                            return Ok(());
                        }
                        Some(Break::After) => silent.store(exchanges + 1, Ordering::SeqCst),
                        None => {}
                    }
                }
            }
            b'S' | b'Q' => exchanges += 1,
            _ => {}
        }
        server.write_u8(kind).await?;
        server.write_all(&framed(&said)).await?;
    }
}

/// What the server says.
async fn answers(
    server: impl AsyncRead + Unpin,
    mut client: impl AsyncWrite + Unpin,
    shared: &Shared,
    silent: &AtomicUsize,
) -> io::Result<()> {
    let mut server = BufReader::new(server);
    let mut exchanges = 0;
    loop {
        let kind = server.read_u8().await?;
        let said = body(&mut server).await?;
        match kind {
            b'C' if said == b"COMMIT\0" && exchanges + 1 == silent.load(Ordering::SeqCst) => {
                shared.count();
                return Ok(());
            }
            b'Z' => exchanges += 1,
            _ => {}
        }
        client.write_u8(kind).await?;
        client.write_all(&framed(&said)).await?;
    }
}

/// What follows the length, which counts itself.
async fn body(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?.saturating_sub(4);
    let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact(&mut body).await?;
    Ok(body)
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("no message is that long");
    [&length.to_be_bytes(), body].concat()
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}
