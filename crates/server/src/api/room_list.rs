//! The list of rooms: in the order of their creation, or by name with a search, and with what each holds.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use usher_core::{RoomId, RoomState};
use usher_engine::Engine;
use usher_storage::query::room::RoomRow;
use usher_storage::query::room_list::{self, RoomCounts, Wanted};
use usher_storage::{StorageError, Tx, query};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page::{Page, Paging};
use super::view::RoomView;
use super::{ApiError, words};

/// Counts go no further.
const MOST_COUNTED: i64 = 10_000;

/// Which rooms.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those whose name has this in it, in any case, by name.
    search: Option<String>,
    /// Those in this state, by name; without it, and by name, all that are not archived.
    #[param(value_type = Option<words::RoomState>)]
    state: Option<RoomState>,
    /// By name instead of in the order of creation.
    #[serde(default)]
    by_name: bool,
    /// Those alone that nobody administers, by name.
    #[serde(default)]
    no_administrator: bool,
    /// With counts of what each holds.
    #[serde(default)]
    counts: bool,
}

/// A room, with what it holds where that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomItemView {
    /// The room.
    #[serde(flatten)]
    room: RoomView,
    /// What it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<RoomCountsView>,
}

/// What a room holds. People are counted up to 10,000.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct RoomCountsView {
    /// Active memberships.
    members: i64,
    /// Those of them that administer the room.
    administrators: i64,
    /// People who wait at its door.
    parked: i64,
    /// Managed memberships that nobody asks for and that stay.
    strays: i64,
    /// Confirmed mappings.
    mappings_confirmed: i64,
    /// Mappings that wait for a confirmation.
    mappings_pending: i64,
}

impl From<RoomCounts> for RoomCountsView {
    fn from(counts: RoomCounts) -> Self {
        Self {
            members: counts.members,
            administrators: counts.administrators,
            parked: counts.parked,
            strays: counts.strays,
            mappings_confirmed: counts.confirmed,
            mappings_pending: counts.pending,
        }
    }
}

/// A page of rooms.
pub(super) async fn page(
    engine: &Engine,
    which: Which,
    paging: &Paging,
) -> Result<Page<RoomItemView>, ApiError> {
    let limit = paging.limit()?;
    let search = which.search.as_deref().unwrap_or_default().trim().to_owned();
    let is_by_name = which.by_name || which.no_administrator || which.state.is_some() || !search.is_empty();
    let place = match (is_by_name, &paging.cursor) {
        (true, Some(cursor)) => Some(parse(cursor)?),
        _ => None,
    };
    let after = match is_by_name {
        true => None,
        false => paging.after::<RoomId>()?,
    };
    let wanted = Wanted {
        search,
        state: which.state,
        no_administrator: which.no_administrator,
    };
    let is_counted = which.counts;
    engine
        .read(move |tx| {
            let (wanted, place) = (wanted.clone(), place.clone());
            Box::pin(async move {
                let (rows, next) = if is_by_name {
                    let place = place.as_ref().map(|(name, id)| (name.as_str(), *id));
                    let mut rows = room_list::page(tx, &wanted, place, limit + 1).await?;
                    let goes_on = rows.len() as u64 > u64::from(limit);
                    rows.truncate(limit as usize);
                    let next = rows.last().filter(|_| goes_on);
                    let next = next.map(|row| written(&row.name.to_lowercase(), row.id));
                    (rows, next)
                } else {
                    let rows = query::room::page(tx, after, limit + 1).await?;
                    Page::<RoomItemView>::cut(rows, limit, |row| row.id)
                };
                let items = views(tx, rows, is_counted).await?;
                Ok::<_, ApiError>(Page { items, next })
            })
        })
        .await
}

/// Rooms, with what they hold where that is asked for.
pub(super) async fn views(
    tx: &mut Tx<'_>,
    rows: Vec<RoomRow>,
    is_counted: bool,
) -> Result<Vec<RoomItemView>, StorageError> {
    let counts = match is_counted {
        true => room_list::counts(tx, rows.iter().map(|row| row.id), MOST_COUNTED).await?,
        false => BTreeMap::new(),
    };
    let views = rows.into_iter().map(|row| RoomItemView {
        counts: is_counted.then(|| counts.get(&row.id).copied().unwrap_or_default().into()),
        room: row.into(),
    });
    Ok(views.collect())
}

fn written(name: &str, id: RoomId) -> String {
    let mut bytes = id.as_uuid().as_bytes().to_vec();
    bytes.extend(name.bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn parse(cursor: &str) -> Result<(String, RoomId), ApiError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .filter(|bytes| bytes.len() >= 16);
    let parsed = bytes.and_then(|bytes| {
        let id = Uuid::from_slice(&bytes[..16]).ok()?;
        let name = String::from_utf8(bytes[16..].to_vec()).ok()?;
        Some((name, RoomId::from_uuid(id)))
    });
    parsed.ok_or_else(|| ApiError::malformed("cursor", "use `next` of the page before as it is"))
}
