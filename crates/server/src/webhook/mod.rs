//! Events delivered to endpoints: keeping the endpoints, and delivering.

mod attempt;
mod endpoint;
mod filter;
mod replay;
mod run;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use usher_core::{WebhookId, WebhookSecretId};
use usher_engine::EngineError;
use usher_storage::query::webhook::SecretRow;
use usher_webhook::{Guard, Limits, Schedule, SealError, SealingKey, Sender, SigningSecret};

use crate::config::{self, ConfigError};

pub(crate) use attempt::{Tested, failure, test};
pub(crate) use endpoint::{Change, NewEndpoint, change, create, pause, remove, resume, rotate};
pub(crate) use filter::Filter;
pub(crate) use replay::{Replay, first_since, replay};
pub(crate) use run::spawn;
pub use turn::{Deliverer, Progress};

/// The most deliveries of one endpoint that wait. Beyond it the feed itself is the queue: the endpoint's place stands still.
pub(crate) const MOST_WAITING: u32 = 10_000;

/// What delivering needs, from the configuration. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    guard: Guard,
    sender: Result<Sender, String>,
    keys: Vec<SealingKey>,
    schedule: Schedule,
    in_flight: usize,
    overlap: Duration,
}

impl Webhooks {
    /// Takes the configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for what a check of the configuration refuses.
    pub fn new(config: &config::Webhooks) -> Result<Self, ConfigError> {
        let guard = Guard::new(config.networks()?, config.allow_http);
        let limits = Limits {
            timeout: config.timeout.duration(),
            extra_ca: config.extra_ca.clone(),
        };
        // A machine without root certificates may serve all the rest.
        let sender = Sender::new(guard.clone(), &limits).map_err(|error| error.to_string());
        Ok(Self(Arc::new(Inner {
            guard,
            sender,
            keys: config.keys()?,
            schedule: Schedule {
                first: config.retry_first.duration(),
                most: config.retry_most.duration(),
                total: config.retry_for.duration(),
            },
            in_flight: config.in_flight,
            overlap: config.secret_overlap.duration(),
        })))
    }

    /// Refuses a URL that may not be called, as the DNS says now.
    ///
    /// # Errors
    /// [`EngineError::Invalid`].
    pub(crate) async fn look(&self, url: &str) -> Result<(), EngineError> {
        let looked = self.0.guard.look(url).await;
        looked
            .map(drop)
            .map_err(|error| EngineError::invalid("url", error.to_string()))
    }

    /// Seals a secret for its row.
    ///
    /// # Errors
    /// A refusal when no key is configured.
    pub(crate) fn seal(
        &self,
        webhook: WebhookId,
        id: WebhookSecretId,
        secret: &SigningSecret,
    ) -> Result<Vec<u8>, EngineError> {
        let key = self.0.keys.first().ok_or_else(|| {
            EngineError::refused(
                "no_webhook_key",
                "no key is configured to seal signing secrets with, and they are never stored in clear",
                "set webhooks.key to 32 random bytes in base64, in a file or an environment variable, and start again",
            )
        })?;
        Ok(key.seal(secret.bytes(), &owner(webhook, id)))
    }

    /// Opens the secrets of an endpoint.
    ///
    /// # Errors
    /// What to do, for people, when one cannot be opened.
    fn open(&self, webhook: WebhookId, secrets: &[SecretRow]) -> Result<Vec<SigningSecret>, String> {
        if secrets.is_empty() {
            return Err("it has no secret: give it one with `usher webhook rotate`".to_owned());
        }
        secrets.iter().map(|row| self.open_one(webhook, row)).collect()
    }

    fn open_one(&self, webhook: WebhookId, row: &SecretRow) -> Result<SigningSecret, String> {
        let mut last = "no webhooks.key is configured to open its secret with".to_owned();
        for key in &self.0.keys {
            match key.open(&row.sealed, &owner(webhook, row.id)) {
                Ok(bytes) => return SigningSecret::from_bytes(&bytes).map_err(|error| error.to_string()),
                Err(SealError::OtherKey) => {
                    last = "its secret was sealed with another key: set webhooks.previous_key, or `usher webhook rotate`"
                        .to_owned();
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(last)
    }
}

/// What a sealed secret is bound to: one that is copied to another row cannot be opened there.
fn owner(webhook: WebhookId, id: WebhookSecretId) -> Vec<u8> {
    [webhook.as_uuid().as_bytes().as_slice(), id.as_uuid().as_bytes()].concat()
}
