//! The vendor's set-up user: inside a room until an administrator of its own is.

use std::collections::BTreeMap;

use usher_core::{EndReason, MembershipId, MembershipKind, RoomId, StartReason};
use usher_storage::query;
use usher_storage::query::membership::MembershipRow;

use crate::EngineError;
use crate::unit::Unit;

impl Unit<'_, '_> {
    /// Puts the vendor's set-up user into a room, as an administrator. Doing it again answers the same
    /// membership.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for an address that is none; refused when the level cannot be given, and when the
    /// person is in the room otherwise.
    pub async fn start_bootstrap(
        &mut self,
        room: RoomId,
        email: &str,
        display_name: Option<&str>,
        level: &str,
    ) -> Result<MembershipRow, EngineError> {
        let room = self.usable_room(room).await?;
        self.check_level_in(room.model, level, MembershipKind::Bootstrap)?;
        let person = match query::person::by_email(self.tx, email).await?.pop() {
            Some(person) => person,
            None => self.new_person(email, display_name).await?,
        };
        if let Some(inside) = query::membership::active(self.tx, &[room.id], &[person.id])
            .await?
            .pop()
        {
            if inside.kind == MembershipKind::Bootstrap {
                return Ok(inside);
            }
            return Err(EngineError::refused(
                "already_in_room",
                format!("'{email}' is in room '{}' already", room.name),
                "name another set-up user",
            ));
        }
        let membership = self.by_hand(room.id, person.id, MembershipKind::Bootstrap, level);
        let people = BTreeMap::from([(person.id, person)]);
        self.start_memberships(std::slice::from_ref(&membership), StartReason::Bootstrap, &people)
            .await?;
        Ok(membership)
    }

    /// Takes the vendor's set-up user out of a room. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; refused before another administrator is active in the room.
    pub async fn end_bootstrap(&mut self, id: MembershipId) -> Result<(), EngineError> {
        let known = query::membership::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("membership", id))?;
        if !known.active {
            return Ok(());
        }
        let bootstrap = self.active_membership(id, None).await?;
        let administrators = query::membership::administrators(self.tx, bootstrap.room).await?;
        if administrators
            .iter()
            .all(|administrator| administrator.kind == MembershipKind::Bootstrap)
        {
            return Err(EngineError::refused(
                "no_administrator_yet",
                "the set-up user cannot leave before an administrator of the room is active",
                "let the named administrator arrive and get an administrator level first",
            ));
        }
        self.end_memberships(std::slice::from_ref(&bootstrap), EndReason::SetUpDone)
            .await?;
        self.touch(bootstrap.room, bootstrap.person);
        Ok(())
    }
}
