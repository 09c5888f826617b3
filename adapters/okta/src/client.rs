//! Requests to the management API, and the pages of its lists.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::StatusCode;
use serde::de::DeserializeOwned;
use url::Url;
use usher_core::{AdapterError, ErrorKind};
use usher_outbound::{Answer, Builder, Client, Credentials};

use crate::config::PullSettings;
use crate::wire::Failure;

/// Changes a client before it is made, for instance its patience.
pub(crate) type Tune = fn(Builder) -> Builder;

/// Okta, as one caller sees it.
#[derive(Debug, Clone)]
pub(crate) struct Okta {
    client: Client,
    org_url: Url,
}

impl Okta {
    /// A caller with these scopes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for an address or a key that cannot work.
    pub(crate) fn connect(
        settings: &PullSettings,
        scopes: &[&str],
        tune: Option<Tune>,
    ) -> Result<Self, AdapterError> {
        let credentials = settings.login.credentials(&settings.org_url, scopes)?;
        Self::build(settings, credentials, tune)
    }

    /// A caller who shows nothing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for an address that cannot work.
    pub(crate) fn anonymous(settings: &PullSettings, tune: Option<Tune>) -> Result<Self, AdapterError> {
        Self::build(settings, Credentials::None, tune)
    }

    fn build(
        settings: &PullSettings,
        credentials: Credentials,
        tune: Option<Tune>,
    ) -> Result<Self, AdapterError> {
        let builder = Client::builder(vec![settings.org_url.clone()]).credentials(credentials);
        let builder = match tune {
            Some(tune) => tune(builder),
            None => builder,
        };
        Ok(Self {
            client: builder.build()?,
            org_url: settings.org_url.clone(),
        })
    }

    /// An address of the org: path segments, which are encoded, and a query.
    pub(crate) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.org_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// An address of the API.
    pub(crate) fn api(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        self.url(&[&["api", "v1"], segments].concat(), query)
    }

    /// One request.
    ///
    /// # Errors
    /// As [`usher_outbound::Call::send`], and [`ErrorKind::Unavailable`] for 5xx: a later try may work.
    pub(crate) async fn get(&self, operation: &'static str, url: &Url) -> Result<Answer, AdapterError> {
        let answer = self.client.get(operation, url).send().await?;
        if answer.status().is_server_error() {
            return Err(answer.refused(operation));
        }
        Ok(answer)
    }

    /// The pages of a list, beginning with an address of this org.
    pub(crate) fn pages(&self, operation: &'static str, url: Url) -> Pages<'_> {
        self.pages_from(operation, url.into())
    }

    /// The pages of a list, beginning with a link that Okta gave.
    pub(crate) fn pages_from(&self, operation: &'static str, link: String) -> Pages<'_> {
        Pages {
            okta: self,
            operation,
            next: Some(link),
            asked: HashMap::new(),
        }
    }
}

/// What the next page of a list is.
#[derive(Debug)]
pub(crate) enum Page<T> {
    /// Items; and after the last of these pages, nothing.
    Items(Vec<T>),
    /// Okta refused the page.
    Refused(Box<Answer>),
    /// The list does not go on as a list does; the text says how.
    Odd(String),
    /// There are no more pages.
    End,
}

/// Goes through the pages of a list by the links that Okta gives, which are followed as they are.
#[derive(Debug)]
pub(crate) struct Pages<'o> {
    okta: &'o Okta,
    operation: &'static str,
    next: Option<String>,
    /// Addresses that were asked for and how often, to notice a list that goes in a circle
    /// (okta/terraform-provider-okta#1656).
    asked: HashMap<u64, u32>,
}

impl Pages<'_> {
    /// The next page. 500 is a refusal, since a smaller page may work.
    ///
    /// # Errors
    /// As [`usher_outbound::Call::send`], and [`ErrorKind::Protocol`] for a body that is no list of these things.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Page<T>, AdapterError> {
        let Some(url) = self.next.take() else {
            return Ok(Page::End);
        };
        let times = self.asked.entry(hash(&url)).or_default();
        *times += 1;
        // A link to the page itself may be a hiccup, so a page is asked for twice and then no more.
        if *times > 2 {
            let what = "Okta's list leads back to a page again and again that was read already";
            return Ok(Page::Odd(what.into()));
        }
        let call = match self.okta.client.follow(self.operation, &url) {
            Ok(call) => call,
            Err(error) if error.kind() == ErrorKind::Protocol => return Ok(Page::Odd(error.to_string())),
            Err(error) => return Err(error),
        };
        let answer = call.send().await?;
        if !answer.is_success() {
            return Ok(Page::Refused(Box::new(answer)));
        }
        let items = answer.json()?;
        self.next = answer.links("next").into_iter().next();
        Ok(Page::Items(items))
    }

    /// Where the list goes on.
    pub(crate) fn position(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

/// Whether the answer says that the thing is not there, as opposed to an address that does not exist.
pub(crate) fn is_missing(answer: &Answer) -> bool {
    answer.status() == StatusCode::NOT_FOUND && code(answer) == "E0000007"
}

/// Whether Okta took exception to the filter.
pub(crate) fn is_bad_request(answer: &Answer) -> bool {
    answer.status() == StatusCode::BAD_REQUEST
}

/// What an operator reads about a refusal; `needs` names the permission.
pub(crate) fn reason(answer: &Answer, operation: &'static str, needs: &str) -> String {
    let error = answer.refused(operation);
    match answer.status() {
        StatusCode::FORBIDDEN => format!("{error}; grant {needs}, or widen the administrator role"),
        _ => error.to_string(),
    }
}

fn code(answer: &Answer) -> String {
    serde_json::from_slice::<Failure>(answer.body())
        .unwrap_or_default()
        .code
}

/// A number that stands for a text in a set of texts.
pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
