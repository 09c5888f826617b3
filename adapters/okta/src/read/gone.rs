//! What Okta does not find: gone, or only out of sight.
//!
//! A 404 and an empty list say the same of a thing that was deleted and of one that the administrator role no longer
//! covers. Only the System Log tells them apart, so nothing is reported as gone without its event there.

use usher_core::{AdapterError, DirectoryChange, RemoteGroupId, RemoteUserId};

use super::{Reading, listed_group, written};
use crate::client::reason;
use crate::wire::{Event, User};

const GROUP_DELETED: &str = "group.lifecycle.delete";
const USER_DELETED: &str = "user.lifecycle.delete.completed";

impl Reading<'_> {
    /// Reports a group that was answered with 404.
    pub(super) async fn missing_group(&mut self, id: &RemoteGroupId) -> Result<(), AdapterError> {
        match listed_group(self.okta, id.as_str()).await? {
            Ok(Some(_)) => {
                let what = "Okta lists the group and does not find it by its id";
                self.unknown_group(id, what).await
            }
            Err(what) => self.unknown_group(id, what).await,
            Ok(None) => match self.deletion(GROUP_DELETED, id.as_str()).await? {
                Ok(()) => {
                    let gone = DirectoryChange::GroupGone(id.clone());
                    self.sink.take(vec![gone]).await
                }
                Err(what) => {
                    let what = format!(
                        "Okta does not show the group: it was deleted, or the administrator role does not cover it; {what}"
                    );
                    self.unknown_group(id, what).await
                }
            },
        }
    }

    /// Reports a user who was answered with 404, and answers whether they are gone.
    pub(super) async fn missing_user(&mut self, id: &RemoteUserId) -> Result<bool, AdapterError> {
        let filter = format!("id eq \"{id}\"");
        let url = self.okta.api(&["users"], &[("filter", &filter)]);
        let answer = self.okta.get("find_user", &url).await?;
        let what = if answer.is_success() {
            let users: Vec<User> = answer.json()?;
            if users.iter().any(|user| user.id == id.as_str()) {
                "Okta lists the user and does not find them by their id".into()
            } else {
                match self.deletion(USER_DELETED, id.as_str()).await? {
                    Ok(()) => {
                        self.sink
                            .take(vec![DirectoryChange::UserGone(id.clone())])
                            .await?;
                        return Ok(true);
                    }
                    Err(what) => format!(
                        "Okta does not show the user: they were deleted, or the administrator role does not cover them; {what}"
                    ),
                }
            }
        } else {
            reason(&answer, "find_user", "okta.users.read")
        };
        self.unknown_user(id, what).await?;
        Ok(false)
    }

    /// Whether the System Log has an event of this type about this thing; otherwise why that is not known.
    async fn deletion(&mut self, event: &str, id: &str) -> Result<Result<(), String>, AdapterError> {
        let filter = format!("eventType eq \"{event}\" and target.id eq \"{id}\"");
        // Changes before this time were in reach of an earlier read. Without it the log shows its last seven days.
        let since = self.position.groups_since.map(written);
        let mut query = vec![("filter", filter.as_str()), ("limit", "1")];
        query.extend(since.as_deref().map(|since| ("since", since)));
        let mut answer = self
            .okta
            .get("find_deletion", &self.okta.api(&["logs"], &query))
            .await?;
        if crate::client::is_bad_request(&answer) && since.is_some() {
            // The time is longer ago than the log is kept.
            query.pop();
            answer = self
                .okta
                .get("find_deletion", &self.okta.api(&["logs"], &query))
                .await?;
        }
        if !answer.is_success() {
            let what = reason(&answer, "find_deletion", "okta.logs.read");
            return Ok(Err(format!(
                "the System Log, which would tell, cannot be read: {what}"
            )));
        }
        let events: Vec<Event> = answer.json()?;
        let deleted = events.iter().any(|found| {
            found.kind == event
                && ["User", "UserGroup"]
                    .iter()
                    .any(|kind| found.targets(kind).any(|target| target == id))
        });
        Ok(if deleted {
            Ok(())
        } else {
            Err("the System Log has no event of a deletion in the time asked about".into())
        })
    }
}
