//! Groups inside groups: whether the people in them come in too. Only a source that is read can tell who they are, and
//! a group is read one way: its mappings share the choice.

use serde_json::json;
use usher_core::MappingId;
use usher_storage::query::group::GroupRow;
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::source::SourceRow;
use usher_storage::{Tx, query};

use super::GroupRef;
use crate::unit::Unit;
use crate::{EngineError, EventKind};

/// The choice for a mapping of this group: what was wished, else that of the group's other mappings. `replaced` is a
/// mapping that goes.
pub(super) async fn choose(
    tx: &mut Tx<'_>,
    source: &SourceRow,
    group: &GroupRef,
    resolved: Option<&GroupRow>,
    wish: Option<bool>,
    replaced: Option<MappingId>,
) -> Result<bool, EngineError> {
    if wish == Some(true) {
        refuse_pushed(source)?;
    }
    let mut others = others(tx, group, resolved).await?;
    others.retain(|other| Some(other.id) != replaced);
    match (wish, others.first()) {
        (Some(wish), Some(other)) if wish != other.nested => Err(EngineError::refused(
            "nested_differs",
            format!(
                "mapping {} of this group {} groups inside it, and a group is read one way for all of its mappings",
                other.id,
                if other.nested { "counts" } else { "does not count" }
            ),
            "leave the choice out, or change it for that mapping: it changes for all of them",
        )),
        (Some(wish), _) => Ok(wish),
        (None, other) => Ok(other.is_some_and(|other| other.nested)),
    }
}

/// The mappings of a group that are not retired, bound to it or not.
async fn others(
    tx: &mut Tx<'_>,
    group: &GroupRef,
    resolved: Option<&GroupRow>,
) -> Result<Vec<MappingRow>, EngineError> {
    let mut keys = vec![group.group.trim().to_lowercase()];
    let mut mappings = Vec::new();
    if let Some(row) = resolved {
        keys.extend(row.external_id.as_ref().map(|id| id.to_lowercase()));
        keys.extend(row.remote_id.as_ref().map(|id| id.to_lowercase()));
        mappings = query::mapping::of_group(tx, row.id).await?;
    }
    for waiting in query::mapping::waiting(tx, group.source, keys).await? {
        if mappings.iter().all(|known| known.id != waiting.id) {
            mappings.push(waiting);
        }
    }
    Ok(mappings)
}

fn refuse_pushed(source: &SourceRow) -> Result<(), EngineError> {
    if source.mode == "push" {
        return Err(EngineError::refused(
            "nested_not_read",
            format!(
                "source '{}' is only pushed to, and a push does not say who is in groups inside a group",
                source.name
            ),
            "map each of the inner groups, or let Usher read the source: set its mode to pull or both",
        ));
    }
    Ok(())
}

impl Unit<'_, '_> {
    /// Makes the choice of a mapping that of the other mappings of its group.
    pub(super) async fn change_nested(&mut self, changed: &MappingRow) -> Result<(), EngineError> {
        let source = super::active_source(self.tx, changed.source).await?;
        if changed.nested {
            refuse_pushed(&source)?;
        }
        let group = GroupRef {
            source: changed.source,
            group: changed.group_ref.clone(),
            named_by: changed.named_by,
        };
        let resolved = match changed.group {
            Some(id) => query::group::by_id(self.tx, changed.source, id).await?,
            None => super::resolve(self.tx, &group).await?,
        };
        for other in others(self.tx, &group, resolved.as_ref()).await? {
            if other.id != changed.id && other.nested != changed.nested {
                let other = MappingRow {
                    nested: changed.nested,
                    ..other
                };
                query::mapping::update(self.tx, &other).await?;
                self.tell_mapping(EventKind::MappingChanged, &other, &json!({}));
            }
        }
        Ok(())
    }
}
