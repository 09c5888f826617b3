//! Acme's requests. Knows HTTP and nothing of memberships.

use std::collections::HashSet;

use http::StatusCode;
use serde::de::DeserializeOwned;
use url::Url;
use usher_core::AdapterError;
use usher_outbound::Client;

use crate::wire::{Failure, Page};

/// What a request came to that could be answered about one thing.
#[derive(Debug)]
pub(crate) enum Found<T> {
    Yes(T),
    No(Refusal),
}

/// Acme understood the request and did not grant it. It is about this one thing; the next may be granted.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Acme's word for it; empty without one.
    pub(crate) code: String,
    /// As an error.
    pub(crate) error: AdapterError,
}

/// Acme Directory of one organisation.
#[derive(Debug, Clone)]
pub(crate) struct Acme {
    client: Client,
    root: Url,
}

impl Acme {
    pub(crate) const fn new(client: Client, root: Url) -> Self {
        Self { client, root }
    }

    /// One thing. 403 and 404 are about that thing; whatever else is no success is about the read as a whole.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Found<T>, AdapterError> {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self.client.get(operation, &url).send().await?;
        match answer.status() {
            status if status.is_success() => answer.json().map(Found::Yes),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                let code = answer.json::<Failure>().map(|failure| failure.error);
                Ok(Found::No(Refusal {
                    code: code.unwrap_or_default(),
                    error: answer.refused(operation),
                }))
            }
            _ => Err(answer.refused(operation)),
        }
    }

    /// The beginning of a list.
    pub(crate) fn list<'a>(&'a self, operation: &'static str, path: &'a [&'a str]) -> Pages<'a> {
        Pages {
            acme: self,
            operation,
            path,
            prefix: None,
            next: Some(None),
            followed: HashSet::new(),
        }
    }
}

/// A list, page after page.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    acme: &'a Acme,
    operation: &'static str,
    path: &'a [&'a str],
    prefix: Option<&'a str>,
    next: Option<Option<String>>,
    followed: HashSet<String>,
}

impl<'a> Pages<'a> {
    /// Only things whose name begins so.
    pub(crate) const fn with_prefix(mut self, prefix: Option<&'a str>) -> Self {
        self.prefix = prefix;
        self
    }

    /// The next page, or `None` when the list has ended.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<Found<Vec<T>>>, AdapterError> {
        let Some(after) = self.next.take() else {
            return Ok(None);
        };
        let query: Vec<_> = [("prefix", self.prefix), ("after", after.as_deref())]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let found = self
            .acme
            .get::<Page<T>>(self.operation, self.path, &query)
            .await?;
        match found {
            Found::No(refusal) => Ok(Some(Found::No(refusal))),
            Found::Yes(page) => {
                // A list that leads back to where it was would never end.
                self.next = page
                    .next
                    .filter(|next| self.followed.insert(next.clone()))
                    .map(Some);
                Ok(Some(Found::Yes(page.items)))
            }
        }
    }
}
