//! Calls to Microsoft Graph: URLs, refusals and counts. Knows HTTP and nothing of memberships.

use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use usher_core::{AdapterError, ErrorKind, RetryAdvice};
use usher_outbound::{Answer, Client};

use crate::config::joined;
use crate::wire::Failure;

/// Microsoft Graph of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    client: Client,
    /// Version included.
    root: Url,
}

/// What was asked for, or how Graph refused it.
#[derive(Debug)]
pub(crate) enum Found<T> {
    Yes(T),
    No(Refusal),
}

/// A request that Graph understood and did not grant: 400 to 499 without 401, 408 and 429, which are errors of the read.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Graph's word for it in lower case; empty without one.
    pub(crate) code: String,
    /// As an error, should the caller not know better.
    pub(crate) error: AdapterError,
}

impl Refusal {
    /// Whether the thing asked for is not there.
    pub(crate) const fn is_not_found(&self) -> bool {
        self.status == 404
    }

    /// The reason for an operator, with what to grant where a permission is missing.
    pub(crate) fn reason(&self, permission: &str) -> String {
        if self.status == 403 {
            format!("{}; grant the application permission {permission}", self.error)
        } else {
            self.error.to_string()
        }
    }
}

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consistency {
    /// From the directory itself.
    Strong,
    /// From an index that may lag; counts, casts and filters on relations need it.
    Eventual,
}

impl Graph {
    pub(crate) const fn new(client: Client, root: Url) -> Self {
        Self { client, root }
    }

    /// The URL of a path below the version, with a query.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = joined(&self.root, path);
        url.set_query(query_text(query).as_deref());
        url
    }

    /// The path and query of a request inside a batch.
    pub(crate) fn batched(path: &[&str], query: &[(&str, &str)]) -> String {
        let path = path.join("/");
        query_text(query).map_or_else(|| format!("/{path}"), |query| format!("/{path}?{query}"))
    }

    /// Reads an object or a page.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        url: &Url,
        consistency: Consistency,
    ) -> Result<Found<T>, AdapterError> {
        let call = self.client.get(operation, url);
        let answer = sent(consistent(call, consistency)).await?;
        granted(operation, answer)?.read()
    }

    /// Follows a link that Graph gave, exactly as it is; one to another host is refused and not called.
    pub(crate) async fn follow<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        link: &str,
        consistency: Consistency,
    ) -> Result<Found<T>, AdapterError> {
        let call = self.client.follow(operation, link)?;
        let answer = sent(consistent(call, consistency)).await?;
        granted(operation, answer)?.read()
    }

    /// Sends JSON and reads what comes back.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        url: &Url,
        body: &Value,
    ) -> Result<Found<T>, AdapterError> {
        let answer = sent(self.client.post_json(operation, url, body)).await?;
        granted(operation, answer)?.read()
    }

    /// A number, where Graph tells it.
    pub(crate) async fn count(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Option<u64>, AdapterError> {
        let call = self
            .client
            .get(operation, &self.url(path, query))
            .header("accept", "text/plain");
        let answer = sent(consistent(call, Consistency::Eventual)).await?;
        let answer = match granted(operation, answer)? {
            Granted::Yes(answer) => answer,
            Granted::No(_) => return Ok(None),
        };
        let text = String::from_utf8_lossy(answer.body());
        // Some answers begin with a byte order mark.
        Ok(text.trim_start_matches('\u{feff}').trim().parse().ok())
    }
}

/// Sends a call. The future is boxed: the compiler cannot prove futures this deep to be `Send`.
fn sent(call: usher_outbound::Call) -> Pin<Box<dyn Future<Output = Result<Answer, AdapterError>> + Send>> {
    Box::pin(call.send())
}

enum Granted {
    Yes(Answer),
    No(Refusal),
}

impl Granted {
    fn read<T: DeserializeOwned>(self) -> Result<Found<T>, AdapterError> {
        match self {
            Self::Yes(answer) => Ok(Found::Yes(answer.json()?)),
            Self::No(refusal) => Ok(Found::No(refusal)),
        }
    }
}

/// Tells refusals of one request from errors that end a read.
fn granted(operation: &'static str, answer: Answer) -> Result<Granted, AdapterError> {
    let status = answer.status().as_u16();
    if answer.is_success() {
        return Ok(Granted::Yes(answer));
    }
    let error = answer.refused(operation);
    if !(400..500).contains(&status) || matches!(status, 401 | 408 | 429) {
        return Err(error);
    }
    let code = serde_json::from_slice::<Failure>(answer.body())
        .map(|failure| failure.error.code.to_ascii_lowercase())
        .unwrap_or_default();
    Ok(Granted::No(Refusal { status, code, error }))
}

fn consistent(call: usher_outbound::Call, consistency: Consistency) -> usher_outbound::Call {
    match consistency {
        Consistency::Strong => call,
        Consistency::Eventual => call.header("consistencylevel", "eventual"),
    }
}

/// A query with what would end a value encoded. Spaces become `%20`; `$` stays, as the documentation writes it.
fn query_text(query: &[(&str, &str)]) -> Option<String> {
    if query.is_empty() {
        return None;
    }
    let fields: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    Some(fields.join("&"))
}

fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b'$'
            | b','
            | b'('
            | b')' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// A text as a string literal of OData: a quote inside is doubled.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A GUID in its hyphenated form.
pub(crate) fn guid(text: &str) -> Option<u128> {
    let id = uuid::Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
    Some(id.as_u128())
}

/// The error for an answer that Graph does not document.
pub(crate) fn odd(operation: &'static str, message: impl Into<String>) -> AdapterError {
    AdapterError::new(ErrorKind::Protocol, RetryAdvice::Never, operation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded_once_and_literals_are_closed() {
        let name = literal("R&D + 'Board' 100%");
        assert_eq!(name, "'R&D + ''Board'' 100%'");
        let filter = format!("startswith(displayName,{name})");
        assert_eq!(
            query_text(&[("$filter", &filter), ("$top", "5")]).as_deref(),
            Some("$filter=startswith(displayName,%27R%26D%20%2B%20%27%27Board%27%27%20100%25%27)&$top=5")
        );
        assert_eq!(query_text(&[]), None);
    }

    #[test]
    fn only_hyphenated_guids_are_ids() {
        assert!(guid("0A21f0f2-8d2a-4f8e-bf98-7363c4aed4ef").is_some());
        for text in [
            "",
            "..",
            "0a21f0f28d2a4f8ebf987363c4aed4ef",
            "{0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef}",
        ] {
            assert_eq!(guid(text), None, "{text}");
        }
    }
}
