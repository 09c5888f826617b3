//! Rooms: made for orders or taken over from the portal, archived and reopened; never touched by a source.

use serde::Serialize;
use serde_json::json;
use usher_core::{
    MappingState, OrderState, PersonId, RoomId, RoomModel, RoomState, SourceGroupId, SourceUserId, Timestamp,
};
use usher_storage::query::room::RoomRow;
use usher_storage::{Tx, query};

use crate::engine::Engine;
use crate::job::Task;
use crate::order;
use crate::settle::BATCH;
use crate::settle::facts::{Suppose, desired};
use crate::unit::{About, Removal, Unit};
use crate::{EngineError, EventKind};

/// The most characters in a room's name.
pub const NAME_LEN: usize = 200;

const PORTAL_ID_LEN: usize = 200;
const URL_LEN: usize = 2000;
const FEATURES: usize = 50;

/// What a room is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoom {
    /// The name; no other room in use has it, in any case.
    pub name: String,
    /// Open or closed.
    pub model: RoomModel,
    /// Special features.
    pub features: Vec<String>,
}

/// A room as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomView {
    /// The id.
    pub id: RoomId,
    /// The name.
    pub name: String,
    /// Open or closed.
    pub model: RoomModel,
    /// Special features.
    pub features: Vec<String>,
    /// How far it is.
    pub state: RoomState,
    /// The portal's id of it.
    pub portal_id: Option<String>,
    /// The portal's address of it.
    pub url: Option<String>,
    /// The mark *no administrator*: since when nobody administers the room.
    pub no_administrator_since: Option<Timestamp>,
    /// How many managed members may be in it without an approval.
    pub arrival_limit: Option<i64>,
    /// When it was created.
    pub created: Timestamp,
    /// Rises with every change.
    pub version: i64,
}

impl From<RoomRow> for RoomView {
    fn from(row: RoomRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            model: row.model,
            features: features_of(&row.features),
            state: row.state,
            portal_id: row.portal_id,
            url: row.url,
            no_administrator_since: row.no_administrator_since,
            arrival_limit: row.arrival_limit,
            created: row.created,
            version: row.version,
        }
    }
}

impl Engine {
    /// A room.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn room(&self, id: RoomId) -> Result<RoomView, EngineError> {
        self.read(move |tx| Box::pin(async move { Ok(get(tx, id).await?.into()) }))
            .await
    }

    /// Rooms in the order of their creation, archived ones included.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rooms(&self, after: Option<RoomId>, limit: u32) -> Result<Vec<RoomView>, EngineError> {
        self.read(move |tx| {
            Box::pin(async move {
                let rows = query::room::page(tx, after, limit).await?;
                Ok(rows.into_iter().map(RoomView::from).collect())
            })
        })
        .await
    }
}

impl Unit<'_, '_> {
    /// Makes a room that the portal has already, in use at once. New rooms come by an order.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for a name that cannot be one, [`EngineError::Refused`] (`room_name_taken`).
    pub async fn create_room(&mut self, room: NewRoom) -> Result<RoomRow, EngineError> {
        self.insert_room(room, RoomState::Live, None).await
    }

    /// Makes the room of an accepted order.
    pub(crate) async fn insert_room(
        &mut self,
        room: NewRoom,
        state: RoomState,
        arrival_limit: Option<i64>,
    ) -> Result<RoomRow, EngineError> {
        let name = check_name("name", &room.name)?;
        check_features(&room.features)?;
        refuse_taken_name(self.tx, &name).await?;
        let row = RoomRow {
            id: self.id(),
            name,
            model: room.model,
            features: json!(room.features).to_string(),
            state,
            portal_id: None,
            url: None,
            no_administrator_since: None,
            arrival_limit,
            version: 1,
            created: self.now,
        };
        query::room::insert(self.tx, &row).await?;
        self.tell_room(EventKind::RoomCreated, &row);
        Ok(row)
    }

    /// Takes that the portal has the room: its id there and its address. Moves the room's order on. Saying
    /// the same again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for an address that is not https; [`EngineError::Refused`] (`room_archived`).
    pub async fn room_ready(
        &mut self,
        room: RoomId,
        portal_id: &str,
        url: &str,
    ) -> Result<RoomRow, EngineError> {
        let mut row = get(self.tx, room).await?;
        refuse_archived(&row)?;
        let portal_id = check_text("portal_id", portal_id, PORTAL_ID_LEN)?;
        check_url(url)?;
        if row.portal_id.as_deref() == Some(&portal_id) && row.url.as_deref() == Some(url) {
            return Ok(row);
        }
        row.portal_id = Some(portal_id);
        row.url = Some(url.to_owned());
        query::room::update(self.tx, &row).await?;
        row.version += 1;
        self.tell_room(EventKind::RoomReady, &row);
        if let Some(order) = query::order::of_room(self.tx, room).await?
            && order.state == OrderState::Accepted
        {
            self.move_order(order, OrderState::RoomReady, None).await?;
        }
        Ok(row)
    }

