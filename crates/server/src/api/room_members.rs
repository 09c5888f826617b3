//! `/rooms/{room}/members` and `/rooms/{room}/stays`: who is in a room, who was, by name, at a moment, and as a file.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use usher_core::{MembershipId, PersonId, RoomId, Timestamp};
use usher_engine::{Engine, history};
use usher_storage::query::membership::MembershipRow;
use usher_storage::{Tx, query};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::csv::{self, Csv};
use super::extract::{Path, Query};
use super::page::{MOST, Page, Paging};
use super::problem::Problems;
use super::rooms::members_at;
use super::view::{MembershipView, StayView, memberships, stays};
use super::{ApiError, name};
use crate::AppState;

/// How many members are looked through for one answer to a search: beyond it a page has fewer items than it could.
const LOOKED_THROUGH: u32 = 10_000;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(members))
        .routes(routes!(export))
        .routes(routes!(room_stays))
}

/// Which members.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Who was in the room at this moment, instead of now (RFC 3339).
    at: Option<String>,
    /// Those now whose name or address has this in it, in any case.
    search: Option<String>,
    /// Memberships that are over, the one that ended last first, instead of those in force.
    #[serde(default)]
    former: bool,
    /// Those in force alone that administer the room.
    #[serde(default)]
    administrators: bool,
}

/// What a list of members is made of.
#[derive(Debug, Clone)]
enum Wanted {
    Now,
    At(Timestamp),
    Named(String),
    Former,
    Administrators,
}

impl Which {
    fn wanted(&self) -> Result<Wanted, ApiError> {
        let search = self
            .search
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let at = self.at.as_deref().filter(|text| !text.is_empty());
        match (at, search, self.former, self.administrators) {
            (None, None, false, false) => Ok(Wanted::Now),
            (Some(at), None, false, false) => Ok(Wanted::At(super::rooms::parse_time(at)?)),
            (None, Some(search), false, false) => Ok(Wanted::Named(search.to_lowercase())),
            (None, None, true, false) => Ok(Wanted::Former),
            (None, None, false, true) => Ok(Wanted::Administrators),
            _ => Err(ApiError::malformed(
                "query",
                "ask for one of at, search, former and administrators at a time",
            )),
        }
    }
}

/// Members of a room: now, or at a moment of the past, or those who are not members any more. A page of a search may have
/// fewer items than asked for, or none, and still a `next`: what is looked through for one answer is limited.
#[utoipa::path(get, path = "/rooms/{room}/members", tag = "rooms", params(Which, Paging),
    responses((status = 200, body = Page<MembershipView>), Problems))]
