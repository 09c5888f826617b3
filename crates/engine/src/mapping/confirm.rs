//! Doing what a plan showed: exactly that, or nothing and the new plan's digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use usher_core::{EndReason, MappingId, MappingState, MembershipKind, OrderState, PersonId, RoomId};
use usher_storage::query;
use usher_storage::query::mapping::MappingRow;

use super::change::refuse_retired;
use super::plan::{plan_confirm, plan_replace, plan_retire};
use super::{GroupRef, Terms, get, refuse_taken_group};
use crate::plan::check_digest;
use crate::settle::facts::{Suppose, desired};
use crate::unit::{Removal, Unit};
use crate::{EngineError, EventKind, room};

/// A mapping after a plan was confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The mapping as it is now; the new one after a replacement.
    pub mapping: MappingRow,
    /// Whether everybody is decided about already. If not, it goes on in steps.
    pub complete: Complete,
}

/// Whether everything a plan showed is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Complete {
    /// All of it is.
    Now,
    /// The people are many: it goes on in the background, and survives a restart.
    InSteps,
}

impl From<bool> for Complete {
    fn from(now: bool) -> Self {
        if now { Self::Now } else { Self::InSteps }
    }
}

impl Unit<'_, '_> {
    /// Confirms a mapping as the plan with this digest showed it. Confirming again changes nothing.
    ///
    /// The group may still be unknown: then it leads to the room from its arrival on.
    ///
    /// # Errors
    /// [`EngineError::PlanChanged`] when something else would happen now; [`EngineError::Refused`]:
    /// `mapping_retired`, `room_archived`, `room_not_ready` while its order waits for the portal.
    pub async fn confirm_mapping(&mut self, id: MappingId, digest: &str) -> Result<Settled, EngineError> {
        let mapping = get(self.tx, id).await?;
        if mapping.state == MappingState::Confirmed {
            return Ok(Settled {
                mapping,
                complete: Complete::Now,
            });
        }
        refuse_retired(&mapping)?;
        room::refuse_archived(&room::get(self.tx, mapping.room).await?)?;
        let order = query::order::of_room(self.tx, mapping.room).await?;
        let order = order.filter(|order| order.mapping == Some(id));
        if order
            .as_ref()
            .is_some_and(|order| order.state == OrderState::Accepted)
        {
            return Err(EngineError::refused(
                "room_not_ready",
                "the portal has not reported the room yet",
                "report the room's portal id and its https address first",
            ));
        }
        let policy = Arc::clone(&self.policy);
        let plan = plan_confirm(self.tx, &policy, id).await?;
        check_digest(digest, &plan.digest)?;
        let confirmed = MappingRow {
            state: MappingState::Confirmed,
            confirmed: Some(self.now),
            ..mapping
        };
        query::mapping::update(self.tx, &confirmed).await?;
        self.tell_mapping(EventKind::MappingConfirmed, &confirmed, &json!({}));
        if let Some(order) = order.filter(|order| order.state == OrderState::RoomReady) {
            self.move_order(order, OrderState::MappingConfirmed, None).await?;
        }
        self.ask_mapping_read(&confirmed).await?;
        let complete = match confirmed.group {
            Some(group) => self.settle_group_people(confirmed.room, group).await?,
            None => true,
        };
        Ok(Settled {
            mapping: get(self.tx, id).await?,
            complete: complete.into(),
        })
    }

    /// Retires a mapping as the plan with this digest showed it: what it alone backed ends, not braked. A
    /// last administrator stays and is marked. Retiring again changes nothing. In an archived room nobody moves
    /// before it is reopened.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::PlanChanged`].
    pub async fn retire_mapping(&mut self, id: MappingId, digest: &str) -> Result<Settled, EngineError> {
        let mapping = get(self.tx, id).await?;
        if mapping.state == MappingState::Retired {
            return Ok(Settled {
                mapping,
                complete: Complete::Now,
            });
        }
        let policy = Arc::clone(&self.policy);
        let plan = plan_retire(self.tx, &policy, id).await?;
        check_digest(digest, &plan.digest)?;
        let was = mapping.state;
        let retired = self.put_retired(mapping).await?;
        self.tell_mapping(EventKind::MappingRetired, &retired, &json!({}));
        let complete = match was {
            MappingState::Confirmed => {
                self.settle_leavers(retired.room, EndReason::MappingRetired)
                    .await?
            }
            _ => true,
        };
        Ok(Settled {
            mapping: retired,
            complete: complete.into(),
        })
    }

