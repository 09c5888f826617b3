//! One read of a provider, written down as it comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use usher_core::{
    AdapterError, ChangeSink, DirectoryChange, ErrorKind, GroupRecord, ReadOutcome, RemoteGroupId,
    RemoteUserId, RetryAdvice, SourceUserId, UnknownScope, UserRecord,
};
use usher_storage::query;
use usher_storage::query::group::GroupRow;

use super::groups::{Named, Seen};
use super::sweep::sweep;
use super::{ReadPlan, Reading};
use crate::EngineError;
use crate::engine::Engine;
use crate::unit::{Cause, Unit};

/// Users or members that one unit takes.
const UNIT: usize = 1_000;
/// Reasons that a summary names; the others are counted.
const NAMED: usize = 100;
/// Members of one group that a read may name. Beyond, the group counts as not seen.
const MAX_MEMBERS: usize = 2_000_000;

/// How far a read is. Others may look at it while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    /// Groups begun.
    pub groups: AtomicU64,
    /// Users reported.
    pub users: AtomicU64,
    /// Members reported.
    pub members: AtomicU64,
    /// Users that were new or changed.
    pub users_changed: AtomicU64,
    /// Members that came.
    pub added: AtomicU64,
    /// Members that ended.
    pub removed: AtomicU64,
    /// Members about whom push and reads, or this read and what is known, differ for the first time.
    pub doubted: AtomicU64,
    /// Groups and users that could not be seen.
    pub unknown: AtomicU64,
}

/// What a read did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Groups begun.
    pub groups: u64,
    /// Users reported.
    pub users: u64,
    /// Members reported.
    pub members: u64,
    /// Users that were new or changed.
    pub users_changed: u64,
    /// Members that came.
    pub added: u64,
    /// Members that ended.
    pub removed: u64,
    /// Members about whom push and reads, or this read and what is known, differ for the first time.
    pub doubted: u64,
    /// What could not be seen, and why; the first hundred.
    pub unknown: Vec<(String, String)>,
    /// Groups that a further complete read has something to decide about.
    pub read_again: Vec<RemoteGroupId>,
}

/// Takes what an adapter reads. Each page becomes one unit of work; one page is held back, so that the checkpoint is
/// written with the last changes. A session that is dropped before [`Session::finish`] leaves the old checkpoint: the read
/// may simply be repeated.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    cause: Cause,
    reading: Arc<Reading>,
    progress: Arc<Progress>,
    open: Option<Open>,
    waiting: Vec<DirectoryChange>,
    unknown: Vec<(String, String)>,
    read_again: Vec<RemoteGroupId>,
}

/// The group whose members are being reported.
#[derive(Debug)]
struct Open {
    remote: RemoteGroupId,
    row: GroupRow,
    seen: Vec<SourceUserId>,
    strangers: Vec<String>,
    too_large: bool,
}

/// What a unit does in one go. Users come before the members that name them.
#[derive(Debug, Clone)]
enum Step {
    Users(Vec<UserRecord>),
    UserGone(RemoteUserId),
    Group(Box<GroupRecord>),
    Members(RemoteGroupId, Vec<(RemoteUserId, bool)>),
    GroupGone(RemoteGroupId),
    Assignment(RemoteGroupId, bool),
}

/// What became of a step.
#[derive(Debug, Default)]
struct Done {
    users_changed: u64,
    group: Option<GroupRow>,
    members: Option<(RemoteGroupId, Seen)>,
    /// A group that is gone by what a read said, while a push still has it: it reads as empty.
    emptied: Option<GroupRow>,
}

impl Session {
    /// Begins to take a read of a source. Each of its units fails with [`EngineError::LeaseLost`] once another process reads
    /// the source.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for a source that is not configured.
    pub async fn begin(engine: &Engine, cause: Cause, plan: ReadPlan) -> Result<Self, EngineError> {
        let name = plan.source.clone();
        let source = engine
            .read(move |tx| {
                let name = name.clone();
                Box::pin(async move {
                    query::source::by_name(tx, name.as_str())
                        .await?
                        .ok_or_else(|| EngineError::not_found("source", &name))
                })
            })
            .await?;
        Ok(Self {
            engine: engine.clone(),
            cause,
            reading: Arc::new(Reading {
                plan,
                source: source.key,
                beside_push: source.mode == "both",
            }),
            progress: Arc::default(),
            open: None,
            waiting: Vec::new(),
            unknown: Vec::new(),
            read_again: Vec::new(),
        })
    }

