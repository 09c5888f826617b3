//! Reads of a provider come in here, and nowhere else: what an adapter saw becomes the same directory, the same decisions
//! and the same history as what a provider pushes.
//!
//! A source that is only read is believed at once where the provider *said* something, and by absence only after a read
//! that was complete. A source that is pushed and read is repaired with care: see [`sweep`](self) for the rules of rows
//! that both sides speak of.

mod ask;
mod drift;
mod groups;
mod join;
mod lease;
mod run;
mod session;
mod state;
mod sweep;
mod users;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use usher_core::{RemoteGroupId, SourceName, Timestamp};
use usher_storage::SourceKey;

use crate::unit::{Cause, Unit};
use crate::{Engine, EngineError};

pub use ask::Question;
pub(crate) use ask::remote_group;
pub use drift::{Difference, Drift, Said};
pub use lease::{Lease, TERM};
pub use run::{BegunRead, ReadEnd, Target};
pub use session::{Progress, Session, Summary};

/// What a read is for, and how careful it has to be.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    /// The source.
    pub source: SourceName,
    /// The right to read it. A read whose lease another process took writes nothing any more.
    pub lease: Lease,
    /// When the read began, before the first call to the provider. It says nothing of what was written later.
    pub begun: Timestamp,
    /// Whether people count only in groups that are assigned to the application, as far as the adapter tells.
    pub require_assignment: bool,
    /// Of a source that is also pushed: how far apart two reads have to begin that bring somebody back.
    pub settle: Duration,
    /// Whether only what changed is read. Users whom nobody knows and whom no change of the same page names as a member
    /// are left out then.
    pub delta: bool,
    /// Groups that are read with the members of groups inside them.
    pub nested: BTreeSet<RemoteGroupId>,
}

/// A plan with what the database says of its source.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) plan: ReadPlan,
    pub(crate) source: SourceKey,
    /// Whether the source is also pushed.
    pub(crate) beside_push: bool,
}

impl Reading {
    /// Does `work` as one unit. A read of a source that is also pushed takes turns with everything: it judges what pushes
    /// wrote.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        engine: &Engine,
        cause: &Cause,
        work: impl for<'a, 'u, 't> Fn(&'a mut Unit<'u, 't>) -> BoxFuture<'a, Result<T, EngineError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, EngineError> {
        if self.beside_push {
            engine.write(cause.clone(), work).await
        } else {
            engine.write_beside(cause.clone(), work).await
        }
    }

    /// Whether people count in a group that is assigned to the application, or is not.
    pub(crate) const fn counts(&self, assigned: bool) -> bool {
        assigned || !self.plan.require_assignment
    }

    /// What was pushed before this moment, the provider's index has.
    pub(crate) fn settled(&self) -> Timestamp {
        self.plan.begun.minus(self.plan.settle)
    }
}
