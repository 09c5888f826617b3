//! One group and its members, page by page.

use std::collections::HashSet;

use http::StatusCode;
use usher_core::{AdapterError, DirectoryChange, GroupRecord, RemoteGroupId, UnknownScope, WantedGroup};

use super::{Reading, listed_group};
use crate::client::{Page, Pages, hash, is_missing, reason};
use crate::record;
use crate::wire::{Group, User};

/// How much smaller pages are that follow a page that took Okta too long.
const SMALLER: u32 = 4;

const NEEDS: &str = "okta.groups.read";

/// What the pages of a group's members came to.
enum Members {
    /// All of them were reported.
    All {
        /// How many there are.
        seen: u64,
    },
    /// What was said of the group so far is all that can be said.
    Settled,
}

impl<'a> Reading<'a> {
    /// Reports a group with all its members, or why it is unknown, or that it is gone.
    pub(super) async fn group(&mut self, wanted: &WantedGroup) -> Result<(), AdapterError> {
        let id = wanted.id.as_str();
        if wanted.nested {
            let what = "Okta has no groups inside groups; map the group without its nested groups";
            return self.unknown_group(&wanted.id, what).await;
        }
        let url = self.okta.api(&["groups", id], &[("expand", "stats")]);
        let answer = self.okta.get("get_group", &url).await?;
        if is_missing(&answer) {
            return self.missing_group(&wanted.id).await;
        }
        if !answer.is_success() {
            return self
                .unknown_group(&wanted.id, reason(&answer, "get_group", NEEDS))
                .await;
        }
        let group: Group = answer.json()?;
        if group.id != id {
            let what = format!("Okta answered with the group {} instead", group.id);
            return self.unknown_group(&wanted.id, what).await;
        }
        let record = record::group(&group)?;
        let changed = group.changed();
        self.learn(changed);
        let count = match self.count(&group).await? {
            Ok(count) => count,
            Err(what) => return self.unknown_group(&wanted.id, what).await,
        };
        if let Members::All { seen } = self.members(record).await?
            && self.complete(&wanted.id, seen, count).await?
            && let Some(changed) = changed
            && !self.position.all
        {
            self.position.groups.insert(id.into(), changed);
        }
        Ok(())
    }

    async fn members(&mut self, record: GroupRecord) -> Result<Members, AdapterError> {
        let id = record.id.clone();
        let mut opening = Some(record);
        let mut seen = HashSet::new();
        let mut limit = self.settings.page_limit;
        let mut pages = self.member_pages(&id, limit);
        loop {
            match pages.next::<User>().await? {
                Page::Items(users) => {
                    let mut changes = self.opening(opening.take());
                    for user in users {
                        self.learn(user.last_updated);
                        if seen.insert(hash(&user.id)) {
                            changes.extend(self.member(&id, &user)?);
                        }
                    }
                    self.learning = false;
                    if !changes.is_empty() {
                        self.sink.take(changes).await?;
                    }
                }
                Page::End => {
                    let seen = seen.len() as u64;
                    return Ok(Members::All { seen });
                }
                // A page that takes too long is a 500 (okta/okta-developer-docs#2459).
                Page::Refused(answer)
                    if answer.status() == StatusCode::INTERNAL_SERVER_ERROR
                        && limit == self.settings.page_limit
                        && limit > 1 =>
                {
                    limit = (limit / SMALLER).max(1);
                    pages = self.member_pages(&id, limit);
                }
                Page::Refused(answer) if answer.status().is_server_error() => {
                    return Err(answer.refused("list_members").with("group", id.as_str()));
                }
                Page::Refused(answer) if is_missing(&answer) => {
                    self.missing_group(&id).await?;
                    return Ok(Members::Settled);
                }
                Page::Refused(answer) => {
                    self.unknown_group(&id, reason(&answer, "list_members", NEEDS))
                        .await?;
                    return Ok(Members::Settled);
                }
                Page::Odd(what) => {
                    self.unknown_group(&id, what).await?;
                    return Ok(Members::Settled);
                }
            }
        }
    }

    fn member_pages(&self, id: &RemoteGroupId, limit: u32) -> Pages<'a> {
        let limit = limit.to_string();
        let url = self
            .okta
            .api(&["groups", id.as_str(), "users"], &[("limit", &limit)]);
        self.okta.pages("list_members", url)
    }

    /// What is said of a group before its members.
    fn opening(&self, record: Option<GroupRecord>) -> Vec<DirectoryChange> {
        let Some(record) = record else {
            return Vec::new();
        };
        let assigned = self.assigned.get(record.id.as_str()).copied();
        let assignment = assigned.map(|assigned| DirectoryChange::ApplicationAssignment {
            group: record.id.clone(),
            assigned,
        });
        let group = DirectoryChange::GroupUpserted(Box::new(record));
        [Some(group), assignment].into_iter().flatten().collect()
    }

    /// A user and that it is a member.
    fn member(&self, group: &RemoteGroupId, user: &User) -> Result<[DirectoryChange; 2], AdapterError> {
        let member = record::user_id(&user.id)?;
        let group = group.clone();
        Ok([
            self.user_change(user)?,
            DirectoryChange::MemberAdded { group, member },
        ])
    }

    /// What is said of a user.
    pub(super) fn user_change(&self, user: &User) -> Result<DirectoryChange, AdapterError> {
        if let Some(record) = record::user(user, self.settings)? {
            return Ok(DirectoryChange::UserUpserted(Box::new(record)));
        }
        let reason = if user.text("login").is_none() {
            "Okta does not show the user's login; grant okta.users.read, or widen the administrator role"
                .into()
        } else {
            format!(
                "the status {} says nothing about whether the account may be used; what was known stays",
                user.status.escape_debug()
            )
        };
        let scope = UnknownScope::User(record::user_id(&user.id)?);
        Ok(DirectoryChange::Unknown { scope, reason })
    }

    /// Says whether all members were seen, and answers whether they were.
    async fn complete(
        &mut self,
        id: &RemoteGroupId,
        seen: u64,
        count: Option<u64>,
    ) -> Result<bool, AdapterError> {
        let mut count = count;
        if count.is_some_and(|count| count != seen) {
            // Somebody may have come or left since the members were counted.
            count = match listed_group(self.okta, id.as_str()).await? {
                Ok(Some(group)) => group.users_count().or(count),
                _ => count,
            };
        }
        if let Some(count) = count.filter(|count| *count != seen) {
            let what = format!(
                "Okta counts {count} members and showed {seen}; nobody is taken out. Where this stays so, compare with \
                 the admin console, and set check_counts = false if Okta counts people there whom it does not show"
            );
            self.unknown_group(id, what).await?;
            return Ok(false);
        }
        let group = id.clone();
        let confirmed = count.is_some() || seen > 0;
        self.sink
            .take(vec![DirectoryChange::GroupMembersComplete { group, confirmed }])
            .await?;
        Ok(true)
    }

    /// How many members Okta counts; `None` where it does not say or is not believed. An error says why the group cannot
    /// be judged.
    async fn count(&mut self, group: &Group) -> Result<Result<Option<u64>, String>, AdapterError> {
        if !self.settings.check_counts {
            return Ok(Ok(None));
        }
        if let Some(count) = group.users_count() {
            return Ok(Ok(Some(count)));
        }
        // Okta documents the expansion for lists; one group alone may come without it.
        Ok(match listed_group(self.okta, &group.id).await? {
            Ok(Some(listed)) => Ok(listed.users_count()),
            Ok(None) => Err("Okta finds the group by its id and does not list it".into()),
            Err(what) => Err(what),
        })
    }
}