    /// Puts another group in the place of a mapping's, as the plan with this digest showed it. Whoever is
    /// desired before and after keeps the membership as it is.
    ///
    /// # Errors
    /// [`EngineError::PlanChanged`], and what making a mapping refuses.
    pub async fn replace_mapping(
        &mut self,
        id: MappingId,
        group: GroupRef,
        terms: Terms,
        digest: &str,
    ) -> Result<Settled, EngineError> {
        let policy = Arc::clone(&self.policy);
        let (plan, planned) = plan_replace(self.tx, &policy, id, &group, terms).await?;
        check_digest(digest, &plan.digest)?;
        let old = get(self.tx, id).await?;
        if !old.additional {
            let resolved = match planned.group {
                Some(group) => query::group::by_id(self.tx, planned.source, group).await?,
                None => None,
            };
            let order = query::order::of_room(self.tx, old.room).await?;
            refuse_taken_group(self.tx, &group, resolved.as_ref(), order.map(|order| order.id)).await?;
        }
        let new = MappingRow {
            id: self.id(),
            created: self.now,
            confirmed: old.confirmed.map(|_| self.now),
            ..planned
        };
        query::mapping::insert(self.tx, &new).await?;
        self.tell_mapping(EventKind::MappingCreated, &new, &json!({}));
        let was = old.state;
        let retired = self.put_retired(old).await?;
        self.tell_mapping(EventKind::MappingReplaced, &retired, &json!({ "by": new.id }));
        if let Some(mut order) = query::order::of_room(self.tx, new.room).await?
            && order.mapping == Some(id)
        {
            order.mapping = Some(new.id);
            order.source = new.source;
            order.group_ref.clone_from(&new.group_ref);
            order.named_by = new.named_by;
            query::order::update(self.tx, &order).await?;
        }
        self.ask_mapping_read(&new).await?;
        let mut complete = true;
        if was == MappingState::Confirmed {
            self.tell_mapping(EventKind::MappingConfirmed, &new, &json!({}));
            complete = self.settle_leavers(new.room, EndReason::MappingRetired).await?;
            if let Some(group) = new.group {
                complete &= self.settle_group_people(new.room, group).await?;
            }
        }
        Ok(Settled {
            mapping: new,
            complete: complete.into(),
        })
    }

    /// Writes that a mapping is over, without deciding about anybody.
    pub(crate) async fn put_retired(&mut self, mapping: MappingRow) -> Result<MappingRow, EngineError> {
        let retired = MappingRow {
            state: MappingState::Retired,
            retired: Some(self.now),
            ..mapping
        };
        query::mapping::update(self.tx, &retired).await?;
        Ok(MappingRow {
            version: retired.version + 1,
            ..retired
        })
    }

    /// Ends in a room what is no longer backed, for a reason that a human confirmed. Administrators come
    /// first and together, so that the one who stays is the one that the plan named.
    pub(crate) async fn settle_leavers(
        &mut self,
        room: RoomId,
        reason: EndReason,
    ) -> Result<bool, EngineError> {
        let removal = Removal {
            reason,
            braked: false,
        };
        for administrator in query::membership::administrators(self.tx, room).await? {
            self.touch(room, administrator.person);
        }
        self.settle_as(removal).await?;
        let complete = self.settle_room_people(room, removal).await?;
        if complete {
            let people = self.room_people(room, None).await?;
            self.rebind_kept(room, &people).await?;
        }
        Ok(complete)
    }

    /// Writes which account and mapping stand behind those who stayed though theirs were retired.
    pub(crate) async fn rebind_kept(&mut self, room: RoomId, people: &[PersonId]) -> Result<(), EngineError> {
        let policy = Arc::clone(&self.policy);
        let memberships = query::membership::active(self.tx, &[room], people).await?;
        let wanted = desired(self.tx, &policy, &Suppose::default(), &[room], people).await?;
        let mut live: BTreeMap<MappingId, bool> = BTreeMap::new();
        for mapping in query::mapping::of_room(self.tx, room).await? {
            live.insert(mapping.id, mapping.state == MappingState::Confirmed);
        }
        let mut moved = Vec::new();
        for membership in memberships {
            let stale = membership
                .mapping
                .is_none_or(|mapping| !live.get(&mapping).copied().unwrap_or(false));
            if membership.kind == MembershipKind::Managed
                && stale
                && let Some(desired) = wanted.get(&(room, membership.person))
            {
                moved.push((membership.id, desired.source, desired.user, desired.mapping));
            }
        }
        Ok(query::plan::rebind(self.tx, &moved).await?)
    }
}
