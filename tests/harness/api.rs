//! A plain HTTP client with a token: for the API, and for SCIM requests that no well-behaved client would send.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::{Answer, DEADLINE};

/// Speaks to one root with one token.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    root: String,
    token: String,
    media_type: &'static str,
}

impl Client {
    /// For the API, which speaks JSON.
    pub fn api(server: &str, token: &str) -> Self {
        Self::new(format!("{server}/api/v1"), token, "application/json")
    }

    /// For the SCIM endpoint of a source.
    pub fn scim(server: &str, source: &str, token: &str) -> Self {
        Self::new(
            format!("{server}/scim/{source}/v2"),
            token,
            "application/scim+json",
        )
    }

    /// For what is neither, such as `/metrics`; without a token.
    pub fn at(server: &str) -> Self {
        Self::new(server.to_owned(), "", "application/json")
    }

    fn new(root: String, token: &str, media_type: &'static str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(DEADLINE)
            // A test that waits for another process does not see that the server closed a connection meanwhile.
            .pool_idle_timeout(Duration::from_secs(5))
            .build()
            .expect("a client without TLS");
        Self {
            http,
            root,
            token: token.to_owned(),
            media_type,
        }
    }

    /// The API of a server at another address.
    pub(super) fn moved_to(&self, server: &str) -> Self {
        Self::api(server, &self.token)
    }

    /// The same root with another token; an empty one is not sent.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Creates, or asks for something to be done.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Replaces.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// Changes in part.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Sends a JSON body, or none.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.send_raw(method, path, &[], body.map(|body| body.to_string().into_bytes()))
            .await
    }

    /// Sends these headers and these bytes, whatever they are; fails the test only where no answer comes.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let asked = format!("{method} {}{path}", self.root);
        match self.try_send(method, path, headers, body).await {
            Ok(answer) => answer,
            Err(error) => panic!("{asked}: no answer: {error:?}"),
        }
    }

    /// As [`Self::send_raw`], for a server that may die in between: then there is an error instead of an answer.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, reqwest::Error> {
        let address = format!("{}{path}", self.root);
        let asked = format!("{method} {address}");
        let mut request = self.http.request(method, &address);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let typed = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if body.is_some() && !typed {
            request = request.header("content-type", self.media_type);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let bytes = response.bytes().await?;
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Ok(Answer {
            asked,
            status,
            headers,
            body,
        })
    }
}
