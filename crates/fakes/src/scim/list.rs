//! Lists: filters, paging by index and by cursor, and the faults of pages.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use usher_scim::filter::{CompareOp, CompareValue, FilterLimits};
use usher_scim::list::{ListResponse, Page, decode_query};
use usher_scim::schema::{GROUP_TYPE, USER_TYPE};
use usher_scim::{Attributes, Filter, ListQuery, ResourceType, ScimError};

use super::{Filtering, Habits, Provider, answer_error, answer_json, view};
use crate::{Fault, FaultNow};

/// How many of the directory are looked at in one go.
const STRIDE: usize = 1000;

pub(super) async fn users(
    State(provider): State<Arc<Provider>>,
    Extension(FaultNow(fault)): Extension<FaultNow>,
    uri: Uri,
) -> Response {
    let habits = provider.habits();
    if !habits.users_readable {
        return answer_error(&ScimError::forbidden("the client may not read users"));
    }
    let directory = &provider.directory;
    let source = Source {
        kind: &USER_TYPE,
        ids: &|after| {
            let found = directory.users_after(after, STRIDE);
            found.into_iter().map(|user| user.id).collect()
        },
        render: &|id| {
            let found = directory.user(id).filter(view::is_there)?;
            Some(view::user(&found, directory, &habits, &provider.base))
        },
    };
    answer(&source, &habits, fault, &uri)
}

pub(super) async fn groups(
    State(provider): State<Arc<Provider>>,
    Extension(FaultNow(fault)): Extension<FaultNow>,
    uri: Uri,
) -> Response {
    let habits = provider.habits();
    if !habits.groups_readable {
        return answer_error(&ScimError::forbidden("the client may not read groups"));
    }
    let directory = &provider.directory;
    let source = Source {
        kind: &GROUP_TYPE,
        ids: &|after| {
            let found = directory.groups_after(after, STRIDE);
            found.into_iter().map(|group| group.id).collect()
        },
        render: &|id| {
            let found = directory.group(id).filter(view::is_group_there)?;
            Some(view::group(&found, directory, &habits, &provider.base))
        },
    };
    answer(&source, &habits, fault, &uri)
}

/// Resources of one type, in the order of their ids.
struct Source<'a> {
    kind: &'static ResourceType,
    ids: &'a dyn Fn(Option<&str>) -> Vec<Arc<str>>,
    render: &'a dyn Fn(&str) -> Option<Attributes>,
}

impl Source<'_> {
    /// Those that match, as a client sees them. A filter that names ids is looked up by them.
    fn matching(&self, filter: Option<&Filter>) -> Vec<Attributes> {
        let mut found = Vec::new();
        if let Some(mut ids) = filter.and_then(ids_named) {
            ids.sort_unstable();
            ids.dedup();
            found.extend(ids.into_iter().filter_map(self.render));
        } else {
            let mut after: Option<Arc<str>> = None;
            loop {
                let ids = (self.ids)(after.as_deref());
                found.extend(ids.iter().filter_map(|id| (self.render)(id)));
                if ids.len() < STRIDE {
                    break;
                }
                after = ids.last().cloned();
            }
        }
        if let Some(filter) = filter {
            found.retain(|resource| filter.matches(resource, self.kind));
        }
        found
    }
}

fn answer(source: &Source<'_>, habits: &Habits, fault: Option<Fault>, uri: &Uri) -> Response {
    match page(source, habits, fault, uri) {
        Ok(page) => answer_json(&page.to_json()),
        Err(error) => answer_error(&error),
    }
}

fn page(
    source: &Source<'_>,
    habits: &Habits,
    fault: Option<Fault>,
    uri: &Uri,
) -> Result<ListResponse, ScimError> {
    let pairs = decode_query(uri.query().unwrap_or_default())?;
    let passed_over = |name: &str| match name {
        "cursor" => !habits.cursor,
        "startIndex" => !habits.index,
        "filter" => matches!(
            habits.filtering,
            Filtering::PassedOver | Filtering::AnnouncedAndPassedOver
        ),
        _ => false,
    };
    let pairs = pairs
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .filter(|(name, _)| !passed_over(name));
    let query = ListQuery::from_pairs(pairs, &FilterLimits::default())?;
    let refused = match (&query.filter, habits.filtering) {
        (Some(_), Filtering::Refused) => true,
        (Some(filter), Filtering::OnlyOneComparison) => !matches!(
            filter,
            Filter::Compare {
                op: CompareOp::Equal,
                ..
            }
        ),
        _ => false,
    };
    if refused {
        return Err(ScimError::invalid_filter("this filter is not supported"));
    }
    let replayed = fault == Some(Fault::Replay);
    let mut all = source.matching(query.filter.as_ref().filter(|_| !replayed));
    let total = all.len() + habits.miscount;
    let size = query.page_size(habits.max_results, habits.max_results);
    let (start, by_cursor) = match &query.page {
        Page::Index(start) => (start - 1, !habits.index && habits.cursor),
        Page::FirstCursor => (0, true),
        Page::Cursor(cursor) => (position(cursor, fault)?, true),
    };
    // A page that comes again: the one before this, where the client asks for pages by number.
    let start = match (fault, by_cursor) {
        (Some(Fault::RepeatedPage), false) => start.saturating_sub(size),
        _ => start,
    };
    let end = (start + size).min(all.len());
    let mut next = (end < all.len()).then(|| cursor_at(end));
    if fault == Some(Fault::RepeatedPage) {
        next = Some(cursor_at(start));
    }
    let mut resources: Vec<Attributes> = all.drain(start.min(end)..end).collect();
    for resource in &mut resources {
        query.projection.apply(resource, source.kind);
    }
    let mut total = Some(total);
    match fault {
        Some(Fault::LostPage) => resources.clear(),
        Some(Fault::EmptyPage) => {
            resources.clear();
            next = None;
            total = Some(0);
        }
        _ => {}
    }
    Ok(if by_cursor {
        ListResponse::by_cursor(total.filter(|_| habits.cursor_totals), resources, next)
    } else {
        ListResponse::indexed(total.unwrap_or_default(), start + 1, resources)
    })
}

fn cursor_at(start: usize) -> String {
    format!("at-{start}")
}

fn position(cursor: &str, fault: Option<Fault>) -> Result<usize, ScimError> {
    if fault == Some(Fault::ExpiredCheckpoint) {
        return Err(ScimError::expired_cursor("the cursor has expired; begin again"));
    }
    cursor
        .strip_prefix("at-")
        .and_then(|place| place.parse().ok())
        .ok_or_else(|| ScimError::invalid_cursor("the cursor is not one of this server"))
}

/// The ids that a filter names, if it can match nothing else.
fn ids_named(filter: &Filter) -> Option<Vec<&str>> {
    match filter {
        Filter::Compare {
            path,
            op: CompareOp::Equal,
            value: CompareValue::String(id),
        } if path.name.eq_ignore_ascii_case("id") && path.sub.is_none() => Some(vec![id]),
        Filter::Or(parts) => {
            let named: Option<Vec<_>> = parts.iter().map(ids_named).collect();
            Some(named?.concat())
        }
        Filter::And(parts) => parts.iter().find_map(ids_named),
        _ => None,
    }
}
