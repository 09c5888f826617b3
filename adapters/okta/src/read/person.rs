//! One person, and whether they are in certain groups now.

use std::collections::BTreeSet;

use usher_core::{AdapterError, DirectoryChange, RemoteUserId, WantedGroup};

use super::Reading;
use crate::client::{Page, is_missing, reason};
use crate::wire::{Assignment, User};

const NEEDS: &str = "okta.users.read";

impl Reading<'_> {
    /// Reports a person and each of the groups.
    pub(super) async fn person(
        &mut self,
        user: &RemoteUserId,
        groups: &[WantedGroup],
    ) -> Result<(), AdapterError> {
        let wanted: BTreeSet<&str> = groups.iter().map(|group| group.id.as_str()).collect();
        if self.user(user).await? {
            for group in groups {
                self.membership(user, group, false).await?;
            }
            return Ok(());
        }
        let mut present = match self.groups_of(user, &wanted).await? {
            Ok(present) => present,
            Err(what) => return self.all_unknown(groups, &what).await,
        };
        if present.len() < wanted.len() {
            // An absence counts when a second list agrees.
            match self.groups_of(user, &wanted).await? {
                Ok(second) => present.extend(second),
                Err(what) => return self.all_unknown(groups, &what).await,
            }
        }
        for group in groups {
            let id = group.id.as_str();
            if group.nested {
                let what = "Okta has no groups inside groups; map the group without its nested groups";
                self.unknown_group(&group.id, what).await?;
            } else if present.contains(id) {
                self.membership(user, group, true).await?;
            } else {
                // The list leaves out groups that the administrator role does not cover.
                let answer = self
                    .okta
                    .get("get_group", &self.okta.api(&["groups", id], &[]))
                    .await?;
                if answer.is_success() {
                    self.membership(user, group, false).await?;
                } else {
                    let what = reason(&answer, "get_group", "okta.groups.read");
                    self.unknown_group(&group.id, what).await?;
                }
            }
        }
        Ok(())
    }

    /// Reports a user by itself, and answers whether they are gone.
    pub(super) async fn user(&mut self, id: &RemoteUserId) -> Result<bool, AdapterError> {
        let answer = self
            .okta
            .get("get_user", &self.okta.api(&["users", id.as_str()], &[]))
            .await?;
        if is_missing(&answer) {
            return self.missing_user(id).await;
        }
        if !answer.is_success() {
            self.unknown_user(id, reason(&answer, "get_user", NEEDS)).await?;
            return Ok(false);
        }
        let user: User = answer.json()?;
        if user.id == id.as_str() {
            let change = self.user_change(&user)?;
            self.sink.take(vec![change]).await?;
        } else {
            let what = "Okta answered with another user; an id is needed and not a login";
            self.unknown_user(id, what).await?;
        }
        Ok(false)
    }

    /// Those of the groups that Okta lists for a user; otherwise why they are not known.
    async fn groups_of(
        &mut self,
        user: &RemoteUserId,
        wanted: &BTreeSet<&str>,
    ) -> Result<Result<BTreeSet<String>, String>, AdapterError> {
        // The list pages as any other does (okta/okta-sdk-java#1286).
        let url = self.okta.api(&["users", user.as_str(), "groups"], &[]);
        let mut pages = self.okta.pages("list_groups_of_user", url);
        let mut present = BTreeSet::new();
        loop {
            match pages.next::<Assignment>().await? {
                Page::Items(groups) => {
                    let ids = groups.into_iter().map(|group| group.id);
                    present.extend(ids.filter(|id| wanted.contains(id.as_str())));
                }
                Page::End => return Ok(Ok(present)),
                Page::Refused(answer) if answer.status().is_server_error() => {
                    return Err(answer.refused("list_groups_of_user"));
                }
                Page::Refused(answer) => return Ok(Err(reason(&answer, "list_groups_of_user", NEEDS))),
                Page::Odd(what) => return Ok(Err(what)),
            }
        }
    }

    async fn membership(
        &mut self,
        user: &RemoteUserId,
        group: &WantedGroup,
        is_member: bool,
    ) -> Result<(), AdapterError> {
        let (group, member) = (group.id.clone(), user.clone());
        let change = if is_member {
            DirectoryChange::MemberAdded { group, member }
        } else {
            DirectoryChange::MemberRemoved { group, member }
        };
        self.sink.take(vec![change]).await
    }

    async fn all_unknown(&mut self, groups: &[WantedGroup], what: &str) -> Result<(), AdapterError> {
        for group in groups {
            self.unknown_group(&group.id, what).await?;
        }
        Ok(())
    }
}
