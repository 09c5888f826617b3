//! Which events an endpoint wants.

use serde::{Deserialize, Serialize};
use usher_core::{Role, RoomId};
use usher_engine::{EngineError, EventKind};
use usher_storage::query::event::EventRow;
use usher_storage::query::webhook::WebhookRow;

use crate::api::events::is_visible;

/// What goes before the words of events in `type`.
const TYPE_PREFIX: &str = "usher.";
/// The most entries of each list.
const MOST: usize = 500;

/// Which events an endpoint wants. An empty list leaves everything in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    /// Words such as `membership.started`, or `membership.*`.
    #[serde(default)]
    pub(crate) events: Vec<String>,
    /// Rooms; events that are about none are left out.
    #[serde(default)]
    pub(crate) rooms: Vec<RoomId>,
    /// Names of sources; events that are about none are left out.
    #[serde(default)]
    pub(crate) sources: Vec<String>,
}

impl Filter {
    /// Takes lists as people write them.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for words that no event has, or none that the role may see, and for endless lists.
    pub(crate) fn new(
        events: &[String],
        rooms: Vec<RoomId>,
        sources: Vec<String>,
        role: Role,
    ) -> Result<Self, EngineError> {
        for (field, length) in [
            ("events", events.len()),
            ("rooms", rooms.len()),
            ("sources", sources.len()),
        ] {
            if length > MOST {
                return Err(EngineError::invalid(field, format!("name at most {MOST}")));
            }
        }
        let events = events
            .iter()
            .map(|text| word(text, role))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            events,
            rooms,
            sources,
        })
    }

    /// The filter of an endpoint, as it was written.
    pub(crate) fn of(row: &WebhookRow) -> Self {
        serde_json::from_str(&row.filter).unwrap_or_default()
    }

    /// Whether an endpoint with this filter, whose receiver has this role, is told of an event.
    pub(crate) fn wants(&self, role: Role, event: &EventRow) -> bool {
        let named = |list: &[String], name: &str| list.is_empty() || list.iter().any(|word| fits(word, name));
        is_visible(role, &event.kind)
            && named(&self.events, &event.kind)
            && (self.rooms.is_empty() || event.room.is_some_and(|room| self.rooms.contains(&room)))
            && (self.sources.is_empty()
                || event
                    .source
                    .as_ref()
                    .is_some_and(|source| self.sources.contains(source)))
    }
}

/// Whether a word of a filter means this kind of event.
fn fits(word: &str, kind: &str) -> bool {
    match word.strip_suffix('*') {
        Some(front) => kind.starts_with(front),
        None => word == kind,
    }
}

/// A word of a filter that means some event that the role may see.
fn word(text: &str, role: Role) -> Result<String, EngineError> {
    let word = text.trim();
    let word = word.strip_prefix(TYPE_PREFIX).unwrap_or(word);
    let meant = |kind: &&EventKind| fits(word, kind.as_str());
    let is_pattern = word == "*" || word.ends_with(".*") || !word.contains('*');
    let shown: String = word.chars().take(100).collect();
    if !is_pattern || !EventKind::ALL.iter().any(|kind| meant(&kind)) {
        let problem = format!(
            "no event is called '{shown}'; write a type such as membership.started, or all of a group as membership.*"
        );
        return Err(EngineError::invalid("events", problem));
    }
    let is_seen = |kind: &EventKind| meant(&kind) && is_visible(role, kind.as_str());
    if !EventKind::ALL.iter().any(is_seen) {
        let problem = format!("a receiver with the role '{role}' does not see '{shown}'");
        return Err(EngineError::invalid("events", problem));
    }
    Ok(word.to_owned())
}

#[cfg(test)]
mod tests {
    use usher_core::{ChangeId, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn event(kind: &str, room: Option<u128>, source: Option<&str>) -> EventRow {
        EventRow {
            seq: 1,
            change_id: ChangeId::from_uuid(Uuid::nil()),
            kind: kind.into(),
            at: Timestamp::default(),
            source: source.map(Into::into),
            room: room.map(|room| RoomId::from_uuid(Uuid::from_u128(room))),
            person: None,
            membership: None,
            data: "{}".into(),
            actor_kind: "usher".into(),
            actor: "test".into(),
            request_id: None,
            reason: None,
        }
    }

    fn filter(events: &[&str], rooms: &[u128], sources: &[&str]) -> Filter {
        Filter::new(
            &events.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(),
            rooms
                .iter()
                .map(|&room| RoomId::from_uuid(Uuid::from_u128(room)))
                .collect(),
            sources.iter().map(|&name| name.to_owned()).collect(),
            Role::Admin,
        )
        .unwrap()
    }

    #[test]
    fn an_empty_filter_wants_what_the_role_may_see() {
        let all = Filter::default();
        assert!(all.wants(Role::Admin, &event("directory.user.created", None, None)));
        assert!(!all.wants(Role::App, &event("directory.user.created", None, None)));
        assert!(all.wants(Role::App, &event("membership.started", Some(1), None)));
    }

    #[test]
    fn words_rooms_and_sources_narrow_it() {
        let check = |filter: &Filter, expected: bool, event: &EventRow| {
            assert_eq!(filter.wants(Role::Admin, event), expected, "{filter:?} {event:?}");
        };
        let words = filter(&["membership.*", "usher.room.live"], &[], &[]);
        check(&words, true, &event("membership.ended", None, None));
        check(&words, true, &event("room.live", None, None));
        check(&words, false, &event("room.ready", None, None));
        let rooms = filter(&[], &[7], &[]);
        check(&rooms, true, &event("room.live", Some(7), None));
        check(&rooms, false, &event("room.live", Some(8), None));
        check(&rooms, false, &event("token.created", None, None));
        let sources = filter(&[], &[], &["entra"]);
        check(&sources, true, &event("membership.ended", None, Some("entra")));
        check(&sources, false, &event("membership.ended", None, Some("okta")));
        check(&sources, false, &event("membership.ended", None, None));
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (text, role) in [
            ("memberships.started", Role::Admin),
            ("member*", Role::Admin),
            ("", Role::Admin),
            ("directory.*", Role::App),
            ("token.created", Role::App),
        ] {
            assert!(word(text, role).is_err(), "{text}");
        }
        assert!(word("*", Role::App).is_ok());
    }
}
