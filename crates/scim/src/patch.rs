//! PATCH (RFC 7644 §3.5.2), in the forms that identity providers really send.

mod compile;
mod edit;
mod members;

use serde_json::Value;

pub(crate) use compile::assignment;
pub use members::MemberDelta;

use crate::Attributes;
use crate::error::ScimError;
use crate::filter::FilterLimits;
use crate::schema::ResourceType;
use edit::Edit;

/// A PATCH request, checked and ready to be applied to any resource of its type.
///
/// All that can be refused without the resource is refused by [`PatchRequest::parse`]. What the request does to the
/// members of a group does not depend on the resource and is known at once. Neither form holds a password.
#[derive(Debug, Clone)]
pub struct PatchRequest {
    edits: Vec<Edit>,
    members: Vec<MemberDelta>,
}

/// Bounds on a PATCH request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchLimits {
    /// Operations in one request.
    pub operations: usize,
    /// Members named in one request, over all operations.
    pub members: usize,
    /// Filters inside paths.
    pub filter: FilterLimits,
}

impl Default for PatchLimits {
    fn default() -> Self {
        Self {
            operations: 10_000,
            members: 100_000,
            filter: FilterLimits::default(),
        }
    }
}

/// What a PATCH did to a resource.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatchOutcome<'a> {
    /// Whether an attribute has another value than before. If not, `lastModified` stays.
    pub changed: bool,
    /// What is to happen to the members, in this order. Whether that changes anything, only the storage knows.
    pub members: &'a [MemberDelta],
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Remove,
    Replace,
}

impl PatchRequest {
    /// Checks a request body.
    ///
    /// Tolerated beyond the RFC, because clients send it: keys and operations in any letter case, a missing `schemas`,
    /// an empty `path`, an empty list of operations (Microsoft's validator was seen sending one; it asks for nothing
    /// and gets it), values of the wrong shape that have one clear reading, and whatever the server writes itself
    /// (`id`, `meta`, `schemas`, `groups`) inside the object of an operation without a path.
    ///
    /// # Errors
    /// The `scimType` that RFC 7644 §3.5.2 gives, with the number of the operation; 413 over a limit.
    pub fn parse(
        body: Value,
        resource_type: &'static ResourceType,
        limits: &PatchLimits,
    ) -> Result<Self, ScimError> {
        compile::request(body, resource_type, limits)
    }

    /// What the request does to the members of a group.
    pub fn member_deltas(&self) -> &[MemberDelta] {
        &self.members
    }

    /// Whether the request is about members alone, so that the resource's attributes need not be read.
    pub fn is_members_only(&self) -> bool {
        self.edits.is_empty()
    }

    /// Applies the request to the canonical attributes of a resource. It takes effect as a whole or, with an error,
    /// not at all.
    ///
    /// # Errors
    /// `noTarget` if a filter in a path selects nothing and nothing can be made of it, `mutability` if an immutable
    /// attribute already has another value.
    pub fn apply(&self, resource: &mut Attributes) -> Result<PatchOutcome<'_>, ScimError> {
        let mut changed = false;
        if !self.edits.is_empty() {
            let mut draft = resource.clone();
            for edit in &self.edits {
                edit.apply(&mut draft)?;
            }
            changed = draft != *resource;
            if changed {
                *resource = draft;
            }
        }
        Ok(PatchOutcome {
            changed,
            members: &self.members,
        })
    }
}
