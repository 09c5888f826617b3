//! `/audit`: everything that happened, the newest first, by room, person, source, actor, kind and time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use usher_core::{ChangeId, Timestamp};
use usher_engine::{Engine, EventKind};
use usher_storage::query::audit::{self, Along};
use usher_storage::query::event::EventRow;
use usher_storage::{Tx, query};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::csv::{self, Csv};
use super::extract::Query;
use super::page::{MOST, Page, Paging};
use super::problem::Problems;
use super::view::{CloudEvent, PersonName, RoomName, names};
use super::{ApiError, name};
use crate::AppState;

/// How many events are looked at for one page: beyond it a page has fewer items than it could.
const LOOKED_AT: usize = 5000;
/// How many events are read together while a filter leaves some out.
const CHUNK: u32 = 500;
/// The most lines of an export.
const MOST_LINES: usize = 100_000;
/// Events are numbered when they are written and timed a moment before, on several nodes: neighbours may stand crosswise.
const CROSSWISE: Duration = Duration::from_secs(120);

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export))
}

/// Which events.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Those about this room, by id or name.
    room: Option<String>,
    /// Those about this person, by id or address.
    person: Option<String>,
    /// Those about this source.
    source: Option<String>,
    /// Those by this actor, as `actor` of an event says it, such as `source:entra`; or by everybody whose name has this in it.
    actor: Option<String>,
    /// Those of these kinds, such as `membership.started` or `membership.*`, separated by commas.
    kind: Option<String>,
    /// Those of the request with this id; with `since` and `before` around it.
    request: Option<String>,
    /// Those since this moment (RFC 3339).
    since: Option<String>,
    /// Those before this moment (RFC 3339).
    before: Option<String>,
}

/// An event, with the names that its room and person have now.
#[derive(Debug, Serialize, ToSchema)]
struct AuditView {
    /// The event.
    #[serde(flatten)]
    event: CloudEvent,
    /// The room.
    room_name: Option<RoomName>,
    /// The person.
    person_name: Option<PersonName>,
}

/// Everything that happened, the newest first. A page may have fewer items than asked for, or none, and still a `next`: what
/// is looked at for one answer is limited.
#[utoipa::path(get, path = "/audit", tag = "events", params(Asked, Paging),
    responses((status = 200, body = Page<AuditView>), Problems))]
async fn list(
    State(state): State<AppState>,
    Query(asked): Query<Asked>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditView>>, ApiError> {
    let limit = paging.limit()?;
    let place = paging.cursor.as_deref().map(Place::parse).transpose()?;
    query::event::publish(state.engine.storage()).await?;
    let page = state
        .engine
        .read(move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let filter = Filter::new(tx, &asked).await?;
                let (rows, next) = page(tx, &filter, place, limit).await?;
                let items = views(tx, rows).await?;
                let next = next.map(|place| place.to_string());
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await?;
    Ok(Json(page))
}

/// Everything that happened, the newest first, as CSV: at most 100,000 lines.
#[utoipa::path(get, path = "/audit/export", tag = "events", params(Asked),
    responses((status = 200, body = String, content_type = "text/csv"), Problems))]
async fn export(State(state): State<AppState>, Query(asked): Query<Asked>) -> Result<Response, ApiError> {
    query::event::publish(state.engine.storage()).await?;
    let engine = state.engine.clone();
    // What is wrong with the question is said before the answer begins.
    let first = lines(&engine, &asked, None).await?;
    let head = [
        "time",
        "type",
        "actor",
        "reason",
        "source",
        "room",
        "room_id",
        "person",
        "person_id",
        "data",
        "request_id",
        "id",
    ];
    let mut sent = 0;
    Ok(csv::stream("usher-audit.csv", &head, first, move |place| {
        let (engine, asked) = (engine.clone(), asked.clone());
        sent += MOST as usize;
        let is_last = sent >= MOST_LINES;
        async move {
            let (lines, next) = lines(&engine, &asked, Some(place)).await?;
            Ok((lines, next.filter(|_| !is_last)))
        }
    }))
}

/// Lines of an export from a place on, and where to go on.
async fn lines(
    engine: &Engine,
    asked: &Asked,
    place: Option<Place>,
) -> Result<(Csv, Option<Place>), ApiError> {
    let asked = asked.clone();
    engine
        .read(move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let filter = Filter::new(tx, &asked).await?;
                let (rows, next) = page(tx, &filter, place, MOST).await?;
                let mut csv = Csv::default();
                for AuditView {
                    event,
                    room_name,
                    person_name,
                } in views(tx, rows).await?
                {
                    csv.line(&[
                        &event.time.0.to_string(),
                        &event.kind,
                        &event.actor,
                        event.reason.as_deref().unwrap_or_default(),
                        &event.source,
                        room_name.as_ref().map_or("", |room| &room.name),
                        &event.room.map_or_else(String::new, |id| id.to_string()),
                        &person_name.map_or_else(String::new, |person| person.to_string()),
                        &event.person.map_or_else(String::new, |id| id.to_string()),
                        &event.data.to_string(),
                        event.requestid.as_deref().unwrap_or_default(),
                        &event.id,
                    ]);
                }
                Ok((csv, next))
            })
        })
        .await
}

