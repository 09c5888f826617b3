//! Users by their ids, for the members of a group: by filter where that works, else from the whole list, else one by one.

use std::collections::{HashMap, HashSet};

use usher_core::{
    AdapterError, ChangeSink, DirectoryChange, GuestMark, RemoteGroupId, RemoteUserId, Timestamp,
};

use crate::announced::Announced;
use crate::client::{Found, NoPage, ScimClient};
use crate::pages::Pages;
use crate::record;
use crate::wire::{Kind, Resource as _, UserResource};

/// The longest filter that is sent, in bytes before it is escaped: URLs of some eight thousand are taken everywhere.
const LONGEST_FILTER: usize = 3000;

/// Finds and reports users; what it learns about the provider on the way holds for one read.
#[derive(Debug)]
pub(crate) struct People<'a> {
    client: &'a ScimClient,
    pub(crate) announced: Announced,
    page_size: usize,
    guests: &'a [GuestMark],
    /// Whether a filter with several ids works, as far as is known.
    batches: bool,
    /// How many users there are in all, once it was asked.
    total: Option<Option<u64>>,
    /// The latest change of a user that was seen.
    pub(crate) latest: Option<Timestamp>,
}

/// What became of the members of a group.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// Ids that are those of groups.
    pub(crate) groups: Vec<String>,
    /// Why not all of the others could be reported.
    pub(crate) trouble: Option<String>,
}

impl<'a> People<'a> {
    pub(crate) const fn new(
        client: &'a ScimClient,
        announced: Announced,
        page_size: usize,
        guests: &'a [GuestMark],
    ) -> Self {
        Self {
            client,
            announced,
            page_size,
            guests,
            batches: announced.filter,
            total: None,
            latest: None,
        }
    }

    /// A list of users from its beginning.
    pub(crate) fn pages(&self) -> Pages {
        Pages::new(Kind::User, &self.announced, self.page_size)
    }

    /// The changes that say that a user is there and in the group; an error says what is wrong with the resource.
    pub(crate) fn membership(
        &mut self,
        group: &RemoteGroupId,
        user: UserResource,
    ) -> Result<[DirectoryChange; 2], String> {
        let upserted = self.upserted(user)?;
        let DirectoryChange::UserUpserted(record) = &upserted else {
            return Err("it is not a user".into());
        };
        let member = record.id.clone();
        let group = group.clone();
        Ok([upserted, DirectoryChange::MemberAdded { group, member }])
    }

    /// The change that says that a user is there.
    pub(crate) fn upserted(&mut self, user: UserResource) -> Result<DirectoryChange, String> {
        self.latest = self.latest.max(user.last_modified());
        let record = record::user(user, self.guests)?;
        Ok(DirectoryChange::UserUpserted(Box::new(record)))
    }

    /// Reports these members of a group, page by page. `kinds` tells which of them are known to be users; the others
    /// may turn out to be groups.
    pub(crate) async fn report(
        &mut self,
        group: &RemoteGroupId,
        members: &HashMap<String, Option<Kind>>,
        sink: &mut dyn ChangeSink,
    ) -> Result<Reported, AdapterError> {
        let mut reported = Reported::default();
        let mut left: Vec<&str> = members.keys().map(String::as_str).collect();
        left.sort_unstable();
        if self.batches {
            match self.by_filter(group, &left, sink).await? {
                Ok(rest) => left = rest,
                Err(why) => {
                    reported.trouble = Some(why);
                    return Ok(reported);
                }
            }
        }
        if !self.batches && self.list_is_shorter(left.len()).await? {
            match self.by_list(group, &left, sink).await? {
                Ok(rest) => left = rest,
                Err(why) => {
                    reported.trouble = Some(why);
                    return Ok(reported);
                }
            }
        }
        self.one_by_one(group, &left, members, &mut reported, sink)
            .await?;
        Ok(reported)
    }

