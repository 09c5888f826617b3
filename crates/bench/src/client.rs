//! HTTP/1.1 connections that stay open, with as little as possible between a request and the socket.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A request as the connections take it.
pub(crate) type Call = Request<Full<Bytes>>;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.start()))
    }

    /// The answer itself when it has one of these statuses, else an error that shows it.
    pub(crate) fn expect(self, statuses: &[u16]) -> Result<Self> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        bail!("answered {}: {}", self.status, self.start())
    }

    fn start(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(400).collect()
    }
}

/// Where requests go, and on whose behalf.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    host: HeaderValue,
    prefix: String,
    token: Option<HeaderValue>,
}

impl Endpoint {
    /// Paths are relative to `prefix`; without a token none is sent.
    pub(crate) fn new(address: SocketAddr, prefix: &str, token: Option<&str>) -> Result<Self> {
        let token = token
            .map(|token| format!("Bearer {token}").parse())
            .transpose()
            .context("the token does not fit into a header")?;
        Ok(Self {
            address,
            host: address.to_string().parse().context("the address is no header")?,
            prefix: prefix.to_owned(),
            token,
        })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address)
            .await
            .with_context(|| format!("cannot connect to {}", self.address))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection { sender })
    }

    /// A read. The path is escaped already.
    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path, Bytes::new())
    }

    /// A creation.
    pub(crate) fn post(&self, path: &str, body: String) -> Call {
        self.call(Method::POST, path, body.into())
    }

    /// A change.
    pub(crate) fn patch(&self, path: &str, body: String) -> Call {
        self.call(Method::PATCH, path, body.into())
    }

    fn call(&self, method: Method, path: &str, body: Bytes) -> Call {
        let mut call = Request::new(Full::new(body));
        let has_body = method != Method::GET;
        *call.method_mut() = method;
        *call.uri_mut() = format!("{}{path}", self.prefix)
            .parse()
            .expect("the generator escapes its paths");
        let headers = call.headers_mut();
        headers.insert(HOST, self.host.clone());
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        }
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        call
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Sends a request and reads the answer to its end.
    pub(crate) async fn send(&mut self, call: Call) -> Result<Answer> {
        self.sender.ready().await.context("the server hung up")?;
        let response = self
            .sender
            .send_request(call)
            .await
            .context("no answer came; the server's log says why")?;
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .context("the answer broke off")?
            .to_bytes();
        Ok(Answer { status, body })
    }
}
