//! The door to the engine: every change, whoever asks for it, is one unit of work that begins here.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::task::Poll;

use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use usher_core::{Clock, Draw, NodeId, Timestamp};
use usher_storage::query::lock::Footing;
use usher_storage::{Storage, StorageError, Tx, query};

use crate::EngineError;
use crate::change::{Asked, Change, Stop};
use crate::lock::Locks;
use crate::policy::{Policy, StoredPolicy};
use crate::unit::{Cause, Unit};

/// How often a unit runs again because the rules changed meanwhile.
const RULES_CHANGE_AT_MOST: u32 = 20;

/// The engine of one deployment. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    storage: Storage,
    clock: Arc<dyn Clock>,
    policy: Arc<RwLock<StoredPolicy>>,
    appended: Arc<News>,
    node: NodeId,
}

/// By which rules a unit ran.
enum Rules {
    /// By those in force; it is done.
    InForce,
    /// By others; it was undone.
    Others,
}

/// Whether something was appended since somebody looked, and who waits for it.
#[derive(Default)]
struct News {
    is_there: AtomicBool,
    waiting: AtomicWaker,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine on a database. It decides by the rules stored there; see [`crate::policy_plan`] for how
    /// they come there.
    #[must_use]
    pub fn new(storage: Storage, clock: Arc<dyn Clock>) -> Self {
        let node = Draw::new(&*clock).ids().make();
        Self {
            storage,
            clock,
            policy: Arc::default(),
            appended: Arc::default(),
            node,
        }
    }

