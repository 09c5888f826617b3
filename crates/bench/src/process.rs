//! Servers as processes of their own, and what Linux says of them.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(30);

/// How often its log is read meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// `USER_HZ`, the unit of times in `/proc/PID/stat`; 100 on every Linux that Rust runs on (`man 5 proc_pid_stat`).
const TICKS_PER_SECOND: u64 = 100;

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts a server that says `listening on http://ADDRESS`. What it prints goes into `log`.
    pub(crate) async fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let mut process = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let mut looks = tokio::time::interval(LOOK);
        let start = Instant::now();
        loop {
            looks.tick().await;
            let text = fs::read_to_string(log)?;
            if let Some(address) = text.lines().find_map(listening_address) {
                process.address = address;
                return Ok(process);
            }
            if let Some(status) = process.child.try_wait()? {
                bail!("the server ended with {status} before it listened:\n{text}");
            }
            if start.elapsed() > START {
                bail!("the server does not say where it listens:\n{text}");
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has spent so far.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        let folder = format!("/proc/{}", self.child.id());
        let stat = fs::read_to_string(format!("{folder}/stat")).context("the server is gone")?;
        let mut threads = Duration::ZERO;
        for thread in fs::read_dir(format!("{folder}/task"))? {
            // A thread may end while its siblings are read.
            if let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) {
                threads += on_cpu(&text).context("schedstat has another form")?;
            }
        }
        Ok(Cpu {
            ticks: user_and_system(&stat).context("stat has another form")?,
            threads,
        })
    }

    /// Memory that is its own and not a file's, in bytes.
    pub(crate) fn anonymous_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        rss_anon(&status).context("status names no RssAnon")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process, read in two ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    /// Of the process, in hundredths of a second.
    ticks: Duration,
    /// Of its living threads, in nanoseconds.
    threads: Duration,
}

impl Cpu {
    /// What was spent between two readings: by threads, or by the process where a thread ended in between and
    /// took its time along, or the kernel keeps none for threads.
    pub(crate) fn since(self, before: Self) -> Duration {
        let by_process = self.ticks.saturating_sub(before.ticks);
        let by_threads = self.threads.saturating_sub(before.threads);
        let slack = Duration::from_millis(20) + by_process / 50;
        if by_threads + slack < by_process {
            by_process
        } else {
            by_threads
        }
    }
}

/// What the processes that this one started and waited for spent, and theirs.
pub(crate) fn ended_children(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
    two_times(&stat, 15).context("stat has another form")
}

/// The process that started this one.
pub(crate) fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    fields(&stat)?.nth(3)?.parse().ok()
}

/// What a process with one thread spent so far.
pub(crate) fn on_cpu_of(process: u32) -> Option<Duration> {
    on_cpu(&fs::read_to_string(format!("/proc/{process}/schedstat")).ok()?)
}

/// `utime` and `stime`, fields 14 and 15; those of children that ended are the next two (`man 5 proc_pid_stat`).
fn user_and_system(stat: &str) -> Option<Duration> {
    two_times(stat, 13)
}

/// The sum of two neighbouring fields, counted from 0.
fn two_times(stat: &str, first: usize) -> Option<Duration> {
    let mut fields = fields(stat)?.skip(first);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

/// The fields, with two empty ones in place of the id and of the name, which may hold anything.
fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, fields) = stat.rsplit_once(')')?;
    Some(["", ""].into_iter().chain(fields.split_whitespace()))
}

/// The first field of `schedstat`: nanoseconds on a core.
fn on_cpu(schedstat: &str) -> Option<Duration> {
    let nanos = schedstat.split_whitespace().next()?;
    nanos.parse().ok().map(Duration::from_nanos)
}

fn rss_anon(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// The address in `listening on http://127.0.0.1:PORT`, as text or inside a JSON log line.
fn listening_address(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("listening on http://")?;
    let end = address
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .unwrap_or(address.len());
    address[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 0 0";
        assert_eq!(user_and_system(stat), Some(Duration::from_secs(3)));
        assert_eq!(two_times(stat, 15), Some(Duration::ZERO));
        assert_eq!(fields(stat).unwrap().nth(3), Some("1"));
        assert_eq!(on_cpu("1500000 77 3\n"), Some(Duration::from_micros(1500)));
        let status = "Name:\tusher\nVmRSS:\t  900 kB\nRssAnon:\t     512 kB\n";
        assert_eq!(rss_anon(status), Some(512 * 1024));
    }

    #[test]
    fn a_thread_that_ended_does_not_hide_its_time() {
        let at = |ticks, threads| Cpu {
            ticks: Duration::from_millis(ticks),
            threads: Duration::from_millis(threads),
        };
        assert_eq!(at(1010, 1003).since(at(0, 0)), Duration::from_millis(1003));
        assert_eq!(at(1010, 600).since(at(0, 0)), Duration::from_millis(1010));
        assert_eq!(at(1010, 0).since(at(10, 0)), Duration::from_secs(1));
    }

    #[test]
    fn the_address_is_found_in_text_and_in_json() {
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 8080)));
        for line in [
            "listening on http://127.0.0.1:8080",
            r#"{"message":"listening on http://127.0.0.1:8080","level":"INFO"}"#,
            "INFO listening on http://127.0.0.1:8080/ (try-out mode)",
        ] {
            assert_eq!(listening_address(line), expected, "{line}");
        }
    }
}
