//! The node that reads sleeps for longer than its lease, and wakes up in the middle of what it did.

use std::time::Instant;

use uuid::Uuid;

use super::rig::{Rig, connect};
use crate::harness::eventually;

/// Whether a transaction waits for its client for longer than any that is awake takes, and whether one is open that began
/// before a moment.
const OPEN: &str = "SELECT
        coalesce(bool_or(state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '500 ms'), false),
        coalesce(bool_or(xact_start < $1), false)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";

const HOLDER: &str =
    "SELECT l.owner::text, r.id FROM pull_lease l JOIN pull_run r ON r.node = l.owner AND r.state = 'running'
    AND r.source_id = l.source_id WHERE l.owner IS NOT NULL";

const LAST_EVENT: &str = "SELECT coalesce(max(seq), 0) FROM event";

/// A node that sleeps.
pub struct Asleep {
    /// Which one.
    pub node: usize,
    owner: String,
    run: Uuid,
    since: Instant,
}

impl Asleep {
    /// The node that reads falls asleep in the middle of a read, and of no transaction: one that is open would have the others
    /// wait for the database to end it, and there would be less to see. Before there is much load, that is soon.
    pub async fn begin(rig: &mut Rig, database: &str) -> Self {
        let mut before = None;
        loop {
            let (owner, run, node) = eventually("a node to read something new", || async {
                holder(rig, database)
                    .await
                    .filter(|(_, run, _)| before != Some(*run))
            })
            .await;
            before = Some(run);
            rig.fleet.pause(node);
            let since = Instant::now();
            if is_quiet(database).await && holder(rig, database).await == Some((owner.clone(), run, node)) {
                rig.fleet.withdraw(node);
                return Self {
                    node,
                    owner,
                    run,
                    since,
                };
            }
            rig.fleet.wake(node);
        }
    }

    /// Whether another node took over from it, which is noted then.
    pub async fn is_taken_over(&self, rig: &mut Rig, database: &str) -> bool {
        let client = connect(database).await;
        let lease = "SELECT 1 FROM pull_lease WHERE owner::text = $1";
        let held = client
            .query_opt(lease, &[&self.owner])
            .await
            .expect("the database runs");
        let is_taken_over = held.is_none();
        if is_taken_over {
            let last = client
                .query_one(LAST_EVENT, &[])
                .await
                .expect("the database runs");
            rig.taken_over.insert(self.run.to_string(), last.get(0));
        }
        is_taken_over
    }

    /// It wakes up, and finds out that it does not read any more.
    pub async fn end(self, rig: &mut Rig) {
        let caller = rig.provider.caller(self.since);
        let woken = Instant::now();
        rig.fleet.wake(self.node);
        rig.fleet.offer(self.node);
        rig.fleet
            .server(self.node)
            .output()
            .find("the node to notice that another one reads", |line| {
                (line.contains("another process took over this read") && line.contains(&self.run.to_string()))
                    .then_some(())
            })
            .await;
        if let Some(caller) = caller {
            rig.provider.had_not_noticed(caller, woken, Instant::now());
        }
    }
}

/// Whether none of the transactions that are open now is one of a node that sleeps.
async fn is_quiet(database: &str) -> bool {
    let client = connect(database).await;
    let now = client
        .query_one("SELECT clock_timestamp()", &[])
        .await
        .expect("the database runs");
    let now: std::time::SystemTime = now.get(0);
    eventually("the transactions of nodes that are awake to end", || async {
        let row = client.query_one(OPEN, &[&now]).await.expect("the database runs");
        match (row.get(0), row.get(1)) {
            (true, _) => Some(false),
            (false, false) => Some(true),
            (false, true) => None,
        }
    })
    .await
}

/// Who holds the lease, what it reads, and which node it is.
async fn holder(rig: &Rig, database: &str) -> Option<(String, Uuid, usize)> {
    let client = connect(database).await;
    let row = client.query_opt(HOLDER, &[]).await.expect("the database runs")?;
    let (owner, run): (String, Uuid) = (row.get(0), row.get(1));
    let node = (0..rig.fleet.len()).find(|node| rig.fleet.server(*node).output().contains(&owner))?;
    Some((owner, run, node))
}
