//! Why a person is, or is not, in a room: facts, the decision that follows from them now, the change behind
//! what is in force, and the next step.

use usher_core::{EndReason, MembershipKind, PersonId, RoomId, Stray};
use usher_storage::query::event::EventRow;
use usher_storage::query::hold::ParkedRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::person::PersonRow;
use usher_storage::query::room::RoomRow;
use usher_storage::{Tx, query};

use crate::ground::{Grounds, grounds};
use crate::person::{self, Who};
use crate::policy::Policy;
use crate::settle::brake::guard_last_administrators;
use crate::settle::facts::{Pair, Suppose, suppose};
use crate::{Decision, Door, EngineError, decide};

/// So many events of the change behind a membership are shown.
const EVENTS: u32 = 20;

/// All that there is to say about one person in one room.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The room.
    pub room: RoomRow,
    /// The person.
    pub person: PersonRow,
    /// Who may be the same person.
    pub similar: Vec<PersonRow>,
    /// Whether the directory and the mappings ask for the person in the room.
    pub desired: bool,
    /// Every mapping of the room against every account, each with why it counts or not, and how fresh it is.
    pub grounds: Grounds,
    /// What is in force.
    pub effective: Option<MembershipRow>,
    /// Why the person waits at the door.
    pub parked: Option<ParkedRow>,
    /// The decision that follows now.
    pub decision: Decision,
    /// What the decision means, in words.
    pub summary: String,
    /// What to do to change it, in words.
    pub next: String,
    /// What the unit of work told that last began or ended a membership of the person here: actor, request and
    /// reason are in each.
    pub events: Vec<EventRow>,
}

/// Explains people in a room: one for an id, everybody with the address for an address.
///
/// # Errors
/// [`EngineError::NotFound`] for an unknown room, and when nobody is meant.
pub async fn explain(
    tx: &mut Tx<'_>,
    policy: &Policy,
    room: RoomId,
    who: &Who,
) -> Result<Vec<Explanation>, EngineError> {
    let room = query::room::by_id(tx, room)
        .await?
        .ok_or_else(|| EngineError::not_found("room", room))?;
    let mut explanations = Vec::new();
    for view in person::view(tx, who).await? {
        explanations.push(explain_one(tx, policy, &room, view).await?);
    }
    Ok(explanations)
}

async fn explain_one(
    tx: &mut Tx<'_>,
    policy: &Policy,
    room: &RoomRow,
    view: person::PersonView,
) -> Result<Explanation, EngineError> {
    let person = view.person;
    let pair = facts(tx, policy, room.id, person.id).await?;
    let decision = decide(&pair.facts);
    let grounds = grounds(tx, room.id, person.id).await?;
    let (summary, next) = words(&decision, &pair, &grounds, room);
    Ok(Explanation {
        room: room.clone(),
        similar: view.similar,
        desired: pair.facts.desired.is_some(),
        grounds,
        parked: pair.parked,
        effective: pair.membership,
        decision,
        summary,
        next,
        events: last_events(tx, room.id, person.id).await?,
        person,
    })
}

async fn facts(
    tx: &mut Tx<'_>,
    policy: &Policy,
    room: RoomId,
    person: PersonId,
) -> Result<Pair, EngineError> {
    let nothing = Suppose::default();
    let mut batch = suppose(tx, policy, EndReason::Removed, &nothing, &[room], &[person]).await?;
    guard_last_administrators(tx, &mut batch).await?;
    let pair = batch.pairs.pop();
    pair.ok_or_else(|| EngineError::not_found("person", person))
}

async fn last_events(tx: &mut Tx<'_>, room: RoomId, person: PersonId) -> Result<Vec<EventRow>, EngineError> {
    let memberships = query::history::of_pair(tx, room, person).await?;
    let ids = memberships.iter().map(|membership| membership.id);
    let periods = query::membership::periods(tx, ids).await?;
    let latest = periods
        .iter()
        .flat_map(|period| {
            let ended = period.to.zip(period.to_change);
            [Some((period.from, period.from_change)), ended]
        })
        .flatten()
        .max();
    match latest {
        Some((_, change)) => Ok(query::history::events_about(tx, change, room, person, EVENTS).await?),
        None => Ok(Vec::new()),
    }
}

