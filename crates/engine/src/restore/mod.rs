//! A person back: a former membership takes the place of the new and empty-handed one.
//!
//! A suggestion opens the moment somebody comes in who was in the room before, and closes by itself when they
//! leave. Nothing is restored unless the person is desired in the room in the very unit that restores.

mod candidates;
mod hooks;
mod plan;
mod swap;
mod undo;

use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_core::{
    GrantId, MappingId, MembershipId, MembershipKind, PersonId, RestoreId, RestoreState, RoomId, RoomState,
    SourceUserId, Timestamp,
};
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::person::PersonRow;
use usher_storage::query::restore::RestoreRow;
use usher_storage::query::room::RoomRow;
use usher_storage::{SourceKey, Tx, query};

pub use candidates::{Candidate, EndedBy};
pub(crate) use hooks::{after_endings, after_starts, before_starts};
pub(crate) use plan::hex;
pub use plan::{Choices, LevelPlan, RestorePlan, plan};
pub use undo::Undone;

use crate::ground::refuse_undesired;
use crate::person::Who;
use crate::unit::{About, Unit};
use crate::{EngineError, EventKind};

/// A restore as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestRestore {
    /// Who is back.
    pub who: Who,
    /// The room.
    pub room: RoomId,
    /// When the person was removed, where somebody remembers.
    pub removed: Option<Timestamp>,
    /// When the person came back, where somebody remembers.
    pub returned: Option<Timestamp>,
}

/// A suggestion with what may be restored, best first.
#[derive(Debug, Clone)]
pub struct Suggestion {
    /// The restore.
    pub restore: RestoreRow,
    /// Who is back.
    pub person: PersonRow,
    /// The room.
    pub room: RoomRow,
    /// The membership that the return began.
    pub present: MembershipRow,
    /// What may be restored, best first.
    pub candidates: Vec<Candidate>,
    /// The one to take, unless two are so close that a human has to choose.
    pub best: Option<MembershipId>,
}

/// What a restore remembers: what was asked for, and what undoing needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returned: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was: Option<Was>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moved: Vec<GrantId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<GrantId>,
}

/// What a membership was before it was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Was {
    person: PersonId,
    kind: MembershipKind,
    level: String,
    source: Option<i64>,
    user: Option<SourceUserId>,
    mapping: Option<MappingId>,
    owner: Option<String>,
    note: Option<String>,
    until: Option<Timestamp>,
}

impl Was {
    fn of(membership: &MembershipRow) -> Self {
        Self {
            person: membership.person,
            kind: membership.kind,
            level: membership.level.clone(),
            source: membership.source.map(|source| source.0),
            user: membership.user,
            mapping: membership.mapping,
            owner: membership.owner.clone(),
            note: membership.note.clone(),
            until: membership.until,
        }
    }

    fn onto(self, membership: &MembershipRow) -> MembershipRow {
        MembershipRow {
            person: self.person,
            kind: self.kind,
            level: self.level,
            source: self.source.map(SourceKey),
            user: self.user,
            mapping: self.mapping,
            owner: self.owner,
            note: self.note,
            until: self.until,
            ..membership.clone()
        }
    }
}

impl Record {
    fn read(row: &RestoreRow) -> Result<Self, EngineError> {
        serde_json::from_str(&row.data).map_err(|error| {
            usher_storage::StorageError::Corrupt(format!("restore {} cannot be read: {error}", row.id)).into()
        })
    }

    fn write(&self) -> String {
        serde_json::to_string(self).expect("a record is plain data")
    }
}

/// A suggestion or a former restore, with its candidates.
///
/// # Errors
/// [`EngineError::NotFound`] when there is no such restore.
pub async fn suggestion(tx: &mut Tx<'_>, id: RestoreId) -> Result<Suggestion, EngineError> {
    let restore = query::restore::by_id(tx, id)
        .await?
        .ok_or_else(|| EngineError::not_found("restore", id))?;
    let record = Record::read(&restore)?;
    let (room, present) = surroundings(tx, &restore).await?;
    let person = query::person::by_ids(tx, [restore.person])
        .await?
        .pop()
        .ok_or_else(|| EngineError::not_found("person", restore.person))?;
    let candidates = candidates::find(tx, &present, record.removed, record.returned).await?;
    let best = candidates::best(&candidates);
    Ok(Suggestion {
        restore,
        person,
        room,
        present,
        candidates,
        best,
    })
}

