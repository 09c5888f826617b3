//! From the feed to e-mails: each event is looked at once, whoever looks, and what it is worth is written in the unit that moves on.

use serde_json::Value;
use usher_core::{Draw, MailId, MailState, Timestamp};
use usher_engine::EngineError;
use usher_mail::Notice;
use usher_storage::query;
use usher_storage::query::event::EventRow;
use usher_storage::query::mail::MailRow;

use super::Mailer;
use super::facts::{Told, facts};

/// Events of the feed that are looked at together.
const WINDOW: u32 = 256;
/// The place is moved past events that are worth nothing only when they are so many: until then they are read again.
const WORTH_A_WRITE: i64 = 64;

/// What is next in the feed.
enum Look {
    /// Nobody has looked before: it begins at the newest event.
    Begin(i64),
    /// From a place to a place, what is worth telling.
    Found {
        from: i64,
        to: i64,
        told: Vec<(i64, Told)>,
    },
}

impl Mailer {
    /// Writes e-mails of what is next in the feed; whether there may be more. Other nodes may try the same at the same time.
    ///
    /// The first time ever it begins with what happens from then on.
    ///
    /// # Errors
    /// What the database says. Nothing is written then.
    pub async fn write(&self) -> Result<bool, EngineError> {
        query::event::publish(self.engine.storage()).await?;
        match self.look().await? {
            Look::Begin(place) => {
                self.engine
                    .storage()
                    .write(move |tx| {
                        Box::pin(async move { Ok::<_, EngineError>(query::mail::begin(tx, place).await?) })
                    })
                    .await?;
                Ok(true)
            }
            Look::Found { from, to, told } => {
                if told.is_empty() && to - from < WORTH_A_WRITE {
                    return Ok(false);
                }
                let mails = self.mails(told);
                self.engine
                    .storage()
                    .write(move |tx| {
                        let mails = mails.clone();
                        Box::pin(async move {
                            if query::mail::advance(tx, from, to).await? {
                                query::mail::insert(tx, &mails).await?;
                            }
                            Ok::<_, EngineError>(())
                        })
                    })
                    .await?;
                Ok(true)
            }
        }
    }

    async fn look(&self) -> Result<Look, EngineError> {
        let (mailer, oldest) = (self.clone(), self.engine.now().minus(self.mail.patience()));
        self.engine
            .read(move |tx| {
                let mailer = mailer.clone();
                Box::pin(async move {
                    let Some(from) = query::mail::place(tx).await? else {
                        return Ok::<_, EngineError>(Look::Begin(query::event::last(tx).await?));
                    };
                    let window = query::event::after(tx, from, WINDOW).await?;
                    let to = window.last().map_or(from, |event| event.seq);
                    let policy = mailer.engine.policy(tx).await?;
                    let mut told = Vec::new();
                    for event in &window {
                        let Some((notice, data)) = mailer.worth(event, oldest) else {
                            continue;
                        };
                        match facts(tx, &mailer.mail, &policy, notice, event, &data).await? {
                            Some(found) => told.push((event.seq, found)),
                            None => tracing::warn!(
                                event.id = event.seq,
                                "what an e-mail would tell of is not there any more"
                            ),
                        }
                    }
                    Ok(Look::Found { from, to, told })
                })
            })
            .await
    }

    /// What an event is worth, if anybody is told.
    fn worth(&self, event: &EventRow, oldest: Timestamp) -> Option<(Notice, Value)> {
        if event.at < oldest {
            return None;
        }
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let notice = Notice::of(&event.kind, &data)?;
        self.mail.tells(notice).then_some((notice, data))
    }

    fn mails(&self, told: Vec<(i64, Told)>) -> Vec<MailRow> {
        let mut ids = Draw::new(self.engine.clock()).ids();
        let now = self.engine.now();
        let mut mails = Vec::new();
        for (seq, told) in told {
            for (recipient, language) in self.mail.recipients(told.notice, told.requester.as_deref()) {
                let Some(message) = self.mail.text(told.notice, language, &told.facts) else {
                    continue;
                };
                mails.push(MailRow {
                    id: ids.make::<MailId>(),
                    seq,
                    notice: told.notice.as_str().to_owned(),
                    recipient,
                    language: language.as_str().to_owned(),
                    subject: message.subject,
                    body: message.text,
                    html: message.html,
                    state: MailState::Waiting,
                    attempts: 0,
                    created: now,
                    since: now,
                    due: now,
                    ended: None,
                    error: None,
                });
            }
        }
        mails
    }
}
