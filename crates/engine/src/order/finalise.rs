//! From the first arrival to the room in use.
//!
//! The administrator whom the order names is bound to a person when first seen in the room, gets the
//! administrator level, and only then the vendor's internal user leaves. Each step has its guard, whether
//! sync or a person takes it.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use serde_json::json;
use usher_core::{HoldKind, MembershipKind, OrderId, OrderState, PersonId, RoomId, RoomState};
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::order::OrderRow;
use usher_storage::query::person::PersonRow;
use usher_storage::{Tx, query};

use super::{fields, get, is_over, moved_on};
use crate::policy::Finalise;
use crate::settle::AccountState;
use crate::settle::facts::{Suppose, account_states};
use crate::unit::Unit;
use crate::{EngineError, EventKind, room};

/// Moves a room's order on after people came or left.
pub(crate) async fn after_arrivals(unit: &mut Unit<'_, '_>, room: RoomId) -> Result<(), EngineError> {
    let Some(order) = query::order::of_room(unit.tx, room).await? else {
        return Ok(());
    };
    if order.state == OrderState::MappingConfirmed {
        if query::membership::count_managed(unit.tx, room, 1).await? == 0 {
            return Ok(());
        }
        unit.move_order(order, OrderState::Arriving, None).await?;
    }
    unit.advance_order(room).await
}

impl Unit<'_, '_> {
    /// Names another administrator, until the order is finalised. One who got the level already goes back to
    /// the level at which people start.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for an address that is not the organisation's; [`EngineError::Refused`]:
    /// `order_moved_on`, `no_administrator_yet` when the one before is the room's last.
    pub async fn change_administrator(
        &mut self,
        id: OrderId,
        administrator: &str,
    ) -> Result<OrderRow, EngineError> {
        let before = get(self.tx, id).await?;
        if is_over(before.state) {
            return Err(moved_on(&before));
        }
        let administrator = fields::check_administrator(&self.policy, administrator)?;
        if administrator == before.administrator {
            return Ok(before);
        }
        self.lower_former(&before).await?;
        let mut order = OrderRow {
            administrator,
            administrator_person: None,
            raised: None,
            ..before.clone()
        };
        if order.state == OrderState::Finalising {
            order.state = OrderState::Arriving;
            order.since = self.now;
        }
        query::order::update(self.tx, &order).await?;
        let data = json!({ "changed": "administrator", "before": before.administrator });
        self.tell_order(EventKind::OrderChanged, &order, &data);
        if let Some(room) = order.room {
            self.advance_order(room).await?;
        }
        get(self.tx, id).await
    }

    /// Says which person an order's administrator is, where the address alone does not.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `order_moved_on`, `not_in_room`, `other_address`.
    pub async fn bind_administrator(
        &mut self,
        id: OrderId,
        person: PersonId,
    ) -> Result<OrderRow, EngineError> {
        let (order, room) = self.order_under_way(id).await?;
        let known = query::person::by_ids(self.tx, [person]).await?;
        let known = known
            .first()
            .ok_or_else(|| EngineError::not_found("person", person))?;
        if known.email.as_deref() != Some(order.administrator.as_str()) {
            return Err(EngineError::refused(
                "other_address",
                format!("this person does not have the address {}", order.administrator),
                "name this person's address as the administrator's first",
            ));
        }
        if order.administrator_person != Some(person) {
            if inside(self.tx, room, person).await?.is_none() {
                return Err(not_in_room(&order));
            }
            self.bind(order, person).await?;
        }
        self.advance_order(room).await?;
        get(self.tx, id).await
    }

    /// Gives the bound administrator the administrator level that the order asks for.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `order_moved_on`, `administrator_unknown` while nobody is bound, `not_in_room`.
    pub async fn raise_administrator(&mut self, id: OrderId) -> Result<OrderRow, EngineError> {
        let (order, room) = self.order_under_way(id).await?;
        self.raise(order, room).await?;
        get(self.tx, id).await
    }

    /// Ends the bootstrap membership of an order's room.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `order_moved_on`, `no_administrator_yet` before an administrator is active.
    pub async fn finish_bootstrap(&mut self, id: OrderId) -> Result<OrderRow, EngineError> {
        let (order, room) = self.order_under_way(id).await?;
        self.leave_bootstrap(&order, room).await?;
        get(self.tx, id).await
    }

    /// Puts the room of an order in use and tells the requester its SSO URL.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `order_moved_on`, `no_administrator_yet`, `bootstrap_inside`.
    pub async fn go_live(&mut self, id: OrderId) -> Result<OrderRow, EngineError> {
        let order = get(self.tx, id).await?;
        if order.state == OrderState::Live {
            return Ok(order);
        }
        let (order, room) = self.order_under_way(id).await?;
        self.put_live(order, room).await?;
        get(self.tx, id).await
    }

