//! One read of a source, from the first call to what it leaves behind.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use usher_core::{
    AdapterError, Checkpoint, ErrorKind, ReadOutcome, ReadRequest, ReadScope, RemoteGroupId, RetryAdvice,
    WantedGroup,
};
use usher_engine::pull::{BegunRead, Lease, Progress, ReadEnd, ReadPlan, Session, Summary, Target};
use usher_engine::{Actor, Cause, Engine, EngineError};
use usher_storage::SourceKey;
use usher_storage::query::pull_run::PullCounts;

use super::held::{is_lost, while_held};
use super::readers::Reader;
use super::schedule::{Share, after_failure, after_success};

/// How often a human sees how far a read is.
const TELL: Duration = Duration::from_secs(1);

/// Why a read came to no end.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The provider, or the way to it.
    Adapter(AdapterError),
    /// The engine, or the database.
    Engine(EngineError),
    /// The adapter broke its own invariants.
    Panicked,
}

impl ReadError {
    fn advice(&self) -> RetryAdvice {
        match self {
            Self::Adapter(error) => error.advice(),
            Self::Engine(EngineError::Storage(_)) => RetryAdvice::Now,
            Self::Engine(_) | Self::Panicked => RetryAdvice::Never,
        }
    }

    /// Whether another process took the lease meanwhile.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Adapter(error) => is_lost(error),
            Self::Engine(error) => is_lost(error),
            Self::Panicked => false,
        }
    }

    /// A stable word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Adapter(error) => error.kind().as_str(),
            Self::Engine(EngineError::Refused(refusal)) => refusal.code,
            Self::Engine(EngineError::LeaseLost) => "lease_lost",
            Self::Engine(_) => "storage",
            Self::Panicked => "panicked",
        }
    }

    /// For people.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Adapter(error) => error.to_string(),
            Self::Engine(error @ (EngineError::Refused(_) | EngineError::LeaseLost)) => error.to_string(),
            Self::Engine(_) => "the database failed; the log has the reason".to_owned(),
            Self::Panicked => "the adapter failed by a fault of its own; the log has the reason".to_owned(),
        }
    }
}

impl From<AdapterError> for ReadError {
    fn from(error: AdapterError) -> Self {
        Self::Adapter(error)
    }
}

impl From<EngineError> for ReadError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// What every read of a source needs.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) engine: Engine,
    pub(super) reader: Reader,
    pub(super) key: SourceKey,
}

/// What became of a read in this process.
#[derive(Debug)]
pub(super) enum Performed {
    /// It ended.
    Ended(ReadEnd),
    /// The process is about to stop.
    Stopped,
    /// Another process took over.
    Lost,
}

impl Reading {
    /// Does a read that began, unless `stopping` comes first or another process takes the lease.
    pub(super) async fn perform(&self, begun: &BegunRead, stopping: &CancellationToken) -> Performed {
        let mut seen = Seen::default();
        let work = AssertUnwindSafe(self.read_all(begun, &mut seen)).catch_unwind();
        let work = while_held(&self.engine, begun.lease, work);
        let result = match stopping.run_until_cancelled(work).await {
            None => return Performed::Stopped,
            Some(None) => return Performed::Lost,
            Some(Some(result)) => result.unwrap_or(Err(ReadError::Panicked)),
        };
        if result.as_ref().is_err_and(ReadError::is_lost) {
            return Performed::Lost;
        }
        let pull = &self.reader.pull;
        let counts = seen.counts();
        Performed::Ended(match result {
            Ok(()) => ReadEnd::Done {
                counts,
                again: (!seen.again.is_empty())
                    .then(|| (seen.again, self.engine.now().plus(pull.settle.duration()))),
                not_seen: seen.not_seen,
                next: after_success(pull, Share::draw()),
            },
            Err(ReadError::Adapter(error))
                if error.kind() == ErrorKind::CheckpointExpired && begun.checkpoint.is_some() =>
            {
                ReadEnd::CheckpointExpired { counts }
            }
            Err(error) => {
                if let ReadError::Engine(EngineError::Storage(error)) = &error {
                    let error = crate::logging::chain(error);
                    tracing::error!(source.name = %self.reader.name, error, "a read could not be written down");
                }
                ReadEnd::Failed {
                    kind: error.kind(),
                    reason: error.reason(),
                    counts,
                    retry: after_failure(error.advice(), begun.failures, pull, Share::draw()),
                }
            }
        })
    }

    async fn read_all(&self, begun: &BegunRead, seen: &mut Seen) -> Result<(), ReadError> {
        pin_tenant(&self.engine, &self.reader, self.key).await?;
        let wanted = self.engine.wanted_groups(self.reader.name.clone()).await?;
        let checkpoint = begun.checkpoint.clone().map(Checkpoint);
        for request in self.requests(&begun.target, wanted, checkpoint) {
            self.read_one(begun, request, seen).await?;
        }
        Ok(())
    }

