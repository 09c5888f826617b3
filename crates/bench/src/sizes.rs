//! How much is loaded and how often things are asked.

/// The sizes of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Whether these are the sizes that the targets are about.
    pub(crate) full: bool,
    /// Requests at once, where a single number is asked for.
    pub(crate) in_flight: usize,
    /// Writes to the disk for its latency.
    pub(crate) syncs: usize,
    /// Requests to the bare route.
    pub(crate) bare_requests: usize,
    /// Commits of PostgreSQL alone.
    pub(crate) commits: usize,
    /// Users that are members of many groups.
    pub(crate) users: usize,
    /// Groups that are filled at once.
    pub(crate) groups: usize,
    /// Memberships in each of these groups.
    pub(crate) group_size: usize,
    /// Incremental writes of each kind at once.
    pub(crate) increments: usize,
    /// Incremental writes of each kind one after another.
    pub(crate) single_increments: usize,
    /// Members of the large group.
    pub(crate) large_group: usize,
    /// Members of the small group.
    pub(crate) small_group: usize,
    /// Pairs of blocks that alternate between the two.
    pub(crate) blocks: usize,
    /// Requests in such a block.
    pub(crate) block: usize,
    /// Lookups of each kind.
    pub(crate) lookups: usize,
    /// Rows of group members at the end.
    pub(crate) member_rows: usize,
    /// Members of a first read, and of the large group where one is compared with a small one.
    pub(crate) pull_members: usize,
    /// Members of each other group that is read.
    pub(crate) pull_group: usize,
    /// Rounds of changes that are read.
    pub(crate) pull_rounds: usize,
    /// Members of the largest read.
    pub(crate) pull_most: usize,
    /// People in the groups of the largest read.
    pub(crate) pull_people: usize,
    /// Users of a first synchronisation.
    pub(crate) sync_users: usize,
    /// Members of all its groups together.
    pub(crate) sync_members: usize,
    /// Members of each of its groups.
    pub(crate) sync_group: usize,
    /// Numbers of users between which nothing may change.
    pub(crate) growth_users: [usize; 3],
    /// Rounds in which they take turns.
    pub(crate) growth_rounds: usize,
    /// People of the console's pages.
    pub(crate) page_people: usize,
    /// Rooms of theirs.
    pub(crate) page_rooms: usize,
    /// Members of the largest room.
    pub(crate) page_members: usize,
    /// How often each page is asked for.
    pub(crate) page_views: usize,
}

impl Sizes {
    /// What the targets are about.
    pub(crate) const FULL: Self = Self {
        full: true,
        in_flight: 16,
        syncs: 500,
        bare_requests: 150_000,
        commits: 50_000,
        users: 100_000,
        groups: 16,
        group_size: 5_000,
        increments: 4_000,
        single_increments: 500,
        large_group: 100_000,
        small_group: 100,
        blocks: 40,
        block: 48,
        lookups: 60_000,
        member_rows: 1_000_000,
        pull_members: 100_000,
        pull_group: 1_000,
        pull_rounds: 20,
        pull_most: 1_000_000,
        pull_people: 100_000,
        sync_users: 100_000,
        sync_members: 1_000_000,
        sync_group: 10_000,
        growth_users: [1_000, 100_000, 1_000_000],
        growth_rounds: 24,
        page_people: 100_000,
        page_rooms: 1_000,
        page_members: 10_000,
        page_views: 100,
    };

    /// For trying.
    pub(crate) const QUICK: Self = Self {
        full: false,
        in_flight: 16,
        syncs: 50,
        bare_requests: 10_000,
        commits: 2_000,
        users: 3_000,
        groups: 16,
        group_size: 300,
        increments: 320,
        single_increments: 64,
        large_group: 2_000,
        small_group: 100,
        blocks: 6,
        block: 48,
        lookups: 20_000,
        member_rows: 20_000,
        pull_members: 2_000,
        pull_group: 200,
        pull_rounds: 4,
        pull_most: 10_000,
        pull_people: 2_000,
        sync_users: 1_000,
        sync_members: 10_000,
        sync_group: 1_000,
        growth_users: [1_000, 3_000, 10_000],
        growth_rounds: 4,
        page_people: 2_000,
        page_rooms: 40,
        page_members: 1_000,
        page_views: 20,
    };
}
