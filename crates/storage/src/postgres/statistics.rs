//! Keeping what the server knows about the sizes of tables in step with a first synchronisation.
//!
//! The server's own `autovacuum` looks once a minute at most. Until it has, it takes each table for a few pages and reads all
//! of it where an index would do, and in its first minute a table may grow by a hundred thousand rows. So whoever writes
//! looks as well, each time that as much was written as before in all.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::Fault;
use super::session::Session;

/// Rows that are written before the first look.
const FIRST: u64 = 500;
/// Beyond that `autovacuum` is soon enough.
const LAST: u64 = 16_000_000;

/// Tables that are more than twice as large as they were when they were looked at, in pages of 8 KiB.
const GROWN: &str = "SELECT string_agg(format('%I', c.relname), ', ') FROM pg_class c
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
      AND pg_relation_size(c.oid) / 8192 > 2 * greatest(c.relpages, 0) + 3
      AND pg_has_role(c.relowner, 'USAGE')";

/// When to look next, in rows that this storage wrote.
#[derive(Debug)]
pub(super) struct Statistics {
    next: AtomicU64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            next: AtomicU64::new(FIRST),
        }
    }
}

impl Statistics {
    /// Whether to look now, with so many rows written in all. Of several that ask one is told so.
    pub(super) fn is_due(&self, rows: u64) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        if rows < next || next > LAST {
            return false;
        }
        self.next
            .compare_exchange(next, rows.max(FIRST) * 2, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
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
    fn looks_become_rarer_as_there_is_more() {
        let statistics = Statistics::default();
        let due: Vec<u64> = (0..10_000).filter(|rows| statistics.is_due(*rows)).collect();
        assert_eq!(due, [500, 1000, 2000, 4000, 8000]);
        assert!(statistics.is_due(LAST));
        assert!(!statistics.is_due(4 * LAST));
    }
}
