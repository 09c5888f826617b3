//! Work in steps, and work that the clock asks for. Each step is one unit: a process that dies in between
//! loses nothing, and the next one goes on where the last unit ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_core::{
    EndReason, OrderId, PersonId, Reactivation, RoomId, SourceGroupId, SourceState, SourceUserId,
};
use usher_storage::{SourceKey, StorageError, Tx, query};

use crate::engine::Engine;
use crate::policy::SourcePolicy;
use crate::reminder::{self, Reminder};
use crate::settle::BATCH;
use crate::unit::{About, Actor, Cause, Removal, Unit};
use crate::{EngineError, EventKind};

/// How often somebody is told that a bootstrap membership should have ended.
const ALERT_EVERY: Duration = Duration::from_secs(24 * 3600);

/// How long a job rests after it failed.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Rows of one kind of due work that one unit takes.
const AT_ONCE: u32 = 100;

const DAY: u64 = 24 * 3600;

/// A piece of work that goes on in steps, and where it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "task")]
pub(crate) enum Task {
    /// Decide about everybody in a group for one room.
    SettleGroup {
        room: RoomId,
        group: SourceGroupId,
        after: Option<SourceUserId>,
    },
    /// Decide about everybody in a room, then about everybody at its door.
    SettleRoom {
        room: RoomId,
        reason: EndReason,
        braked: bool,
        after: Option<PersonId>,
        waiting: bool,
    },
    /// Find out for every account of a source whether it is in scope by the rules in force.
    Rescope {
        source: i64,
        after: Option<SourceUserId>,
    },
}

impl Task {
    const fn kind(&self) -> &'static str {
        match self {
            Self::SettleGroup { .. } => "settle_group",
            Self::SettleRoom { .. } => "settle_room",
            Self::Rescope { .. } => "rescope",
        }
    }

    fn key(&self) -> String {
        match self {
            Self::SettleGroup { room, group, .. } => format!("{room} {group}"),
            Self::SettleRoom { room, reason, .. } => format!("{room} {reason}"),
            Self::Rescope { source, .. } => source.to_string(),
        }
    }
}

/// A task with the cause that it works for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    actor: Actor,
    request_id: Option<String>,
    reason: Option<String>,
    task: Task,
}

/// What a round of due work did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// How many units of work were done.
    pub units: u32,
    /// How many failed. Each is logged; they are tried again later and hold up nothing else.
    pub failed: u32,
    /// Whether more is due already.
    pub more: bool,
}

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Job(i64),
    ExpiredMemberships,
    Holds,
    Reminder(Reminder),
    OverdueOrder(OrderId),
    UnneededLimit(RoomId),
    LongInactive(SourceKey, SourceUserId),
}

impl Engine {
    /// Does what is due, in at most `limit` units of work, those that wait longest first. Safe to call at any
    /// time, from several processes at once, and again after a crash: looking changes nothing and waits for nobody, and each
    /// unit finds out again whether its work is still there, and is not another process's.
    ///
    /// # Errors
    /// When it cannot be found out what is due.
    pub async fn run_due(&self, limit: u32) -> Result<Work, EngineError> {
        let mut work = Work::default();
        // What failed or is somebody else's, so that this round leaves it alone.
        let mut left: Vec<Due> = Vec::new();
        while work.units + work.failed < limit {
            let mut due = self.find_due(limit).await?;
            due.retain(|item| !left.contains(item));
            due.truncate(usize::try_from(limit - work.units - work.failed).unwrap_or(usize::MAX));
            if due.is_empty() {
                return Ok(work);
            }
            for item in due {
                match self.run_one(item).await {
                    Ok(true) => work.units += 1,
                    Ok(false) => left.push(item),
                    Err(error) => {
                        tracing::error!(due = ?item, %error, "work that is due failed; it is tried again later");
                        left.push(item);
                        work.failed += 1;
                        self.postpone(item).await?;
                    }
                }
            }
        }
        let due = self.find_due(limit).await?;
        work.more = due.iter().any(|item| !left.contains(item));
        Ok(work)
    }

    /// Lets a job that failed rest for a while.
    async fn postpone(&self, item: Due) -> Result<(), EngineError> {
        let Due::Job(id) = item else { return Ok(()) };
        let due = self.now().plus(RETRY_AFTER);
        self.storage()
            .write(move |tx| Box::pin(async move { Ok(query::job::postpone(tx, id, due).await?) }))
            .await
    }

