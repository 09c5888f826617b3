//! Reads from a checkpoint: what changed is found out first, and read completely.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use usher_core::{AdapterError, DirectoryChange, ErrorKind, RetryAdvice, Timestamp, WantedGroup};

use super::log::Hints;
use super::{Reading, direct, written};
use crate::checkpoint::Position;
use crate::client::{Page, Pages, is_bad_request, reason};
use crate::wire::{Group, User};

/// Groups that one filter names.
const IDS: usize = 20;

/// More groups than this are not looked at by their ids; the list of changed groups is shorter then.
const MOST_BY_ID: usize = 100;

/// How far a list of changes reaches back behind the last time known: pages of one list are not read at one moment, and
/// the clocks of Okta's machines differ.
const OVERLAP: Duration = Duration::from_secs(600);

/// When groups were last changed, as far as Okta showed it.
type Changed = BTreeMap<String, Option<Timestamp>>;

impl<'a> Reading<'a> {
    /// Groups of `wanted` that changed since a read of groups, and users.
    pub(super) async fn changes(
        &mut self,
        wanted: &[WantedGroup],
        before: Position,
    ) -> Result<(), AdapterError> {
        self.go_on_from(&before);
        let hints = self.hints().await?;
        let known: Vec<&str> = wanted
            .iter()
            .map(|group| group.id.as_str())
            .filter(|id| before.groups.contains_key(*id))
            .collect();
        let unchanged = self.unchanged(&known, &before, &hints).await?;
        self.find_assignments(wanted).await?;
        self.changed_users(&before, &hints).await?;
        for group in wanted {
            match before.groups.get(group.id.as_str()) {
                Some(at) if !group.nested && unchanged.contains(group.id.as_str()) => {
                    self.position.groups.insert(group.id.to_string(), *at);
                    self.report_assignment(group).await?;
                }
                _ => self.group(group).await?,
            }
        }
        Ok(())
    }

    /// Every group that changed since a read of all groups, and users.
    pub(super) async fn changed_since(&mut self, before: Position) -> Result<(), AdapterError> {
        self.go_on_from(&before);
        let hints = self.hints().await?;
        self.changed_users(&before, &hints).await?;
        let Some(since) = before.groups_since else {
            return self.every_group().await;
        };
        let mut pending = hints.groups;
        pending.extend(before.open);
        let mut pages = self.list_changed(since);
        while let Some(groups) = next_changed(&mut pages).await? {
            for group in groups {
                self.position.groups_since = self.position.groups_since.max(group.changed());
                pending.remove(&group.id);
                let wanted = direct(&group.id)?;
                if self.in_application(&wanted).await? {
                    self.group(&wanted).await?;
                }
            }
        }
        for id in &pending {
            let wanted = direct(id)?;
            if self.in_application(&wanted).await? {
                self.group(&wanted).await?;
            }
        }
        Ok(())
    }

    /// Takes over what the last read knew.
    fn go_on_from(&mut self, before: &Position) {
        self.learning = false;
        self.position.groups_since = before.groups_since;
        self.position.users_since = before.users_since;
        self.position.log.clone_from(&before.log);
    }

    /// Those of the groups that are as the last read left them: Okta shows the same time of the last change, and no event
    /// speaks of them. All others are to be read.
    async fn unchanged(
        &mut self,
        known: &[&str],
        before: &Position,
        hints: &Hints,
    ) -> Result<BTreeSet<String>, AdapterError> {
        let by_id = if known.len() <= MOST_BY_ID {
            self.look_at(known).await?
        } else {
            None
        };
        let same = |id: &&&str| -> bool {
            match (&by_id, before.groups.get(**id)) {
                (_, None) => false,
                (Some(found), Some(at)) => found.get(**id) == Some(&Some(*at)),
                (None, Some(_)) => true,
            }
        };
        let mut unchanged: BTreeSet<String> = known
            .iter()
            .filter(same)
            .filter(|id| !hints.groups.contains(**id))
            .map(|id| (*id).to_owned())
            .collect();
        if by_id.is_some() {
            return Ok(unchanged);
        }
        let Some(since) = before.groups_since else {
            return Ok(BTreeSet::new());
        };
        let mut pages = self.list_changed(since);
        while let Some(groups) = next_changed(&mut pages).await? {
            for group in groups {
                self.position.groups_since = self.position.groups_since.max(group.changed());
                // A group may be in the overlap only because it was read just then.
                if before.groups.get(&group.id).copied() != group.changed() {
                    unchanged.remove(&group.id);
                }
            }
        }
        Ok(unchanged)
    }