    /// How far the read is.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Writes the last changes and, in the same unit of work, where the next read starts. An outcome without a checkpoint
    /// leaves the old one.
    ///
    /// # Errors
    /// What the database says; the old checkpoint is kept then.
    pub async fn finish(mut self, outcome: ReadOutcome) -> Result<Summary, EngineError> {
        let last = std::mem::take(&mut self.waiting);
        self.write(last, outcome.checkpoint.map(|checkpoint| checkpoint.0))
            .await?;
        let progress = &self.progress;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Summary {
            groups: of(&progress.groups),
            users: of(&progress.users),
            members: of(&progress.members),
            users_changed: of(&progress.users_changed),
            added: of(&progress.added),
            removed: of(&progress.removed),
            doubted: of(&progress.doubted),
            unknown: self.unknown,
            read_again: self.read_again,
        })
    }

    /// Writes changes in their order: what lies between two complete groups together, a complete group judged at its end.
    async fn write(
        &mut self,
        changes: Vec<DirectoryChange>,
        checkpoint: Option<String>,
    ) -> Result<(), EngineError> {
        let named = self.reading.plan.delta.then(|| Arc::new(named_members(&changes)));
        let mut steps = Vec::new();
        for change in changes {
            match change {
                DirectoryChange::GroupMembersComplete { group, confirmed } => {
                    self.run(std::mem::take(&mut steps), named.as_ref(), None).await?;
                    self.close(&group, confirmed).await?;
                }
                DirectoryChange::Unknown { scope, reason } => {
                    self.run(std::mem::take(&mut steps), named.as_ref(), None).await?;
                    self.note_unknown(scope, reason);
                }
                DirectoryChange::ApplicationAssignment { group, assigned } => {
                    self.run(std::mem::take(&mut steps), named.as_ref(), None).await?;
                    self.assign(group, assigned).await?;
                }
                change => push_step(&mut steps, change),
            }
        }
        self.run(steps, named.as_ref(), checkpoint).await
    }

    /// Takes whether a group is assigned, in a unit of its own: a first assignment lets in everybody who is in the group. A
    /// read says it of every group, so mostly nothing is new and no unit is needed.
    async fn assign(&mut self, group: RemoteGroupId, assigned: bool) -> Result<(), EngineError> {
        let (reading, id) = (Arc::clone(&self.reading), group.clone());
        let is_new = self
            .engine
            .storage()
            .read_few(move |tx| {
                let (reading, id) = (Arc::clone(&reading), id.clone());
                Box::pin(async move {
                    let row = query::group::by_remote_id(tx, reading.source, id.as_str()).await?;
                    Ok::<_, EngineError>(row.is_some_and(|row| row.assigned != reading.counts(assigned)))
                })
            })
            .await?;
        if is_new {
            self.run(vec![Step::Assignment(group, assigned)], None, None)
                .await?;
        }
        Ok(())
    }

    async fn run(
        &mut self,
        steps: Vec<Step>,
        named: Option<&Arc<BTreeSet<RemoteUserId>>>,
        checkpoint: Option<String>,
    ) -> Result<(), EngineError> {
        if steps.is_empty() && checkpoint.is_none() {
            return Ok(());
        }
        self.count(&steps);
        let (steps, reading) = (Arc::new(steps), Arc::clone(&self.reading));
        let (named, checkpoint) = (named.cloned(), checkpoint.map(Arc::<str>::from));
        let done = self
            .reading
            .write(&self.engine, &self.cause, move |unit| {
                let (steps, reading) = (Arc::clone(&steps), Arc::clone(&reading));
                let (named, checkpoint) = (named.clone(), checkpoint.clone());
                Box::pin(async move {
                    reading.plan.lease.check(unit.tx).await?;
                    let mut done = Vec::with_capacity(steps.len());
                    for step in steps.iter() {
                        done.push(unit.pull_step(&reading, step.clone(), named.as_deref()).await?);
                    }
                    if let Some(checkpoint) = checkpoint {
                        query::pull_run::put_checkpoint(unit.tx, reading.source, Some(&checkpoint)).await?;
                    }
                    Ok::<_, EngineError>(done)
                })
            })
            .await?;
        for step in done {
            self.take_in(step).await?;
        }
        Ok(())
    }

    fn count(&self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Users(users) => add(&self.progress.users, users.len()),
                Step::Members(_, members) => add(&self.progress.members, members.len()),
                Step::Group(_) => add(&self.progress.groups, 1),
                Step::UserGone(_) | Step::GroupGone(_) | Step::Assignment(..) => {}
            }
        }
    }

    async fn take_in(&mut self, done: Done) -> Result<(), EngineError> {
        self.progress
            .users_changed
            .fetch_add(done.users_changed, Ordering::Relaxed);
        if let Some(row) = done.group
            && let Some(remote) = row
                .remote_id
                .as_deref()
                .and_then(|id| RemoteGroupId::new(id).ok())
        {
            self.open = Some(Open {
                remote,
                row,
                seen: Vec::new(),
                strangers: Vec::new(),
                too_large: false,
            });
        }
        if let Some((group, seen)) = done.members {
            self.progress.added.fetch_add(seen.added, Ordering::Relaxed);
            self.progress.removed.fetch_add(seen.removed, Ordering::Relaxed);
            self.progress.doubted.fetch_add(seen.doubted, Ordering::Relaxed);
            if seen.again {
                self.again(&group);
            }
            if let Some(open) = self.open.as_mut().filter(|open| open.remote == group) {
                if open.seen.len() + seen.users.len() > MAX_MEMBERS || open.strangers.len() > UNIT {
                    open.too_large = true;
                } else {
                    open.seen.extend(seen.users);
                    open.strangers.extend(seen.strangers);
                }
            }
        }
        if let Some(group) = done.emptied {
            self.judge(&group, &[], true).await?;
        }
        Ok(())
    }

    /// All members of a group were reported.
    async fn close(&mut self, group: &RemoteGroupId, confirmed: bool) -> Result<(), EngineError> {
        let Some(mut open) = self.open.take_if(|open| open.remote == *group) else {
            // The adapter reported no such group; what it says of its members judges nobody.
            self.note_unknown(
                UnknownScope::Group(group.clone()),
                "its members came without the group".into(),
            );
            return Ok(());
        };
        if open.too_large {
            let reason = format!("more than {MAX_MEMBERS} members; nobody is removed because of this read");
            self.note_unknown(UnknownScope::Group(open.remote), reason);
            return Ok(());
        }
        open.seen.sort_unstable();
        if !open.row.pushed {
            self.await_only(&open.row, open.strangers).await?;
        }
        self.judge(&open.row, &open.seen, confirmed).await
    }

    /// Members that nobody knows and that a complete read of their group did not name are awaited no more.
    async fn await_only(&self, group: &GroupRow, strangers: Vec<String>) -> Result<(), EngineError> {
        let id = group.id;
        let (people, _) = self
            .engine
            .storage()
            .read_few(move |tx| {
                Box::pin(async move { Ok::<_, EngineError>(query::plan::pending_counts(tx, id).await?) })
            })
            .await?;
        if people == i64::try_from(strangers.len()).unwrap_or(i64::MAX) {
            return Ok(());
        }
        let (reading, strangers) = (Arc::clone(&self.reading), Arc::new(strangers));
        self.reading
            .write(&self.engine, &self.cause, move |unit| {
                let (reading, strangers) = (Arc::clone(&reading), Arc::clone(&strangers));
                Box::pin(async move {
                    reading.plan.lease.check(unit.tx).await?;
                    match query::group::by_id(unit.tx, reading.source, id).await? {
                        Some(group) => unit.await_only(&group, strangers.to_vec()).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }

    async fn judge(
        &mut self,
        group: &GroupRow,
        seen: &[SourceUserId],
        confirmed: bool,
    ) -> Result<(), EngineError> {
        let swept = sweep(&self.engine, &self.cause, &self.reading, group, seen, confirmed).await?;
        self.progress.removed.fetch_add(swept.removed, Ordering::Relaxed);
        self.progress.added.fetch_add(swept.reinstated, Ordering::Relaxed);
        self.progress.doubted.fetch_add(swept.doubted, Ordering::Relaxed);
        if swept.again
            && let Some(id) = group
                .remote_id
                .as_deref()
                .and_then(|id| RemoteGroupId::new(id).ok())
        {
            self.again(&id);
        }
        Ok(())
    }

    fn again(&mut self, group: &RemoteGroupId) {
        if !self.read_again.contains(group) {
            self.read_again.push(group.clone());
        }
    }

    fn note_unknown(&mut self, scope: UnknownScope, reason: String) {
        let what = match scope {
            UnknownScope::Group(id) => {
                // What was seen of it so far judges nobody.
                self.open.take_if(|open| open.remote == id);
                format!("group {id}")
            }
            UnknownScope::User(id) => format!("user {id}"),
            UnknownScope::Rest => {
                self.open = None;
                "everything else".into()
            }
        };
        add(&self.progress.unknown, 1);
        if self.unknown.len() < NAMED {
            self.unknown.push((what, reason));
        }
    }
}

#[async_trait]
impl ChangeSink for Session {
    async fn take(&mut self, changes: Vec<DirectoryChange>) -> Result<(), AdapterError> {
        let before = std::mem::replace(&mut self.waiting, changes);
        self.write(before, None).await.map_err(|error| {
            AdapterError::new(
                ErrorKind::Unexpected,
                RetryAdvice::Now,
                "write",
                "what was read could not be written down",
            )
            .because(error)
        })
    }
}

fn named_members(changes: &[DirectoryChange]) -> BTreeSet<RemoteUserId> {
    let members = changes.iter().filter_map(|change| match change {
        DirectoryChange::MemberAdded { member, .. } => Some(member.clone()),
        _ => None,
    });
    members.collect()
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Puts a change behind the others, together with those of its kind that it may go with.
fn push_step(steps: &mut Vec<Step>, change: DirectoryChange) {
    match change {
        DirectoryChange::UserUpserted(record) => {
            // A user may go before members of others; not before anything that speaks of users or groups.
            let place = steps
                .iter()
                .rposition(|step| !matches!(step, Step::Members(..)))
                .map_or(0, |place| place + 1);
            if let Some(Step::Users(users)) = place.checked_sub(1).map(|before| &mut steps[before])
                && users.len() < UNIT
            {
                users.push(*record);
                return;
            }
            steps.insert(place, Step::Users(vec![*record]));
        }
        DirectoryChange::MemberAdded { group, member } => push_member(steps, group, member, true),
        DirectoryChange::MemberRemoved { group, member } => push_member(steps, group, member, false),
        DirectoryChange::UserGone(user) => steps.push(Step::UserGone(user)),
        DirectoryChange::GroupUpserted(record) => steps.push(Step::Group(record)),
        DirectoryChange::GroupGone(group) => steps.push(Step::GroupGone(group)),
        DirectoryChange::ApplicationAssignment { .. }
        | DirectoryChange::GroupMembersComplete { .. }
        | DirectoryChange::Unknown { .. } => {
            unreachable!("the session itself deals with these")
        }
    }
}

fn push_member(steps: &mut Vec<Step>, group: RemoteGroupId, member: RemoteUserId, is_in: bool) {
    if let Some(Step::Members(known, members)) = steps.last_mut()
        && *known == group
        && members.len() < UNIT
    {
        members.push((member, is_in));
        return;
    }
    steps.push(Step::Members(group, vec![(member, is_in)]));
}

impl Unit<'_, '_> {
    async fn pull_step(
        &mut self,
        reading: &Reading,
        step: Step,
        named: Option<&BTreeSet<RemoteUserId>>,
    ) -> Result<Done, EngineError> {
        let mut done = Done::default();
        match step {
            Step::Users(records) => done.users_changed = self.pull_users(reading, records, named).await?,
            Step::UserGone(id) => done.users_changed = u64::from(self.pull_user_gone(reading, &id).await?),
            Step::Group(record) => done.group = Some(self.pull_group(reading, *record).await?),
            Step::Assignment(group, assigned) => self.pull_assignment(reading, &group, assigned).await?,
            Step::GroupGone(group) => {
                if let Some(row) = query::group::by_remote_id(self.tx, reading.source, group.as_str()).await?
                {
                    if row.pushed {
                        done.emptied = Some(row);
                    } else {
                        self.delete_group(&row).await?;
                    }
                }
            }
            Step::Members(group, members) => {
                if let Some(row) = query::group::by_remote_id(self.tx, reading.source, group.as_str()).await?
                {
                    // Of the same member the last word counts.
                    let last: BTreeMap<RemoteUserId, bool> = members.into_iter().collect();
                    let mut named = Named::default();
                    for (member, is_in) in last {
                        if is_in {
                            named.added.push(member);
                        } else {
                            named.removed.push(member);
                        }
                    }
                    let seen = self.pull_members(reading, &row, named).await?;
                    done.members = Some((group, seen));
                }
            }
        }
        Ok(done)
    }
}
