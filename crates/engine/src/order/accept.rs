//! Accepting an order: the room, the vendor's internal user in it, and the pending mapping, in one unit.

use std::time::Duration;

use usher_core::{OrderId, OrderState, PullCause, RoomState};
use usher_storage::query::order::OrderRow;

use super::{expect_state, fields, get, group_ref};
use crate::EngineError;
use crate::mapping::{NewMapping, Terms};
use crate::room::{NewRoom, features_of};
use crate::unit::Unit;

/// The vendor's internal user who sets a room up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapUser {
    /// The name that people see.
    pub name: String,
    /// The address, by which the same user is known in all rooms.
    pub email: String,
}

/// What support adds to an order when it accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Who sets the room up.
    pub bootstrap: BootstrapUser,
    /// How people start by the mapping.
    pub terms: Terms,
}

impl Unit<'_, '_> {
    /// Accepts a submitted order: makes the room, its bootstrap membership with a due date, and the mapping,
    /// still pending. Accepting again changes nothing.
    ///
    /// # Errors
    /// As for creating an order, `order_moved_on`, and what making a mapping refuses.
    pub async fn accept_order(
        &mut self,
        id: OrderId,
        acceptance: Acceptance,
    ) -> Result<OrderRow, EngineError> {
        let order = get(self.tx, id).await?;
        if order.state == OrderState::Accepted {
            return Ok(order);
        }
        expect_state(&order, &[OrderState::Submitted])?;
        fields::recheck(self, &order).await?;
        let room = NewRoom {
            name: order.room_name.clone(),
            model: order.model,
            features: features_of(&order.features),
        };
        let limit = arrival_limit(order.expected, self.policy.arrival_margin_percent);
        let room = self.insert_room(room, RoomState::Preparing, Some(limit)).await?;
        let mapping = NewMapping {
            room: room.id,
            group: group_ref(&order),
            terms: acceptance.terms,
            additional: false,
        };
        let mapping = self.insert_mapping(mapping, Some(id)).await?;
        let due_days = u64::from(self.policy.bootstrap_due_days);
        let accepted = OrderRow {
            room: Some(room.id),
            mapping: Some(mapping.id),
            bootstrap_due: Some(self.now.plus(Duration::from_secs(due_days * 24 * 3600))),
            ..order
        };
        self.move_order(accepted, OrderState::Accepted, None).await?;
        let group = crate::pull::remote_group(self.tx, &mapping).await?;
        self.ask_group_read(mapping.source, group, PullCause::Order)
            .await?;

        let level = self.policy.levels.administrator(room.model, false).key.clone();
        let user = acceptance.bootstrap;
        self.start_bootstrap(room.id, &user.email, Some(&user.name), &level)
            .await?;
        get(self.tx, id).await
    }
}

/// How many may come without an approval: those expected and a margin, rounded up.
fn arrival_limit(expected: u32, margin_percent: u32) -> i64 {
    let margin = (u64::from(expected) * u64::from(margin_percent)).div_ceil(100);
    i64::try_from(u64::from(expected) + margin).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_rounded_up() {
        assert_eq!(arrival_limit(12, 10), 14);
        assert_eq!(arrival_limit(1, 0), 1);
        assert_eq!(arrival_limit(100, 10), 110);
    }
}
