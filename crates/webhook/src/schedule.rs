//! When a failed delivery is tried again, and when it is given up.

use std::time::Duration;

/// Each wait is so many times the one before.
const FACTOR: u32 = 3;
/// A wait is moved by up to so many percent, either way, so that what failed together does not come back together.
const JITTER_PERCENT: u64 = 20;
/// A receiver that asks for a longer wait gets this one.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// Waits that grow from `first` to `most`, and an end after `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// How long after the first failure a delivery is given up.
    pub total: Duration,
}

impl Schedule {
    /// How long to wait after so many failures in a row, at least 1. `asked` is what the receiver asked for; it is never cut
    /// short. `random` moves the wait.
    #[must_use]
    pub fn wait(&self, failures: u32, asked: Option<Duration>, random: u64) -> Duration {
        let mut wait = self.first.min(self.most);
        for _ in 1..failures {
            if wait >= self.most {
                break;
            }
            wait = wait.saturating_mul(FACTOR).min(self.most);
        }
        let percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX / 200);
        let wait = Duration::from_micros(micros / 100 * percent);
        wait.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }

    /// Whether a delivery that fails since so long is given up.
    #[must_use]
    pub fn is_over(&self, failing_for: Duration) -> bool {
        failing_for >= self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: Schedule = Schedule {
        first: Duration::from_secs(5),
        most: Duration::from_secs(12 * 3600),
        total: Duration::from_secs(5 * 24 * 3600),
    };

    /// In the middle of the jitter.
    const MIDDLE: u64 = JITTER_PERCENT;

    #[test]
    fn waits_grow_from_seconds_to_half_a_day() {
        let waits: Vec<_> = (1..=11).map(|n| DAYS.wait(n, None, MIDDLE).as_secs()).collect();
        assert_eq!(
            waits,
            [5, 15, 45, 135, 405, 1215, 3645, 10_935, 32_805, 43_200, 43_200]
        );
        assert_eq!(DAYS.wait(u32::MAX, None, MIDDLE), DAYS.most);
    }

    #[test]
    fn a_delivery_is_tried_some_twenty_times_over_five_days() {
        let (mut tries, mut after) = (1, Duration::ZERO);
        while !DAYS.is_over(after) {
            after += DAYS.wait(tries, None, MIDDLE);
            tries += 1;
        }
        assert!((15..25).contains(&tries), "{tries}");
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        for random in 0..1000 {
            let wait = DAYS.wait(1, None, random).as_millis();
            assert!((4000..=6000).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn what_the_receiver_asks_for_is_never_cut_short_but_bounded() {
        let minute = Duration::from_secs(60);
        assert_eq!(DAYS.wait(1, Some(minute), 0), minute);
        assert_eq!(DAYS.wait(11, Some(minute), MIDDLE), DAYS.most);
        assert_eq!(DAYS.wait(1, Some(Duration::MAX), 0), LONGEST_ASKED);
    }
}
