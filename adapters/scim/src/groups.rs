//! Listing groups, for the order form and for mappings.

use usher_core::{AdapterError, ErrorKind, GroupQuery, GroupSummary, RemoteGroupId, RetryAdvice};

use crate::announced::Announced;
use crate::client::{Found, NoPage, ScimClient};
use crate::pages::Pages;
use crate::wire::{GroupResource, Kind, Resource as _, text};

const OPERATION: &str = "list_groups";

/// The groups asked for, each once. Members are never asked for.
///
/// # Errors
/// When groups cannot be listed, or not all of them were seen.
pub(crate) async fn list(
    client: &ScimClient,
    announced: &Announced,
    page_size: usize,
    query: &GroupQuery,
) -> Result<Vec<GroupSummary>, AdapterError> {
    if query.limit == 0 {
        return Ok(Vec::new());
    }
    if let Some(id) = &query.id {
        return match client.group_alone(id.as_str()).await? {
            Found::There(group) => Ok(summary(&group, query).into_iter().collect()),
            Found::NotThere => Ok(Vec::new()),
            Found::Forbidden(why) => Err(refused(ErrorKind::Forbidden, &why)),
            Found::Odd(why) => Err(refused(ErrorKind::Protocol, &why)),
        };
    }
    let pages = || Pages::new(Kind::Group, announced, page_size).without("members");
    if let Some(prefix) = query.name_prefix.as_deref().filter(|_| announced.filter) {
        let filter = format!("displayName sw {}", serde_json::Value::from(prefix));
        match collect(client, pages().filtered(filter), query).await? {
            Err(NoPage::Refused(_)) => {}
            Err(no_page) => return Err(failed(no_page)),
            Ok(groups) => return Ok(groups),
        }
    }
    collect(client, pages(), query).await?.map_err(failed)
}

async fn collect(
    client: &ScimClient,
    mut pages: Pages,
    query: &GroupQuery,
) -> Result<Result<Vec<GroupSummary>, NoPage>, AdapterError> {
    let mut groups = Vec::new();
    loop {
        let page = match pages.next::<GroupResource>(client).await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(no_page) => return Ok(Err(no_page)),
        };
        for group in page {
            groups.extend(summary(&group, query));
            if groups.len() == query.limit {
                return Ok(Ok(groups));
            }
        }
    }
    match pages.doubt_at_end() {
        None => Ok(Ok(groups)),
        Some(why) => Err(AdapterError::new(
            ErrorKind::Unavailable,
            RetryAdvice::Now,
            OPERATION,
            format!("not all groups were seen: {why}"),
        )),
    }
}

/// The group in short, unless it is not among those asked for.
fn summary(group: &GroupResource, query: &GroupQuery) -> Option<GroupSummary> {
    let id = RemoteGroupId::new(group.id()?).ok()?;
    let display_name = text(&group.attributes, "displayName")
        .unwrap_or(id.as_str())
        .to_owned();
    let prefix = query.name_prefix.as_deref().unwrap_or_default().to_lowercase();
    let wanted = display_name.to_lowercase().starts_with(&prefix);
    wanted.then(|| GroupSummary {
        id,
        display_name,
        kind: "group".into(),
        members: None,
        guests: None,
        nested_groups: None,
        assigned: None,
    })
}

fn failed(no_page: NoPage) -> AdapterError {
    match no_page {
        NoPage::Failed(error) => error,
        NoPage::Forbidden(why) => refused(ErrorKind::Forbidden, &why),
        NoPage::Refused(why) => refused(ErrorKind::Protocol, &why),
    }
}

fn refused(kind: ErrorKind, why: &str) -> AdapterError {
    AdapterError::new(
        kind,
        RetryAdvice::Never,
        OPERATION,
        format!("groups cannot be listed: {why}"),
    )
}