    /// Becomes ready when a unit of this engine, or of one of its clones, has appended events and is durable, also when that
    /// was before. It is for one who waits; of several the last is told. Events of other processes come without notice.
    pub async fn appended(&self) {
        poll_fn(|context| {
            self.appended.waiting.register(context.waker());
            if self.appended.is_there.swap(false, Ordering::AcqRel) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Who this engine is among those that work on the database; another one after each start.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// The database.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Does `work` as one unit: what it changed in the directory, in mappings and by hand is decided and
    /// applied, its events are appended, and only after all of it is durable does this return.
    ///
    /// The closure may run more than once and must not do anything but use the unit.
    ///
    /// # Errors
    /// What `work` returned, or what stopped the deciding. Nothing is changed then.
    pub async fn write<T, E>(
        &self,
        cause: Cause,
        work: impl for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + From<StorageError> + Send + 'static,
    {
        let change = Arc::new(Asked::new(work));
        let done = self.change(Footing::Alone, cause, Arc::<Asked<_, _, _>>::clone(&change));
        change.take(done.await)
    }

    /// As [`Engine::write`], for a unit that changes users, or members of groups, one source's or a few: several of them may
    /// run at the same time where the database can do that. A unit that turns out to need more ([`Unit::alone`]) runs again,
    /// alone.
    ///
    /// # Errors
    /// As [`Engine::write`].
    pub async fn write_beside<T, E>(
        &self,
        cause: Cause,
        work: impl for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + From<StorageError> + Send + 'static,
    {
        let change = Arc::new(Asked::new(work));
        let done = self.change(Footing::Beside, cause, Arc::<Asked<_, _, _>>::clone(&change));
        change.take(done.await)
    }

    /// Runs a change up to its answer. Boxed here, so that its code is not made again by each caller.
    fn change(
        &self,
        footing: Footing,
        cause: Cause,
        work: Arc<dyn Change>,
    ) -> BoxFuture<'_, Result<(), Stop>> {
        Box::pin(async move {
            let (cause, must_be_alone) = (Arc::new(cause), Arc::default());
            let done = self.write_by_rules(footing, &must_be_alone, &cause, &work).await;
            if done.is_err() && footing == Footing::Beside && must_be_alone.load(Ordering::Relaxed) {
                return self
                    .write_by_rules(Footing::Alone, &must_be_alone, &cause, &work)
                    .await;
            }
            done
        })
    }

    /// A unit begins with the rules that this engine knows, and asks which are in force together with what it reads first.
    /// Where these are others it is undone, and runs again with them.
    async fn write_by_rules(
        &self,
        footing: Footing,
        must_be_alone: &Arc<AtomicBool>,
        cause: &Arc<Cause>,
        work: &Arc<dyn Change>,
    ) -> Result<(), Stop> {
        for _ in 0..RULES_CHANGE_AT_MOST {
            match self.write_on(footing, must_be_alone, cause, work).await? {
                Rules::InForce => return Ok(()),
                Rules::Others => {
                    let engine = self.clone();
                    self.storage
                        .read(move |tx| {
                            let engine = engine.clone();
                            Box::pin(async move { engine.policy(tx).await.map(drop) })
                        })
                        .await?;
                }
            }
        }
        Err(StorageError::Busy.into())
    }

    async fn write_on(
        &self,
        footing: Footing,
        must_be_alone: &Arc<AtomicBool>,
        cause: &Arc<Cause>,
        work: &Arc<dyn Change>,
    ) -> Result<Rules, Stop> {
        let draw = Draw::new(&*self.clock);
        let (cause, work, engine) = (Arc::clone(cause), Arc::clone(work), self.clone());
        let must_be_alone = Arc::clone(must_be_alone);
        let others_in_force = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&others_in_force);
        let done = self
            .storage
            .write(move |tx| {
                let (cause, work, engine) = (Arc::clone(&cause), Arc::clone(&work), engine.clone());
                let must_be_alone = Arc::clone(&must_be_alone);
                let others_in_force = Arc::clone(&others_in_force);
                Box::pin(async move {
                    others_in_force.store(false, Ordering::Relaxed);
                    let locks = Locks::enter(tx, footing, &must_be_alone)?;
                    let known = engine
                        .policy
                        .read()
                        .expect("no holder of this lock panics")
                        .clone();
                    let in_force = query::policy::version_later(tx).await?;
                    let mut unit = Unit::new(tx, known.policy, draw, &cause, locks);
                    let result = work.run(&mut unit).await;
                    let in_force = unit.tx.rows(in_force).await.map(|rows| rows.first().copied());
                    if in_force
                        .as_ref()
                        .is_ok_and(|version| version.unwrap_or(0) != known.version)
                    {
                        others_in_force.store(true, Ordering::Relaxed);
                        let reason = "a unit began with rules that are in force no more".to_owned();
                        return Err(StorageError::Misuse(reason).into());
                    }
                    result?;
                    in_force?;
                    Ok::<_, Stop>(unit.finish().await?)
                })
            })
            .await;
        let has_told = match done {
            Err(_) if seen.load(Ordering::Relaxed) => return Ok(Rules::Others),
            done => done?,
        };
        if has_told {
            self.appended.is_there.store(true, Ordering::Release);
            self.appended.waiting.wake();
        }
        Ok(Rules::InForce)
    }

    /// Reads one consistent state of the database: see [`Storage::read`]. For a few rows that are found by their keys,
    /// [`Engine::storage`] has cheaper ways.
    ///
    /// # Errors
    /// What `work` returned.
    pub async fn read<T, E>(
        &self,
        work: impl for<'a, 't> Fn(&'a mut Tx<'t>) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.storage.read(work).await
    }

    /// Reads one consistent state of the database, with the rules in force in it.
    pub(crate) async fn read_by_policy<T>(
        &self,
        work: impl for<'a, 't> Fn(&'a mut Tx<'t>, Arc<Policy>) -> BoxFuture<'a, Result<T, EngineError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, EngineError>
    where
        T: Send + 'static,
    {
        let (engine, work) = (self.clone(), Arc::new(work));
        self.read(move |tx| {
            let (engine, work) = (engine.clone(), Arc::clone(&work));
            Box::pin(async move {
                let policy = engine.policy(tx).await?;
                work(tx, policy).await
            })
        })
        .await
    }

    /// The rules in force in this transaction.
    ///
    /// # Errors
    /// When the stored rules cannot be read, or none were stored yet.
    pub async fn policy(&self, tx: &mut Tx<'_>) -> Result<Arc<Policy>, EngineError> {
        let version = query::policy::version(tx).await?.unwrap_or(0);
        {
            let known = self.policy.read().expect("no holder of this lock panics");
            if known.version == version {
                return Ok(Arc::clone(&known.policy));
            }
        }
        let stored = query::policy::load(tx).await?;
        let policy: Policy = match &stored {
            Some(row) => serde_json::from_str(&row.active).map_err(|error| {
                StorageError::Corrupt(format!("the stored rules cannot be read: {error}"))
            })?,
            None => Policy::default(),
        };
        let fresh = StoredPolicy {
            version,
            policy: Arc::new(policy),
        };
        let policy = Arc::clone(&fresh.policy);
        *self.policy.write().expect("no holder of this lock panics") = fresh;
        Ok(policy)
    }
}