async fn views(tx: &mut Tx<'_>, rows: Vec<EventRow>) -> Result<Vec<AuditView>, ApiError> {
    let rooms: BTreeSet<_> = rows.iter().filter_map(|row| row.room).collect();
    let rooms: BTreeMap<_, _> = query::room::by_ids(tx, rooms)
        .await?
        .into_iter()
        .map(|room| (room.id, room.name))
        .collect();
    let people: BTreeSet<_> = rows.iter().filter_map(|row| row.person).collect();
    let people = names(tx, people).await?;
    Ok(rows
        .into_iter()
        .map(|row| AuditView {
            room_name: row.room.map(|id| RoomName {
                id: id.into(),
                name: rooms.get(&id).cloned().unwrap_or_default(),
            }),
            person_name: row.person.map(|id| people.get(id)),
            event: row.into(),
        })
        .collect())
}

/// What is looked for, in ids.
#[derive(Debug)]
struct Filter {
    /// What events are found by: they are of one of these.
    along: Vec<Along>,
    /// Or all by this actor.
    by: Option<(String, String)>,
    rooms: Vec<Along>,
    people: Vec<Along>,
    source: Option<String>,
    actor: Option<String>,
    request: Option<String>,
    kinds: Option<BTreeSet<&'static str>>,
    since: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Filter {
    async fn new(tx: &mut Tx<'_>, asked: &Asked) -> Result<Self, ApiError> {
        let text = |text: &Option<String>| {
            let text = text.as_deref().map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let rooms = match text(&asked.room) {
            Some(room) => vec![Along::Room(name::room(tx, &room).await?.id)],
            None => Vec::new(),
        };
        let people = match text(&asked.person) {
            Some(person) => {
                let id = name::person(tx, &person).await?.id;
                let merged = query::person_search::merged_into(tx, id).await?;
                std::iter::once(id).chain(merged).map(Along::Person).collect()
            }
            None => Vec::new(),
        };
        let source = match text(&asked.source) {
            Some(source) => Some(name::source(tx, &source).await?),
            None => None,
        };
        let kinds = text(&asked.kind).map(|kinds| parse_kinds(&kinds)).transpose()?;
        let actor = text(&asked.actor);
        let by = actor
            .as_deref()
            .and_then(|actor| actor.split_once(':'))
            .map(|(kind, name)| (kind.to_owned(), name.to_owned()));
        let along = match (&people[..], &rooms[..], &by, &kinds, &source) {
            ([_, ..], ..) => people.clone(),
            (_, [_, ..], ..) => rooms.clone(),
            (_, _, Some(_), ..) => Vec::new(),
            (_, _, _, Some(kinds), _) => kinds.iter().copied().map(Along::Kind).collect(),
            (.., Some(source)) => vec![Along::Source(source.key)],
            _ => vec![Along::All],
        };
        Ok(Self {
            by: by.filter(|_| along.is_empty()),
            along,
            rooms,
            people,
            source: source.map(|source| source.name),
            actor: actor.map(|actor| actor.to_lowercase()),
            request: text(&asked.request),
            kinds,
            since: text(&asked.since)
                .map(|text| moment("since", &text))
                .transpose()?,
            before: text(&asked.before)
                .map(|text| moment("before", &text))
                .transpose()?,
        })
    }

    fn wants(&self, row: &EventRow) -> bool {
        let about = |wanted: &[Along], found: Option<Along>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.contains(&found))
        };
        about(&self.rooms, row.room.map(Along::Room))
            && about(&self.people, row.person.map(Along::Person))
            && (self.source.is_none() || self.source == row.source)
            && self
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.contains(row.kind.as_str()))
            && (self.request.is_none() || self.request == row.request_id)
            && self.since.is_none_or(|since| row.at >= since)
            && self.before.is_none_or(|before| row.at < before)
            && self.actor.as_deref().is_none_or(|actor| {
                let whole = format!("{}:{}", row.actor_kind, row.actor).to_lowercase();
                match actor.contains(':') {
                    true => whole == actor,
                    false => whole.contains(actor),
                }
            })
    }

    /// Whether every event that is found is wanted, but for those at the end of a range of time.
    fn is_exact(&self) -> bool {
        let led = usize::from(!self.people.is_empty())
            + usize::from(!self.rooms.is_empty())
            + usize::from(self.source.is_some())
            + usize::from(self.kinds.is_some())
            + usize::from(self.actor.is_some());
        led <= 1 && self.request.is_none() && (self.actor.is_none() || self.by.is_some())
    }
}

/// Where a page ended: at an event, and where events are found by their changes, at one of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    change: ChangeId,
    seq: i64,
}

