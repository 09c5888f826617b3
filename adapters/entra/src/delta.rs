//! What changed since the last read.
//!
//! <https://learn.microsoft.com/graph/delta-query-overview>, <https://learn.microsoft.com/graph/api/group-delta>,
//! <https://learn.microsoft.com/graph/api/user-delta>

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;
use usher_core::{
    AdapterError, ChangeSink, DirectoryChange, ErrorKind, RemoteGroupId, RetryAdvice, UnknownScope,
};

use crate::adapter::Pull;
use crate::checkpoint::{MOST_FILTERED, Stream};
use crate::client::{Consistency, Found, Refusal, literal, odd};
use crate::fetch::{Fetched, Place};
use crate::pages::Trail;
use crate::record;
use crate::wire::{Group, Page, USER_SELECT, User};

const GROUPS: &str = "groups_delta";
const USERS: &str = "users_delta";

/// What groups are asked for: `members` turns their memberships on.
const GROUPS_SELECT: &str = "displayName,members";

/// Codes with which Graph says that a delta token is too old
/// (<https://learn.microsoft.com/graph/errors>); seen in more than one spelling.
const EXPIRED: [&str; 3] = ["syncstatenotfound", "resyncrequired", "syncstateinvalid"];

/// Which groups of a stream are reported, and under which id.
pub(crate) enum Followed {
    /// These, by their ids in lower case.
    Some(HashMap<String, RemoteGroupId>),
    /// Every group but these, which are read completely.
    AllBut(HashSet<String>),
}

impl Followed {
    fn id(&self, id: &str) -> Result<Option<RemoteGroupId>, AdapterError> {
        let lower = id.to_ascii_lowercase();
        match self {
            Self::Some(groups) => Ok(groups.get(&lower).cloned()),
            Self::AllBut(groups) if groups.contains(&lower) => Ok(None),
            Self::AllBut(_) => record::group_id(id).map(Some),
        }
    }
}

impl Pull {
    /// A link that tells what changes in all users from now on.
    pub(crate) async fn follow_users(&self) -> Result<String, AdapterError> {
        let found = self
            .newest_link(USERS, "users", &[("$select", USER_SELECT)])
            .await?;
        match found {
            Found::Yes(link) => Ok(link),
            Found::No(refusal) => Err(forbidden(refusal, "User.Read.All")),
        }
    }

    /// Streams that tell what changes in these groups from now on.
    ///
    /// A group that Graph does not want to follow, as it may do with an id that it does not know, gets none and is read
    /// completely each time; the others do not suffer from it.
    pub(crate) async fn follow_groups(&self, groups: &[&str]) -> Result<Vec<Stream>, AdapterError> {
        let mut streams = Vec::new();
        let mut open: Vec<&[&str]> = groups.chunks(MOST_FILTERED).collect();
        while let Some(part) = open.pop() {
            let clauses: Vec<String> = part.iter().map(|id| format!("id eq {}", literal(id))).collect();
            match self.groups_link(Some(&clauses.join(" or "))).await? {
                Found::Yes(link) => streams.push(Stream {
                    link,
                    groups: part.iter().map(|id| (*id).to_owned()).collect(),
                }),
                Found::No(refusal) if !matches!(refusal.status, 400 | 404) => {
                    return Err(forbidden(refusal, "GroupMember.Read.All"));
                }
                Found::No(_) if part.len() > 1 => {
                    let (one, other) = part.split_at(part.len() / 2);
                    open.extend([one, other]);
                }
                Found::No(_) => {}
            }
        }
        Ok(streams)
    }

    /// A stream that tells what changes in all groups from now on.
    pub(crate) async fn follow_all_groups(&self) -> Result<Stream, AdapterError> {
        match self.groups_link(None).await? {
            Found::Yes(link) => Ok(Stream {
                link,
                groups: Vec::new(),
            }),
            Found::No(refusal) => Err(forbidden(refusal, "GroupMember.Read.All")),
        }
    }

    async fn groups_link(&self, filter: Option<&str>) -> Result<Found<String>, AdapterError> {
        let mut query = vec![("$select", GROUPS_SELECT)];
        query.extend(filter.map(|filter| ("$filter", filter)));
        self.newest_link(GROUPS, "groups", &query).await
    }

