//! Orders: from the request for a new room to the room in use.
//!
//! `draft → submitted → accepted → room ready → mapping confirmed → arriving → finalising → live`; also
//! `rejected` and `withdrawn`. Sync moves the last steps, people the others.

mod accept;
mod check;
mod fields;
mod finalise;
mod logo;
mod mail;
mod status;
mod svg;

use serde::Serialize;
use serde_json::json;
use usher_core::{GroupNaming, MappingId, OrderId, OrderState, PersonId, RoomId, RoomModel, Timestamp};
use usher_storage::query::order::OrderRow;
use usher_storage::{Tx, query};

pub use accept::{Acceptance, BootstrapUser};
pub use check::{Finding, OrderCheck, Verdict};
pub use fields::OrderFields;
pub use logo::Logo;
pub use mail::OrderMail;
pub use status::{AdministratorState, Next, OrderStatus};

pub(crate) use finalise::after_arrivals;

use crate::engine::Engine;
use crate::mapping::{GroupNews, GroupRef};
use crate::room::features_of;
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

/// An order as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// The id.
    pub id: OrderId,
    /// How far it is.
    pub state: OrderState,
    /// Since when it is so.
    pub since: Timestamp,
    /// Who orders.
    pub customer: String,
    /// The name that the room shall have.
    pub room_name: String,
    /// The company address of the room's administrator.
    pub administrator: String,
    /// Who that turned out to be.
    pub administrator_person: Option<PersonId>,
    /// Whether the administrator gets access to all content.
    pub all_content: bool,
    /// Open or closed.
    pub model: RoomModel,
    /// Special features.
    pub features: Vec<String>,
    /// The name of the group's source.
    pub source: String,
    /// How the requester named the group.
    pub group: String,
    /// What `group` is.
    pub named_by: GroupNaming,
    /// How many people are expected.
    pub expected: u32,
    /// The requester's address.
    pub requester: String,
    /// Whether there is a logo.
    pub logo: bool,
    /// The room, once the order is accepted.
    pub room: Option<RoomId>,
    /// The mapping, once the order is accepted.
    pub mapping: Option<MappingId>,
    /// When the bootstrap membership should have ended; nothing once it has.
    pub bootstrap_due: Option<Timestamp>,
    /// Why it was rejected or withdrawn.
    pub closing_reason: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Rises with every change.
    pub version: i64,
}

impl Engine {
    /// An order.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn order(&self, id: OrderId) -> Result<OrderView, EngineError> {
        self.read(move |tx| {
            Box::pin(async move {
                let row = get(tx, id).await?;
                view(tx, row).await
            })
        })
        .await
    }

    /// Orders in the order of their making, of one requester or of all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn orders(
        &self,
        requester: Option<String>,
        after: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<OrderView>, EngineError> {
        self.read(move |tx| {
            let requester = requester.clone();
            Box::pin(async move {
                let mut views = Vec::new();
                for row in query::order::page(tx, requester.as_deref(), false, after, limit).await? {
                    views.push(view(tx, row).await?);
                }
                Ok(views)
            })
        })
        .await
    }

    /// Who acts next on an order, what is missing and since when.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn order_status(&self, id: OrderId) -> Result<OrderStatus, EngineError> {
        self.read_by_policy(move |tx, policy| {
            Box::pin(async move {
                let row = get(tx, id).await?;
                status::status(tx, &policy, &row).await
            })
        })
        .await
    }

    /// What is known of the group that an order names.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn order_group(&self, id: OrderId) -> Result<GroupNews, EngineError> {
        self.read(move |tx| {
            Box::pin(async move {
                let row = get(tx, id).await?;
                crate::mapping::group_news(tx, &group_ref(&row), None).await
            })
        })
        .await
    }

    /// The filled-in e-mail of an order, for those who order by mail.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn order_mail(&self, id: OrderId) -> Result<OrderMail, EngineError> {
        self.read_by_policy(move |tx, policy| {
            Box::pin(async move {
                let row = get(tx, id).await?;
                let view = view(tx, row).await?;
                Ok(mail::write(&view, &policy))
            })
        })
        .await
    }

    /// An order's logo.
    ///
    /// # Errors
    /// What the database says.
    pub async fn order_logo(&self, id: OrderId) -> Result<Option<Logo>, EngineError> {
        self.read(move |tx| Box::pin(async move { Ok(query::order::logo(tx, id).await?.map(Logo::from)) }))
            .await
    }
}

