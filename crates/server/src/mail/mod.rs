//! Events told by e-mail: written once, in the order of the feed, and sent by whichever node has time.

mod facts;
mod post;
mod recipients;
mod run;
mod send;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use usher_core::Timestamp;
use usher_engine::Engine;
use usher_mail::{Facts, Language, Message, Notice, TemplateError, Templates};
use usher_webhook::Schedule;

use crate::AppState;
use crate::config::{Config, ConfigError, Notifications};
use post::Post;
use send::Tried;

pub(crate) use run::spawn;
pub use send::Sent;

/// The most that wait or were given up and are counted.
pub(crate) const MOST_COUNTED: u32 = 10_000;

/// What telling by e-mail needs, from the configuration. Cheap to clone.
#[derive(Clone)]
pub struct Mail(Arc<Inner>);

struct Inner {
    config: Notifications,
    templates: Templates,
    /// The way to the mail server; an error where it cannot be used; nothing where none is configured.
    post: Option<Result<Post, String>>,
    organisation: String,
    public_url: String,
    schedule: Schedule,
}

/// Writes and sends e-mails of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    engine: Engine,
    mail: Mail,
    stopping: CancellationToken,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer")
            .field("mail", &self.mail)
            .finish_non_exhaustive()
    }
}

impl Mail {
    /// Takes the configuration, and reads the folder of templates where it names one.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a template that cannot be used.
    pub fn new(config: &Config, public_url: &str) -> Result<Self, ConfigError> {
        let notifications = config.notifications.clone();
        let templates = match &notifications.templates {
            None => Templates::shipped(),
            Some(folder) => Templates::with_folder(Path::new(folder)).map_err(|error: TemplateError| {
                ConfigError::invalid("notifications.templates", error.to_string())
            })?,
        };
        let post = notifications.smtp.as_ref().map(|smtp| {
            let from = notifications.from.as_deref().unwrap_or_default();
            // A machine without root certificates may serve all the rest.
            Post::new(smtp, from, notifications.timeout.duration(), public_url)
        });
        if let Some(Err(error)) = &post {
            tracing::error!(error, "e-mails cannot be sent");
        }
        Ok(Self(Arc::new(Inner {
            schedule: Schedule {
                first: notifications.retry_first.duration(),
                most: notifications.retry_most.duration(),
                total: notifications.retry_for.duration(),
            },
            config: notifications,
            templates,
            post,
            organisation: config.organisation.name.clone(),
            public_url: public_url.to_owned(),
        })))
    }

    /// Whether a mail server is configured.
    pub(crate) fn is_on(&self) -> bool {
        self.0.post.is_some()
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Notifications {
        &self.0.config
    }

    /// The templates that come from the folder of the configuration.
    pub(crate) fn replaced(&self) -> Vec<String> {
        self.0.templates.replaced().iter().cloned().collect()
    }

    /// Whether a notice is told at all.
    pub(crate) fn tells(&self, notice: Notice) -> bool {
        !self.0.config.without.iter().any(|word| word == notice.as_str())
    }

    /// How long an event is worth an e-mail.
    fn patience(&self) -> Duration {
        self.0.schedule.total
    }

    /// Writes an e-mail; by the shipped template where the folder's cannot be used with these facts.
    fn text(&self, notice: Notice, language: Language, facts: &Facts) -> Option<Message> {
        let written = self.0.templates.write(notice, language, facts).or_else(|error| {
            tracing::error!(%error, "a template cannot be used; the shipped one takes its place");
            self.0.templates.write_shipped(notice, language, facts)
        });
        written
            .inspect_err(
                |error| tracing::error!(notice = notice.as_str(), %error, "an e-mail cannot be written"),
            )
            .ok()
    }

    /// Sends an e-mail that tells of nothing, at once and once.
    ///
    /// # Errors
    /// Why it was not taken, for people.
    pub(crate) async fn test(
        &self,
        to: &str,
        language: Option<Language>,
        now: Timestamp,
    ) -> Result<(), String> {
        let post = match &self.0.post {
            Some(Ok(post)) => post,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err("no mail server is configured: set notifications.smtp".to_owned()),
        };
        let facts = Facts {
            organisation: self.0.organisation.clone(),
            at: now,
            link: Some(format!("{}/", self.0.public_url)),
            ..Facts::default()
        };
        let language = language.unwrap_or_else(|| self.language(to, None));
        let message = self
            .text(Notice::Test, language, &facts)
            .ok_or("the test cannot be written: look into the logs")?;
        let name = format!("test-{}", now.as_micros());
        match post.send(&name, to, &message, now).await {
            Tried::Sent => Ok(()),
            Tried::Refused { error, .. } | Tried::Unreachable(error) => Err(error),
        }
    }
}

impl Mailer {
    /// For a deployment; no further e-mail is begun after `stopping` is cancelled.
    #[must_use]
    pub fn new(state: &AppState, stopping: CancellationToken) -> Self {
        Self {
            engine: state.engine.clone(),
            mail: state.mail.clone(),
            stopping,
        }
    }
}