    /// Asks for the newest delta link; where Graph gives none without the data, walks over the data.
    async fn newest_link(
        &self,
        operation: &'static str,
        kind: &str,
        query: &[(&str, &str)],
    ) -> Result<Found<String>, AdapterError> {
        let mut latest = query.to_vec();
        latest.push(("$deltatoken", "latest"));
        let url = self.graph.url(&[kind, "delta"], &latest);
        let mut found = self
            .graph
            .get::<Page<serde::de::IgnoredAny>>(operation, &url, Consistency::Strong)
            .await?;
        if matches!(&found, Found::No(refusal) if refusal.status == 400) {
            let url = self.graph.url(&[kind, "delta"], query);
            found = self.graph.get(operation, &url, Consistency::Strong).await?;
        }
        let mut trail = Trail::default();
        loop {
            let page = match found {
                Found::Yes(page) => page,
                Found::No(refusal) => return Ok(Found::No(refusal)),
            };
            match (page.delta_link, page.next_link) {
                (Some(link), _) => return Ok(Found::Yes(link)),
                (None, Some(link)) => {
                    trail.step(operation, &link, !page.value.is_empty())?;
                    found = self.graph.follow(operation, &link, Consistency::Strong).await?;
                }
                (None, None) => return Err(endless(operation)),
            }
        }
    }

    /// Reports what changed in groups; answers the link for the next time. Groups in which something could not be seen
    /// are put into `unread`.
    pub(crate) async fn group_changes(
        &self,
        link: &str,
        followed: &Followed,
        unread: &mut Vec<String>,
        sink: &mut dyn ChangeSink,
    ) -> Result<String, AdapterError> {
        let mut round = Round::new(GROUPS, "GroupMember.Read.All", link);
        while let Some(page) = self.next_page::<Group>(&mut round).await? {
            let mut changes = Vec::new();
            for group in &page {
                if let Some(id) = followed.id(&group.id)? {
                    self.group_change(id, group, unread, &mut changes).await?;
                }
            }
            if !changes.is_empty() {
                sink.take(changes).await?;
            }
        }
        Ok(round.link)
    }

    /// What one item of `groups/delta` says.
    ///
    /// `@removed` with the reason `changed` means that the group is in the recycle bin and can be restored. It is
    /// reported as gone all the same: Entra's SCIM client sends a DELETE then, and the group opens nothing any more. It
    /// stays among the unread, so that a group that comes back is read completely.
    async fn group_change(
        &self,
        id: RemoteGroupId,
        group: &Group,
        unread: &mut Vec<String>,
        changes: &mut Vec<DirectoryChange>,
    ) -> Result<(), AdapterError> {
        if group.removed.is_some() {
            note_unread(unread, &id);
            changes.push(DirectoryChange::GroupGone(id));
            return Ok(());
        }
        if group.display_name.is_some() {
            changes.push(DirectoryChange::GroupUpserted(Box::new(record::group(
                &id, group,
            ))));
        }
        let users = || group.members.iter().filter(|member| member.is_user());
        let came: Vec<&str> = users()
            .filter(|member| member.removed.is_none())
            .map(|member| member.id.as_str())
            .collect();
        let mut fetched = self.fetch(Place::Directory, &came).await?.into_iter();
        for change in users() {
            let (group, member) = (id.clone(), record::user_id(&change.id)?);
            if change.removed.is_some() {
                changes.push(DirectoryChange::MemberRemoved { group, member });
                continue;
            }
            let seen = match fetched.next() {
                Some(Fetched::User(user)) => record::user(&user).ok_or_else(|| record::LIMITED.to_owned()),
                Some(Fetched::Refused(reason)) => Err(reason),
                Some(Fetched::NotFound) | None => {
                    Err("Graph names a new member that it does not find".into())
                }
            };
            match seen {
                Ok(user) => {
                    changes.push(DirectoryChange::UserUpserted(Box::new(user)));
                    changes.push(DirectoryChange::MemberAdded { group, member });
                }
                Err(reason) => {
                    note_unread(unread, &id);
                    let scope = UnknownScope::User(member);
                    changes.push(DirectoryChange::Unknown { scope, reason });
                }
            }
        }
        Ok(())
    }

    /// Reports what changed in users, members of anything or not; answers the link for the next time.
    pub(crate) async fn user_changes(
        &self,
        link: &str,
        sink: &mut dyn ChangeSink,
    ) -> Result<String, AdapterError> {
        let mut round = Round::new(USERS, "User.Read.All", link);
        while let Some(page) = self.next_page::<User>(&mut round).await? {
            let mut changes = Vec::new();
            let mut partial = Vec::new();
            let mut deleted = Vec::new();
            for user in &page {
                match &user.removed {
                    Some(removed) if removed.reason == "changed" => deleted.push(user.id.as_str()),
                    Some(_) => changes.push(DirectoryChange::UserGone(record::user_id(&user.id)?)),
                    None => match record::user(user) {
                        Some(user) => changes.push(DirectoryChange::UserUpserted(Box::new(user))),
                        None => partial.push(user.id.as_str()),
                    },
                }
            }
            self.partial_users(&partial, &mut changes).await?;
            self.deleted_users(&deleted, &mut changes).await?;
            if !changes.is_empty() {
                sink.take(changes).await?;
            }
        }
        Ok(round.link)
    }

