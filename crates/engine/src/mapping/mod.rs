//! Mappings: this group of a source gives access to this room. Made without effect, shown as a plan, and
//! confirmed as exactly that plan.

mod change;
mod confirm;
mod nested;
mod plan;

use serde::Serialize;
use serde_json::json;
use usher_core::{
    GroupNaming, MappingId, MappingState, OrderId, OrderState, Rejoin, RoomId, RoomModel, SourceGroupId,
    SourceState, Timestamp,
};
use usher_storage::query::group::GroupRow;
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::source::SourceRow;
use usher_storage::{SourceKey, Tx, query};

pub use change::MappingChange;
pub use confirm::{Complete, Settled};
pub(crate) use plan::group_news;
pub use plan::{GroupNews, MappingPlan, PlannedAdministrator};

use crate::engine::Engine;
use crate::policy::Policy;
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind, room};

/// The most bytes in the name or id of a group.
const GROUP_REF_LEN: usize = 1024;

/// The longest span for an automatic rejoin, in days.
const REJOIN_DAYS: u32 = 3650;

/// A group as a human names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// The group's source.
    pub source: SourceKey,
    /// By [`GroupNaming::Id`] the source's immutable id, which it sends as `externalId` or is read by, or Usher's own SCIM id;
    /// by [`GroupNaming::Name`] the display name, in any case.
    pub group: String,
    /// What `group` is.
    pub named_by: GroupNaming,
}

/// How people start by a mapping, and what happens when they come back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The level at which people start; the lowest that sources may give unless said otherwise.
    pub level: Option<String>,
    /// What happens when somebody comes back; `ask` unless said otherwise.
    pub rejoin: Option<Rejoin>,
    /// For `auto`, and only for it: within how many days.
    pub rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too. It is one choice for all mappings of a group: theirs
    /// unless said otherwise, and no where there is none.
    pub nested: Option<bool>,
}

/// A mapping to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMapping {
    /// The room.
    pub room: RoomId,
    /// The group.
    pub group: GroupRef,
    /// How people start.
    pub terms: Terms,
    /// Whether it is known and wanted that the room or the group has another mapping.
    pub additional: bool,
}

/// A mapping as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingView {
    /// The id.
    pub id: MappingId,
    /// The room.
    pub room: RoomId,
    /// The name of the group's source.
    pub source: String,
    /// The group, once it is bound.
    pub group: Option<SourceGroupId>,
    /// The bound group's name at the source.
    pub group_name: Option<String>,
    /// How a human named the group.
    pub group_ref: String,
    /// What `group_ref` is.
    pub named_by: GroupNaming,
    /// The level at which people start.
    pub level: String,
    /// What happens when somebody comes back.
    pub rejoin: Rejoin,
    /// For `auto`: within how many days.
    pub rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too.
    pub nested: bool,
    /// Whether it was made knowing that the group or the room has another one.
    pub additional: bool,
    /// How far it is.
    pub state: MappingState,
    /// When it was made.
    pub created: Timestamp,
    /// When it was confirmed.
    pub confirmed: Option<Timestamp>,
    /// When it was retired.
    pub retired: Option<Timestamp>,
    /// Rises with every change.
    pub version: i64,
}

impl Engine {
    /// A mapping.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn mapping(&self, id: MappingId) -> Result<MappingView, EngineError> {
        self.read(move |tx| {
            Box::pin(async move {
                let row = get(tx, id).await?;
                view(tx, row).await
            })
        })
        .await
    }

    /// Mappings in the order of their creation, of one room or of all, retired ones included.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mappings(
        &self,
        room: Option<RoomId>,
        after: Option<MappingId>,
        limit: u32,
    ) -> Result<Vec<MappingView>, EngineError> {
        self.read(move |tx| {
            Box::pin(async move {
                let rows = match room {
                    Some(room) => {
                        let all = query::mapping::of_room(tx, room).await?;
                        let rows = all.into_iter().filter(|row| Some(row.id) > after);
                        rows.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
                    }
                    None => query::mapping::page(tx, after, limit).await?,
                };
                let mut views = Vec::with_capacity(rows.len());
                for row in rows {
                    views.push(view(tx, row).await?);
                }
                Ok(views)
            })
        })
        .await
    }
}

impl Unit<'_, '_> {
    /// Makes a mapping, pending and without effect. It is bound to its group at once when that is known and
    /// unique, else when it arrives.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `group_mapped` or `room_mapped` unless `additional`, `group_ordered`,
    /// `room_archived`, `source_not_active`, `nested_not_read`, `nested_differs`; [`EngineError::Invalid`] for terms
    /// that cannot be.
    pub async fn create_mapping(&mut self, new: NewMapping) -> Result<MappingRow, EngineError> {
        let mapping = self.insert_mapping(new, None).await?;
        self.adopt_into_order(&mapping).await?;
        Ok(mapping)
    }

