//! Reads of sources as work: asked for by a clock, a human or a hint, done one at a time for each source, and kept as
//! history.

use std::time::Duration;

use serde_json::json;
use usher_core::{
    NodeId, PersonId, PullCause, PullRunId, PullRunState, PullScope, RemoteGroupId, RemoteUserId,
    SourceState, Timestamp,
};
use usher_storage::query::mapping::MappingRow;
use usher_storage::query::pull_lease;
use usher_storage::query::pull_run::{self, Degraded, PullCounts, PullRunRow, PullStateRow};
use usher_storage::query::source::SourceRow;
use usher_storage::{SourceKey, StorageError, query};

use super::ask::remote_group;
use super::lease::Lease;
use crate::engine::Engine;
use crate::unit::{About, Cause, Unit};
use crate::{EngineError, EventKind};

/// So many runs of a source are remembered.
const KEPT: u32 = 1000;

/// With so many waiting reads of a source, further ones become one read of everything.
const MOST_WAITING: usize = 200;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every group that a mapping or an order names: what changed, or completely.
    All {
        /// Completely, whatever was read before.
        full: bool,
    },
    /// These groups, completely.
    Groups(Vec<RemoteGroupId>),
    /// One person.
    Person(RemoteUserId),
}

impl Target {
    /// What a run is about.
    ///
    /// # Errors
    /// When the stored target cannot be read.
    pub fn of(run: &PullRunRow) -> Result<Self, StorageError> {
        let corrupt = |error: &dyn std::fmt::Display| {
            StorageError::Corrupt(format!("run {} cannot be read: {error}", run.id))
        };
        Ok(match run.scope {
            PullScope::All => Self::All { full: run.full },
            PullScope::Groups => {
                Self::Groups(serde_json::from_str(&run.target).map_err(|error| corrupt(&error))?)
            }
            PullScope::Person => {
                Self::Person(RemoteUserId::new(run.target.clone()).map_err(|error| corrupt(&error))?)
            }
        })
    }

    /// Scope, stored form, and whether it is complete.
    fn parts(&self) -> (PullScope, String, bool) {
        match self {
            Self::All { full } => (PullScope::All, String::new(), *full),
            Self::Groups(groups) => (PullScope::Groups, json!(groups).to_string(), true),
            Self::Person(user) => (PullScope::Person, user.to_string(), false),
        }
    }
}

/// A read that began.
#[derive(Debug, Clone)]
pub struct BegunRead {
    /// The run.
    pub run: PullRunRow,
    /// What to read.
    pub target: Target,
    /// Where to start; nothing for a complete read, and for one of some groups.
    pub checkpoint: Option<String>,
    /// How many reads failed since one came to its end.
    pub failures: u32,
    /// The right to read. It goes back with [`Unit::end_read`], or [`Unit::give_lease_back`].
    pub lease: Lease,
}

/// How a read ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadEnd {
    /// It came to its end.
    Done {
        /// What it saw and changed.
        counts: PullCounts,
        /// What it did not see, and why.
        not_seen: Vec<(String, String)>,
        /// Groups that have to be read completely once more, and when.
        again: Option<(Vec<RemoteGroupId>, Timestamp)>,
        /// How long until the next read, and until the next complete one.
        next: (Duration, Duration),
    },
    /// It failed.
    Failed {
        /// A stable word.
        kind: &'static str,
        /// Why, for people.
        reason: String,
        /// What it saw and changed until then.
        counts: PullCounts,
        /// How long until it is repeated, and whether a read of some groups or a person is repeated too.
        retry: (Duration, bool),
    },
    /// The checkpoint was too old: everything is read from the beginning, at once.
    CheckpointExpired {
        /// What it saw and changed until then.
        counts: PullCounts,
    },
}

impl ReadEnd {
    /// What it saw and changed.
    const fn counts(&self) -> &PullCounts {
        match self {
            Self::Done { counts, .. } | Self::Failed { counts, .. } | Self::CheckpointExpired { counts } => {
                counts
            }
        }
    }
}