    async fn find_due(&self, limit: u32) -> Result<Vec<Due>, EngineError> {
        let (engine, now) = (self.clone(), self.now());
        self.read(move |tx| {
            let engine = engine.clone();
            Box::pin(async move {
                let policy = engine.policy(tx).await?;
                let mut due: Vec<Due> = query::job::due(tx, now, limit)
                    .await?
                    .into_iter()
                    .map(|job| Due::Job(job.id))
                    .collect();
                if !query::membership::expired(tx, now, 1).await?.is_empty() {
                    due.push(Due::ExpiredMemberships);
                }
                if !query::hold::due(tx, now, 1).await?.is_empty() {
                    due.push(Due::Holds);
                }
                due.extend(
                    reminder::due(tx, &policy, now, limit)
                        .await?
                        .into_iter()
                        .map(Due::Reminder),
                );
                let orders = query::order::overdue(tx, now, now.minus(ALERT_EVERY), limit).await?;
                due.extend(orders.into_iter().map(|order| Due::OverdueOrder(order.id)));
                let rooms = query::job::needlessly_limited_rooms(tx, limit).await?;
                due.extend(rooms.into_iter().map(Due::UnneededLimit));
                due.extend(long_inactive(tx, &policy, now, limit).await?);
                due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(due)
            })
        })
        .await
    }

    /// Does one unit of what was due a moment ago; whether it still was, and nobody else is at it.
    async fn run_one(&self, due: Due) -> Result<bool, EngineError> {
        let cause = match due {
            Due::Job(id) => match self.cause_of(id).await? {
                Some(cause) => cause,
                None => return Ok(false),
            },
            _ => Cause::new(Actor::Usher("due dates".into())),
        };
        self.write(cause, move |unit| {
            Box::pin(async move {
                match due {
                    Due::Job(id) => unit.run_job(id).await,
                    Due::ExpiredMemberships => Ok(unit.end_expired(AT_ONCE).await? > 0),
                    Due::Holds => Ok(unit.apply_due_holds(AT_ONCE).await? > 0),
                    Due::Reminder(reminder) => unit.remind(reminder).await,
                    Due::OverdueOrder(order) => unit.alert_overdue(order, ALERT_EVERY).await,
                    Due::UnneededLimit(room) => unit.lift_arrival_limit(room).await,
                    Due::LongInactive(source, user) => unit.distrust_long_inactive(source, user).await,
                }
            })
        })
        .await
    }

    /// Who asked for a job; nothing when it is done.
    async fn cause_of(&self, id: i64) -> Result<Option<Cause>, EngineError> {
        let job: Option<query::job::JobRow> = self
            .read(move |tx| Box::pin(async move { query::job::by_id(tx, id).await }))
            .await?;
        let Some(job) = job else {
            return Ok(None);
        };
        let stored = stored(&job.state)?;
        Ok(Some(Cause {
            actor: stored.actor,
            request_id: stored.request_id,
            reason: stored.reason,
        }))
    }
}

impl Unit<'_, '_> {
    /// Asks for work in steps, for the cause of this unit. The same work that is under way starts again.
    pub(crate) async fn put_job(&mut self, task: Task) -> Result<(), EngineError> {
        let stored = Stored {
            actor: self.cause.actor.clone(),
            request_id: self.cause.request_id.clone(),
            reason: self.cause.reason.clone(),
            task,
        };
        let state = serde_json::to_string(&stored).expect("a job is a plain struct");
        Ok(query::job::put(self.tx, task.kind(), &task.key(), state, self.now).await?)
    }

    /// Does one step of a job, unless another process has it or finished it.
    async fn run_job(&mut self, id: i64) -> Result<bool, EngineError> {
        let Some(job) = query::job::claim(self.tx, id, self.now).await? else {
            return Ok(false);
        };
        let stored = stored(&job.state)?;
        let (done, next) = match stored.task {
            Task::SettleGroup { room, group, after } => self.step_group(room, group, after).await?,
            Task::SettleRoom {
                room,
                reason,
                braked,
                after,
                waiting,
            } => {
                let removal = Removal { reason, braked };
                self.step_room(room, removal, after, waiting).await?
            }
            Task::Rescope { source, after } => self.step_rescope(SourceKey(source), after).await?,
        };
        match next {
            Some(task) => {
                let state =
                    serde_json::to_string(&Stored { task, ..stored }).expect("a job is a plain struct");
                let done = job.done + i64::try_from(done).unwrap_or(0);
                query::job::advance(self.tx, id, state, done).await?;
            }
            None => query::job::remove(self.tx, id).await?,
        }
        Ok(true)
    }

