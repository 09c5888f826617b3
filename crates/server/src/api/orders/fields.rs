//! What a requester fills in.

use serde::Deserialize;
use usher_core::{GroupNaming, RoomModel, SourceName};
use usher_engine::EngineError;
use usher_engine::order::OrderFields;
use usher_storage::Tx;
use usher_storage::query::order::OrderRow;
use utoipa::ToSchema;

use crate::api::write::inputs;
use crate::api::{name, words};

/// The fields of an order. In a change, those that are left out stay.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OrderInput {
    /// Who orders; the organisation when left out.
    pub(crate) customer: Option<String>,
    /// The name that the room shall have.
    pub(crate) room_name: Option<String>,
    /// The company address of the room's administrator.
    pub(crate) administrator: Option<String>,
    /// Whether the administrator gets access to all content; no when left out.
    pub(crate) all_content: Option<bool>,
    /// Open or closed; closed when left out.
    #[schema(value_type = Option<words::RoomModel>)]
    pub(crate) model: Option<RoomModel>,
    /// Special features.
    pub(crate) features: Option<Vec<String>>,
    /// The group's source; not needed where there is only one.
    pub(crate) source: Option<String>,
    /// The group: its immutable id at the source, or its display name.
    pub(crate) group: Option<String>,
    /// What `group` is; `id` for a UUID and `name` for anything else when left out.
    #[schema(value_type = Option<words::GroupNaming>)]
    pub(crate) named_by: Option<GroupNaming>,
    /// How many people are expected.
    pub(crate) expected: Option<u32>,
    /// For whom the order is, by address; whom the token acts for when left out. It cannot be changed.
    pub(crate) requester: Option<String>,
    /// Hand the new order to the vendor at once.
    pub(crate) submit: Option<bool>,
    /// Why, for the history.
    pub(crate) reason: Option<String>,
}

inputs!(OrderInput);

impl OrderInput {
    /// The fields of a new order.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] names the first field that is missing.
    pub(crate) async fn fields(&self, tx: &mut Tx<'_>, customer: &str) -> Result<OrderFields, EngineError> {
        let group = required("group", self.group.as_ref())?;
        let source = name::source_or_only(tx, self.source.as_deref()).await?;
        Ok(OrderFields {
            customer: self.customer.clone().unwrap_or_else(|| customer.to_owned()),
            room_name: required("room_name", self.room_name.as_ref())?,
            administrator: required("administrator", self.administrator.as_ref())?,
            all_content: self.all_content.unwrap_or(false),
            model: self.model.unwrap_or(RoomModel::Closed),
            features: self.features.clone().unwrap_or_default(),
            named_by: name::naming(&source, &group, self.named_by),
            group,
            source: source_name(&source.name)?,
            expected: required("expected", self.expected.as_ref())?,
        })
    }

    /// The fields of an order with these changes.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn changed(
        &self,
        tx: &mut Tx<'_>,
        before: &OrderRow,
    ) -> Result<OrderFields, EngineError> {
        let source = name::source_or(tx, self.source.as_deref(), before.source).await?;
        let source = name::source(tx, &source).await?;
        let group = self.group.clone().unwrap_or_else(|| before.group_ref.clone());
        let named_by = match (&self.group, self.named_by) {
            (None, None) => before.named_by,
            (_, said) => name::naming(&source, &group, said),
        };
        let features = serde_json::from_str(&before.features).unwrap_or_default();
        let or = |new: &Option<String>, old: &String| new.clone().unwrap_or_else(|| old.clone());
        Ok(OrderFields {
            customer: or(&self.customer, &before.customer),
            room_name: or(&self.room_name, &before.room_name),
            administrator: or(&self.administrator, &before.administrator),
            all_content: self.all_content.unwrap_or(before.all_content),
            model: self.model.unwrap_or(before.model),
            features: self.features.clone().unwrap_or(features),
            source: source_name(&source.name)?,
            group,
            named_by,
            expected: self.expected.unwrap_or(before.expected),
        })
    }
}

fn required<T: Clone>(field: &'static str, value: Option<&T>) -> Result<T, EngineError> {
    value
        .cloned()
        .ok_or_else(|| EngineError::invalid(field, "is missing: an order needs it"))
}

fn source_name(name: &str) -> Result<SourceName, EngineError> {
    name.parse().map_err(|_| EngineError::not_found("source", name))
}
