//! `/rooms/{room}/history`: what happened in a room, as a picture and as a list.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;

use super::membership::{Stay, lines};
use super::room::Room;
use crate::Failure;
use crate::frame::Frame;
use crate::html::{Gantt, Page, Pager};
use crate::pages::event::Event;
use crate::render::page;
use crate::visit::{Site, Visit, query};

/// How many people the picture has.
const LINES: usize = 20;

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
    let asked = query(&[
        ("limit", &LINES.to_string()),
        ("former", former),
        ("cursor", &people),
    ]);
    let stays: Page<Stay> = visit.get(format!("/rooms/{}/stays{asked}", room.id)).await?;
    let title = format!(
        "Who was in {}, and when. The list below says the same in words.",
        room.name
    );
    let lines = lines(&stays.items, LINES, |member| {
        (
            member.person.label().to_owned(),
            format!("/persons/{}", member.person.id),
        )
    });
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
        picture: Gantt::new(title, lines, visit.now()),
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
