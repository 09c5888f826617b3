//! Where an order is: who acts next, what is missing, and since when.

use serde::Serialize;
use usher_core::{EndReason, HoldKind, MappingState, OrderState, PersonId, RoomId, Timestamp};
use usher_storage::query::order::OrderRow;
use usher_storage::{Tx, query};

use super::finalise::{administrators, candidates, inside};
use crate::EngineError;
use crate::policy::{Finalise, Policy};
use crate::settle::facts::{Suppose, suppose};

/// Where an order is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderStatus {
    /// How far the order is.
    pub state: OrderState,
    /// Since when it is so.
    pub since: Timestamp,
    /// Who acts next.
    pub next: Next,
    /// What is missing before the next state, most pressing first; what to do, in a sentence each.
    pub missing: Vec<String>,
    /// How many people are expected.
    pub expected: u32,
    /// How many came.
    pub arrived: i64,
    /// When the last one came.
    pub last_arrival: Option<Timestamp>,
    /// How many wait because more came than were expected.
    pub waiting: i64,
    /// The administrator whom the order names.
    pub administrator: AdministratorState,
    /// Who that is, once seen in the room.
    pub administrator_person: Option<PersonId>,
    /// Whether the vendor's internal user is in the room.
    pub bootstrap_inside: bool,
    /// When the bootstrap membership should have ended; nothing once it has.
    pub bootstrap_due: Option<Timestamp>,
    /// Whether that date has passed.
    pub bootstrap_overdue: bool,
}

/// Who acts next on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// The requester.
    Requester,
    /// The vendor's support.
    Support,
    /// The portal, or support in its place.
    Portal,
    /// The customer's IT, at the identity provider.
    It,
    /// Usher itself.
    Usher,
    /// Nobody: the order is over.
    Nobody,
}

/// What is known of the administrator whom an order names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdministratorState {
    /// No account with the address has been seen.
    NotSeen,
    /// An account is known, and no group leads it to the room.
    NotInGroup,
    /// The group names them, and something stands in the way.
    Waiting,
    /// They are in the room.
    Inside,
    /// They are in the room and administer it.
    Administers,
    /// Several people have the address: a human has to say who is meant.
    Ambiguous,
}

/// Where an order is now.
pub(super) async fn status(
    tx: &mut Tx<'_>,
    policy: &Policy,
    order: &OrderRow,
) -> Result<OrderStatus, EngineError> {
    let mut status = OrderStatus {
        state: order.state,
        since: order.since,
        next: Next::Nobody,
        missing: Vec::new(),
        expected: order.expected,
        arrived: 0,
        last_arrival: None,
        waiting: 0,
        administrator: AdministratorState::NotSeen,
        administrator_person: order.administrator_person,
        bootstrap_inside: false,
        bootstrap_due: order.bootstrap_due,
        bootstrap_overdue: false,
    };
    if let Some(room) = order.room {
        (status.arrived, status.last_arrival) = query::plan::arrivals(tx, room).await?;
        status.waiting = query::plan::waiting_beyond_expected(tx, room).await?;
        status.administrator = administrator(tx, policy, order, room).await?;
        status.bootstrap_inside = !administrators(tx, room).await?.0.is_empty();
        status.bootstrap_overdue = order.alerted.is_some() && status.bootstrap_inside;
    }
    next(tx, policy, order, &mut status).await?;
    Ok(status)
}

async fn next(
    tx: &mut Tx<'_>,
    policy: &Policy,
    order: &OrderRow,
    status: &mut OrderStatus,
) -> Result<(), EngineError> {
    let mut missing = Vec::new();
    status.next = match order.state {
        OrderState::Draft => {
            missing.push("submit the order".to_owned());
            Next::Requester
        }
        OrderState::Submitted => {
            missing.push("accept or reject the order".to_owned());
            Next::Support
        }
        OrderState::Accepted => {
            missing.push("make the room in the portal and report its id and its https address".to_owned());
            Next::Portal
        }
        OrderState::RoomReady => {
            missing.push(mapping_step(tx, order).await?);
            Next::Support
        }
        OrderState::MappingConfirmed => {
            let step = format!(
                "assign group '{}' to the application at the identity provider; the first arrival moves this on",
                order.group_ref
            );
            missing.push(step);
            Next::It
        }
        OrderState::Arriving => arriving_step(order, status.administrator, &mut missing),
        OrderState::Finalising => finalising_step(policy, order, status, &mut missing),
        OrderState::Live | OrderState::Rejected | OrderState::Withdrawn => Next::Nobody,
    };
    if let Some(room) = order.room
        && !query::hold::open_in_room(tx, room, HoldKind::Arrivals)
            .await?
            .is_empty()
    {
        missing.push(format!(
            "{} people more than expected wait: approve or reject their hold",
            status.waiting
        ));
    }
    if status.bootstrap_overdue {
        missing.push("the bootstrap membership should have ended: finish the set-up".to_owned());
    }
    status.missing = missing;
    Ok(())
}

