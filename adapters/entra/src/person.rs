//! One person, asked about on the spot.
//!
//! <https://learn.microsoft.com/graph/api/directoryobject-checkmembergroups>

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::json;
use usher_core::{
    AdapterError, ChangeSink, DirectoryChange, RemoteGroupId, RemoteUserId, UnknownScope, UserRecord,
    WantedGroup,
};

use crate::adapter::Pull;
use crate::client::{Consistency, Found, guid, literal, odd};
use crate::pages::Trail;
use crate::presence::{GroupPresence, NOT_FOUND, UserPresence};
use crate::record;
use crate::wire::{Identified, Page};

const OPERATION: &str = "read_person";

/// The most groups in one `checkMemberGroups`.
const MOST_TOGETHER: usize = 20;

/// Whether somebody is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Membership {
    Yes,
    No,
    Unknown(String),
}

#[derive(Deserialize)]
struct MemberGroups {
    value: Vec<String>,
}

impl Pull {
    /// Reports a user, and for each group whether the user is in it now.
    pub(crate) async fn read_person(
        &self,
        user: &RemoteUserId,
        groups: &[WantedGroup],
        sink: &mut dyn ChangeSink,
    ) -> Result<(), AdapterError> {
        let unseen = |reason: String| DirectoryChange::Unknown {
            scope: UnknownScope::User(user.clone()),
            reason,
        };
        let (account, is_there) = match self.user(user.as_str()).await? {
            UserPresence::There(found) => match record::user(&found) {
                Some(record) => (upserted(record, user), true),
                None => (unseen(record::LIMITED.into()), false),
            },
            UserPresence::Deleted(found) => match record::deleted_user(&found) {
                Some(record) => (upserted(record, user), false),
                None => (unseen(record::LIMITED.into()), false),
            },
            UserPresence::Gone => (DirectoryChange::UserGone(user.clone()), false),
            UserPresence::Unknown(reason) => (unseen(reason), false),
        };
        let mut changes = vec![account];
        let found = if is_there {
            self.transitive_memberships(user, groups).await?
        } else {
            Err("the account cannot be asked about its groups".into())
        };
        for group in groups {
            let membership = match &found {
                Ok(found) => self.membership(user, group, found).await?,
                Err(reason) => Membership::Unknown(reason.clone()),
            };
            let (member, id) = (user.clone(), group.id.clone());
            changes.push(match membership {
                Membership::Yes => DirectoryChange::MemberAdded { group: id, member },
                Membership::No => DirectoryChange::MemberRemoved { group: id, member },
                Membership::Unknown(reason) => DirectoryChange::Unknown {
                    scope: UnknownScope::Group(id),
                    reason,
                },
            });
        }
        sink.take(changes).await?;
        let groups: Vec<RemoteGroupId> = groups.iter().map(|group| group.id.clone()).collect();
        self.report_assignments(&groups, sink).await
    }

    /// In which of the groups the user is, through other groups or not; in lower case.
    async fn transitive_memberships(
        &self,
        user: &RemoteUserId,
        groups: &[WantedGroup],
    ) -> Result<Result<HashSet<String>, String>, AdapterError> {
        let url = self
            .graph
            .url(&["users", user.as_str(), "checkMemberGroups"], &[]);
        // One malformed id would spoil the whole request.
        let ids: Vec<&str> = groups
            .iter()
            .map(|group| group.id.as_str())
            .filter(|id| guid(id).is_some())
            .collect();
        let mut memberships = HashSet::new();
        for part in ids.chunks(MOST_TOGETHER) {
            let found = self
                .graph
                .post::<MemberGroups>(OPERATION, &url, &json!({ "groupIds": part }))
                .await?;
            match found {
                Found::Yes(found) => memberships.extend(found.value.iter().map(|id| id.to_ascii_lowercase())),
                Found::No(refusal) => {
                    return Ok(Err(
                        refusal.reason("User.Read.All together with GroupMember.Read.All")
                    ));
                }
            }
        }
        Ok(Ok(memberships))
    }