impl Unit<'_, '_> {
    /// Begins an order as a draft.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] names the first field that cannot be; [`EngineError::Refused`]:
    /// `room_name_taken`, `room_name_ordered`, `group_mapped`, `group_ordered`, `source_not_active`.
    pub async fn create_order(
        &mut self,
        fields: OrderFields,
        requester: &str,
    ) -> Result<OrderRow, EngineError> {
        let checked = fields::check(self, fields, None).await?;
        let order = OrderRow {
            id: self.id(),
            state: OrderState::Draft,
            since: self.now,
            customer: checked.customer,
            room_name: checked.room_name,
            administrator: checked.administrator,
            administrator_person: None,
            all_content: checked.all_content,
            model: checked.model,
            features: json!(checked.features).to_string(),
            source: checked.source,
            group_ref: checked.group_ref,
            named_by: checked.named_by,
            expected: checked.expected,
            requester: fields::check_address("requester", requester)?,
            room: None,
            mapping: None,
            bootstrap_due: None,
            alerted: None,
            raised: None,
            closing_reason: None,
            created: self.now,
            version: 1,
        };
        query::order::insert(self.tx, &order).await?;
        self.tell_order(EventKind::OrderMoved, &order, &json!({}));
        Ok(order)
    }

    /// Changes the fields of an order that nobody accepted yet.
    ///
    /// # Errors
    /// As [`Unit::create_order`], and `order_moved_on`.
    pub async fn change_order(&mut self, id: OrderId, fields: OrderFields) -> Result<OrderRow, EngineError> {
        let before = get(self.tx, id).await?;
        expect_state(&before, &[OrderState::Draft, OrderState::Submitted])?;
        let checked = fields::check(self, fields, Some(id)).await?;
        let after = OrderRow {
            customer: checked.customer,
            room_name: checked.room_name,
            administrator: checked.administrator,
            all_content: checked.all_content,
            model: checked.model,
            features: json!(checked.features).to_string(),
            source: checked.source,
            group_ref: checked.group_ref,
            named_by: checked.named_by,
            expected: checked.expected,
            ..before.clone()
        };
        if after == before {
            return Ok(before);
        }
        query::order::update(self.tx, &after).await?;
        self.tell_order(EventKind::OrderChanged, &after, &json!({}));
        get(self.tx, id).await
    }

    /// Keeps a logo with an order that nobody accepted yet, or takes it away.
    ///
    /// # Errors
    /// [`EngineError::Refused`] (`order_moved_on`).
    pub async fn set_order_logo(&mut self, id: OrderId, logo: Option<Logo>) -> Result<(), EngineError> {
        let order = get(self.tx, id).await?;
        expect_state(&order, &[OrderState::Draft, OrderState::Submitted])?;
        match logo {
            Some(logo) => query::order::put_logo(self.tx, id, logo.into()).await?,
            None => query::order::remove_logo(self.tx, id).await?,
        }
        self.tell_order(EventKind::OrderChanged, &order, &json!({ "changed": "logo" }));
        Ok(())
    }

    /// Hands an order to the vendor. The filled-in e-mail is had by [`Engine::order_mail`].
    ///
    /// # Errors
    /// As [`Unit::create_order`]: names and groups may have been taken since; `order_moved_on`.
    pub async fn submit_order(&mut self, id: OrderId) -> Result<(OrderRow, OrderMail), EngineError> {
        let order = get(self.tx, id).await?;
        expect_state(&order, &[OrderState::Draft, OrderState::Submitted])?;
        if order.state == OrderState::Draft {
            fields::recheck(self, &order).await?;
            self.move_order(order, OrderState::Submitted, None).await?;
        }
        let order = get(self.tx, id).await?;
        let view = view(self.tx, order.clone()).await?;
        let mail = mail::write(&view, &self.policy);
        Ok((order, mail))
    }

    /// Says no to an order, with a reason for the requester. A room that was made for it is archived.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `order_moved_on`, `people_inside` once people came.
    pub async fn reject_order(&mut self, id: OrderId, reason: &str) -> Result<OrderRow, EngineError> {
        self.close_order(id, OrderState::Rejected, reason).await
    }

    /// Takes an order back, with a reason. A room that was made for it is archived.
    ///
    /// # Errors
    /// As [`Unit::reject_order`].
    pub async fn withdraw_order(&mut self, id: OrderId, reason: &str) -> Result<OrderRow, EngineError> {
        self.close_order(id, OrderState::Withdrawn, reason).await
    }

