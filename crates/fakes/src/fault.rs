//! What goes wrong, and when: a schedule that is the same in every run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One thing that goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The items of this page are missing; the list goes on behind them as if nothing were wrong.
    LostPage,
    /// 200 with no items, and the list ends here.
    EmptyPage,
    /// The page comes twice: its next link leads to itself once more.
    RepeatedPage,
    /// A delta answers changes of the round before again.
    Replay,
    /// The checkpoint, delta token or cursor is no longer known.
    ExpiredCheckpoint,
    /// 401: the token is no longer taken.
    Unauthorised,
    /// 403.
    Forbidden,
    /// 429, with `Retry-After` in seconds or without.
    TooManyRequests(Option<u32>),
    /// This status from 500 to 599, with a body that is not JSON.
    ServerError(u16),
    /// The connection breaks in the middle of the body.
    CutConnection,
    /// No answer ever comes; the client has to give up.
    NoAnswer,
    /// The `Date` of the answer is so many seconds off.
    ClockSkew(i32),
}

impl Fault {
    /// One of each, for tests that want all.
    pub const ALL: [Self; 13] = [
        Self::LostPage,
        Self::EmptyPage,
        Self::RepeatedPage,
        Self::Replay,
        Self::ExpiredCheckpoint,
        Self::Unauthorised,
        Self::Forbidden,
        Self::TooManyRequests(Some(0)),
        Self::TooManyRequests(None),
        Self::ServerError(503),
        Self::CutConnection,
        Self::NoAnswer,
        Self::ClockSkew(-7200),
    ];
}

/// Which request a fault is for.
#[derive(Debug)]
struct Rule {
    /// Only requests whose path contains this are counted; empty for all.
    path: String,
    /// Requests that pass before the fault.
    passes: u32,
    /// How often the fault comes then; `None` for ever.
    times: Option<u32>,
    fault: Fault,
}

#[derive(Debug, Default)]
struct Schedule {
    rules: Vec<Rule>,
    numbered: BTreeMap<u32, Fault>,
    requests: u32,
}

/// A schedule of faults, shared between a test and a server.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Schedule>>);

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The request with this number, counted from zero since the schedule was made, goes wrong.
    pub fn at(&self, number: u32, fault: Fault) {
        self.with(|schedule| schedule.numbered.insert(number, fault));
    }

    /// The next request whose path contains `path` goes wrong, after `passes` of them.
    pub fn once(&self, path: &str, passes: u32, fault: Fault) {
        self.rule(path, passes, Some(1), fault);
    }

    /// Every request whose path contains `path` goes wrong until [`Faults::clear`].
    pub fn always(&self, path: &str, fault: Fault) {
        self.rule(path, 0, None, fault);
    }

    /// Nothing goes wrong from now on.
    pub fn clear(&self) {
        self.with(|schedule| {
            schedule.rules.clear();
            schedule.numbered.clear();
        });
    }

    /// What goes wrong with the request that has just come. Servers call it once for each request.
    #[must_use]
    pub fn next(&self, path: &str) -> Option<Fault> {
        self.with(|schedule| {
            let number = schedule.requests;
            schedule.requests += 1;
            let mut found = schedule.numbered.get(&number).copied();
            for rule in &mut schedule.rules {
                if !path.contains(&rule.path) || rule.times == Some(0) {
                    continue;
                }
                if rule.passes > 0 {
                    rule.passes -= 1;
                } else if found.is_none() {
                    rule.times = rule.times.map(|times| times - 1);
                    found = Some(rule.fault);
                }
            }
            found
        })
    }

    /// Whether this fault is still to come.
    #[must_use]
    pub fn holds(&self, fault: Fault) -> bool {
        self.with(|schedule| {
            let of_rules = schedule
                .rules
                .iter()
                .any(|rule| rule.fault == fault && rule.times != Some(0));
            let requests = schedule.requests;
            of_rules
                || schedule
                    .numbered
                    .range(requests..)
                    .any(|(_, numbered)| *numbered == fault)
        })
    }

    /// How many requests were seen.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.with(|schedule| schedule.requests)
    }

    fn rule(&self, path: &str, passes: u32, times: Option<u32>, fault: Fault) {
        self.with(|schedule| {
            schedule.rules.push(Rule {
                path: path.into(),
                passes,
                times,
                fault,
            });
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Schedule) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_where_and_as_often_as_it_was_ordered() {
        let faults = Faults::none();
        faults.once("/members", 1, Fault::CutConnection);
        faults.at(4, Fault::Forbidden);
        let seen: Vec<_> = ["/members", "/users", "/members", "/members", "/users"]
            .map(|path| faults.next(path))
            .to_vec();
        assert_eq!(
            seen,
            [
                None,
                None,
                Some(Fault::CutConnection),
                None,
                Some(Fault::Forbidden)
            ]
        );
        faults.always("", Fault::Unauthorised);
        assert_eq!(faults.next("/x"), Some(Fault::Unauthorised));
        assert!(faults.holds(Fault::Unauthorised) && !faults.holds(Fault::Forbidden));
        faults.clear();
        assert!(!faults.holds(Fault::Unauthorised));
        assert_eq!(faults.next("/x"), None);
        assert_eq!(faults.requests(), 7);
    }
}
