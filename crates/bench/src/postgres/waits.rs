//! Whether requests wait for locks of each other: a session of its own looks at all others again and again, and the server
//! writes each longer wait into its log.
//!
//! <https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TABLE>: `wait_event_type` is `Lock` while a
//! session waits for a lock on a row, a table, a transaction or an advisory lock.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use tokio::time::MissedTickBehavior;
use tokio_postgres::Client;

use super::{Postgres, connect};

/// How often the sessions are looked at.
const LOOK: Duration = Duration::from_millis(1);

const WAITING: &str =
    "SELECT wait_event, count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' GROUP BY 1";

/// A wait of `deadlock_timeout` or longer is logged, and 1 ms is the shortest that there is.
const LOG: [&str; 3] = [
    "ALTER SYSTEM SET log_lock_waits = on",
    "ALTER SYSTEM SET deadlock_timeout = '1ms'",
    "SELECT pg_reload_conf()",
];
const NO_LOG: [&str; 3] = [
    "ALTER SYSTEM RESET log_lock_waits",
    "ALTER SYSTEM RESET deadlock_timeout",
    "SELECT pg_reload_conf()",
];

/// The name of waits for a table to grow, which is no lock on anything that a request is about.
const EXTENSION: &str = "extend";

/// Looks at all sessions of a cluster while a load runs.
pub(crate) struct Watch<'p> {
    postgres: &'p Postgres,
    client: Client,
}

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    /// How often somebody looked.
    pub(crate) looks: usize,
    /// Sessions that were seen waiting, by what for.
    pub(crate) seen: BTreeMap<String, i64>,
    /// Waits of 1 ms or longer that the server's log names.
    pub(crate) logged: usize,
}

impl Waits {
    /// Takes what was seen during another load along.
    pub(crate) fn add(&mut self, other: Self) {
        self.looks += other.looks;
        self.logged += other.logged;
        for (name, count) in other.seen {
            *self.seen.entry(name).or_default() += count;
        }
    }

    /// Waits for what requests are about.
    pub(crate) fn count(&self) -> i64 {
        let seen = self.seen.iter().filter(|(name, _)| *name != EXTENSION);
        seen.map(|(_, count)| count)
            .sum::<i64>()
            .max(i64::try_from(self.logged).unwrap_or(i64::MAX))
    }

    /// In words.
    pub(crate) fn note(&self) -> String {
        let names: Vec<String> = self
            .seen
            .iter()
            .map(|(name, count)| format!("{count} for {name}"))
            .collect();
        let seen = if names.is_empty() {
            "nobody waiting".to_owned()
        } else {
            names.join(", ")
        };
        format!(
            "{} looks at all sessions saw {seen}; the log names {} waits of 1 ms or longer",
            self.looks, self.logged
        )
    }
}

impl<'p> Watch<'p> {
    /// Has the log name waits from now on.
    pub(crate) async fn start(postgres: &'p Postgres) -> Result<Self> {
        let client = connect(&postgres.first_url()).await?;
        for sql in LOG {
            client.batch_execute(sql).await?;
        }
        Ok(Self { postgres, client })
    }

    /// Runs a load and looks meanwhile.
    pub(crate) async fn during<T>(&self, load: impl Future<Output = Result<T>>) -> Result<(T, Waits)> {
        let before = self.postgres.log();
        let waiting = self.client.prepare(WAITING).await?;
        let waits = RefCell::new(Waits::default());
        let look = async {
            let mut looks = tokio::time::interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                looks.tick().await;
                let rows = self.client.query(&waiting, &[]).await?;
                let mut waits = waits.borrow_mut();
                waits.looks += 1;
                for row in rows {
                    let name: String = row.get(0);
                    *waits.seen.entry(name).or_default() += row.get::<_, i64>(1);
                }
            }
        };
        let done = tokio::select! {
            done = load => done?,
            failed = look => {
                let failed: Result<T> = failed;
                failed?
            }
        };
        let mut waits = waits.into_inner();
        waits.logged = logged(&before, &self.postgres.log());
        Ok((done, waits))
    }

    /// The log is again as it was.
    pub(crate) async fn stop(self) -> Result<()> {
        for sql in NO_LOG {
            self.client.batch_execute(sql).await?;
        }
        Ok(())
    }
}

/// Waits that the log names now and did not before. Each line begins with its moment and its process, so no two are equal.
fn logged(before: &str, after: &str) -> usize {
    let known: BTreeSet<&str> = before.lines().collect();
    after
        .lines()
        .filter(|line| line.contains(" still waiting for ") && !line.contains(" on extension of "))
        .filter(|line| !known.contains(line))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_counted_once_and_growing_tables_not_at_all() {
        let old = "1 [7] LOG:  process 7 still waiting for ShareLock on transaction 9 after 1.0 ms";
        let log = format!(
            "{old}\n2 [8] LOG:  process 8 still waiting for ExclusiveLock on extension of relation 1 after 1.0 ms\n\
             3 [8] LOG:  process 8 acquired ShareLock\n\
             4 [8] LOG:  process 8 still waiting for ShareLock on transaction 9 after 1.0 ms\n"
        );
        assert_eq!(logged(old, &log), 1);
        let waits = Waits {
            looks: 9,
            seen: [("extend".to_owned(), 4), ("tuple".to_owned(), 2)].into(),
            logged: 1,
        };
        assert_eq!(waits.count(), 2);
        assert!(waits.note().contains("2 for tuple"), "{}", waits.note());
    }
}
