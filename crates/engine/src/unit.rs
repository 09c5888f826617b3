//! One unit of work: what it is for, what it touched, and what it tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use usher_core::{ChangeId, Draw, EndReason, Ids, PersonId, RoomId, SourceGroupId, Timestamp, TypedId};
use usher_storage::query::event::NewEvent;
use usher_storage::query::source::SourceRow;
use usher_storage::{Later, SourceKey, Tx, query};

use crate::event::EventKind;
use crate::lock::Locks;
use crate::policy::Policy;
use crate::settle::Expected;
use crate::{EngineError, settle};

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum Actor {
    /// An identity provider, by the name of its source.
    Source(String),
    /// A person or program that came with a token, by the token's label.
    Token(String),
    /// A person signed in to the console, by name and address.
    Console(String),
    /// A person at the command line, by the operating system's name for them.
    Operator(String),
    /// Usher itself: a due date, a rule.
    Usher(String),
}

impl Actor {
    /// The kind and the name, as stored.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Source(name) => ("source", name),
            Self::Token(name) => ("token", name),
            Self::Console(name) => ("console", name),
            Self::Operator(name) => ("operator", name),
            Self::Usher(name) => ("usher", name),
        }
    }

    /// Whether this is a human or a program acting for one, and not sync or a rule.
    #[must_use]
    pub const fn is_by_hand(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Console(_) | Self::Operator(_))
    }
}

/// Why a unit of work is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Who asked.
    pub actor: Actor,
    /// The request that it came with.
    pub request_id: Option<String>,
    /// The reason that a human gave.
    pub reason: Option<String>,
}

impl Cause {
    /// A cause with nothing but an actor.
    #[must_use]
    pub const fn new(actor: Actor) -> Self {
        Self {
            actor,
            request_id: None,
            reason: None,
        }
    }
}

/// A running unit of work. Its methods are the engine's verbs, spread over the modules of this crate.
pub struct Unit<'u, 't> {
    pub(crate) tx: &'u mut Tx<'t>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) now: Timestamp,
    pub(crate) cause: Arc<Cause>,
    pub(crate) change: ChangeId,
    pub(crate) touched: Touched,
    /// Who may come in because somebody with their address left. They go last: whoever the unit is about comes first.
    pub(crate) freed: BTreeSet<(RoomId, PersonId)>,
    pub(crate) removal: Removal,
    pub(crate) locks: Locks,
    /// A source that was asked for before it was needed.
    pub(crate) foreseen: Option<(SourceKey, Later<SourceRow>)>,
    /// The same of the rooms that a group leads to.
    pub(crate) foreseen_rooms: Option<(SourceGroupId, Later<(SourceGroupId, RoomId)>)>,
    /// What its decisions will most likely be.
    pub(crate) expected: Expected,
    ids: Ids,
    events: Vec<NewEvent>,
    changed: bool,
}

/// What has to be decided again before the unit ends.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// People whose account changed: all their rooms.
    pub(crate) persons: BTreeSet<PersonId>,
    /// Members of groups: the rooms that the group leads to.
    pub(crate) members: BTreeSet<(SourceGroupId, PersonId)>,
    /// These very pairs.
    pub(crate) pairs: BTreeSet<(RoomId, PersonId)>,
}

/// What it means, in this part of the unit, that somebody is no longer desired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removal {
    /// The reason that goes into the history.
    pub(crate) reason: EndReason,
    /// Whether the brake looks at it. What a human saw as a plan and confirmed passes.
    pub(crate) braked: bool,
}

impl Default for Removal {
    fn default() -> Self {
        Self {
            reason: EndReason::Removed,
            braked: true,
        }
    }
}

impl<'u, 't> Unit<'u, 't> {
    pub(crate) fn new(
        tx: &'u mut Tx<'t>,
        policy: Arc<Policy>,
        draw: Draw,
        cause: &Arc<Cause>,
        locks: Locks,
    ) -> Self {
        let mut ids = draw.ids();
        Self {
            tx,
            policy,
            now: draw.now(),
            cause: Arc::clone(cause),
            change: ids.make(),
            touched: Touched::default(),
            freed: BTreeSet::new(),
            removal: Removal::default(),
            locks,
            foreseen: None,
            foreseen_rooms: None,
            expected: Expected::default(),
            ids,
            events: Vec::new(),
            changed: false,
        }
    }

    /// The transaction, for reading beside the engine's verbs.
    pub fn tx(&mut self) -> &mut Tx<'t> {
        self.tx
    }

    /// The rules in force.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The moment of this unit.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// From here on the unit's moment is no earlier than this one, which another unit wrote down. The moment is drawn before
    /// the unit waits for others, and each node has a clock of its own; what is done one after the other is dated so.
    pub(crate) fn not_before(&mut self, moment: Timestamp) {
        self.now = self.now.max(moment);
    }

    /// Who asked, and why.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// This unit in the history.
    #[must_use]
    pub const fn change(&self) -> ChangeId {
        self.change
    }

    /// A new id.
    pub fn id<I: TypedId>(&mut self) -> I {
        self.ids.make()
    }

    /// Appends a fact. It reaches the feed when the unit is durable.
    pub fn tell(&mut self, event: EventKind, about: About, data: &impl Serialize) {
        self.changed = true;
        self.events.push(NewEvent {
            change_id: self.change,
            kind: event.as_str(),
            at: self.now,
            source: about.source,
            room: about.room,
            person: about.person,
            membership: about.membership,
            data: serde_json::to_string(data).expect("event data are plain structs"),
        });
    }

    /// Asks for a decision about one person in one room before the unit ends.
    pub fn touch(&mut self, room: RoomId, person: PersonId) {
        self.touched.pairs.insert((room, person));
    }

    /// Asks for a decision about all rooms of one person before the unit ends.
    pub fn touch_person(&mut self, person: PersonId) {
        self.touched.persons.insert(person);
    }

    /// Decides and applies what was touched so far, for verbs that build on the result.
    ///
    /// # Errors
    /// What the database says.
    pub async fn settle_now(&mut self) -> Result<(), EngineError> {
        settle::settle(self).await
    }

    /// Decides and applies what was touched so far, with another meaning of a removal.
    pub(crate) async fn settle_as(&mut self, removal: Removal) -> Result<(), EngineError> {
        let before = std::mem::replace(&mut self.removal, removal);
        let result = settle::settle(self).await;
        self.removal = before;
        result
    }

    /// Decides what was touched, applies it, and writes down the change and its events; whether there are any.
    pub(crate) async fn finish(mut self) -> Result<bool, EngineError> {
        settle::settle(&mut self).await?;
        while !self.freed.is_empty() {
            self.touched.pairs.append(&mut self.freed);
            settle::settle(&mut self).await?;
        }
        if !self.changed {
            return Ok(false);
        }
        let (actor_kind, actor) = self.cause.actor.parts();
        query::event::append(
            self.tx,
            &query::event::NewChange {
                id: self.change,
                at: self.now,
                actor_kind,
                actor,
                request_id: self.cause.request_id.as_deref(),
                reason: self.cause.reason.as_deref(),
            },
            self.events,
        )
        .await?;
        Ok(true)
    }
}

pub use usher_storage::query::event::About;
