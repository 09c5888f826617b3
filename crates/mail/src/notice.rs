//! Which events are worth an e-mail, and whom each is for.

use serde_json::Value;

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $text:literal for [$($audience:ident),*]),* $(,)?) => {
        /// One kind of e-mail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Notice {
            $($(#[$doc])* $name),*
        }

        impl Notice {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its word, and the name of its template.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),*
                }
            }

            /// Whom it is for.
            #[must_use]
            pub const fn audience(self) -> &'static [Audience] {
                match self {
                    $(Self::$name => &[$(Audience::$audience),*]),*
                }
            }
        }
    };
}

/// Whom an e-mail is for. Which addresses that means, the configuration says; the requester is the order's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Audience {
    /// Who ordered the room.
    Requester,
    /// The customer's IT.
    It,
    /// The vendor's support.
    Support,
    /// Who runs Usher.
    Admin,
}

notices! {
    /// An order came in.
    OrderSubmitted = "order_submitted" for [Support],
    /// An order was taken back.
    OrderWithdrawn = "order_withdrawn" for [Support],
    /// An order was accepted.
    OrderAccepted = "order_accepted" for [Requester],
    /// An order was rejected.
    OrderRejected = "order_rejected" for [Requester],
    /// The room exists in the portal.
    RoomReady = "room_ready" for [Requester, Support],
    /// The group may be given to the application now.
    MappingConfirmed = "mapping_confirmed" for [Requester, It],
    /// The first people are in the room.
    FirstArrivals = "first_arrivals" for [Requester, Support],
    /// More people came than were expected, and wait.
    ExpectedExceeded = "expected_exceeded" for [It, Support],
    /// The administrator has the administrator level.
    AdministratorRaised = "administrator_raised" for [Requester, Support],
    /// Several people have the administrator's address.
    AdministratorAmbiguous = "administrator_ambiguous" for [Support],
    /// The room is in use.
    RoomLive = "room_live" for [Requester, It],
    /// The vendor's internal user should have left the room.
    BootstrapOverdue = "bootstrap_overdue" for [Support],
    /// Somebody came back and could have their former membership again.
    RestoreSuggested = "restore_suggested" for [Support],
    /// The brake holds endings.
    HoldOpened = "hold_opened" for [It, Support],
    /// Endings that nobody decided about are soon applied.
    HoldDueSoon = "hold_due_soon" for [It, Support],
    /// A source cannot be read.
    SourceDegraded = "source_degraded" for [It, Admin],
    /// A source can be read again.
    SourceRecovered = "source_recovered" for [It, Admin],
    /// A room lost its last administrator.
    RoomWithoutAdministrator = "room_without_administrator" for [It, Support],
    /// A token is near its end.
    TokenExpiring = "token_expiring" for [It, Admin],
    /// Usher gave up on a webhook.
    WebhookDisabled = "webhook_disabled" for [Admin],
    /// Somebody tries out whether e-mail arrives.
    Test = "test" for [],
}

impl Notice {
    /// The kind with a word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|notice| notice.as_str() == word)
    }

    /// What an event of the feed is worth: its type and its data.
    #[must_use]
    pub fn of(kind: &str, data: &Value) -> Option<Self> {
        let word = |key: &str| data[key].as_str().unwrap_or_default();
        Some(match kind {
            "order.moved" => match word("state") {
                "submitted" => Self::OrderSubmitted,
                "withdrawn" if word("before") != "draft" => Self::OrderWithdrawn,
                "accepted" => Self::OrderAccepted,
                "rejected" => Self::OrderRejected,
                "room_ready" => Self::RoomReady,
                "mapping_confirmed" => Self::MappingConfirmed,
                "arriving" => Self::FirstArrivals,
                "live" => Self::RoomLive,
                _ => return None,
            },
            "order.administrator_raised" => Self::AdministratorRaised,
            "order.alert" => match word("alert") {
                "bootstrap_overdue" => Self::BootstrapOverdue,
                "administrator_ambiguous" => Self::AdministratorAmbiguous,
                _ => return None,
            },
            "restore.suggested" => Self::RestoreSuggested,
            "hold.opened" => match word("kind") {
                "arrivals" => Self::ExpectedExceeded,
                _ => Self::HoldOpened,
            },
            "hold.due_soon" => Self::HoldDueSoon,
            "source.degraded" => Self::SourceDegraded,
            "source.recovered" => Self::SourceRecovered,
            "room.without_administrator" => Self::RoomWithoutAdministrator,
            "token.expiring" => Self::TokenExpiring,
            "webhook.disabled" => Self::WebhookDisabled,
            _ => return None,
        })
    }
}

impl Audience {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Requester, Self::It, Self::Support, Self::Admin];

    /// Its word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::It => "it",
            Self::Support => "support",
            Self::Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_step_of_an_order_is_told_to_those_who_act_next() {
        let told = |state: &str| {
            let notice = Notice::of("order.moved", &json!({ "state": state, "before": "submitted" }));
            notice.map(|notice| (notice, notice.audience().to_vec()))
        };
        use Audience::{It, Requester, Support};
        for (state, notice, audience) in [
            ("submitted", Notice::OrderSubmitted, vec![Support]),
            ("withdrawn", Notice::OrderWithdrawn, vec![Support]),
            ("accepted", Notice::OrderAccepted, vec![Requester]),
            ("rejected", Notice::OrderRejected, vec![Requester]),
            ("room_ready", Notice::RoomReady, vec![Requester, Support]),
            ("mapping_confirmed", Notice::MappingConfirmed, vec![Requester, It]),
            ("arriving", Notice::FirstArrivals, vec![Requester, Support]),
            ("live", Notice::RoomLive, vec![Requester, It]),
        ] {
            assert_eq!(told(state), Some((notice, audience)), "{state}");
        }
        assert_eq!(told("draft"), None);
        assert_eq!(told("finalising"), None);
    }

    #[test]
    fn a_draft_that_is_taken_back_was_never_known_to_anybody() {
        let data = json!({ "state": "withdrawn", "before": "draft" });
        assert_eq!(Notice::of("order.moved", &data), None);
    }

    #[test]
    fn holds_of_arrivals_and_of_endings_are_two_things() {
        let of = |kind: &str| Notice::of("hold.opened", &json!({ "kind": kind }));
        assert_eq!(of("arrivals"), Some(Notice::ExpectedExceeded));
        assert_eq!(of("endings"), Some(Notice::HoldOpened));
    }

    #[test]
    fn most_events_are_worth_no_mail() {
        for kind in [
            "membership.started",
            "directory.user.created",
            "grant.written",
            "policy.confirmed",
        ] {
            assert_eq!(Notice::of(kind, &json!({})), None, "{kind}");
        }
    }

    #[test]
    fn words_lead_back() {
        for notice in Notice::ALL {
            assert_eq!(Notice::named(notice.as_str()), Some(*notice));
        }
    }
}
