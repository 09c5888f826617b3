//! Ids and time for one unit of work, drawn before it starts.

use std::fmt;

use uuid::Uuid;

use crate::{Clock, Timestamp, TypedId};

/// The time and the randomness of one unit of work.
///
/// A unit of work may run more than once. Each run starts again from [`Draw::ids`] and so makes the
/// same ids.
#[derive(Clone, Copy)]
pub struct Draw {
    now: Timestamp,
    entropy: u64,
}

impl Draw {
    /// Draws the time from `clock` and randomness from the operating system.
    ///
    /// # Panics
    /// When the operating system gives no randomness: nothing secure can be made then.
    #[must_use]
    pub fn new(clock: &dyn Clock) -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        Self {
            now: clock.now(),
            entropy: u64::from_le_bytes(bytes),
        }
    }

    /// A draw with chosen values, for tests and replays.
    #[must_use]
    pub const fn fixed(now: Timestamp, entropy: u64) -> Self {
        Self { now, entropy }
    }

    /// The moment at which the unit of work happens.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The ids of one run of the unit, always the same ones in the same order.
    #[must_use]
    pub const fn ids(&self) -> Ids {
        Ids {
            draw: *self,
            counter: 0,
        }
    }
}

impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draw")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Makes the ids of one run of a unit of work; later ones sort after earlier ones.
#[derive(Debug, Clone)]
pub struct Ids {
    draw: Draw,
    counter: u32,
}

impl Ids {
    /// The next id, a UUIDv7 (RFC 9562 §5.7).
    ///
    /// The twelve bits after the milliseconds hold the sub-millisecond time (method 3 of §6.2), the
    /// next 24 a counter, and the last 38 are random.
    pub fn make<I: TypedId>(&mut self) -> I {
        const COUNTER_MASK: u64 = 0xff_ffff;
        const RANDOM_BITS: u32 = 38;
        let micros = u64::try_from(self.draw.now.as_micros()).unwrap_or(0);
        let (millis, fraction) = (micros / 1000, micros % 1000 * 4096 / 1000);
        let count = u64::from(self.counter) & COUNTER_MASK;
        self.counter = self.counter.wrapping_add(1);
        let high = (millis << 16) | 0x7000 | fraction;
        let low = (0b10 << 62) | (count << RANDOM_BITS) | (self.draw.entropy & ((1 << RANDOM_BITS) - 1));
        I::from_uuid(Uuid::from_u64_pair(high, low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MembershipId;

    #[test]
    fn ids_of_one_unit_are_valid_v7_rising_and_repeatable() {
        let draw = Draw::fixed("2026-01-31T09:00:00.123456Z".parse().unwrap(), u64::MAX);
        let make = || {
            let mut ids = draw.ids();
            (0..1000).map(|_| ids.make::<MembershipId>()).collect::<Vec<_>>()
        };
        let ids = make();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids, make());
        assert_eq!(ids[0].as_uuid().get_version_num(), 7);
        assert_eq!(ids[0].as_uuid().get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn a_later_unit_makes_later_ids() {
        let earlier = Draw::fixed(Timestamp::from_micros(1_700_000_000_000_001), u64::MAX)
            .ids()
            .make::<MembershipId>();
        let later = Draw::fixed(Timestamp::from_micros(1_700_000_000_000_002), 0)
            .ids()
            .make::<MembershipId>();
        assert!(earlier < later);
    }
}