    /// Answers those that did not come, or why users cannot be read at all.
    async fn by_filter<'m>(
        &mut self,
        group: &RemoteGroupId,
        ids: &[&'m str],
        sink: &mut dyn ChangeSink,
    ) -> Result<Result<Vec<&'m str>, String>, AdapterError> {
        let mut missing = Vec::new();
        let mut rest = ids;
        while !rest.is_empty() {
            let (filter, length) = filter_for(
                rest,
                self.page_size
                    .min(self.announced.max_results.unwrap_or(usize::MAX)),
            );
            let (chunk, after) = rest.split_at(length);
            let mut wanted: HashSet<&str> = chunk.iter().copied().collect();
            let mut pages = self.pages().filtered(filter);
            while !wanted.is_empty() {
                match pages.next::<UserResource>(self.client).await {
                    Ok(None) => break,
                    Ok(Some(users)) => {
                        let all = users.len();
                        let found = self.wanted_among(group, users, &mut wanted, sink).await?;
                        if found < all {
                            // Others came than were asked for: the filter has no effect.
                            self.batches = false;
                            break;
                        }
                    }
                    Err(NoPage::Refused(_)) => {
                        self.batches = false;
                        break;
                    }
                    Err(NoPage::Forbidden(why)) => return Ok(Err(why)),
                    Err(NoPage::Failed(error)) => return Err(error),
                }
            }
            missing.extend(chunk.iter().filter(|id| wanted.contains(**id)));
            rest = after;
            if !self.batches {
                missing.extend(rest);
                break;
            }
        }
        Ok(Ok(missing))
    }

    /// Answers those that did not come, or why users cannot be read at all.
    async fn by_list<'m>(
        &mut self,
        group: &RemoteGroupId,
        ids: &[&'m str],
        sink: &mut dyn ChangeSink,
    ) -> Result<Result<Vec<&'m str>, String>, AdapterError> {
        let mut wanted: HashSet<&str> = ids.iter().copied().collect();
        let mut pages = self.pages();
        while !wanted.is_empty() {
            match pages.next::<UserResource>(self.client).await {
                Ok(None) | Err(NoPage::Refused(_)) => break,
                Ok(Some(users)) => {
                    self.wanted_among(group, users, &mut wanted, sink).await?;
                }
                Err(NoPage::Forbidden(why)) => return Ok(Err(why)),
                Err(NoPage::Failed(error)) => return Err(error),
            }
        }
        Ok(Ok(ids.iter().copied().filter(|id| wanted.contains(id)).collect()))
    }

    /// Reports those of a page that are wanted; answers how many they were. One that cannot be understood stays wanted.
    async fn wanted_among(
        &mut self,
        group: &RemoteGroupId,
        users: Vec<UserResource>,
        wanted: &mut HashSet<&str>,
        sink: &mut dyn ChangeSink,
    ) -> Result<usize, AdapterError> {
        let mut changes = Vec::new();
        let mut found = 0;
        for user in users {
            let id = user.id().unwrap_or_default().to_owned();
            if wanted.contains(id.as_str()) {
                found += 1;
                if let Ok(pair) = self.membership(group, user) {
                    wanted.remove(id.as_str());
                    changes.extend(pair);
                }
            }
        }
        if !changes.is_empty() {
            sink.take(changes).await?;
        }
        Ok(found)
    }

    /// Whether reading all users takes fewer requests than reading so many one by one.
    async fn list_is_shorter(&mut self, ids: usize) -> Result<bool, AdapterError> {
        if ids <= 1 {
            return Ok(false);
        }
        let total = match self.total {
            Some(total) => total,
            None => {
                let parameters = [("startIndex", "1"), ("count", "1")];
                match self.client.page::<UserResource>(Kind::User, &parameters).await {
                    Ok(page) => page.total_results,
                    Err(NoPage::Failed(error)) => return Err(error),
                    Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => None,
                }
            }
        };
        self.total = Some(total);
        let size = self
            .page_size
            .min(self.announced.max_results.unwrap_or(usize::MAX)) as u64;
        Ok(total.is_some_and(|total| total.div_ceil(size.max(1)) < ids as u64))
    }

    async fn one_by_one(
        &mut self,
        group: &RemoteGroupId,
        ids: &[&str],
        members: &HashMap<String, Option<Kind>>,
        reported: &mut Reported,
        sink: &mut dyn ChangeSink,
    ) -> Result<(), AdapterError> {
        let mut changes = Vec::new();
        for id in ids {
            match self.client.user(id).await? {
                Found::There(user) => match self.membership(group, user) {
                    Ok(pair) => changes.extend(pair),
                    Err(why) => note(reported, format!("user {id} cannot be understood: {why}")),
                },
                Found::NotThere => {
                    let may_be_group = members.get(*id).copied().flatten() != Some(Kind::User);
                    if may_be_group && matches!(self.client.group_alone(id).await?, Found::There(_)) {
                        reported.groups.push((*id).to_owned());
                    } else if self.is_gone(id).await? {
                        if let Ok(user) = RemoteUserId::new(*id) {
                            changes.push(DirectoryChange::UserGone(user));
                        }
                    } else {
                        note(
                            reported,
                            format!(
                                "member {id} is not there as a user, and nothing confirms that it is gone"
                            ),
                        );
                    }
                }
                Found::Forbidden(why) => {
                    note(reported, why);
                    break;
                }
                Found::Odd(why) => note(reported, format!("user {id}: {why}")),
            }
            if changes.len() >= 2 * self.page_size {
                sink.take(std::mem::take(&mut changes)).await?;
            }
        }
        if !changes.is_empty() {
            sink.take(changes).await?;
        }
        Ok(())
    }

    /// Whether a list confirms that a user who was answered with 404 is gone.
    pub(crate) async fn is_gone(&self, id: &str) -> Result<bool, AdapterError> {
        confirmed_gone::<UserResource>(self.client, &self.announced, Kind::User, id).await
    }
}