    async fn close_order(
        &mut self,
        id: OrderId,
        state: OrderState,
        reason: &str,
    ) -> Result<OrderRow, EngineError> {
        let order = get(self.tx, id).await?;
        if order.state == state {
            return Ok(order);
        }
        if is_over(order.state) {
            return Err(moved_on(&order));
        }
        let reason = crate::room::check_text("reason", reason, 1000)?;
        if matches!(order.state, OrderState::Arriving | OrderState::Finalising) {
            return Err(EngineError::refused(
                "people_inside",
                format!("people are in room '{}' already", order.room_name),
                "archive the room: that denies access and keeps its history",
            ));
        }
        let (room, mapping) = (order.room, order.mapping);
        self.move_order(order, state, Some(reason)).await?;
        if let Some(mapping) = mapping {
            let mapping = crate::mapping::get(self.tx, mapping).await?;
            if mapping.state != usher_core::MappingState::Retired {
                let retired = self.put_retired(mapping).await?;
                self.tell_mapping(EventKind::MappingRetired, &retired, &json!({}));
            }
        }
        if let Some(room) = room {
            self.archive_room(room).await?;
        }
        get(self.tx, id).await
    }

    /// Moves an order to another state and tells it.
    pub(crate) async fn move_order(
        &mut self,
        order: OrderRow,
        state: OrderState,
        reason: Option<String>,
    ) -> Result<(), EngineError> {
        let before = order.state;
        let moved = OrderRow {
            state,
            since: self.now,
            bootstrap_due: order.bootstrap_due.filter(|_| !is_over(state)),
            closing_reason: reason,
            ..order
        };
        query::order::update(self.tx, &moved).await?;
        let data = json!({ "before": before, "reason": moved.closing_reason });
        self.tell_order(EventKind::OrderMoved, &moved, &data);
        Ok(())
    }

    /// Tells something about an order; `more` is merged into what every such event says.
    pub(crate) fn tell_order(&mut self, kind: EventKind, order: &OrderRow, more: &serde_json::Value) {
        let about = About {
            source: Some(order.source),
            room: order.room,
            person: order.administrator_person,
            ..About::default()
        };
        let mut data = json!({
            "order": order.id, "state": order.state, "room_name": order.room_name,
            "administrator": order.administrator, "requester": order.requester,
        });
        if let (Some(data), Some(more)) = (data.as_object_mut(), more.as_object()) {
            data.extend(more.clone());
        }
        self.tell(kind, about, &data);
    }
}

/// Whether nothing more happens to an order in this state.
pub(crate) const fn is_over(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Live | OrderState::Rejected | OrderState::Withdrawn
    )
}

/// The order with an id.
pub(crate) async fn get(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderRow, EngineError> {
    query::order::by_id(tx, id)
        .await?
        .ok_or_else(|| EngineError::not_found("order", id))
}

/// The group of an order.
pub(crate) fn group_ref(order: &OrderRow) -> GroupRef {
    GroupRef {
        source: order.source,
        group: order.group_ref.clone(),
        named_by: order.named_by,
    }
}

fn expect_state(order: &OrderRow, states: &[OrderState]) -> Result<(), EngineError> {
    if states.contains(&order.state) {
        Ok(())
    } else {
        Err(moved_on(order))
    }
}

fn moved_on(order: &OrderRow) -> EngineError {
    EngineError::refused(
        "order_moved_on",
        format!("order {} is {}", order.id, order.state),
        "look at the order's status: it names who acts next and what is missing",
    )
}

async fn view(tx: &mut Tx<'_>, row: OrderRow) -> Result<OrderView, EngineError> {
    let source = query::source::by_key(tx, row.source).await?;
    let logo = query::order::logo(tx, row.id).await?.is_some();
    Ok(OrderView {
        id: row.id,
        state: row.state,
        since: row.since,
        customer: row.customer,
        room_name: row.room_name,
        administrator: row.administrator,
        administrator_person: row.administrator_person,
        all_content: row.all_content,
        model: row.model,
        features: features_of(&row.features),
        source: source.map(|source| source.name).unwrap_or_default(),
        group: row.group_ref,
        named_by: row.named_by,
        expected: row.expected,
        requester: row.requester,
        logo,
        room: row.room,
        mapping: row.mapping,
        bootstrap_due: row.bootstrap_due,
        closing_reason: row.closing_reason,
        created: row.created,
        version: row.version,
    })
}
