//! `/rooms/{room}/groups`: which groups lead to a room, and naming another one.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use usher_core::Timestamp;
use uuid::Uuid;

use super::room::Room;
use crate::frame::Frame;
use crate::html::{Badge, Flow, Page, Tone, Way};
use crate::pages::fields::optional;
use crate::pages::levels::Levels;
use crate::render::page_after;
use crate::visit::{Site, Visit, segment};
use crate::{Failure, Posted};

pub(super) fn router() -> Router<Site> {
    Router::new().route("/rooms/{room}/groups", get(show).post(add))
}

/// A group that leads to a room.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Mapping {
    pub(super) id: Uuid,
    pub(super) room: crate::html::RoomName,
    pub(super) source: String,
    pub(super) group: Option<Uuid>,
    group_name: Option<String>,
    pub(super) group_ref: String,
    named_by: String,
    pub(super) level: String,
    pub(super) rejoin: String,
    pub(super) rejoin_days: Option<u32>,
    pub(super) nested: bool,
    pub(super) state: String,
    pub(super) created: Timestamp,
    pub(super) confirmed: Option<Timestamp>,
    pub(super) retired: Option<Timestamp>,
}

impl Mapping {
    /// The groups that lead to a room, also those that were retired.
    pub(super) async fn of_room(visit: &Visit, room: Uuid) -> Result<Vec<Self>, Failure> {
        let mappings: Page<Self> = visit.get(format!("/mappings?room={room}&limit=500")).await?;
        Ok(mappings.items)
    }

    pub(super) fn name(&self) -> &str {
        self.group_name.as_deref().unwrap_or(&self.group_ref)
    }

    pub(super) fn badge(&self) -> Badge {
        match self.state.as_str() {
            "confirmed" => Badge::new(Tone::Good, "Confirmed"),
            "pending" => Badge::new(Tone::Waiting, "To be confirmed"),
            _ => Badge::new(Tone::Calm, "Retired"),
        }
    }

    pub(super) fn is(&self, state: &str) -> bool {
        self.state == state
    }

    /// How the group was named.
    pub(super) fn named(&self) -> &'static str {
        match self.named_by.as_str() {
            "id" => "by its immutable id",
            _ => "by its name",
        }
    }

    /// What happens to somebody who comes back.
    pub(super) fn returning(&self) -> String {
        match (self.rejoin.as_str(), self.rejoin_days) {
            ("never", _) => "A new membership; nothing is restored".to_owned(),
            ("auto", Some(days)) => format!(
                "What they had comes back by itself within {days} days, where nothing speaks against it"
            ),
            ("auto", None) => {
                "What they had comes back by itself, where nothing speaks against it".to_owned()
            }
            _ => "A new membership, and a restore is suggested".to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "rooms/groups.html")]
struct Groups {
    frame: Frame,
    tab: &'static str,
    room: Room,
    mappings: Vec<Mapping>,
    picture: Flow,
    levels: Levels,
    sources: Vec<Source>,
    form: NewGroup,
    may_add: bool,
}

#[derive(Deserialize)]
pub(super) struct Source {
    pub(super) name: String,
    state: String,
}

impl Groups {
    fn is_source(&self, source: &Source) -> bool {
        self.form.source == source.name
    }

    fn is_level(&self, key: &str) -> bool {
        self.form.level == key
    }

    fn is_rejoin(&self, word: &str) -> bool {
        self.form.rejoin == word
    }
}

/// A group to name for a room.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewGroup {
    source: String,
    group: String,
    level: String,
    rejoin: String,
    rejoin_days: String,
    additional: String,
    reason: String,
}

async fn show(visit: Visit, Path(room): Path<String>) -> Result<Response, Failure> {
    groups(&visit, &room, NewGroup::default(), None).await
}

async fn groups(
    visit: &Visit,
    room: &str,
    form: NewGroup,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let room = Room::load(visit, room).await?;
    let mappings = Mapping::of_room(visit, room.id).await?;
    let levels = Levels::load(visit).await?;
    let sources: Page<Source> = visit.get("/sources?counts=false").await?;
    let ways = mappings.iter().filter(|one| !one.is("retired"));
    let groups = ways.map(|one| Way {
        source: one.source.clone(),
        group: one.name().to_owned(),
        label: match one.is("confirmed") {
            true => format!("start as {}", levels.label(&one.level)),
            false => "not confirmed yet".to_owned(),
        },
        is_open: one.is("confirmed"),
    });
    let template = Groups {
        frame: visit
            .frame(format!("{} – groups", room.name))
            .with(failure.as_ref()),
        tab: "groups",
        picture: Flow {
            room: room.name.clone(),
            groups: groups.collect(),
        },
        may_add: visit.may("POST", "/rooms/{room}/groups") && !room.is_archived(),
        sources: sources
            .items
            .into_iter()
            .filter(|source| source.state == "active")
            .collect(),
        mappings,
        room,
        levels,
        form,
    };
    Ok(page_after(failure.as_ref(), &template))
}

async fn add(visit: Visit, Path(room): Path<String>, posted: Posted<NewGroup>) -> Result<Response, Failure> {
    let form = &posted.form;
    let body = json!({
        "room": room, "source": optional(&form.source), "group": form.group.trim(), "level": optional(&form.level),
        "rejoin": optional(&form.rejoin), "rejoin_days": form.rejoin_days.trim().parse::<u32>().ok(),
        "additional": form.additional == "yes", "reason": optional(&form.reason),
    });
    match visit.write(Method::POST, "/mappings", body, posted.once).await {
        Ok(answer) => {
            let made: Option<Mapping> = serde_json::from_slice(&answer.body).ok();
            let path = format!("/rooms/{}/groups", segment(&room));
            let path = made.map_or_else(|| path.clone(), |made| format!("{path}/{}", made.id));
            Ok(visit.done(&path, "group-named"))
        }
        Err(failure) => groups(&visit, &room, posted.form, Some(failure.refusal()?)).await,
    }
}
