//! What is told by e-mail, and what waits or was given up. Texts are not shown: they are for their recipients.

use serde::Serialize;
use usher_core::MailState;
use usher_engine::EngineError;
use usher_mail::{Audience, Notice};
use usher_storage::query::mail::MailRow;
use usher_storage::{Tx, query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{self, Time};
use crate::mail::{MOST_COUNTED, Mail};

/// E-mails of each kind in one answer.
const SHOWN: u32 = 50;

/// How telling by e-mail stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationsView {
    /// Whether a mail server is configured.
    pub on: bool,
    /// Whether events are told already: it begins with what happens after the first start with a mail server.
    pub begun: bool,
    /// Who e-mails are from.
    pub from: Option<String>,
    /// The mail server.
    pub server: Option<String>,
    /// The language of those for whom none is configured.
    pub language: String,
    /// The addresses of roles.
    pub recipients: Vec<RecipientsView>,
    /// What is told.
    pub notices: Vec<NoticeView>,
    /// The templates that come from the folder of the configuration.
    pub own_templates: Vec<String>,
    /// How many wait to be sent, counted up to 10,000.
    pub waiting: i64,
    /// Since when the one that waits longest is tried.
    pub waiting_since: Option<Time>,
    /// How many were given up within the last month, counted up to 10,000.
    pub dead: i64,
    /// The first that wait, those that are tried next first.
    pub queue: Vec<MailView>,
    /// The last that were given up.
    pub dead_letters: Vec<MailView>,
    /// The last that were sent or given up.
    pub last: Vec<MailView>,
}

/// The addresses of a role.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecipientsView {
    /// `it`, `support` or `admin`.
    pub role: String,
    /// The addresses.
    pub addresses: Vec<String>,
}

/// Something that is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeView {
    /// Its word, such as `mapping_confirmed`.
    pub notice: String,
    /// Whom it is for: `requester`, `it`, `support`, `admin`.
    pub audience: Vec<String>,
    /// Whether the configuration leaves it out.
    pub left_out: bool,
}

/// An e-mail, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailView {
    /// What names it; part of its Message-ID.
    pub id: Uuid,
    /// The event that it tells of.
    pub event: String,
    /// What it tells.
    pub notice: String,
    /// The address.
    pub recipient: String,
    /// The subject.
    pub subject: String,
    /// How far it is.
    #[schema(value_type = words::MailState)]
    pub state: MailState,
    /// How many attempts were made.
    pub attempts: u32,
    /// When it was written.
    pub created: Time,
    /// When it is tried next, while it waits.
    pub next_attempt: Option<Time>,
    /// When it was sent or given up.
    pub ended: Option<Time>,
    /// How the last attempt failed.
    pub error: Option<String>,
}

/// How a test ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailTestView {
    /// Whether the mail server took it.
    pub sent: bool,
    /// Why not.
    pub error: Option<String>,
}

/// How telling by e-mail stands.
pub(crate) async fn notifications(tx: &mut Tx<'_>, mail: &Mail) -> Result<NotificationsView, EngineError> {
    let config = mail.config();
    let roles = Audience::ALL
        .iter()
        .filter(|audience| **audience != Audience::Requester);
    let (waiting, since) = query::mail::waiting(tx, MOST_COUNTED).await?;
    let views = |rows: Vec<MailRow>| rows.into_iter().map(MailView::from).collect();
    Ok(NotificationsView {
        on: mail.is_on(),
        begun: query::mail::place(tx).await?.is_some(),
        from: config.from.clone(),
        server: config
            .smtp
            .as_ref()
            .map(|smtp| format!("{}:{}", smtp.host, smtp.port())),
        language: config.language.as_str().to_owned(),
        recipients: roles
            .map(|audience| RecipientsView {
                role: audience.as_str().to_owned(),
                addresses: config.addresses(*audience).to_vec(),
            })
            .collect(),
        notices: Notice::ALL
            .iter()
            .filter(|notice| **notice != Notice::Test)
            .map(|notice| NoticeView {
                notice: notice.as_str().to_owned(),
                audience: notice
                    .audience()
                    .iter()
                    .map(|one| one.as_str().to_owned())
                    .collect(),
                left_out: !mail.tells(*notice),
            })
            .collect(),
        own_templates: mail.replaced(),
        waiting,
        waiting_since: since.map(Time::from),
        dead: query::mail::count_dead(tx, MOST_COUNTED).await?,
        queue: views(query::mail::next(tx, SHOWN).await?),
        dead_letters: views(query::mail::dead(tx, SHOWN).await?),
        last: views(query::mail::last_ended(tx, SHOWN).await?),
    })
}

impl From<MailRow> for MailView {
    fn from(row: MailRow) -> Self {
        let waits = row.state == MailState::Waiting;
        Self {
            id: row.id.as_uuid(),
            event: row.seq.to_string(),
            notice: row.notice,
            recipient: row.recipient,
            subject: row.subject,
            state: row.state,
            attempts: row.attempts,
            created: row.created.into(),
            next_attempt: waits.then(|| row.due.into()),
            ended: row.ended.map(Time::from),
            error: row.error,
        }
    }
}
