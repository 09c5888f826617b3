//! `/rooms/{room}/groups/{mapping}`: one group of a room: look at what confirming, retiring or replacing it would do, and do it.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::mappings::Mapping;
use super::room::Room;
use crate::frame::Frame;
use crate::html::Page;
use crate::pages::fields::{Because, Confirmation, optional};
use crate::pages::levels::Levels;
use crate::plan::Plan;
use crate::render::page_after;
use crate::visit::{Site, Visit, query, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new()
        .route("/rooms/{room}/groups/{mapping}", get(show))
        .route("/rooms/{room}/groups/{mapping}/confirm", post(confirm))
        .route("/rooms/{room}/groups/{mapping}/change", post(change))
        .route("/rooms/{room}/groups/{mapping}/bind", post(bind))
        .route("/rooms/{room}/groups/{mapping}/unbind", post(unbind))
        .route(
            "/rooms/{room}/groups/{mapping}/retire",
            get(show_retirement).post(retire),
        )
        .route(
            "/rooms/{room}/groups/{mapping}/replace",
            get(show_replacement).post(replace),
        )
}

/// What a page of a mapping is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Look,
    Retire,
    Replace,
}

#[derive(Template)]
#[template(path = "rooms/group.html")]
struct Group {
    frame: Frame,
    tab: &'static str,
    room: Room,
    mapping: Mapping,
    step: Step,
    plan: Option<Plan>,
    levels: Levels,
    sources: Vec<Source>,
    other: Replacement,
    may_make: bool,
    may_confirm: bool,
    available: Vec<Arrived>,
}

#[derive(Deserialize)]
struct Source {
    name: String,
}

/// A group that arrived, to choose from.
#[derive(Deserialize)]
struct Arrived {
    id: Uuid,
    display_name: String,
    members: i64,
}

impl Group {
    fn is(&self, step: &str) -> bool {
        match self.step {
            Step::Look => step == "look",
            Step::Retire => step == "retire",
            Step::Replace => step == "replace",
        }
    }

    fn path(&self, step: &str) -> String {
        format!("/rooms/{}/groups/{}/{step}", self.room.id, self.mapping.id)
    }

    fn is_source(&self, source: &Source) -> bool {
        let wanted = optional(&self.other.source).unwrap_or(&self.mapping.source);
        wanted == source.name
    }

    fn is_level(&self, key: &str) -> bool {
        self.mapping.level == key
    }

    fn rejoins(&self, word: &str) -> bool {
        self.mapping.rejoin == word
    }
}

/// Another group in the place of this one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Replacement {
    source: String,
    group: String,
    digest: String,
    reason: String,
}

impl Replacement {
    fn body(&self) -> Value {
        json!({
            "source": optional(&self.source), "group": self.group.trim(), "digest": optional(&self.digest),
            "reason": optional(&self.reason),
        })
    }
}

async fn show(visit: Visit, Path(place): Path<(String, Uuid)>) -> Result<Response, Failure> {
    group(&visit, place, Step::Look, Replacement::default(), None).await
}

async fn show_retirement(visit: Visit, Path(place): Path<(String, Uuid)>) -> Result<Response, Failure> {
    group(&visit, place, Step::Retire, Replacement::default(), None).await
}

async fn show_replacement(visit: Visit, Path(place): Path<(String, Uuid)>) -> Result<Response, Failure> {
    let other = Replacement {
        source: visit.query("source"),
        group: visit.query("group"),
        ..Replacement::default()
    };
    group(&visit, place, Step::Replace, other, None).await
}

/// The page; where something was refused, with the reason, and with the new plan where the old one is out of date.
async fn group(
    visit: &Visit,
    (room, id): (String, Uuid),
    step: Step,
    other: Replacement,
    mut failure: Option<Failure>,
) -> Result<Response, Failure> {
    let room = Room::load(visit, &room).await?;
    let mapping: Mapping = visit.get(format!("/mappings/{id}")).await?;
    if mapping.room.id != room.id {
        return Err(Failure::NotFound);
    }
    let plan = match step {
        Step::Look if mapping.is("pending") => {
            planned(visit.get(format!("/mappings/{id}/plan")).await, &mut failure)?
        }
        Step::Retire if !mapping.is("retired") => planned(
            visit.get(format!("/mappings/{id}/retirement/plan")).await,
            &mut failure,
        )?,
        Step::Replace if !other.group.trim().is_empty() => {
            let path = format!("/mappings/{id}/replacement/plan");
            planned(visit.post(path, other.body(), None).await, &mut failure)?
        }
        _ => None,
    };
    let sources: Page<Source> = visit.get("/sources?counts=false").await?;
    let available = match mapping.group.is_none() && !mapping.is("retired") {
        true => arrived(visit, &mapping.source).await?,
        false => Vec::new(),
    };
    let title = match step {
        Step::Look => format!("{} for {}", mapping.name(), room.name),
        Step::Retire => format!("Take {} away from {}", mapping.name(), room.name),
        Step::Replace => format!("Another group instead of {}", mapping.name()),
    };
    let template = Group {
        frame: visit.frame(title).with(failure.as_ref()),
        tab: "groups",
        may_make: visit.may("POST", "/rooms/{room}/groups/{mapping}/change"),
        may_confirm: visit.may("POST", "/rooms/{room}/groups/{mapping}/confirm"),
        levels: Levels::load(visit).await?,
        sources: sources.items,
        room,
        mapping,
        step,
        plan,
        other,
        available,
    };
    Ok(page_after(failure.as_ref(), &template))
}

