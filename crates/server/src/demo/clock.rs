//! A clock that is behind.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use usher_core::{Clock, SystemClock, Timestamp};

/// The machine's clock, some time ago. It goes on like any other, and is put forward, never back.
#[derive(Debug)]
pub(crate) struct PastClock {
    behind_us: AtomicI64,
}

impl Default for PastClock {
    /// A week and a day behind.
    fn default() -> Self {
        Self {
            behind_us: AtomicI64::new(micros(Duration::from_secs(8 * 24 * 3600))),
        }
    }
}

impl PastClock {
    /// Puts the clock forward to so long ago; nothing when it shows a later time.
    pub(super) fn forward_to(&self, ago: Duration) {
        self.behind_us.fetch_min(micros(ago), Ordering::SeqCst);
    }
}

impl Clock for PastClock {
    fn now(&self) -> Timestamp {
        let behind = u64::try_from(self.behind_us.load(Ordering::SeqCst)).unwrap_or_default();
        SystemClock.now().minus(Duration::from_micros(behind))
    }
}

fn micros(period: Duration) -> i64 {
    i64::try_from(period.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_put_forward_and_never_back() {
        let clock = PastClock::default();
        let begin = clock.now();
        clock.forward_to(Duration::from_secs(3600));
        let later = clock.now();
        assert!(later.since(begin) > Duration::from_secs(7 * 24 * 3600));
        clock.forward_to(Duration::from_secs(7200));
        assert!(clock.now() >= later);
        clock.forward_to(Duration::ZERO);
        assert!(SystemClock.now().since(clock.now()) < Duration::from_secs(60));
    }
}