impl Unit<'_, '_> {
    /// Asks for a read. One that waits already for the same is answered, moved forward if need be.
    ///
    /// # Errors
    /// [`EngineError::Refused`]: `not_read` for a source that is only pushed to, `source_not_active`.
    pub async fn ask_read(
        &mut self,
        source: SourceKey,
        target: &Target,
        cause: PullCause,
        due: Option<Timestamp>,
    ) -> Result<PullRunRow, EngineError> {
        let row = query::source::by_key(self.tx, source)
            .await?
            .ok_or_else(|| EngineError::not_found("source", source.0))?;
        refuse_unread(&row)?;
        let mut open = pull_run::open(self.tx, source).await?;
        open.retain(|run| run.state == PullRunState::Waiting);
        let due = due.unwrap_or(self.now);
        let all = Target::All { full: false };
        let target = if open.len() >= MOST_WAITING { &all } else { target };
        let (scope, text, full) = target.parts();
        let known = open
            .into_iter()
            .find(|run| run.scope == scope && run.target == text);
        if let Some(known) = known {
            let moved = PullRunRow {
                due: known.due.min(due),
                full: known.full || full,
                ..known.clone()
            };
            if moved != known {
                pull_run::update(self.tx, &moved).await?;
            }
            return Ok(moved);
        }
        let run = PullRunRow {
            id: self.id(),
            source,
            scope,
            target: text,
            full,
            person: None,
            state: PullRunState::Waiting,
            cause,
            actor: self
                .cause
                .actor
                .is_by_hand()
                .then(|| self.cause.actor.parts().1.to_owned()),
            asked: self.now,
            due,
            started: None,
            ended: None,
            counts: PullCounts::default(),
            not_seen: "[]".to_owned(),
            error: None,
            node: None,
        };
        pull_run::insert(self.tx, &run).await?;
        Ok(run)
    }

    /// Asks for a read of the group that a mapping or an order names, where its source is read; of everything where the
    /// group's id is not known.
    pub(crate) async fn ask_group_read(
        &mut self,
        source: SourceKey,
        group: Option<RemoteGroupId>,
        cause: PullCause,
    ) -> Result<(), EngineError> {
        let is_read = query::source::by_key(self.tx, source)
            .await?
            .is_some_and(|row| refuse_unread(&row).is_ok());
        if is_read {
            let target = match group {
                Some(group) => Target::Groups(vec![group]),
                None => Target::All { full: false },
            };
            self.ask_read(source, &target, cause, None).await?;
        }
        Ok(())
    }

    /// Asks for a read of a mapping's group, where its source is read.
    pub(crate) async fn ask_mapping_read(&mut self, mapping: &MappingRow) -> Result<(), EngineError> {
        let group = remote_group(self.tx, mapping).await?;
        self.ask_group_read(mapping.source, group, PullCause::Mapping)
            .await
    }

