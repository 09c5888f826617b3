//! Sending what was written: each e-mail by one node at a time, again and again until a mail server takes it.

use std::time::Duration;

use usher_core::Timestamp;
use usher_engine::EngineError;
use usher_mail::Message;
use usher_storage::query;
use usher_storage::query::mail::{Attempted, MailRow};

use super::Mailer;

/// How much longer than an attempt may take nobody else makes one.
const SPARE: Duration = Duration::from_secs(60);

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The mail server took it.
    Sent,
    /// It said no, for now or for ever.
    Refused {
        /// What it said.
        error: String,
        /// Whether asking again cannot help.
        for_ever: bool,
    },
    /// It could not be reached, or broke off.
    Unreachable(String),
}

/// What a round of sending did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many the mail server took.
    pub sent: u32,
    /// How many are tried again later.
    pub later: u32,
    /// How many were given up.
    pub dead: u32,
}

impl Mailer {
    /// Sends what is due, one after the other, until nothing is, or the mail server cannot be reached. Other nodes may do the
    /// same at the same time.
    ///
    /// # Errors
    /// What the database says. What was sent and could not be written down is sent again, under the same Message-ID.
    pub async fn send(&self) -> Result<Sent, EngineError> {
        let mut done = Sent::default();
        while !self.stopping.is_cancelled() {
            let Some(mail) = self.claim().await? else { break };
            let now = self.engine.now();
            let tried = self.attempt(&mail).await;
            let attempted = self.judge(&mail, &tried, now);
            match &attempted {
                Attempted::Sent => done.sent += 1,
                Attempted::Later { .. } => done.later += 1,
                Attempted::Dead { .. } => done.dead += 1,
            }
            self.record(&mail, attempted).await?;
            if matches!(tried, Tried::Unreachable(_)) {
                break;
            }
        }
        Ok(done)
    }

    /// Takes the next e-mail for longer than an attempt can last.
    async fn claim(&self) -> Result<Option<MailRow>, EngineError> {
        let now = self.engine.now();
        let is_due: bool = self
            .engine
            .read(move |tx| {
                Box::pin(async move { Ok::<_, EngineError>(query::mail::is_due(tx, now).await?) })
            })
            .await?;
        if !is_due {
            return Ok(None);
        }
        let until = now.plus(self.mail.config().timeout.duration() + SPARE);
        self.engine
            .storage()
            .write(move |tx| {
                Box::pin(async move { Ok::<_, EngineError>(query::mail::claim(tx, now, until).await?) })
            })
            .await
    }

    async fn attempt(&self, mail: &MailRow) -> Tried {
        let post = match &self.mail.0.post {
            Some(Ok(post)) => post,
            Some(Err(error)) => return Tried::Unreachable(error.clone()),
            None => return Tried::Unreachable("no mail server is configured".to_owned()),
        };
        let message = Message {
            subject: mail.subject.clone(),
            text: mail.body.clone(),
            html: mail.html.clone(),
        };
        let name = mail.id.to_string();
        let tried = post.send(&name, &mail.recipient, &message, mail.created).await;
        let word = match &tried {
            Tried::Sent => "sent",
            Tried::Refused { .. } => "refused",
            Tried::Unreachable(_) => "unreachable",
        };
        metrics::counter!("usher_mail_attempts_total", "outcome" => word).increment(1);
        tried
    }

    fn judge(&self, mail: &MailRow, tried: &Tried, now: Timestamp) -> Attempted {
        let schedule = &self.mail.0.schedule;
        let (error, for_ever) = match tried {
            Tried::Sent => return Attempted::Sent,
            Tried::Refused { error, for_ever } => (error.clone(), *for_ever),
            Tried::Unreachable(error) => (error.clone(), false),
        };
        if for_ever || schedule.is_over(now.since(mail.since)) {
            tracing::warn!(mail.id = %mail.id, mail.notice = mail.notice, error, "an e-mail is given up");
            return Attempted::Dead { error };
        }
        tracing::warn!(mail.id = %mail.id, mail.notice = mail.notice, error, "an e-mail is tried again later");
        Attempted::Later {
            due: now.plus(schedule.wait(mail.attempts, None, random())),
            error,
        }
    }

    async fn record(&self, mail: &MailRow, attempted: Attempted) -> Result<(), EngineError> {
        let (id, attempt, now) = (mail.id, mail.attempts, self.engine.now());
        let is_ours: bool = self
            .engine
            .storage()
            .write(move |tx| {
                let attempted = attempted.clone();
                Box::pin(async move {
                    Ok::<_, EngineError>(query::mail::record(tx, id, attempt, &attempted, now).await?)
                })
            })
            .await?;
        if !is_ours {
            tracing::warn!(mail.id = %id, "somebody else took the e-mail over; it may have been sent twice under one Message-ID");
        }
        Ok(())
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    u64::from_le_bytes(bytes)
}
