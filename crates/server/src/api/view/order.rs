//! Orders for rooms.

use serde::Serialize;
use usher_core::{GroupNaming, OrderState, RoomModel};
use usher_engine::order::{AdministratorState, Next, OrderMail, OrderStatus};
use usher_storage::query::order::OrderRow;
use usher_storage::{StorageError, Tx, query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::GroupNewsView;
use super::pull::SourceSaysView;
use super::room::texts;
use crate::api::words::{self, Time};

/// The request for a new room, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// The id.
    pub id: Uuid,
    /// How far it is.
    #[schema(value_type = words::OrderState)]
    pub state: OrderState,
    /// Since when it is so.
    pub since: Time,
    /// Who orders.
    pub customer: String,
    /// The name that the room shall have.
    pub room_name: String,
    /// The company address of the room's administrator.
    pub administrator: String,
    /// Who that turned out to be.
    pub administrator_person: Option<Uuid>,
    /// Whether the administrator gets access to all content.
    pub all_content: bool,
    /// Open or closed.
    #[schema(value_type = words::RoomModel)]
    pub model: RoomModel,
    /// Special features.
    pub features: Vec<String>,
    /// The group's source.
    pub source: String,
    /// How the requester named the group.
    pub group: String,
    /// What `group` is.
    #[schema(value_type = words::GroupNaming)]
    pub named_by: GroupNaming,
    /// How many people are expected.
    pub expected: u32,
    /// The requester's address.
    pub requester: String,
    /// Whether there is a logo.
    pub logo: bool,
    /// The room, once the order is accepted.
    pub room: Option<Uuid>,
    /// The mapping, once the order is accepted.
    pub mapping: Option<Uuid>,
    /// When the vendor's internal user should have left the room; nothing once they have.
    pub bootstrap_due: Option<Time>,
    /// Why it was rejected or withdrawn.
    pub closing_reason: Option<String>,
    /// When it was made.
    pub created: Time,
    /// Rises with every change.
    pub version: i64,
    /// What the group's source says of it just now, where it is read: when an order is looked at or handed to the vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_says: Option<SourceSaysView>,
}

/// An order with its source's name.
///
/// # Errors
/// What the database says.
pub async fn order(tx: &mut Tx<'_>, row: OrderRow) -> Result<OrderView, StorageError> {
    let source = query::source::by_key(tx, row.source).await?;
    let logo = query::order::logo(tx, row.id).await?.is_some();
    Ok(OrderView {
        id: row.id.into(),
        state: row.state,
        since: row.since.into(),
        customer: row.customer,
        room_name: row.room_name,
        administrator: row.administrator,
        administrator_person: row.administrator_person.map(Into::into),
        all_content: row.all_content,
        model: row.model,
        features: texts(&row.features),
        source: source.map_or_else(String::new, |source| source.name),
        group: row.group_ref,
        named_by: row.named_by,
        expected: row.expected,
        requester: row.requester,
        logo,
        room: row.room.map(Into::into),
        mapping: row.mapping.map(Into::into),
        bootstrap_due: row.bootstrap_due.map(Time),
        closing_reason: row.closing_reason,
        created: row.created.into(),
        version: row.version,
        source_says: None,
    })
}

/// An order with where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderDetails {
    /// The order.
    #[serde(flatten)]
    pub order: OrderView,
    /// Who acts next, what is missing and since when.
    pub status: OrderStatusView,
    /// What is known of the group that it names.
    pub group_news: GroupNewsView,
}

/// Where an order stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderStatusView {
    /// Who acts next: `requester`, `support`, `portal`, `it`, `usher` or `nobody`.
    pub next: &'static str,
    /// What is missing before the next state, most pressing first; what to do, in a sentence each.
    pub missing: Vec<String>,
    /// How many people are expected.
    pub expected: u32,
    /// How many came.
    pub arrived: i64,
    /// When the last one came.
    pub last_arrival: Option<Time>,
    /// How many wait because more came than were expected.
    pub waiting: i64,
    /// The administrator whom the order names: `not_seen`, `not_in_group`, `waiting`, `inside`, `administers` or
    /// `ambiguous`.
    pub administrator: &'static str,
    /// Whether the vendor's internal user is in the room.
    pub bootstrap_inside: bool,
    /// Whether they should have left by now.
    pub bootstrap_overdue: bool,
}

impl From<OrderStatus> for OrderStatusView {
    fn from(status: OrderStatus) -> Self {
        Self {
            next: match status.next {
                Next::Requester => "requester",
                Next::Support => "support",
                Next::Portal => "portal",
                Next::It => "it",
                Next::Usher => "usher",
                Next::Nobody => "nobody",
            },
            missing: status.missing,
            expected: status.expected,
            arrived: status.arrived,
            last_arrival: status.last_arrival.map(Time),
            waiting: status.waiting,
            administrator: match status.administrator {
                AdministratorState::NotSeen => "not_seen",
                AdministratorState::NotInGroup => "not_in_group",
                AdministratorState::Waiting => "waiting",
                AdministratorState::Inside => "inside",
                AdministratorState::Administers => "administers",
                AdministratorState::Ambiguous => "ambiguous",
            },
            bootstrap_inside: status.bootstrap_inside,
            bootstrap_overdue: status.bootstrap_overdue,
        }
    }
}

/// An order as an e-mail, for those who order by mail.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderMailView {
    /// The subject.
    pub subject: String,
    /// The body.
    pub body: String,
    /// Both as a `mailto:` address without a recipient.
    pub mailto: String,
    /// Both as plain text to paste.
    pub text: String,
}

impl From<OrderMail> for OrderMailView {
    fn from(mail: OrderMail) -> Self {
        Self {
            subject: mail.subject,
            body: mail.body,
            mailto: mail.mailto,
            text: mail.text,
        }
    }
}
