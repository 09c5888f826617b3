//! The fields of an order, checked one by one.

use usher_core::{GroupNaming, OrderId, RoomModel, SourceName};
use usher_storage::query::group::GroupRow;
use usher_storage::query::order::OrderRow;
use usher_storage::query::source::SourceRow;
use usher_storage::{SourceKey, Tx, query};
use uuid::Uuid;

use super::group_ref;
use crate::EngineError;
use crate::mapping::{GroupRef, active_source, check_ref, refuse_taken_group, resolve};
use crate::policy::Policy;
use crate::room::{check_features, check_name, check_text, refuse_taken_name};
use crate::unit::Unit;

/// More people than anybody has in one room.
const MOST_EXPECTED: u32 = 1_000_000;

const ADDRESS_LEN: usize = 254;
const CUSTOMER_LEN: usize = 200;

/// What a requester fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFields {
    /// Who orders.
    pub customer: String,
    /// The name that the room shall have; no other room or order has it, in any case.
    pub room_name: String,
    /// The company address of the room's administrator, in one of the organisation's domains.
    pub administrator: String,
    /// Whether the administrator gets access to all content.
    pub all_content: bool,
    /// Open or closed.
    pub model: RoomModel,
    /// Special features.
    pub features: Vec<String>,
    /// The source of the group.
    pub source: SourceName,
    /// The group: by [`GroupNaming::Id`] its immutable id at the source, a GUID unless a group with this very id
    /// has arrived or the source is read; by [`GroupNaming::Name`] its display name.
    pub group: String,
    /// What `group` is.
    pub named_by: GroupNaming,
    /// How many people are expected, at least one.
    pub expected: u32,
}

/// Fields that can be stored.
pub(super) struct Checked {
    pub(super) customer: String,
    pub(super) room_name: String,
    pub(super) administrator: String,
    pub(super) all_content: bool,
    pub(super) model: RoomModel,
    pub(super) features: Vec<String>,
    pub(super) source: SourceKey,
    pub(super) group_ref: String,
    pub(super) named_by: GroupNaming,
    pub(super) expected: u32,
}

/// Checks all fields. `order` is the order itself when it exists, which may keep its own name and group.
pub(super) async fn check(
    unit: &mut Unit<'_, '_>,
    fields: OrderFields,
    order: Option<OrderId>,
) -> Result<Checked, EngineError> {
    let source = query::source::by_name(unit.tx, fields.source.as_str())
        .await?
        .ok_or_else(|| EngineError::not_found("source", &fields.source))?;
    let group = GroupRef {
        source: source.key,
        group: fields.group,
        named_by: fields.named_by,
    };
    let checked = Checked {
        customer: check_text("customer", &fields.customer, CUSTOMER_LEN)?,
        room_name: check_name("room_name", &fields.room_name)?,
        administrator: check_administrator(&unit.policy, &fields.administrator)?,
        all_content: fields.all_content,
        model: fields.model,
        features: fields.features,
        source: source.key,
        group_ref: check_ref(&group)?,
        named_by: fields.named_by,
        expected: fields.expected,
    };
    check_features(&checked.features)?;
    check_expected(checked.expected)?;
    refuse_duplicates(unit.tx, &checked.room_name, &group, order).await?;
    Ok(checked)
}

/// How many people may be expected.
pub(super) fn check_expected(expected: u32) -> Result<(), EngineError> {
    if (1..=MOST_EXPECTED).contains(&expected) {
        return Ok(());
    }
    let problem = format!("is {expected}: say how many people will come, at least 1");
    Err(EngineError::invalid("expected", problem))
}

/// Checks again what may have been taken since.
pub(super) async fn recheck(unit: &mut Unit<'_, '_>, order: &OrderRow) -> Result<(), EngineError> {
    check_administrator(&unit.policy, &order.administrator)?;
    refuse_duplicates(unit.tx, &order.room_name, &group_ref(order), Some(order.id)).await
}

/// An administrator's address: a company address of the organisation.
pub(super) fn check_administrator(policy: &Policy, address: &str) -> Result<String, EngineError> {
    let address = check_address("administrator", address)?;
    if !policy.owns_address(&address) {
        let problem = format!(
            "'{address}' is not an address of the organisation: use a company address in {}",
            policy.domains.join(", ")
        );
        return Err(EngineError::invalid("administrator", problem));
    }
    Ok(address)
}

/// An e-mail address, folded.
pub(super) fn check_address(field: &'static str, address: &str) -> Result<String, EngineError> {
    let address = check_text(field, address, ADDRESS_LEN)?.to_lowercase();
    let valid = address.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !address.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"'))
    });
    if valid {
        Ok(address)
    } else {
        let problem = format!("'{address}' is not an e-mail address such as anna@company.example");
        Err(EngineError::invalid(field, problem))
    }
}

async fn refuse_duplicates(
    tx: &mut Tx<'_>,
    room_name: &str,
    group: &GroupRef,
    order: Option<OrderId>,
) -> Result<(), EngineError> {
    let source = active_source(tx, group.source).await?;
    let resolved = resolve(tx, group).await?;
    refuse_wrong_id(&source, group, resolved.as_ref())?;
    refuse_other_orders_name(tx, room_name, order).await?;
    refuse_taken_group(tx, group, resolved.as_ref(), order).await
}

/// Refuses an id that no group of a source that is pushed to can have.
pub(super) fn refuse_wrong_id(
    source: &SourceRow,
    group: &GroupRef,
    resolved: Option<&GroupRow>,
) -> Result<(), EngineError> {
    let is_guid = Uuid::try_parse(group.group.trim()).is_ok();
    // Providers that are read have ids of other forms too, and can be asked about them.
    if group.named_by == GroupNaming::Id && source.mode == "push" && !is_guid && resolved.is_none() {
        let problem = format!(
            "'{}' is no object id, and no group with this id has arrived: copy the GUID from the group's page",
            group.group
        );
        return Err(EngineError::invalid("group", problem));
    }
    Ok(())
}

/// Refuses a name that another room or another order has.
pub(super) async fn refuse_other_orders_name(
    tx: &mut Tx<'_>,
    room_name: &str,
    order: Option<OrderId>,
) -> Result<(), EngineError> {
    refuse_taken_name(tx, room_name).await?;
    if let Some(other) = query::order::under_way_by_name(tx, room_name).await?
        && Some(other.id) != order
    {
        return Err(EngineError::refused(
            "room_name_ordered",
            format!("order {} is for a room of this name", other.id),
            "choose another name, or withdraw that order",
        ));
    }
    Ok(())
}
