//! How often and when a unit runs again.

use std::future;
use std::time::{Duration, Instant};

use tokio::time;

use super::error::{Again, Fault};
use crate::StorageError;

/// How often a unit runs again because of units beside it.
const CONFLICTS: u32 = 20;
/// How often a unit runs again because a row is in its way that a unit beside it may have written.
const PERHAPS: u32 = 2;
/// The first wait, doubled each time, and the longest.
const FIRST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(250);

/// The patience of one caller.
pub(super) struct Patience {
    until: Instant,
    conflicts: u32,
    perhaps: u32,
    losses: u32,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            until: Instant::now() + limit,
            conflicts: 0,
            perhaps: 0,
            losses: 0,
        }
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Waits a moment before the next attempt.
    ///
    /// # Errors
    /// The error, when trying again does not help or has gone on for long enough.
    pub(super) async fn again(&mut self, fault: Fault) -> Result<(), StorageError> {
        let (count, most) = match fault.again {
            Again::No | Again::ReadOnly => return Err(fault.error),
            Again::Conflict => (&mut self.conflicts, CONFLICTS),
            Again::Perhaps => (&mut self.perhaps, PERHAPS),
            Again::Lost => (&mut self.losses, u32::MAX),
        };
        let wait = jittered(FIRST.saturating_mul(1 << (*count).min(10)).min(LONGEST));
        *count += 1;
        if *count > most || self.left() <= wait {
            return Err(fault.error);
        }
        tracing::debug!(error = %fault.error, again = ?fault.again, "a unit of work runs again");
        pause(wait).await;
        Ok(())
    }
}

/// A length of time between half of this one and all of it: units that met once are not to meet again.
fn jittered(wait: Duration) -> Duration {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => wait / 2 + (wait / 2).mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)),
        Err(_) => wait,
    }
}

/// Waits so long.
pub(super) async fn pause(wait: Duration) {
    let _elapsed = time::timeout(wait, future::pending::<()>()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn patience_ends() {
        let error = StorageError::Busy;
        let mut patience = Patience::new(Duration::from_secs(60));
        assert!(
            patience
                .again(Fault::new(error.clone(), Again::No))
                .await
                .is_err()
        );
        for _ in 0..PERHAPS {
            assert!(
                patience
                    .again(Fault::new(error.clone(), Again::Perhaps))
                    .await
                    .is_ok()
            );
        }
        assert!(
            patience
                .again(Fault::new(error.clone(), Again::Perhaps))
                .await
                .is_err()
        );
        assert!(
            patience
                .again(Fault::new(error.clone(), Again::Conflict))
                .await
                .is_ok()
        );
        let mut patience = Patience::new(Duration::ZERO);
        assert!(patience.again(Fault::new(error, Again::Conflict)).await.is_err());
    }

    #[test]
    fn waits_differ_but_within_bounds() {
        for _ in 0..100 {
            let wait = jittered(Duration::from_millis(100));
            assert!((50..=100).contains(&wait.as_millis()), "{wait:?}");
        }
    }
}
