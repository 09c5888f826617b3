//! How far long work is, for people who wait for it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::Output;

/// How often something is said.
const ON_A_TERMINAL: Duration = Duration::from_millis(200);
const IN_A_LOG: Duration = Duration::from_secs(10);

/// Says now and then on standard error how far the work is: in one line that changes on a terminal, else a line each.
#[derive(Debug)]
pub(super) struct Ticker {
    every: Duration,
    last: Instant,
    terminal: bool,
    quiet: bool,
    dirty: bool,
}

impl Ticker {
    pub(super) fn new(output: Output) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            every: if terminal { ON_A_TERMINAL } else { IN_A_LOG },
            last: Instant::now(),
            terminal,
            quiet: output.is_json(),
            dirty: false,
        }
    }

    /// Says what `text` makes, if it is time for it.
    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        if self.quiet || self.last.elapsed() < self.every {
            return;
        }
        self.last = Instant::now();
        let mut out = std::io::stderr().lock();
        // The work matters, and not whether anybody sees how far it is.
        let _ = if self.terminal {
            self.dirty = true;
            write!(out, "\r\x1b[K{}", text()).and_then(|()| out.flush())
        } else {
            writeln!(out, "{}", text())
        };
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if self.dirty {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