/// A plan, unless it is refused: then the page says why.
fn planned(plan: Result<Plan, Failure>, failure: &mut Option<Failure>) -> Result<Option<Plan>, Failure> {
    match plan {
        Ok(plan) => Ok(Some(plan)),
        Err(refusal) if refusal.is_refusal() => {
            failure.get_or_insert(refusal);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Groups of a source that a mapping without one may be bound to.
async fn arrived(visit: &Visit, source: &str) -> Result<Vec<Arrived>, Failure> {
    let asked = query(&[("limit", "100")]);
    let groups: Option<Page<Arrived>> = visit
        .find(format!("/sources/{}/groups{asked}", segment(source)))
        .await?;
    Ok(groups.unwrap_or_default().items)
}

async fn confirm(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Confirmation>,
) -> Result<Response, Failure> {
    let call = ("confirm", posted.form.body(), posted.once);
    done(
        &visit,
        place,
        Step::Look,
        Replacement::default(),
        call,
        "group-confirmed",
    )
    .await
}

async fn retire(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Confirmation>,
) -> Result<Response, Failure> {
    let call = ("retirement/confirm", posted.form.body(), posted.once);
    done(
        &visit,
        place,
        Step::Retire,
        Replacement::default(),
        call,
        "group-retired",
    )
    .await
}

async fn replace(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Replacement>,
) -> Result<Response, Failure> {
    let call = ("replacement/confirm", posted.form.body(), posted.once);
    let other = Replacement {
        digest: String::new(),
        ..posted.form.clone()
    };
    done(&visit, place, Step::Replace, other, call, "group-replaced").await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Change {
    level: String,
    rejoin: String,
    rejoin_days: String,
    reason: String,
}

async fn change(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Change>,
) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({
        "level": optional(&form.level), "rejoin": optional(&form.rejoin),
        "rejoin_days": form.rejoin_days.trim().parse::<u32>().ok().filter(|_| form.rejoin == "auto"),
        "reason": optional(&form.reason),
    });
    let path = format!("/mappings/{}", place.1);
    let outcome = visit.write(Method::PATCH, path, body, posted.once).await;
    match outcome {
        Ok(_) => Ok(visit.done(
            &format!("/rooms/{}/groups/{}", segment(&place.0), place.1),
            "group-changed",
        )),
        Err(failure) => {
            group(
                &visit,
                place,
                Step::Look,
                Replacement::default(),
                Some(failure.refusal()?),
            )
            .await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Binding {
    group: String,
    reason: String,
}

async fn bind(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Binding>,
) -> Result<Response, Failure> {
    let body = json!({ "group": posted.form.group.trim(), "reason": optional(&posted.form.reason) });
    let call = ("bind", body, posted.once);
    done(
        &visit,
        place,
        Step::Look,
        Replacement::default(),
        call,
        "group-bound",
    )
    .await
}

async fn unbind(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Because>,
) -> Result<Response, Failure> {
    let call = ("unbind", posted.form.body(), posted.once);
    done(
        &visit,
        place,
        Step::Look,
        Replacement::default(),
        call,
        "group-unbound",
    )
    .await
}

/// Does a step of a mapping and goes on to the room's groups; where it is refused, shows the page with the reason.
async fn done(
    visit: &Visit,
    place: (String, Uuid),
    step: Step,
    other: Replacement,
    (name, body, once): (&str, Value, Option<String>),
    word: &str,
) -> Result<Response, Failure> {
    let path = format!("/mappings/{}/{name}", place.1);
    match visit.write(Method::POST, path, body, once).await {
        Ok(_) if matches!(name, "bind" | "unbind") => {
            Ok(visit.done(&format!("/rooms/{}/groups/{}", segment(&place.0), place.1), word))
        }
        Ok(_) => Ok(visit.done(&format!("/rooms/{}/groups", segment(&place.0)), word)),
        Err(failure) => group(visit, place, step, other, Some(failure.refusal()?)).await,
    }
}
