//! Users.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::{Refusal, bad_filter, not_found, time};
use super::ask::Ask;
use super::filter::{Filter, Operator};
use super::groups;
use super::org::Org;
use super::page::{self, Page};
use crate::directory::Life;
use crate::{Guest, User};

const STEP: usize = 256;

/// `GET /api/v1/users`.
pub(super) async fn list(ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.users.read")?;
    let (filter, lags) = match (ask.value("filter"), ask.value("search")) {
        (Some(text), None) => (Some(checked(text)?), false),
        (None, Some(text)) => (Some(Filter::parse(text).ok_or_else(bad_filter)?), true),
        (None, None) => (None, false),
        _ => return Err(bad_filter()),
    };
    let limit = ask.limit(200, 200)?;
    let org = &ask.org;
    let page = Page::collect(page::after(&ask)?, limit, |after| {
        let users = org.directory().users_after(after, STEP);
        let wanted = |user: &User| {
            user.life != Life::Deleted
                && match &filter {
                    Some(filter) => filter.holds(&|name| attribute(org, user, name, lags)),
                    None => org.status(user) != "DEPROVISIONED",
                }
        };
        let shown = |user: &User| wanted(user).then(|| show(org, user));
        users
            .iter()
            .map(|user| (user.id.to_string(), shown(user)))
            .collect()
    });
    Ok(page.answer(&ask))
}

/// `GET /api/v1/users/{id}`, by id or login.
pub(super) async fn one(Path(id): Path<String>, ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.users.read")?;
    let user = found(&ask.org, &id)?;
    Ok(Json(show(&ask.org, &user)).into_response())
}

/// `GET /api/v1/users/{id}/groups`.
pub(super) async fn groups(Path(id): Path<String>, ask: Ask) -> Result<Response, Refusal> {
    ask.need("okta.users.read")?;
    let user = found(&ask.org, &id)?;
    let limit = ask.limit(200, 200)?;
    let mut ids = ask.org.directory().groups_of(&user.id);
    ids.sort_unstable();
    ids.retain(|_| ask.org.is_member(&user));
    let page = Page::collect(page::after(&ask)?, limit, |after| {
        let rest = ids.iter().filter(|id| after.is_none_or(|after| ***id > *after));
        rest.take(STEP)
            .map(|id| {
                let group = ask.org.directory().group(id);
                let group = group.filter(|group| ask.org.shows(group, &ask.rights));
                (
                    id.to_string(),
                    group.map(|group| groups::show(&ask.org, &group, false)),
                )
            })
            .collect()
    });
    Ok(page.answer(&ask))
}

/// A user as it is shown.
pub(super) fn show(org: &Org, user: &User) -> Value {
    let status = org.status(user);
    let begun = !matches!(status.as_str(), "STAGED");
    let activated = if begun { time(user.created) } else { Value::Null };
    let mut profile = json!({
        "firstName": user.given_name,
        "lastName": user.family_name,
        "mobilePhone": null,
        "secondEmail": null,
        "login": user.user_name,
        "email": user.email.as_deref().unwrap_or(&user.user_name),
    });
    if user.guest != Guest::No {
        profile["userType"] = "Guest".into();
    }
    json!({
        "id": &*user.id,
        "status": status,
        "created": time(user.created),
        "activated": activated,
        "statusChanged": activated,
        "lastLogin": null,
        "lastUpdated": time(user.modified),
        "passwordChanged": null,
        "type": {"id": "oty1fakefakefakefake"},
        "profile": profile,
        "credentials": {"password": {}, "provider": {"type": "OKTA", "name": "OKTA"}},
        "_links": {"self": {"href": format!("{}/api/v1/users/{}", org.base(), user.id)}},
    })
}

fn found(org: &Org, id: &str) -> Result<User, Refusal> {
    let by_login = || {
        let users = org.directory().users_after(None, usize::MAX);
        users.into_iter().find(|user| user.user_name == id)
    };
    let user = org.directory().user(id).or_else(by_login);
    user.filter(|user| user.life != Life::Deleted)
        .ok_or_else(|| not_found("User", id))
}

fn checked(text: &str) -> Result<Filter, Refusal> {
    let filter = Filter::parse(text).ok_or_else(bad_filter)?;
    let known = |(attribute, operator): (&str, Operator)| match attribute {
        "lastUpdated" => !matches!(operator, Operator::Sw | Operator::Co),
        "status" | "id" | "profile.login" | "profile.email" | "profile.firstName" | "profile.lastName" => {
            operator == Operator::Eq
        }
        _ => false,
    };
    if filter.comparisons().into_iter().all(known) {
        Ok(filter)
    } else {
        Err(bad_filter())
    }
}

fn attribute(org: &Org, user: &User, name: &str, lags: bool) -> Vec<String> {
    let value = match name {
        "id" => user.id.to_string(),
        "status" => org.status(user),
        "profile.login" => user.user_name.clone(),
        "profile.email" => user.email.clone().unwrap_or_default(),
        "profile.firstName" => user.given_name.clone(),
        "profile.lastName" => user.family_name.clone(),
        "lastUpdated" => {
            let late = lags && user.modified > org.directory().now() - org.behaviour().search_lag;
            let at = if late { user.created } else { user.modified };
            return time(at).as_str().map(str::to_owned).into_iter().collect();
        }
        _ => return Vec::new(),
    };
    vec![value]
}
