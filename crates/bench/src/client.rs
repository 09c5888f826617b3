//! HTTP/1.1 connections that stay open, with as little as possible between a request and the socket.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const SCIM: &str = "application/scim+json";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request as the connections take it.
pub(crate) type Call = Request<Full<Bytes>>;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    headers: HeaderMap,
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

    /// The first cookie that it sets, as it is sent back.
    pub(crate) fn cookie(&self) -> Option<&str> {
        let set = self.headers.get(SET_COOKIE)?.to_str().ok()?;
        set.split(';').next()
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
    credential: Option<(HeaderName, HeaderValue)>,
}

impl Endpoint {
    /// Paths are relative to `prefix`; without a token none is sent.
    pub(crate) fn new(address: SocketAddr, prefix: &str, token: Option<&str>) -> Result<Self> {
        let credential = token
            .map(|token| format!("Bearer {token}").parse())
            .transpose()
            .context("the token does not fit into a header")?
            .map(|value| (AUTHORIZATION, value));
        Ok(Self {
            address,
            host: address.to_string().parse().context("the address is no header")?,
            prefix: prefix.to_owned(),
            credential,
        })
    }

    /// The console, for a local administrator, as after the form of `/sign-in`.
    pub(crate) async fn signed_in(address: SocketAddr, name: &str, password: &str) -> Result<Self> {
        let stranger = Self::new(address, "", None)?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("name", name), ("password", password)])
            .finish();
        let mut call = stranger.call(Method::POST, "/sign-in", FORM, form.into());
        let origin = format!("http://{address}").parse()?;
        call.headers_mut().insert(ORIGIN, origin);
        let answer = stranger.connect().await?.send(call).await?.expect(&[303])?;
        let cookie = answer.cookie().context("nobody was signed in")?.parse()?;
        Ok(Self {
            credential: Some((COOKIE, cookie)),
            ..stranger
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
        self.call(Method::GET, path, "", Bytes::new())
    }

    /// A creation by SCIM.
    pub(crate) fn post(&self, path: &str, body: String) -> Call {
        self.call(Method::POST, path, SCIM, body.into())
    }

    /// A creation or an action by the API.
    pub(crate) fn post_json(&self, path: &str, body: &serde_json::Value) -> Call {
        self.call(Method::POST, path, JSON, body.to_string().into())
    }

    /// A change by SCIM.
    pub(crate) fn patch(&self, path: &str, body: String) -> Call {
        self.call(Method::PATCH, path, SCIM, body.into())
    }

    /// Without a body, its media type is empty.
    fn call(&self, method: Method, path: &str, media_type: &'static str, body: Bytes) -> Call {
        let mut call = Request::new(Full::new(body));
        *call.method_mut() = method;
        *call.uri_mut() = format!("{}{path}", self.prefix)
            .parse()
            .expect("the generator escapes its paths");
        let headers = call.headers_mut();
        headers.insert(HOST, self.host.clone());
        if !media_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if let Some((name, value)) = &self.credential {
            headers.insert(name, value.clone());
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
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?.to_bytes();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }
}