async fn mapping_step(tx: &mut Tx<'_>, order: &OrderRow) -> Result<String, EngineError> {
    let mapping = match order.mapping {
        Some(mapping) => query::mapping::by_id(tx, mapping).await?,
        None => None,
    };
    Ok(match mapping {
        Some(mapping) if mapping.state != MappingState::Retired => {
            "look at the plan of the mapping and confirm it".to_owned()
        }
        _ => "make a mapping for the room: the one of the order was retired".to_owned(),
    })
}

fn arriving_step(order: &OrderRow, state: AdministratorState, missing: &mut Vec<String>) -> Next {
    let name = &order.administrator;
    match state {
        AdministratorState::NotSeen => {
            missing.push(format!(
                "the administrator {name} has not been seen: add them to the group at the identity provider, or name \
                 another administrator"
            ));
            Next::It
        }
        AdministratorState::NotInGroup => {
            missing.push(format!(
                "the administrator {name} is known and not in the group: add them at the identity provider, or name \
                 another administrator"
            ));
            Next::It
        }
        AdministratorState::Waiting => {
            missing.push(format!(
                "the administrator {name} is in the group and has no access: see who waits at the room's door and why"
            ));
            Next::Support
        }
        AdministratorState::Ambiguous => {
            missing.push(format!(
                "several people have the address {name}: say which one is meant"
            ));
            Next::Support
        }
        AdministratorState::Inside | AdministratorState::Administers => Next::Usher,
    }
}

fn finalising_step(
    policy: &Policy,
    order: &OrderRow,
    status: &OrderStatus,
    missing: &mut Vec<String>,
) -> Next {
    match status.administrator {
        AdministratorState::Inside | AdministratorState::Administers => {}
        state => return arriving_step(order, state, missing),
    }
    if status.administrator == AdministratorState::Inside {
        missing.push("give the administrator the administrator level".to_owned());
    } else if status.bootstrap_inside {
        missing.push("end the bootstrap membership".to_owned());
    } else {
        missing.push("put the room in use".to_owned());
    }
    match policy.finalise {
        Finalise::Automatic => Next::Usher,
        Finalise::Guided => Next::Support,
    }
}

async fn administrator(
    tx: &mut Tx<'_>,
    policy: &Policy,
    order: &OrderRow,
    room: RoomId,
) -> Result<AdministratorState, EngineError> {
    let persons: Vec<PersonId> = match order.administrator_person {
        Some(person) => vec![person],
        None => candidates(tx, &order.administrator, room)
            .await?
            .into_iter()
            .map(|person| person.id)
            .collect(),
    };
    let person = match persons.as_slice() {
        [] => return Ok(AdministratorState::NotSeen),
        [only] => *only,
        _ => return Ok(AdministratorState::Ambiguous),
    };
    if let Some(membership) = inside(tx, room, person).await? {
        return Ok(match membership.administrator {
            true => AdministratorState::Administers,
            false => AdministratorState::Inside,
        });
    }
    let what_if = Suppose::default();
    let batch = suppose(tx, policy, EndReason::Removed, &what_if, &[room], &[person]).await?;
    let desired = batch.pairs.iter().any(|pair| pair.facts.desired.is_some());
    let named = query::facts::backings(tx, &[room], &[person]).await?;
    Ok(match desired || !named.is_empty() {
        true => AdministratorState::Waiting,
        false => AdministratorState::NotInGroup,
    })
}
