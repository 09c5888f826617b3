//! What the documentation leaves open, and what a test may want otherwise.

use jiff::SignedDuration;

/// How the org behaves. The default is the more likely reading of what is documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// No page holds more items, whatever `limit` says.
    pub page_size: usize,
    /// Whether deactivated users stay members of their groups.
    pub deprovisioned_stay_members: bool,
    /// Whether `usersCount` counts deactivated users who are not shown as members.
    pub count_includes_deprovisioned: bool,
    /// Whether `expand=stats` works when one group is asked for by its id, and not only in lists.
    pub one_group_has_stats: bool,
    /// Whether a list of groups can be expanded by `stats` at all.
    pub lists_have_stats: bool,
    /// Whether a change of a member moves `lastMembershipUpdated` of its groups.
    pub members_touch_groups: bool,
    /// Whether a filter may name several ids, joined by `or`.
    pub filter_takes_many_ids: bool,
    /// What happens to a token request that asks for a scope that was not granted.
    pub ungranted: Ungranted,
    /// How far `search` lags behind `filter`.
    pub search_lag: SignedDuration,
    /// How many of the last changes the System Log does not show yet.
    pub log_lag: u64,
    /// A list with a higher limit fails with 500, as one that takes too long does.
    pub slow_above: Option<usize>,
    /// Where next links lead, instead of this server: scheme, host and port.
    pub links_lead_to: Option<String>,
    /// Whether all links come in one header field, and not in one each.
    pub links_in_one_field: bool,
    /// The nonce that a DPoP proof at the token endpoint has to hold; `None` when none is asked for.
    pub dpop_nonce: Option<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            page_size: usize::MAX,
            deprovisioned_stay_members: false,
            count_includes_deprovisioned: false,
            one_group_has_stats: true,
            lists_have_stats: true,
            members_touch_groups: false,
            filter_takes_many_ids: true,
            ungranted: Ungranted::LeftOut,
            search_lag: SignedDuration::from_mins(12),
            log_lag: 0,
            slow_above: None,
            links_lead_to: None,
            links_in_one_field: false,
            dpop_nonce: Some("eyJ-a-nonce".into()),
        }
    }
}

/// What happens to a token request that asks for scopes of which some were not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ungranted {
    /// The token has the others; without any the request is refused.
    LeftOut,
    /// The request is refused.
    Refused,
}

/// How the org says 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// The bucket is empty for so many seconds more.
    Rate {
        /// Seconds until the window ends.
        seconds: u32,
    },
    /// Too many requests run at once: limit and remaining are both zero, and the reset is only an estimate.
    Concurrency,
}
