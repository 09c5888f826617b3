//! One person: the account, and whether it is in some groups.

use std::collections::HashSet;

use usher_core::{AdapterError, DirectoryChange, RemoteGroupId, RemoteUserId, UnknownScope, WantedGroup};

use crate::MembersFrom;
use crate::client::{Found, NoPage};
use crate::people::equals;
use crate::reading::{Count, Reading};
use crate::wire::{GroupResource, Kind, Resource as _, UserResource};

/// A person is looked for in no more groups inside one group than this.
const MOST_NESTED: usize = 1000;

/// Whether somebody is in a group.
enum Membership {
    In,
    Out,
    Unknown(String),
}

impl Reading<'_> {
    /// Reports the person and each membership asked about.
    pub(crate) async fn person(
        &mut self,
        id: &RemoteUserId,
        groups: &[WantedGroup],
        members_from: MembersFrom,
    ) -> Result<(), AdapterError> {
        let mut shown_in = Vec::new();
        let mut shows_groups = false;
        let mut gone = false;
        let change = match self.client.user(id.as_str()).await? {
            Found::There(user) => {
                shows_groups = user.groups().is_some_and(|groups| !groups.is_empty());
                shown_in = groups
                    .iter()
                    .map(|group| user.is_in(group.id.as_str(), group.nested))
                    .collect();
                self.people
                    .upserted(user)
                    .unwrap_or_else(|why| unknown_user(id, why))
            }
            Found::NotThere if self.people.is_gone(id.as_str()).await? => {
                gone = true;
                DirectoryChange::UserGone(id.clone())
            }
            Found::NotThere => unknown_user(
                id,
                "the provider does not know the user, or not for this client".into(),
            ),
            Found::Forbidden(why) => unknown_user(id, format!("the client may not read users: {why}")),
            Found::Odd(why) => unknown_user(id, why),
        };
        let is_known = matches!(change, DirectoryChange::UserUpserted(_));
        self.sink.take(vec![change]).await?;
        for (place, group) in groups.iter().enumerate() {
            let shown = shown_in.get(place).copied().unwrap_or(false);
            let membership = if gone {
                Membership::Out
            } else if shown && is_known {
                Membership::In
            } else if members_from == MembersFrom::Users {
                by_user(shows_groups && !group.nested)
            } else {
                match self.membership_in(id, group).await? {
                    Membership::Unknown(_) if shows_groups && is_known && !group.nested => Membership::Out,
                    membership => membership,
                }
            };
            self.sink
                .take(vec![reported(id, &group.id, membership, is_known)])
                .await?;
        }
        Ok(())
    }

    /// Whether the person is among the members that the group shows, or a group inside it where that counts.
    async fn membership_in(
        &mut self,
        id: &RemoteUserId,
        group: &WantedGroup,
    ) -> Result<Membership, AdapterError> {
        let mut open = vec![group.id.as_str().to_owned()];
        let mut walked = HashSet::new();
        while let Some(next) = open.pop() {
            if !walked.insert(next.clone()) {
                continue;
            }
            if walked.len() > MOST_NESTED {
                return Ok(Membership::Unknown(format!(
                    "more than {MOST_NESTED} groups are inside it"
                )));
            }
            if self.filter_finds(id, &next).await? {
                return Ok(Membership::In);
            }
            let sent = match self.client.group(&next).await? {
                Found::There(sent) => sent,
                Found::NotThere => return Ok(Membership::Unknown(format!("group {next} is not there"))),
                Found::Forbidden(why) | Found::Odd(why) => return Ok(Membership::Unknown(why)),
            };
            let members = sent.members.unwrap_or_default();
            if members
                .iter()
                .any(|member| member.value.as_deref() == Some(id.as_str()))
            {
                return Ok(Membership::In);
            }
            if members.is_empty() {
                if matches!(self.is_empty(&next).await?, Count::Confirmed) {
                    continue;
                }
                let why = format!("group {next} shows no members, which may mean that they may not be seen");
                return Ok(Membership::Unknown(why));
            }
            if members.iter().any(|member| member.value.is_none()) {
                return Ok(Membership::Unknown(format!(
                    "group {next} has members without a value"
                )));
            }
            if group.nested {
                let inner = members
                    .into_iter()
                    .filter(|member| member.kind != Some(Kind::User));
                for member in inner {
                    let Some(value) = member.value else { continue };
                    if member.kind == Some(Kind::Group)
                        || matches!(self.client.group_alone(&value).await?, Found::There(_))
                    {
                        open.push(value);
                    }
                }
            }
        }
        Ok(Membership::Out)
    }

    /// Whether a filter finds the person in the group, which spares reading all members. Only finding counts.
    async fn filter_finds(&mut self, id: &RemoteUserId, group: &str) -> Result<bool, AdapterError> {
        if !self.people.announced.filter {
            return Ok(false);
        }
        let filter = format!(
            "{} and {}",
            equals("id", group),
            equals("members.value", id.as_str())
        );
        let parameters = [
            ("filter", filter.as_str()),
            ("count", "2"),
            ("excludedAttributes", "members"),
        ];
        match self.client.page::<GroupResource>(Kind::Group, &parameters).await {
            Ok(page) => Ok(page.total_results == Some(1)
                && matches!(page.resources.as_slice(), [found] if found.id() == Some(group))
                && !self.filter_finds_anybody(group).await?),
            Err(NoPage::Failed(error)) => Err(error),
            Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => Ok(false),
        }
    }

    /// Whether the filter on members has no effect: then it finds somebody who is not there.
    async fn filter_finds_anybody(&mut self, group: &str) -> Result<bool, AdapterError> {
        let nobody = format!("{group}-and-nobody");
        let filter = format!("{} and {}", equals("id", group), equals("members.value", &nobody));
        let parameters = [("filter", filter.as_str()), ("count", "1")];
        match self.client.page::<UserResource>(Kind::Group, &parameters).await {
            Ok(page) => Ok(page.total_results != Some(0)),
            Err(NoPage::Failed(error)) => Err(error),
            Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => Ok(true),
        }
    }
}

/// A user that is shown with other groups is not in this one.
fn by_user(shown_elsewhere: bool) -> Membership {
    if shown_elsewhere {
        Membership::Out
    } else {
        Membership::Unknown(
            "the user is not shown with the group, which may mean that it may not be seen".into(),
        )
    }
}

fn unknown_user(id: &RemoteUserId, reason: String) -> DirectoryChange {
    DirectoryChange::Unknown {
        scope: UnknownScope::User(id.clone()),
        reason,
    }
}

fn reported(
    user: &RemoteUserId,
    group: &RemoteGroupId,
    membership: Membership,
    is_known: bool,
) -> DirectoryChange {
    let (group, member) = (group.clone(), user.clone());
    let unknown = |group, reason| DirectoryChange::Unknown {
        scope: UnknownScope::Group(group),
        reason,
    };
    match membership {
        Membership::In if is_known => DirectoryChange::MemberAdded { group, member },
        Membership::In => unknown(group, "the user is a member and could not be read".into()),
        Membership::Out => DirectoryChange::MemberRemoved { group, member },
        Membership::Unknown(reason) => unknown(group, reason),
    }
}
