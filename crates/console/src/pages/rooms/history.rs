//! `/rooms/{room}/history`: what happened in a room, as a picture and as a list.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use uuid::Uuid;

use super::membership::Stay;
use super::room::Room;
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Bar, Gantt, Line, Page, Pager};
use crate::pages::event::Event;
use crate::render::page;
use crate::visit::{Site, Visit, query};

/// How many people the picture has.
const LINES: &str = "20";

pub(super) fn router() -> Router<Site> {
    Router::new().route("/rooms/{room}/history", get(show))
}

#[derive(Template)]
#[template(path = "rooms/history.html")]
struct History {
    frame: Frame,
    tab: &'static str,
    room: Room,
    picture: Gantt,
    people: Pager,
    is_former: bool,
    events: Vec<Event>,
    pager: Pager,
    show_room: bool,
    kind: String,
}

impl History {
    fn is_kind(&self, kind: &str) -> bool {
        self.kind == kind
    }
}

async fn show(visit: Visit, Path(room): Path<String>) -> Result<Response, Failure> {
    let room = Room::load(&visit, &room).await?;
    let (people, kind) = (visit.query("people"), visit.query("kind"));
    let is_former = visit.query("who") == "former";
    let former = if is_former { "true" } else { "" };
    let asked = query(&[("limit", LINES), ("former", former), ("cursor", &people)]);
    let stays: Page<Stay> = visit.get(format!("/rooms/{}/stays{asked}", room.id)).await?;
    let (id, path) = (room.id.to_string(), format!("/rooms/{}/history", room.id));
    let filters = [
        ("who", if is_former { "former" } else { "" }),
        ("kind", kind.as_str()),
    ];
    let people = Pager::named("people", &path, &filters, &people, stays.next.as_deref());
    let asked = [("room", id.as_str()), ("kind", known(&kind))];
    let (events, pager) = visit.list("/audit", &asked, &path, &filters).await?;
    Ok(page(&History {
        frame: visit.frame(format!("{} – history", room.name)),
        tab: "history",
        picture: picture(&room.name, stays.items, visit.now()),
        people,
        events,
        pager,
        show_room: false,
        is_former,
        room,
        kind,
    }))
}

/// The kinds of a choice.
fn known(choice: &str) -> &'static str {
    match choice {
        "people" => "membership.*,person.*,restore.*",
        "groups" => "mapping.*",
        "room" => "room.*,order.*",
        "holds" => "hold.*",
        _ => "",
    }
}

/// Stays, a line for each person.
fn picture(room: &str, stays: Vec<Stay>, now: usher_core::Timestamp) -> Gantt {
    let mut order: Vec<Uuid> = Vec::new();
    let mut lines: BTreeMap<Uuid, Line> = BTreeMap::new();
    for stay in stays {
        let person = stay.member.person;
        let line = lines.entry(person.id).or_insert_with(|| {
            order.push(person.id);
            Line {
                label: person.label().to_owned(),
                href: format!("/persons/{}", person.id),
                bars: Vec::new(),
            }
        });
        line.bars.extend(stay.periods.into_iter().map(|period| Bar {
            from: period.from,
            to: period.to,
            kind: stay.member.kind.clone(),
        }));
    }
    let lines = order.iter().filter_map(|id| lines.remove(id)).collect();
    Gantt::new(
        format!("Who was in {room}, and when. The list below says the same in words."),
        lines,
        now,
    )
}
