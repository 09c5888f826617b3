//! Groups and their members.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Refusal, bad_filter, not_found, time};
use super::ask::Ask;
use super::filter::{Filter, Operator};
use super::org::Org;
use super::page::{self, Page};
use super::users;
use crate::Group;

/// Groups or users that are looked at in one go.
const STEP: usize = 256;

/// `GET /api/v1/groups`.
pub(super) async fn list(ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.groups.read")?;
    let expand = ask.value("expand").unwrap_or_default().to_owned();
    let stats = expand.split(',').any(|name| name == "stats") && ask.org.behaviour().lists_have_stats;
    let prefix = ask.value("q").map(str::to_lowercase);
    let (filter, lags) = match (ask.value("filter"), ask.value("search")) {
        (Some(text), None) => (Some(checked(&ask, text)?), false),
        (None, Some(text)) => (Some(Filter::parse(text).ok_or_else(bad_filter)?), true),
        (None, None) => (None, false),
        _ => return Err(bad_filter()),
    };
    // A list by `q` cannot be paged.
    let limit = match prefix {
        Some(_) => ask.whole_limit(300, 300)?,
        None => ask.limit(10_000, 10_000)?,
    };
    let (org, directory) = (&ask.org, ask.org.directory());
    let page = Page::collect(page::after(&ask)?, limit, |after| {
        let groups = directory.groups_after(after, STEP);
        let wanted = |group: &Group| {
            org.shows(group, &ask.rights)
                && prefix
                    .as_ref()
                    .is_none_or(|prefix| group.name.to_lowercase().starts_with(prefix))
                && filter
                    .as_ref()
                    .is_none_or(|filter| filter.holds(&|name| attribute(org, group, name, lags)))
        };
        let shown = |group: &Group| wanted(group).then(|| show(org, group, stats));
        groups
            .iter()
            .map(|group| (group.id.to_string(), shown(group)))
            .collect()
    });
    let next = page.next.filter(|_| prefix.is_none());
    Ok(Page { next, ..page }.answer(&ask))
}

/// `GET /api/v1/groups/{id}`.
pub(super) async fn one(Path(id): Path<String>, ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.groups.read")?;
    let group = visible(&ask, &id)?;
    let stats = ask.value("expand") == Some("stats") && ask.org.behaviour().one_group_has_stats;
    Ok(Json(show(&ask.org, &group, stats)).into_response())
}

/// `GET /api/v1/groups/{id}/users`.
pub(super) async fn members(Path(id): Path<String>, ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.groups.read")?;
    visible(&ask, &id)?;
    let limit = ask.limit(1000, 1000)?;
    let page = Page::collect(page::after(&ask)?, limit, |after| {
        let users = ask.org.directory().members_after(&id, after, STEP);
        let shown = |user| ask.org.is_member(user).then(|| users::show(&ask.org, user));
        users
            .iter()
            .map(|user| (user.id.to_string(), shown(user)))
            .collect()
    });
    Ok(page.answer(&ask))
}

/// A group as it is shown.
pub(super) fn show(org: &Org, group: &Group, stats: bool) -> Value {
    let kind = org.kind(&group.id);
    let class = match kind.as_str() {
        "APP_GROUP" => "okta:windows_security_principal",
        _ => "okta:user_group",
    };
    let link = |rest: &str| json!({"href": format!("{}/api/v1/groups/{}{rest}", org.base(), group.id)});
    let mut shown = json!({
        "id": &*group.id,
        "created": time(group.created),
        "lastUpdated": time(group.modified),
        "lastMembershipUpdated": time(membership_updated(org, group)),
        "objectClass": [class],
        "type": kind,
        "profile": {"name": group.name, "description": "A group of the fake org"},
        "_links": {"users": link("/users"), "apps": link("/apps"), "self": link("")},
    });
    if stats {
        shown["_embedded"] = json!({"stats": {
            "usersCount": count(org, &group.id),
            "appsCount": usize::from(group.assigned),
            "groupPushMappingsCount": 0,
            "hasAdminPrivlege": false,
        }});
    }
    shown
}

/// The group if the caller sees it.
fn visible(ask: &Ask, id: &str) -> Result<Group, Refusal> {
    let group = ask.org.directory().group(id);
    let group = group.filter(|group| ask.org.shows(group, &ask.rights));
    group.ok_or_else(|| not_found("UserGroup", id))
}

/// A filter on what groups can be filtered by.
fn checked(ask: &Ask, text: &str) -> Result<Filter, Refusal> {
    let filter = Filter::parse(text).ok_or_else(bad_filter)?;
    let mut ids = 0;
    for (attribute, operator) in filter.comparisons() {
        let known = match attribute {
            "id" | "type" => operator == Operator::Eq,
            "lastUpdated" | "lastMembershipUpdated" => !matches!(operator, Operator::Sw | Operator::Co),
            _ => false,
        };
        ids += usize::from(attribute == "id");
        if !known || (ids > 1 && !ask.org.behaviour().filter_takes_many_ids) {
            return Err(bad_filter());
        }
    }
    Ok(filter)
}

fn attribute(org: &Org, group: &Group, name: &str, lags: bool) -> Vec<String> {
    let moment = |at: Timestamp| {
        // What changed lately is not in the index yet: it still has the time of an older change.
        let late = lags && at > org.directory().now() - org.behaviour().search_lag;
        let at = if late { group.created } else { at };
        time(at).as_str().map(str::to_owned)
    };
    match name {
        "id" => Some(group.id.to_string()),
        "type" => Some(org.kind(&group.id)),
        "profile.name" => Some(group.name.clone()),
        "lastUpdated" => moment(group.modified),
        "lastMembershipUpdated" => moment(membership_updated(org, group)),
        _ => None,
    }
    .into_iter()
    .collect()
}

fn membership_updated(org: &Org, group: &Group) -> Timestamp {
    let touch = org.behaviour().members_touch_groups;
    let members = org.directory().members_after(&group.id, None, usize::MAX);
    let times = members.iter().filter_map(|user| {
        // A user who is shown no longer, or again, has left or joined the group as far as Okta is concerned.
        let shown = org.shown_since(user);
        if touch { Some(user.modified) } else { shown }
    });
    times.fold(group.members_modified, Timestamp::max)
}

fn count(org: &Org, group: &str) -> usize {
    let all = org.behaviour().count_includes_deprovisioned;
    let members = org.directory().members_after(group, None, usize::MAX);
    members.iter().filter(|user| all || org.is_member(user)).count()
}
