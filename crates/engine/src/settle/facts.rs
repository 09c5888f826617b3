//! Facts for a rectangle of rooms and people, in a number of statements that does not depend on how many
//! there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use usher_core::{EndReason, MappingId, MappingState, PersonId, RoomId, RoomState, Scope, SourceUserId};
use usher_storage::query;
use usher_storage::query::facts::{Account, Backing};
use usher_storage::query::hold::ParkedRow;
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::person::PersonRow;
use usher_storage::query::restore::Former;
use usher_storage::query::room::RoomRow;
use usher_storage::{Later, Tx};

use super::decide::{AccountState, Desired, Door, Effective, PairFacts};
use crate::EngineError;
use crate::policy::Policy;
use crate::unit::Unit;

/// The facts of a batch, and the rows that applying needs.
pub(crate) struct Batch {
    pub(crate) rooms: BTreeMap<RoomId, RoomRow>,
    pub(crate) pairs: Vec<Pair>,
    /// Address and name of those who may start.
    pub(crate) people: BTreeMap<PersonId, PersonRow>,
    /// Their former memberships; a plan asks for them where it needs them.
    pub(crate) formers: Vec<Former>,
}

/// One person in one room.
pub(crate) struct Pair {
    pub(crate) room: RoomId,
    pub(crate) person: PersonId,
    pub(crate) facts: PairFacts,
    pub(crate) membership: Option<MembershipRow>,
    pub(crate) parked: Option<ParkedRow>,
}

/// What a plan takes for true that is not so yet. The live path supposes nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suppose {
    /// This mapping is confirmed.
    pub(crate) confirmed: Option<MappingRow>,
    /// These mappings are retired.
    pub(crate) retired: BTreeSet<MappingId>,
    /// These accounts have another scope.
    pub(crate) scopes: BTreeMap<SourceUserId, Scope>,
}

/// Reads the facts as they are. Brake and last administrator are left at "passes" and "no": they depend on
/// what else ends and are found by [`super::brake`].
pub(super) async fn load(
    unit: &mut Unit<'_, '_>,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Batch, EngineError> {
    let policy = Arc::clone(&unit.policy);
    let removal = unit.removal.reason;
    let expected = unit.expected;
    let (mut rows, mut asked) = ask(unit.tx, rooms, persons, true, expected).await?;
    let counted = |room: &&RoomRow| room.state == RoomState::Preparing || room.arrival_limit.is_some();
    let counted = rows.values().filter(counted).map(|room| room.id).collect();
    if unit.lock_rooms(counted).await? {
        (rows, asked) = ask(unit.tx, rooms, persons, true, expected).await?;
    }
    asked.with_formers = true;
    let what_if = Suppose::default();
    suppose_in(unit.tx, &policy, removal, &what_if, (rows, rooms), persons, asked).await
}

/// What a unit will most likely come to, so that what is read for it is asked for at once. Nothing is decided by it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    /// Somebody starts.
    pub(crate) arrivals: bool,
    /// Somebody ends.
    pub(crate) endings: bool,
}

/// What is asked for together with the rooms.
struct Asked {
    with_formers: bool,
    /// Nothing where no group leads to the rooms.
    backings: Option<Later<Backing>>,
    active: Later<MembershipRow>,
    parked: Later<((RoomId, PersonId), ParkedRow)>,
    /// Of everybody, where somebody is expected to start.
    arrivals: Option<Arrivals>,
    /// Of everybody, where somebody is expected to end.
    accounts: Option<Later<Account>>,
}

/// What is to know of people before they start.
struct Arrivals {
    inside: Later<(RoomId, PersonId, PersonId)>,
    formers: Option<Later<Former>>,
    named: Later<PersonRow>,
}

async fn ask_arrivals(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
    with_formers: bool,
) -> Result<Arrivals, EngineError> {
    Ok(Arrivals {
        inside: query::person::same_address_inside(tx, rooms, persons).await?,
        formers: match with_formers {
            true => Some(query::restore::formers_later(tx, rooms, persons).await?),
            false => None,
        },
        named: query::person::by_ids_later(tx, persons.iter().copied()).await?,
    })
}

