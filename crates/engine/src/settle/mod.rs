//! From what was touched to what is in force: facts, decisions, and their application, in batches.

mod apply;
pub(crate) mod brake;
mod decide;
pub(crate) mod facts;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;
use usher_core::{PersonId, RoomId};
use usher_storage::{StorageError, query};

pub(crate) use apply::about;
pub use decide::{AccountState, Decision, Desired, Door, Effective, PairFacts, decide};
pub(crate) use facts::Expected;

use crate::EngineError;
use crate::unit::Unit;

/// People whose facts are read together.
pub(crate) const BATCH: usize = 1000;

/// Applying may touch again, for instance when a new administrator frees the last one. It ends by itself;
/// this bound turns a mistake of ours into an error.
const MAX_ROUNDS: usize = 16;

/// Decides what was touched and applies it, until nothing is left to decide.
///
/// Boxed here, and so compiled here: every unit that changes something ends in it, and the code of a future is made again
/// wherever it is part of another.
pub(crate) fn settle<'a>(unit: &'a mut Unit<'_, '_>) -> BoxFuture<'a, Result<(), EngineError>> {
    Box::pin(async move {
        for _ in 0..MAX_ROUNDS {
            let pairs = touched_pairs(unit).await?;
            if pairs.is_empty() {
                return Ok(());
            }
            for (rooms, persons) in batches(pairs) {
                let batch = facts::load(unit, &rooms, &persons).await?;
                apply::apply(unit, batch).await?;
            }
        }
        Err(StorageError::Misuse("deciding did not come to an end".into()).into())
    })
}

/// Takes what was touched, as pairs.
async fn touched_pairs(unit: &mut Unit<'_, '_>) -> Result<BTreeSet<(RoomId, PersonId)>, EngineError> {
    let touched = std::mem::take(&mut unit.touched);
    // Before anything is read that decides: of two units that touch one person, the later one sees what the first one did.
    let members = touched.members.iter().map(|(_, person)| *person);
    let of_pairs = touched.pairs.iter().map(|(_, person)| *person);
    let persons = touched.persons.iter().copied().chain(members).chain(of_pairs);
    unit.lock_persons(persons.collect()).await?;
    let mut pairs = touched.pairs;
    if !touched.persons.is_empty() {
        pairs.extend(query::facts::pairs_of_persons(unit.tx, touched.persons).await?);
    }
    if !touched.members.is_empty() {
        let groups: BTreeSet<_> = touched.members.iter().map(|(group, _)| *group).collect();
        let mut rooms: BTreeMap<_, Vec<RoomId>> = BTreeMap::new();
        let confirmed = match unit.foreseen_rooms.take() {
            Some((foreseen, later)) if groups.iter().eq([&foreseen]) => later,
            _ => query::mapping::confirmed_rooms_later(unit.tx, groups).await?,
        };
        for (group, room) in unit.tx.rows(confirmed).await? {
            rooms.entry(group).or_default().push(room);
        }
        for (group, person) in touched.members {
            pairs.extend(
                rooms
                    .get(&group)
                    .into_iter()
                    .flatten()
                    .map(|room| (*room, person)),
            );
        }
    }
    Ok(pairs)
}

/// Cuts pairs into batches that are whole rectangles of rooms and people, so that one statement reads
/// exactly them.
fn batches(pairs: BTreeSet<(RoomId, PersonId)>) -> Vec<(Vec<RoomId>, Vec<PersonId>)> {
    let persons: BTreeSet<PersonId> = pairs.iter().map(|(_, person)| *person).collect();
    if let (1, Some(person)) = (persons.len(), persons.first()) {
        let rooms: Vec<RoomId> = pairs.iter().map(|(room, _)| *room).collect();
        return rooms
            .chunks(BATCH)
            .map(|rooms| (rooms.to_vec(), vec![*person]))
            .collect();
    }
    let mut by_room: BTreeMap<RoomId, Vec<PersonId>> = BTreeMap::new();
    for (room, person) in pairs {
        by_room.entry(room).or_default().push(person);
    }
    by_room
        .into_iter()
        .flat_map(|(room, persons)| {
            persons
                .chunks(BATCH)
                .map(|persons| (vec![room], persons.to_vec()))
                .collect::<Vec<_>>()
        })
        .collect()
}