    /// Takes the steps that can be taken by themselves. Boxed for the reason that [`crate::settle::settle`] is.
    fn advance_order(&mut self, room: RoomId) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(self.take_steps(room))
    }

    async fn take_steps(&mut self, room: RoomId) -> Result<(), EngineError> {
        let Some(mut order) = query::order::of_room(self.tx, room).await? else {
            return Ok(());
        };
        if !matches!(order.state, OrderState::Arriving | OrderState::Finalising) {
            return Ok(());
        }
        if order.administrator_person.is_none() {
            match self.find_administrator(&order, room).await? {
                Some(person) => order = self.bind(order, person).await?,
                None => return Ok(()),
            }
        }
        let Some(person) = order.administrator_person else {
            return Ok(());
        };
        if inside(self.tx, room, person).await?.is_none() {
            return Ok(());
        }
        if order.state == OrderState::Arriving {
            self.move_order(order.clone(), OrderState::Finalising, None)
                .await?;
            order = get(self.tx, order.id).await?;
        }
        if self.policy.finalise == Finalise::Guided {
            return Ok(());
        }
        self.raise(order.clone(), room).await?;
        self.leave_bootstrap(&order, room).await?;
        let order = get(self.tx, order.id).await?;
        self.put_live(order, room).await
    }

    /// The one person in the room with the address that the order names. Where two people have it, a human
    /// has to say which.
    async fn find_administrator(
        &mut self,
        order: &OrderRow,
        room: RoomId,
    ) -> Result<Option<PersonId>, EngineError> {
        let candidates = candidates(self.tx, &order.administrator, room).await?;
        match candidates.as_slice() {
            [] => Ok(None),
            [only] => Ok(inside(self.tx, room, only.id).await?.map(|_| only.id)),
            several => {
                let persons: Vec<PersonId> = several.iter().map(|person| person.id).collect();
                let new = query::membership::active(self.tx, &[room], &persons)
                    .await?
                    .iter()
                    .any(|membership| membership.started == self.now)
                    || query::hold::parked(self.tx, &[room], &persons)
                        .await?
                        .values()
                        .any(|parked| parked.since == self.now);
                if new {
                    let data = json!({
                        "alert": "administrator_ambiguous", "persons": persons,
                        "next": "say which of these people the administrator is",
                    });
                    self.tell_order(EventKind::OrderAlert, order, &data);
                }
                Ok(None)
            }
        }
    }

    async fn bind(&mut self, order: OrderRow, person: PersonId) -> Result<OrderRow, EngineError> {
        let bound = OrderRow {
            administrator_person: Some(person),
            ..order
        };
        query::order::update(self.tx, &bound).await?;
        self.tell_order(
            EventKind::OrderAdministratorBound,
            &bound,
            &json!({ "person": person }),
        );
        Ok(bound)
    }

    async fn raise(&mut self, order: OrderRow, room: RoomId) -> Result<(), EngineError> {
        let Some(person) = order.administrator_person else {
            return Err(EngineError::refused(
                "administrator_unknown",
                format!("{} has not been seen in the room", order.administrator),
                "wait until they arrive, or name another administrator",
            ));
        };
        let Some(membership) = inside(self.tx, room, person).await? else {
            return Err(not_in_room(&order));
        };
        let target = self
            .policy
            .levels
            .administrator(order.model, order.all_content)
            .clone();
        let rank = self
            .policy
            .levels
            .get(&membership.level)
            .filter(|level| level.administrator)
            .map_or(0, |level| level.rank);
        if rank < target.rank {
            self.set_level(&membership, &target.key).await?;
        }
        if order.raised.is_none() {
            let raised = OrderRow {
                raised: Some(self.now),
                ..order
            };
            query::order::update(self.tx, &raised).await?;
            let data = json!({ "level": target.key });
            self.tell_order(EventKind::OrderAdministratorRaised, &raised, &data);
        }
        Ok(())
    }

    /// The former administrator of an order goes back to where people start.
    async fn lower_former(&mut self, order: &OrderRow) -> Result<(), EngineError> {
        let (Some(person), Some(room), Some(_)) = (order.administrator_person, order.room, order.raised)
        else {
            return Ok(());
        };
        let Some(membership) = inside(self.tx, room, person).await? else {
            return Ok(());
        };
        let others = query::membership::administrators(self.tx, room).await?;
        if others.iter().all(|other| other.id == membership.id) {
            return Err(no_administrator(
                "the administrator so far is the room's only one",
            ));
        }
        let mapping = match membership.mapping {
            Some(mapping) => query::mapping::by_id(self.tx, mapping).await?,
            None => None,
        };
        let level = mapping.map_or_else(
            || self.policy.levels.starting().key.clone(),
            |mapping| mapping.level,
        );
        self.set_level(&membership, &level).await
    }

    async fn leave_bootstrap(&mut self, order: &OrderRow, room: RoomId) -> Result<(), EngineError> {
        let (bootstrap, _) = administrators(self.tx, room).await?;
        for membership in &bootstrap {
            self.end_bootstrap(membership.id).await?;
        }
        let done = OrderRow {
            bootstrap_due: None,
            ..get(self.tx, order.id).await?
        };
        query::order::update(self.tx, &done).await?;
        Ok(())
    }

    async fn put_live(&mut self, order: OrderRow, room: RoomId) -> Result<(), EngineError> {
        let (bootstrap, others) = administrators(self.tx, room).await?;
        if others.is_empty() {
            return Err(no_administrator("the room has no administrator yet"));
        }
        if !bootstrap.is_empty() {
            return Err(EngineError::refused(
                "bootstrap_inside",
                "the vendor's internal user is in the room",
                "end the bootstrap membership first",
            ));
        }
        let mut row = room::get(self.tx, room).await?;
        row.state = RoomState::Live;
        let held = query::hold::open_in_room(self.tx, room, HoldKind::Arrivals).await?;
        if held.is_empty() && query::plan::waiting_beyond_expected(self.tx, room).await? == 0 {
            row.arrival_limit = None;
        }
        query::room::update(self.tx, &row).await?;
        self.move_order(order.clone(), OrderState::Live, None).await?;
        let about = crate::unit::About {
            room: Some(room),
            ..crate::unit::About::default()
        };
        let data = json!({
            "room": row.name, "url": row.url, "order": order.id, "requester": order.requester,
            "sso_url": self.policy.sso_url.clone().or(row.url),
        });
        self.tell(EventKind::RoomLive, about, &data);
        Ok(())
    }

    async fn order_under_way(&mut self, id: OrderId) -> Result<(OrderRow, RoomId), EngineError> {
        let order = get(self.tx, id).await?;
        match order.room {
            Some(room) if matches!(order.state, OrderState::Arriving | OrderState::Finalising) => {
                Ok((order, room))
            }
            _ => Err(moved_on(&order)),
        }
    }
}

