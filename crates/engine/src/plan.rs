//! Plans: what would happen to whom, found by the same decision as the live path, and confirmed by a digest.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest, Sha256};
use usher_core::{EndReason, MembershipKind, PersonId, RoomId, Scope, SourceGroupId, SourceUserId, Stray};
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::plan::GroupPerson;
use usher_storage::{Tx, query};

use crate::EngineError;
use crate::policy::Policy;
use crate::settle::brake::guard_last_administrators;
use crate::settle::facts::{Pair, Suppose, suppose};
use crate::settle::{BATCH, Decision, Door, decide};

/// A plan names so many people of each outcome; it counts all.
pub const NAMED: usize = 100;

/// Addresses that several people of one group have: beyond so many, the plan no longer tells who of them
/// waits.
const SHARED_ADDRESSES: u32 = 10_000;

/// What would happen to one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They become a member.
    Joins,
    /// They are a member and stay one.
    Inside,
    /// They are a member by hand, and stay so: an override.
    Override,
    /// They would wait: somebody with the same address is in the room or comes with them.
    SameAddress,
    /// They would wait: more people come than the order expected.
    BeyondExpected,
    /// No access: the account has no e-mail address.
    NoAddress,
    /// No access: the account's address is not the organisation's.
    ForeignDomain,
    /// No access: the account is a guest.
    Guest,
    /// No access: the account is inactive.
    Inactive,
    /// No access: the source has to name the member again after an inactivity.
    Dormant,
    /// No access yet: the group is not assigned to the application. They come in when it is.
    Unassigned,
    /// Nothing happens: the room is archived.
    Archived,
    /// Their membership ends.
    Leaves,
    /// They are no longer wanted, and stay: the room's last administrator.
    KeptLastAdministrator,
    /// They are no longer wanted, and stay: a hold, a rejected hold or an import keeps them.
    KeptOtherwise,
}

impl Outcome {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joins => "joins",
            Self::Inside => "inside",
            Self::Override => "override",
            Self::SameAddress => "same_address",
            Self::BeyondExpected => "beyond_expected",
            Self::NoAddress => "no_address",
            Self::ForeignDomain => "foreign_domain",
            Self::Guest => "guest",
            Self::Inactive => "inactive",
            Self::Dormant => "dormant",
            Self::Unassigned => "unassigned",
            Self::Archived => "archived",
            Self::Leaves => "leaves",
            Self::KeptLastAdministrator => "kept_last_administrator",
            Self::KeptOtherwise => "kept_otherwise",
        }
    }

    /// Whether the person is named by the group and would not get in.
    #[must_use]
    pub const fn is_parked(self) -> bool {
        matches!(
            self,
            Self::SameAddress
                | Self::BeyondExpected
                | Self::NoAddress
                | Self::ForeignDomain
                | Self::Guest
                | Self::Inactive
                | Self::Dormant
                | Self::Unassigned
        )
    }
}

impl From<Scope> for Outcome {
    /// What a scope means for somebody who is not desired.
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::NoAddress => Self::NoAddress,
            Scope::ForeignDomain => Self::ForeignDomain,
            Scope::Guest => Self::Guest,
            Scope::In => Self::Dormant,
        }
    }
}

/// A person in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedPerson {
    /// The person.
    pub person: PersonId,
    /// The company address.
    pub email: Option<String>,
    /// The name that people see.
    pub name: Option<String>,
    /// The level at which they would start, or that they have.
    pub level: Option<String>,
}

/// Everybody with one outcome: all counted, the first [`NAMED`] named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// What would happen.
    pub outcome: Outcome,
    /// To how many.
    pub count: u64,
    /// To whom, the first of them.
    pub first: Vec<PlannedPerson>,
}

/// What would happen in one room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tallies(Vec<Tally>);

impl Tallies {
    /// The outcomes that occur, in the order of [`Outcome`].
    pub fn iter(&self) -> impl Iterator<Item = &Tally> {
        self.0.iter()
    }

