//! Keeping what the server knows about the sizes of tables in step with a first synchronisation.
//!
//! The server's own `autovacuum` looks once a minute at most. Until it has, it takes each table for as large as it was, and
//! reads all of it where an index would do; a plan that was made for an empty table stays with its connection. In a minute a
//! table may grow by a hundred thousand rows. So whoever writes looks as well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::error::Fault;
use super::session::Session;

/// Rows that are written between two looks, at least.
const ROWS: u64 = 200;
/// The time between two looks, at least. One costs the server a millisecond or two.
const APART: Duration = Duration::from_secs(1);

/// Tables that are more than twice as large as they were when they were looked at, in pages of 8 KiB.
const GROWN: &str = "SELECT string_agg(format('%I', c.relname), ', ') FROM pg_class c
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
      AND pg_relation_size(c.oid) / 8192 > 2 * greatest(c.relpages, 0) + 1
      AND pg_has_role(c.relowner, 'USAGE')";

/// When the last look was.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    /// In rows that this storage wrote.
    rows: AtomicU64,
    /// In milliseconds for which it has been open.
    at_ms: AtomicU64,
}

impl Statistics {
    /// Whether to look now, with so many rows written in all, this long after the storage was opened. Of several that ask one
    /// is told so.
    pub(super) fn is_due(&self, rows: u64, open_for: Duration) -> bool {
        let looked = self.rows.load(Ordering::Relaxed);
        if rows < looked + ROWS {
            return false;
        }
        let now = u64::try_from(open_for.as_millis()).unwrap_or(u64::MAX);
        let at = self.at_ms.load(Ordering::Relaxed);
        if looked > 0 && Duration::from_millis(now.saturating_sub(at)) < APART {
            return false;
        }
        let is_first = self
            .rows
            .compare_exchange(looked, rows, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if is_first {
            self.at_ms.store(now, Ordering::Relaxed);
        }
        is_first
    }
}

/// Tells the server to look at the tables that have grown.
pub(super) async fn refresh(session: &mut Session) -> Result<(), Fault> {
    if let Some(tables) = session.script(GROWN).await?.pop().flatten() {
        session.script(&format!("ANALYZE {tables}")).await?;
        tracing::debug!(tables, "tables have grown");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_some_rows_and_some_time_apart() {
        let statistics = Statistics::default();
        let due = |rows, ms| statistics.is_due(rows, Duration::from_millis(ms));
        assert!(!due(ROWS - 1, 5));
        assert!(due(ROWS, 5));
        assert!(!due(1_000_000, 900), "too soon");
        assert!(due(1_000_000, 1_005));
        assert!(!due(1_000_000, 1_005), "another one looks already");
        assert!(!due(1_000_000 + ROWS - 1, 9_000), "hardly anything was written");
        assert!(due(1_000_000 + ROWS, 9_000));
    }
}
