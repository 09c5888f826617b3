//! Holds: endings beyond the brake, and arrivals beyond an order's expectation, decided as one.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};
use usher_core::{EndReason, HoldId, HoldKind, HoldState, PersonId, RoomId, RoomState, Stray};
use usher_storage::query::hold::{HoldItem, HoldRow};
use usher_storage::query::person::PersonRow;
use usher_storage::query::room::RoomRow;
use usher_storage::{Tx, query};

use crate::restore::hex;
use crate::unit::{About, Removal, Unit};
use crate::{EngineError, EventKind};

/// So many people of a hold are looked at together.
const CHUNK: u32 = 1_000;

/// A hold with names in it.
#[derive(Debug, Clone)]
pub struct HoldView {
    /// The hold, with its probable cause.
    pub hold: HoldRow,
    /// The room.
    pub room: RoomRow,
    /// The source's name.
    pub source: String,
    /// Who is in it, by id: those of the page that was asked for.
    pub people: Vec<HeldPerson>,
    /// How many are in it.
    pub count: u64,
    /// Names exactly the people who are in it, to be decided as one.
    pub digest: String,
}

/// One person in a hold.
#[derive(Debug, Clone)]
pub struct HeldPerson {
    /// What is held.
    pub item: HoldItem,
    /// Who it is.
    pub person: PersonRow,
}

/// The page of a hold that has everybody on it.
pub const EVERYBODY: (Option<PersonId>, u32) = (None, u32::MAX);

/// A hold with the names in it after one of them, at most so many.
///
/// # Errors
/// [`EngineError::NotFound`].
pub async fn view(
    tx: &mut Tx<'_>,
    id: HoldId,
    (after, limit): (Option<PersonId>, u32),
) -> Result<HoldView, EngineError> {
    let hold = query::hold::by_id(tx, id)
        .await?
        .ok_or_else(|| EngineError::not_found("hold", id))?;
    let (digest, count) = digest_of(tx, &hold).await?;
    let items = query::hold::items_after(tx, id, after, limit).await?;
    let mut names: BTreeMap<PersonId, PersonRow> =
        query::person::by_ids(tx, items.iter().map(|item| item.person).collect::<Vec<_>>())
            .await?
            .into_iter()
            .map(|person| (person.id, person))
            .collect();
    let room = query::room::by_id(tx, hold.room)
        .await?
        .ok_or_else(|| EngineError::not_found("room", hold.room))?;
    let source = query::source::by_key(tx, hold.source)
        .await?
        .map_or_else(String::new, |source| source.name);
    let people = items
        .into_iter()
        .filter_map(|item| {
            let person = names.remove(&item.person)?;
            Some(HeldPerson { item, person })
        })
        .collect();
    Ok(HoldView {
        hold,
        room,
        source,
        people,
        count,
        digest,
    })
}

/// The digest of a hold, and how many are in it; no more than [`CHUNK`] of them are in memory.
async fn digest_of(tx: &mut Tx<'_>, hold: &HoldRow) -> Result<(String, u64), EngineError> {
    let (mut digest, mut count, mut after) = (HoldDigest::of(hold), 0, None);
    loop {
        let items = query::hold::items_after(tx, hold.id, after, CHUNK).await?;
        digest.add(&items);
        count += items.len() as u64;
        match items.last() {
            Some(last) if items.len() == CHUNK as usize => after = Some(last.person),
            _ => return Ok((digest.finish(), count)),
        }
    }
}

impl Unit<'_, '_> {
    /// Lets what a hold holds happen: its people leave the room, or come in. A last administrator stays.
    /// Approving an approved hold changes nothing.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::PlanChanged`] when others are in the hold than `digest` names; refused
    /// when it was decided otherwise, or its room is archived.
    pub async fn approve_hold(&mut self, id: HoldId, digest: &str) -> Result<HoldRow, EngineError> {
        match self.undecided(id, digest, HoldState::Approved).await? {
            Undecided::DoneBefore(hold) => Ok(hold),
            Undecided::Open(hold, items) => {
                self.let_happen(hold, &items, HoldState::Approved, EventKind::HoldApproved)
                    .await
            }
        }
    }

    /// Refuses what a hold holds: its people stay in the room as strays, or keep waiting at its door. Rejecting
    /// a rejected hold changes nothing.
    ///
    /// # Errors
    /// As [`Unit::approve_hold`].
    pub async fn reject_hold(&mut self, id: HoldId, digest: &str) -> Result<HoldRow, EngineError> {
        let (hold, items) = match self.undecided(id, digest, HoldState::Rejected).await? {
            Undecided::DoneBefore(hold) => return Ok(hold),
            Undecided::Open(hold, items) => (hold, items),
        };
        if hold.kind == HoldKind::Endings {
            let ids: Vec<_> = items.iter().filter_map(|item| item.membership).collect();
            let stray = Some(Stray::HoldRejected);
            query::membership::mark_stray(self.tx, &ids, stray, None, self.now).await?;
        }
        self.close_hold(hold, items.len(), HoldState::Rejected, EventKind::HoldRejected)
            .await
    }