    /// To how many this would happen.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.0
            .iter()
            .find(|tally| tally.outcome == outcome)
            .map_or(0, |tally| tally.count)
    }

    /// The people named for an outcome.
    #[must_use]
    pub fn first(&self, outcome: Outcome) -> &[PlannedPerson] {
        self.0
            .iter()
            .find(|tally| tally.outcome == outcome)
            .map_or(&[], |tally| &tally.first)
    }

    /// Puts those who would leave, or are kept, beside what a group does. Who stays inside is told by the group.
    pub(crate) fn add_leavers(&mut self, leavers: Self) {
        self.0.extend(
            leavers
                .0
                .into_iter()
                .filter(|tally| tally.outcome != Outcome::Inside),
        );
        self.0.sort_by_key(|tally| tally.outcome);
    }

    /// How many the group names who would not get in.
    #[must_use]
    pub fn parked(&self) -> u64 {
        self.0
            .iter()
            .filter(|tally| tally.outcome.is_parked())
            .map(|tally| tally.count)
            .sum()
    }
}

/// Collects a plan: counts, first names, and the digest of all of it.
pub(crate) struct Sheet {
    tallies: BTreeMap<Outcome, Tally>,
    digest: Sha256,
}

impl Sheet {
    /// A sheet for one kind of plan; what else it depends on is noted with [`Sheet::note`].
    pub(crate) fn new(kind: &str) -> Self {
        let mut sheet = Self {
            tallies: BTreeMap::new(),
            digest: Sha256::new(),
        };
        sheet.note(kind);
        sheet
    }

    /// Lets the digest depend on a value.
    pub(crate) fn note(&mut self, value: &(impl ToString + ?Sized)) {
        let value = value.to_string();
        self.digest.update(value.len().to_le_bytes());
        self.digest.update(value.as_bytes());
    }

    pub(crate) fn add(&mut self, outcome: Outcome, person: PlannedPerson) {
        self.digest.update(person.person.as_uuid().as_bytes());
        self.note(outcome.as_str());
        self.note(person.level.as_deref().unwrap_or_default());
        let tally = self.tallies.entry(outcome).or_insert_with(|| Tally {
            outcome,
            count: 0,
            first: Vec::new(),
        });
        tally.count += 1;
        if tally.first.len() < NAMED {
            tally.first.push(person);
        }
    }

    /// How many more people with an outcome are named.
    fn places(&self, outcome: Outcome) -> usize {
        let named = self.tallies.get(&outcome).map_or(0, |tally| tally.first.len());
        NAMED - named
    }

    /// Takes the tallies out, for plans of several rooms.
    pub(crate) fn take(&mut self) -> Tallies {
        Tallies(std::mem::take(&mut self.tallies).into_values().collect())
    }

    /// The digest of everything that was put in.
    pub(crate) fn digest(self) -> String {
        self.digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Compares what was confirmed with what would happen now.
pub(crate) fn check_digest(confirmed: &str, now: &str) -> Result<(), EngineError> {
    if confirmed == now {
        Ok(())
    } else {
        Err(EngineError::PlanChanged { digest: now.into() })
    }
}

/// What a plan is made under.
pub(crate) struct Premise<'p> {
    pub(crate) policy: &'p Policy,
    pub(crate) what_if: Suppose,
    pub(crate) removal: EndReason,
    pub(crate) room: RoomId,
}

/// Who walks through the doors of a room, over all chunks of a plan.
pub(crate) struct Doorkeeper {
    /// Places that are left; nothing when the room does not count.
    places: Option<i64>,
    /// Addresses that several people of the group have, and who of them came first.
    shared: BTreeMap<String, Option<PersonId>>,
}

impl Doorkeeper {
    pub(crate) async fn new(
        tx: &mut Tx<'_>,
        room: RoomId,
        group: SourceGroupId,
        leaving: u64,
    ) -> Result<Self, EngineError> {
        let limit = query::room::by_id(tx, room)
            .await?
            .and_then(|room| room.arrival_limit);
        let places = match limit {
            Some(limit) => {
                let inside = query::membership::count_managed(tx, room, i64::MAX).await?;
                Some(limit - inside + i64::try_from(leaving).unwrap_or(0))
            }
            None => None,
        };
        let shared = query::plan::shared_addresses(tx, group, SHARED_ADDRESSES).await?;
        Ok(Self {
            places,
            shared: shared.into_iter().map(|address| (address, None)).collect(),
        })
    }

