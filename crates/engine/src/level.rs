//! Levels of memberships, given by hand. A source never changes one.

use usher_core::{Levels, MembershipId, MembershipKind, RoomModel};
use usher_storage::query;
use usher_storage::query::membership::MembershipRow;

use crate::EngineError;
use crate::unit::Unit;

/// Whether a level may be given to a membership of this kind in a room of this model. A level that only people
/// give belongs to a membership that only people own.
#[must_use]
pub fn fits(levels: &Levels, level: &str, model: RoomModel, kind: MembershipKind) -> bool {
    levels.get(level).is_some_and(|level| {
        level.models.contains(&model) && (!level.by_hand || kind != MembershipKind::Managed)
    })
}

/// Whether a level ranks above another. A level that no longer exists ranks below all.
pub(crate) fn is_above(levels: &Levels, level: &str, other: &str) -> bool {
    let rank = |key: &str| levels.get(key).map(|level| level.rank);
    rank(level) > rank(other)
}

impl Unit<'_, '_> {
    /// Gives an active membership another level. Giving the level that it has changes nothing.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::Conflict`] when the membership has another version than the one
    /// given; refused when the membership is over, when the level does not exist for it in this room, and when
    /// the room would lose its last administrator.
    pub async fn give_level(
        &mut self,
        id: MembershipId,
        level: &str,
        version: Option<i64>,
    ) -> Result<MembershipRow, EngineError> {
        let membership = self.active_membership(id, version).await?;
        if membership.level == level {
            return Ok(membership);
        }
        self.check_level(&membership, level, membership.kind).await?;
        if membership.administrator && !self.policy.levels.is_administrator(level) {
            self.refuse_last_administrator(&membership).await?;
        }
        self.set_level(&membership, level).await?;
        query::membership::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", id))
    }

    /// Refuses a level that a membership of this kind cannot have in its room.
    pub(crate) async fn check_level(
        &mut self,
        membership: &MembershipRow,
        level: &str,
        kind: MembershipKind,
    ) -> Result<(), EngineError> {
        let room = self.usable_room(membership.room).await?;
        self.check_level_in(room.model, level, kind)
    }

    /// Refuses a level that a membership of this kind cannot have in a room of this model.
    pub(crate) fn check_level_in(
        &self,
        model: RoomModel,
        level: &str,
        kind: MembershipKind,
    ) -> Result<(), EngineError> {
        let levels = &self.policy.levels;
        if fits(levels, level, model, kind) {
            return Ok(());
        }
        if levels
            .get(level)
            .is_some_and(|level| level.by_hand && level.models.contains(&model))
        {
            return Err(EngineError::refused(
                "level_by_hand",
                format!("level '{level}' is given by people only, and this membership belongs to a source"),
                "make the membership manual first, then give it the level",
            ));
        }
        let known: Vec<&str> = levels
            .iter()
            .filter(|level| fits(levels, &level.key, model, kind))
            .map(|level| level.key.as_str())
            .collect();
        Err(EngineError::refused(
            "level_invalid",
            format!(
                "level '{level}' does not exist in a room of the {} model",
                model.as_str()
            ),
            format!("use one of {}", known.join(", ")),
        ))
    }

    /// Refuses a step by hand that takes the administrator away from a room that has no other.
    pub(crate) async fn refuse_last_administrator(
        &mut self,
        membership: &MembershipRow,
    ) -> Result<(), EngineError> {
        let others = query::membership::administrators(self.tx, membership.room).await?;
        if others.iter().any(|other| other.id != membership.id) {
            return Ok(());
        }
        Err(EngineError::refused(
            "last_administrator",
            "the room would have no administrator",
            "give another member an administrator level first",
        ))
    }

    /// An active membership in a room that is not archived.
    pub(crate) async fn active_membership(
        &mut self,
        id: MembershipId,
        version: Option<i64>,
    ) -> Result<MembershipRow, EngineError> {
        let membership = query::membership::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", id))?;
        if version.is_some_and(|version| version != membership.version) {
            return Err(EngineError::Conflict(format!(
                "membership '{id}' is at version {} by now: read it again and repeat what is still right",
                membership.version
            )));
        }
        self.usable_room(membership.room).await?;
        if !membership.active {
            return Err(EngineError::refused(
                "membership_over",
                format!(
                    "membership '{id}' ended{}",
                    membership
                        .end_reason
                        .map(|reason| format!(": {reason}"))
                        .unwrap_or_default()
                ),
                "look for the person's active membership in the room",
            ));
        }
        Ok(membership)
    }
}