    /// Whether the user is a member of one group in the sense that is wanted.
    async fn membership(
        &self,
        user: &RemoteUserId,
        group: &WantedGroup,
        transitive: &HashSet<String>,
    ) -> Result<Membership, AdapterError> {
        let id = group.id.as_str();
        if transitive.contains(&id.to_ascii_lowercase()) {
            return if group.nested {
                Ok(Membership::Yes)
            } else {
                self.direct_membership(user, id).await
            };
        }
        // Groups that the application may not evaluate are left out of the answer as if they were not joined.
        match self.group(id).await? {
            GroupPresence::There(found) if found.hides_members() => self.listed(user, id, group.nested).await,
            GroupPresence::There(_) => Ok(Membership::No),
            GroupPresence::Deleted | GroupPresence::NotFound => Ok(Membership::Unknown(NOT_FOUND.into())),
            GroupPresence::Unknown(reason) => Ok(Membership::Unknown(reason)),
        }
    }

    /// Whether somebody who is in a group in some way is a direct member. An index says yes; before no is believed, the
    /// list of members is walked over, unless nothing but direct members is in the group.
    async fn direct_membership(&self, user: &RemoteUserId, group: &str) -> Result<Membership, AdapterError> {
        let filter = format!("id eq {}", literal(user.as_str()));
        let query = [
            ("$filter", filter.as_str()),
            ("$count", "true"),
            ("$select", "id"),
        ];
        let url = self
            .graph
            .url(&["groups", group, "members", "microsoft.graph.user"], &query);
        let found = self
            .graph
            .get::<Page<Identified>>(OPERATION, &url, Consistency::Eventual)
            .await?;
        if let Found::Yes(page) = found
            && page.value.iter().any(|member| same(&member.id, user))
        {
            return Ok(Membership::Yes);
        }
        let inner = ["groups", group, "members", "microsoft.graph.group", "$count"];
        if self.graph.count(OPERATION, &inner, &[]).await? == Some(0) {
            return Ok(Membership::Yes);
        }
        self.listed(user, group, false).await
    }

    /// Walks over the ids of a group's members until the user is found.
    async fn listed(
        &self,
        user: &RemoteUserId,
        group: &str,
        nested: bool,
    ) -> Result<Membership, AdapterError> {
        let relation = if nested { "transitiveMembers" } else { "members" };
        let size = self.page_size.to_string();
        let url = self.graph.url(
            &["groups", group, relation],
            &[("$select", "id"), ("$top", &size)],
        );
        let mut found = self
            .graph
            .get::<Page<Identified>>(OPERATION, &url, Consistency::Strong)
            .await?;
        let (mut seen, mut trail) = (HashSet::new(), Trail::default());
        loop {
            let page = match found {
                Found::Yes(page) => page,
                Found::No(refusal) => return Ok(Membership::Unknown(refusal.reason("Member.Read.Hidden"))),
            };
            let before = seen.len();
            for member in &page.value {
                if same(&member.id, user) {
                    return Ok(Membership::Yes);
                }
                seen.insert(
                    guid(&member.id).ok_or_else(|| odd(OPERATION, "a member has no GUID as its id"))?,
                );
            }
            match page.next_link {
                Some(link) => {
                    trail.step(OPERATION, &link, seen.len() > before)?;
                    found = self.graph.follow(OPERATION, &link, Consistency::Strong).await?;
                }
                None => return self.not_listed(group, relation, seen.len()).await,
            }
        }
    }

    /// Somebody who was not in a list is no member if the list was complete.
    async fn not_listed(
        &self,
        group: &str,
        relation: &str,
        listed: usize,
    ) -> Result<Membership, AdapterError> {
        if listed == 0 {
            let reason = "the group shows no members; grant the application permission Member.Read.Hidden if it hides them";
            return Ok(Membership::Unknown(reason.into()));
        }
        let counted = self
            .graph
            .count(OPERATION, &["groups", group, relation, "$count"], &[])
            .await?;
        Ok(match counted {
            Some(counted) if counted != listed as u64 => {
                Membership::Unknown(format!("Graph counts {counted} members and listed {listed}"))
            }
            _ => Membership::No,
        })
    }
}

fn same(id: &str, user: &RemoteUserId) -> bool {
    id.eq_ignore_ascii_case(user.as_str())
}

/// The record under the id by which the person was asked for.
fn upserted(record: UserRecord, user: &RemoteUserId) -> DirectoryChange {
    DirectoryChange::UserUpserted(Box::new(UserRecord {
        id: user.clone(),
        ..record
    }))
}
