//! `/persons/{person}`: one person: rooms, accounts, stays over time, and why they have access to a room or not.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::json;
use usher_core::Timestamp;
use uuid::Uuid;

use crate::frame::Frame;
use crate::html::{Badge, Gantt, Page, PersonName, RoomName, Tone, word};
use crate::pages::event::Event;
use crate::pages::levels::Levels;
use crate::pages::rooms::{Member, Stay, lines};
use crate::render::page_after;
use crate::visit::{Site, Visit, query, segment};
use crate::{Failure, Posted};

/// How many stays and events the page has.
const MOST: usize = 50;

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/persons/{person}", get(show))
        .route("/persons/{person}/link", post(link))
}

#[derive(Deserialize)]
struct Details {
    #[serde(flatten)]
    name: PersonName,
    #[serde(default)]
    merged_into: Option<Uuid>,
    accounts: Vec<Account>,
    may_be: Vec<PersonName>,
}

#[derive(Deserialize)]
struct Account {
    id: Uuid,
    source: String,
    user_name: String,
    external_id: Option<String>,
    email: Option<String>,
    active: bool,
    scope: String,
    inactive_since: Option<Timestamp>,
    gone: Option<Timestamp>,
    modified: Timestamp,
}

impl Account {
    fn badge(&self) -> Badge {
        if self.gone.is_some() {
            return Badge::new(Tone::Bad, "Deleted");
        }
        if !self.active {
            return Badge::new(Tone::Bad, "Inactive");
        }
        match self.scope.as_str() {
            "in" => Badge::new(Tone::Good, "Active"),
            "guest" => Badge::new(Tone::Waiting, "A guest: no access"),
            "no_address" => Badge::new(Tone::Waiting, "No address: no access"),
            _ => Badge::new(Tone::Waiting, "Not of the organisation: no access"),
        }
    }
}

/// Why somebody has access to a room, or not.
#[derive(Deserialize)]
struct Explanation {
    room: RoomName,
    summary: String,
    next: String,
    desired: bool,
    membership: Option<Member>,
    parked_since: Option<Timestamp>,
    grounds: Vec<Ground>,
    elsewhere: Vec<Elsewhere>,
    freshness: Vec<Freshness>,
}

#[derive(Deserialize)]
struct Ground {
    source: String,
    group: String,
    user_name: Option<String>,
    standing: String,
}

impl Ground {
    fn says(&self) -> String {
        let text = match self.standing.as_str() {
            "counts" => "is a member: this gives access",
            "dormant" => {
                "was a member before the account was deactivated, and has not been named again since"
            }
            "unassigned" => "is a member, but the group is not assigned to the application",
            "out_of_scope" => "is a member, but is none of the organisation’s own",
            "account_inactive" => "has an account that is inactive",
            "not_in_group" => "is not a member of this group",
            "account_gone" => "had an account that was deleted",
            "no_account" => "has no account in this source",
            "group_gone" => "cannot be a member: the group was deleted",
            "group_unknown" => "cannot be a member yet: the group has not arrived",
            "mapping_pending" => "gets nothing by it yet: the group waits for a confirmation",
            other => return word(other),
        };
        text.to_owned()
    }

    fn badge(&self) -> Badge {
        match self.standing.as_str() {
            "counts" => Badge::new(Tone::Good, "Counts"),
            "mapping_pending" | "group_unknown" | "dormant" | "unassigned" => {
                Badge::new(Tone::Waiting, "Not yet")
            }
            _ => Badge::new(Tone::Calm, "Does not count"),
        }
    }
}

#[derive(Deserialize)]
struct Elsewhere {
    room: String,
    group: String,
}

#[derive(Deserialize)]
struct Freshness {
    source: String,
    mode: String,
    last_write: Option<Timestamp>,
    asked: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "persons/show.html")]
struct Person {
    frame: Frame,
    person: Details,
    inside: Vec<Member>,
    before: Vec<Member>,
    more_before: usize,
    levels: Levels,
    picture: Gantt,
    events: Vec<Event>,
    show_room: bool,
    q: String,
    explanations: Vec<Explanation>,
    found: Vec<RoomName>,
    is_asked: bool,
    may_link: bool,
    may_restore: bool,
    form: Link,
}

async fn show(visit: Visit, Path(person): Path<String>) -> Result<Response, Failure> {
    person_page(&visit, &person, Link::default(), None).await
}

async fn person_page(
    visit: &Visit,
    person: &str,
    form: Link,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let person: Details = visit.get(format!("/persons/{}", segment(person))).await?;
    let id = person.name.id;
    let stays: Page<Stay> = visit.get(format!("/persons/{id}/stays")).await?;
    let wanted = query(&[("person", &id.to_string()), ("limit", "20")]);
    let events: Page<Event> = visit.get(format!("/audit{wanted}")).await?;
    let q = visit.query("room");
    let (explanations, found) = explained(visit, id, &q).await?;
    let lines = lines(&stays.items, MOST, |member| {
        (member.room.name.clone(), format!("/rooms/{}", member.room.id))
    });
    let title = format!(
        "In which rooms {} was, and when. The tables say the same in words.",
        person.name.label()
    );
    let picture = Gantt::new(title, lines, visit.now());
    let (inside, mut before): (Vec<Member>, Vec<Member>) = stays
        .items
        .into_iter()
        .map(|stay| stay.member)
        .partition(|member| member.active);
    let more_before = before.len().saturating_sub(MOST);
    before.truncate(MOST);
    let template = Person {
        frame: visit.frame(person.name.label()).with(failure.as_ref()),
        is_asked: !q.is_empty(),
        may_link: visit.may("POST", "/persons/{person}/link"),
        may_restore: visit.may("POST", "/restores"),
        levels: Levels::load(visit).await?,
        events: events.items,
        show_room: true,
        person,
        inside,
        before,
        more_before,
        picture,
        q,
        explanations,
        found,
        form,
    };
    Ok(page_after(failure.as_ref(), &template))
}

/// Why the person has access to a room or not; where no room has this name, rooms that have it in theirs.
async fn explained(
    visit: &Visit,
    person: Uuid,
    room: &str,
) -> Result<(Vec<Explanation>, Vec<RoomName>), Failure> {
    if room.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let path = format!("/rooms/{}/persons/{person}/explanation", segment(room));
    let told: Option<Page<Explanation>> = visit.find(path).await?;
    if let Some(told) = told {
        return Ok((told.items, Vec::new()));
    }
    let asked = query(&[("search", room), ("limit", "20")]);
    let rooms: Page<RoomName> = visit.get(format!("/rooms{asked}")).await?;
    Ok((Vec::new(), rooms.items))
}

/// Two people who are one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    other: String,
    reason: String,
}

async fn link(visit: Visit, Path(person): Path<String>, posted: Posted<Link>) -> Result<Response, Failure> {
    let body = json!({ "other": posted.form.other.trim(), "reason": posted.form.reason.trim() });
    let path = format!("/persons/{}/link", segment(&person));
    match visit.write(Method::POST, path, body, posted.once).await {
        Ok(_) => Ok(visit.done(&format!("/persons/{}", segment(&person)), "people-linked")),
        Err(failure) => person_page(&visit, &person, posted.form, Some(failure.refusal()?)).await,
    }
}