    /// Users of whom the delta did not tell enough.
    async fn partial_users(
        &self,
        ids: &[&str],
        changes: &mut Vec<DirectoryChange>,
    ) -> Result<(), AdapterError> {
        for (id, fetched) in ids.iter().zip(self.fetch(Place::Directory, ids).await?) {
            let reason = match fetched {
                Fetched::User(user) => match record::user(&user) {
                    Some(user) => {
                        changes.push(DirectoryChange::UserUpserted(Box::new(user)));
                        continue;
                    }
                    None => record::LIMITED.to_owned(),
                },
                // The next delta says what became of it.
                Fetched::NotFound => "Graph names a changed user that it does not find".into(),
                Fetched::Refused(reason) => reason,
            };
            let scope = UnknownScope::User(record::user_id(id)?);
            changes.push(DirectoryChange::Unknown { scope, reason });
        }
        Ok(())
    }

    /// Users who were put into the recycle bin: there they keep their properties and their memberships, and are not
    /// active.
    async fn deleted_users(
        &self,
        ids: &[&str],
        changes: &mut Vec<DirectoryChange>,
    ) -> Result<(), AdapterError> {
        let mut elsewhere = Vec::new();
        for (id, fetched) in ids.iter().zip(self.fetch(Place::RecycleBin, ids).await?) {
            match fetched {
                Fetched::User(user) => {
                    let user = record::deleted_user(&user).ok_or_else(|| hidden(record::LIMITED))?;
                    changes.push(DirectoryChange::UserUpserted(Box::new(user)));
                }
                Fetched::NotFound => elsewhere.push(*id),
                Fetched::Refused(reason) => return Err(hidden(&reason)),
            }
        }
        // Meanwhile they were restored, or deleted for good.
        for (id, fetched) in elsewhere
            .iter()
            .zip(self.fetch(Place::Directory, &elsewhere).await?)
        {
            match fetched {
                Fetched::User(user) => {
                    let user = record::user(&user).ok_or_else(|| hidden(record::LIMITED))?;
                    changes.push(DirectoryChange::UserUpserted(Box::new(user)));
                }
                Fetched::NotFound => changes.push(DirectoryChange::UserGone(record::user_id(id)?)),
                Fetched::Refused(reason) => return Err(hidden(&reason)),
            }
        }
        Ok(())
    }

    /// The next page of a round; `None` at its end, when the round's link is the one for the next time.
    async fn next_page<T: DeserializeOwned>(
        &self,
        round: &mut Round,
    ) -> Result<Option<Vec<T>>, AdapterError> {
        if round.ended {
            return Ok(None);
        }
        let found = self
            .graph
            .follow::<Page<T>>(round.operation, &round.link, Consistency::Strong)
            .await?;
        let page = match found {
            Found::Yes(page) => page,
            Found::No(refusal) => return Err(expired(refusal, round.permission)),
        };
        match (page.delta_link, page.next_link) {
            (Some(link), _) => {
                round.link = link;
                round.ended = true;
            }
            (None, Some(link)) => {
                round.trail.step(round.operation, &link, !page.value.is_empty())?;
                round.link = link;
            }
            (None, None) => return Err(endless(round.operation)),
        }
        Ok(Some(page.value))
    }
}

/// The pages from one delta link to the next.
struct Round {
    operation: &'static str,
    permission: &'static str,
    link: String,
    ended: bool,
    trail: Trail,
}

impl Round {
    fn new(operation: &'static str, permission: &'static str, link: &str) -> Self {
        Self {
            operation,
            permission,
            link: link.to_owned(),
            ended: false,
            trail: Trail::default(),
        }
    }
}

fn note_unread(unread: &mut Vec<String>, id: &RemoteGroupId) {
    let id = id.as_str().to_ascii_lowercase();
    if !unread.contains(&id) {
        unread.push(id);
    }
}

/// A refusal of a link that Graph gave earlier. The `Location` of a 410 is not followed: a read from the beginning makes
/// its own links.
fn expired(refusal: Refusal, permission: &str) -> AdapterError {
    let too_old = matches!(refusal.status, 400 | 404 | 410) || EXPIRED.contains(&refusal.code.as_str());
    if !too_old {
        return forbidden(refusal, permission);
    }
    AdapterError::new(
        ErrorKind::CheckpointExpired,
        RetryAdvice::Now,
        refusal.error.operation(),
        "Graph no longer knows the delta link, which is good for seven days; read from the beginning",
    )
    .because(refusal.error)
}

fn forbidden(refusal: Refusal, permission: &str) -> AdapterError {
    if refusal.status == 403 {
        refusal.error.with("grant", permission)
    } else {
        refusal.error
    }
}

/// A user who is being deleted cannot be seen: nothing must be passed over, so the read ends.
fn hidden(reason: &str) -> AdapterError {
    AdapterError::new(ErrorKind::Forbidden, RetryAdvice::Never, USERS, reason)
}

fn endless(operation: &'static str) -> AdapterError {
    odd(
        operation,
        "a page of changes has neither a next link nor a delta link",
    )
}