    /// The door as it will be when this person's turn comes.
    fn door(&mut self, door: Door, person: PersonId, email: Option<&str>) -> Door {
        if let Door::SameAddress(other) = door {
            return Door::SameAddress(other);
        }
        if let Some(first) = email.and_then(|email| self.shared.get_mut(email)) {
            match first {
                Some(other) if *other != person => return Door::SameAddress(*other),
                _ => *first = Some(person),
            }
        }
        match &mut self.places {
            Some(places) => {
                *places -= 1;
                if *places < 0 {
                    Door::BeyondExpected
                } else {
                    Door::Open
                }
            }
            None => Door::Open,
        }
    }
}

/// Walks over a group's people and notes what would happen to each. Answers what `look_for` finds among them
/// by address.
pub(crate) async fn walk_group(
    tx: &mut Tx<'_>,
    premise: &Premise<'_>,
    group: SourceGroupId,
    doorkeeper: &mut Doorkeeper,
    look_for: Option<&str>,
    sheet: &mut Sheet,
) -> Result<Vec<(PersonId, Outcome)>, EngineError> {
    let mut found = Vec::new();
    let mut after: Option<SourceUserId> = None;
    loop {
        let rows = query::plan::group_people(tx, group, after, limit()).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = Some(last.user);
        let by_person: BTreeMap<PersonId, GroupPerson> =
            rows.into_iter().map(|row| (row.person, row)).collect();
        let persons: Vec<PersonId> = by_person.keys().copied().collect();
        let batch = facts(tx, premise, &persons).await?;
        let gone = leaving_others(tx, premise, &batch).await?;
        for mut pair in batch {
            let Some(row) = by_person.get(&pair.person) else {
                continue;
            };
            if pair.facts.desired.is_some() && pair.facts.effective.is_none() {
                if matches!(pair.facts.door, Door::SameAddress(other) if gone.contains(&other)) {
                    pair.facts.door = Door::Open;
                }
                pair.facts.door = doorkeeper.door(pair.facts.door, pair.person, row.email.as_deref());
            }
            let (outcome, level) = group_outcome(&pair, row);
            if look_for.is_some() && row.email.as_deref() == look_for {
                found.push((pair.person, outcome));
            }
            sheet.add(
                outcome,
                PlannedPerson {
                    person: pair.person,
                    email: row.email.clone(),
                    name: Some(row.name.clone()),
                    level,
                },
            );
        }
    }
}

/// Walks over a room's managed members and notes who would leave and who would stay.
pub(crate) async fn walk_room(
    tx: &mut Tx<'_>,
    premise: &Premise<'_>,
    sheet: &mut Sheet,
) -> Result<(), EngineError> {
    let kept = kept_administrators(tx, premise).await?;
    let mut after: Option<PersonId> = None;
    loop {
        let persons = query::membership::page_managed(tx, premise.room, after, limit()).await?;
        let Some(last) = persons.last() else {
            return Ok(());
        };
        after = Some(*last);
        let mut leaving = Vec::new();
        for mut pair in facts(tx, premise, &persons).await? {
            pair.facts.last_administrator = kept.contains(&pair.person);
            let outcome = room_outcome(&pair);
            if let (Some(outcome), Some(membership)) = (outcome, pair.membership) {
                leaving.push((outcome, membership));
            }
        }
        note_members(tx, leaving, sheet).await?;
    }
}

/// The administrators who would have to stay, decided together.
pub(crate) async fn kept_administrators(
    tx: &mut Tx<'_>,
    premise: &Premise<'_>,
) -> Result<BTreeSet<PersonId>, EngineError> {
    let persons: Vec<PersonId> = query::membership::administrators(tx, premise.room)
        .await?
        .iter()
        .filter(|membership| membership.kind == MembershipKind::Managed)
        .map(|membership| membership.person)
        .collect();
    let persons: BTreeSet<PersonId> = persons.into_iter().collect();
    let persons: Vec<PersonId> = persons.into_iter().collect();
    let mut batch = suppose(
        tx,
        premise.policy,
        premise.removal,
        &premise.what_if,
        &[premise.room],
        &persons,
    )
    .await?;
    guard_last_administrators(tx, &mut batch).await?;
    Ok(batch
        .pairs
        .iter()
        .filter(|pair| pair.facts.last_administrator)
        .map(|pair| pair.person)
        .collect())
}

async fn facts(
    tx: &mut Tx<'_>,
    premise: &Premise<'_>,
    persons: &[PersonId],
) -> Result<Vec<Pair>, EngineError> {
    let rooms = [premise.room];
    let batch = suppose(
        tx,
        premise.policy,
        premise.removal,
        &premise.what_if,
        &rooms,
        persons,
    )
    .await?;
    Ok(batch.pairs)
}

/// Who of those that stand in somebody's way by their address would leave under the same premise.
async fn leaving_others(
    tx: &mut Tx<'_>,
    premise: &Premise<'_>,
    batch: &[Pair],
) -> Result<BTreeSet<PersonId>, EngineError> {
    let others: BTreeSet<PersonId> = batch
        .iter()
        .filter_map(|pair| match pair.facts.door {
            Door::SameAddress(other) => Some(other),
            _ => None,
        })
        .collect();
    if others.is_empty() || premise.what_if.retired.is_empty() {
        return Ok(BTreeSet::new());
    }
    let others: Vec<PersonId> = others.into_iter().collect();
    let kept = kept_administrators(tx, premise).await?;
    Ok(facts(tx, premise, &others)
        .await?
        .iter()
        .filter(|pair| !kept.contains(&pair.person) && matches!(decide(&pair.facts), Decision::End(_)))
        .map(|pair| pair.person)
        .collect())
}

fn group_outcome(pair: &Pair, row: &GroupPerson) -> (Outcome, Option<String>) {
    let held = pair
        .membership
        .as_ref()
        .map(|membership| membership.level.clone());
    match decide(&pair.facts) {
        Decision::Frozen => (Outcome::Archived, held),
        Decision::Start(desired) => (Outcome::Joins, Some(desired.level)),
        Decision::Park(Door::SameAddress(_)) => (Outcome::SameAddress, None),
        Decision::Park(_) => (Outcome::BeyondExpected, None),
        Decision::Override => (Outcome::Override, held),
        _ if pair.facts.desired.is_some() => (Outcome::Inside, held),
        _ if !row.active => (Outcome::Inactive, held),
        _ if row.scope == Scope::In && row.unassigned => (Outcome::Unassigned, held),
        _ => (Outcome::from(row.scope), held),
    }
}

/// What would happen to a managed member, unless they simply stay.
fn room_outcome(pair: &Pair) -> Option<Outcome> {
    match decide(&pair.facts) {
        Decision::Frozen => Some(Outcome::Archived),
        Decision::End(_) | Decision::Hold(_) => Some(Outcome::Leaves),
        Decision::KeepLastAdministrator => Some(Outcome::KeptLastAdministrator),
        Decision::Keep if pair.facts.desired.is_none() => {
            match pair.membership.as_ref().and_then(|membership| membership.stray) {
                Some(Stray::LastAdministrator) => Some(Outcome::KeptLastAdministrator),
                Some(_) => Some(Outcome::KeptOtherwise),
                None => None,
            }
        }
        Decision::Keep | Decision::Release => Some(Outcome::Inside),
        _ => None,
    }
}

async fn note_members(
    tx: &mut Tx<'_>,
    members: Vec<(Outcome, MembershipRow)>,
    sheet: &mut Sheet,
) -> Result<(), EngineError> {
    let mut named: BTreeMap<Outcome, Vec<PersonId>> = BTreeMap::new();
    for (outcome, membership) in &members {
        let persons = named.entry(*outcome).or_default();
        if persons.len() < sheet.places(*outcome) {
            persons.push(membership.person);
        }
    }
    let people: BTreeMap<PersonId, _> = query::person::by_ids(tx, named.into_values().flatten())
        .await?
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    for (outcome, membership) in members {
        let person = people.get(&membership.person);
        sheet.add(
            outcome,
            PlannedPerson {
                person: membership.person,
                email: person.and_then(|person| person.email.clone()),
                name: person.and_then(|person| person.display_name.clone()),
                level: Some(membership.level),
            },
        );
    }
    Ok(())
}

fn limit() -> u32 {
    u32::try_from(BATCH).expect("a batch is small")
}
