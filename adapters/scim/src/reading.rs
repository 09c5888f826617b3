//! One read: groups with their members, each whole or unknown.

use std::collections::{HashMap, HashSet};

use usher_core::{
    AdapterError, ChangeSink, DirectoryChange, ErrorKind, GuestMark, RemoteGroupId, RemoteUserId,
    UnknownScope, WantedGroup,
};

use crate::MembersFrom;
use crate::announced::Announced;
use crate::client::{Found, NoPage, ScimClient};
use crate::pages::Pages;
use crate::people::{People, equals};
use crate::record;
use crate::wire::{GroupResource, Kind, Member, UserResource};

/// A group with more groups inside it than this is not walked.
const MOST_NESTED: usize = 1000;

/// What a read knows about its provider, and what it learns on the way.
pub(crate) struct Reading<'a> {
    pub(crate) client: &'a ScimClient,
    pub(crate) people: People<'a>,
    pub(crate) page_size: usize,
    members_from: MembersFrom,
    pub(crate) sink: &'a mut dyn ChangeSink,
    /// Whether groups are shown with their members: known once a group with a member was seen.
    inline: bool,
    /// Whether such a group was looked for.
    looked_for_members: bool,
    /// Whether users can be found by `groups.value`, as far as is known.
    by_group_filter: bool,
}

/// How the reading of one group ended.
pub(crate) enum Ended {
    /// All of it was reported; the mark differs after every change, where there is one that can be relied on.
    Whole(Option<String>),
    /// It was reported as unknown.
    Unknown,
}

/// The members of a group and of the groups inside it.
#[derive(Default)]
struct Members {
    /// Ids of users, and of what may be users, not reported yet.
    users: HashMap<String, Option<Kind>>,
    /// Ids of groups inside the group.
    groups: Vec<String>,
}

/// What was gathered of one group so far.
struct Gathered<'g> {
    group: &'g RemoteGroupId,
    nested: bool,
    /// Ids of users that were reported, or will be.
    reported: HashSet<String>,
    /// Groups inside it that were not walked yet.
    open: Vec<String>,
    /// What differs after every change of the group.
    mark: Option<String>,
}

impl<'g> Gathered<'g> {
    fn of(wanted: &'g WantedGroup, mark: Option<String>) -> Self {
        Self {
            group: &wanted.id,
            nested: wanted.nested,
            reported: HashSet::new(),
            open: Vec::new(),
            mark,
        }
    }
}

/// Whether a group's members are complete, or why not.
pub(crate) enum Count {
    /// There are members, or none and that is certain.
    Confirmed,
    /// None were shown, which may mean that none may be seen.
    Unconfirmed,
    /// Not all were seen; why, for an operator.
    Incomplete(String),
}

impl<'a> Reading<'a> {
    pub(crate) fn new(
        client: &'a ScimClient,
        announced: Announced,
        page_size: usize,
        members_from: MembersFrom,
        guests: &'a [GuestMark],
        sink: &'a mut dyn ChangeSink,
    ) -> Self {
        Self {
            client,
            people: People::new(client, announced, page_size, guests),
            page_size,
            members_from,
            sink,
            inline: false,
            looked_for_members: false,
            by_group_filter: announced.filter,
        }
    }

    /// Reports one group: upserted, its members, completeness; or as unknown.
    pub(crate) async fn group(&mut self, wanted: &WantedGroup) -> Result<Ended, AdapterError> {
        let id = &wanted.id;
        let sent = match self.client.group(id.as_str()).await? {
            Found::There(group) => group,
            Found::NotThere => {
                return self
                    .unknown(id, "the provider does not know the group, or not for this client")
                    .await;
            }
            Found::Forbidden(why) => {
                return self
                    .unknown(id, format!("the client may not read the group: {why}"))
                    .await;
            }
            Found::Odd(why) => return self.unknown(id, why).await,
        };
        let upserted = DirectoryChange::GroupUpserted(Box::new(record::group(id, &sent)));
        self.sink.take(vec![upserted]).await?;
        let mut gathered = Gathered::of(wanted, sent.mark());
        let mut count = self.members(id.as_str(), sent, &mut gathered).await?;
        if wanted.nested && !gathered.open.is_empty() {
            // A change inside an inner group leaves the outer one as it was.
            gathered.mark = None;
            count = self.walk(&mut gathered, count).await?;
        }
        let confirmed = match count {
            Count::Incomplete(why) => return self.unknown(id, why).await,
            Count::Confirmed => true,
            Count::Unconfirmed if gathered.reported.is_empty() => false,
            Count::Unconfirmed => {
                let why = "a group inside it shows no members, which may mean that they may not be seen";
                return self.unknown(id, why).await;
            }
        };
        let group = id.clone();
        self.sink
            .take(vec![DirectoryChange::GroupMembersComplete { group, confirmed }])
            .await?;
        Ok(Ended::Whole(gathered.mark.filter(|_| confirmed)))
    }

