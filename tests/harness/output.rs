//! What a running process prints, line by line, to be read later or waited for.

use std::io::{BufRead as _, BufReader, Read};
use std::process::Child;
use std::sync::Arc;
use std::thread;

use tokio::sync::watch;

use super::DEADLINE;

/// Everything printed so far, to both outputs, in the order it arrived.
#[derive(Clone)]
pub struct Output {
    seen: watch::Receiver<Seen>,
}

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    open: usize,
}

impl Output {
    /// Collects both outputs of a process whose outputs are piped.
    pub(super) fn of(child: &mut Child) -> Self {
        let (sender, seen) = watch::channel(Seen {
            lines: Vec::new(),
            open: 2,
        });
        let sender = Arc::new(sender);
        collect(
            child.stdout.take().expect("standard output is piped"),
            Arc::clone(&sender),
        );
        collect(child.stderr.take().expect("standard error is piped"), sender);
        Self { seen }
    }

    /// The first line for which `find` gives a value, now or later; fails the test when the process ends without one.
    pub async fn find<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut seen = self.seen.clone();
        let matches = |seen: &Seen| seen.lines.iter().find_map(|line| find(line));
        let waited = tokio::time::timeout(
            DEADLINE,
            seen.wait_for(|seen| seen.open == 0 || matches(seen).is_some()),
        );
        let found = match waited.await {
            Ok(Ok(seen)) => matches(&seen),
            Ok(Err(_)) | Err(_) => None,
        };
        found.unwrap_or_else(|| panic!("never printed {what}; printed:\n{}", self.text()))
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.seen.borrow().lines.join("\n")
    }

    /// Whether some line contains this.
    pub fn contains(&self, needle: &str) -> bool {
        self.seen.borrow().lines.iter().any(|line| line.contains(needle))
    }
}

fn collect(stream: impl Read + Send + 'static, sender: Arc<watch::Sender<Seen>>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            sender.send_modify(|seen| seen.lines.push(String::from_utf8_lossy(&line).into_owned()));
        }
        sender.send_modify(|seen| seen.open -= 1);
    });
}
