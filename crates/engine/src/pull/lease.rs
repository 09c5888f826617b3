//! One process at a time reads a source. It holds a lease, with a number that ascends each time the lease is taken: whoever
//! slept while another process took it has an old number, and none of its units is done any more.

use std::time::Duration;

use usher_core::NodeId;
use usher_storage::query::pull_lease;
use usher_storage::{SourceKey, Tx};

use crate::EngineError;
use crate::engine::Engine;
use crate::unit::{Cause, Unit};

/// How long a lease is held without being renewed.
pub const TERM: Duration = Duration::from_secs(10);

/// The right of a process to read a source, for as long as no other one took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The source.
    pub source: SourceKey,
    /// The process.
    pub node: NodeId,
    fence: i64,
}

impl Lease {
    /// Whether it is held still. Whoever takes it then waits until this unit of work ends.
    ///
    /// # Errors
    /// [`EngineError::LeaseLost`].
    pub(crate) async fn check(&self, tx: &mut Tx<'_>) -> Result<(), EngineError> {
        match pull_lease::is_held_by(tx, self.source, self.owner()).await? {
            true => Ok(()),
            false => Err(EngineError::LeaseLost),
        }
    }

    const fn owner(&self) -> (NodeId, i64) {
        (self.node, self.fence)
    }
}

impl Unit<'_, '_> {
    /// Takes the lease of a source for a node, if nobody holds it. Reads that the holder before left in the middle are asked
    /// for again.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when the source is not read.
    pub async fn take_lease(
        &mut self,
        source: SourceKey,
        node: NodeId,
    ) -> Result<Option<Lease>, EngineError> {
        let Some(fence) = pull_lease::take(self.tx, source, node, (self.now, TERM)).await? else {
            return Ok(None);
        };
        self.abandon_reads(source).await?;
        Ok(Some(Lease { source, node, fence }))
    }

    /// Gives a lease back, at the end of what it was taken for. Reads that were left in the middle are asked for again.
    /// Nothing happens when another process took it.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when the source is not read any more.
    pub async fn give_lease_back(&mut self, lease: &Lease) -> Result<(), EngineError> {
        if !pull_lease::is_held_by(self.tx, lease.source, lease.owner()).await? {
            return Ok(());
        }
        pull_lease::give_back(self.tx, lease.source, lease.owner()).await?;
        self.abandon_reads(lease.source).await?;
        Ok(())
    }
}

impl Engine {
    /// As [`Unit::take_lease`], for this process.
    ///
    /// # Errors
    /// As there.
    pub async fn take_lease(&self, source: SourceKey, cause: Cause) -> Result<Option<Lease>, EngineError> {
        let node = self.node();
        self.write_beside(cause, move |unit| {
            Box::pin(async move { unit.take_lease(source, node).await })
        })
        .await
    }

    /// As [`Unit::give_lease_back`].
    ///
    /// # Errors
    /// As there.
    pub async fn give_lease_back(&self, lease: Lease, cause: Cause) -> Result<(), EngineError> {
        self.write_beside(cause, move |unit| {
            Box::pin(async move { unit.give_lease_back(&lease).await })
        })
        .await
    }

    /// Holds a lease for [`TERM`] from now on. Whoever reads calls it a few times in that span.
    ///
    /// # Errors
    /// [`EngineError::LeaseLost`].
    pub async fn renew_lease(&self, lease: Lease) -> Result<(), EngineError> {
        let now = self.now();
        self.storage()
            .write(move |tx| {
                Box::pin(async move {
                    match pull_lease::renew(tx, lease.source, lease.owner(), (now, TERM)).await? {
                        true => Ok(()),
                        false => Err(EngineError::LeaseLost),
                    }
                })
            })
            .await
    }
}
