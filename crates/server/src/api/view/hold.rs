//! Holds.

use serde::Serialize;
use usher_core::{HoldKind, HoldState};
use usher_engine::hold::HoldView as Shown;
use usher_storage::query::hold::HoldRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{PersonName, RoomName};
use crate::api::words::{self, Time};

/// Several endings, or arrivals, that wait to be decided as one.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldView {
    /// The id.
    pub id: Uuid,
    /// What it holds.
    #[schema(value_type = words::HoldKind)]
    pub kind: HoldKind,
    /// The room.
    pub room: RoomName,
    /// The source.
    pub source: String,
    /// How far it is.
    #[schema(value_type = words::HoldState)]
    pub state: HoldState,
    /// What most likely caused it.
    pub cause: String,
    /// When it was opened.
    pub opened: Time,
    /// When it is applied by itself.
    pub due: Option<Time>,
    /// When it was closed.
    pub closed: Option<Time>,
    /// Rises with every change.
    pub version: i64,
}

impl HoldView {
    /// A hold with its names.
    #[must_use]
    pub fn new(row: HoldRow, room: String, source: String) -> Self {
        Self {
            id: row.id.into(),
            kind: row.kind,
            room: RoomName {
                id: row.room.into(),
                name: room,
            },
            source,
            state: row.state,
            cause: row.cause,
            opened: row.opened.into(),
            due: row.due.map(Time),
            closed: row.closed.map(Time),
            version: row.version,
        }
    }
}

/// A hold with those in it, and the digest that decides about exactly these.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldDetails {
    /// The hold.
    #[serde(flatten)]
    pub hold: HoldView,
    /// Who is in it, a page of them.
    pub people: Vec<HeldView>,
    /// The cursor of the next page of people; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are in it.
    pub count: u64,
    /// What to approve or reject: all who are in it, whoever is on this page.
    pub digest: String,
}

/// One person in a hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldView {
    /// Who.
    pub person: PersonName,
    /// The membership that would end.
    pub membership: Option<Uuid>,
    /// Why it would end, or start.
    pub reason: String,
    /// When it was held.
    pub at: Time,
}

impl From<Shown> for HoldDetails {
    fn from(shown: Shown) -> Self {
        let people = shown
            .people
            .into_iter()
            .map(|held| HeldView {
                person: PersonName::from(held.person),
                membership: held.item.membership.map(Into::into),
                reason: held.item.reason,
                at: held.item.at.into(),
            })
            .collect();
        Self {
            hold: HoldView::new(shown.hold, shown.room.name, shown.source),
            people,
            next: None,
            count: shown.count,
            digest: shown.digest,
        }
    }
}
