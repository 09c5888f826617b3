//! Counting wrong passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use usher_core::Timestamp;

use crate::ClientNetwork;

/// So many wrong ones of one address for one account cost nothing; each further one doubles the wait.
const FREE: u32 = 3;
/// The first wait, and the longest.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// After so long without a wrong one, the count begins again.
const FORGOTTEN: Duration = Duration::from_secs(30 * 60);
/// So many wrong ones of one address in a minute, whatever the accounts.
const PER_ADDRESS: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// The most pairs and addresses that are counted.
const MOST: usize = 10_000;

/// Counts wrong passwords for each pair of address and account, so that whoever guesses waits longer and longer, and the
/// owner of the account, who comes from elsewhere, does not.
#[derive(Debug, Default)]
pub struct Guesses {
    counts: Mutex<Counts>,
}

/// Whether a password may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Now.
    Now,
    /// Only after this time.
    After(Duration),
}

#[derive(Debug, Default)]
struct Counts {
    pairs: HashMap<(ClientNetwork, String), Pair>,
    addresses: HashMap<ClientNetwork, (Timestamp, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    wrong: u32,
    last: Timestamp,
}

impl Guesses {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this address may try a password for this account. The try is counted as wrong until [`right`](Self::right)
    /// says otherwise, so that tries side by side count too.
    pub fn attempt(&self, address: Option<IpAddr>, account: &str, now: Timestamp) -> Verdict {
        let mut counts = self.counts.lock().expect("no holder of this lock panics");
        counts.make_room(now);
        let (place, key) = (ClientNetwork::of(address), key(address, account));
        if let Some((start, count)) = counts.addresses.get(&place)
            && *count >= PER_ADDRESS
            && now.since(*start) < MINUTE
        {
            return Verdict::After(MINUTE.saturating_sub(now.since(*start)));
        }
        let pair = counts
            .pairs
            .get(&key)
            .copied()
            .filter(|pair| now.since(pair.last) < FORGOTTEN);
        if let Some(pair) = pair {
            let (wait, passed) = (wait(pair.wrong), now.since(pair.last));
            if passed < wait {
                return Verdict::After(wait.saturating_sub(passed));
            }
        }
        let wrong = pair.map_or(0, |pair| pair.wrong).saturating_add(1);
        counts.pairs.insert(key, Pair { wrong, last: now });
        let (start, count) = counts.addresses.entry(place).or_insert((now, 0));
        if now.since(*start) >= MINUTE {
            (*start, *count) = (now, 0);
        }
        *count += 1;
        Verdict::Now
    }

    /// The password was right, or was not looked at: the try does not count.
    pub fn right(&self, address: Option<IpAddr>, account: &str) {
        let mut counts = self.counts.lock().expect("no holder of this lock panics");
        counts.pairs.remove(&key(address, account));
        if let Some((_, count)) = counts.addresses.get_mut(&ClientNetwork::of(address)) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Counts {
    /// Forgets what is old; where all of it is new, everything: somebody comes from everywhere then, and counting what each
    /// address does no longer slows them. That few passwords are checked at once still does.
    fn make_room(&mut self, now: Timestamp) {
        if self.pairs.len() >= MOST {
            self.pairs.retain(|_, pair| now.since(pair.last) < FORGOTTEN);
        }
        if self.addresses.len() >= MOST {
            self.addresses.retain(|_, (start, _)| now.since(*start) < MINUTE);
        }
        if self.pairs.len() >= MOST {
            self.pairs.clear();
        }
        if self.addresses.len() >= MOST {
            self.addresses.clear();
        }
    }
}

fn key(address: Option<IpAddr>, account: &str) -> (ClientNetwork, String) {
    (ClientNetwork::of(address), account.chars().take(100).collect())
}

fn wait(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(beyond) => FIRST.saturating_mul(1 << beyond.min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn who_guesses_waits_longer_and_longer() {
        let guesses = Guesses::new();
        for _ in 0..FREE {
            assert_eq!(guesses.attempt(address(1), "admin", START), Verdict::Now);
        }
        let mut now = START;
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let wait = Duration::from_secs(expected);
            assert_eq!(guesses.attempt(address(1), "admin", now), Verdict::After(wait));
            now = now.plus(wait);
            assert_eq!(guesses.attempt(address(1), "admin", now), Verdict::Now);
        }
        assert_eq!(
            guesses.attempt(address(1), "admin", now.plus(FORGOTTEN)),
            Verdict::Now
        );
    }

    #[test]
    fn nobody_is_locked_out_by_another_address() {
        let guesses = Guesses::new();
        for _ in 0..100 {
            guesses.attempt(address(1), "admin", START);
        }
        assert_ne!(guesses.attempt(address(1), "admin", START), Verdict::Now);
        assert_eq!(guesses.attempt(address(2), "admin", START), Verdict::Now);
        assert_eq!(guesses.attempt(None, "admin", START), Verdict::Now);
    }

    #[test]
    fn one_address_tries_few_accounts_a_minute() {
        let guesses = Guesses::new();
        for account in 0..PER_ADDRESS {
            assert_eq!(
                guesses.attempt(address(1), &account.to_string(), START),
                Verdict::Now
            );
        }
        assert_eq!(
            guesses.attempt(address(1), "one more", START),
            Verdict::After(MINUTE)
        );
        assert_eq!(
            guesses.attempt(address(1), "one more", START.plus(MINUTE)),
            Verdict::Now
        );
    }

    #[test]
    fn the_right_password_begins_anew() {
        let guesses = Guesses::new();
        for _ in 0..50 {
            assert_eq!(guesses.attempt(address(1), "admin", START), Verdict::Now);
            guesses.right(address(1), "admin");
        }
    }

    #[test]
    fn addresses_of_one_network_of_version_6_are_one() {
        let guesses = Guesses::new();
        let of = |text: &str| Some(text.parse().unwrap());
        for last in 0..FREE {
            guesses.attempt(of(&format!("2001:db8::{last}")), "admin", START);
        }
        assert_ne!(
            guesses.attempt(of("2001:db8::ffff:1"), "admin", START),
            Verdict::Now
        );
        assert_eq!(
            guesses.attempt(of("2001:db8:0:1::1"), "admin", START),
            Verdict::Now
        );
        assert_eq!(
            ClientNetwork::of(of("::ffff:192.0.2.1")),
            ClientNetwork::of(address(1))
        );
    }

    #[test]
    fn what_is_counted_has_a_bound() {
        let guesses = Guesses::new();
        for number in 0..u32::try_from(3 * MOST).unwrap() {
            let address = IpAddr::from(number.to_be_bytes());
            guesses.attempt(Some(address), "admin", START);
        }
        let counts = guesses.counts.lock().unwrap();
        assert!(counts.pairs.len() <= MOST && counts.addresses.len() <= MOST);
    }
}