async fn members(
    State(state): State<AppState>,
    Path(room): Path<String>,
    Query(which): Query<Which>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<MembershipView>>, ApiError> {
    let (limit, wanted) = (paging.limit()?, which.wanted()?);
    let place = paging.cursor.as_deref().map(Place::parse).transpose()?;
    let page = state
        .engine
        .read(move |tx| {
            let (room, wanted) = (room.clone(), wanted.clone());
            Box::pin(async move {
                let room = name::room(tx, &room).await?.id;
                let (rows, next) = page(tx, room, &wanted, place, limit).await?;
                let items = memberships(tx, rows).await?;
                let next = next.map(|place| place.to_string());
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// Members of a room as CSV: now, or as `at`, `search`, `former` and `administrators` say.
#[utoipa::path(get, path = "/rooms/{room}/members/export", tag = "rooms", params(Which),
    responses((status = 200, body = String, content_type = "text/csv"), Problems))]
async fn export(
    State(state): State<AppState>,
    Path(room): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    let wanted = which.wanted()?;
    let engine = state.engine.clone();
    let id = engine
        .read(move |tx| {
            let room = room.clone();
            Box::pin(async move { Ok::<_, ApiError>(name::room(tx, &room).await?.id) })
        })
        .await?;
    let head = [
        "name",
        "email",
        "kind",
        "level",
        "administrator",
        "in_force",
        "since",
        "ended",
        "end_reason",
        "source",
        "stray",
        "owner",
        "note",
        "until",
        "person_id",
        "membership_id",
    ];
    let first = lines(&engine, id, wanted.clone(), None).await?;
    Ok(csv::stream("usher-members.csv", &head, first, move |place| {
        let (engine, wanted) = (engine.clone(), wanted.clone());
        async move { lines(&engine, id, wanted, Some(place)).await }
    }))
}

async fn lines(
    engine: &Engine,
    room: RoomId,
    wanted: Wanted,
    place: Option<Place>,
) -> Result<(Csv, Option<Place>), ApiError> {
    engine
        .read(move |tx| {
            let wanted = wanted.clone();
            Box::pin(async move {
                let (rows, next) = page(tx, room, &wanted, place, MOST).await?;
                let mut csv = Csv::default();
                for one in memberships(tx, rows).await? {
                    let time = |moment: Option<super::words::Time>| {
                        moment.map_or_else(String::new, |moment| moment.0.to_string())
                    };
                    let word = |is: bool| if is { "yes" } else { "no" };
                    csv.line(&[
                        one.person.name.as_deref().unwrap_or_default(),
                        one.person.email.as_deref().unwrap_or_default(),
                        one.kind.as_str(),
                        &one.level,
                        word(one.administrator),
                        word(one.active),
                        &time(Some(one.started)),
                        &time(one.ended),
                        one.end_reason.map_or("", |reason| reason.as_str()),
                        one.source.as_deref().unwrap_or_default(),
                        one.stray.map_or("", |stray| stray.as_str()),
                        one.owner.as_deref().unwrap_or_default(),
                        one.note.as_deref().unwrap_or_default(),
                        &time(one.until),
                        &one.person.id.to_string(),
                        &one.id.to_string(),
                    ]);
                }
                Ok((csv, next))
            })
        })
        .await
}

/// Which stays.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WhichStays {
    /// Those that are over, the one that ended last first, instead of all stays of those who are members now.
    #[serde(default)]
    former: bool,
}

/// Stays in a room with their periods and levels: all stays of those who are members now, a page of people at a time, or the
/// stays that are over.
#[utoipa::path(get, path = "/rooms/{room}/stays", tag = "rooms", params(WhichStays, Paging),
    responses((status = 200, body = Page<StayView>), Problems))]
async fn room_stays(
    State(state): State<AppState>,
    Path(room): Path<String>,
    Query(which): Query<WhichStays>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<StayView>>, ApiError> {
    let limit = paging.limit()?;
    let wanted = if which.former { Wanted::Former } else { Wanted::Now };
    let place = paging.cursor.as_deref().map(Place::parse).transpose()?;
    let page = state
        .engine
        .read(move |tx| {
            let (room, wanted) = (room.clone(), wanted.clone());
            Box::pin(async move {
                let room = name::room(tx, &room).await?.id;
                let (mut rows, next) = page(tx, room, &wanted, place, limit).await?;
                if matches!(wanted, Wanted::Now) {
                    let people: Vec<PersonId> = rows.iter().map(|row| row.person).collect();
                    let former = query::membership::former(tx, &[room], &people).await?;
                    rows.extend(former);
                }
                let found = history::of_memberships(tx, rows).await?;
                let items = stays(tx, found).await?;
                let next = next.map(|place| place.to_string());
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// Where a page ended: at a person, or at a membership that ended at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    id: Uuid,
    ended: i64,
}

impl Place {
    fn of(row: &MembershipRow, wanted: &Wanted) -> Self {
        match wanted {
            Wanted::Former => Self {
                id: row.id.into(),
                ended: row.ended.map_or(0, Timestamp::as_micros),
            },
            _ => Self::at(row.person),
        }
    }

    fn at(person: PersonId) -> Self {
        Self {
            id: person.into(),
            ended: 0,
        }
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .filter(|bytes| bytes.len() == 24);
        let parsed = bytes.and_then(|bytes| {
            let id = Uuid::from_slice(&bytes[..16]).ok()?;
            let ended = i64::from_be_bytes(bytes[16..].try_into().ok()?);
            Some(Self { id, ended })
        });
        parsed.ok_or_else(|| ApiError::malformed("cursor", "use `next` of the page before as it is"))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = self.id.as_bytes().to_vec();
        bytes.extend(self.ended.to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

async fn page(
    tx: &mut Tx<'_>,
    room: RoomId,
    wanted: &Wanted,
    place: Option<Place>,
    limit: u32,
) -> Result<(Vec<MembershipRow>, Option<Place>), ApiError> {
    let after = place.map(|place| PersonId::from_uuid(place.id));
    let mut rows = match wanted {
        Wanted::Now => query::membership::page_active(tx, room, after, limit + 1).await?,
        Wanted::At(at) => members_at(tx, room, *at, after, limit + 1).await?,
        Wanted::Former => {
            let before = place.map(|place| {
                (
                    Timestamp::from_micros(place.ended),
                    MembershipId::from_uuid(place.id),
                )
            });
            query::room_member::former(tx, room, before, limit + 1).await?
        }
        Wanted::Administrators => query::membership::administrators(tx, room).await?,
        Wanted::Named(search) => return named(tx, room, search, after, limit).await,
    };
    let goes_on = rows.len() as u64 > u64::from(limit) && !matches!(wanted, Wanted::Administrators);
    if goes_on {
        rows.truncate(limit as usize);
    }
    let next = rows.last().filter(|_| goes_on).map(|row| Place::of(row, wanted));
    Ok((rows, next))
}

/// Members whose name or address has a text in it, folded.
async fn named(
    tx: &mut Tx<'_>,
    room: RoomId,
    search: &str,
    after: Option<PersonId>,
    limit: u32,
) -> Result<(Vec<MembershipRow>, Option<Place>), ApiError> {
    let people = query::room_member::names(tx, room, after, LOOKED_THROUGH).await?;
    let mut next = (people.len() as u64 == u64::from(LOOKED_THROUGH))
        .then(|| people.last().map(|last| Place::at(last.person)))
        .flatten();
    let mut found = Vec::new();
    for one in people {
        let has = |text: &Option<String>| {
            text.as_deref()
                .is_some_and(|text| text.to_lowercase().contains(search))
        };
        if !has(&one.email) && !has(&one.display_name) {
            continue;
        }
        if found.len() as u64 == u64::from(limit) {
            next = found.last().copied().map(Place::at);
            break;
        }
        found.push(one.person);
    }
    let mut rows = query::membership::active(tx, &[room], &found).await?;
    rows.sort_by_key(|row| row.person);
    Ok((rows, next))
}
