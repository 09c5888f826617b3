//! `/rooms/{room}/members/{membership}`: one stay, what it was, and what can be changed of it.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use usher_core::Timestamp;
use uuid::Uuid;

use super::members::{Member, end_reason, groups};
use super::room::Room;
use crate::frame::Frame;
use crate::html::{Bar, Line, Page, word};
use crate::pages::fields::{Because, end_of, optional};
use crate::pages::levels::{Level, Levels};
use crate::render::page_after;
use crate::visit::{Site, Visit, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/rooms/{room}/members/{membership}", get(show))
        .route("/rooms/{room}/members/{membership}/level", post(level))
        .route("/rooms/{room}/members/{membership}/end", post(end))
        .route(
            "/rooms/{room}/members/{membership}/make-manual",
            post(make_manual),
        )
        .route("/rooms/{room}/members/{membership}/until", post(until))
}

/// A membership with its periods and levels.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::pages) struct Stay {
    #[serde(flatten)]
    pub(in crate::pages) member: Member,
    pub(in crate::pages) periods: Vec<Period>,
    #[serde(default)]
    pub(in crate::pages) levels: Vec<LevelChange>,
}

/// A span of time in which a membership was in force.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::pages) struct Period {
    pub(in crate::pages) from: Timestamp,
    from_reason: String,
    pub(in crate::pages) to: Option<Timestamp>,
    to_reason: Option<String>,
}

impl Period {
    pub(in crate::pages) fn began(&self) -> String {
        let text = match self.from_reason.as_str() {
            "arrived" => "a group asked for them",
            "by_hand" => "added by hand",
            "bootstrap" => "to set the room up",
            "restored" => "restored",
            "restore_undone" => "a restore was undone",
            "made_manual" => "became a membership by hand",
            other => return word(other),
        };
        text.to_owned()
    }

    pub(in crate::pages) fn ended(&self) -> String {
        self.to_reason.as_deref().map(end_reason).unwrap_or_default()
    }
}

/// Stays as lines of a picture, in their order: one for each person or room, which `named` gives a name and an address, and
/// at most so many.
pub(in crate::pages) fn lines(
    stays: &[Stay],
    most: usize,
    named: impl Fn(&Member) -> (String, String),
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for stay in stays {
        let (label, href) = named(&stay.member);
        let bars = stay.periods.iter().map(|period| Bar {
            from: period.from,
            to: period.to,
            kind: stay.member.kind.clone(),
        });
        let is_full = lines.len() == most;
        match lines.iter_mut().find(|line| line.href == href) {
            Some(line) => line.bars.extend(bars),
            None if is_full => {}
            None => lines.push(Line {
                label,
                href,
                bars: bars.collect(),
            }),
        }
    }
    lines
}

/// A level that was given after the start.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::pages) struct LevelChange {
    pub(in crate::pages) at: Timestamp,
    pub(in crate::pages) before: String,
    pub(in crate::pages) level: String,
}

/// Something in the room that hangs on a membership.
#[derive(Deserialize)]
struct Grant {
    kind: String,
    label: String,
    created: Timestamp,
    dropped: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "rooms/membership.html")]
struct Membership {
    frame: Frame,
    tab: &'static str,
    room: Room,
    stay: Stay,
    group: Option<String>,
    grants: Vec<Grant>,
    levels: Levels,
    may_change: bool,
}

impl Membership {
    fn member(&self) -> &Member {
        &self.stay.member
    }

    fn choices(&self) -> &[Level] {
        self.levels.all()
    }

    fn has(&self, level: &Level) -> bool {
        self.stay.member.level == level.key
    }

    fn is(&self, kind: &str) -> bool {
        self.stay.member.kind == kind
    }

    /// The path of a form.
    fn path(&self, step: &str) -> String {
        format!("/rooms/{}/members/{}/{step}", self.room.id, self.stay.member.id)
    }
}

async fn show(visit: Visit, Path((room, id)): Path<(String, Uuid)>) -> Result<Response, Failure> {
    membership(&visit, &room, id, None).await
}

async fn membership(
    visit: &Visit,
    room: &str,
    id: Uuid,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let room = Room::load(visit, room).await?;
    let stay: Stay = visit.get(format!("/memberships/{id}")).await?;
    if stay.member.room.id != room.id {
        return Err(Failure::NotFound);
    }
    let grants: Page<Grant> = visit.get(format!("/memberships/{id}/grants")).await?;
    let groups = groups(visit, room.id).await?;
    let group = stay.member.mapping.and_then(|id| groups.get(&id).cloned());
    let title = format!("{} in {}", stay.member.person.label(), room.name);
    let template = Membership {
        frame: visit.frame(title).with(failure.as_ref()),
        tab: if stay.member.active { "members" } else { "former" },
        may_change: stay.member.active
            && !room.is_archived()
            && visit.may("POST", "/rooms/{room}/members/{membership}/level"),
        levels: Levels::load(visit).await?,
        grants: grants.items,
        room,
        stay,
        group,
    };
    Ok(page_after(failure.as_ref(), &template))
}

/// Does a step and shows the membership again; where it is refused, with the reason.
async fn step(
    visit: &Visit,
    (room, id): (&str, Uuid),
    step: &str,
    body: Value,
    once: Option<String>,
    done: &str,
) -> Result<Response, Failure> {
    let path = format!("/memberships/{id}/{step}");
    match visit.write(Method::POST, path, body, once).await {
        Ok(answer) => {
            // Making it manual ends this membership and begins another one.
            let now: Option<Uuid> = serde_json::from_slice::<Value>(&answer.body)
                .ok()
                .and_then(|now| now["id"].as_str()?.parse().ok());
            let id = now.unwrap_or(id);
            Ok(visit.done(&format!("/rooms/{}/members/{id}", segment(room)), done))
        }
        Err(failure) => membership(visit, room, id, Some(failure.refusal()?)).await,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LevelForm {
    level: String,
    reason: String,
}

async fn level(
    visit: Visit,
    Path((room, id)): Path<(String, Uuid)>,
    posted: Posted<LevelForm>,
) -> Result<Response, Failure> {
    let body = json!({ "level": posted.form.level, "reason": optional(&posted.form.reason) });
    step(&visit, (&room, id), "level", body, posted.once, "level-given").await
}

async fn end(
    visit: Visit,
    Path((room, id)): Path<(String, Uuid)>,
    posted: Posted<Because>,
) -> Result<Response, Failure> {
    step(
        &visit,
        (&room, id),
        "end",
        posted.form.body(),
        posted.once,
        "member-ended",
    )
    .await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ManualForm {
    owner: String,
    reason: String,
    until: String,
}

async fn make_manual(
    visit: Visit,
    Path((room, id)): Path<(String, Uuid)>,
    posted: Posted<ManualForm>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let body =
        json!({ "owner": form.owner.trim(), "reason": optional(&form.reason), "until": end_of(&form.until) });
    step(
        &visit,
        (&room, id),
        "make-manual",
        body,
        posted.once,
        "made-manual",
    )
    .await
}

async fn until(
    visit: Visit,
    Path((room, id)): Path<(String, Uuid)>,
    posted: Posted<ManualForm>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({ "until": end_of(&form.until), "reason": optional(&form.reason) });
    step(&visit, (&room, id), "until", body, posted.once, "end-changed").await
}