impl Place {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .filter(|bytes| bytes.len() == 24);
        let parsed = bytes.and_then(|bytes| {
            let change = Uuid::from_slice(&bytes[..16]).ok()?;
            let seq = i64::from_be_bytes(bytes[16..].try_into().ok()?);
            Some(Self {
                change: ChangeId::from_uuid(change),
                seq,
            })
        });
        parsed.ok_or_else(|| ApiError::malformed("cursor", "use `next` of the page before as it is"))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = self.change.as_uuid().as_bytes().to_vec();
        bytes.extend(self.seq.to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Events before a place, the newest first, and the place to go on from while there may be more.
async fn page(
    tx: &mut Tx<'_>,
    filter: &Filter,
    place: Option<Place>,
    limit: u32,
) -> Result<(Vec<EventRow>, Option<Place>), ApiError> {
    let mut place = match place {
        Some(place) => place,
        None => start(tx, filter).await?,
    };
    let chunk = match filter.is_exact() {
        true => limit + 1,
        false => CHUNK,
    };
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let rows = chunk_before(tx, filter, place, chunk).await?;
        let is_end = (rows.len() as u64) < u64::from(chunk);
        for row in rows {
            if filter.since.is_some_and(|since| row.at < since.minus(CROSSWISE)) {
                return Ok((found, None));
            }
            if found.len() as u64 == u64::from(limit) {
                return Ok((found, Some(place)));
            }
            place = Place {
                change: row.change_id,
                seq: row.seq,
            };
            looked_at += 1;
            if filter.wants(&row) {
                found.push(row);
            }
        }
        if is_end {
            return Ok((found, None));
        }
        if looked_at >= LOOKED_AT {
            return Ok((found, Some(place)));
        }
    }
}

/// The next events before a place, wanted or not.
async fn chunk_before(
    tx: &mut Tx<'_>,
    filter: &Filter,
    place: Place,
    limit: u32,
) -> Result<Vec<EventRow>, ApiError> {
    if let Some((kind, name)) = &filter.by {
        let found = audit::by_actor(tx, (kind, name), (place.change, place.seq), limit).await?;
        let seqs = found.iter().map(|(_, seq)| *seq).collect();
        let rows = query::event::by_seqs(tx, seqs).await?;
        let mut rows: BTreeMap<i64, EventRow> = rows.into_iter().map(|row| (row.seq, row)).collect();
        return Ok(found.iter().filter_map(|(_, seq)| rows.remove(seq)).collect());
    }
    let mut seqs = BTreeSet::new();
    for along in &filter.along {
        seqs.extend(audit::before(tx, along, place.seq, limit).await?);
    }
    let newest: Vec<i64> = seqs.into_iter().rev().take(limit as usize).collect();
    let mut rows = query::event::by_seqs(tx, newest).await?;
    rows.reverse();
    Ok(rows)
}

/// Where the first page begins: behind everything, or behind what happened before the end of the range of time.
async fn start(tx: &mut Tx<'_>, filter: &Filter) -> Result<Place, ApiError> {
    let (change, seq) = audit::end();
    let end = Place { change, seq };
    let Some(before) = filter.before.map(|before| before.plus(CROSSWISE)) else {
        return Ok(end);
    };
    if filter.by.is_some() {
        let millis = u128::try_from(before.as_micros() / 1000).unwrap_or_default();
        let change = ChangeId::from_uuid(Uuid::from_u128(millis << 80));
        return Ok(Place { change, seq });
    }
    let last = query::event::last(tx).await?;
    let seq = crate::webhook::first_since(tx, last, before).await?;
    Ok(Place { seq, ..end })
}

/// The kinds that a text names.
fn parse_kinds(text: &str) -> Result<BTreeSet<&'static str>, ApiError> {
    let mut kinds = BTreeSet::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let part = part.strip_prefix("usher.").unwrap_or(part);
        let known = EventKind::ALL.iter().map(|kind| kind.as_str());
        let before = kinds.len();
        match part.strip_suffix('*') {
            Some(prefix) => kinds.extend(known.filter(|kind| kind.starts_with(prefix))),
            None => kinds.extend(known.filter(|kind| *kind == part)),
        }
        if kinds.len() == before {
            let shown: String = part.chars().take(60).collect();
            let problem =
                format!("there is no kind '{shown}'; name kinds as events do, such as membership.started");
            return Err(ApiError::malformed("kind", problem));
        }
    }
    Ok(kinds)
}

fn moment(field: &'static str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| {
        ApiError::malformed(
            field,
            "write the moment as RFC 3339 with an offset, such as 2026-01-31T09:00:00Z",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_one_by_one_or_by_their_beginning() {
        let kinds = parse_kinds("usher.token.created, hold.*").unwrap();
        assert!(kinds.contains("token.created") && kinds.contains("hold.opened"));
        assert!(!kinds.contains("token.revoked"));
        assert!(parse_kinds("membership.vanished").is_err());
    }

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is() {
        let place = Place {
            change: ChangeId::from_uuid(Uuid::from_u128(7)),
            seq: 42,
        };
        assert_eq!(Place::parse(&place.to_string()).unwrap(), place);
        assert!(Place::parse("42").is_err());
    }
}
