//! Reading groups and people into the sink: one page at a time, and nothing gone that was not seen to be.

use std::collections::HashSet;

use usher_core::{
    AdapterError, ChangeSink, DirectoryChange, RemoteGroupId, RemoteUserId, UnknownScope, WantedGroup,
};

use crate::client::{Acme, Found, Refusal};
use crate::record;
use crate::wire::{Group, Person};

/// One read.
pub(crate) struct Reading<'a> {
    acme: &'a Acme,
    sink: &'a mut dyn ChangeSink,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(acme: &'a Acme, sink: &'a mut dyn ChangeSink) -> Self {
        Self { acme, sink }
    }

    /// Every group, page after page.
    pub(crate) async fn all_groups(&mut self) -> Result<(), AdapterError> {
        let mut pages = self.acme.list("read", &["groups"]);
        let mut read = HashSet::new();
        while let Some(page) = pages.next::<Group>().await? {
            let groups = match page {
                Found::Yes(groups) => groups,
                Found::No(refusal) => return Err(refusal.error),
            };
            for group in groups {
                if read.insert(group.id.clone()) {
                    self.members(&record::group_id(&group.id)?, &group).await?;
                }
            }
        }
        Ok(())
    }

    /// One group and its members, or that it is unknown.
    pub(crate) async fn group(&mut self, wanted: &WantedGroup) -> Result<(), AdapterError> {
        if wanted.nested {
            return self.unseen(&wanted.id, "Acme has no groups inside groups").await;
        }
        match self
            .acme
            .get("read", &["groups", wanted.id.as_str()], &[])
            .await?
        {
            Found::Yes(group) => self.members(&wanted.id, &group).await,
            Found::No(refusal) => self.unseen(&wanted.id, &refusal.error.to_string()).await,
        }
    }

    async fn members(&mut self, id: &RemoteGroupId, group: &Group) -> Result<(), AdapterError> {
        let mut changes = vec![
            DirectoryChange::GroupUpserted(Box::new(record::group(group)?)),
            DirectoryChange::ApplicationAssignment {
                group: id.clone(),
                assigned: group.assigned,
            },
        ];
        let path = ["groups", id.as_str(), "people"];
        let mut pages = self.acme.list("read", &path);
        let mut seen = HashSet::new();
        while let Some(page) = pages.next::<Person>().await? {
            let people = match page {
                Found::Yes(people) => people,
                Found::No(refusal) => {
                    self.sink.take(changes).await?;
                    return self.unseen(id, &refusal.error.to_string()).await;
                }
            };
            for person in people {
                // A page that comes twice names nobody twice.
                if !seen.insert(person.id.clone()) {
                    continue;
                }
                let user = record::user(&person)?;
                let member = user.id.clone();
                changes.push(DirectoryChange::UserUpserted(Box::new(user)));
                changes.push(DirectoryChange::MemberAdded {
                    group: id.clone(),
                    member,
                });
            }
            self.sink.take(std::mem::take(&mut changes)).await?;
        }
        // Acme counts: when the numbers differ somebody was not seen, or came meanwhile.
        let complete = DirectoryChange::GroupMembersComplete {
            group: id.clone(),
            confirmed: group.people == seen.len() as u64,
        };
        self.sink.take(vec![complete]).await
    }

    /// One person, and whether they are in each of these groups.
    pub(crate) async fn person(
        &mut self,
        user: &RemoteUserId,
        groups: &[WantedGroup],
    ) -> Result<(), AdapterError> {
        let change = match self.acme.get("read", &["people", user.as_str()], &[]).await? {
            Found::Yes(person) => DirectoryChange::UserUpserted(Box::new(record::user(&person)?)),
            Found::No(refusal) if refusal.code == "no_such_person" => DirectoryChange::UserGone(user.clone()),
            Found::No(refusal) => unknown(UnknownScope::User(user.clone()), &refusal.error.to_string()),
        };
        self.sink.take(vec![change]).await?;
        for wanted in groups {
            let change = self.membership(user, wanted).await?;
            self.sink.take(vec![change]).await?;
        }
        Ok(())
    }

    async fn membership(
        &mut self,
        user: &RemoteUserId,
        wanted: &WantedGroup,
    ) -> Result<DirectoryChange, AdapterError> {
        let (group, member) = (wanted.id.clone(), user.clone());
        if wanted.nested {
            let scope = UnknownScope::Group(group);
            return Ok(unknown(scope, "Acme has no groups inside groups"));
        }
        let path = ["groups", group.as_str(), "people", user.as_str()];
        Ok(match self.acme.get::<Person>("read", &path, &[]).await? {
            Found::Yes(_) => DirectoryChange::MemberAdded { group, member },
            // Acme says so itself; a 404 alone could as well be about the group.
            Found::No(Refusal { code, .. }) if code == "not_a_member" => {
                DirectoryChange::MemberRemoved { group, member }
            }
            Found::No(refusal) => unknown(UnknownScope::Group(group), &refusal.error.to_string()),
        })
    }

    async fn unseen(&mut self, group: &RemoteGroupId, reason: &str) -> Result<(), AdapterError> {
        let change = unknown(UnknownScope::Group(group.clone()), reason);
        self.sink.take(vec![change]).await
    }
}

fn unknown(scope: UnknownScope, reason: &str) -> DirectoryChange {
    DirectoryChange::Unknown {
        scope,
        reason: reason.into(),
    }
}