    /// Reports the members of the groups inside a group as its own.
    async fn walk(&mut self, gathered: &mut Gathered<'_>, mut count: Count) -> Result<Count, AdapterError> {
        let mut walked = HashSet::from([gathered.group.as_str().to_owned()]);
        while let Some(inner) = gathered.open.pop() {
            if matches!(count, Count::Incomplete(_)) {
                break;
            }
            if !walked.insert(inner.clone()) {
                continue;
            }
            if walked.len() > MOST_NESTED {
                return Ok(Count::Incomplete(format!(
                    "more than {MOST_NESTED} groups are inside it"
                )));
            }
            let sent = match self.client.group(&inner).await? {
                Found::There(group) => group,
                Found::NotThere => {
                    return Ok(Count::Incomplete(format!("group {inner} inside it is not there")));
                }
                Found::Forbidden(why) | Found::Odd(why) => {
                    return Ok(Count::Incomplete(format!(
                        "group {inner} inside it cannot be read: {why}"
                    )));
                }
            };
            count = match (count, self.members(&inner, sent, gathered).await?) {
                (Count::Confirmed, Count::Confirmed) => Count::Confirmed,
                (_, incomplete @ Count::Incomplete(_)) => incomplete,
                _ => Count::Unconfirmed,
            };
        }
        Ok(count)
    }

    /// Reports the members that stand in one group; groups among them stay open.
    async fn members(
        &mut self,
        id: &str,
        sent: GroupResource,
        gathered: &mut Gathered<'_>,
    ) -> Result<Count, AdapterError> {
        let shown = match (self.members_from, sent.members) {
            (MembersFrom::Users, _) => None,
            (_, Some(members)) if !members.is_empty() => Some(members),
            (MembersFrom::Groups, _) => Some(Vec::new()),
            (MembersFrom::Auto, members) => {
                let inline = members.is_some() || self.is_inline().await?;
                inline.then(Vec::new)
            }
        };
        let Some(shown) = shown else {
            // The group's version says nothing about members that stand elsewhere.
            gathered.mark = None;
            return self.by_users(id, gathered).await;
        };
        if shown.is_empty() {
            return self.is_empty(id).await;
        }
        self.inline = true;
        if let Some(why) = self.is_cut(id, &shown).await? {
            return Ok(Count::Incomplete(why));
        }
        let Some(members) = sorted(shown, &mut gathered.reported) else {
            return Ok(Count::Incomplete(
                "it has members without a value: the client may not see who they are".into(),
            ));
        };
        let told = self
            .people
            .report(gathered.group, &members.users, self.sink)
            .await?;
        gathered.open.extend(members.groups);
        gathered.open.extend(told.groups);
        Ok(told.trouble.map_or(Count::Confirmed, Count::Incomplete))
    }

    /// A group that is shown without members: a second look of another kind has to agree, and the client has to see the
    /// members of some other group.
    pub(crate) async fn is_empty(&mut self, id: &str) -> Result<Count, AdapterError> {
        if !self.is_inline().await? {
            return Ok(Count::Unconfirmed);
        }
        if !self.people.announced.filter {
            return Ok(match self.client.group(id).await? {
                Found::There(again) => empty_again(&again),
                Found::NotThere | Found::Forbidden(_) | Found::Odd(_) => Count::Unconfirmed,
            });
        }
        let filter = equals("id", id);
        let parameters = [("filter", filter.as_str()), ("count", "1")];
        match self.client.page::<GroupResource>(Kind::Group, &parameters).await {
            Ok(page) => Ok(match page.resources.as_slice() {
                [again] if crate::wire::Resource::id(again) == Some(id) => empty_again(again),
                _ => Count::Unconfirmed,
            }),
            Err(NoPage::Failed(error)) => Err(error),
            Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => Ok(Count::Unconfirmed),
        }
    }

