//! The System Log, and event hooks, which show the same events.

use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::answer::{Refusal, error, invalid, time};
use super::ask::Ask;
use super::filter::Filter;
use super::org::Org;
use super::page::{self, Page};
use crate::Fault;
use crate::directory::{Change, Entry, Life};

const STEP: usize = 256;

/// `GET /api/v1/logs`. Without `until` it is a polling request: events come in the order in which they were kept, and
/// there always is a next link.
pub(super) async fn list(ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.logs.read")?;
    let limit = ask.limit(100, 1000)?;
    let moment = |name| match ask.value(name).map(str::parse::<Timestamp>) {
        Some(Err(_)) => Err(invalid(name)),
        Some(Ok(at)) => Ok(Some(at)),
        None => Ok(None),
    };
    let (since, until) = (moment("since")?, moment("until")?);
    let after = page::after(&ask)?;
    let now = ask.org.directory().now();
    if since.is_some_and(|since| after.is_some() || since < now - SignedDuration::from_hours(180 * 24)) {
        return Err(invalid("since"));
    }
    let filter = match ask.value("filter") {
        Some(text) => Some(checked(text)?),
        None => None,
    };
    let since = match after {
        Some(_) => None,
        None => Some(since.unwrap_or(now - SignedDuration::from_hours(7 * 24))),
    };
    let last = ask
        .org
        .directory()
        .sequence()
        .saturating_sub(ask.org.behaviour().log_lag);
    let replayed = match (&after, ask.fault) {
        (Some(after), Some(Fault::Replay)) => Some(sequence(Some(after)).saturating_sub(3).to_string()),
        _ => after.clone(),
    };
    let wanted = |change: &Change, event: &Value| {
        since.is_none_or(|since| change.at >= since)
            && until.is_none_or(|until| change.at < until)
            && filter
                .as_ref()
                .is_none_or(|filter| filter.holds(&|name| attribute(event, name)))
    };
    let page = Page::collect(replayed, limit, |after| {
        let mut changes = ask.org.directory().changes_after(sequence(after), STEP);
        changes.retain(|change| change.sequence <= last);
        let shown = |change: &Change| show(&ask.org, change).filter(|event| wanted(change, event));
        changes
            .iter()
            .map(|change| (change.sequence.to_string(), shown(change)))
            .collect()
    });
    let next = match until {
        Some(_) => page.next,
        None => page.next.or_else(|| Some(last.to_string())),
    };
    Ok(Page { next, ..page }.answer(&ask))
}

/// The body of an event hook's call about every change after a number.
pub(super) fn event_hook_body(org: &Org, sequence: u64) -> Value {
    let changes = org.directory().changes_after(sequence, usize::MAX);
    let events: Vec<_> = changes.iter().filter_map(|change| show(org, change)).collect();
    json!({
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": format!("{}/api/v1/eventHooks/who1fakefakefakefake", org.base()),
        "eventId": uuid(sequence),
        "data": {"events": events},
        "eventTime": time(org.directory().now()),
        "contentType": "application/json",
    })
}

/// A change as an event; `None` for what does not exist in Okta.
fn show(org: &Org, change: &Change) -> Option<Value> {
    let (kind, targets) = match &change.entry {
        Entry::User(id) => {
            let user = org.directory().user(id)?;
            let label = org.with(|state| state.labels.get(&change.sequence).copied());
            let kind = label.unwrap_or(match (user.created == change.at, user.life, user.enabled) {
                (true, ..) => "user.lifecycle.create",
                (_, Life::Deleted, _) => "user.lifecycle.delete.completed",
                (_, Life::SoftDeleted, _) | (_, _, false) => "user.lifecycle.deactivate",
                _ => "user.account.update_profile",
            });
            (kind, vec![user_target(org, id)])
        }
        Entry::Group(id) => {
            let group = org.directory().group(id)?;
            let kind = match (group.created == change.at, group.life) {
                (true, _) => "group.lifecycle.create",
                (_, Life::Live) => "group.profile.update",
                _ => "group.lifecycle.delete",
            };
            (kind, vec![group_target(org, id)])
        }
        Entry::Assignment(id) => {
            let application = target(Org::APPLICATION, "AppInstance", "Usher", "Usher");
            let assigned = org.directory().group(id)?.assigned;
            let kind = if assigned {
                "group.application_assignment.add"
            } else {
                "group.application_assignment.remove"
            };
            (kind, vec![group_target(org, id), application])
        }
        Entry::Member { is_group: true, .. } => return None,
        Entry::Member {
            group, member, added, ..
        } => {
            let kind = if *added {
                "group.user_membership.add"
            } else {
                "group.user_membership.remove"
            };
            (kind, vec![user_target(org, member), group_target(org, group)])
        }
    };
    Some(json!({
        "uuid": uuid(change.sequence),
        "published": time(change.at),
        "eventType": kind,
        "version": "0",
        "severity": "INFO",
        "displayMessage": kind.replace(['.', '_'], " "),
        "actor": target("00u1administrator000", "User", "admin@contoso.example", "Admin"),
        "target": targets,
        "outcome": {"result": "SUCCESS", "reason": null},
        "transaction": {"type": "WEB", "id": format!("tx{}", change.sequence), "detail": {}},
        "debugContext": {"debugData": {}},
        "request": {"ipChain": []},
    }))
}

fn target(id: &str, kind: &str, alternate: &str, name: &str) -> Value {
    json!({"id": id, "type": kind, "alternateId": alternate, "displayName": name, "detailEntry": null})
}

fn user_target(org: &Org, id: &str) -> Value {
    let user = org.directory().user(id);
    let (login, name) = user.map_or_else(
        || ("unknown".into(), "unknown".into()),
        |user| (user.user_name.clone(), user.display_name()),
    );
    target(id, "User", &login, &name)
}

fn group_target(org: &Org, id: &str) -> Value {
    let name = org
        .directory()
        .group(id)
        .map_or_else(String::new, |group| group.name);
    target(id, "UserGroup", "unknown", &name)
}

fn checked(text: &str) -> Result<Filter, Refusal> {
    let filter = Filter::parse(text);
    let filter = filter.filter(|filter| {
        let mut attributes = filter.comparisons().into_iter().map(|(attribute, _)| attribute);
        attributes.all(|attribute| attribute != "published")
    });
    filter.ok_or_else(|| error(http::StatusCode::BAD_REQUEST, "E0000053", "Invalid filter."))
}

fn attribute(event: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = match name.split_once('.') {
        Some(("target", field)) => {
            let targets = event["target"].as_array();
            return targets
                .into_iter()
                .flatten()
                .filter_map(|target| text(&target[field]))
                .collect();
        }
        Some((first, second)) => text(&event[first][second]),
        None => text(&event[name]),
    };
    found.into_iter().collect()
}

fn sequence(after: Option<&str>) -> u64 {
    after.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn uuid(sequence: u64) -> String {
    format!("fa4e0000-0000-11f0-8000-{sequence:012x}")
}
