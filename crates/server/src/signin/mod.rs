//! Signing in to the console, and the sessions that begin with it.

mod administrator;
mod answer;
mod cookie;
mod provider;
mod recognise;
mod routes;
mod session;

use std::sync::Arc;

use usher_signin::{Guesses, Passwords, Provider};
use usher_webhook::SealingKey;

use crate::config::{ConfigError, SignIn as Settings};

pub(crate) use administrator::ADMINISTRATOR;
pub use administrator::set_password;
pub(crate) use recognise::recognise;
pub(crate) use routes::router;
pub(crate) use session::{SessionRules, by_id, end, end_all, label};

/// The name of the secret that cookies of sign-ins are sealed with.
pub(crate) const KEY: &str = "sign_in";

/// What signing in needs. Shared by all handlers.
pub(crate) struct SignIn {
    /// How long sessions last.
    pub(crate) sessions: SessionRules,
    providers: Vec<(String, Arc<Provider>)>,
    key: SealingKey,
    passwords: Passwords,
    guesses: Guesses,
}

impl SignIn {
    /// Signing in by these settings; `secret` is the one that all nodes share.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for settings that were not checked.
    pub(crate) fn new(settings: &Settings, secret: &[u8]) -> Result<Self, ConfigError> {
        let providers = settings.build()?;
        let key = cookie::sealing_key(secret).ok_or_else(|| ConfigError::Invalid {
            key: KEY.to_owned(),
            problem: "the secret in the database has another length than 32 bytes".to_owned(),
        })?;
        Ok(Self {
            sessions: SessionRules {
                idle: settings.idle.duration(),
                lifetime: settings.lifetime.duration(),
                password: settings.password,
                providers: providers
                    .iter()
                    .map(|(_, provider)| provider.name().to_owned())
                    .collect(),
            },
            providers: providers
                .into_iter()
                .map(|(label, provider)| (label, Arc::new(provider)))
                .collect(),
            key,
            passwords: Passwords::new(),
            guesses: Guesses::new(),
        })
    }

    /// A provider and what people call it, by its name.
    fn provider(&self, name: &str) -> Option<(&str, &Arc<Provider>)> {
        let mut all = self.providers.iter();
        all.find(|(_, provider)| provider.name() == name)
            .map(|(label, provider)| (label.as_str(), provider))
    }
}
