//! What a cycle did.

/// Something that the endpoint did not take, or that was not as it should be. The client goes on with the next object and
/// tries this one again in the next cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The user or group of the directory.
    pub object: String,
    /// The client's own word for it.
    pub kind: &'static str,
    /// The HTTP status; 0 without an answer.
    pub status: u16,
    /// What the endpoint said, as the administrator sees it.
    pub detail: String,
}

/// What a cycle did: how many requests of each kind the endpoint took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CycleReport {
    /// Users that were created.
    pub created: usize,
    /// Users that were found at the endpoint and are known by its id from now on.
    pub matched: usize,
    /// Users whose attributes were changed.
    pub updated: usize,
    /// Users that became inactive.
    pub disabled: usize,
    /// Users that became active again.
    pub enabled: usize,
    /// Users that were deleted.
    pub deleted: usize,
    /// Groups that were created or found.
    pub groups_created: usize,
    /// Groups that were renamed.
    pub groups_renamed: usize,
    /// Groups that were deleted.
    pub groups_deleted: usize,
    /// Members that were added.
    pub members_added: usize,
    /// Members that were removed.
    pub members_removed: usize,
    /// What did not work.
    pub errors: Vec<Trouble>,
    /// Why the client stopped in the middle and will be slow from now on.
    pub quarantined: Option<String>,
}

impl CycleReport {
    /// Whether the endpoint took everything.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.quarantined.is_none()
    }

    /// Whether nothing was changed at the endpoint.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.created + self.updated + self.disabled + self.enabled + self.deleted == 0
            && self.groups_created + self.groups_renamed + self.groups_deleted == 0
            && self.members_added + self.members_removed == 0
    }
}
