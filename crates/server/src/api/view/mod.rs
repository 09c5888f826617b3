//! What the API and the command line show: JSON that is made from rows, and nothing more.

mod event;
mod hold;
mod membership;
mod notification;
mod order;
mod person;
mod plan;
mod policy;
mod pull;
mod restore;
mod room;
mod session;
mod source;
mod stay;
mod token;
mod webhook;

pub use event::CloudEvent;
pub use hold::{HeldView, HoldDetails, HoldView};
pub use membership::{MembershipView, PeriodView, RoomName, memberships};
pub(crate) use notification::notifications;
pub use notification::{MailTestView, MailView, NoticeView, NotificationsView, RecipientsView};
pub use order::{OrderDetails, OrderMailView, OrderStatusView, OrderView, order};
pub use person::{AccountView, PersonDetails, PersonName, PersonView, details, names};
pub use plan::{GroupNewsView, MappingView, PlanView, SettledView, TallyView, mapping, mappings, settled};
pub use policy::{PolicyPlanView, RetirePlanView};
pub use pull::{
    CheckView, CountsView, DriftView, PullRunView, PullView, RemoteGroupView, SaidView, SourceSaysView, run,
    runs,
};
pub use restore::{RestoreDetails, RestorePlanView, RestoreView, restore_plan, restores, suggestion};
pub use room::{ParkedView, RoomView, parked};
pub use session::SessionView;
pub use source::{GroupView, MemberView, SourceView, UserView};
pub use stay::{ExplanationView, FreshnessView, GrantView, StayView, StrayView, explanation, stays};
pub use token::{NewTokenView, TokenView};
pub use webhook::{
    DeliveryView, NewWebhookView, ReplayView, WebhookSecretView, WebhookTestView, WebhookView,
};
pub(crate) use webhook::{webhook, webhooks};