    /// Archives a room: access is denied and decisions are frozen, memberships are kept. An order that is
    /// still under way for it is withdrawn.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub async fn archive_room(&mut self, room: RoomId) -> Result<RoomRow, EngineError> {
        let mut row = get(self.tx, room).await?;
        if row.state == RoomState::Archived {
            return Ok(row);
        }
        if let Some(order) = query::order::of_room(self.tx, room).await?
            && !order::is_over(order.state)
        {
            let reason = "the room was archived".to_owned();
            self.move_order(order, OrderState::Withdrawn, Some(reason))
                .await?;
        }
        row.state = RoomState::Archived;
        query::room::update(self.tx, &row).await?;
        row.version += 1;
        self.tell_room(EventKind::RoomArchived, &row);
        Ok(row)
    }

    /// Opens an archived room again and decides afresh about everybody in it, waiting for it, or in one of
    /// its groups; in steps where they are many.
    ///
    /// # Errors
    /// [`EngineError::Refused`] (`room_name_taken`) when another room got the name meanwhile.
    pub async fn reopen_room(&mut self, room: RoomId) -> Result<RoomRow, EngineError> {
        let mut row = get(self.tx, room).await?;
        if row.state != RoomState::Archived {
            return Ok(row);
        }
        refuse_taken_name(self.tx, &row.name).await?;
        row.state = RoomState::Live;
        query::room::update(self.tx, &row).await?;
        row.version += 1;
        self.tell_room(EventKind::RoomReopened, &row);
        self.settle_room_people(room, Removal::default()).await?;
        for mapping in query::mapping::of_room(self.tx, room).await? {
            if let (MappingState::Confirmed, Some(group)) = (mapping.state, mapping.group) {
                self.settle_group_people(room, group).await?;
            }
        }
        Ok(row)
    }

    /// Decides about everybody in a group for one room: at once, or in steps where they are many.
    pub(crate) async fn settle_group_people(
        &mut self,
        room: RoomId,
        group: SourceGroupId,
    ) -> Result<bool, EngineError> {
        let people = self.group_people(group, None).await?;
        if people.len() > BATCH {
            self.put_job(Task::SettleGroup {
                room,
                group,
                after: None,
            })
            .await?;
            return Ok(false);
        }
        for (_, person) in people {
            self.touch(room, person);
        }
        self.settle_now().await?;
        Ok(true)
    }

    /// Decides about everybody in a room and at its door: at once, or in steps where they are many.
    pub(crate) async fn settle_room_people(
        &mut self,
        room: RoomId,
        removal: Removal,
    ) -> Result<bool, EngineError> {
        let people = self.room_people(room, None).await?;
        let waiting = self.waiting_people(room, None).await?;
        if people.len() > BATCH || waiting.len() > BATCH {
            let task = Task::SettleRoom {
                room,
                reason: removal.reason,
                braked: removal.braked,
                after: None,
                waiting: false,
            };
            self.put_job(task).await?;
            return Ok(false);
        }
        let waiting = self.moved_waiting(room, removal, waiting).await?;
        for person in people.into_iter().chain(waiting) {
            self.touch(room, person);
        }
        self.settle_as(removal).await?;
        Ok(true)
    }

    /// Who of those that wait at a door is to be decided about: all of them, but when a plan was confirmed
    /// only those whom nothing leads here any more. The others would take places that the plan gave away.
    pub(crate) async fn moved_waiting(
        &mut self,
        room: RoomId,
        removal: Removal,
        mut waiting: Vec<PersonId>,
    ) -> Result<Vec<PersonId>, EngineError> {
        if removal.braked {
            return Ok(waiting);
        }
        let policy = std::sync::Arc::clone(&self.policy);
        let wanted = desired(self.tx, &policy, &Suppose::default(), &[room], &waiting).await?;
        waiting.retain(|person| !wanted.contains_key(&(room, *person)));
        Ok(waiting)
    }

    /// Up to one more than a batch of a group's people.
    pub(crate) async fn group_people(
        &mut self,
        group: SourceGroupId,
        after: Option<SourceUserId>,
    ) -> Result<Vec<(SourceUserId, PersonId)>, EngineError> {
        Ok(query::member::people(self.tx, group, after, batch_and_one()).await?)
    }

    /// Up to one more than a batch of a room's people.
    pub(crate) async fn room_people(
        &mut self,
        room: RoomId,
        after: Option<PersonId>,
    ) -> Result<Vec<PersonId>, EngineError> {
        let members = query::membership::page_active(self.tx, room, after, batch_and_one()).await?;
        Ok(members.into_iter().map(|membership| membership.person).collect())
    }

    /// Up to one more than a batch of those who wait at a room's door.
    pub(crate) async fn waiting_people(
        &mut self,
        room: RoomId,
        after: Option<PersonId>,
    ) -> Result<Vec<PersonId>, EngineError> {
        let parked = query::hold::parked_in(self.tx, room, after, batch_and_one()).await?;
        Ok(parked.into_iter().map(|parked| parked.person).collect())
    }

    pub(crate) fn tell_room(&mut self, kind: EventKind, row: &RoomRow) {
        let about = About {
            room: Some(row.id),
            ..About::default()
        };
        let data =
            json!({ "room": row.name, "state": row.state, "portal_id": row.portal_id, "url": row.url });
        self.tell(kind, about, &data);
    }
}

