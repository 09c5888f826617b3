//! `/rooms/{room}`: who is in a room, who was at a moment, who waits, which strays there are, and who is not in it any more.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use usher_core::Timestamp;
use uuid::Uuid;

use super::change::NewMember;
use super::mappings::Mapping;
use super::room::Room;
use crate::frame::Frame;
use crate::html::{Badge, Pager, PersonName, RoomName, Tone, word};
use crate::pages::fields::{moment, no_moment};
use crate::pages::levels::{Level, Levels};
use crate::render::page_after;
use crate::visit::{Site, Visit, query};
use crate::{Call, Failure};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/rooms/{room}", get(show))
        .route("/rooms/{room}/members.csv", get(export))
        .route("/rooms/{room}/former", get(former))
        .route("/rooms/{room}/waiting", get(waiting))
        .route("/rooms/{room}/strays", get(strays))
}

/// A membership, as the API shows it.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::pages) struct Member {
    pub(in crate::pages) id: Uuid,
    pub(in crate::pages) room: RoomName,
    pub(in crate::pages) person: PersonName,
    pub(in crate::pages) kind: String,
    pub(in crate::pages) level: String,
    pub(in crate::pages) administrator: bool,
    pub(in crate::pages) active: bool,
    pub(in crate::pages) source: Option<String>,
    pub(in crate::pages) mapping: Option<Uuid>,
    pub(in crate::pages) started: Timestamp,
    pub(in crate::pages) ended: Option<Timestamp>,
    pub(in crate::pages) end_reason: Option<String>,
    pub(in crate::pages) stray: Option<String>,
    pub(in crate::pages) hold: Option<Uuid>,
    pub(in crate::pages) owner: Option<String>,
    pub(in crate::pages) note: Option<String>,
    pub(in crate::pages) until: Option<Timestamp>,
}

impl Member {
    pub(in crate::pages) fn kind(&self) -> Badge {
        match self.kind.as_str() {
            "managed" => Badge::new(Tone::Calm, "From a group"),
            "manual" => Badge::new(Tone::Waiting, "By hand"),
            "bootstrap" => Badge::new(Tone::Waiting, "Set-up user"),
            other => Badge::new(Tone::Calm, word(other)),
        }
    }

    pub(in crate::pages) fn ended_why(&self) -> String {
        self.end_reason.as_deref().map(end_reason).unwrap_or_default()
    }

    pub(in crate::pages) fn stray_why(&self) -> &'static str {
        self.stray.as_deref().map(stray).unwrap_or_default()
    }
}

/// Why a membership ended, in words.
pub(in crate::pages) fn end_reason(word: &str) -> String {
    let text = match word {
        "removed" => "removed from the group",
        "group_deleted" => "the group was deleted",
        "account_inactive" => "the account was deactivated",
        "account_gone" => "the account was deleted",
        "out_of_scope" => "no longer one of the organisation’s own",
        "mapping_retired" => "the group no longer leads here",
        "source_retired" => "the source was retired",
        "by_hand" => "ended by hand",
        "expired" => "its end date passed",
        "superseded" => "a former membership was restored in its place",
        "restore_undone" => "the restore was undone",
        "made_manual" => "became a membership by hand",
        "set_up_done" => "the set-up was done",
        other => return crate::html::word(other),
    };
    text.to_owned()
}

/// Why a membership stays though no group asks for it.
fn stray(word: &str) -> &'static str {
    match word {
        "held" => "The brake holds its ending: many were to leave at once.",
        "hold_rejected" => "Somebody decided that it stays.",
        "last_administrator" => "The room would have no administrator.",
        "frozen_source" => "Its source is frozen: nothing more is known of it.",
        "imported" => "It was there before Usher.",
        _ => "No group asks for it.",
    }
}

/// The names of the groups that lead to a room, by mapping.
pub(super) async fn groups(visit: &Visit, room: Uuid) -> Result<BTreeMap<Uuid, String>, Failure> {
    let mappings = Mapping::of_room(visit, room).await?;
    Ok(mappings
        .iter()
        .map(|one| (one.id, one.name().to_owned()))
        .collect())
}

#[derive(Template)]
#[template(path = "rooms/members.html")]
struct Members {
    frame: Frame,
    tab: &'static str,
    room: Room,
    members: Vec<Member>,
    groups: BTreeMap<Uuid, String>,
    levels: Levels,
    pager: Pager,
    q: String,
    at: String,
    moment: Option<Timestamp>,
    only: String,
    export: String,
    may_add: bool,
    form: NewMember,
}

impl Members {
    fn group(&self, member: &Member) -> Option<&str> {
        self.groups.get(&member.mapping?).map(String::as_str)
    }

    fn choices(&self) -> &[Level] {
        self.levels.all()
    }

    fn is_given(&self, level: &Level) -> bool {
        self.form.level == level.key
    }
}

async fn show(visit: Visit, Path(room): Path<String>) -> Result<Response, Failure> {
    members(&visit, &room, NewMember::default(), None).await
}

