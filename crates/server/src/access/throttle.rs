//! Counting refused credentials.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);
const MOST: usize = 10_000;

/// An address, and what it wanted to get into.
type Place = (Option<IpAddr>, String);
/// When the count began, and how far it is.
type Window = (Instant, u32);

/// Counts refusals for each address and place in windows of a minute.
pub(super) struct Throttle {
    limit: u32,
    counts: Mutex<HashMap<Place, Window>>,
}

impl Throttle {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            counts: Mutex::default(),
        }
    }

    /// Counts a refusal; whether there were more than the limit.
    pub(super) fn is_too_many(&self, peer: Option<IpAddr>, place: &str) -> bool {
        let mut counts = self.counts.lock().expect("no holder of this lock panics");
        if counts.len() >= MOST {
            counts.retain(|_, (start, _)| start.elapsed() < WINDOW);
            if counts.len() >= MOST {
                return true;
            }
        }
        let place = place.get(..64).unwrap_or(place).to_owned();
        let (start, count) = counts.entry((peer, place)).or_insert_with(|| (Instant::now(), 0));
        if start.elapsed() >= WINDOW {
            (*start, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        *count > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_and_place_has_its_own_count() {
        let throttle = Throttle::new(2);
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        assert!(!throttle.is_too_many(peer, "idp"));
        assert!(!throttle.is_too_many(peer, "idp"));
        assert!(throttle.is_too_many(peer, "idp"));
        assert!(!throttle.is_too_many(peer, "other"));
        assert!(!throttle.is_too_many(None, "idp"));
    }
}
