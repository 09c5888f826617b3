//! Holding the lease of a source for as long as something is read.

use std::error::Error;

use tokio::time::MissedTickBehavior;
use usher_engine::pull::{Lease, TERM};
use usher_engine::{Engine, EngineError};

/// Several times in a term, so that a slow database does not cost the lease at once.
const RENEWALS: u32 = 4;

/// Does `work` while this process holds the lease, which is renewed until the end. Nothing when another process took it: the
/// work stops where it is then.
pub(super) async fn while_held<T>(engine: &Engine, lease: Lease, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        result = work => Some(result),
        () = keep(engine, lease) => None,
    }
}

/// Renews a lease until it is lost.
async fn keep(engine: &Engine, lease: Lease) {
    let mut beat = tokio::time::interval(TERM / RENEWALS);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.tick().await;
    loop {
        beat.tick().await;
        match engine.renew_lease(lease).await {
            Ok(()) => {}
            Err(EngineError::LeaseLost) => return,
            // The units of the read find out themselves whether the database and the lease are still there.
            Err(error) => {
                let error = crate::logging::chain(&error);
                tracing::warn!(error, "a lease could not be renewed; it is tried again");
            }
        }
    }
}

/// Whether something failed because another process took the lease.
pub(super) fn is_lost(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(EngineError::LeaseLost) = error.downcast_ref() {
            return true;
        }
        next = error.source();
    }
    false
}