/// The room with an id.
pub(crate) async fn get(tx: &mut Tx<'_>, id: RoomId) -> Result<RoomRow, EngineError> {
    query::room::by_id(tx, id)
        .await?
        .ok_or_else(|| EngineError::not_found("room", id))
}

/// Archived rooms take nothing.
pub(crate) fn refuse_archived(room: &RoomRow) -> Result<(), EngineError> {
    if room.state == RoomState::Archived {
        return Err(EngineError::refused(
            "room_archived",
            format!("room '{}' is archived", room.name),
            "reopen the room first",
        ));
    }
    Ok(())
}

/// Refuses a name that a room in use has.
pub(crate) async fn refuse_taken_name(tx: &mut Tx<'_>, name: &str) -> Result<(), EngineError> {
    match query::room::by_name(tx, name).await? {
        Some(other) => Err(EngineError::refused(
            "room_name_taken",
            format!("room '{}' ({}) has this name", other.name, other.id),
            "choose another name, or archive that room",
        )),
        None => Ok(()),
    }
}

/// A room's name without spaces around it.
pub(crate) fn check_name(field: &'static str, name: &str) -> Result<String, EngineError> {
    check_text(field, name, NAME_LEN)
}

/// One line of text that is not empty and not too long.
pub(crate) fn check_text(field: &'static str, text: &str, longest: usize) -> Result<String, EngineError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(EngineError::invalid(field, "is empty: say what it is"));
    }
    if text.chars().count() > longest {
        let problem = format!("has more than {longest} characters: shorten it");
        return Err(EngineError::invalid(field, problem));
    }
    if text.chars().any(char::is_control) {
        return Err(EngineError::invalid(
            field,
            "has line breaks or control characters: remove them",
        ));
    }
    Ok(text.to_owned())
}

/// Special features: few, short, one line each.
pub(crate) fn check_features(features: &[String]) -> Result<(), EngineError> {
    if features.len() > FEATURES {
        let problem = format!("has more than {FEATURES} entries: name fewer");
        return Err(EngineError::invalid("features", problem));
    }
    for feature in features {
        check_text("features", feature, NAME_LEN)?;
    }
    Ok(())
}

/// The features of a row.
pub(crate) fn features_of(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}

/// An address that people may be sent to: https, with a host, without a password in it.
fn check_url(url: &str) -> Result<(), EngineError> {
    let wrong = |problem: &str| Err(EngineError::invalid("url", problem));
    if url.len() > URL_LEN {
        return wrong("is longer than 2000 bytes: report a shorter one");
    }
    let scheme = url
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    if !scheme {
        return wrong("is not an https address: report one that begins with https://");
    }
    if url
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\'))
    {
        return wrong("has characters that an address cannot have: encode or remove them");
    }
    let authority = url[8..].split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        return wrong("names no host: report one such as https://portal.example/rooms/1");
    }
    if authority.contains('@') {
        return wrong("has a user name in it: report one without");
    }
    Ok(())
}

fn batch_and_one() -> u32 {
    u32::try_from(BATCH + 1).expect("a batch is small")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_addresses_with_a_host_are_taken() {
        assert!(check_url("https://portal.example/rooms/1?x=y#z").is_ok());
        assert!(check_url("HTTPS://portal.example:8443").is_ok());
        for wrong in [
            "",
            "http://portal.example",
            "https://",
            "https:///rooms",
            "https://:443/",
            "javascript:alert(1)",
            "https://a@portal.example/",
            "https://portal.example/a b",
            "https://portal.example/\"><script>",
        ] {
            assert!(check_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_one_line() {
        assert_eq!(check_name("name", "  Board \u{e9} ").unwrap(), "Board \u{e9}");
        for wrong in ["", "   ", "a\nb", &"x".repeat(NAME_LEN + 1)] {
            assert!(check_name("name", wrong).is_err(), "{wrong:?}");
        }
    }
}
