//! What people call things: rooms by name or id, people by address or id, sources by name.

use std::collections::BTreeMap;
use std::str::FromStr;

use usher_core::{GroupNaming, MappingId, MappingState, OrderId, SourceState};
use usher_engine::EngineError;
use usher_engine::mapping::GroupRef;
use usher_engine::person::Who;
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::order::OrderRow;
use usher_storage::query::person::PersonRow;
use usher_storage::query::room::RoomRow;
use usher_storage::query::source::SourceRow;
use usher_storage::{SourceKey, StorageError, Tx, query};

/// An id of this kind of thing.
///
/// # Errors
/// [`EngineError::NotFound`]: text that is no id names nothing.
pub fn id<I: FromStr>(what: &'static str, text: &str) -> Result<I, EngineError> {
    text.parse()
        .map_err(|_| EngineError::not_found(what, short(text)))
}

/// The room with an id, else the one in use with a name.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn room(tx: &mut Tx<'_>, text: &str) -> Result<RoomRow, EngineError> {
    let room = match text.parse() {
        Ok(id) => query::room::by_id(tx, id).await?,
        Err(_) => query::room::by_name(tx, text).await?,
    };
    room.ok_or_else(|| EngineError::not_found("room", short(text)))
}

/// The person with an id, else the only one with an address.
///
/// # Errors
/// [`EngineError::NotFound`], and a refusal that names them where several people have the address.
pub async fn person(tx: &mut Tx<'_>, text: &str) -> Result<PersonRow, EngineError> {
    let mut people = match text.parse() {
        Ok(id) => query::person::by_ids(tx, [id]).await?,
        Err(_) => query::person::by_email(tx, text).await?,
    };
    if people.len() > 1 {
        let ids: Vec<_> = people.iter().map(|person| person.id.to_string()).collect();
        return Err(EngineError::refused(
            "ambiguous_person",
            format!("several people have the address '{}'", short(text)),
            format!("name one of them by id: {}", ids.join(", ")),
        ));
    }
    people
        .pop()
        .ok_or_else(|| EngineError::not_found("person", short(text)))
}

/// The active membership of a person in a room.
///
/// # Errors
/// [`EngineError::NotFound`], and where the address belongs to several people a refusal.
pub async fn active_membership(
    tx: &mut Tx<'_>,
    room_name: &str,
    person_name: &str,
) -> Result<MembershipRow, EngineError> {
    let room = room(tx, room_name).await?;
    let person = person(tx, person_name).await?;
    query::membership::active(tx, &[room.id], &[person.id])
        .await?
        .pop()
        .ok_or_else(|| {
            EngineError::not_found(
                "active membership",
                format!("{} in {}", short(person_name), room.name),
            )
        })
}

/// The source with a name.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn source(tx: &mut Tx<'_>, text: &str) -> Result<SourceRow, EngineError> {
    query::source::by_name(tx, text)
        .await?
        .ok_or_else(|| EngineError::not_found("source", short(text)))
}

/// The source with a name, else the only one that is listened to.
///
/// # Errors
/// [`EngineError::NotFound`], and [`EngineError::Invalid`] where there are several to choose from.
pub async fn source_or_only(tx: &mut Tx<'_>, text: Option<&str>) -> Result<SourceRow, EngineError> {
    if let Some(text) = text {
        return source(tx, text).await;
    }
    let mut sources = query::source::all(tx).await?;
    sources.retain(|source| source.state == SourceState::Active);
    match (sources.pop(), sources.is_empty()) {
        (Some(source), true) => Ok(source),
        (Some(_), false) => Err(EngineError::invalid(
            "source",
            "there are several: name the one that is meant",
        )),
        (None, _) => Err(EngineError::not_found("source", "active")),
    }
}

/// A source's name: the one given, else that of a row.
///
/// # Errors
/// What the database says.
pub async fn source_or(tx: &mut Tx<'_>, text: Option<&str>, key: SourceKey) -> Result<String, StorageError> {
    match text {
        Some(text) => Ok(text.to_owned()),
        None => Ok(query::source::by_key(tx, key)
            .await?
            .map_or_else(String::new, |source| source.name)),
    }
}

/// A group as a human names it, of a source that may be left out where there is only one.
///
/// # Errors
/// As [`source_or_only`].
pub async fn group(
    tx: &mut Tx<'_>,
    source: Option<&str>,
    text: &str,
    named_by: Option<GroupNaming>,
) -> Result<GroupRef, EngineError> {
    let source = source_or_only(tx, source).await?;
    Ok(GroupRef {
        source: source.key,
        group: text.to_owned(),
        named_by: naming(&source, text, named_by),
    })
}

/// What a human names a group by: a UUID is an id, anything else a name, unless they say. A source that is only read knows
/// groups by their ids.
#[must_use]
pub fn naming(source: &SourceRow, text: &str, named_by: Option<GroupNaming>) -> GroupNaming {
    named_by.unwrap_or_else(|| match text.trim().parse::<uuid::Uuid>() {
        Err(_) if source.mode != "pull" => GroupNaming::Name,
        _ => GroupNaming::Id,
    })
}

/// How a human names a person: by id or address.
#[must_use]
pub fn who(text: &str) -> Who {
    text.parse()
        .map_or_else(|_| Who::Email(text.trim().to_owned()), Who::Person)
}

/// The mapping with an id, else the only one of a room that is not retired.
///
/// # Errors
/// [`EngineError::NotFound`], and a refusal that names them where the room has several.
pub async fn mapping(tx: &mut Tx<'_>, text: &str) -> Result<MappingRow, EngineError> {
    if let Ok(id) = text.parse::<MappingId>()
        && let Some(mapping) = query::mapping::by_id(tx, id).await?
    {
        return Ok(mapping);
    }
    let Ok(room) = room(tx, text).await else {
        return Err(EngineError::not_found("mapping", short(text)));
    };
    let mut mappings = query::mapping::of_room(tx, room.id).await?;
    mappings.retain(|mapping| mapping.state != MappingState::Retired);
    if mappings.len() > 1 {
        let names: Vec<_> = mappings
            .iter()
            .map(|mapping| format!("{} ({})", mapping.id, mapping.group_ref))
            .collect();
        return Err(EngineError::refused(
            "ambiguous_mapping",
            format!("room '{}' has several mappings", room.name),
            format!("name one of them by id: {}", names.join(", ")),
        ));
    }
    mappings
        .pop()
        .ok_or_else(|| EngineError::not_found("mapping", short(text)))
}

/// The order with an id, else the one under way for a room of this name, else the newest of that room.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn order(tx: &mut Tx<'_>, text: &str) -> Result<OrderRow, EngineError> {
    let order = match text.parse::<OrderId>() {
        Ok(id) => query::order::by_id(tx, id).await?,
        Err(_) => match query::order::under_way_by_name(tx, text).await? {
            Some(order) => Some(order),
            None => match query::room::by_name(tx, text).await? {
                Some(room) => query::order::of_room(tx, room.id).await?,
                None => None,
            },
        },
    };
    order.ok_or_else(|| EngineError::not_found("order", short(text)))
}

/// The names of all sources: there are few.
///
/// # Errors
/// What the database says.
pub async fn sources(tx: &mut Tx<'_>) -> Result<BTreeMap<SourceKey, String>, StorageError> {
    let sources = query::source::all(tx).await?;
    Ok(sources
        .into_iter()
        .map(|source| (source.key, source.name))
        .collect())
}

/// Enough of a text to recognise it by.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
