//! What was: stays with their periods and levels, who was in a room at a moment, and what stays unasked for.

use std::collections::BTreeMap;

use usher_core::{MembershipId, PersonId, RoomId, Stray, Timestamp};
use usher_storage::query::history::LevelChangeRow;
use usher_storage::query::membership::{MembershipRow, PeriodRow};
use usher_storage::query::person::PersonRow;
use usher_storage::query::room::RoomRow;
use usher_storage::{Tx, query};

use crate::{EngineError, person};

/// One stay with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// The membership as it is now.
    pub membership: MembershipRow,
    /// Its periods, oldest first.
    pub periods: Vec<PeriodRow>,
    /// The levels that it was given after its start, oldest first.
    pub levels: Vec<LevelChangeRow>,
}

/// Somebody who was in a room at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAt {
    /// The membership as it is now.
    pub membership: MembershipRow,
    /// Its level at the moment.
    pub level: String,
    /// Who it is.
    pub person: PersonRow,
}

/// A membership that nobody asks for, and that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrayMember {
    /// The membership.
    pub membership: MembershipRow,
    /// Why it stays.
    pub cause: Stray,
    /// Since when; for a frozen source, when it wrote last.
    pub since: Option<Timestamp>,
    /// Who it is.
    pub person: PersonRow,
    /// The room.
    pub room: RoomRow,
}

/// All stays of a person, newest first.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn of_person(tx: &mut Tx<'_>, id: PersonId) -> Result<Vec<Stay>, EngineError> {
    let person = person::find(tx, id).await?;
    let memberships = query::membership::of_person(tx, person.id).await?;
    stays(tx, memberships).await
}

/// All stays of a person in a room, the active one first, then newest first.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn of_pair(tx: &mut Tx<'_>, room: RoomId, id: PersonId) -> Result<Vec<Stay>, EngineError> {
    let person = person::find(tx, id).await?;
    let memberships = query::history::of_pair(tx, room, person.id).await?;
    stays(tx, memberships).await
}

/// One stay.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn of_membership(tx: &mut Tx<'_>, id: MembershipId) -> Result<Stay, EngineError> {
    let membership = query::membership::by_id(tx, id)
        .await?
        .ok_or_else(|| EngineError::not_found("membership", id))?;
    let stay = stays(tx, vec![membership]).await?.pop();
    stay.ok_or_else(|| EngineError::not_found("membership", id))
}

/// The stays that memberships are, in the same order.
///
/// # Errors
/// What the database says.
pub async fn of_memberships(
    tx: &mut Tx<'_>,
    memberships: Vec<MembershipRow>,
) -> Result<Vec<Stay>, EngineError> {
    stays(tx, memberships).await
}

/// The stays in a room that are over, by id.
///
/// # Errors
/// What the database says.
pub async fn ended_in(
    tx: &mut Tx<'_>,
    room: RoomId,
    after: Option<MembershipId>,
    limit: u32,
) -> Result<Vec<Stay>, EngineError> {
    let memberships = query::history::ended(tx, room, after, limit).await?;
    stays(tx, memberships).await
}

/// Who was in a room at a moment, by person.
///
/// # Errors
/// What the database says.
pub async fn members_at(
    tx: &mut Tx<'_>,
    room: RoomId,
    at: Timestamp,
    after: Option<PersonId>,
    limit: u32,
) -> Result<Vec<MemberAt>, EngineError> {
    let members = query::history::members_at(tx, room, at, after, limit).await?;
    let names = names(tx, members.iter().map(|(membership, _)| membership.person)).await?;
    Ok(members
        .into_iter()
        .filter_map(|(membership, level)| {
            let person = names.get(&membership.person)?.clone();
            Some(MemberAt {
                membership,
                level,
                person,
            })
        })
        .collect())
}

/// The memberships that nobody asks for and that stay, by id.
///
/// # Errors
/// What the database says.
pub async fn strays(
    tx: &mut Tx<'_>,
    after: Option<MembershipId>,
    limit: u32,
) -> Result<Vec<StrayMember>, EngineError> {
    let strays = query::history::strays(tx, after, limit).await?;
    let names = names(tx, strays.iter().map(|(membership, _, _)| membership.person)).await?;
    let rooms: BTreeMap<RoomId, RoomRow> =
        query::room::by_ids(tx, strays.iter().map(|(membership, _, _)| membership.room))
            .await?
            .into_iter()
            .map(|room| (room.id, room))
            .collect();
    Ok(strays
        .into_iter()
        .filter_map(|(membership, cause, since)| {
            Some(StrayMember {
                person: names.get(&membership.person)?.clone(),
                room: rooms.get(&membership.room)?.clone(),
                membership,
                cause,
                since,
            })
        })
        .collect())
}

async fn stays(tx: &mut Tx<'_>, memberships: Vec<MembershipRow>) -> Result<Vec<Stay>, EngineError> {
    let ids: Vec<MembershipId> = memberships.iter().map(|membership| membership.id).collect();
    let mut periods: BTreeMap<MembershipId, Vec<PeriodRow>> = BTreeMap::new();
    for period in query::membership::periods(tx, ids.iter().copied()).await? {
        periods.entry(period.membership).or_default().push(period);
    }
    let mut levels: BTreeMap<MembershipId, Vec<LevelChangeRow>> = BTreeMap::new();
    for level in query::history::level_changes(tx, ids).await? {
        levels.entry(level.membership).or_default().push(level);
    }
    Ok(memberships
        .into_iter()
        .map(|membership| Stay {
            periods: periods.remove(&membership.id).unwrap_or_default(),
            levels: levels.remove(&membership.id).unwrap_or_default(),
            membership,
        })
        .collect())
}

async fn names(
    tx: &mut Tx<'_>,
    people: impl IntoIterator<Item = PersonId>,
) -> Result<BTreeMap<PersonId, PersonRow>, EngineError> {
    let people = query::person::by_ids(tx, people).await?;
    Ok(people.into_iter().map(|person| (person.id, person)).collect())
}