    /// What to ask the adapter for. A read of more groups than it takes at once is cut, and then always complete: there
    /// is one checkpoint.
    fn requests(
        &self,
        target: &Target,
        wanted: Vec<WantedGroup>,
        checkpoint: Option<Checkpoint>,
    ) -> Vec<ReadRequest> {
        let most = self.reader.adapter.describe().capabilities.max_groups_per_read;
        let groups = match target {
            Target::Person(user) => {
                let scope = ReadScope::Person {
                    user: user.clone(),
                    groups: wanted,
                };
                return vec![ReadRequest {
                    scope,
                    checkpoint: None,
                }];
            }
            Target::All { .. } => wanted,
            Target::Groups(ids) => {
                let nested: BTreeMap<&RemoteGroupId, bool> =
                    wanted.iter().map(|group| (&group.id, group.nested)).collect();
                ids.iter()
                    .map(|id| WantedGroup {
                        id: id.clone(),
                        nested: nested.get(id).copied().unwrap_or(false),
                    })
                    .collect()
            }
        };
        let most = most.unwrap_or(usize::MAX).max(1);
        if groups.len() > most {
            return groups
                .chunks(most)
                .map(|some| ReadRequest::of_groups(some.to_vec()))
                .collect();
        }
        if groups.is_empty() {
            return Vec::new();
        }
        vec![ReadRequest {
            scope: ReadScope::Groups(groups),
            checkpoint,
        }]
    }

    async fn read_one(
        &self,
        begun: &BegunRead,
        request: ReadRequest,
        seen: &mut Seen,
    ) -> Result<(), ReadError> {
        let keeps_checkpoint = matches!(begun.target, Target::All { .. });
        let cause = Cause {
            request_id: Some(begun.run.id.to_string()),
            ..Cause::new(Actor::Source(self.reader.name.to_string()))
        };
        let plan = plan(&self.engine, &self.reader, begun.lease, &request);
        let mut session = Session::begin(&self.engine, cause, plan).await?;
        seen.running = Some(session.progress());
        let mut told = PullCounts::default();
        let outcome = {
            let read = self.reader.adapter.read(request, &mut session);
            tokio::pin!(read);
            let mut tick = tokio::time::interval(TELL);
            tick.tick().await;
            loop {
                tokio::select! {
                    outcome = &mut read => break outcome?,
                    _ = tick.tick() => {
                        let counts = seen.counts();
                        if counts != told {
                            self.engine.note_progress(begun.run.id, counts).await?;
                            told = counts;
                        }
                    }
                }
            }
        };
        let outcome = if keeps_checkpoint {
            outcome
        } else {
            ReadOutcome::default()
        };
        let summary = session.finish(outcome).await?;
        seen.take(summary);
        Ok(())
    }
}

/// What the engine has to know of a read.
pub(super) fn plan(engine: &Engine, reader: &Reader, lease: Lease, request: &ReadRequest) -> ReadPlan {
    let groups = match &request.scope {
        ReadScope::Groups(groups) | ReadScope::Person { groups, .. } => groups.as_slice(),
        ReadScope::AllGroups => &[],
    };
    let tells = reader.adapter.describe().capabilities.application_assignments;
    ReadPlan {
        source: reader.name.clone(),
        lease,
        begun: engine.now(),
        // A provider that does not tell would keep everybody out for ever.
        require_assignment: reader.pull.require_assignment && tells,
        settle: reader.pull.settle.duration(),
        delta: request.checkpoint.is_some(),
        nested: groups
            .iter()
            .filter(|group| group.nested)
            .map(|group| group.id.clone())
            .collect(),
    }
}

/// Pins at first contact whose directory a source is, and finds out once in each process that it still is that one: in
/// another directory everybody would seem to be gone.
pub(super) async fn pin_tenant(engine: &Engine, reader: &Reader, key: SourceKey) -> Result<(), ReadError> {
    if reader.is_pinned.load(Ordering::Acquire) {
        return Ok(());
    }
    if let Some(tenant) = reader.adapter.check().await?.tenant {
        keep_tenant(engine, key, tenant).await?;
    }
    reader.is_pinned.store(true, Ordering::Release);
    Ok(())
}

/// Pins whose directory a source is, and refuses another one.
pub(super) async fn keep_tenant(engine: &Engine, key: SourceKey, tenant: String) -> Result<(), EngineError> {
    let cause = Cause::new(Actor::Usher("first contact".into()));
    engine
        .write(cause, move |unit| {
            let tenant = tenant.clone();
            Box::pin(async move { unit.pin_tenant(key, &tenant).await })
        })
        .await
}

/// What the sessions of a run saw so far.
#[derive(Debug, Default)]
struct Seen {
    done: PullCounts,
    running: Option<Arc<Progress>>,
    not_seen: Vec<(String, String)>,
    again: Vec<RemoteGroupId>,
}

/// More reasons than this help nobody.
const REASONS: usize = 100;

impl Seen {
    fn counts(&self) -> PullCounts {
        let running = self.running.as_deref().map(counts_of).unwrap_or_default();
        sum(self.done, running)
    }

    fn take(&mut self, summary: Summary) {
        self.done = self.counts();
        self.running = None;
        self.not_seen.extend(summary.unknown);
        self.not_seen.truncate(REASONS);
        self.again.extend(summary.read_again);
    }
}

/// What a session saw so far.
pub(super) fn counts_of(progress: &Progress) -> PullCounts {
    let load = |count: &std::sync::atomic::AtomicU64| {
        i64::try_from(count.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
    };
    PullCounts {
        groups: load(&progress.groups),
        users: load(&progress.users),
        members: load(&progress.members),
        users_changed: load(&progress.users_changed),
        added: load(&progress.added),
        removed: load(&progress.removed),
        doubted: load(&progress.doubted),
    }
}

fn sum(a: PullCounts, b: PullCounts) -> PullCounts {
    PullCounts {
        groups: a.groups + b.groups,
        users: a.users + b.users,
        members: a.members + b.members,
        users_changed: a.users_changed + b.users_changed,
        added: a.added + b.added,
        removed: a.removed + b.removed,
        doubted: a.doubted + b.doubted,
    }
}
