//! Requests to a service provider and what their answers mean. It knows HTTP and SCIM, and nothing of membership.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;
use usher_core::{AdapterError, Clock, ErrorKind, RetryAdvice, SystemClock};
use usher_outbound::{Answer, Client, Patience};

use crate::PullConfig;
use crate::announced::Announced;
use crate::wire::{GroupResource, Kind, ListPage, Resource, UserResource};

/// Both media types: some providers know only the older one (RFC 7644 §8.1).
const ACCEPT: &str = "application/scim+json, application/json;q=0.9";

type Sending = Pin<Box<dyn Future<Output = Result<Answer, AdapterError>> + Send>>;

/// How calls are made; the defaults suit a running service.
#[derive(Debug, Clone)]
pub struct Calls {
    /// How long a call puts up with "later".
    pub patience: Patience,
    /// The time for one request.
    pub timeout: Duration,
    /// Measures how long a read takes.
    pub clock: Arc<dyn Clock>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            patience: Patience::default(),
            timeout: Duration::from_secs(60),
            clock: Arc::new(SystemClock),
        }
    }
}

/// A connection to one service provider.
#[derive(Debug, Clone)]
pub(crate) struct ScimClient {
    outbound: Client,
    base: Url,
}

/// What became of asking for one resource.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// It is there.
    There(T),
    /// 404: it is not there, or not for this client.
    NotThere,
    /// 403.
    Forbidden(String),
    /// Something else; why, for an operator.
    Odd(String),
}

/// Why a page of a list did not come.
#[derive(Debug)]
pub(crate) enum NoPage {
    /// The provider does not take the request, for instance because of its filter.
    Refused(String),
    /// 403.
    Forbidden(String),
    /// The read cannot go on.
    Failed(AdapterError),
}

impl From<AdapterError> for NoPage {
    fn from(error: AdapterError) -> Self {
        Self::Failed(error)
    }
}

impl ScimClient {
    /// No I/O.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for settings that cannot work.
    pub(crate) fn new(config: &PullConfig, calls: &Calls) -> Result<Self, AdapterError> {
        config.check()?;
        let base = config.base()?;
        let outbound = Client::builder(vec![base.clone()])
            .credentials(config.credentials()?)
            .patience(calls.patience)
            .timeout(calls.timeout)
            .clock(Arc::clone(&calls.clock))
            .max_body(config.max_answer_mib * 1024 * 1024)
            .build()?;
        Ok(Self { outbound, base })
    }

    /// What the provider announces. Without an answer that can be read, it announces nothing.
    ///
    /// # Errors
    /// When there is no answer, or the credential is refused.
    pub(crate) async fn announced(&self) -> Result<Found<Announced>, AdapterError> {
        let operation = "read_service_provider_config";
        let answer = self.get(operation, &self.url(&["ServiceProviderConfig"])).await?;
        if !answer.is_success() {
            return classify(&answer, operation);
        }
        Ok(
            match answer.json::<Value>().ok().as_ref().and_then(Announced::read) {
                Some(announced) => Found::There(announced),
                None => Found::Odd("/ServiceProviderConfig is not a service provider configuration".into()),
            },
        )
    }

    /// One user.
    ///
    /// # Errors
    /// When the read cannot go on.
    pub(crate) async fn user(&self, id: &str) -> Result<Found<UserResource>, AdapterError> {
        self.one("read_user", Kind::User, id, &[]).await
    }

    /// One group with its members.
    ///
    /// # Errors
    /// When the read cannot go on.
    pub(crate) async fn group(&self, id: &str) -> Result<Found<GroupResource>, AdapterError> {
        self.one("read_group", Kind::Group, id, &[]).await
    }

    /// One group; its members are not asked for.
    ///
    /// # Errors
    /// When the read cannot go on.
    pub(crate) async fn group_alone(&self, id: &str) -> Result<Found<GroupResource>, AdapterError> {
        let without = [("excludedAttributes", "members")];
        self.one("read_group", Kind::Group, id, &without).await
    }

    /// One page of a list.
    ///
    /// # Errors
    /// [`NoPage`] says whether another request may do better.
    pub(crate) async fn page<T: Resource>(
        &self,
        kind: Kind,
        parameters: &[(&str, &str)],
    ) -> Result<ListPage<T>, NoPage> {
        let operation = match kind {
            Kind::User => "list_users",
            Kind::Group => "list_groups",
        };
        let mut url = self.url(&[kind.endpoint()]);
        url.query_pairs_mut().extend_pairs(parameters);
        let answer = self.get(operation, &url).await?;
        if answer.is_success() {
            return Ok(answer.json()?);
        }
        let error = answer.refused(operation);
        Err(match answer.status().as_u16() {
            403 => NoPage::Forbidden(error.to_string()),
            400 if is_cursor_error(&answer) => NoPage::Failed(AdapterError::new(
                ErrorKind::CheckpointExpired,
                RetryAdvice::Now,
                operation,
                "the provider forgot the place in a list; the list has to be read again",
            )),
            408 | 500 | 502..=599 => NoPage::Failed(error),
            _ => NoPage::Refused(error.to_string()),
        })
    }

    async fn one<T: Resource>(
        &self,
        operation: &'static str,
        kind: Kind,
        id: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Found<T>, AdapterError> {
        if matches!(id, "." | "..") {
            return Ok(Found::Odd("an id of dots alone cannot stand in a URL".into()));
        }
        let mut url = self.url(&[kind.endpoint(), id]);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let answer = self.get(operation, &url).await?;
        if !answer.is_success() {
            return classify(&answer, operation);
        }
        let resource: T = answer.json()?;
        Ok(if resource.id() == Some(id) {
            Found::There(resource)
        } else {
            Found::Odd("the answer is about another id than was asked for".into())
        })
    }

    /// Boxed, so that the futures of readers stay small and are known to be `Send`.
    fn get(&self, operation: &'static str, url: &Url) -> Sending {
        Box::pin(self.outbound.get(operation, url).header("accept", ACCEPT).send())
    }

    /// A URL under the base; each part is escaped, so that an id cannot lead elsewhere.
    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }
}

/// What an answer to a request for one resource means when it is not the resource.
fn classify<T>(answer: &Answer, operation: &'static str) -> Result<Found<T>, AdapterError> {
    let error = answer.refused(operation);
    match answer.status().as_u16() {
        404 | 410 => Ok(Found::NotThere),
        403 => Ok(Found::Forbidden(error.to_string())),
        408 | 500..=599 => Err(error),
        _ => Ok(Found::Odd(error.to_string())),
    }
}

/// Whether a cursor is the reason of a refusal (RFC 9865 §2.1).
fn is_cursor_error(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        scim_type: String,
    }
    answer
        .json::<Body>()
        .is_ok_and(|body| matches!(body.scim_type.as_str(), "expiredCursor" | "invalidCursor"))
}