/// Whether a list, filtered by an id, is empty and says so.
pub(crate) async fn confirmed_gone<T: crate::wire::Resource>(
    client: &ScimClient,
    announced: &Announced,
    kind: Kind,
    id: &str,
) -> Result<bool, AdapterError> {
    if !announced.filter {
        return Ok(false);
    }
    let filter = equals("id", id);
    match client
        .page::<T>(kind, &[("filter", &filter), ("count", "1")])
        .await
    {
        Ok(page) => Ok(page.total_results == Some(0) && page.resources.is_empty()),
        Err(NoPage::Failed(error)) => Err(error),
        Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => Ok(false),
    }
}

/// `attribute eq "value"`, with the value as JSON (RFC 7644 §3.4.2.2).
pub(crate) fn equals(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", serde_json::Value::from(value))
}

/// A filter for the first of these ids, and how many they are: at least one, at most `most`.
fn filter_for(ids: &[&str], most: usize) -> (String, usize) {
    let mut filter = equals("id", ids[0]);
    let mut length = 1;
    for id in ids.iter().take(most).skip(1) {
        let next = equals("id", id);
        if filter.len() + next.len() + 4 > LONGEST_FILTER {
            break;
        }
        filter.push_str(" or ");
        filter.push_str(&next);
        length += 1;
    }
    (filter, length)
}

fn note(reported: &mut Reported, why: String) {
    reported.trouble.get_or_insert(why);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_as_many_ids_as_fit() {
        assert_eq!(
            filter_for(&["a", "b\"c", "d"], 2),
            (r#"id eq "a" or id eq "b\"c""#.into(), 2)
        );
        let long = "x".repeat(1000);
        let (filter, length) = filter_for(&[&long, &long, &long], 100);
        assert_eq!(length, 2);
        assert!(filter.len() < LONGEST_FILTER);
    }
}
