//! The ceiling of writing: the database alone, with the rows that the server has just written.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::world::{Place, World};
use crate::{postgres, sqlite};

/// What the rows of a change of members point to; it is copied before.
pub(crate) const PARENTS: &[&str] = &[
    "source",
    "person",
    "source_user",
    "source_group",
    "room",
    "mapping",
];

/// How many rows each table has.
pub(crate) type Counts = BTreeMap<String, i64>;

/// What the server notes beside the requests, some of them and some time later: no part of what a request has to write.
const BESIDE: &str = "request_log";

/// What was added to each table where something was, but for what is noted beside.
pub(crate) fn added(before: &Counts, after: &Counts) -> Counts {
    after
        .iter()
        .map(|(table, count)| (table.clone(), count - before.get(table).copied().unwrap_or(0)))
        .filter(|(table, count)| *count != 0 && table != BESIDE)
        .collect()
}

/// A moment in the server's database.
#[derive(Debug)]
pub(crate) struct Mark {
    /// How many rows each table had.
    pub(crate) counts: Counts,
    /// The number of the newest event.
    pub(crate) last_event: i64,
}

/// What a replay did.
#[derive(Debug)]
pub(crate) struct Replay {
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// In how many transactions.
    pub(crate) transactions: usize,
    /// Rows of each table.
    pub(crate) written: Counts,
}

impl Replay {
    /// Rows of a table for each second.
    pub(crate) fn rate(&self, table: &str) -> f64 {
        self.written.get(table).copied().unwrap_or(0) as f64 / self.elapsed.as_secs_f64()
    }

    /// Rows of all tables for one transaction.
    pub(crate) fn rows_per_transaction(&self) -> f64 {
        self.written.values().sum::<i64>() as f64 / self.transactions as f64
    }
}

/// A database with the product's schema that nothing but this writes to.
pub(crate) enum Ceiling {
    /// A file beside the server's.
    Sqlite(sqlite::Ceiling),
    /// A database in the cluster of the server's.
    Postgres(postgres::Ceiling),
}

impl Ceiling {
    /// A new one beside the database of a deployment. `in_flight` connections write to it where several can.
    pub(crate) async fn create(
        world: &World,
        postgres: Option<&postgres::Postgres>,
        in_flight: usize,
    ) -> Result<Self> {
        Ok(match postgres {
            Some(postgres) => {
                Self::Postgres(postgres::Ceiling::create(postgres.database().await?, in_flight).await?)
            }
            None => Self::Sqlite(sqlite::Ceiling::create(world.folder()).await?),
        })
    }

    /// Copies what new rows point to, once it exists in the server's database.
    pub(crate) async fn copy_parents(&self, world: &World) -> Result<()> {
        match (self, world.place()) {
            (Self::Sqlite(ceiling), Place::File(path)) => ceiling.copy_parents(path),
            (Self::Postgres(ceiling), place) => ceiling.copy_parents(&place.url()).await,
            (Self::Sqlite(_), Place::Database(_)) => anyhow::bail!("a file is no ceiling of a server"),
        }
    }

    /// Writes what the server wrote since `mark`, and checks that no table got other rows. PostgreSQL writes `together` units
    /// of work of the server in one transaction.
    pub(crate) async fn replay(&self, world: &World, mark: &Mark, together: usize) -> Result<Replay> {
        match (self, world.place()) {
            (Self::Sqlite(ceiling), Place::File(path)) => {
                let server = sqlite::Database::open(path)?;
                let expected = added(&mark.counts, &server.counts()?);
                ceiling.replay(&server, mark.last_event, &expected)
            }
            (Self::Postgres(ceiling), place) => {
                let server = postgres::Database::open(&place.url()).await?;
                ceiling.replay(&server, mark, together).await
            }
            (Self::Sqlite(_), Place::Database(_)) => anyhow::bail!("a file is no ceiling of a server"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, i64)]) -> Counts {
        pairs
            .iter()
            .map(|(table, count)| ((*table).to_owned(), *count))
            .collect()
    }

    #[test]
    fn only_tables_that_grew_are_named() {
        let before = counts(&[("change", 1), ("room", 2)]);
        let after = counts(&[("change", 4), ("event", 5), ("request_log", 3), ("room", 2)]);
        assert_eq!(added(&before, &after), counts(&[("change", 3), ("event", 5)]));
    }

    #[test]
    fn a_replay_is_told_by_its_rows() {
        let replay = Replay {
            elapsed: Duration::from_secs(2),
            transactions: 4,
            written: counts(&[("change", 4), ("group_member", 400)]),
        };
        assert!((replay.rate("group_member") - 200.0).abs() < 1e-9);
        assert!((replay.rows_per_transaction() - 101.0).abs() < 1e-9);
    }
}