    /// Takes the lease of a source for a node and begins the read that waits longest, or the scheduled one if it is due;
    /// nothing when none is, or when another process reads the source.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin_read(
        &mut self,
        source: SourceKey,
        node: NodeId,
    ) -> Result<Option<BegunRead>, EngineError> {
        let Some(lease) = self.take_lease(source, node).await? else {
            return Ok(None);
        };
        let open = pull_run::open(self.tx, source).await?;
        let state = pull_run::state(self.tx, source).await?;
        let waiting = open.into_iter().find(|run| run.due <= self.now);
        let run = match waiting {
            Some(run) => run,
            None if state.next.is_none_or(|next| next <= self.now) => {
                let target = Target::All { full: false };
                self.ask_read(source, &target, PullCause::Schedule, None).await?
            }
            None => {
                self.give_lease_back(&lease).await?;
                return Ok(None);
            }
        };
        let is_all = run.scope == PullScope::All;
        let full_due = state.full.is_none_or(|full| full <= self.now);
        let run = PullRunRow {
            full: run.full || is_all && (full_due || state.checkpoint.is_none()),
            state: PullRunState::Running,
            started: Some(self.now),
            node: Some(node),
            ..run
        };
        pull_run::update(self.tx, &run).await?;
        Ok(Some(BegunRead {
            target: Target::of(&run)?,
            checkpoint: state.checkpoint.filter(|_| is_all && !run.full),
            failures: state.failures,
            run,
            lease,
        }))
    }

    /// Writes how a read ended, and when the next one is due, and gives its lease back. A source in trouble is told of
    /// once, and once more when it is well again.
    ///
    /// # Errors
    /// [`EngineError::LeaseLost`], and then the read was begun again by whoever took the lease; [`EngineError::NotFound`].
    pub async fn end_read(&mut self, begun: &BegunRead, end: &ReadEnd) -> Result<(), EngineError> {
        begun.lease.check(self.tx).await?;
        let id = begun.run.id;
        let run = pull_run::by_id(self.tx, id)
            .await?
            .ok_or_else(|| EngineError::not_found("run", id))?;
        let source = query::source::by_key(self.tx, run.source)
            .await?
            .ok_or_else(|| EngineError::not_found("source", run.source.0))?;
        let before = pull_run::state(self.tx, run.source).await?;
        let mut ended = PullRunRow {
            state: PullRunState::Failed,
            ended: Some(self.now),
            counts: *end.counts(),
            ..run.clone()
        };
        let state = match end {
            ReadEnd::Done {
                not_seen,
                again,
                next,
                ..
            } => {
                ended.state = PullRunState::Done;
                ended.not_seen = json!(not_seen).to_string();
                if let Some((groups, due)) = again.as_ref().filter(|(groups, _)| !groups.is_empty()) {
                    let target = Target::Groups(groups.clone());
                    self.ask_read(run.source, &target, PullCause::Doubt, Some(*due))
                        .await?;
                }
                self.after_success(&run, before.clone(), *next)
            }
            ReadEnd::Failed {
                kind,
                reason,
                retry: (wait, again),
                ..
            } => {
                ended.error = Some(((*kind).to_owned(), reason.clone()));
                let due = self.now.plus(*wait);
                if run.scope != PullScope::All && *again {
                    self.ask_read(run.source, &Target::of(&run)?, run.cause, Some(due))
                        .await?;
                }
                let since = before
                    .degraded
                    .as_ref()
                    .map_or(self.now, |degraded| degraded.since);
                PullStateRow {
                    next: Some(due),
                    failures: before.failures.saturating_add(1),
                    degraded: Some(Degraded {
                        since,
                        kind: (*kind).to_owned(),
                        reason: reason.clone(),
                    }),
                    ..before.clone()
                }
            }
            ReadEnd::CheckpointExpired { .. } => {
                pull_run::put_checkpoint(self.tx, run.source, None).await?;
                let reason = "the checkpoint was too old: everything is read from the beginning".to_owned();
                ended.error = Some(("checkpoint_expired".to_owned(), reason));
                let full = Target::All { full: true };
                self.ask_read(run.source, &full, PullCause::Schedule, None)
                    .await?;
                before.clone()
            }
        };
        pull_run::update(self.tx, &ended).await?;
        if state != before {
            pull_run::put_state(self.tx, run.source, &state).await?;
        }
        self.tell_health(&source, before.degraded.as_ref(), state.degraded.as_ref());
        pull_run::forget(self.tx, run.source, KEPT).await?;
        self.give_lease_back(&begun.lease).await
    }

    fn after_success(
        &self,
        run: &PullRunRow,
        before: PullStateRow,
        (next, full): (Duration, Duration),
    ) -> PullStateRow {
        let soon = self.now.plus(next);
        let mut state = PullStateRow {
            failures: 0,
            degraded: None,
            next: before.next.map(|due| due.min(soon)),
            ..before
        };
        if run.scope == PullScope::All {
            state.next = Some(soon);
            state.last_read = Some(self.now);
            if run.full {
                state.last_full = Some(self.now);
                state.full = Some(self.now.plus(full));
            }
        }
        state
    }

    fn tell_health(&mut self, source: &SourceRow, before: Option<&Degraded>, after: Option<&Degraded>) {
        let about = About {
            source: Some(source.key),
            ..About::default()
        };
        match (before, after) {
            (None, Some(now)) => {
                let data = json!({ "source": source.name, "kind": now.kind, "reason": now.reason });
                self.tell(EventKind::SourceDegraded, about, &data);
            }
            (Some(was), None) => {
                let data = json!({ "source": source.name, "since": was.since, "kind": was.kind });
                self.tell(EventKind::SourceRecovered, about, &data);
            }
            _ => {}
        }
    }

    /// Ends the runs of a source that nobody works on any more, and asks for them again: their process stopped, or slept.
    pub(super) async fn abandon_reads(&mut self, source: SourceKey) -> Result<(), EngineError> {
        let mut open = pull_run::open(self.tx, source).await?;
        open.retain(|run| run.state == PullRunState::Running);
        for run in &open {
            let abandoned = PullRunRow {
                state: PullRunState::Abandoned,
                ended: Some(self.now),
                ..run.clone()
            };
            pull_run::update(self.tx, &abandoned).await?;
            self.ask_read(source, &Target::of(run)?, PullCause::Restart, None)
                .await?;
        }
        Ok(())
    }

    /// Keeps that a source was asked about one person, and what came of it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_asked(
        &mut self,
        source: SourceKey,
        (user, person): (&RemoteUserId, PersonId),
        (begun, node): (Timestamp, NodeId),
        result: Result<PullCounts, (&'static str, String)>,
    ) -> Result<PullRunRow, EngineError> {
        let run = PullRunRow {
            id: self.id(),
            source,
            scope: PullScope::Person,
            target: user.to_string(),
            full: false,
            person: Some(person),
            state: match result {
                Ok(_) => PullRunState::Done,
                Err(_) => PullRunState::Failed,
            },
            cause: PullCause::Restore,
            actor: self
                .cause
                .actor
                .is_by_hand()
                .then(|| self.cause.actor.parts().1.to_owned()),
            asked: begun,
            due: begun,
            started: Some(begun),
            ended: Some(self.now),
            counts: result.as_ref().copied().unwrap_or_default(),
            not_seen: "[]".to_owned(),
            error: result.err().map(|(kind, reason)| (kind.to_owned(), reason)),
            node: Some(node),
        };
        pull_run::insert(self.tx, &run).await?;
        pull_run::forget(self.tx, source, KEPT).await?;
        Ok(run)
    }
}

