//! A fake Acme Directory: a directory behind the API that the README describes.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use usher_fakes::{Directory, Fault, FaultNow, Faults, Group, Guest, Life, Served, User};

/// The token that is taken.
pub(crate) const TOKEN: &str = "acme-api-token-of-the-tests";

#[derive(Debug, Clone)]
struct Shown {
    directory: Directory,
    page_size: usize,
}

#[derive(Debug, Deserialize)]
struct Asked {
    prefix: Option<String>,
    after: Option<String>,
}

/// Serves a directory.
pub(crate) async fn serve(directory: Directory, page_size: usize, faults: Faults) -> Served {
    let shown = Shown { directory, page_size };
    let router = Router::new()
        .route("/v1/groups", get(groups))
        .route("/v1/groups/{id}", get(group))
        .route("/v1/groups/{id}/people", get(members))
        .route("/v1/groups/{id}/people/{person}", get(member))
        .route("/v1/people", get(people))
        .route("/v1/people/{person}", get(person))
        .with_state(shown);
    Served::start(router, faults).await.expect("a free port")
}

async fn groups(
    State(shown): State<Shown>,
    Extension(fault): Extension<FaultNow>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let prefix = asked.prefix.unwrap_or_default();
    let groups = shown.directory.groups_after(asked.after.as_deref(), usize::MAX);
    let items = groups
        .iter()
        .filter(|group| group.life == Life::Live && group.name.starts_with(&prefix))
        .map(|group| shown.group(group))
        .collect();
    page(&shown, items, asked.after, fault, &headers)
}

async fn group(State(shown): State<Shown>, Path(id): Path<String>) -> Response {
    match shown.live(&id) {
        Some(group) => Json(shown.group(&group)).into_response(),
        None => not_found("no_such_group"),
    }
}

async fn members(
    State(shown): State<Shown>,
    Extension(fault): Extension<FaultNow>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if shown.live(&id).is_none() {
        return not_found("no_such_group");
    }
    let members = shown.members(&id).into_iter();
    let after = asked.after.clone().unwrap_or_default();
    let items = members
        .filter(|user| *user.id > *after)
        .map(|user| shown_person(&user))
        .collect();
    page(&shown, items, asked.after, fault, &headers)
}

async fn member(State(shown): State<Shown>, Path((id, person)): Path<(String, String)>) -> Response {
    if shown.live(&id).is_none() {
        return not_found("no_such_group");
    }
    match shown.members(&id).into_iter().find(|user| *user.id == *person) {
        Some(user) => Json(shown_person(&user)).into_response(),
        None => not_found("not_a_member"),
    }
}

async fn people(
    State(shown): State<Shown>,
    Extension(fault): Extension<FaultNow>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let people = shown.directory.users_after(asked.after.as_deref(), usize::MAX);
    let live = people.iter().filter(|user| user.life == Life::Live);
    page(
        &shown,
        live.map(shown_person).collect(),
        asked.after,
        fault,
        &headers,
    )
}

async fn person(State(shown): State<Shown>, Path(id): Path<String>) -> Response {
    match shown.directory.user(&id).filter(|user| user.life == Life::Live) {
        Some(user) => Json(shown_person(&user)).into_response(),
        None => not_found("no_such_person"),
    }
}

impl Shown {
    fn live(&self, id: &str) -> Option<Group> {
        self.directory.group(id).filter(|group| group.life == Life::Live)
    }

    fn members(&self, group: &str) -> Vec<User> {
        let mut members = self.directory.members_after(group, None, usize::MAX);
        members.retain(|user| user.life == Life::Live);
        members
    }

    fn group(&self, group: &Group) -> Value {
        let people = self.members(&group.id).len();
        json!({ "id": &*group.id, "name": group.name, "people": people, "assigned": group.assigned })
    }
}

fn shown_person(user: &User) -> Value {
    json!({
        "id": &*user.id,
        "login": user.user_name,
        "email": user.email,
        "given": user.given_name,
        "family": user.family_name,
        "enabled": user.enabled,
        "guest": user.guest != Guest::No,
    })
}

fn page(
    shown: &Shown,
    mut items: Vec<Value>,
    after: Option<String>,
    FaultNow(fault): FaultNow,
    headers: &HeaderMap,
) -> Response {
    if headers
        .get("authorization")
        .is_none_or(|value| value != &format!("Bearer {TOKEN}"))
    {
        let body = Json(json!({ "error": "unknown_token" }));
        return (StatusCode::UNAUTHORIZED, body).into_response();
    }
    let more = items.len() > shown.page_size;
    items.truncate(shown.page_size);
    let mut next = items.last().filter(|_| more).map(|item| item["id"].clone());
    match fault {
        Some(Fault::LostPage) => items.clear(),
        Some(Fault::EmptyPage) => {
            items.clear();
            next = None;
        }
        Some(Fault::RepeatedPage) => next = Some(after.unwrap_or_default().into()),
        _ => {}
    }
    Json(json!({ "items": items, "next": next })).into_response()
}

fn not_found(code: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": code }))).into_response()
}
