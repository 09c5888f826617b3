//! What service providers do differently.

use usher_scim::discovery::{AuthenticationScheme, Features, Pagination};

/// What `/ServiceProviderConfig` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// What the habits say.
    Honest,
    /// 404.
    Missing,
    /// 200 with something else.
    Invalid,
}

/// What becomes of a `filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filtering {
    /// It is announced and works.
    Works,
    /// It is not announced, and a request with one is refused.
    Refused,
    /// It is not announced, and passed over: everything comes.
    PassedOver,
    /// It is announced and passed over.
    AnnouncedAndPassedOver,
    /// It is announced; only a single comparison with `eq` is taken.
    OnlyOneComparison,
}

impl Filtering {
    const fn is_announced(self) -> bool {
        matches!(
            self,
            Self::Works | Self::AnnouncedAndPassedOver | Self::OnlyOneComparison
        )
    }
}

/// How the members of a group are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembersShown {
    /// With value, type, display and `$ref`.
    Fully,
    /// With their value alone.
    ValuesAlone,
    /// Never: as by a provider that keeps them in the users' `groups`, or without the right to see them.
    LeftOut,
}

/// How one service provider behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Habits {
    /// What `/ServiceProviderConfig` answers.
    pub discovery: Discovery,
    /// What becomes of a filter.
    pub filtering: Filtering,
    /// Whether `startIndex` works; without it, every request without a cursor gets the first page.
    pub index: bool,
    /// Whether cursors work (RFC 9865); without it, `cursor` is passed over.
    pub cursor: bool,
    /// Whether there are entity tags.
    pub etag: bool,
    /// The most resources on a page.
    pub max_results: usize,
    /// Whether `meta` has `lastModified`.
    pub last_modified: bool,
    /// Whether a change of its members gives a group another version and time.
    pub members_touch_group: bool,
    /// How members are shown.
    pub members: MembersShown,
    /// Whether an empty group is shown with `members: []` instead of without members.
    pub empty_members: bool,
    /// At most so many members of a group are shown, without a word about the others.
    pub members_cut_at: Option<usize>,
    /// Whether users are shown with their groups.
    pub groups_on_users: bool,
    /// Whether users and groups have an `externalId`: their id with `ext-` in front.
    pub external_ids: bool,
    /// Whether the client may read users.
    pub users_readable: bool,
    /// Whether the client may read groups.
    pub groups_readable: bool,
    /// What is added to `totalResults`, for a provider that does not count well.
    pub miscount: usize,
    /// Whether a list by cursor says how many there are in all.
    pub cursor_totals: bool,
    /// Another host, put in front of every `$ref` and `meta.location`: nobody should call it.
    pub decoy: Option<String>,
}

impl Default for Habits {
    /// All that the standard offers, pages of 100.
    fn default() -> Self {
        Self {
            discovery: Discovery::Honest,
            filtering: Filtering::Works,
            index: true,
            cursor: false,
            etag: true,
            max_results: 100,
            last_modified: true,
            members_touch_group: true,
            members: MembersShown::Fully,
            empty_members: false,
            members_cut_at: None,
            groups_on_users: true,
            external_ids: false,
            users_readable: true,
            groups_readable: true,
            miscount: 0,
            cursor_totals: true,
            decoy: None,
        }
    }
}

impl Habits {
    /// What is announced.
    pub(super) fn features(&self) -> Features {
        Features {
            documentation_uri: None,
            patch: false,
            bulk: None,
            filter_max_results: self.filtering.is_announced().then_some(self.max_results),
            change_password: false,
            sort: false,
            etag: self.etag,
            pagination: Pagination {
                cursor: self.cursor,
                index: self.index,
                default_page_size: self.max_results,
                max_page_size: self.max_results,
                cursor_timeout: 3600,
            },
            authentication: vec![AuthenticationScheme::BEARER_TOKEN],
        }
    }
}
