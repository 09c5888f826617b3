//! What a server writes, and what can be told from it: that it is ready, and that all of it has ended.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How many lines are kept.
const KEPT: usize = 200;

/// What PostgreSQL writes when clients may come; a standby adds that they may only read.
const READY: &str = "database system is ready to accept";

/// The log of one run of a server, read as it is written.
#[derive(Debug)]
pub(crate) struct Log {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    ready: bool,
    closed: bool,
}

impl Log {
    /// Reads until every process that can write has ended.
    pub(crate) fn read(source: impl Read + Send + 'static) -> Self {
        let shared = Arc::<(Mutex<State>, Condvar)>::default();
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            let (state, changed) = &*writer;
            let mut lines = BufReader::new(source).split(b'\n');
            loop {
                let line = lines.next().and_then(Result::ok);
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                match line {
                    Some(line) => state.see(String::from_utf8_lossy(&line).into_owned()),
                    None => state.closed = true,
                }
                changed.notify_all();
                if state.closed {
                    return;
                }
            }
        });
        Self { shared }
    }

    /// Whether clients can come, once that is known or the time is up.
    pub(crate) fn is_ready_within(&self, limit: Duration) -> bool {
        self.until(limit, |state| state.ready || state.closed).0
    }

    /// Whether all processes have ended, once they have or the time is up.
    pub(crate) fn is_closed_within(&self, limit: Duration) -> bool {
        self.until(limit, |state| state.closed).1
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> String {
        let state = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        Vec::from_iter(state.lines.iter().map(String::as_str)).join("\n")
    }

    fn until(&self, limit: Duration, condition: impl Fn(&State) -> bool) -> (bool, bool) {
        let (state, changed) = &*self.shared;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = changed
            .wait_timeout_while(state, limit, |state| !condition(state))
            .unwrap_or_else(PoisonError::into_inner);
        (state.ready, state.closed)
    }
}

impl State {
    fn see(&mut self, line: String) {
        self.ready |= line.contains(READY);
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn readiness_and_the_end_are_seen() {
        let log = Log::read(&b"starting\nLOG:  database system is ready to accept connections\n"[..]);
        assert!(log.is_ready_within(LONG));
        assert!(log.is_closed_within(LONG));
        assert!(log.tail().starts_with("starting\n"));
    }

    #[test]
    fn a_server_that_ends_is_not_waited_for() {
        let log = Log::read(&b"FATAL:  no\n"[..]);
        assert!(!log.is_ready_within(LONG));
        assert_eq!(log.tail(), "FATAL:  no");
    }

    #[test]
    fn the_last_lines_are_kept() {
        let text: String = (0..KEPT + 5).map(|line| format!("{line}\n")).collect();
        let log = Log::read(std::io::Cursor::new(text.into_bytes()));
        assert!(log.is_closed_within(LONG));
        assert_eq!(log.tail().lines().next(), Some("5"));
    }
}
