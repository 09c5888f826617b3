//! Undoing a restore: the same, backwards, with the same check.

use std::collections::BTreeSet;

use serde_json::json;
use usher_core::{EndReason, MembershipKind, RestoreId, RestoreState, StartReason};
use usher_storage::query;
use usher_storage::query::grant::GrantRow;
use usher_storage::query::membership::MembershipRow;
use usher_storage::query::restore::RestoreRow;

use super::{Record, surroundings};
use crate::ground::grounds;
use crate::settle::facts::{Suppose, desired};
use crate::unit::{About, Unit};
use crate::{Desired, EngineError, EventKind};

/// What undoing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The membership that is in force again; nothing where the person is not desired in the room any more.
    pub present: Option<MembershipRow>,
    /// The membership whose restore was undone.
    pub former: MembershipRow,
}

impl Unit<'_, '_> {
    /// Undoes a restore: the restored membership ends, and the one that it superseded is in force again if the
    /// person is desired in the room in this very unit. Grants go back to where they were; what was gained since
    /// goes along.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; refused, with the next step, when the restore was not applied, when somebody
    /// else's step came after it, and when the room would lose its last administrator.
    pub async fn undo_restore(&mut self, id: RestoreId) -> Result<Undone, EngineError> {
        let restore = query::restore::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("restore", id))?;
        let Some(former) = restore.former.filter(|_| restore.state == RestoreState::Applied) else {
            return Err(EngineError::refused(
                "restore_not_applied",
                format!("the restore is {} and there is nothing to undo", restore.state),
                "look at the person's history in the room",
            ));
        };
        let room = self.usable_room(restore.room).await?;
        let (_, superseded) = surroundings(self.tx, &restore).await?;
        let restored = query::membership::by_id(self.tx, former)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", former))?;
        let pair = (room.id, restored.person);
        let active = query::membership::active(self.tx, &[pair.0], &[pair.1]).await?;
        if active.iter().any(|membership| membership.id != restored.id) {
            return Err(EngineError::refused(
                "came_back_since",
                format!(
                    "the person left room '{}' after the restore and came back",
                    room.name
                ),
                "restore the membership that you want from the open suggestion",
            ));
        }
        let policy = std::sync::Arc::clone(&self.policy);
        let wanted = desired(self.tx, &policy, &Suppose::default(), &[pair.0], &[pair.1])
            .await?
            .remove(&pair);
        if wanted.is_some()
            && let Some(refusal) = grounds(self.tx, pair.0, pair.1).await?.stale(self.now)
        {
            return Err(EngineError::Refused(Box::new(refusal)));
        }
        let back = wanted
            .filter(|_| restored.active)
            .map(|wanted| self.bound_again(&superseded, &wanted));
        if restored.active {
            if restored.administrator && !back.as_ref().is_some_and(|back| back.administrator) {
                self.refuse_last_administrator(&restored).await?;
            }
            self.close_memberships(std::slice::from_ref(&restored), EndReason::RestoreUndone)
                .await?;
        }
        if let Some(back) = &back {
            self.reopen_memberships(std::slice::from_ref(back), StartReason::RestoreUndone)
                .await?;
        }
        let record = Record::read(&restore)?;
        self.hang_back(&restore, &record, &restored, &superseded).await?;
        self.forget_restore(&restored, record).await?;
        let undone = RestoreRow {
            state: RestoreState::Undone,
            closed: Some(self.now),
            ..restore
        };
        query::restore::update(self.tx, &undone).await?;
        let about = About {
            source: restored.source,
            room: Some(restored.room),
            person: Some(restored.person),
            membership: Some(restored.id),
        };
        let data = json!({ "restore": id, "in_force": back.as_ref().map(|back| back.id) });
        self.tell(EventKind::MembershipRestoreUndone, about, &data);
        self.check_administrators_after(&[restored.clone(), superseded.clone()])
            .await?;
        self.touch(pair.0, pair.1);
        let read = query::membership::by_ids(self.tx, [restored.id, superseded.id]).await?;
        let find = |id| read.iter().find(|membership| membership.id == id).cloned();
        Ok(Undone {
            present: back.and_then(|back| find(back.id)),
            former: find(restored.id).ok_or_else(|| EngineError::not_found("membership", restored.id))?,
        })
    }

    /// The superseded membership as it goes on: a managed one follows the present identity and mapping.
    fn bound_again(&self, superseded: &MembershipRow, wanted: &Desired) -> MembershipRow {
        let mut back = superseded.clone();
        if back.kind == MembershipKind::Managed {
            back.source = Some(wanted.source);
            back.user = Some(wanted.user);
            back.mapping = Some(wanted.mapping);
        }
        back.administrator = self.policy.levels.is_administrator(&back.level);
        back
    }

    /// Hangs back what the restore moved or dropped, and along what was gained since.
    async fn hang_back(
        &mut self,
        restore: &RestoreRow,
        record: &Record,
        restored: &MembershipRow,
        superseded: &MembershipRow,
    ) -> Result<(), EngineError> {
        let all = query::grant::of_memberships(self.tx, [restored.id, superseded.id], true).await?;
        let same = |a: &GrantRow, b: &GrantRow| (&a.kind, &a.reference) == (&b.kind, &b.reference);
        let applied = restore.closed.unwrap_or(restore.opened);
        let mut hanging: Vec<&GrantRow> = all
            .iter()
            .filter(|grant| grant.membership == superseded.id && grant.dropped.is_none())
            .collect();
        let mut returned = BTreeSet::new();
        for grant in all.iter().filter(|grant| {
            grant.membership == restored.id
                && grant.dropped.is_none()
                && (record.moved.contains(&grant.id) || grant.created > applied)
        }) {
            if !hanging.iter().any(|there| same(there, grant)) {
                hanging.push(grant);
                returned.insert(grant.id);
            }
        }
        let mut undropped = BTreeSet::new();
        for grant in all
            .iter()
            .filter(|grant| record.dropped.contains(&grant.id) && grant.dropped == Some(applied))
        {
            let taken = hanging.iter().any(|there| same(there, grant))
                || all.iter().any(|other| {
                    other.membership == grant.membership
                        && other.dropped.is_none()
                        && !returned.contains(&other.id)
                        && same(other, grant)
                });
            if !taken {
                undropped.insert(grant.id);
            }
        }
        if !returned.is_empty() {
            query::grant::move_to(self.tx, returned, superseded.id).await?;
        }
        if !undropped.is_empty() {
            query::grant::set_dropped(self.tx, undropped, None).await?;
        }
        Ok(())
    }

    /// Makes the formerly restored membership what it was before, now that it is over again.
    async fn forget_restore(&mut self, restored: &MembershipRow, record: Record) -> Result<(), EngineError> {
        let Some(was) = record.was else { return Ok(()) };
        let over = query::membership::by_id(self.tx, restored.id)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", restored.id))?;
        if over.level != was.level {
            query::membership::note_level(self.tx, over.id, &over.level, &was.level, self.now, self.change)
                .await?;
        }
        let mut as_before = was.onto(&over);
        as_before.administrator = self.policy.levels.is_administrator(&as_before.level);
        query::membership::update(self.tx, &as_before).await?;
        Ok(())
    }
}
