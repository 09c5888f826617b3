//! Lists of groups, for orders and mappings.

use std::collections::BTreeSet;

use usher_core::{AdapterError, GroupQuery, GroupSummary};

use crate::client::{Okta, Page, is_missing};
use crate::config::PullSettings;
use crate::record;
use crate::wire::{Assignment, Group};

/// The most that a list by the beginning of the name holds; it cannot be paged.
const MOST_BY_NAME: usize = 300;

/// The largest page of groups assigned to an application.
const ASSIGNMENTS: &str = "200";

/// Lists groups.
///
/// # Errors
/// As [`usher_core::ProvisioningAdapter::list_groups`].
pub(crate) async fn groups(
    okta: &Okta,
    settings: &PullSettings,
    query: GroupQuery,
) -> Result<Vec<GroupSummary>, AdapterError> {
    let found = match (&query.id, &query.name_prefix) {
        (Some(id), _) => one(okta, id.as_str()).await?,
        (None, Some(prefix)) => by_name(okta, prefix, query.limit).await?,
        (None, None) => every(okta, settings, query.limit).await?,
    };
    let matches = |group: &Group| {
        let prefix = query.name_prefix.as_deref().unwrap_or_default().to_lowercase();
        group
            .name()
            .is_some_and(|name| name.to_lowercase().starts_with(&prefix))
    };
    let mut seen = BTreeSet::new();
    let groups: Vec<Group> = found
        .into_iter()
        .filter(|group| matches(group) && seen.insert(group.id.clone()))
        .take(query.limit)
        .collect();
    let assigned = match &settings.application_id {
        Some(app) => assigned(okta, app, &groups).await?,
        None => None,
    };
    groups
        .iter()
        .map(|group| {
            let record = record::group(group)?;
            let assigned = assigned.as_ref().map(|ids| ids.contains(&group.id));
            Ok(GroupSummary {
                id: record.id,
                display_name: record.display_name,
                kind: group.kind.clone(),
                members: group.users_count(),
                guests: None,
                // There are none in Okta.
                nested_groups: Some(0),
                assigned,
            })
        })
        .collect()
}

async fn one(okta: &Okta, id: &str) -> Result<Vec<Group>, AdapterError> {
    let url = okta.api(&["groups", id], &[("expand", "stats")]);
    let answer = okta.get("get_group", &url).await?;
    if is_missing(&answer) {
        return Ok(Vec::new());
    }
    if !answer.is_success() {
        return Err(answer.refused("get_group"));
    }
    Ok(vec![answer.json()?])
}

async fn by_name(okta: &Okta, prefix: &str, limit: usize) -> Result<Vec<Group>, AdapterError> {
    let limit = limit.clamp(1, MOST_BY_NAME).to_string();
    let url = okta.api(
        &["groups"],
        &[("q", prefix), ("limit", &limit), ("expand", "stats")],
    );
    let answer = okta.get("list_groups", &url).await?;
    if !answer.is_success() {
        return Err(answer.refused("list_groups"));
    }
    answer.json()
}

async fn every(okta: &Okta, settings: &PullSettings, limit: usize) -> Result<Vec<Group>, AdapterError> {
    let page = (settings.page_limit as usize).min(limit.max(1)).to_string();
    let url = okta.api(&["groups"], &[("limit", &page), ("expand", "stats")]);
    let mut pages = okta.pages("list_groups", url);
    let mut found = Vec::new();
    while found.len() < limit {
        match pages.next::<Group>().await? {
            Page::Items(groups) => found.extend(groups),
            Page::Refused(answer) => return Err(answer.refused("list_groups")),
            Page::Odd(_) | Page::End => break,
        }
    }
    Ok(found)
}

/// Those of the groups that are assigned to the application; `None` when that may not be seen.
async fn assigned(
    okta: &Okta,
    app: &str,
    groups: &[Group],
) -> Result<Option<BTreeSet<String>>, AdapterError> {
    let mut open: BTreeSet<&str> = groups.iter().map(|group| group.id.as_str()).collect();
    let url = okta.api(&["apps", app, "groups"], &[("limit", ASSIGNMENTS)]);
    let mut pages = okta.pages("list_assignments", url);
    let mut assigned = BTreeSet::new();
    while !open.is_empty() {
        match pages.next::<Assignment>().await? {
            Page::Items(items) => assigned.extend(
                items
                    .into_iter()
                    .map(|item| item.id)
                    .filter(|id| open.remove(id.as_str())),
            ),
            Page::End => break,
            Page::Refused(_) | Page::Odd(_) => return Ok(None),
        }
    }
    Ok(Some(assigned))
}