    /// Applies holds that nobody decided in time, at most `limit`; answers how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn apply_due_holds(&mut self, limit: u32) -> Result<usize, EngineError> {
        let due = query::hold::due(self.tx, self.now, limit).await?;
        let count = due.len();
        for hold in due {
            let items = query::hold::items(self.tx, hold.id).await?;
            self.let_happen(hold, &items, HoldState::Applied, EventKind::HoldApplied)
                .await?;
        }
        Ok(count)
    }

    /// An open hold, if it still holds those whom the caller saw.
    async fn undecided(
        &mut self,
        id: HoldId,
        shown: &str,
        wanted: HoldState,
    ) -> Result<Undecided, EngineError> {
        let hold = query::hold::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("hold", id))?;
        if hold.state == wanted {
            return Ok(Undecided::DoneBefore(hold));
        }
        if hold.state != HoldState::Open {
            return Err(EngineError::refused(
                "hold_decided",
                format!("the hold is {} already", hold.state),
                "list the open holds",
            ));
        }
        let room = self.usable_room(hold.room).await?;
        debug_assert!(room.state != RoomState::Archived);
        let items = query::hold::items(self.tx, id).await?;
        let now = digest(&hold, &items);
        if now != shown {
            return Err(EngineError::PlanChanged { digest: now });
        }
        Ok(Undecided::Open(hold, items))
    }

    async fn let_happen(
        &mut self,
        hold: HoldRow,
        items: &[HoldItem],
        state: HoldState,
        event: EventKind,
    ) -> Result<HoldRow, EngineError> {
        self.settle_now().await?;
        let (kind, room) = (hold.kind, hold.room);
        let hold = self.close_hold(hold, items.len(), state, event).await?;
        match kind {
            HoldKind::Endings => self.end_held(room, items).await?,
            HoldKind::Arrivals => self.let_in(room, items).await?,
        }
        Ok(hold)
    }

    /// Decides those who were held again, without the brake: the same road as every ending.
    async fn end_held(&mut self, room: RoomId, items: &[HoldItem]) -> Result<(), EngineError> {
        let mut by_reason: BTreeMap<EndReason, Vec<&HoldItem>> = BTreeMap::new();
        for item in items {
            let reason = item.reason.parse().unwrap_or(EndReason::Removed);
            by_reason.entry(reason).or_default().push(item);
        }
        for (reason, items) in by_reason {
            let ids: Vec<_> = items.iter().filter_map(|item| item.membership).collect();
            query::membership::mark_stray(self.tx, &ids, None, None, self.now).await?;
            for item in items {
                self.touch(room, item.person);
            }
            self.settle_as(Removal {
                reason,
                braked: false,
            })
            .await?;
        }
        Ok(())
    }

    /// Raises the number of people who may come in without an approval by those who wait, and decides again.
    async fn let_in(&mut self, room: RoomId, items: &[HoldItem]) -> Result<(), EngineError> {
        let Some(mut row) = query::room::by_id(self.tx, room).await? else {
            return Ok(());
        };
        if let Some(limit) = row.arrival_limit {
            let inside = query::membership::count_managed(self.tx, room, i64::MAX).await?;
            let waiting = i64::try_from(items.len()).unwrap_or(i64::MAX);
            row.arrival_limit = Some(limit.max(inside.saturating_add(waiting)));
            query::room::update(self.tx, &row).await?;
        }
        for item in items {
            self.touch(room, item.person);
        }
        self.settle_now().await
    }

    async fn close_hold(
        &mut self,
        hold: HoldRow,
        people: usize,
        state: HoldState,
        event: EventKind,
    ) -> Result<HoldRow, EngineError> {
        query::hold::close(self.tx, hold.id, state, self.now).await?;
        let about = About {
            source: Some(hold.source),
            room: Some(hold.room),
            ..About::default()
        };
        let data = json!({ "hold": hold.id, "kind": hold.kind, "people": people });
        self.tell(event, about, &data);
        Ok(HoldRow {
            state,
            closed: Some(self.now),
            version: hold.version + 1,
            ..hold
        })
    }
}

enum Undecided {
    DoneBefore(HoldRow),
    Open(HoldRow, Vec<HoldItem>),
}

fn digest(hold: &HoldRow, items: &[HoldItem]) -> String {
    let mut digest = HoldDigest::of(hold);
    digest.add(items);
    digest.finish()
}

/// A digest of those in a hold, in the order of their ids.
struct HoldDigest(Sha256);

impl HoldDigest {
    fn of(hold: &HoldRow) -> Self {
        let mut hash = Sha256::new();
        hash.update(hold.id.as_uuid().as_bytes());
        Self(hash)
    }

    fn add(&mut self, items: &[HoldItem]) {
        for item in items {
            self.0.update(item.person.as_uuid().as_bytes());
            self.0
                .update(item.membership.map_or([0; 16], |id| *id.as_uuid().as_bytes()));
            self.0.update(item.reason.as_bytes());
        }
    }

    fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}
