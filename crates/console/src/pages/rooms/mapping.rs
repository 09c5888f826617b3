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

use super::mappings::{Mapping, Source};
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
enum Step {
    Look,
    Retire,
    /// With another group, if one is named already.
    Replace(Replacement),
}

#[derive(Template)]
#[template(path = "rooms/group.html")]
struct Group {
    frame: Frame,
    tab: &'static str,
    room: Room,
    mapping: Mapping,
    step: &'static str,
    plan: Option<Plan>,
    levels: Levels,
    sources: Vec<Source>,
    other: Replacement,
    may_make: bool,
    may_confirm: bool,
    available: Vec<Arrived>,
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
        self.step == step
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
#[derive(Debug, Default, Deserialize)]
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
    group(&visit, place, Step::Look, None).await
}

async fn show_retirement(visit: Visit, Path(place): Path<(String, Uuid)>) -> Result<Response, Failure> {
    group(&visit, place, Step::Retire, None).await
}

async fn show_replacement(visit: Visit, Path(place): Path<(String, Uuid)>) -> Result<Response, Failure> {
    let other = Replacement {
        source: visit.query("source"),
        group: visit.query("group"),
        ..Replacement::default()
    };
    group(&visit, place, Step::Replace(other), None).await
}

/// The page; where something was refused, be it only the plan, with the reason, and with the new plan where the old one is
/// out of date.
async fn group(
    visit: &Visit,
    (room, id): (String, Uuid),
    step: Step,
    mut failure: Option<Failure>,
) -> Result<Response, Failure> {
    let room = Room::load(visit, &room).await?;
    let mapping: Mapping = visit.get(format!("/mappings/{id}")).await?;
    if mapping.room.id != room.id {
        return Err(Failure::NotFound);
    }
    let plan = match &step {
        Step::Look if mapping.is("pending") => Some(visit.get(format!("/mappings/{id}/plan")).await),
        Step::Retire if !mapping.is("retired") => {
            Some(visit.get(format!("/mappings/{id}/retirement/plan")).await)
        }
        Step::Replace(other) if !other.group.trim().is_empty() => {
            let path = format!("/mappings/{id}/replacement/plan");
            Some(visit.post(path, other.body(), None).await)
        }
        _ => None,
    };
    let plan: Option<Plan> = match plan {
        Some(Err(refusal)) if refusal.is_refusal() => {
            failure.get_or_insert(refusal);
            None
        }
        plan => plan.transpose()?,
    };
    let sources: Page<Source> = visit.get("/sources?counts=false").await?;
    let available = match mapping.group.is_none() && !mapping.is("retired") {
        true => arrived(visit, &mapping.source).await?,
        false => Vec::new(),
    };
    let (step, title, other) = match step {
        Step::Look => ("look", format!("{} for {}", mapping.name(), room.name), None),
        Step::Retire => (
            "retire",
            format!("Take {} away from {}", mapping.name(), room.name),
            None,
        ),
        Step::Replace(other) => (
            "replace",
            format!("Another group instead of {}", mapping.name()),
            Some(other),
        ),
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
        other: other.unwrap_or_default(),
        available,
    };
    Ok(page_after(failure.as_ref(), &template))
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
    done(&visit, place, Step::Look, call, "group-confirmed").await
}

async fn retire(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Confirmation>,
) -> Result<Response, Failure> {
    let call = ("retirement/confirm", posted.form.body(), posted.once);
    done(&visit, place, Step::Retire, call, "group-retired").await
}

async fn replace(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Replacement>,
) -> Result<Response, Failure> {
    let call = ("replacement/confirm", posted.form.body(), posted.once);
    let other = Replacement {
        digest: String::new(),
        ..posted.form
    };
    done(&visit, place, Step::Replace(other), call, "group-replaced").await
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
    match visit.write(Method::PATCH, path, body, posted.once).await {
        Ok(_) => Ok(visit.done(&at(&place), "group-changed")),
        Err(failure) => group(&visit, place, Step::Look, Some(failure.refusal()?)).await,
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
    done(&visit, place, Step::Look, call, "group-bound").await
}

async fn unbind(
    visit: Visit,
    Path(place): Path<(String, Uuid)>,
    posted: Posted<Because>,
) -> Result<Response, Failure> {
    let call = ("unbind", posted.form.body(), posted.once);
    done(&visit, place, Step::Look, call, "group-unbound").await
}

/// Does a step of a mapping and goes on to the room's groups; where it is refused, shows the page with the reason.
async fn done(
    visit: &Visit,
    place: (String, Uuid),
    step: Step,
    (name, body, once): (&str, Value, Option<String>),
    word: &str,
) -> Result<Response, Failure> {
    let path = format!("/mappings/{}/{name}", place.1);
    match visit.write(Method::POST, path, body, once).await {
        Ok(_) if matches!(name, "bind" | "unbind") => Ok(visit.done(&at(&place), word)),
        Ok(_) => Ok(visit.done(&format!("/rooms/{}/groups", segment(&place.0)), word)),
        Err(failure) => group(visit, place, step, Some(failure.refusal()?)).await,
    }
}

/// The mapping's own page.
fn at((room, mapping): &(String, Uuid)) -> String {
    format!("/rooms/{}/groups/{mapping}", segment(room))
}