    async fn step_group(
        &mut self,
        room: RoomId,
        group: SourceGroupId,
        after: Option<SourceUserId>,
    ) -> Result<(usize, Option<Task>), EngineError> {
        let mut people = self.group_people(group, after).await?;
        let more = people.len() > BATCH;
        people.truncate(BATCH);
        for (_, person) in &people {
            self.touch(room, *person);
        }
        self.settle_now().await?;
        let next = people.last().filter(|_| more).map(|(user, _)| Task::SettleGroup {
            room,
            group,
            after: Some(*user),
        });
        Ok((people.len(), next))
    }

    async fn step_room(
        &mut self,
        room: RoomId,
        removal: Removal,
        after: Option<PersonId>,
        waiting: bool,
    ) -> Result<(usize, Option<Task>), EngineError> {
        let mut people = match waiting {
            false => self.room_people(room, after).await?,
            true => self.waiting_people(room, after).await?,
        };
        let more = people.len() > BATCH;
        people.truncate(BATCH);
        let last = people.last().copied();
        let count = people.len();
        if waiting {
            people = self.moved_waiting(room, removal, people).await?;
        }
        for person in &people {
            self.touch(room, *person);
        }
        self.settle_as(removal).await?;
        if !waiting && removal.reason != EndReason::Removed {
            self.rebind_kept(room, &people).await?;
        }
        let task = |after, waiting| Task::SettleRoom {
            room,
            reason: removal.reason,
            braked: removal.braked,
            after,
            waiting,
        };
        let next = match last {
            Some(last) if more => Some(task(Some(last), waiting)),
            _ if !waiting => Some(task(None, true)),
            _ => None,
        };
        Ok((count, next))
    }

    async fn lift_arrival_limit(&mut self, room: RoomId) -> Result<bool, EngineError> {
        if !query::job::is_needlessly_limited(self.tx, room).await? {
            return Ok(false);
        }
        let mut row = crate::room::get(self.tx, room).await?;
        row.arrival_limit = None;
        query::room::update(self.tx, &row).await?;
        Ok(true)
    }

    async fn distrust_long_inactive(
        &mut self,
        source: SourceKey,
        user: SourceUserId,
    ) -> Result<bool, EngineError> {
        let rules = self.source_policy(source).await?;
        let since = self.now.minus(patience(&rules));
        match query::user::by_id(self.tx, source, user).await? {
            Some(user) if user.inactive_since.is_some_and(|at| at < since) => {
                Ok(!self.distrust_rows(&user).await?.is_empty())
            }
            _ => Ok(false),
        }
    }

    /// Tells that an order's bootstrap membership should have ended.
    async fn alert_overdue(&mut self, order: OrderId, every: Duration) -> Result<bool, EngineError> {
        let Some(mut order) = query::order::by_id(self.tx, order).await? else {
            return Ok(false);
        };
        let told = order.alerted.is_some_and(|at| at > self.now.minus(every));
        let Some(due) = order.bootstrap_due.filter(|due| *due <= self.now && !told) else {
            return Ok(false);
        };
        order.alerted = Some(self.now);
        query::order::update(self.tx, &order).await?;
        let about = About {
            room: order.room,
            source: Some(order.source),
            ..About::default()
        };
        let data = json!({
            "order": order.id, "alert": "bootstrap_overdue", "due": due, "room": order.room_name,
            "state": order.state,
            "next": "finish the set-up so that the vendor's internal user can leave the room",
        });
        self.tell(EventKind::OrderAlert, about, &data);
        Ok(true)
    }
}

/// Accounts whose member rows are to be distrusted by now.
async fn long_inactive(
    tx: &mut Tx<'_>,
    policy: &crate::Policy,
    now: usher_core::Timestamp,
    limit: u32,
) -> Result<Vec<Due>, EngineError> {
    let mut due = Vec::new();
    for source in query::source::all(tx).await? {
        let Ok(name) = source.name.parse() else { continue };
        let rules = policy.source(&name);
        if source.state != SourceState::Active || rules.reactivation != Reactivation::Restore {
            continue;
        }
        let since = now.minus(patience(&rules));
        let users = query::user::inactive_with_live_rows(tx, source.key, since, limit).await?;
        due.extend(users.into_iter().map(|user| Due::LongInactive(source.key, user)));
    }
    Ok(due)
}

/// For how long an account may be inactive before its member rows are distrusted.
fn patience(rules: &SourcePolicy) -> Duration {
    Duration::from_secs(u64::from(rules.dormant_after_days) * DAY)
}

fn stored(state: &str) -> Result<Stored, StorageError> {
    serde_json::from_str(state)
        .map_err(|error| StorageError::Corrupt(format!("the stored job cannot be read: {error}")))
}