fn words(decision: &Decision, pair: &Pair, grounds: &Grounds, room: &RoomRow) -> (String, String) {
    let name = &room.name;
    let groups = grounds.backing_groups().join("', '");
    let refusal = grounds.refusal();
    let why_not = refusal
        .as_ref()
        .map_or_else(String::new, |refusal| refusal.message.clone());
    let to_get_in = refusal.map_or_else(String::new, |refusal| refusal.next);
    let to_end = format!("to end it, remove the person from group '{groups}' at the identity provider");
    match decision {
        Decision::Frozen => (
            format!("room '{name}' is archived: nobody has access and nothing is decided"),
            "reopen the room to decide afresh".to_owned(),
        ),
        Decision::Nothing => (format!("not in room '{name}': {why_not}"), to_get_in),
        Decision::Start(_) => (
            format!("about to come into room '{name}' by group '{groups}'"),
            "repeat any push of the person's account or group".to_owned(),
        ),
        Decision::Park(Door::SameAddress(other)) => (
            format!("waits at the door of room '{name}': person '{other}' in it has the same address"),
            "if the two are one, link them with a reason; else end the other membership".to_owned(),
        ),
        Decision::Park(_) => (
            format!("waits at the door of room '{name}': more people came than the order expected"),
            "approve the room's hold of arrivals".to_owned(),
        ),
        Decision::Override => (
            format!("in room '{name}' by hand, and group '{groups}' asks for the person too"),
            "end the manual membership to let the group's one follow".to_owned(),
        ),
        Decision::Keep | Decision::Release if pair.facts.desired.is_some() => {
            (format!("in room '{name}' because of group '{groups}'"), to_end)
        }
        Decision::Keep => kept_words(pair, &why_not, name),
        Decision::Release => (format!("in room '{name}'"), to_end),
        Decision::KeepLastAdministrator => (
            format!("in room '{name}' as its last administrator, though {why_not}"),
            "give somebody else an administrator level; this membership then ends by itself".to_owned(),
        ),
        Decision::End(reason) | Decision::Hold(reason) => (
            format!("about to leave room '{name}': {reason}"),
            "repeat any push of the person's account or group".to_owned(),
        ),
    }
}

/// Words for what stays though no group asks for it.
fn kept_words(pair: &Pair, why_not: &str, room: &str) -> (String, String) {
    let membership = pair.membership.as_ref();
    let kind = membership.map(|membership| membership.kind);
    let stray = membership.and_then(|membership| membership.stray);
    match (kind, stray) {
        (Some(MembershipKind::Bootstrap), _) => (
            format!("in room '{room}' as the vendor's set-up user"),
            "it ends when an administrator of the room is active".to_owned(),
        ),
        (Some(MembershipKind::Manual), _) => {
            let owner = membership
                .and_then(|membership| membership.owner.as_deref())
                .unwrap_or("nobody");
            (
                format!("in room '{room}' by hand; '{owner}' answers for it"),
                "end the membership by hand".to_owned(),
            )
        }
        (_, Some(Stray::Held)) => (
            format!("in room '{room}' though {why_not}: the brake holds the ending"),
            "approve or reject the hold".to_owned(),
        ),
        (_, Some(Stray::HoldRejected)) => (
            format!("in room '{room}' though {why_not}: a human rejected the ending"),
            "end the membership by hand, or put the person back into the group".to_owned(),
        ),
        (_, Some(Stray::LastAdministrator)) => (
            format!("in room '{room}' as its last administrator, though {why_not}"),
            "give somebody else an administrator level; this membership then ends by itself".to_owned(),
        ),
        (_, stray) => (
            format!(
                "in room '{room}' though {why_not}{}",
                stray.map(|stray| format!(" ({stray})")).unwrap_or_default()
            ),
            "end the membership by hand, or put the person into a group that leads here".to_owned(),
        ),
    }
}
