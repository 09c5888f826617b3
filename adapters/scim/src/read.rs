//! Complete reads, and reads of what changed.

use std::time::Duration;

use usher_core::{
    AdapterError, Checkpoint, DirectoryChange, RemoteGroupId, Timestamp, UnknownScope, WantedGroup,
};

use crate::checkpoint::{Progress, Read, expired};
use crate::client::{Found, NoPage};
use crate::pages::Pages;
use crate::people::confirmed_gone;
use crate::reading::{Ended, Reading};
use crate::wire::{GroupResource, Kind, Resource as _, UserResource};

/// Times of change are trusted no closer than this: machines of one provider have clocks of their own.
const OVERLAP: Duration = Duration::from_secs(300);

/// What a read is asked for.
pub(crate) struct Asked<'a> {
    /// The groups; `None` for all.
    pub(crate) groups: Option<&'a [WantedGroup]>,
    /// Where the last read ended.
    pub(crate) checkpoint: Option<&'a Checkpoint>,
    /// Whether versions and times of change may be trusted.
    pub(crate) detect_changes: bool,
}

impl Reading<'_> {
    /// Reads groups; `took` answers how long the read has taken so far.
    pub(crate) async fn groups(
        &mut self,
        asked: &Asked<'_>,
        took: impl Fn() -> Duration,
    ) -> Result<Option<Checkpoint>, AdapterError> {
        let before = asked.checkpoint.map(Progress::read).transpose()?;
        if before.is_some() && !(asked.detect_changes && self.people.announced.filter) {
            return Err(expired(
                "the provider tells no longer what changed; read from the beginning",
            ));
        }
        let mut next = Progress::up_to(Timestamp::default());
        match asked.groups {
            Some(wanted) => self.these(wanted, before.as_ref(), &mut next).await?,
            None => self.all(before.as_ref(), &mut next).await?,
        }
        // Whoever changed while the read ran may have been seen before the change.
        let earlier = |latest: Timestamp| latest.minus(took() + OVERLAP);
        next.all_groups = next.all_groups.map(earlier);
        if let Some(before) = before {
            let all_seen = self.changed_users(before.users).await?;
            let latest = self.people.latest.filter(|_| all_seen).map(earlier);
            next.users = latest.map_or(before.users, |latest| latest.max(before.users));
            if next.all_groups < before.all_groups {
                next.all_groups = before.all_groups;
            }
            return Ok(Some(next.write()));
        }
        let Some(latest) = self.people.latest.filter(|_| asked.detect_changes) else {
            return Ok(None);
        };
        next.users = earlier(latest);
        Ok(self.tells_changes(next.users).await?.then(|| next.write()))
    }

    async fn these(
        &mut self,
        wanted: &[WantedGroup],
        before: Option<&Progress>,
        next: &mut Progress,
    ) -> Result<(), AdapterError> {
        for group in wanted {
            let id = group.id.as_str();
            let known = before.and_then(|before| before.groups.get(id));
            if let Some(known) = known.filter(|known| known.nested == group.nested) {
                match self.client.group_alone(id).await? {
                    Found::There(now) if now.mark().as_ref() == Some(&known.mark) => {
                        next.groups.insert(id.to_owned(), known.clone());
                        continue;
                    }
                    Found::NotThere if self.is_group_gone(id).await? => {
                        let gone = DirectoryChange::GroupGone(group.id.clone());
                        self.sink.take(vec![gone]).await?;
                        continue;
                    }
                    _ => {}
                }
            }
            if let Ended::Whole(Some(mark)) = self.group(group).await? {
                let nested = group.nested;
                next.groups.insert(id.to_owned(), Read { mark, nested });
            }
        }
        Ok(())
    }

    /// Every group that is listed; those whose time of change is old enough are passed over.
    async fn all(&mut self, before: Option<&Progress>, next: &mut Progress) -> Result<(), AdapterError> {
        let since = before.and_then(|before| before.all_groups);
        let mut pages = Pages::new(Kind::Group, &self.people.announced, self.page_size).without("members");
        let mut latest = None;
        let mut trouble = None;
        loop {
            let groups = match pages.next::<GroupResource>(self.client).await {
                Ok(Some(groups)) => groups,
                Ok(None) => {
                    trouble = trouble.or_else(|| pages.doubt_at_end());
                    break;
                }
                Err(NoPage::Failed(error)) => return Err(error),
                Err(NoPage::Refused(why) | NoPage::Forbidden(why)) => {
                    trouble = Some(format!("groups cannot be listed: {why}"));
                    break;
                }
            };
            for group in groups {
                let changed = group.last_modified();
                let Some(Ok(id)) = group.id().map(RemoteGroupId::new) else {
                    continue;
                };
                if since.is_some() && changed.is_some() && changed <= since {
                    latest = latest.max(changed);
                    continue;
                }
                let wanted = WantedGroup { id, nested: false };
                match self.group(&wanted).await? {
                    Ended::Whole(Some(_)) => latest = latest.max(changed),
                    Ended::Whole(None) | Ended::Unknown => {
                        trouble.get_or_insert_with(|| "a group could not be read".to_owned());
                    }
                }
            }
        }
        if let Some(reason) = trouble {
            let scope = UnknownScope::Rest;
            self.sink
                .take(vec![DirectoryChange::Unknown { scope, reason }])
                .await?;
            next.all_groups = since;
        } else {
            next.all_groups = latest;
        }
        Ok(())
    }

    /// Reports users that changed after this time; answers whether all of them were seen.
    async fn changed_users(&mut self, since: Timestamp) -> Result<bool, AdapterError> {
        let mut pages = self.people.pages().filtered(modified_after(since));
        let mut all_seen = true;
        loop {
            let users = match pages.next::<UserResource>(self.client).await {
                Ok(Some(users)) => users,
                Ok(None) => return Ok(all_seen && pages.doubt_at_end().is_none()),
                Err(NoPage::Refused(_)) => {
                    return Err(expired(
                        "the provider no longer lists users by their time of change; read from the beginning",
                    ));
                }
                Err(NoPage::Forbidden(why)) => {
                    let change = DirectoryChange::Unknown {
                        scope: UnknownScope::Rest,
                        reason: format!("the client may not read users: {why}"),
                    };
                    self.sink.take(vec![change]).await?;
                    return Ok(false);
                }
                Err(NoPage::Failed(error)) => return Err(error),
            };
            let mut changes = Vec::new();
            for user in users {
                match self.people.upserted(user) {
                    Ok(change) => changes.push(change),
                    Err(_) => all_seen = false,
                }
            }
            if !changes.is_empty() {
                self.sink.take(changes).await?;
            }
        }
    }

    /// Whether users can be listed by their time of change.
    async fn tells_changes(&mut self, since: Timestamp) -> Result<bool, AdapterError> {
        if !self.people.announced.filter {
            return Ok(false);
        }
        let filter = modified_after(since);
        let parameters = [("filter", filter.as_str()), ("count", "1")];
        match self.client.page::<UserResource>(Kind::User, &parameters).await {
            // Whoever was seen last changed after that time, so somebody has to come.
            Ok(page) => Ok(page
                .resources
                .iter()
                .any(|user| user.last_modified() > Some(since))),
            Err(NoPage::Failed(error)) => Err(error),
            Err(NoPage::Refused(_) | NoPage::Forbidden(_)) => Ok(false),
        }
    }

    async fn is_group_gone(&mut self, id: &str) -> Result<bool, AdapterError> {
        confirmed_gone::<GroupResource>(self.client, &self.people.announced, Kind::Group, id).await
    }
}

fn modified_after(since: Timestamp) -> String {
    format!("meta.lastModified gt \"{since}\"")
}
