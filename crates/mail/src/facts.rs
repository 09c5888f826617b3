//! What a template may say, as plain data.

use std::collections::BTreeSet;

use serde::Serialize;
use usher_core::Timestamp;

/// What is known when an e-mail is written. What does not belong to a notice is not there.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    /// The customer's name.
    pub organisation: String,
    /// When it happened.
    pub at: Timestamp,
    /// The page of the console where something can be done.
    pub link: Option<String>,
    /// Where people sign in to the portal.
    pub sso_url: Option<String>,
    /// The order.
    pub order: Option<OrderFacts>,
    /// The room.
    pub room: Option<RoomFacts>,
    /// The hold.
    pub hold: Option<HoldFacts>,
    /// The source.
    pub source: Option<SourceFacts>,
    /// The restore suggestion.
    pub restore: Option<RestoreFacts>,
    /// The token.
    pub token: Option<TokenFacts>,
    /// The webhook.
    pub webhook: Option<WebhookFacts>,
}

/// An order for a room.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OrderFacts {
    /// Its id.
    pub id: String,
    /// Who orders.
    pub customer: String,
    /// The name that the room shall have.
    pub room_name: String,
    /// The administrator's address.
    pub administrator: String,
    /// The requester's address.
    pub requester: String,
    /// The group, as the requester named it.
    pub group: String,
    /// The group's name, once it is known.
    pub group_name: Option<String>,
    /// How many people are expected.
    pub expected: u32,
    /// How many came.
    pub arrived: i64,
    /// How many wait because more came than were expected.
    pub waiting: i64,
    /// Why it was rejected or withdrawn.
    pub reason: Option<String>,
    /// When the vendor's internal user should have left.
    pub bootstrap_due: Option<Timestamp>,
    /// The kind of identity provider, which decides how a group is given to the application.
    pub provider: Provider,
    /// The name of the source.
    pub source: String,
    /// Whether the provider pushes to Usher.
    pub pushed: bool,
    /// Whether Usher reads the provider.
    pub pulled: bool,
}

/// The kinds of identity providers whose steps are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// Any other.
    #[default]
    Generic,
}

/// A room.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RoomFacts {
    /// Its name.
    pub name: String,
    /// Its address in the portal.
    pub url: Option<String>,
}

/// A hold.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HoldFacts {
    /// What most likely caused it.
    pub cause: String,
    /// When it is applied by itself.
    pub due: Option<Timestamp>,
    /// How many people are in it.
    pub people: usize,
    /// The names of the first of them.
    pub names: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// A source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceFacts {
    /// Its name.
    pub name: String,
    /// Why it cannot be read.
    pub reason: Option<String>,
    /// Since when it could not be read.
    pub since: Option<Timestamp>,
}

/// A suggestion to restore.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RestoreFacts {
    /// The person's name.
    pub person: String,
    /// The person's address.
    pub email: Option<String>,
    /// How many former memberships there are.
    pub candidates: i64,
}

/// A token.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TokenFacts {
    /// Where it is used, in words.
    pub label: String,
    /// The source that it pushes to.
    pub source: Option<String>,
    /// What it may do in the API.
    pub role: Option<String>,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used last.
    pub last_used: Option<Timestamp>,
}

/// A webhook.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WebhookFacts {
    /// Where its deliveries went.
    pub url: String,
    /// How the last one failed.
    pub error: Option<String>,
}

impl Facts {
    /// The addresses that may be links.
    pub(crate) fn links(&self) -> BTreeSet<String> {
        let room = self.room.as_ref().and_then(|room| room.url.as_ref());
        [self.link.as_ref(), self.sso_url.as_ref(), room]
            .into_iter()
            .flatten()
            .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
            .cloned()
            .collect()
    }

    /// Facts of everything, to try templates with. Nobody is meant.
    pub(crate) fn sample(provider: Provider) -> Self {
        let at: Timestamp = "2026-03-05T07:04:00Z".parse().expect("a moment");
        Self {
            organisation: "Contoso AG".into(),
            at,
            link: Some("https://usher.example/orders/1".into()),
            sso_url: Some("https://portal.example/sso/contoso".into()),
            order: Some(OrderFacts {
                id: "0198c0de-0000-7000-8000-000000000001".into(),
                customer: "Contoso AG".into(),
                room_name: "Supervisory Board".into(),
                administrator: "anna@contoso.com".into(),
                requester: "rita@contoso.com".into(),
                group: "7a1d2c3b-0000-4000-8000-00000000abcd".into(),
                group_name: Some("SG-Board".into()),
                expected: 12,
                arrived: 3,
                waiting: 2,
                reason: Some("the name is taken".into()),
                bootstrap_due: Some(at),
                provider,
                source: "idp".into(),
                pushed: true,
                pulled: false,
            }),
            room: Some(RoomFacts {
                name: "Supervisory Board".into(),
                url: Some("https://portal.example/rooms/17".into()),
            }),
            hold: Some(HoldFacts {
                cause: "members were removed from group 'SG-Board'".into(),
                due: Some(at),
                people: 14,
                names: vec!["Anna Abel".into(), "Bert Brecht".into()],
                more: 12,
            }),
            source: Some(SourceFacts {
                name: "idp".into(),
                reason: Some("the provider refused the credentials".into()),
                since: Some(at),
            }),
            restore: Some(RestoreFacts {
                person: "Anna Abel".into(),
                email: Some("anna@contoso.com".into()),
                candidates: 2,
            }),
            token: Some(TokenFacts {
                label: "provisioning".into(),
                source: Some("idp".into()),
                role: None,
                expires: at,
                last_used: Some(at),
            }),
            webhook: Some(WebhookFacts {
                url: "https://hooks.example/usher".into(),
                error: Some("the receiver answered 500".into()),
            }),
        }
    }
}
