//! Complete reads of groups.

use std::collections::HashSet;

use usher_core::{AdapterError, ChangeSink, DirectoryChange, RemoteGroupId, UnknownScope, WantedGroup};

use crate::adapter::Pull;
use crate::client::{Consistency, Found, guid, odd};
use crate::pages::Trail;
use crate::presence::{GroupPresence, NOT_FOUND};
use crate::record;
use crate::wire::{Group, MEMBER_SELECT, Page, User};

const OPERATION: &str = "list_members";

/// What came of the read of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All members were seen.
    Read,
    /// Some were not, or there is no such group; it is read again next time.
    NotRead,
}

/// What came of the list of members.
enum Listing {
    /// It was read to its end, with so many users.
    Ended(usize),
    Unknown(String),
}

/// How members are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Members of all types, straight from the directory.
    Plain,
    /// Users alone, from an index. For the case that Graph does not let properties of users be selected otherwise.
    Cast,
}

/// The first page and the way in which it was got.
enum First {
    Page(Page<User>, Way),
    Unknown(String),
}

impl Pull {
    /// Reads a group and all its members.
    pub(crate) async fn read_group(
        &self,
        wanted: &WantedGroup,
        sink: &mut dyn ChangeSink,
    ) -> Result<Coverage, AdapterError> {
        let id = wanted.id.as_str();
        let group = match self.group(id).await? {
            GroupPresence::There(group) => group,
            GroupPresence::Deleted => {
                sink.take(vec![DirectoryChange::GroupGone(wanted.id.clone())])
                    .await?;
                return Ok(Coverage::NotRead);
            }
            GroupPresence::NotFound => return unknown(&wanted.id, NOT_FOUND.into(), sink).await,
            GroupPresence::Unknown(reason) => return unknown(&wanted.id, reason, sink).await,
        };
        let record = record::group(&wanted.id, &group);
        sink.take(vec![DirectoryChange::GroupUpserted(Box::new(record))])
            .await?;
        let listed = match self.list_members(wanted, sink).await? {
            Listing::Ended(listed) => listed,
            Listing::Unknown(reason) => return unknown(&wanted.id, reason, sink).await,
        };
        self.conclude(wanted, &group, listed, sink).await
    }

    /// Compares what was listed with what Graph counts.
    async fn conclude(
        &self,
        wanted: &WantedGroup,
        group: &Group,
        listed: usize,
        sink: &mut dyn ChangeSink,
    ) -> Result<Coverage, AdapterError> {
        if listed == 0 && group.hides_members() {
            let reason = "the group hides its members; grant the application permission Member.Read.Hidden";
            return unknown(&wanted.id, reason.into(), sink).await;
        }
        let path = [
            "groups",
            wanted.id.as_str(),
            relation(wanted),
            "microsoft.graph.user",
            "$count",
        ];
        let counted = self.graph.count("count_members", &path, &[]).await?;
        let confirmed = match counted {
            Some(counted) if counted != listed as u64 => {
                let reason = format!(
                    "Graph counts {counted} users and listed {listed}: the group changed while it was read, or a page was lost"
                );
                return unknown(&wanted.id, reason, sink).await;
            }
            Some(_) => true,
            None => listed > 0,
        };
        let group = wanted.id.clone();
        sink.take(vec![DirectoryChange::GroupMembersComplete { group, confirmed }])
            .await?;
        Ok(Coverage::Read)
    }

    async fn list_members(
        &self,
        wanted: &WantedGroup,
        sink: &mut dyn ChangeSink,
    ) -> Result<Listing, AdapterError> {
        let (mut page, way) = match self.first_page(wanted).await? {
            First::Page(page, way) => (page, way),
            First::Unknown(reason) => return Ok(Listing::Unknown(reason)),
        };
        let mut seen = HashSet::new();
        let mut trail = Trail::default();
        loop {
            let before = seen.len();
            let mut changes = Vec::new();
            for user in page.value.iter().filter(|member| member.is_user()) {
                let id = guid(&user.id).ok_or_else(|| odd(OPERATION, "a member has no GUID as its id"))?;
                if !seen.insert(id) {
                    continue;
                }
                let Some(user) = record::user(user) else {
                    return Ok(Listing::Unknown(record::LIMITED.into()));
                };
                let (group, member) = (wanted.id.clone(), user.id.clone());
                changes.push(DirectoryChange::UserUpserted(Box::new(user)));
                changes.push(DirectoryChange::MemberAdded { group, member });
            }
            if !changes.is_empty() {
                sink.take(changes).await?;
            }
            let Some(link) = page.next_link.take() else {
                return Ok(Listing::Ended(seen.len()));
            };
            trail.step(OPERATION, &link, seen.len() > before)?;
            page = match self.graph.follow(OPERATION, &link, way.consistency()).await? {
                Found::Yes(page) => page,
                Found::No(refusal) => return Ok(Listing::Unknown(refusal.reason("GroupMember.Read.All"))),
            };
        }
    }

    /// The first page, plain where it shows what is needed, else cast to users.
    async fn first_page(&self, wanted: &WantedGroup) -> Result<First, AdapterError> {
        let path = [
            "groups",
            wanted.id.as_str(),
            relation(wanted),
            "microsoft.graph.user",
        ];
        let size = self.page_size.to_string();
        let query = [
            ("$select", MEMBER_SELECT),
            ("$top", size.as_str()),
            ("$count", "true"),
        ];
        let plain = self.graph.url(&path[..3], &query[..2]);
        match self
            .graph
            .get::<Page<User>>(OPERATION, &plain, Consistency::Strong)
            .await?
        {
            Found::Yes(page) if page.value.iter().all(shows_properties) => {
                return Ok(First::Page(page, Way::Plain));
            }
            Found::Yes(_) => {}
            Found::No(refusal) if refusal.status == 400 => {}
            Found::No(refusal) => return Ok(First::Unknown(refusal.reason("GroupMember.Read.All"))),
        }
        let cast = self.graph.url(&path, &query);
        match self.graph.get(OPERATION, &cast, Consistency::Eventual).await? {
            Found::Yes(page) => Ok(First::Page(page, Way::Cast)),
            Found::No(refusal) => Ok(First::Unknown(refusal.reason("GroupMember.Read.All"))),
        }
    }
}

impl Way {
    const fn consistency(self) -> Consistency {
        match self {
            Self::Plain => Consistency::Strong,
            // The header is not part of a next link.
            Self::Cast => Consistency::Eventual,
        }
    }
}

/// Whether the properties that were selected came, be it as null.
fn shows_properties(member: &User) -> bool {
    !member.is_user() || member.account_enabled.is_some()
}

pub(crate) const fn relation(wanted: &WantedGroup) -> &'static str {
    if wanted.nested {
        "transitiveMembers"
    } else {
        "members"
    }
}

async fn unknown(
    group: &RemoteGroupId,
    reason: String,
    sink: &mut dyn ChangeSink,
) -> Result<Coverage, AdapterError> {
    let scope = UnknownScope::Group(group.clone());
    sink.take(vec![DirectoryChange::Unknown { scope, reason }])
        .await?;
    Ok(Coverage::NotRead)
}
