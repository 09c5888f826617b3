//! Reads of groups and people.

mod assignment;
mod changed;
mod gone;
mod log;
mod members;
mod person;

use std::collections::{BTreeMap, HashSet};

use usher_core::{
    AdapterError, ChangeSink, DirectoryChange, ReadOutcome, ReadRequest, ReadScope, RemoteGroupId,
    RemoteUserId, Timestamp, UnknownScope, WantedGroup,
};

use crate::checkpoint::Position;
use crate::client::{Okta, Page, hash, reason};
use crate::config::PullSettings;
use crate::record;
use crate::wire::{Assignment, Group};

pub(crate) use log::{Hints, hints_of};

/// A read that is under way.
pub(crate) struct Reading<'a> {
    okta: &'a Okta,
    settings: &'a PullSettings,
    sink: &'a mut dyn ChangeSink,
    /// Where the next read will start.
    position: Position,
    /// Whether times in answers still count for where the next read starts: only those that were returned before the
    /// first member was read are older than every change that the read may have missed.
    learning: bool,
    /// Whether groups are assigned to the application, as far as that is known.
    assigned: BTreeMap<String, bool>,
}

/// Reads what was asked for.
///
/// # Errors
/// As [`usher_core::ProvisioningAdapter::read`].
pub(crate) async fn read(
    okta: &Okta,
    settings: &PullSettings,
    request: ReadRequest,
    sink: &mut dyn ChangeSink,
) -> Result<ReadOutcome, AdapterError> {
    let all = request.scope == ReadScope::AllGroups;
    let before = match &request.checkpoint {
        Some(checkpoint) => Some(Position::read(checkpoint)?),
        None => None,
    };
    let mut reading = Reading {
        okta,
        settings,
        sink,
        position: Position::start(all),
        learning: true,
        assigned: BTreeMap::new(),
    };
    match (request.scope, before) {
        (ReadScope::Person { user, groups }, _) => {
            reading.person(&user, &groups).await?;
            return Ok(ReadOutcome::default());
        }
        (ReadScope::Groups(wanted), None) => {
            reading.find_assignments(&wanted).await?;
            for group in &wanted {
                reading.group(group).await?;
            }
        }
        (ReadScope::AllGroups, Some(before)) if before.all && before.groups_since.is_some() => {
            reading.changed_since(before).await?;
        }
        (ReadScope::AllGroups, _) => reading.every_group().await?,
        (ReadScope::Groups(wanted), Some(before)) => reading.changes(&wanted, before).await?,
    }
    Ok(ReadOutcome {
        checkpoint: reading.position.to_checkpoint(),
    })
}

impl Reading<'_> {
    /// Every group that is in reach: those of the application if one is set.
    async fn every_group(&mut self) -> Result<(), AdapterError> {
        let limit = self.settings.page_limit.to_string();
        let (url, needs) = match &self.settings.application_id {
            Some(app) => (
                self.okta.api(&["apps", app, "groups"], &[("limit", &limit)]),
                "okta.apps.read",
            ),
            None => (
                self.okta.api(&["groups"], &[("limit", &limit)]),
                "okta.groups.read",
            ),
        };
        let mut pages = self.okta.pages("list_groups", url);
        let mut seen = HashSet::new();
        loop {
            let ids: Vec<String> = match pages.next::<Assignment>().await? {
                Page::Items(items) => items.into_iter().map(|item| item.id).collect(),
                Page::End => return Ok(()),
                Page::Refused(answer) => {
                    let error = answer.refused("list_groups").with("needs", needs);
                    return Err(error);
                }
                Page::Odd(what) => {
                    // Groups that did not come have to be looked for again.
                    self.position.groups_since = None;
                    return self.unknown_rest(what).await;
                }
            };
            for id in ids {
                // A page that comes twice, or a group that moved to a later page, is no second group.
                if !seen.insert(hash(&id)) {
                    continue;
                }
                if self.settings.application_id.is_some() {
                    self.assigned.insert(id.clone(), true);
                }
                self.group(&direct(&id)?).await?;
                self.assigned.clear();
            }
        }
    }

    /// Remembers a time that Okta returned as the one up to which changes were in reach.
    fn learn(&mut self, at: Option<Timestamp>) {
        if self.learning {
            self.position.groups_since = self.position.groups_since.max(at);
            self.position.users_since = self.position.users_since.max(at);
        }
    }

    async fn unknown_group(
        &mut self,
        group: &RemoteGroupId,
        reason: impl Into<String>,
    ) -> Result<(), AdapterError> {
        if self.position.all {
            self.position.open.insert(group.to_string());
        }
        self.unknown(UnknownScope::Group(group.clone()), reason).await
    }

    async fn unknown_user(
        &mut self,
        user: &RemoteUserId,
        reason: impl Into<String>,
    ) -> Result<(), AdapterError> {
        self.unknown(UnknownScope::User(user.clone()), reason).await
    }

    async fn unknown_rest(&mut self, reason: impl Into<String>) -> Result<(), AdapterError> {
        self.unknown(UnknownScope::Rest, reason).await
    }

    async fn unknown(&mut self, scope: UnknownScope, reason: impl Into<String>) -> Result<(), AdapterError> {
        let reason = reason.into();
        self.sink
            .take(vec![DirectoryChange::Unknown { scope, reason }])
            .await
    }
}

/// A time as filters of Okta take it.
fn written(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A group that is wanted with the members that it has itself.
fn direct(id: &str) -> Result<WantedGroup, AdapterError> {
    Ok(WantedGroup {
        id: record::group_id(id)?,
        nested: false,
    })
}

/// The group that a list holds when it is filtered by an id.
async fn listed_group(okta: &Okta, id: &str) -> Result<Result<Option<Group>, String>, AdapterError> {
    let filter = format!("id eq \"{id}\"");
    let url = okta.api(&["groups"], &[("filter", &filter), ("expand", "stats")]);
    let answer = okta.get("find_group", &url).await?;
    if !answer.is_success() {
        return Ok(Err(reason(&answer, "find_group", "okta.groups.read")));
    }
    let groups: Vec<Group> = answer.json()?;
    Ok(Ok(groups.into_iter().find(|group| group.id == id)))
}