    /// When these groups were last changed; `None` when Okta does not take a filter by several ids. A group that does not
    /// come may be gone, or the list was cut short: it is looked at by itself later.
    async fn look_at(&mut self, ids: &[&str]) -> Result<Option<Changed>, AdapterError> {
        let mut found = Changed::new();
        for ids in ids.chunks(IDS) {
            let named: Vec<_> = ids.iter().map(|id| format!("id eq \"{id}\"")).collect();
            let limit = self.settings.page_limit.to_string();
            let query = [("filter", &*named.join(" or ")), ("limit", &limit)];
            let mut pages = self
                .okta
                .pages("look_at_groups", self.okta.api(&["groups"], &query));
            let mut first = true;
            loop {
                match pages.next::<Group>().await? {
                    Page::Items(groups) => {
                        for group in groups {
                            let changed = group.changed();
                            self.position.groups_since = self.position.groups_since.max(changed);
                            found.insert(group.id, changed);
                        }
                    }
                    Page::Refused(answer) if first && is_bad_request(&answer) => return Ok(None),
                    Page::Refused(answer) if answer.status().is_server_error() => {
                        return Err(answer.refused("look_at_groups"));
                    }
                    Page::Refused(_) | Page::Odd(_) | Page::End => break,
                }
                first = false;
            }
        }
        Ok(Some(found))
    }

    /// The list of groups that changed lately. It is filtered: `search` lags behind (okta/okta-sdk-dotnet#547).
    fn list_changed(&self, since: Timestamp) -> Pages<'a> {
        let from = reach_back(since);
        let filter = format!("lastUpdated gt \"{from}\" or lastMembershipUpdated gt \"{from}\"");
        let limit = self.settings.page_limit.to_string();
        let url = self
            .okta
            .api(&["groups"], &[("filter", &filter), ("limit", &limit)]);
        self.okta.pages("list_changed_groups", url)
    }

    /// Users who changed: a suspension moves no group.
    async fn changed_users(&mut self, before: &Position, hints: &Hints) -> Result<(), AdapterError> {
        if let Some(since) = before.users_since {
            let filter = format!("lastUpdated gt \"{}\"", reach_back(since));
            let limit = self.settings.page_limit.to_string();
            let url = self
                .okta
                .api(&["users"], &[("filter", &filter), ("limit", &limit)]);
            let mut pages = self.okta.pages("list_changed_users", url);
            let mut latest = before.users_since;
            let refusal = loop {
                match pages.next::<User>().await? {
                    Page::Items(users) => {
                        let mut changes = Vec::with_capacity(users.len());
                        for user in &users {
                            latest = latest.max(user.last_updated);
                            changes.push(self.user_change(user)?);
                        }
                        if !changes.is_empty() {
                            self.sink.take(changes).await?;
                        }
                    }
                    Page::End => {
                        self.position.users_since = latest;
                        break None;
                    }
                    Page::Refused(answer) if answer.status().is_server_error() => {
                        return Err(answer.refused("list_changed_users"));
                    }
                    Page::Refused(answer) => {
                        break Some(reason(&answer, "list_changed_users", "okta.users.read"));
                    }
                    Page::Odd(what) => break Some(what),
                }
            };
            if let Some(what) = refusal {
                let what = format!("which users changed is not known, suspensions among them: {what}");
                self.unknown_rest(what).await?;
            }
        }
        for id in &hints.users {
            self.user(&crate::record::user_id(id)?).await?;
        }
        Ok(())
    }

    async fn report_assignment(&mut self, group: &WantedGroup) -> Result<(), AdapterError> {
        let Some(assigned) = self.assigned.get(group.id.as_str()).copied() else {
            return Ok(());
        };
        let group = group.id.clone();
        let change = DirectoryChange::ApplicationAssignment { group, assigned };
        self.sink.take(vec![change]).await
    }

    /// Whether a group that changed is among those to be read, where an application is set.
    async fn in_application(&mut self, wanted: &WantedGroup) -> Result<bool, AdapterError> {
        if self.settings.application_id.is_none() {
            return Ok(true);
        }
        self.assigned.clear();
        self.find_assignments(std::slice::from_ref(wanted)).await?;
        if self.assigned.get(wanted.id.as_str()) == Some(&false) {
            self.report_assignment(wanted).await?;
            return Ok(false);
        }
        Ok(true)
    }
}

/// The next page of changed groups; `None` at the end. A list that breaks off says nothing about the groups it did not
/// show, so the read begins anew.
async fn next_changed(pages: &mut Pages<'_>) -> Result<Option<Vec<Group>>, AdapterError> {
    let again = |what: String| {
        AdapterError::new(
            ErrorKind::CheckpointExpired,
            RetryAdvice::Never,
            "list_changed_groups",
            format!("the list of changed groups broke off; read again without a checkpoint: {what}"),
        )
    };
    match pages.next::<Group>().await? {
        Page::Items(groups) => Ok(Some(groups)),
        Page::End => Ok(None),
        Page::Refused(answer) if is_bad_request(&answer) => {
            Err(again(answer.refused("list_changed_groups").to_string()))
        }
        Page::Refused(answer) => Err(answer.refused("list_changed_groups")),
        Page::Odd(what) => Err(again(what)),
    }
}

fn reach_back(since: Timestamp) -> String {
    written(since.minus(OVERLAP))
}
