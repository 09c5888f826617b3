//! Changing a mapping that is there: its terms, and the group it is bound to.

use serde_json::json;
use usher_core::{MappingId, MappingState, Rejoin, SourceGroupId};
use usher_storage::query;
use usher_storage::query::mapping::MappingRow;

use super::{Terms, check_terms, get};
use crate::unit::Unit;
use crate::{EngineError, EventKind, room};

/// What changes of a mapping. What is not said stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappingChange {
    /// Another level at which people start from now on; nobody who is in moves.
    pub level: Option<String>,
    /// Another way with people who come back.
    pub rejoin: Option<Rejoin>,
    /// For `auto`: within how many days.
    pub rejoin_days: Option<u32>,
    /// Whether members of groups inside the group come in too: changed for all mappings of the group.
    pub nested: Option<bool>,
}

impl Unit<'_, '_> {
    /// Changes the terms of a mapping, for those who come from now on.
    ///
    /// # Errors
    /// [`EngineError::Refused`] (`mapping_retired`, `nested_not_read`), [`EngineError::Invalid`] as for a new one.
    pub async fn change_mapping(
        &mut self,
        id: MappingId,
        change: MappingChange,
    ) -> Result<MappingRow, EngineError> {
        let before = get(self.tx, id).await?;
        refuse_retired(&before)?;
        let model = room::get(self.tx, before.room).await?.model;
        let rejoin = change.rejoin.unwrap_or(before.rejoin);
        let terms = Terms {
            level: Some(change.level.unwrap_or_else(|| before.level.clone())),
            rejoin: Some(rejoin),
            rejoin_days: change
                .rejoin_days
                .or(before.rejoin_days.filter(|_| rejoin == Rejoin::Auto)),
            nested: None,
        };
        let (level, rejoin, rejoin_days) = check_terms(&self.policy, model, terms)?;
        let after = MappingRow {
            level,
            rejoin,
            rejoin_days,
            nested: change.nested.unwrap_or(before.nested),
            ..before.clone()
        };
        if after == before {
            return Ok(before);
        }
        if after.nested != before.nested {
            self.change_nested(&after).await?;
        }
        query::mapping::update(self.tx, &after).await?;
        self.tell_mapping(EventKind::MappingChanged, &after, &json!({}));
        if after.nested != before.nested {
            self.ask_mapping_read(&after).await?;
        }
        Ok(MappingRow {
            version: after.version + 1,
            ..after
        })
    }

    /// Binds a mapping to a group by hand, where its name alone does not say which one is meant. The people
    /// of the group are decided about when the mapping is confirmed already.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for a group of another source, [`EngineError::Refused`]: `mapping_retired`,
    /// `mapping_bound`, `group_mapped`.
    pub async fn bind_mapping(
        &mut self,
        id: MappingId,
        group: SourceGroupId,
    ) -> Result<MappingRow, EngineError> {
        let mapping = get(self.tx, id).await?;
        refuse_retired(&mapping)?;
        let group = query::group::by_id(self.tx, mapping.source, group)
            .await?
            .ok_or_else(|| EngineError::not_found("group", group))?;
        if mapping.group == Some(group.id) {
            return Ok(mapping);
        }
        if mapping.group.is_some() {
            return Err(EngineError::refused(
                "mapping_bound",
                format!("mapping {id} is bound to another group"),
                match mapping.state {
                    MappingState::Pending => "unbind it first",
                    _ => "replace the mapping: that shows first who would leave and who would come",
                },
            ));
        }
        let others = query::mapping::of_group(self.tx, group.id).await?;
        if let Some(other) = others.first().filter(|_| !mapping.additional) {
            return Err(EngineError::refused(
                "group_mapped",
                format!(
                    "group '{}' leads to room {} already",
                    group.display_name, other.room
                ),
                "bind another group, or make an additional mapping",
            ));
        }
        let bound = MappingRow {
            group: Some(group.id),
            ..mapping
        };
        query::mapping::update(self.tx, &bound).await?;
        self.tell_mapping(EventKind::MappingBound, &bound, &json!({}));
        self.ask_mapping_read(&bound).await?;
        if bound.state == MappingState::Confirmed {
            self.settle_group_people(bound.room, group.id).await?;
        }
        Ok(MappingRow {
            version: bound.version + 1,
            ..bound
        })
    }

    /// Takes back to which group a pending mapping is bound.
    ///
    /// # Errors
    /// [`EngineError::Refused`] (`mapping_confirmed`, `mapping_retired`).
    pub async fn unbind_mapping(&mut self, id: MappingId) -> Result<MappingRow, EngineError> {
        let mapping = get(self.tx, id).await?;
        refuse_retired(&mapping)?;
        if mapping.state == MappingState::Confirmed {
            return Err(EngineError::refused(
                "mapping_confirmed",
                format!("mapping {id} is in force"),
                "replace or retire it: both show first who would leave",
            ));
        }
        if mapping.group.is_none() {
            return Ok(mapping);
        }
        let free = MappingRow {
            group: None,
            ..mapping
        };
        query::mapping::update(self.tx, &free).await?;
        self.tell_mapping(EventKind::MappingUnbound, &free, &json!({}));
        Ok(MappingRow {
            version: free.version + 1,
            ..free
        })
    }
}

/// A retired mapping takes nothing.
pub(super) fn refuse_retired(mapping: &MappingRow) -> Result<(), EngineError> {
    if mapping.state == MappingState::Retired {
        return Err(EngineError::refused(
            "mapping_retired",
            format!("mapping {} is retired", mapping.id),
            "make a new mapping for the room",
        ));
    }
    Ok(())
}