    /// Makes a mapping, for an order or on its own.
    pub(crate) async fn insert_mapping(
        &mut self,
        new: NewMapping,
        order: Option<OrderId>,
    ) -> Result<MappingRow, EngineError> {
        let row = room::get(self.tx, new.room).await?;
        room::refuse_archived(&row)?;
        let group_ref = check_ref(&new.group)?;
        let source = active_source(self.tx, new.group.source).await?;
        let group = resolve(self.tx, &new.group).await?;
        let nested = nested::choose(
            self.tx,
            &source,
            &new.group,
            group.as_ref(),
            new.terms.nested,
            None,
        )
        .await?;
        if !new.additional {
            refuse_mapped_room(self.tx, new.room).await?;
            refuse_taken_group(self.tx, &new.group, group.as_ref(), order).await?;
        }
        let (level, rejoin, rejoin_days) = check_terms(&self.policy, row.model, new.terms)?;
        let mapping = MappingRow {
            id: self.id(),
            room: new.room,
            source: new.group.source,
            group: group.as_ref().map(|group| group.id),
            group_ref,
            named_by: new.group.named_by,
            level,
            rejoin,
            rejoin_days,
            nested,
            additional: new.additional,
            state: MappingState::Pending,
            created: self.now,
            confirmed: None,
            retired: None,
            version: 1,
        };
        query::mapping::insert(self.tx, &mapping).await?;
        self.tell_mapping(EventKind::MappingCreated, &mapping, &json!({}));
        if mapping.group.is_some() {
            self.tell_mapping(EventKind::MappingBound, &mapping, &json!({}));
        }
        Ok(mapping)
    }

    /// A room under way whose mapping was retired goes on with the new one.
    async fn adopt_into_order(&mut self, mapping: &MappingRow) -> Result<(), EngineError> {
        let Some(mut order) = query::order::of_room(self.tx, mapping.room).await? else {
            return Ok(());
        };
        let lost = match order.mapping {
            Some(id) => get(self.tx, id).await?.state == MappingState::Retired,
            None => true,
        };
        if !lost || crate::order::is_over(order.state) {
            return Ok(());
        }
        order.mapping = Some(mapping.id);
        order.group_ref.clone_from(&mapping.group_ref);
        order.named_by = mapping.named_by;
        order.source = mapping.source;
        match order.state {
            OrderState::MappingConfirmed => self.move_order(order, OrderState::RoomReady, None).await,
            _ => Ok(query::order::update(self.tx, &order).await?),
        }
    }

    /// Tells something about a mapping; `more` is merged into what every such event says.
    pub(crate) fn tell_mapping(&mut self, kind: EventKind, mapping: &MappingRow, more: &serde_json::Value) {
        let about = About {
            source: Some(mapping.source),
            room: Some(mapping.room),
            ..About::default()
        };
        let mut data = json!({
            "mapping": mapping.id, "group": mapping.group, "group_ref": mapping.group_ref,
            "level": mapping.level, "rejoin": mapping.rejoin, "nested": mapping.nested, "state": mapping.state,
        });
        if let (Some(data), Some(more)) = (data.as_object_mut(), more.as_object()) {
            data.extend(more.clone());
        }
        self.tell(kind, about, &data);
    }
}

/// The mapping with an id.
pub(crate) async fn get(tx: &mut Tx<'_>, id: MappingId) -> Result<MappingRow, EngineError> {
    query::mapping::by_id(tx, id)
        .await?
        .ok_or_else(|| EngineError::not_found("mapping", id))
}

async fn view(tx: &mut Tx<'_>, row: MappingRow) -> Result<MappingView, EngineError> {
    let source = query::source::by_key(tx, row.source).await?;
    let group = match row.group {
        Some(group) => query::group::by_id(tx, row.source, group).await?,
        None => None,
    };
    Ok(MappingView {
        id: row.id,
        room: row.room,
        source: source.map(|source| source.name).unwrap_or_default(),
        group: row.group,
        group_name: group.map(|group| group.display_name),
        group_ref: row.group_ref,
        named_by: row.named_by,
        level: row.level,
        rejoin: row.rejoin,
        rejoin_days: row.rejoin_days,
        nested: row.nested,
        additional: row.additional,
        state: row.state,
        created: row.created,
        confirmed: row.confirmed,
        retired: row.retired,
        version: row.version,
    })
}

/// The source, which has to be listened to.
pub(crate) async fn active_source(tx: &mut Tx<'_>, key: SourceKey) -> Result<SourceRow, EngineError> {
    let source = query::source::by_key(tx, key)
        .await?
        .ok_or_else(|| EngineError::not_found("source", key.0))?;
    if source.state != SourceState::Active {
        return Err(EngineError::refused(
            "source_not_active",
            format!("source '{}' is {}", source.name, source.state),
            "name a group of a source that is configured",
        ));
    }
    Ok(source)
}

/// The group that a reference names, when it is known and the only one.
pub(crate) async fn resolve(tx: &mut Tx<'_>, group: &GroupRef) -> Result<Option<GroupRow>, EngineError> {
    let mut found = candidates(tx, group).await?;
    Ok(match found.len() {
        1 => found.pop(),
        _ => None,
    })
}

