//! When a source is read next.

use std::time::Duration;

use usher_core::RetryAdvice;

use crate::config::Pull;

/// How long after a first failure a read is repeated; each further one doubles it.
const FIRST: Duration = Duration::from_secs(15);
/// The longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(3600);
/// No provider is believed that asks for more patience than this.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A share between nothing and all of it, drawn anew each time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(u16);

impl Share {
    /// Draws one.
    pub(super) fn draw() -> Self {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self(u16::from_le_bytes(bytes))
    }

    fn of(self, whole: Duration) -> Duration {
        whole * u32::from(self.0) / u32::from(u16::MAX)
    }
}

/// Roughly so long: several processes do not look at the same moments.
pub(crate) fn jittered(beat: Duration) -> Duration {
    beat * 3 / 4 + Share::draw().of(beat / 2)
}

/// How long after a read the next one is due, and the next complete one.
pub(super) fn after_success(pull: &Pull, share: Share) -> (Duration, Duration) {
    let every = pull.every.duration();
    let spread = share.of(every * pull.jitter_percent / 100);
    (every + spread, pull.full_every.duration())
}

/// How long after a failure a read is repeated, and whether one that a human or a hint asked for is repeated too. What
/// fails until somebody changes something goes on with the schedule.
pub(super) fn after_failure(
    advice: RetryAdvice,
    failures: u32,
    pull: &Pull,
    share: Share,
) -> (Duration, bool) {
    let doubled = FIRST
        .saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
        .min(LONGEST);
    // Half of it for certain, so that many deployments do not come back at one moment.
    let backoff = doubled / 2 + share.of(doubled / 2);
    match advice {
        RetryAdvice::Never => (after_success(pull, share).0, false),
        RetryAdvice::Now => (backoff, true),
        RetryAdvice::After(wait) => (backoff.max(wait.min(DAY)), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Share = Share(0);
    const ALL: Share = Share(u16::MAX);

    #[test]
    fn reads_are_spread_by_the_configured_share() {
        let pull = Pull::default();
        assert_eq!(after_success(&pull, NONE).0, Duration::from_secs(300));
        assert_eq!(after_success(&pull, ALL).0, Duration::from_secs(330));
        assert_eq!(after_success(&pull, ALL).1, Duration::from_secs(86_400));
    }

    #[test]
    fn tries_double_their_distance_up_to_an_hour() {
        let pull = Pull::default();
        let wait = |failures, share| after_failure(RetryAdvice::Now, failures, &pull, share).0;
        assert_eq!(wait(0, ALL), Duration::from_secs(15));
        assert_eq!(wait(1, ALL), Duration::from_secs(30));
        assert_eq!(wait(3, NONE), Duration::from_secs(60));
        for failures in [8, 31, 32, u32::MAX] {
            assert_eq!(wait(failures, ALL), LONGEST, "{failures}");
        }
    }

    #[test]
    fn the_providers_wish_is_respected_and_bounded() {
        let pull = Pull::default();
        let wait = |advice| after_failure(advice, 0, &pull, ALL);
        assert_eq!(
            wait(RetryAdvice::After(Duration::from_secs(7200))),
            (Duration::from_secs(7200), true)
        );
        assert_eq!(wait(RetryAdvice::After(Duration::MAX)), (DAY, true));
        assert_eq!(wait(RetryAdvice::Never), (Duration::from_secs(330), false));
    }
}
