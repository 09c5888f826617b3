//! The rules that decisions follow: domains, levels, the brake and the behaviour of each source.
//!
//! The rules in force are stored, so that every node and the command line decide alike, and a changed
//! configuration waits as a proposal until somebody confirms it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_core::{GuestMark, Levels, PushProfile, Reactivation, SourceName};

/// The rules of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The organisation's company e-mail domains, lower case; `*` means any.
    pub domains: Vec<String>,
    /// The levels.
    pub levels: Levels,
    /// When endings are held.
    pub brake: BrakePolicy,
    /// How the last steps of an order happen.
    pub finalise: Finalise,
    /// Arrivals beyond an order's expected number are still let in up to this share of it, in percent.
    pub arrival_margin_percent: u32,
    /// The SSO URL that people get.
    pub sso_url: Option<String>,
    /// Days after acceptance by which the bootstrap membership should have ended.
    pub bootstrap_due_days: u32,
    /// The sources, by name.
    pub sources: BTreeMap<SourceName, SourcePolicy>,
}

/// The rules in force and their version, as last seen in the database.
#[derive(Debug, Clone, Default)]
pub struct StoredPolicy {
    /// Rises with every change; 0 before the first rules are stored.
    pub version: i64,
    /// The rules.
    pub policy: Arc<Policy>,
}

/// How the last steps of an order happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finalise {
    /// As soon as the guards allow them.
    #[default]
    Automatic,
    /// When a person asks for each.
    Guided,
}

/// When endings are held instead of done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrakePolicy {
    /// Whether there is a brake at all.
    pub enabled: bool,
    /// So many endings always pass.
    pub endings: u32,
    /// So many percent of the room's managed members always pass.
    pub percent: u32,
    /// The length of the sliding window, in seconds.
    pub window_secs: u64,
    /// A hold that nobody decided is applied after so many seconds.
    pub hold_for_secs: u64,
}

impl BrakePolicy {
    /// The length of the sliding window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        Duration::from_secs(self.window_secs)
    }

    /// After how long a hold is applied.
    #[must_use]
    pub const fn hold_for(&self) -> Duration {
        Duration::from_secs(self.hold_for_secs)
    }
}

impl Default for BrakePolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            endings: 10,
            percent: 20,
            window_secs: 24 * 3600,
            hold_for_secs: 4 * 3600,
        }
    }
}

/// How one source behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePolicy {
    /// What a reactivation means.
    pub reactivation: Reactivation,
    /// Under `restore`, rows of a user inactive for longer than this go dormant, in days.
    pub dormant_after_days: u32,
    /// What marks a guest.
    pub guest_marks: Vec<GuestMark>,
    /// Whether a user's `externalId` is believed to be immutable.
    pub trusts_external_id: bool,
    /// Whether only a GUID is believed then.
    #[serde(default)]
    pub only_guids: bool,
}

impl SourcePolicy {
    /// Whether an `externalId` is believed to be immutable.
    #[must_use]
    pub fn trusts(&self, external_id: &str) -> bool {
        self.trusts_external_id && (!self.only_guids || uuid::Uuid::try_parse(external_id).is_ok())
    }
}

impl From<&PushProfile> for SourcePolicy {
    fn from(profile: &PushProfile) -> Self {
        Self {
            reactivation: profile.reactivation,
            dormant_after_days: u32::try_from(profile.dormant_after.as_secs() / 86_400).unwrap_or(u32::MAX),
            guest_marks: profile.guest_marks.clone(),
            trusts_external_id: profile.trusts_external_id,
            only_guids: profile.only_guids,
        }
    }
}

impl Policy {
    /// Whether an address belongs to the organisation.
    #[must_use]
    pub fn owns_address(&self, address: &str) -> bool {
        let Some((_, domain)) = address.rsplit_once('@') else {
            return false;
        };
        self.domains
            .iter()
            .any(|own| own == "*" || own.eq_ignore_ascii_case(domain))
    }

    /// The behaviour of a source; the careful one when the source is not configured.
    #[must_use]
    pub fn source(&self, name: &SourceName) -> SourcePolicy {
        self.sources
            .get(name)
            .cloned()
            .unwrap_or_else(|| SourcePolicy::from(&PushProfile::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_believed_only_where_the_provider_keeps_it_and_in_the_form_it_has() {
        let guid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
        for (trusts_external_id, only_guids, id, trusted) in [
            (false, false, guid, false),
            (true, false, "anna", true),
            (true, true, "anna", false),
            (true, true, guid, true),
        ] {
            let rules = SourcePolicy {
                trusts_external_id,
                only_guids,
                ..SourcePolicy::from(&PushProfile::default())
            };
            assert_eq!(
                rules.trusts(id),
                trusted,
                "{trusts_external_id} {only_guids} {id}"
            );
        }
    }

    #[test]
    fn only_whole_domains_of_the_organisation_count() {
        let policy = Policy {
            domains: vec!["contoso.com".into()],
            ..Policy::default()
        };
        assert!(policy.owns_address("anna@CONTOSO.com"));
        for foreign in [
            "anna@evilcontoso.com",
            "anna@contoso.com.example",
            "anna@mail.contoso.com",
            "contoso.com",
        ] {
            assert!(!policy.owns_address(foreign), "{foreign}");
        }
        let any = Policy {
            domains: vec!["*".into()],
            ..Policy::default()
        };
        assert!(any.owns_address("anna@anything.example"));
    }
}