impl Unit<'_, '_> {
    /// Opens a suggestion to restore a former membership of a person who is in the room, or answers the open
    /// one with the times brought up to date.
    ///
    /// # Errors
    /// Refused, with the next step, when the person is not in the room, or was never in it before.
    pub async fn suggest_restore(&mut self, ask: SuggestRestore) -> Result<Suggestion, EngineError> {
        let room = self.usable_room(ask.room).await?;
        let present = self.present(&room, &ask.who).await?;
        let record = Record {
            removed: ask.removed,
            returned: ask.returned,
            ..Record::default()
        };
        let formers = candidates::find(self.tx, &present, ask.removed, ask.returned).await?;
        if formers.is_empty() {
            return Err(EngineError::refused(
                "no_former_membership",
                format!("the person was never in room '{}' before", room.name),
                "if they were in it as another person, link the two people first, with a reason",
            ));
        }
        let open = query::restore::suggested(self.tx, room.id, present.person).await?;
        let id = match open {
            Some(open) => {
                let renewed = RestoreRow {
                    data: record.write(),
                    ..open
                };
                query::restore::update(self.tx, &renewed).await?;
                renewed.id
            }
            None => {
                let restore = fresh(self, &present, &record);
                query::restore::insert(self.tx, std::slice::from_ref(&restore)).await?;
                tell_suggested(self, &restore, formers.len());
                restore.id
            }
        };
        suggestion(self.tx, id).await
    }

    /// Closes an open suggestion: nobody wants it. Closing a closed one changes nothing.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; refused when it was applied.
    pub async fn close_restore(&mut self, id: RestoreId) -> Result<RestoreRow, EngineError> {
        let row = query::restore::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("restore", id))?;
        match row.state {
            RestoreState::Closed => return Ok(row),
            RestoreState::Suggested => {}
            RestoreState::Applied | RestoreState::Undone => {
                return Err(EngineError::refused(
                    "restore_done",
                    "the restore was applied and cannot be closed",
                    "undo the restore instead",
                ));
            }
        }
        let closed = RestoreRow {
            state: RestoreState::Closed,
            closed: Some(self.now),
            closing_reason: Some(
                self.cause
                    .reason
                    .clone()
                    .unwrap_or_else(|| "closed by hand".to_owned()),
            ),
            ..row
        };
        query::restore::update(self.tx, &closed).await?;
        let data = json!({ "restore": id, "reason": closed.closing_reason });
        self.tell(EventKind::RestoreClosed, about(&closed), &data);
        Ok(closed)
    }

    /// The membership in whose place something would be restored.
    async fn present(&mut self, room: &RoomRow, who: &Who) -> Result<MembershipRow, EngineError> {
        let people = who.people(self.tx).await?;
        let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
        let mut active = query::membership::active(self.tx, &[room.id], &ids).await?;
        active.retain(|membership| membership.kind != MembershipKind::Bootstrap);
        match active.len() {
            1 => Ok(active.remove(0)),
            0 => {
                let newest = ids.last().copied().expect("somebody answers to the name given");
                if let Some(parked) = query::hold::parked(self.tx, &[room.id], &[newest])
                    .await?
                    .remove(&(room.id, newest))
                {
                    return Err(EngineError::refused(
                        "parked",
                        format!(
                            "the person waits at the door of room '{}': {}",
                            room.name, parked.reason
                        ),
                        "decide about the person who waits first",
                    ));
                }
                Err(refuse_undesired(self.tx, room.id, newest).await?)
            }
            _ => Err(EngineError::refused(
                "several_people",
                format!("several people with this address are in room '{}'", room.name),
                "ask again with the id of the person",
            )),
        }
    }

    /// A room that is not archived.
    pub(crate) async fn usable_room(&mut self, id: RoomId) -> Result<RoomRow, EngineError> {
        let room = query::room::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("room", id))?;
        if room.state == RoomState::Archived {
            return Err(EngineError::refused(
                "room_archived",
                format!("room '{}' is archived and nothing in it changes", room.name),
                "reopen the room first",
            ));
        }
        Ok(room)
    }
}

/// The room and the present membership of a restore.
async fn surroundings(
    tx: &mut Tx<'_>,
    restore: &RestoreRow,
) -> Result<(RoomRow, MembershipRow), EngineError> {
    let room = query::room::by_id(tx, restore.room)
        .await?
        .ok_or_else(|| EngineError::not_found("room", restore.room))?;
    let present = query::membership::by_id(tx, restore.present)
        .await?
        .ok_or_else(|| EngineError::not_found("membership", restore.present))?;
    Ok((room, present))
}

fn fresh(unit: &mut Unit<'_, '_>, present: &MembershipRow, record: &Record) -> RestoreRow {
    RestoreRow {
        id: unit.id(),
        room: present.room,
        person: present.person,
        present: present.id,
        former: None,
        state: RestoreState::Suggested,
        opened: unit.now,
        closed: None,
        closing_reason: None,
        data: record.write(),
        version: 1,
    }
}

fn about(restore: &RestoreRow) -> About {
    About {
        room: Some(restore.room),
        person: Some(restore.person),
        membership: Some(restore.present),
        ..About::default()
    }
}

fn tell_suggested(unit: &mut Unit<'_, '_>, restore: &RestoreRow, candidates: usize) {
    let data = json!({ "restore": restore.id, "candidates": candidates });
    unit.tell(EventKind::RestoreSuggested, about(restore), &data);
}