/// People with the address who may be meant: those in the room, at its door, or with an account that is not
/// gone.
pub(super) async fn candidates(
    tx: &mut Tx<'_>,
    address: &str,
    room: RoomId,
) -> Result<Vec<PersonRow>, EngineError> {
    let people = query::person::by_email(tx, address).await?;
    if people.is_empty() {
        return Ok(people);
    }
    let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    let accounts = account_states(tx, &Suppose::default(), &ids).await?;
    let members: BTreeSet<PersonId> = query::membership::active(tx, &[room], &ids)
        .await?
        .into_iter()
        .filter(|membership| membership.kind != MembershipKind::Bootstrap)
        .map(|membership| membership.person)
        .collect();
    Ok(people
        .into_iter()
        .filter(|person| {
            members.contains(&person.id)
                || !matches!(
                    accounts.get(&person.id),
                    None | Some(AccountState::None | AccountState::Gone)
                )
        })
        .collect())
}

/// A person's active membership in a room, unless it is the vendor's.
pub(super) async fn inside(
    tx: &mut Tx<'_>,
    room: RoomId,
    person: PersonId,
) -> Result<Option<MembershipRow>, EngineError> {
    let memberships = query::membership::active(tx, &[room], &[person]).await?;
    Ok(memberships
        .into_iter()
        .find(|membership| membership.kind != MembershipKind::Bootstrap))
}

/// The bootstrap memberships of a room, and its other administrators.
pub(super) async fn administrators(
    tx: &mut Tx<'_>,
    room: RoomId,
) -> Result<(Vec<MembershipRow>, Vec<MembershipRow>), EngineError> {
    Ok(query::membership::administrators(tx, room)
        .await?
        .into_iter()
        .partition(|membership| membership.kind == MembershipKind::Bootstrap))
}

fn no_administrator(why: &str) -> EngineError {
    EngineError::refused(
        "no_administrator_yet",
        why,
        "give a person in the room an administrator level first",
    )
}

fn not_in_room(order: &OrderRow) -> EngineError {
    EngineError::refused(
        "not_in_room",
        format!(
            "{} is not a member of room '{}'",
            order.administrator, order.room_name
        ),
        "add them to the group at the identity provider, or name another administrator",
    )
}