    /// Whether some group was shown to this client with a member.
    async fn is_inline(&mut self) -> Result<bool, AdapterError> {
        if !self.inline && !self.looked_for_members {
            self.looked_for_members = true;
            self.inline = sees_members(self.client, &self.people.announced).await?;
        }
        Ok(self.inline)
    }

    /// Whether the provider counts more members than it shows, as one with a hidden cap does
    /// (FusionAuth/fusionauth-issues#2784).
    async fn is_cut(&mut self, id: &str, shown: &[Member]) -> Result<Option<String>, AdapterError> {
        // Members of a group inside it may count as well.
        let only_users = shown.iter().all(|member| member.kind == Some(Kind::User));
        if !self.by_group_filter || !only_users {
            return Ok(None);
        }
        let shown = shown.len() as u64;
        let counted = self.counted(id).await?;
        self.by_group_filter = counted.is_some();
        // A single odd answer is no proof: the same has to come again, and the filter has to exclude somebody.
        let Some(total) = counted.filter(|total| *total > shown) else {
            return Ok(None);
        };
        let cut = self.counted(id).await? == counted && self.filters_groups(id).await?;
        Ok(cut.then(|| format!("the provider counts {total} members and shows {shown}")))
    }

    /// How many users show themselves in a group; `None` where a filter cannot tell.
    async fn counted(&mut self, id: &str) -> Result<Option<u64>, AdapterError> {
        let filter = equals("groups.value", id);
        let parameters = [("filter", filter.as_str()), ("count", "1")];
        match self.client.page::<UserResource>(Kind::User, &parameters).await {
            Ok(page) => {
                let proven = page.resources.first().is_some_and(|user| user.is_in(id, false));
                Ok(page.total_results.filter(|_| proven))
            }
            Err(NoPage::Failed(error)) => Err(error),
            Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => Ok(None),
        }
    }

    /// Whether the filter on users' groups excludes anybody: nobody is in a group that is not there.
    async fn filters_groups(&mut self, id: &str) -> Result<bool, AdapterError> {
        let filter = equals("groups.value", &format!("{id}-and-nothing-else"));
        let parameters = [("filter", filter.as_str()), ("count", "1")];
        match self.client.page::<UserResource>(Kind::User, &parameters).await {
            Ok(page) => Ok(page.total_results == Some(0)),
            Err(NoPage::Failed(error)) => Err(error),
            Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => Ok(false),
        }
    }

    /// Members by the `groups` of users: those that a filter finds, else all users looked through.
    async fn by_users(&mut self, id: &str, gathered: &mut Gathered<'_>) -> Result<Count, AdapterError> {
        if gathered.nested {
            return Ok(Count::Incomplete(
                "members stand in the users' groups, which do not show whole trees of groups; map it without nested groups"
                    .into(),
            ));
        }
        if self.by_group_filter {
            let pages = self.people.pages().filtered(equals("groups.value", id));
            match self.looked_through(pages, id, gathered).await? {
                Ok(looked) if looked.members > 0 => return Ok(looked.into_count()),
                Ok(_) | Err(NoPage::Refused(_)) => {}
                Err(NoPage::Forbidden(why)) => return Ok(may_not_read_users(&why)),
                Err(NoPage::Failed(error)) => return Err(error),
            }
        }
        match self.looked_through(self.people.pages(), id, gathered).await? {
            Ok(looked) => Ok(looked.into_count()),
            Err(NoPage::Forbidden(why)) => Ok(may_not_read_users(&why)),
            Err(NoPage::Refused(why)) => Ok(Count::Incomplete(why)),
            Err(NoPage::Failed(error)) => Err(error),
        }
    }

