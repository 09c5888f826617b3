//! Whom to ask on the spot about one person in one room: the sources that are read, by the ids that they know.

use std::collections::BTreeMap;

use usher_core::{GroupNaming, PersonId, RemoteGroupId, RemoteUserId, RoomId, SourceName, WantedGroup};
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::pull_run;
use usher_storage::{SourceKey, Tx, query};

use crate::EngineError;
use crate::engine::Engine;

/// What to ask one source about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The source.
    pub source: SourceName,
    /// Its row in the database.
    pub key: SourceKey,
    /// The person's account.
    pub user: RemoteUserId,
    /// The person.
    pub person: PersonId,
    /// The groups that lead to the room.
    pub groups: Vec<WantedGroup>,
}

impl Engine {
    /// What to ask which source so that it is known now whether a person belongs into a room. Sources that are only
    /// pushed to cannot be asked, and where the person has no account there is nothing to ask.
    ///
    /// # Errors
    /// What the database says.
    pub async fn questions(&self, room: RoomId, person: PersonId) -> Result<Vec<Question>, EngineError> {
        let rows = self
            .read(move |tx| {
                Box::pin(async move { Ok::<_, EngineError>(pull_run::to_ask(tx, room, person).await?) })
            })
            .await?;
        let mut questions: BTreeMap<(SourceKey, String), Question> = BTreeMap::new();
        for row in rows {
            let (Ok(source), Ok(user), Ok(group)) = (
                row.source.parse(),
                RemoteUserId::new(row.user.clone()),
                RemoteGroupId::new(row.group),
            ) else {
                continue;
            };
            let question = questions.entry((row.key, row.user)).or_insert_with(|| Question {
                source,
                key: row.key,
                user,
                person,
                groups: Vec::new(),
            });
            if question.groups.iter().all(|known| known.id != group) {
                question.groups.push(WantedGroup {
                    id: group,
                    nested: row.nested,
                });
            }
        }
        Ok(questions.into_values().collect())
    }
}

/// The id by which its source knows the group of a mapping, where it is known.
pub(crate) async fn remote_group(
    tx: &mut Tx<'_>,
    mapping: &MappingRow,
) -> Result<Option<RemoteGroupId>, EngineError> {
    let bound = match mapping.group {
        Some(id) => query::group::by_id(tx, mapping.source, id).await?,
        None => None,
    };
    let id = match bound {
        Some(group) => group.remote_id.or(group.external_id),
        None if mapping.named_by == GroupNaming::Id => Some(mapping.group_ref.clone()),
        None => None,
    };
    Ok(id.and_then(|id| RemoteGroupId::new(id).ok()))
}
