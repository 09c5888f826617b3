//! What a caller may see.

use std::collections::BTreeSet;

/// What a token may see: the scopes of an OAuth token, or what an administrator's role comes to in the same words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    scopes: BTreeSet<String>,
    built_in: bool,
    groups: Option<BTreeSet<String>>,
}

impl Rights {
    const ALL: [&str; 5] = [
        "okta.apps.read",
        "okta.groups.read",
        "okta.logs.read",
        "okta.orgs.read",
        "okta.users.read",
    ];

    /// Everything, as a super administrator or a read-only administrator has.
    #[must_use]
    pub fn all() -> Self {
        Self::of(&Self::ALL)
    }

    /// These scopes.
    #[must_use]
    pub fn of(scopes: &[&str]) -> Self {
        Self {
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            built_in: true,
            groups: None,
        }
    }

    /// What a group administrator has: groups and users, but not the group Everyone, the log and the applications.
    #[must_use]
    pub fn group_administrator() -> Self {
        Self {
            built_in: false,
            ..Self::of(&["okta.groups.read", "okta.users.read"])
        }
    }

    /// The same without a scope.
    #[must_use]
    pub fn without(mut self, scope: &str) -> Self {
        self.scopes.remove(scope);
        self
    }

    /// The same, but only these groups are seen, as a role on a resource set has it.
    #[must_use]
    pub fn only_groups(mut self, ids: &[&str]) -> Self {
        self.groups = Some(ids.iter().map(|id| (*id).to_owned()).collect());
        self
    }

    /// Those of the scopes that are granted.
    pub(super) fn narrowed_to<'a>(&self, scopes: impl Iterator<Item = &'a str>) -> Self {
        Self {
            scopes: scopes
                .filter(|scope| self.scopes.contains(*scope))
                .map(str::to_owned)
                .collect(),
            ..self.clone()
        }
    }

    pub(super) fn scopes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    pub(super) fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }

    pub(super) fn sees_group(&self, id: &str, kind: &str) -> bool {
        (self.built_in || kind != "BUILT_IN") && self.groups.as_ref().is_none_or(|groups| groups.contains(id))
    }
}
