//! Whether a group or a user is there, in the recycle bin, or gone for good.
//!
//! One 404 is not believed: a second question over another path has to say more before anything is reported as gone.

use usher_core::AdapterError;

use crate::adapter::Pull;
use crate::client::{Consistency, Found, guid, literal};
use crate::wire::{GROUP_SELECT, Group, Identified, Page, USER_SELECT, User};

/// Why nothing is known about a group that is nowhere.
pub(crate) const NOT_FOUND: &str =
    "Graph knows no group with this object id; if it was deleted for good, retire or replace its mapping";

/// Whether a group is there.
#[derive(Debug)]
pub(crate) enum GroupPresence {
    There(Group),
    /// In the recycle bin.
    Deleted,
    /// Nobody knows it: it was deleted for good, or the id belongs to another tenant.
    NotFound,
    Unknown(String),
}

/// Whether a user is there.
#[derive(Debug)]
pub(crate) enum UserPresence {
    There(User),
    /// In the recycle bin.
    Deleted(User),
    Gone,
    Unknown(String),
}

impl Pull {
    /// Looks for a group.
    ///
    /// A group in the recycle bin is gone: it opens nothing in Entra either, and its SCIM client sends a DELETE for it.
    /// One that Graph does not know at all may also be an id of another tenant, so that nothing is concluded from it;
    /// that a group was deleted for good is told by the delta.
    pub(crate) async fn group(&self, id: &str) -> Result<GroupPresence, AdapterError> {
        const OPERATION: &str = "read_group";
        if guid(id).is_none() {
            return Ok(GroupPresence::Unknown(
                "the id is not the object id of a group, which is a GUID".into(),
            ));
        }
        let url = self.graph.url(&["groups", id], &[("$select", GROUP_SELECT)]);
        let refusal = match self.graph.get(OPERATION, &url, Consistency::Strong).await? {
            Found::Yes(group) => return Ok(GroupPresence::There(group)),
            Found::No(refusal) => refusal,
        };
        if !refusal.is_not_found() {
            return Ok(GroupPresence::Unknown(refusal.reason("GroupMember.Read.All")));
        }
        Ok(if self.in_recycle_bin(OPERATION, id).await? {
            GroupPresence::Deleted
        } else {
            GroupPresence::NotFound
        })
    }

    /// Looks for a user.
    pub(crate) async fn user(&self, id: &str) -> Result<UserPresence, AdapterError> {
        const OPERATION: &str = "read_user";
        if guid(id).is_none() {
            return Ok(UserPresence::Unknown(
                "the id is not the object id of a user, which is a GUID".into(),
            ));
        }
        let url = self.graph.url(&["users", id], &[("$select", USER_SELECT)]);
        let refusal = match self.graph.get(OPERATION, &url, Consistency::Strong).await? {
            Found::Yes(user) => return Ok(UserPresence::There(user)),
            Found::No(refusal) => refusal,
        };
        if !refusal.is_not_found() {
            return Ok(UserPresence::Unknown(refusal.reason("User.Read.All")));
        }
        let bin = self.graph.url(&["directory", "deletedItems", id], &[]);
        match self.graph.get(OPERATION, &bin, Consistency::Strong).await? {
            Found::Yes(user) => return Ok(UserPresence::Deleted(user)),
            Found::No(refusal) if refusal.is_not_found() => {}
            Found::No(refusal) => return Ok(UserPresence::Unknown(refusal.reason("User.Read.All"))),
        }
        if self.list_lacks(OPERATION, "users", id).await? {
            return Ok(UserPresence::Gone);
        }
        Ok(UserPresence::Unknown(
            "Graph does not find the user and does not confirm that it is gone".into(),
        ))
    }

    async fn in_recycle_bin(&self, operation: &'static str, id: &str) -> Result<bool, AdapterError> {
        let url = self.graph.url(&["directory", "deletedItems", id], &[]);
        let found = self
            .graph
            .get::<Identified>(operation, &url, Consistency::Strong)
            .await?;
        Ok(matches!(found, Found::Yes(item) if item.id.eq_ignore_ascii_case(id)))
    }

    /// Whether a list says that it does not hold this id.
    async fn list_lacks(&self, operation: &'static str, list: &str, id: &str) -> Result<bool, AdapterError> {
        let filter = format!("id eq {}", literal(id));
        let url = self
            .graph
            .url(&[list], &[("$filter", &filter), ("$select", "id")]);
        let found = self
            .graph
            .get::<Page<Identified>>(operation, &url, Consistency::Strong)
            .await?;
        Ok(matches!(found, Found::Yes(page) if page.value.is_empty() && page.next_link.is_none()))
    }
}