/// The page, with a form that was filled in before and what came of it.
pub(super) async fn members(
    visit: &Visit,
    room: &str,
    form: NewMember,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let room = Room::load(visit, room).await?;
    let (q, at, only) = (visit.query("q"), visit.query("at"), visit.query("only"));
    let (wanted, moment, wrong) = wanted(&q, &at, &only);
    let own = [("q", q.as_str()), ("at", at.as_str()), ("only", only.as_str())];
    let path = format!("/rooms/{}", room.id);
    let (members, pager) = visit
        .list(&format!("{path}/members"), &pairs(&wanted), &path, &own)
        .await?;
    let (groups, levels) = (groups(visit, room.id).await?, Levels::load(visit).await?);
    let failure = failure.or(wrong);
    let template = Members {
        frame: visit.frame(room.name.clone()).with(failure.as_ref()),
        tab: "members",
        export: format!("{path}/members.csv{}", query(&own)),
        may_add: visit.may("POST", "/rooms/{room}/members") && !room.is_archived(),
        members,
        room,
        groups,
        levels,
        pager,
        q,
        at,
        moment,
        only,
        form,
    };
    Ok(page_after(failure.as_ref(), &template))
}

/// Which members the API is asked for.
enum Wanted {
    Now,
    At(String),
    Named(String),
    Administrators,
    Former,
}

fn wanted(q: &str, at: &str, only: &str) -> (Wanted, Option<Timestamp>, Option<Failure>) {
    if !at.is_empty() {
        return match moment(at) {
            Some(moment) => (Wanted::At(moment.to_string()), Some(moment), None),
            None => (Wanted::Now, None, Some(no_moment())),
        };
    }
    match (q.is_empty(), only) {
        (false, _) => (Wanted::Named(q.to_owned()), None, None),
        (true, "administrators") => (Wanted::Administrators, None, None),
        (true, "former") => (Wanted::Former, None, None),
        _ => (Wanted::Now, None, None),
    }
}

fn pairs(wanted: &Wanted) -> Vec<(&'static str, &str)> {
    match wanted {
        Wanted::Now => Vec::new(),
        Wanted::At(at) => vec![("at", at)],
        Wanted::Named(q) => vec![("search", q)],
        Wanted::Administrators => vec![("administrators", "true")],
        Wanted::Former => vec![("former", "true")],
    }
}

/// The same members as a file.
async fn export(visit: Visit, Path(room): Path<String>) -> Result<Response, Failure> {
    let (wanted, _, wrong) = wanted(&visit.query("q"), &visit.query("at"), &visit.query("only"));
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let path = format!(
        "/rooms/{}/members/export{}",
        crate::visit::segment(&room),
        query(&pairs(&wanted))
    );
    file(&visit, &path, "usher-members.csv").await
}

/// A CSV file of the API, as it is.
pub(in crate::pages) async fn file(visit: &Visit, path: &str, name: &str) -> Result<Response, Failure> {
    let answer = visit.call(Call::get(path)).await?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, answer.body).into_response())
}

#[derive(Template)]
#[template(path = "rooms/former.html")]
struct Former {
    frame: Frame,
    tab: &'static str,
    room: Room,
    members: Vec<Member>,
    groups: BTreeMap<Uuid, String>,
    levels: Levels,
    pager: Pager,
}

impl Former {
    fn group(&self, member: &Member) -> Option<&str> {
        self.groups.get(&member.mapping?).map(String::as_str)
    }
}

async fn former(visit: Visit, Path(room): Path<String>) -> Result<Response, Failure> {
    let room = Room::load(&visit, &room).await?;
    let list = format!("/rooms/{}/members", room.id);
    let path = format!("/rooms/{}/former", room.id);
    let (members, pager) = visit.list(&list, &[("former", "true")], &path, &[]).await?;
    Ok(crate::render::page(&Former {
        frame: visit.frame(format!("{} – former members", room.name)),
        tab: "former",
        groups: groups(&visit, room.id).await?,
        levels: Levels::load(&visit).await?,
        members,
        room,
        pager,
    }))
}

/// Somebody who waits at a room's door.
#[derive(Deserialize)]
struct Parked {
    person: PersonName,
    reason: String,
    may_be: Option<PersonName>,
    since: Timestamp,
}

#[derive(Template)]
#[template(path = "rooms/waiting.html")]
struct Waiting {
    frame: Frame,
    tab: &'static str,
    room: Room,
    people: Vec<Parked>,
    pager: Pager,
}

async fn waiting(visit: Visit, Path(room): Path<String>) -> Result<Response, Failure> {
    let room = Room::load(&visit, &room).await?;
    let list = format!("/rooms/{}/parked", room.id);
    let path = format!("/rooms/{}/waiting", room.id);
    let (people, pager) = visit.list(&list, &[], &path, &[]).await?;
    Ok(crate::render::page(&Waiting {
        frame: visit.frame(format!("{} – waiting at the door", room.name)),
        tab: "waiting",
        people,
        room,
        pager,
    }))
}

/// A membership that no group asks for.
#[derive(Deserialize)]
struct Stray {
    membership: Uuid,
    person: PersonName,
    level: String,
    cause: String,
    since: Option<Timestamp>,
    hold: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "rooms/strays.html")]
struct Strays {
    frame: Frame,
    tab: &'static str,
    room: Room,
    people: Vec<Stray>,
    levels: Levels,
    pager: Pager,
}

async fn strays(visit: Visit, Path(room): Path<String>) -> Result<Response, Failure> {
    let room = Room::load(&visit, &room).await?;
    let id = room.id.to_string();
    let path = format!("/rooms/{id}/strays");
    let (people, pager) = visit.list("/strays", &[("room", &id)], &path, &[]).await?;
    Ok(crate::render::page(&Strays {
        frame: visit.frame(format!("{} – strays", room.name)),
        tab: "strays",
        levels: Levels::load(&visit).await?,
        people,
        room,
        pager,
    }))
}