    async fn looked_through(
        &mut self,
        mut pages: Pages,
        id: &str,
        gathered: &mut Gathered<'_>,
    ) -> Result<Result<Looked, NoPage>, AdapterError> {
        let mut looked = Looked::default();
        loop {
            let users = match pages.next::<UserResource>(self.client).await {
                Ok(Some(users)) => users,
                Ok(None) => break,
                Err(no_page) => return Ok(Err(no_page)),
            };
            let mut changes = Vec::new();
            for user in users {
                looked.shows_groups |= user.groups().is_some_and(|groups| !groups.is_empty());
                if !user.is_in(id, false) {
                    continue;
                }
                looked.members += 1;
                let user_id = crate::wire::Resource::id(&user).unwrap_or_default().to_owned();
                if gathered.reported.contains(&user_id) {
                    continue;
                }
                match self.people.membership(gathered.group, user) {
                    Ok(pair) => {
                        gathered.reported.insert(user_id);
                        changes.extend(pair);
                    }
                    Err(why) => looked.trouble = Some(format!("user {user_id} cannot be understood: {why}")),
                }
            }
            if !changes.is_empty() {
                self.sink.take(changes).await?;
            }
        }
        looked.trouble = looked.trouble.or_else(|| pages.doubt_at_end());
        Ok(Ok(looked))
    }

    /// Reports that nothing is known about a group.
    pub(crate) async fn unknown(
        &mut self,
        group: &RemoteGroupId,
        reason: impl Into<String>,
    ) -> Result<Ended, AdapterError> {
        let change = DirectoryChange::Unknown {
            scope: UnknownScope::Group(group.clone()),
            reason: reason.into(),
        };
        self.sink.take(vec![change]).await?;
        Ok(Ended::Unknown)
    }
}

/// What looking through users found.
#[derive(Default)]
struct Looked {
    members: usize,
    /// Whether any user was shown with a group.
    shows_groups: bool,
    trouble: Option<String>,
}

impl Looked {
    fn into_count(self) -> Count {
        match self.trouble {
            Some(why) => Count::Incomplete(why),
            None if self.members > 0 || self.shows_groups => Count::Confirmed,
            None => Count::Unconfirmed,
        }
    }
}

/// Whether the client sees members of some group: of one that a filter finds, else of one on the first page.
pub(crate) async fn sees_members(client: &ScimClient, announced: &Announced) -> Result<bool, AdapterError> {
    let filtered = [("filter", "members pr"), ("count", "1")];
    let plain = [("count", "10")];
    let tries: [&[(&str, &str)]; 2] = [&filtered, &plain];
    for parameters in tries.iter().skip(usize::from(!announced.filter)) {
        match client.page::<GroupResource>(Kind::Group, parameters).await {
            Ok(page) => {
                let shows =
                    |group: &GroupResource| group.members.as_ref().is_some_and(|members| !members.is_empty());
                if page.resources.iter().any(shows) {
                    return Ok(true);
                }
            }
            // A page of whole groups may be longer than is taken: then nothing is known.
            Err(NoPage::Failed(error)) if error.kind() == ErrorKind::Protocol => {}
            Err(NoPage::Failed(error)) => return Err(error),
            Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => {}
        }
    }
    Ok(false)
}

fn may_not_read_users(why: &str) -> Count {
    Count::Incomplete(format!("the client may not read users: {why}"))
}

fn empty_again(group: &GroupResource) -> Count {
    if group.members.as_ref().is_none_or(Vec::is_empty) {
        Count::Confirmed
    } else {
        Count::Incomplete("the provider showed it without members, and then with members".into())
    }
}

/// Each member once, those reported already left out; `None` when one has no value.
fn sorted(shown: Vec<Member>, reported: &mut HashSet<String>) -> Option<Members> {
    let mut members = Members::default();
    for member in shown {
        let value = member.value?;
        if member.kind == Some(Kind::Group) {
            members.groups.push(value);
        } else if RemoteUserId::new(value.as_str()).is_err() {
            return None;
        } else if reported.insert(value.clone()) {
            members.users.insert(value, member.kind);
        }
    }
    Some(members)
}