impl Engine {
    /// Begins the next read of a source in this process, if one is due and no other process reads the source: see
    /// [`Unit::begin_read`]. Looks first, so that waiting writes nothing and waits for nobody.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_read(&self, source: SourceKey, cause: Cause) -> Result<Option<BegunRead>, EngineError> {
        let now = self.now();
        let due: bool = self
            .storage()
            .read_few(move |tx| {
                Box::pin(async move {
                    let state = pull_run::state(tx, source).await?;
                    let open = pull_run::open(tx, source).await?;
                    // One that was begun and that nobody holds is taken up.
                    let waits = open.iter().any(|run| run.due <= now);
                    let is_due = waits || state.next.is_none_or(|next| next <= now);
                    let is_held = is_due && pull_lease::held(tx, source, now).await?.is_some();
                    Ok::<_, EngineError>(is_due && !is_held)
                })
            })
            .await?;
        if !due {
            return Ok(None);
        }
        let node = self.node();
        self.write_beside(cause, move |unit| {
            Box::pin(async move { unit.begin_read(source, node).await })
        })
        .await
    }

    /// Writes what a read that goes on saw and changed so far.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_progress(&self, run: PullRunId, counts: PullCounts) -> Result<(), EngineError> {
        self.storage()
            .write(move |tx| Box::pin(async move { Ok(pull_run::put_counts(tx, run, counts).await?) }))
            .await
    }
}

/// A source that is only pushed to, or not listened to, is not read.
fn refuse_unread(source: &SourceRow) -> Result<(), EngineError> {
    if source.state != SourceState::Active {
        return Err(EngineError::refused(
            "source_not_active",
            format!("source '{}' is {}", source.name, source.state),
            "put it back into the configuration",
        ));
    }
    if source.mode == "push" {
        return Err(EngineError::refused(
            "not_read",
            format!("source '{}' is pushed to and is not read", source.name),
            "wait for its next push, or set its mode to pull or both",
        ));
    }
    Ok(())
}