async fn ask(
    tx: &mut Tx<'_>,
    rooms: &[RoomId],
    persons: &[PersonId],
    led: bool,
    expected: Expected,
) -> Result<(BTreeMap<RoomId, RoomRow>, Asked), EngineError> {
    let rows = query::room::by_ids_later(tx, rooms.iter().copied()).await?;
    let asked = Asked {
        with_formers: false,
        backings: match led {
            true => Some(query::facts::backings_later(tx, rooms, persons).await?),
            false => None,
        },
        active: query::membership::active_later(tx, rooms, persons).await?,
        parked: query::hold::parked_later(tx, rooms, persons).await?,
        arrivals: match expected.arrivals {
            true => Some(ask_arrivals(tx, rooms, persons, true).await?),
            false => None,
        },
        accounts: match expected.endings {
            true => Some(query::facts::accounts_later(tx, persons).await?),
            false => None,
        },
    };
    let rows = tx.rows(rows).await?;
    Ok((rows.into_iter().map(|room| (room.id, room)).collect(), asked))
}

/// Reads the facts as they would be. Brake and last administrator as in [`load`].
pub(crate) async fn suppose(
    tx: &mut Tx<'_>,
    policy: &Policy,
    removal: EndReason,
    what_if: &Suppose,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<Batch, EngineError> {
    let led = is_led_to(tx, what_if, rooms).await?;
    let (rows, asked) = ask(tx, rooms, persons, led, Expected::default()).await?;
    suppose_in(tx, policy, removal, what_if, (rows, rooms), persons, asked).await
}

/// Whether a mapping that counts leads to one of these rooms. Where none is left, nobody has to be looked for in its group.
async fn is_led_to(tx: &mut Tx<'_>, what_if: &Suppose, rooms: &[RoomId]) -> Result<bool, EngineError> {
    if what_if.retired.is_empty() {
        return Ok(true);
    }
    for room in rooms {
        let mappings = query::mapping::of_room(tx, *room).await?;
        let counts = |mapping: &MappingRow| {
            mapping.state == MappingState::Confirmed && !what_if.retired.contains(&mapping.id)
        };
        if mappings.iter().any(counts) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn suppose_in(
    tx: &mut Tx<'_>,
    policy: &Policy,
    removal: EndReason,
    what_if: &Suppose,
    (room_rows, rooms): (BTreeMap<RoomId, RoomRow>, &[RoomId]),
    persons: &[PersonId],
    asked: Asked,
) -> Result<Batch, EngineError> {
    let backings = match asked.backings {
        Some(backings) => tx.rows(backings).await?,
        None => Vec::new(),
    };
    let mut desired = desired_by(tx, policy, what_if, rooms, persons, backings).await?;
    let mut active: BTreeMap<_, _> = tx
        .rows(asked.active)
        .await?
        .into_iter()
        .map(|membership| ((membership.room, membership.person), membership))
        .collect();
    let mut parked: BTreeMap<_, _> = tx.rows(asked.parked).await?.into_iter().collect();

    let unwanted: BTreeSet<PersonId> = active
        .keys()
        .filter(|pair| !desired.contains_key(*pair))
        .map(|(_, person)| *person)
        .collect();
    let arriving: BTreeSet<PersonId> = desired
        .keys()
        .filter(|pair| !active.contains_key(*pair))
        .map(|(_, person)| *person)
        .collect();
    let listed = |persons: &BTreeSet<PersonId>| persons.iter().copied().collect::<Vec<_>>();
    let accounts = match (unwanted.is_empty(), asked.accounts) {
        (true, _) => None,
        (false, None) => Some(query::facts::accounts_later(tx, &listed(&unwanted)).await?),
        (false, asked) => asked,
    };
    let mut doors = Doors::new();
    let (mut people, mut formers) = (BTreeMap::new(), Vec::new());
    if !arriving.is_empty() {
        let arrivals = match asked.arrivals {
            None => ask_arrivals(tx, rooms, &listed(&arriving), asked.with_formers).await?,
            Some(arrivals) => arrivals,
        };
        for (room, person, other) in tx.rows(arrivals.inside).await? {
            if arriving.contains(&person) {
                doors.insert((room, person), Door::SameAddress(other));
            }
        }
        let named = tx.rows(arrivals.named).await?.into_iter();
        let named = named.filter(|person| arriving.contains(&person.id));
        people.extend(named.map(|person| (person.id, person)));
        if let Some(known) = arrivals.formers {
            formers = tx.rows(known).await?;
        }
    }
    let accounts = match accounts {
        Some(accounts) => {
            let mut accounts = tx.rows(accounts).await?;
            accounts.retain(|account| unwanted.contains(&account.person));
            states_of(what_if, &listed(&unwanted), accounts)
        }
        None => BTreeMap::new(),
    };
    close_doors_for_twins(rooms, &people, &mut doors);
    let newcomers = desired
        .keys()
        .filter(|pair| !active.contains_key(*pair))
        .copied()
        .collect::<Vec<_>>();
    close_full_rooms(tx, &room_rows, &newcomers, &mut doors).await?;

    let mut pairs = Vec::with_capacity(rooms.len() * persons.len());
    for room in rooms {
        let archived = room_rows
            .get(room)
            .is_none_or(|row| row.state == RoomState::Archived);
        for person in persons {
            let pair = (*room, *person);
            let membership = active.remove(&pair);
            pairs.push(Pair {
                room: *room,
                person: *person,
                facts: PairFacts {
                    desired: desired.remove(&pair),
                    effective: membership.as_ref().map(|membership| Effective {
                        kind: membership.kind,
                        stray: membership.stray,
                    }),
                    account: accounts.get(person).copied().unwrap_or(AccountState::Usable),
                    archived,
                    door: doors.get(&pair).copied().unwrap_or(Door::Open),
                    last_administrator: false,
                    brake_passes: true,
                    removal,
                },
                membership,
                parked: parked.remove(&pair),
            });
        }
    }
    Ok(Batch {
        rooms: room_rows,
        pairs,
        people,
        formers,
    })
}

/// What is asked for, for those of the pairs for whom something is.
pub(crate) async fn desired(
    tx: &mut Tx<'_>,
    policy: &Policy,
    what_if: &Suppose,
    rooms: &[RoomId],
    persons: &[PersonId],
) -> Result<BTreeMap<(RoomId, PersonId), Desired>, EngineError> {
    let backings = query::facts::backings(tx, rooms, persons).await?;
    desired_by(tx, policy, what_if, rooms, persons, backings).await
}

async fn desired_by(
    tx: &mut Tx<'_>,
    policy: &Policy,
    what_if: &Suppose,
    rooms: &[RoomId],
    persons: &[PersonId],
    mut backings: Vec<Backing>,
) -> Result<BTreeMap<(RoomId, PersonId), Desired>, EngineError> {
    if let Some(mapping) = &what_if.confirmed
        && rooms.contains(&mapping.room)
    {
        backings.retain(|backing| backing.mapping != mapping.id);
        backings.extend(query::facts::backings_by(tx, mapping, persons).await?);
    }
    let mut desired: BTreeMap<(RoomId, PersonId), Desired> = BTreeMap::new();
    for mut backing in backings {
        if what_if.retired.contains(&backing.mapping) {
            continue;
        }
        if let Some(scope) = what_if.scopes.get(&backing.user) {
            backing.scope = *scope;
        }
        if backing.counts() {
            let pair = (backing.room, backing.person);
            match desired.get_mut(&pair) {
                None => {
                    desired.insert(pair, from_backing(backing));
                }
                Some(known) => join(policy, known, backing),
            }
        }
    }
    Ok(desired)
}

fn from_backing(backing: Backing) -> Desired {
    Desired {
        mapping: backing.mapping,
        user: backing.user,
        source: backing.source,
        level: backing.level,
        rejoin: backing.rejoin,
        rejoin_days: backing.rejoin_days,
    }
}

/// Several groups lead to one room: the lowest starting level and the strictest rejoin policy win.
fn join(policy: &Policy, known: &mut Desired, backing: Backing) {
    let rank = |level: &str| policy.levels.get(level).map_or(0, |level| level.rank);
    known.rejoin = known.rejoin.max(backing.rejoin);
    known.rejoin_days = match (known.rejoin_days, backing.rejoin_days) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    if (rank(&backing.level), backing.mapping) < (rank(&known.level), known.mapping) {
        known.level = backing.level;
        known.mapping = backing.mapping;
        known.user = backing.user;
        known.source = backing.source;
    }
}

/// What stands behind people, over all of their accounts.
pub(crate) async fn account_states(
    tx: &mut Tx<'_>,
    what_if: &Suppose,
    persons: &[PersonId],
) -> Result<BTreeMap<PersonId, AccountState>, EngineError> {
    if persons.is_empty() {
        return Ok(BTreeMap::new());
    }
    let accounts = query::facts::accounts(tx, persons).await?;
    Ok(states_of(what_if, persons, accounts))
}

fn states_of(
    what_if: &Suppose,
    persons: &[PersonId],
    accounts: Vec<Account>,
) -> BTreeMap<PersonId, AccountState> {
    let mut states: BTreeMap<_, _> = persons
        .iter()
        .map(|person| (*person, AccountState::None))
        .collect();
    for mut account in accounts {
        if let Some(scope) = what_if.scopes.get(&account.user) {
            account.scope = *scope;
        }
        let state = states.entry(account.person).or_insert(AccountState::None);
        *state = better(*state, state_of(account));
    }
    states
}

fn state_of(account: Account) -> AccountState {
    match account {
        Account { gone: true, .. } => AccountState::Gone,
        Account { active: false, .. } => AccountState::Inactive,
        Account { scope: Scope::In, .. } => AccountState::Usable,
        _ => AccountState::OutOfScope,
    }
}

fn better(a: AccountState, b: AccountState) -> AccountState {
    let rank = |state| match state {
        AccountState::None => 0,
        AccountState::Gone => 1,
        AccountState::Inactive => 2,
        AccountState::OutOfScope => 3,
        AccountState::Usable => 4,
    };
    if rank(b) > rank(a) { b } else { a }
}

type Doors = BTreeMap<(RoomId, PersonId), Door>;

/// The first in order take the places that are left; the others wait.
async fn close_full_rooms(
    tx: &mut Tx<'_>,
    rooms: &BTreeMap<RoomId, RoomRow>,
    newcomers: &[(RoomId, PersonId)],
    doors: &mut Doors,
) -> Result<(), EngineError> {
    for room in rooms.values() {
        let Some(limit) = room.arrival_limit else { continue };
        if !newcomers.iter().any(|pair| pair.0 == room.id) {
            continue;
        }
        let mut places = limit - query::membership::count_managed(tx, room.id, limit).await?;
        for pair in newcomers.iter().filter(|pair| pair.0 == room.id) {
            if doors.contains_key(pair) {
                continue;
            }
            if places <= 0 {
                doors.insert(*pair, Door::BeyondExpected);
            }
            places -= 1;
        }
    }
    Ok(())
}

/// Two newcomers with one address: the first in order goes in, the other waits.
fn close_doors_for_twins(rooms: &[RoomId], people: &BTreeMap<PersonId, PersonRow>, doors: &mut Doors) {
    let mut first: BTreeMap<&str, PersonId> = BTreeMap::new();
    let mut twins = Vec::new();
    for person in people.values() {
        if let Some(email) = person.email.as_deref() {
            match first.get(email) {
                None => {
                    first.insert(email, person.id);
                }
                Some(other) => twins.push((person.id, *other)),
            }
        }
    }
    for room in rooms {
        for (twin, other) in &twins {
            doors.entry((*room, *twin)).or_insert(Door::SameAddress(*other));
        }
    }
}