/// All live groups that a reference may mean.
pub(crate) async fn candidates(tx: &mut Tx<'_>, group: &GroupRef) -> Result<Vec<GroupRow>, EngineError> {
    let text = group.group.trim();
    if group.named_by == GroupNaming::Name {
        return Ok(query::group::by_name(tx, group.source, text).await?);
    }
    if let Ok(id) = text.parse::<SourceGroupId>()
        && let Some(row) = query::group::by_id(tx, group.source, id).await?
    {
        return Ok(vec![row]);
    }
    // A GUID is the same in either case, and people copy it in both.
    for spelling in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
        let rows = query::group::by_external_id(tx, group.source, &spelling).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        if let Some(row) = query::group::by_remote_id(tx, group.source, &spelling).await? {
            return Ok(vec![row]);
        }
    }
    Ok(Vec::new())
}

/// Checks the way a group is named.
pub(crate) fn check_ref(group: &GroupRef) -> Result<String, EngineError> {
    let text = room::check_text("group", &group.group, GROUP_REF_LEN)?;
    if group.named_by == GroupNaming::Id && text.contains(char::is_whitespace) {
        return Err(EngineError::invalid(
            "group",
            "has spaces, so it is no id: copy the group's object id, or say that it is a name",
        ));
    }
    Ok(text)
}

async fn refuse_mapped_room(tx: &mut Tx<'_>, room: RoomId) -> Result<(), EngineError> {
    let mappings = query::mapping::of_room(tx, room).await?;
    match mappings
        .iter()
        .find(|mapping| mapping.state != MappingState::Retired)
    {
        Some(other) => Err(EngineError::refused(
            "room_mapped",
            format!(
                "the room has the {} mapping {} to group '{}'",
                other.state, other.id, other.group_ref
            ),
            "replace that mapping, or say that this one is additional",
        )),
        None => Ok(()),
    }
}

/// Refuses a group that leads to a room already, or that another order names.
pub(crate) async fn refuse_taken_group(
    tx: &mut Tx<'_>,
    group: &GroupRef,
    resolved: Option<&GroupRow>,
    order: Option<OrderId>,
) -> Result<(), EngineError> {
    let mut keys = vec![group.group.trim().to_lowercase()];
    let mut mappings = Vec::new();
    if let Some(row) = resolved {
        keys.push(row.id.to_string());
        keys.push(row.display_name.to_lowercase());
        keys.extend(row.external_id.as_ref().map(|id| id.to_lowercase()));
        keys.extend(row.remote_id.as_ref().map(|id| id.to_lowercase()));
        mappings = query::mapping::of_group(tx, row.id).await?;
    }
    mappings.extend(query::mapping::waiting(tx, group.source, keys.clone()).await?);
    if let Some(other) = mappings.first() {
        return Err(EngineError::refused(
            "group_mapped",
            format!(
                "group '{}' leads to room {} by the {} mapping {}",
                other.group_ref, other.room, other.state, other.id
            ),
            "name another group, retire that mapping, or say that this one is additional",
        ));
    }
    for key in keys {
        let orders = query::order::under_way_by_group(tx, group.source, &key).await?;
        if let Some(other) = orders.iter().find(|other| Some(other.id) != order) {
            return Err(EngineError::refused(
                "group_ordered",
                format!(
                    "order {} for room '{}' names this group",
                    other.id, other.room_name
                ),
                "name another group, or withdraw that order",
            ));
        }
    }
    Ok(())
}

/// Checks how people start and come back; fills in what was not said.
fn check_terms(
    policy: &Policy,
    model: RoomModel,
    terms: Terms,
) -> Result<(String, Rejoin, Option<u32>), EngineError> {
    let level = match terms.level {
        None => policy.levels.starting().key.clone(),
        Some(key) => match policy.levels.get(&key) {
            Some(level) if level.by_hand => {
                let problem = format!("'{key}' is only given by hand: choose a level that sources may give");
                return Err(EngineError::invalid("level", problem));
            }
            Some(level) if !level.models.contains(&model) => {
                let problem = format!("'{key}' does not exist in the {} model", model.as_str());
                return Err(EngineError::invalid("level", problem));
            }
            Some(_) => key,
            None => {
                let known: Vec<_> = policy.levels.iter().map(|level| level.key.as_str()).collect();
                let problem = format!("there is no such level: use one of {}", known.join(", "));
                return Err(EngineError::invalid("level", problem));
            }
        },
    };
    let rejoin = terms.rejoin.unwrap_or(Rejoin::Ask);
    match (rejoin, terms.rejoin_days) {
        (Rejoin::Auto, Some(1..=REJOIN_DAYS)) | (Rejoin::Ask | Rejoin::Never, None) => {
            Ok((level, rejoin, terms.rejoin_days))
        }
        (Rejoin::Auto, _) => Err(EngineError::invalid(
            "rejoin_days",
            format!("auto needs the days within which it applies, 1 to {REJOIN_DAYS}"),
        )),
        _ => Err(EngineError::invalid(
            "rejoin_days",
            "belongs to auto alone: leave it out",
        )),
    }
}
