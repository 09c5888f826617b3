//! Counting refused credentials.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use usher_signin::ClientNetwork;

const WINDOW: Duration = Duration::from_secs(60);
/// The most counts that are kept.
const MOST: usize = 10_000;

/// Where somebody comes from, and which source they wanted to get into, if any.
type Key = (ClientNetwork, Option<Box<str>>);
/// When the count began, and how far it is.
type Window = (Instant, u32);

/// Counts refusals for each network and source in windows of a minute. Only whoever is refused anyway is told of the
/// count, so nobody can use it up for another.
pub(super) struct Throttle {
    limit: u32,
    counts: Mutex<HashMap<Key, Window>>,
}

impl Throttle {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            counts: Mutex::default(),
        }
    }

    /// Counts a refusal; whether there were more than the limit.
    pub(super) fn is_too_many(&self, peer: Option<IpAddr>, source: Option<&str>) -> bool {
        let mut counts = self.counts.lock().expect("no holder of this lock panics");
        if counts.len() >= MOST {
            counts.retain(|_, (start, _)| start.elapsed() < WINDOW);
            // Somebody comes from everywhere: counts of single networks no longer slow them.
            if counts.len() >= MOST {
                counts.clear();
            }
        }
        let key = (ClientNetwork::of(peer), source.map(Box::from));
        let (start, count) = counts.entry(key).or_insert_with(|| (Instant::now(), 0));
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
    fn each_network_and_source_has_its_own_count() {
        let throttle = Throttle::new(2);
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        assert!(!throttle.is_too_many(peer, Some("idp")));
        assert!(!throttle.is_too_many(peer, Some("idp")));
        assert!(throttle.is_too_many(peer, Some("idp")));
        assert!(!throttle.is_too_many(peer, Some("other")));
        assert!(!throttle.is_too_many(peer, None));
        assert!(!throttle.is_too_many(None, Some("idp")));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let throttle = Throttle::new(2);
        for number in 0..u32::try_from(MOST).unwrap() + 10 {
            throttle.is_too_many(Some(IpAddr::from(number.to_be_bytes())), None);
        }
        assert!(throttle.counts.lock().unwrap().len() <= MOST);
    }
}
