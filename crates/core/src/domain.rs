//! The closed sets of words that the domain uses: states, kinds and reasons. Each has one spelling, used in
//! storage, API and logs alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is not one of the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is not a {what}; use one of {known}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    known: String,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident as $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every word of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| UnknownWord {
                    what: $what,
                    word: text.chars().take(64).collect(),
                    known: Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    )*};
}

words! {
    /// Whether an account counts as one of the organisation's own.
    Scope as "scope" {
        /// A company account.
        In = "in",
        /// It has no e-mail address at all.
        NoAddress = "no_address",
        /// Its address is not in one of the organisation's domains.
        ForeignDomain = "foreign_domain",
        /// The source marks it as a guest.
        Guest = "guest",
    }

    /// Whether a source is listened to.
    SourceState as "source state" {
        /// It is configured.
        Active = "active",
        /// It disappeared from the configuration: nothing more is known, nobody ends.
        Frozen = "frozen",
        /// A human ended it.
        Retired = "retired",
    }

    /// Who a membership belongs to.
    MembershipKind as "kind of membership" {
        /// A source owns its presence.
        Managed = "managed",
        /// People own it.
        Manual = "manual",
        /// The vendor's internal user during set-up.
        Bootstrap = "bootstrap",
    }

    /// Why a period of a membership began.
    StartReason as "start reason" {
        /// The source wants the person in the room.
        Arrived = "arrived",
        /// A human added the person.
        ByHand = "by_hand",
        /// The room's set-up needs somebody inside.
        Bootstrap = "bootstrap",
        /// The membership was restored.
        Restored = "restored",
        /// A restore was undone, and this is what was there before.
        RestoreUndone = "restore_undone",
        /// A managed membership became a manual one.
        MadeManual = "made_manual",
    }

    /// Why a period of a membership ended.
    EndReason as "end reason" {
        /// The source removed the person from the group.
        Removed = "removed",
        /// The source deleted the group.
        GroupDeleted = "group_deleted",
        /// All accounts of the person are inactive.
        AccountInactive = "account_inactive",
        /// All accounts of the person are gone.
        AccountGone = "account_gone",
        /// No account of the person is in scope any more.
        OutOfScope = "out_of_scope",
        /// The mapping was retired or replaced.
        MappingRetired = "mapping_retired",
        /// The source was retired.
        SourceRetired = "source_retired",
        /// A human ended it.
        ByHand = "by_hand",
        /// Its end date passed.
        Expired = "expired",
        /// A former membership was restored in its place.
        Superseded = "superseded",
        /// A restore was undone.
        RestoreUndone = "restore_undone",
        /// It was made a manual one.
        MadeManual = "made_manual",
        /// The room's set-up is done.
        SetUpDone = "set_up_done",
    }

    /// Why an active managed membership stays though it is not desired.
    Stray as "stray cause" {
        /// The brake holds its ending.
        Held = "held",
        /// A human rejected the hold.
        HoldRejected = "hold_rejected",
        /// The room would have no administrator.
        LastAdministrator = "last_administrator",
        /// Its source is frozen.
        FrozenSource = "frozen_source",
        /// It was imported.
        Imported = "imported",
    }

    /// How far a room is.
    RoomState as "room state" {
        /// Being set up.
        Preparing = "preparing",
        /// In use.
        Live = "live",
        /// Closed: access is denied and decisions are frozen.
        Archived = "archived",
    }

    /// How far a mapping is.
    MappingState as "mapping state" {
        /// Made, without effect.
        Pending = "pending",
        /// In force.
        Confirmed = "confirmed",
        /// Over.
        Retired = "retired",
    }

    /// What a mapping names its group by.
    GroupNaming as "way to name a group" {
        /// The source's immutable id, or Usher's own.
        Id = "id",
        /// The display name; bound to one group and pinned then.
        Name = "name",
    }

    /// What happens when somebody comes back.
    Rejoin as "rejoin policy" {
        /// The former membership is restored at once where the guards allow it, else as `ask`.
        Auto = "auto",
        /// A restore is suggested to a human.
        Ask = "ask",
        /// Nothing is suggested.
        Never = "never",
    }

    /// What a hold holds.
    HoldKind as "kind of hold" {
        /// Endings beyond the brake.
        Endings = "endings",
        /// Arrivals beyond an order's expected number.
        Arrivals = "arrivals",
    }

    /// How far a hold is.
    HoldState as "hold state" {
        /// It waits for a human or its due date.
        Open = "open",
        /// A human let it happen.
        Approved = "approved",
        /// A human refused it.
        Rejected = "rejected",
        /// Its due date passed and it was applied.
        Applied = "applied",
        /// Nothing is left in it.
        Released = "released",
    }

    /// How far an order is.
    OrderState as "order state" {
        /// Being written.
        Draft = "draft",
        /// Waits for the vendor.
        Submitted = "submitted",
        /// The vendor prepares the room.
        Accepted = "accepted",
        /// The portal has the room; the mapping waits for a confirmation.
        RoomReady = "room_ready",
        /// The customer may add the group to the application.
        MappingConfirmed = "mapping_confirmed",
        /// People are coming.
        Arriving = "arriving",
        /// The administrator is there; the last steps are under way.
        Finalising = "finalising",
        /// Done.
        Live = "live",
        /// The vendor said no.
        Rejected = "rejected",
        /// The requester took it back.
        Withdrawn = "withdrawn",
    }

    /// How far a restore is.
    RestoreState as "restore state" {
        /// It waits for a human.
        Suggested = "suggested",
        /// It was done.
        Applied = "applied",
        /// It was done and undone.
        Undone = "undone",
        /// It was not done.
        Closed = "closed",
    }

    /// Why a person waits at a room's door.
    ParkReason as "reason to wait" {
        /// Somebody with the same address is in the room already.
        SameAddress = "same_address",
        /// More people came than the order expected.
        BeyondExpected = "beyond_expected",
    }

    /// What a caller may do.
    Role as "role" {
        /// Reads.
        Viewer = "viewer",
        /// Orders rooms and sees their own orders.
        Requester = "requester",
        /// The customer's IT.
        It = "it",
        /// The vendor: accepts, confirms, finalises, restores.
        Support = "support",
        /// Everything, tokens and sources included.
        Admin = "admin",
        /// The portal: reads memberships, writes grants and the room's address.
        App = "app",
    }

    /// How far a read of a source is.
    PullRunState as "state of a read" {
        /// It was asked for.
        Waiting = "waiting",
        /// It goes on.
        Running = "running",
        /// It came to its end.
        Done = "done",
        /// It did not; nobody ends because of it, and it is repeated from where the last one ended.
        Failed = "failed",
        /// Its process stopped in the middle; it is repeated.
        Abandoned = "abandoned",
    }

    /// What a read of a source is about.
    PullScope as "scope of a read" {
        /// Every group that a mapping or an order names.
        All = "all",
        /// Some groups, completely.
        Groups = "groups",
        /// One person.
        Person = "person",
    }

    /// Why a source is read.
    PullCause as "cause of a read" {
        /// It was due.
        Schedule = "schedule",
        /// A human asked.
        ByHand = "by_hand",
        /// The provider said that something changed.
        Notification = "notification",
        /// A mapping was confirmed, changed or replaced.
        Mapping = "mapping",
        /// An order was accepted.
        Order = "order",
        /// What was read has to be seen twice.
        Doubt = "doubt",
        /// The read before was abandoned.
        Restart = "restart",
        /// A restore wants to know about one person.
        Restore = "restore",
    }

    /// Whether events are delivered to an endpoint.
    WebhookState as "state of a webhook" {
        /// They are.
        Active = "active",
        /// A human paused it; what happens meanwhile is delivered afterwards.
        Paused = "paused",
        /// Usher gave up on it; what happens meanwhile is delivered once a human resumes it.
        Disabled = "disabled",
    }

    /// How far an e-mail is.
    MailState as "state of an e-mail" {
        /// It is to be sent.
        Waiting = "waiting",
        /// A mail server took it.
        Sent = "sent",
        /// Usher gave up on it.
        Dead = "dead",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_itself() {
        for state in OrderState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let error = "boss".parse::<Role>().unwrap_err().to_string();
        assert_eq!(
            error,
            "'boss' is not a role; use one of viewer, requester, it, support, admin, app"
        );
    }
}
